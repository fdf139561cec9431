//! The one error type of the classical crates: every variant carries both sides of what does not fit and says what to do.

use crate::linalg::LinalgError;

/// What can go wrong when a learner or a transfer method is configured, fitted or asked for a prediction.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// Two tables that must share a feature space do not.
    #[error(
        "{left} has {left_features} features but {right} has {right_features}; \
         bring both to one feature space or use a heterogeneous method"
    )]
    FeatureMismatch {
        /// What stands on the left, for example `source`.
        left: String,
        /// Its number of columns.
        left_features: usize,
        /// What stands on the right, for example `target`.
        right: String,
        /// Its number of columns.
        right_features: usize,
    },
    /// Images where vectors are needed.
    #[error(
        "{what} are images, not vectors; `features` names the network that turns them into vectors"
    )]
    NotVectors {
        /// Which rows.
        what: String,
    },
    /// One table of images and one of vectors, which share no feature space.
    #[error(
        "{images} has images but {vectors} has vectors; \
         give images on both sides, or name the network that turns them into vectors with `features`"
    )]
    ImagesAndVectors {
        /// What has images, for example `source`.
        images: String,
        /// What has vectors, for example `target`.
        vectors: String,
    },
    /// Two things that go row by row have different lengths.
    #[error("{left} has {left_len} rows but {right} has {right_len}; give one entry per row")]
    LengthMismatch {
        /// What stands on the left.
        left: String,
        /// Its length.
        left_len: usize,
        /// What stands on the right.
        right: String,
        /// Its length.
        right_len: usize,
    },
    /// A value is NaN or infinite.
    #[error(
        "{what} holds {value} in row {row}, column {column}; drop, impute or clip such values first"
    )]
    NotFinite {
        /// Which table.
        what: String,
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value as text (`NaN`, `inf`, `-inf`).
        value: String,
    },
    /// There is nothing to work with.
    #[error("{what} is empty; at least {needed} rows are needed")]
    Empty {
        /// Which table or sample.
        what: String,
        /// The least number of rows.
        needed: usize,
    },
    /// There are rows, but too few for the method.
    #[error("{what} has {rows} rows but {needed} are needed")]
    TooFewRows {
        /// Which table or sample.
        what: String,
        /// How many it has.
        rows: usize,
        /// The least number.
        needed: usize,
    },
    /// A classifier was given a single class.
    #[error("{what} holds {classes} class(es) but at least 2 are needed to learn a classifier")]
    TooFewClasses {
        /// Which labels.
        what: String,
        /// Distinct classes found.
        classes: usize,
    },
    /// A class code lies outside the label space.
    #[error("{what} holds class {class} in row {row} but the label space has {n_classes} classes (0 to {})", n_classes.saturating_sub(1))]
    UnknownClass {
        /// Which labels.
        what: String,
        /// Row, from 0.
        row: usize,
        /// The code.
        class: usize,
        /// Size of the label space.
        n_classes: usize,
    },
    /// A parameter lies outside its range.
    #[error("`{name}` = {value} is outside {range}")]
    InvalidParameter {
        /// The parameter.
        name: String,
        /// What was given.
        value: String,
        /// What is allowed.
        range: String,
    },
    /// A parameter that the method or learner does not have.
    #[error("`{owner}` has no parameter `{name}`; {}", suggest(nearest, known))]
    UnknownParameter {
        /// The method or learner.
        owner: String,
        /// What was given.
        name: String,
        /// The nearest known name, if one is near.
        nearest: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// A method or learner that the registry does not hold.
    #[error("there is no {kind} `{name}`; {}", suggest(nearest, known))]
    UnknownName {
        /// `method` or `learner`.
        kind: String,
        /// What was asked for.
        name: String,
        /// The nearest known name, if one is near.
        nearest: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// The problem lacks what the method declares it needs, or has what it cannot handle.
    #[error("`{method}` needs {needs} but the problem has {has}")]
    Unsupported {
        /// The method or learner.
        method: String,
        /// What it needs.
        needs: String,
        /// What it was given.
        has: String,
    },
    /// A sparse matrix would not fit the stated memory when made dense.
    #[error(
        "{what} of {rows} x {columns} needs {bytes} bytes when dense, over the limit of {limit}; \
         use a method that works on sparse features, or select fewer columns"
    )]
    DenseTooLarge {
        /// Which table.
        what: String,
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
        /// Bytes it would take.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// An iteration stopped before its tolerance was met and the result would be wrong.
    #[error(
        "{what} did not converge in {iterations} iterations: residual {residual:e} against a tolerance of {tolerance:e}"
    )]
    NotConverged {
        /// Which solver.
        what: String,
        /// Iterations done.
        iterations: usize,
        /// What was left.
        residual: f64,
        /// What was asked for.
        tolerance: f64,
    },
    /// All sample weights are zero, or one is negative or not finite.
    #[error("sample weight {value} in row {row}: weights must be finite, at least 0 and not all 0")]
    InvalidWeight {
        /// Row, from 0.
        row: usize,
        /// The weight as text.
        value: String,
    },
    /// Masses that have to add up to the same do not.
    #[error(
        "{left} weigh {left_mass} but {right} weigh {right_mass}; \
         divide each by its sum, or use a solver of unbalanced or partial transport"
    )]
    UnequalMass {
        /// What stands on the left.
        left: String,
        /// Its sum.
        left_mass: f64,
        /// What stands on the right.
        right: String,
        /// Its sum.
        right_mass: f64,
    },
    /// A decomposition failed.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
    /// An error of the library that a method computes with, in its own words.
    #[error("{0}")]
    Backend(String),
    /// The library that a method computes with has no memory for it; in its own words. Whether it comes to this depends on
    /// the machine and on what else runs there.
    #[error("{0}")]
    OutOfMemory(String),
    /// An error that came up through linfa.
    #[error("linfa: {0}")]
    Linfa(String),
}

impl From<linfa::Error> for TransferError {
    fn from(error: linfa::Error) -> Self {
        Self::Linfa(error.to_string())
    }
}

fn suggest(nearest: &Option<String>, known: &[String]) -> String {
    match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "it has none".to_owned(),
        None => format!("known: {}", known.join(", ")),
    }
}

/// The known name nearest to `given`, when one is near enough to be a likely slip of the pen.
///
/// ```
/// let known = ["lambda", "n_components"];
/// assert_eq!(translearn_core::nearest_name("lamda", known), Some("lambda".to_owned()));
/// assert_eq!(translearn_core::nearest_name("zebra", known), None);
/// ```
pub fn nearest_name<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .filter(|&(distance, name)| distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| name.to_owned())
}
