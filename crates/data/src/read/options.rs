//! What a user says about a file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How to read a file; everything has a default. The keys are those of an experiment's `source` and `target`.
///
/// | key | formats | meaning |
/// |---|---|---|
/// | `label` | all | column or array of the labels; for `npy` and `idx` the file beside it that holds them |
/// | `features` | npz, mat, hdf5 | array of the features; not needed when there is only one |
/// | `drop` | tables | columns left out |
/// | `test` | all | a second file of the same form, kept for scoring; [`super::file`] leaves it to the caller |
/// | `transpose` | npz, npy, mat, hdf5 | rows are the other axis, where the labels do not decide |
/// | `delimiter`, `header`, `missing` | delimited text | see [`super::delimited::parse`] |
/// | `one_based`, `n_features` | svmlight | see [`super::svmlight::parse`] |
///
/// ```
/// use translearn_data::read::ReadOptions;
///
/// let options: ReadOptions = serde_json::from_str(r#"{ "label": "y", "drop": ["id"] }"#)?;
/// assert_eq!(options.label.as_deref(), Some("y"));
/// assert!(serde_json::from_str::<ReadOptions>(r#"{ "lable": "y" }"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadOptions {
    /// Column or array of the labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Array of the features.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
    /// Columns left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// A second file, kept for scoring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// Rows are the other axis.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub transpose: bool,
    /// Character between the cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Whether the first row names the columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Cells that stand for a missing value, exactly as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// Whether indices count from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_based: Option<bool>,
    /// Number of features, at least the largest index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_features: Option<usize>,
}
