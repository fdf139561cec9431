//! What the labelled target rows say about a method before any other label is seen.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{
    Labels, TransferError, TransferMethod, TransferProblem,
    seed::{self, derive},
    setters,
};

use super::losses::{PairedLosses, distance};
use crate::check::check_count;

/// The gain of a method over a baseline by cross-validation on the labelled target rows.
///
/// *When.* Some target labels are known and the question is whether to transfer at all: the evidence of
/// [`TransferGate`](super::TransferGate). Both fits see the source and all target rows; of the target's labels, those of
/// the fold are taken away and predicted.
///
/// # Formula
///
/// A row's loss is averaged over the repetitions; gain `g` and losses are those of
/// [`PairedComparison`](super::PairedComparison). With `n` rows, the standard error of a difference of accuracies is
///
/// $$s^2 = \frac{1}{n + 2} \left( \frac{2 + \sum_i d_i^2}{n + 2} - \left( \frac{\sum_i d_i}{n + 2} \right)^2 \right)$$
///
/// for the differences `dᵢ` of the losses: two rows are added that each of both has right alone, so that a few rows of one
/// mind do not pass for certainty. Of values, it is the infinitesimal jackknife with two such rows of the mean loss,
///
/// $$s^2 = \frac{q^2}{n (n - 1)} \left( 2 + \sum_i \left( \frac{\ell_{0i}}{R_0^2} - \frac{\ell_{1i}}{R_1^2} \right)^2 \right), \qquad
///   q = \frac{\min(R_0, R_1)}{2 \max(R_0, R_1)}$$
///
/// with squared errors `ℓ`; where one of both is always exact, there is none. The fits of `k` folds have most of their rows
/// in common, so that their errors go together: `s²` is taken `1 + k / (k − 1)` times (Nadeau & Bengio's correction, for
/// folds). It does not know that a fit on all labels is better than those on the folds, which helps a baseline without a
/// source more: the gain leans towards transfer, the less the more folds.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_folds` | 5 | integer ≥ 2 | folds, dealt out class by class; at most one for each row |
/// | `n_repeats` | 3 | integer ≥ 1 | times that the folds are dealt anew |
///
/// # Shapes and cost
///
/// `n_folds · n_repeats` fits of each method and of the baseline, the folds side by side; at most a copy of the problem for each fold.
///
/// # Source
///
/// Nadeau, Bengio, *Inference for the generalization error*, Machine Learning 52, 2003, doi:10.1023/A:1024068626366, whose
/// variance of the mean over `J` splits is `(1 / J + n_test / n_train) σ²` instead of `σ² / J`.
///
/// # Errors
///
/// [`TransferError::TooFewRows`] below two labelled target rows, and what the fits return, of which a fold without a class is
/// the most likely: [`TransferError::TooFewClasses`].
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::{Array1, Array2};
/// use translearn_classical::{SourceOnly, TargetOnly};
/// use translearn_core::TransferProblem;
/// use translearn_diagnostics::negative::TargetCrossValidation;
///
/// // The same rows on both sides, with the classes the other way round.
/// let x = Array2::from_shape_fn((20, 1), |(row, _)| row as f64);
/// let y = Array1::from_shape_fn(20, |row| usize::from(row >= 10));
/// let source = DatasetBase::new(x.clone(), y.mapv(|class| 1 - class));
/// let problem = TransferProblem::new(&source, &DatasetBase::new(x, y))?;
/// let evidence = TargetCrossValidation::default()
///     .evidence(&problem, &TargetOnly::params(), &SourceOnly::params(), 0)?;
/// assert_eq!(evidence.method_score, 0.0);
/// assert!(evidence.gain < -0.8 && evidence.standard_error.is_some_and(|error| error < 0.2));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetCrossValidation {
    n_folds: usize,
    n_repeats: usize,
}

impl Default for TargetCrossValidation {
    fn default() -> Self {
        Self {
            n_folds: 5,
            n_repeats: 3,
        }
    }
}

