//! Why a method loses: nothing to transfer, or a relation that it does not use.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Labels, TransferError, TransferMethod, TransferProblem,
    seed::{self, derive},
    setters,
};

use super::evidence::{Evidence, TargetCrossValidation};
use super::gate::baseline;
use crate::check::{check_count, check_share};

/// The two causes of negative transfer apart: an unrelated task, and a method that does not use the relation there is.
///
/// *When.* A method loses on the labelled target rows, and the question is whether another method could gain.
///
/// # Steps
///
/// 1. The gain `g` over the baseline, by [`TargetCrossValidation`].
/// 2. The relation `r` that there is without the method: how much the learner, fitted on the source alone, tells of the labels of
///    the labelled target rows by what it predicts for them. That is mutual information of classes, a squared correlation of
///    values; so that classes that change places are a relation, too. With the target's labels dealt out anew `B` times over these
///    predictions, `(1 + #{r_b ≥ r}) / (1 + B)` is the p-value of the hypothesis that they tell nothing.
/// 3. The mean gain with corrupted sources: the same rows, the labels dealt out anew. It is what the source's rows cost once their
///    labels say nothing; a gain below it means that the labels do the harm.
///
/// A loss is where `g < 0`. It is the task's where the p-value is above `level`: nothing was found that could be carried over. It is the
/// method's where it is not. That nothing was found shows little where few target rows are labelled.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_permutations` | 999 | integer ≥ 1 | dealings of the target's labels `B` |
/// | `n_corruptions` | 9 | integer ≥ 1 | corrupted sources |
/// | `level` | 0.05 | (0, 1) | chance to find a relation where predictions tell nothing of the labels |
/// | `validation` | 5 folds, 1 repetition | | how gains are measured |
///
/// # Cost
///
/// `1 + n_corruptions` cross-validations, and a fit of the learner.
///
/// # Errors
///
/// As [`TargetCrossValidation`], and what the learner returns on the source alone.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::{Array1, Array2};
/// use translearn_classical::Pooled;
/// use translearn_core::TransferProblem;
/// use translearn_diagnostics::negative::{Cause, Causes};
///
/// // The classes the other way round: a relation, that pooling the rows does not use.
/// let rows = |n: usize| Array2::from_shape_fn((n, 1), |(row, _)| 20.0 * row as f64 / n as f64);
/// let classes = |n: usize, left: usize| Array1::from_shape_fn(n, |row| if 2 * row < n { left } else { 1 - left });
/// let source = DatasetBase::new(rows(100), classes(100, 1));
/// let problem = TransferProblem::new(&source, &DatasetBase::new(rows(20), classes(20, 0)))?;
/// let found = Causes::default().find(&problem, &Pooled::params(), 0)?;
/// assert!(found.evidence.gain < -0.5 && found.relation_p_value < 0.01);
/// assert_eq!(found.cause, Some(Cause::Method));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// The two causes: Torrey, Shavlik, *Transfer Learning*, in Handbook of Research on Machine Learning Applications, 2009,
/// chapter 11, doi:10.4018/978-1-60566-766-9.ch011. The tests are ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Causes {
    n_permutations: usize,
    n_corruptions: usize,
    level: f64,
    validation: TargetCrossValidation,
}

impl Default for Causes {
    fn default() -> Self {
        Self {
            n_permutations: 999,
            n_corruptions: 9,
            level: 0.05,
            validation: TargetCrossValidation::default().n_repeats(1),
        }
    }
}

setters!(Causes {
    /// Sets how often the target's labels are dealt out.
    n_permutations: usize,
    /// Sets the number of corrupted sources.
    n_corruptions: usize,
    /// Sets the level.
    level: f64,
    /// Sets how gains are measured.
    validation: TargetCrossValidation,
});

/// Why a method loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Nothing was found in the source that tells of the target's labels.
    Task,
    /// The source tells of the target's labels, and the method loses nevertheless.
    Method,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundCause {
    /// The gain with the source as it is.
    pub evidence: Evidence,
    /// The mean gain with corrupted sources: what the source's rows cost without their labels.
    pub corrupted_gain: f64,
    /// What the source's model tells of the target's labels: nats of mutual information, or a squared correlation.
    pub relation: f64,
    /// How likely as much is where that tells nothing.
    pub relation_p_value: f64,
    /// The cause of a loss; `None` where there is none.
    pub cause: Option<Cause>,
}

