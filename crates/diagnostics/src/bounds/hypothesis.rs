//! Errors of hypotheses, and what goes wrong on both domains together.

use ndarray::{Array1, Array2};
use translearn_core::{
    BaseLearner, Features, Labelled, Labels, Prediction, Sample, TransferError, TransferProblem,
    seed,
};

use crate::interval::upper_limit;

/// Rows that were called wrongly, of how many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Misses {
    misses: usize,
    rows: usize,
}

impl Misses {
    /// Of the hypothesis on labelled rows.
    pub(super) fn of(
        hypothesis: &impl Fn(&Features) -> Result<Prediction, TransferError>,
        rows: &Features,
        labels: &Labels,
    ) -> Result<Self, TransferError> {
        let truth = labels.classes(BOUND)?;
        let predicted = hypothesis(rows)?.labels;
        let predicted = predicted.classes(BOUND)?;
        if predicted.len() != truth.len() {
            return Err(TransferError::LengthMismatch {
                left: "what the hypothesis answers".to_owned(),
                left_len: predicted.len(),
                right: "the labels".to_owned(),
                right_len: truth.len(),
            });
        }
        Ok(Self {
            misses: predicted.iter().zip(truth).filter(|(a, b)| a != b).count(),
            rows: truth.len(),
        })
    }

    pub(super) fn share(self) -> f64 {
        self.misses as f64 / self.rows as f64
    }

    /// What the true share exceeds with a chance of at most `missed`.
    pub(super) fn limit(self, missed: f64) -> Result<f64, TransferError> {
        upper_limit(self.misses, self.rows, missed)
    }
}

/// The owner of errors that no single bound is to blame for.
pub(super) const BOUND: &str = "a bound of the target error";

/// The error on both domains of a hypothesis that was fitted on both, and its limit.
///
/// No hypothesis does better on both together than the best one, so that this is above the smallest joint error, and its
/// limit is a limit of that. `None` below two labelled target rows: one fits, one tells the error.
pub(super) fn joint_error(
    learner: &BaseLearner,
    problem: &TransferProblem,
    missed: f64,
    seed: u64,
) -> Result<Option<(f64, f64)>, TransferError> {
    let Some(target) = problem
        .target_labelled()
        .filter(|rows| rows.labels.len() > 1)
    else {
        return Ok(None);
    };
    weighs_rows(learner)?;
    let source = Halves::of(&problem.source()?, "the labelled source", seed)?;
    let target = Halves::of(&target, "the labelled target", seed)?;
    let rows = source.fits.0.stack(&target.fits.0)?;
    let labels = source.fits.1.join(&target.fits.1)?;
    let weights = equal_masses(source.fits.1.len(), target.fits.1.len());
    let sample = Sample::new(&rows, &labels, problem.n_classes())?.with_weights(&weights)?;
    let model = learner.fit_boxed(&sample, seed::derive(seed, &["joint"]))?;
    let (mut error, mut limit) = (0.0, 0.0);
    for half in [source, target] {
        let (rows, labels) = half.tells;
        let misses = Misses::of(&|rows: &Features| model.predict(rows), &rows, &labels)?;
        error += misses.share();
        limit += misses.limit(missed)?;
    }
    Ok(Some((error, limit)))
}

/// What a learner that was fitted to weighted labels says of the same rows.
pub(super) fn refitted(
    learner: &BaseLearner,
    rows: &Features,
    labels: Array1<usize>,
    n_classes: usize,
    weights: &Array1<f64>,
    seed: u64,
) -> Result<Array1<usize>, TransferError> {
    let labels = Labels::Classes(labels);
    let sample = Sample::new(rows, &labels, n_classes)?.with_weights(weights)?;
    let said = learner.fit_boxed(&sample, seed)?.predict(rows)?;
    Ok(said.labels.classes(learner.info().name)?.clone())
}

/// Refuses a learner for which the domains cannot be made to weigh the same.
pub(super) fn weighs_rows(learner: &BaseLearner) -> Result<(), TransferError> {
    let info = learner.info();
    if info.honors_weights {
        return Ok(());
    }
    Err(TransferError::Unsupported {
        method: BOUND.to_owned(),
        needs: "a learner that uses sample weights (or `resampled` around one that does not)"
            .to_owned(),
        has: format!("`{}`, which ignores them", info.name),
    })
}

/// Weights by which source rows and target rows weigh the same, their mean 1.
pub(super) fn equal_masses(n_source: usize, n_target: usize) -> Array1<f64> {
    let half = 0.5 * (n_source + n_target) as f64;
    let (source, target) = (half / n_source as f64, half / n_target as f64);
    Array1::from_shape_fn(n_source + n_target, |row| {
        if row < n_source { source } else { target }
    })
}

/// The rows that fit and those that tell the error, drawn from an order that depends on values and labels alone.
struct Halves {
    fits: (Features, Labels),
    tells: (Features, Labels),
}

impl Halves {
    fn of(rows: &Labelled<'_>, name: &str, seed: u64) -> Result<Self, TransferError> {
        let codes = rows.labels.classes(BOUND)?;
        if codes.len() < 2 {
            return Err(TransferError::TooFewRows {
                what: format!("{name}, of which one half fits and one half tells the error,"),
                rows: codes.len(),
                needed: 2,
            });
        }
        let codes = Array2::from_shape_fn((codes.len(), 1), |(row, _)| codes[row] as f64);
        let by_value = Features::beside(&[&rows.features, &codes.into()])?.rows_by_value();
        let drawn = seed::rng(seed::derive(seed, &[name])).permutation(by_value.len());
        let order: Vec<usize> = drawn.into_iter().map(|place| by_value[place]).collect();
        let (fits, tells) = order.split_at(order.len().div_ceil(2));
        let part = |part: &[usize]| (rows.features.select_rows(part), rows.labels.select(part));
        Ok(Self {
            fits: part(fits),
            tells: part(tells),
        })
    }
}