setters!(TargetCrossValidation {
    /// Sets the number of folds.
    n_folds: usize,
    /// Sets the number of repetitions.
    n_repeats: usize,
});

/// A gain that was measured on labelled target rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The gain: negative where the method is worse.
    pub gain: f64,
    /// Its standard error; `None` where it cannot be told.
    pub standard_error: Option<f64>,
    /// The baseline's accuracy, or root mean squared error.
    pub baseline_score: f64,
    /// The method's.
    pub method_score: f64,
    /// Labelled target rows.
    pub n_rows: usize,
    /// How far the predictions of both are apart on these rows: the share of rows of which the classes differ; of values, the
    /// root mean squared difference as a share of the larger error. No gain is larger.
    pub disagreement: f64,
}

/// A fold: the places among the labelled target rows of those whose labels are taken away, and of the others.
struct Fold {
    held_out: Vec<usize>,
    kept: Vec<usize>,
    seed: u64,
}

impl TargetCrossValidation {
    /// The gain of a method over a baseline; the seed deals the folds and goes into the fits.
    ///
    /// # Errors
    /// See the type.
    pub fn evidence(
        &self,
        problem: &TransferProblem,
        baseline: &dyn TransferMethod,
        method: &dyn TransferMethod,
        seed: u64,
    ) -> Result<Evidence, TransferError> {
        let mut all = self.evidence_of(problem, baseline, &[method], seed)?;
        all.pop().unwrap_or_else(|| Err(no_labels()))
    }

    /// The same for several methods on the same folds. One that cannot be fitted has its error in its place.
    ///
    /// # Errors
    /// See the type; of the baseline alone.
    pub fn evidence_of(
        &self,
        problem: &TransferProblem,
        baseline: &dyn TransferMethod,
        methods: &[&dyn TransferMethod],
        seed: u64,
    ) -> Result<Vec<Result<Evidence, TransferError>>, TransferError> {
        let folds = self.folds(problem, seed)?;
        let known = &problem.target_task().labels;
        let labelled = problem.target_labelled().ok_or_else(no_labels)?;
        let columns: Vec<&dyn TransferMethod> = std::iter::once(baseline)
            .chain(methods.iter().copied())
            .collect();
        let all: Vec<&Fold> = folds.iter().flatten().collect();
        let predictions: Vec<Vec<Result<Labels, TransferError>>> = all
            .into_par_iter()
            .map(|fold| {
                // A copy of all rows, which all methods of the fold share.
                let problem = problem.with_target_labels(&fold.kept)?;
                let rows = labelled.features.select_rows(&fold.held_out);
                let predict = |method: &&dyn TransferMethod| {
                    let model = method.fit(&problem, fold.seed)?.model;
                    Ok(model.predict(&rows)?.labels)
                };
                Ok(columns.iter().map(predict).collect())
            })
            .collect::<Result<_, TransferError>>()?;
        let of = |column: usize| -> Result<Vec<Labels>, TransferError> {
            let mut parts = predictions.iter().map(|of_fold| &of_fold[column]);
            folds
                .iter()
                .map(|repeat| in_order(repeat, &mut parts))
                .collect()
        };
        let baseline = of(0)?;
        let k = self.n_folds.min(known.len()) as f64;
        let of_folds = (1.0 + k / (k - 1.0)).sqrt();
        let evidence = |column: usize| {
            let method = of(column)?;
            let pairs = || baseline.iter().zip(&method);
            let losses: Vec<PairedLosses> = pairs()
                .map(|(baseline, method)| PairedLosses::new(known, baseline, method))
                .collect::<Result<_, _>>()?;
            let losses = PairedLosses::mean(&losses).ok_or_else(no_labels)?;
            let apart: Vec<f64> = pairs()
                .map(|(baseline, method)| distance(baseline, method))
                .collect::<Result<_, _>>()?;
            let apart = apart.iter().sum::<f64>() / apart.len() as f64;
            let (baseline_score, method_score) = losses.scores();
            Ok(Evidence {
                gain: losses.gain(),
                standard_error: losses.standard_error().map(|error| error * of_folds),
                baseline_score,
                method_score,
                n_rows: losses.len(),
                disagreement: match known {
                    Labels::Classes(_) => apart,
                    Labels::Values(_) => share_of_error(apart, (baseline_score, method_score)),
                },
            })
        };
        Ok((1..columns.len()).map(evidence).collect())
    }

