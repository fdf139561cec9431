//! Why a matrix operation could not be done.

/// What can go wrong in a matrix operation; every variant names the operation and what does not fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LinalgError {
    /// A square matrix was needed.
    #[error("{operation} needs a square matrix but was given {rows} x {columns}")]
    NotSquare {
        /// The function that was called.
        operation: &'static str,
        /// Rows given.
        rows: usize,
        /// Columns given.
        columns: usize,
    },
    /// Two shapes that do not go together.
    #[error(
        "{operation}: {left_rows} x {left_columns} and {right_rows} x {right_columns} do not fit; {rule}"
    )]
    ShapeMismatch {
        /// The function that was called.
        operation: &'static str,
        /// Rows of the first matrix.
        left_rows: usize,
        /// Columns of the first matrix.
        left_columns: usize,
        /// Rows of the second matrix.
        right_rows: usize,
        /// Columns of the second matrix.
        right_columns: usize,
        /// What has to agree.
        rule: &'static str,
    },
    /// More was asked for than the matrix has.
    #[error("{operation}: {asked} asked for, but a {rows} x {columns} matrix has {available}")]
    TooMany {
        /// The function that was called.
        operation: &'static str,
        /// Components asked for.
        asked: usize,
        /// Components there are.
        available: usize,
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        columns: usize,
    },
    /// Too few rows for the statistic.
    #[error("{operation} needs at least {needed} rows but was given {rows}")]
    TooFewRows {
        /// The function that was called.
        operation: &'static str,
        /// Rows given.
        rows: usize,
        /// Rows needed.
        needed: usize,
    },
    /// An entry is NaN or infinite.
    #[error(
        "{operation}: the entry in row {row}, column {column} is {value}; drop, impute or clip such values first"
    )]
    NotFinite {
        /// The function that was called.
        operation: &'static str,
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value as text (`NaN`, `inf`, `-inf`).
        value: String,
    },
    /// A symmetric matrix was needed.
    #[error(
        "{operation} needs a symmetric matrix, but entries ({row}, {column}) and ({column}, {row}) \
         differ by {difference:e}; symmetrise it as (A + Aᵀ) / 2 if that is rounding"
    )]
    NotSymmetric {
        /// The function that was called.
        operation: &'static str,
        /// Row of the worst entry, below the diagonal.
        row: usize,
        /// Column of the worst entry.
        column: usize,
        /// Absolute difference of the two entries.
        difference: f64,
    },
    /// A symmetric positive definite matrix was needed.
    #[error(
        "{operation} needs a positive definite matrix, but pivot {pivot} of {size} is {value:e}; \
         add a ridge to the diagonal"
    )]
    NotPositiveDefinite {
        /// The function that was called.
        operation: &'static str,
        /// Rows of the matrix.
        size: usize,
        /// Which pivot (Cholesky) or eigenvalue, from 0.
        pivot: usize,
        /// Its value.
        value: f64,
    },
    /// The columns are linearly dependent.
    #[error(
        "{operation} needs {columns} independent columns, but column {column} depends on those before it"
    )]
    RankDeficient {
        /// The function that was called.
        operation: &'static str,
        /// Columns given.
        columns: usize,
        /// The first dependent column.
        column: usize,
    },
    /// The iteration of a decomposition did not converge, or its result overflowed.
    #[error("{operation} did not converge on a {rows} x {columns} matrix; rescale its entries")]
    NoConvergence {
        /// The function that was called.
        operation: &'static str,
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        columns: usize,
    },
}
