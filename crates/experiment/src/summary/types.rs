//! What `summary.json` holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use translearn_diagnostics::curves::ComparedCurves;
use translearn_diagnostics::negative::Audit;

use super::baseline::is_baseline;
use crate::Status;
use crate::spec::is_none_or_default;

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
    /// The curves of sweeps and over tasks: those over all tasks first, then those of each task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<CurveSummary>,
    /// How often gates were right, for each group of tasks and for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<GateSummary>,
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
    /// Whether it stands behind a gate.
    #[serde(default, skip_serializing_if = "is_none_or_default")]
    pub gated: bool,
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

impl MethodSummary {
    /// Whether it is what others are compared with.
    pub fn is_baseline(&self) -> bool {
        is_baseline(&self.use_, self.gated)
    }
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

/// Gates over a group of tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateSummary {
    /// The group; `None` for all tasks where there are no groups.
    pub group: Option<String>,
    /// The method with the largest mean gain.
    pub best_method: Option<String>,
    /// How often the gates were right.
    #[serde(flatten)]
    pub audit: Audit,
}

/// A grid point that was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// A name of [`SelectBy`](crate::spec::SelectBy).
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
    /// Whether it stands behind a gate.
    #[serde(default, skip_serializing_if = "is_none_or_default")]
    pub gated: bool,
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

impl OverallSummary {
    /// Whether it is what others are compared with.
    pub fn is_baseline(&self) -> bool {
        is_baseline(&self.use_, self.gated)
    }
}

/// Curves over one parameter, or over tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurveSummary {
    /// The parameter, or what the numbers of the tasks are.
    pub x: String,
    /// The task; `None` for the average over several, and where the tasks are the points.
    pub task: Option<String>,
    /// The metric.
    pub metric: String,
    /// (task, seed) pairs that an average is over; `None` for a task.
    pub pairs: Option<usize>,
    /// The curves, in the order of the plan.
    pub series: Vec<SeriesSummary>,
    /// What is compared with what; with the average where there are several tasks.
    pub contrasts: Vec<ContrastSummary>,
    /// What transfer changes of the learning curve, where the tasks differ in the number of labelled target rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learning: Vec<LearningSummary>,
}

/// What a method changes of the curve of `target-only`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearningSummary {
    /// The method.
    pub method: String,
    /// `target-only` with the same learner.
    pub baseline: String,
    /// Every measure with its interval over the seeds.
    pub compared: ComparedCurves,
}

/// A curve, or the level of a method that has no sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesSummary {
    /// Its name.
    pub name: String,
    /// Its points from left to right.
    pub points: Vec<PointSummary>,
}

/// The metric at one point of a curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointSummary {
    /// Where it stands; `None` for a level.
    pub at: Option<f64>,
    /// The method of the trials.
    pub method: String,
    /// The task of the trials; `None` for an average over several.
    pub task: Option<String>,
    /// Mean of the metric.
    pub mean: f64,
    /// Lower end of its 95 % interval.
    pub ci_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub ci_high: Option<f64>,
}

/// How much better one curve is than another, or than a method; above 0 is better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContrastSummary {
    /// The curve.
    pub of: String,
    /// What it is compared with.
    pub against: String,
    /// (task, seed) pairs with a score at every point of both; no interval below six.
    pub pairs: usize,
    /// The difference at each point.
    pub points: Vec<DifferenceSummary>,
    /// The slope of the difference, by least squares: how much it grows per unit of the parameter.
    pub slope: Option<f64>,
    /// Lower end of its 95 % interval.
    pub slope_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub slope_high: Option<f64>,
}

/// A difference at one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DifferenceSummary {
    /// Where it stands.
    pub at: f64,
    /// Averaged over the pairs; above 0 is better.
    pub difference: f64,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub high: Option<f64>,
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