    pub(super) fn check(&self) -> Result<(), TransferError> {
        check_count("n_folds", self.n_folds, 2)?;
        check_count("n_repeats", self.n_repeats, 1)
    }

    /// The folds of each repetition.
    fn folds(&self, problem: &TransferProblem, seed: u64) -> Result<Vec<Vec<Fold>>, TransferError> {
        self.check()?;
        let labels = &problem.target_task().labels;
        let n = labels.len();
        if n < 2 {
            return Err(TransferError::TooFewRows {
                what: "the labelled target, for cross-validation,".to_owned(),
                rows: n,
                needed: 2,
            });
        }
        let n_folds = self.n_folds.min(n);
        let repeat = |repeat: usize| {
            let seed = derive(seed, &["repeat", &repeat.to_string()]);
            let dealt = dealt(labels, n_folds, seed);
            let fold = |fold: usize| {
                let of_fold = |&(turn, _): &(usize, usize)| turn % n_folds == fold;
                let (held_out, kept): (Vec<_>, Vec<_>) =
                    dealt.iter().copied().enumerate().partition(of_fold);
                let places =
                    |rows: Vec<(usize, usize)>| rows.into_iter().map(|(_, row)| row).collect();
                Fold {
                    held_out: places(held_out),
                    kept: places(kept),
                    seed: derive(seed, &["fold", &fold.to_string()]),
                }
            };
            (0..n_folds).map(fold).collect()
        };
        Ok((0..self.n_repeats).map(repeat).collect())
    }
}

/// The rows in the order in which they are dealt to the folds: shuffled, and class by class, or among those of like size,
/// so that each fold has its share of all.
fn dealt(labels: &Labels, n_folds: usize, seed: u64) -> Vec<usize> {
    let mut rng = seed::rng(seed);
    let mut order = rng.permutation(labels.len());
    match labels {
        Labels::Classes(codes) => order.sort_by_key(|&row| codes[row]),
        Labels::Values(values) => {
            order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
            order
                .chunks_mut(n_folds)
                .for_each(|alike| rng.shuffle(alike));
        }
    }
    order
}

/// The predictions of the folds of a repetition in the order of the labelled rows.
fn in_order<'a>(
    repeat: &[Fold],
    parts: &mut impl Iterator<Item = &'a Result<Labels, TransferError>>,
) -> Result<Labels, TransferError> {
    let mut places: Vec<usize> = Vec::new();
    let mut joined: Option<Labels> = None;
    for (fold, part) in repeat.iter().zip(parts) {
        let part = part.as_ref().map_err(Clone::clone)?;
        places.extend(&fold.held_out);
        joined = Some(match joined {
            None => part.clone(),
            Some(before) => before.join(part)?,
        });
    }
    let mut back = vec![0; places.len()];
    for (at, &place) in places.iter().enumerate() {
        back[place] = at;
    }
    Ok(joined.ok_or_else(no_labels)?.select(&back))
}

/// A mean squared difference of two predictions as a share of the larger of their errors.
pub(super) fn share_of_error(mean_square: f64, errors: (f64, f64)) -> f64 {
    let most = errors.0.max(errors.1);
    if most == 0.0 {
        0.0
    } else {
        mean_square.sqrt() / most
    }
}

fn no_labels() -> TransferError {
    TransferError::Empty {
        what: "the labelled target".to_owned(),
        needed: 2,
    }
}
