//! Why a metric has no value.

/// Why a metric cannot be computed; a metric never answers with NaN.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// There is no row.
    #[error("there are no rows to score")]
    Empty,
    /// Two things that go row by row have different lengths.
    #[error("{left} has {left_len} rows but {right} has {right_len}; give one entry per row")]
    LengthMismatch {
        /// What stands on the left.
        left: &'static str,
        /// Its length.
        left_len: usize,
        /// What stands on the right.
        right: &'static str,
        /// Its length.
        right_len: usize,
    },
    /// A class code without a column of its own.
    #[error(
        "{what} holds class {class} in row {row} but there are {n_classes} classes (codes from 0)"
    )]
    UnknownClass {
        /// Which labels.
        what: &'static str,
        /// Row, from 0.
        row: usize,
        /// The code.
        class: usize,
        /// Number of classes.
        n_classes: usize,
    },
    /// A value is NaN or infinite.
    #[error("{what} holds {value} in row {row}")]
    NotFinite {
        /// Which values.
        what: &'static str,
        /// Row, from 0.
        row: usize,
        /// The value as text (`NaN`, `inf`, `-inf`).
        value: String,
    },
    /// A sample weight is negative or not finite, or all are 0.
    #[error("sample weight {value} in row {row}: weights must be finite, at least 0 and not all 0")]
    InvalidWeight {
        /// Row, from 0.
        row: usize,
        /// The weight as text.
        value: String,
    },
    /// Scores for fewer than two classes.
    #[error(
        "{metric} needs a column of scores for each of at least 2 classes but was given {columns}"
    )]
    TooFewColumns {
        /// The metric.
        metric: &'static str,
        /// Columns given.
        columns: usize,
    },
    /// All rows are of one class, so there is nothing to rank.
    #[error("{metric} needs rows of at least 2 classes but all are of class {class}")]
    SingleClass {
        /// The metric.
        metric: &'static str,
        /// The class.
        class: usize,
    },
    /// All true values are equal, so there is no variance to explain.
    #[error("{metric} needs true values that vary but all are {value}")]
    ConstantTruth {
        /// The metric.
        metric: &'static str,
        /// The value.
        value: f64,
    },
    /// An entry outside `[0, 1]`.
    #[error("{metric} needs probabilities but row {row}, class {class} holds {value}")]
    NotAProbability {
        /// The metric.
        metric: &'static str,
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        class: usize,
        /// The value as text.
        value: String,
    },
    /// A row of probabilities that does not sum to 1.
    #[error("{metric} needs probabilities but row {row} sums to {sum}, not 1")]
    RowSum {
        /// The metric.
        metric: &'static str,
        /// Row, from 0.
        row: usize,
        /// Its sum.
        sum: f64,
    },
    /// The metric is for another kind of prediction.
    #[error("{metric} needs {needs} but was given {has}")]
    WrongOutput {
        /// The metric.
        metric: &'static str,
        /// What it needs.
        needs: &'static str,
        /// What it was given.
        has: &'static str,
    },
    /// No metric has this name.
    #[error("there is no metric `{name}`; {}", hint(nearest))]
    UnknownMetric {
        /// What was asked for.
        name: String,
        /// The nearest known name, if one is near.
        nearest: Option<String>,
    },
}

fn hint(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!(
            "known: {}",
            super::Metric::ALL.map(super::Metric::name).join(", ")
        ),
    }
}