impl Causes {
    /// Looks for the cause; the seed deals folds and labels and goes into the fits.
    ///
    /// # Errors
    /// See the type.
    pub fn find(
        &self,
        problem: &TransferProblem,
        method: &dyn TransferMethod,
        seed: u64,
    ) -> Result<FoundCause, TransferError> {
        self.check()?;
        let measured = |problem: &TransferProblem| {
            let baseline = baseline(method, problem);
            let folds = derive(seed, &["folds"]);
            self.validation.evidence(problem, &*baseline, method, folds)
        };
        let evidence = measured(problem)?;
        let labels = problem.source()?.labels.into_owned();
        let mut corrupted = 0.0;
        for corruption in 0..self.n_corruptions {
            let seed = derive(seed, &["corruption", &corruption.to_string()]);
            let order = seed::rng(seed).permutation(labels.len());
            corrupted += measured(&problem.with_source_labels(&labels.select(&order))?)?.gain;
        }
        let (relation, relation_p_value) = self.relation(problem, method, seed)?;
        let cause = if relation_p_value <= self.level {
            Cause::Method
        } else {
            Cause::Task
        };
        Ok(FoundCause {
            evidence,
            corrupted_gain: corrupted / self.n_corruptions as f64,
            relation,
            relation_p_value,
            cause: (evidence.gain < 0.0).then_some(cause),
        })
    }

    /// What the model of the source tells of the target's labels, and its p-value.
    fn relation(
        &self,
        problem: &TransferProblem,
        method: &dyn TransferMethod,
        seed: u64,
    ) -> Result<(f64, f64), TransferError> {
        let Some(known) = problem.target_labelled() else {
            return Ok((0.0, 1.0));
        };
        // The target's labels are not to be in the model that is asked about them.
        let unlabelled = problem.with_target_labels(&[])?;
        let seed_of = |part: &str| derive(seed, &["relation", part]);
        let model = baseline(method, &unlabelled)
            .fit(&unlabelled, seed_of("fit"))?
            .model;
        let said = model.predict(&known.features)?.labels;
        let relation = told(&known.labels, &said);
        let mut rng = seed::rng(seed_of("deal"));
        // Sums in another order differ by rounding.
        let as_much = (0..self.n_permutations)
            .filter(|_| {
                let order = rng.permutation(known.labels.len());
                told(&known.labels.select(&order), &said) >= relation - 1e-12
            })
            .count();
        let p_value = (1 + as_much) as f64 / (1 + self.n_permutations) as f64;
        Ok((relation, p_value))
    }

    fn check(&self) -> Result<(), TransferError> {
        check_count("n_permutations", self.n_permutations, 1)?;
        check_count("n_corruptions", self.n_corruptions, 1)?;
        check_share("level", self.level)
    }
}

/// How much what was said tells of the labels.
fn told(labels: &Labels, said: &Labels) -> f64 {
    match (labels, said) {
        (Labels::Classes(labels), Labels::Classes(said)) => mutual_information(labels, said),
        (Labels::Values(labels), Labels::Values(said)) => squared_correlation(labels, said),
        _ => 0.0,
    }
}

/// Nats of mutual information between two codings of the same rows.
fn mutual_information(a: &Array1<usize>, b: &Array1<usize>) -> f64 {
    let size = |codes: &Array1<usize>| codes.iter().max().map_or(0, |&most| most + 1);
    let mut joint = Array2::<f64>::zeros((size(a), size(b)));
    let share = (a.len() as f64).recip();
    for (&a, &b) in a.iter().zip(b) {
        joint[[a, b]] += share;
    }
    let (of_a, of_b) = (joint.sum_axis(Axis(1)), joint.sum_axis(Axis(0)));
    joint
        .indexed_iter()
        .filter(|(_, chance)| **chance > 0.0)
        .map(|((a, b), &chance)| chance * (chance / (of_a[a] * of_b[b])).ln())
        .sum()
}

/// The squared correlation of two series; 0 where one of them does not vary.
fn squared_correlation(a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    let centred = |x: &Array1<f64>| x - x.mean().unwrap_or_default();
    let (a, b) = (centred(a), centred(b));
    let variances = a.dot(&a) * b.dot(&b);
    if variances > 0.0 {
        a.dot(&b).powi(2) / variances
    } else {
        0.0
    }
}
