//! What `summary.json` holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Status;

/// The results of an experiment in numbers. Wall times are left out: two runs of one plan have the same summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// How many trials ended how.
    pub trials: TrialCounts,
    /// Every method on every task: tasks in the order of the plan; baselines first, then methods in the order of the plan.
    pub results: Vec<MethodSummary>,
    /// Every method over all tasks with one main metric, where there are several such tasks.
    pub overall: Vec<OverallSummary>,
    /// The trials without scores.
    pub failures: Vec<Failure>,
}

/// How many trials ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TrialCounts {
    /// Trials of the plan.
    pub planned: usize,
    /// With scores.
    pub ok: usize,
    /// With an error.
    pub failed: usize,
    /// The method cannot serve the task.
    pub unsupported: usize,
    /// Ran out of time.
    pub timeout: usize,
}

impl TrialCounts {
    /// Trials that ended.
    pub fn finished(&self) -> usize {
        self.ok + self.failed + self.unsupported + self.timeout
    }
}

/// One method on one task, over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodSummary {
    /// Name of the task.
    pub task: String,
    /// Name of the method.
    pub method: String,
    /// Registry name of the method.
    #[serde(rename = "use")]
    pub use_: String,
    /// Family of the method.
    pub family: String,
    /// Registry name of the base learner.
    pub learner: Option<String>,
    /// Whether parameters were chosen with the labels that score them: a bound, not a result.
    pub oracle: bool,
    /// Seeds with scores.
    pub n: usize,
    /// The main metric: the first of the specification that the task has.
    pub metric: Option<String>,
    /// The metrics by name.
    pub metrics: BTreeMap<String, MetricSummary>,
    /// What gains are measured in: `accuracy`, or for regression the decrease of `rmse`.
    pub gain_metric: Option<String>,
    /// How much better than the baseline, averaged over the seeds that both have scores for; above 0 is better.
    pub gain: Option<f64>,
    /// Lower end of its 95 % interval.
    pub gain_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub gain_high: Option<f64>,
    /// The method that decides the verdict.
    pub baseline: Option<String>,
    /// Whether the interval excludes 0.
    pub verdict: Option<Verdict>,
    /// The gain over each baseline with the same learner.
    pub gains: Vec<Gain>,
    /// Effective sample size of the source weights, averaged over seeds, for methods that reweigh.
    pub ess: Option<f64>,
    /// The grid points that were chosen, the most frequent first.
    pub selected: Vec<Choice>,
}

/// One metric over the seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSummary {
    /// Seeds with a value.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (n − 1); `None` for one seed.
    pub std: Option<f64>,
    /// Lower end of the 95 % interval of the mean.
    pub ci_low: Option<f64>,
    /// Upper end of the 95 % interval of the mean.
    pub ci_high: Option<f64>,
    /// What the interval is over: `rows` (bootstrap over test rows: accuracy, micro F1, RMSE) or `seeds` (Student's t).
    pub ci_over: Option<String>,
}

/// How much better a method is than a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// Registry name of the baseline.
    #[serde(rename = "use")]
    pub use_: String,
    /// Name of the baseline.
    pub baseline: String,
    /// Seeds that both have scores for.
    pub n: usize,
    /// The gain; above 0 is better.
    pub gain: f64,
    /// Lower end of its 95 % interval.
    pub gain_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub gain_high: Option<f64>,
    /// Whether the interval excludes 0.
    pub verdict: Verdict,
}

/// Whether transfer helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The 95 % interval of the gain is above 0.
    Positive,
    /// The 95 % interval of the gain is below 0: negative transfer.
    Negative,
    /// The data do not tell.
    Undecided,
}

impl Verdict {
    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Undecided => "undecided",
        }
    }

    /// The verdict on a gain with this interval. What is 0 but for rounding counts as 0.
    pub fn of_interval(low: Option<f64>, high: Option<f64>) -> Self {
        const ROUNDING: f64 = 1e-12;
        match (low, high) {
            (Some(low), Some(_)) if low > ROUNDING => Self::Positive,
            (Some(_), Some(high)) if high < -ROUNDING => Self::Negative,
            _ => Self::Undecided,
        }
    }
}

/// A grid point that was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// `source-cv`, `importance-weighted` or `oracle`.
    pub by: String,
    /// The parameters.
    pub params: Map<String, Value>,
    /// With how many seeds.
    pub n: usize,
}

/// One method over several tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverallSummary {
    /// The main metric of the tasks.
    pub metric: String,
    /// What gains are measured in.
    pub gain_metric: String,
    /// Name of the method.
    pub method: String,
    /// Registry name of the method.
    #[serde(rename = "use")]
    pub use_: String,
    /// Whether parameters were chosen with the labels that score them.
    pub oracle: bool,
    /// Tasks with scores.
    pub tasks: usize,
    /// The main metric averaged over the tasks; `None` when one of them is missing.
    pub mean: Option<f64>,
    /// (task, seed) pairs that the gain is over.
    pub pairs: usize,
    /// The gain over the baseline of each task, averaged over the pairs.
    pub gain: Option<f64>,
    /// Lower end of its 95 % interval; `None` below six pairs.
    pub gain_low: Option<f64>,
    /// Upper end of its 95 % interval; `None` below six pairs.
    pub gain_high: Option<f64>,
    /// Whether the interval excludes 0.
    pub verdict: Option<Verdict>,
    /// Tasks with a positive verdict.
    pub positive: usize,
    /// Tasks with a negative verdict.
    pub negative: usize,
    /// Tasks with neither.
    pub undecided: usize,
}

/// A trial without scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Name of the task.
    pub task: String,
    /// Name of the method.
    pub method: String,
    /// The seed.
    pub seed: u64,
    /// `failed`, `unsupported` or `timeout`.
    pub status: Status,
    /// Why.
    pub error: String,
}
