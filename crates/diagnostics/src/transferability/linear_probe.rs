//! A linear model on frozen features, cross-validated.

use ndarray::Array1;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{BaseLearner, Features, Labels, Sample, TransferError, seed, setters};
use translearn_learners::Ridge;

use super::check_rows;
use crate::check::check_count;
use crate::row_losses::row_losses;
use crate::row_order::by_value_and_label;
use crate::standardise::standardise;

/// The linear probe: how well a learner does on the features as they are, by cross-validation.
///
/// *When.* The most direct score, where fitting a linear model a few times can be afforded: it is in the units of the task, and has
/// an error.
///
/// # Formula
///
/// The share of rows called rightly, or for values `1 − Σ (y_i − ŷ_i)² / Σ (y_i − ȳ)²`, each row answered by the model that was
/// fitted on the other folds. The standard error is that of the jackknife over the folds,
///
/// $$\mathrm{SE}^2 = \frac{k - 1}{k} \sum_f (\theta_{(f)} - \bar\theta)^2$$
///
/// with the score `θ_(f)` over all folds but `f`. The fits share rows, which it does not know of, so that it is somewhat small.
///
/// # Steps
///
/// 1. Rows of each class, in an order drawn by the seed, take turns with the folds.
/// 2. Dense columns are standardised by the rows that teach.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | ridge regression | any learner | the model |
/// | `n_folds` | 5 | integer ≥ 2 | folds |
///
/// # Shapes and cost
///
/// `n_folds` fits.
///
/// # Errors
///
/// [`TransferError::LengthMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below `n_folds` rows, [`TransferError::Unsupported`] for values that are all the same,
/// [`TransferError::InvalidParameter`], and those of the learner, such as a single class.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, Labels};
/// use translearn_diagnostics::transferability::LinearProbe;
///
/// let features = Features::from(array![[0.0], [1.0], [2.0], [7.0], [8.0], [9.0]]);
/// let probe = LinearProbe::default().n_folds(3);
/// let found = probe.score(&features, &Labels::Classes(array![0, 0, 0, 1, 1, 1]), 0)?;
/// assert_eq!((found.score, found.standard_error), (1.0, 0.0));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Alain, Bengio, *Understanding intermediate layers using linear classifier probes*, ICLR 2017 workshops; that the error
/// of cross-validation cannot be known from one run: Bengio, Grandvalet, *No unbiased estimator of the variance of k-fold
/// cross-validation*, JMLR 5, 2004.
#[derive(Debug, Clone)]
pub struct LinearProbe {
    learner: BaseLearner,
    n_folds: usize,
}

impl Default for LinearProbe {
    fn default() -> Self {
        Self {
            learner: Ridge::params().into(),
            n_folds: 5,
        }
    }
}

setters!(LinearProbe {
    /// Sets the model.
    learner: impl Into<BaseLearner>,
    /// Sets the number of folds.
    n_folds: usize,
});

/// What a probe reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeScore {
    /// Accuracy, or R².
    pub score: f64,
    /// Its standard error.
    pub standard_error: f64,
}

impl LinearProbe {
    /// The score of features for a task; the seed draws the folds, and is the learner's.
    ///
    /// # Errors
    /// See the type.
    pub fn score(
        &self,
        features: &Features,
        labels: &Labels,
        seed: u64,
    ) -> Result<ProbeScore, TransferError> {
        check_count("n_folds", self.n_folds, 2)?;
        check_rows(features, labels)?;
        let n = features.n_rows();
        if n < self.n_folds {
            return Err(TransferError::TooFewRows {
                what: "the target, with a row for each fold,".to_owned(),
                rows: n,
                needed: self.n_folds,
            });
        }
        let fold_of = self.folds(features, labels, seed);
        let losses: Vec<Array1<f64>> = (0..self.n_folds)
            .into_par_iter()
            .map(|fold| {
                let (test, train): (Vec<usize>, Vec<usize>) =
                    (0..n).partition(|&row| fold_of[row] == fold);
                let (mut x, mut held_out) =
                    (features.select_rows(&train), features.select_rows(&test));
                standardise(&mut x, &mut held_out);
                let y = labels.select(&train);
                let sample = Sample::new(&x, &y, labels.n_codes())?;
                let model = self.learner.fit_boxed(&sample, seed)?;
                let answers = model.predict(&held_out)?.labels;
                row_losses(&labels.select(&test), &answers, "a linear probe")
            })
            .collect::<Result<_, TransferError>>()?;
        // What answers cost that know no features: a whole error for each row called wrongly, or the squares around the mean.
        let spread: Array1<f64> = match labels {
            Labels::Classes(classes) => Array1::ones(classes.len()),
            Labels::Values(values) => {
                let mean = values.sum() / n as f64;
                values.mapv(|value| (value - mean).powi(2))
            }
        };
        if spread.sum() == 0.0 {
            return Err(TransferError::Unsupported {
                method: "the R² of a linear probe".to_owned(),
                needs: "values that differ".to_owned(),
                has: format!("{n} equal values"),
            });
        }
        let lost: Vec<f64> = losses.iter().map(|losses| losses.iter().sum()).collect();
        let mut spreads = vec![0.0; self.n_folds];
        for (&fold, spread) in fold_of.iter().zip(&spread) {
            spreads[fold] += spread;
        }
        let (all, spread) = (lost.iter().sum::<f64>(), spreads.iter().sum::<f64>());
        if spreads
            .iter()
            .any(|&of_fold| of_fold >= spread * (1.0 - 1e-12))
        {
            return Err(TransferError::Unsupported {
                method: "the standard error of a linear probe".to_owned(),
                needs: "values that differ in more than one fold".to_owned(),
                has: "all that differ in one; try fewer folds or another seed".to_owned(),
            });
        }
        let without: Array1<f64> = (0..self.n_folds)
            .map(|fold| 1.0 - (all - lost[fold]) / (spread - spreads[fold]))
            .collect();
        let k = self.n_folds as f64;
        let centred = &without - without.sum() / k;
        Ok(ProbeScore {
            score: 1.0 - all / spread,
            standard_error: ((k - 1.0) / k * centred.dot(&centred)).sqrt(),
        })
    }

    /// The fold of each row.
    fn folds(&self, features: &Features, labels: &Labels, seed: u64) -> Vec<usize> {
        let mut order = by_value_and_label(features, labels);
        seed::rng(seed::derive(seed, &["folds"])).shuffle(&mut order);
        if let Labels::Classes(classes) = labels {
            // Class by class, in an order that their names have no part in.
            let mut first = vec![usize::MAX; labels.n_codes()];
            for (place, &row) in order.iter().enumerate() {
                first[classes[row]] = first[classes[row]].min(place);
            }
            order.sort_by_key(|&row| first[classes[row]]);
        }
        let mut fold_of = vec![0; order.len()];
        for (turn, row) in order.into_iter().enumerate() {
            fold_of[row] = turn % self.n_folds;
        }
        fold_of
    }
}
