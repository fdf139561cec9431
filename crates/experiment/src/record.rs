//! One finished trial as it is stored: the contract other programs read (`schema = 1`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use translearn_diagnostics::negative::Decision;

use crate::summary::Outcomes;

/// The version of the spec and result files.
pub const SCHEMA: u32 = 1;

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// With metrics.
    Ok,
    /// With an error.
    Failed,
    /// The method cannot serve the task; the reason is in `error`.
    Unsupported,
    /// It ran longer than `timeout_seconds`.
    Timeout,
}

/// A finished trial. Wall times and memory are the only fields that may differ between two runs on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The trial's identifier: a hash of everything that decides its numbers.
    pub trial: String,
    /// Name of the experiment.
    pub experiment: String,
    /// Name of the task.
    pub task: String,
    /// Display name of the method (`name`, else `use`).
    pub method: String,
    /// Registry name of the method.
    #[serde(rename = "use")]
    pub use_: String,
    /// Family of the method.
    pub family: String,
    /// Registry name of the base learner, where there is one.
    pub learner: Option<String>,
    /// The method's parameters as fitted; the learner's under `learner.<name>`.
    pub params: Map<String, Value>,
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub status: Status,
    /// Why it did not end well.
    pub error: Option<String>,
    /// Metrics on the scored rows; rates as fractions.
    pub metrics: BTreeMap<String, f64>,
    /// Seconds of the fit, grid selection included.
    pub fit_seconds: Option<f64>,
    /// Seconds of the prediction.
    pub predict_seconds: Option<f64>,
    /// Peak memory of the worker process during the trial, in bytes.
    pub peak_rss_bytes: Option<u64>,
    /// Labelled source rows.
    pub n_source: usize,
    /// Target rows the fit sees.
    pub n_target: usize,
    /// Labelled target rows among them.
    pub n_labelled: usize,
    /// Scored rows.
    pub n_test: usize,
    /// Features after preprocessing.
    pub n_features: Option<usize>,
    /// Effective sample size of the source weights, for methods that reweigh.
    pub ess: Option<f64>,
    /// The grid point that was chosen, and every point with its score.
    pub selected: Option<Selected>,
    /// What its gate decided, where it stands behind one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Decision>,
    /// How well each scored row was predicted, for paired comparisons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcomes: Option<Outcomes>,
    /// `cpu` or the accelerator.
    pub device: String,
    /// Versions that decide the numbers.
    pub versions: BTreeMap<String, String>,
}

/// How a grid was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selected {
    /// A name of [`SelectBy`](crate::spec::SelectBy).
    pub by: String,
    /// The parameters chosen.
    pub params: Map<String, Value>,
    /// Every grid point with its score, in grid order; higher is better.
    pub scores: Vec<GridScore>,
}

/// One point of a grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GridScore {
    /// The parameters that vary.
    pub params: Map<String, Value>,
    /// The score, or why there is none.
    pub score: Option<f64>,
    /// The reason a point has no score.
    pub error: Option<String>,
}
