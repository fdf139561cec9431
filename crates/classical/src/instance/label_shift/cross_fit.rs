//! What the learner says about rows whose labels it has not seen.

use ndarray::{Array1, Array2, Axis, concatenate, s};
use rayon::prelude::*;
use translearn_core::{
    BaseLearner, Prediction, Sample, Scores, TransferError, TransferProblem, seed::derive,
};

use super::Classes;
use super::prior_shift::MixtureFit;
use crate::instance::folds::folds;
use crate::instance::shares::class_shares;

/// Predictions by learners that were fitted on all parts of the source but one: the source's rows each by the learner that
/// has not seen their part, the target's by every learner. So both sides are judged by the same learners.
#[derive(Debug)]
pub(super) struct CrossFitted {
    /// Source rows that each learner predicted.
    parts: Vec<Vec<usize>>,
    /// Its predictions of them.
    source: Vec<Prediction>,
    /// Its predictions of all target rows.
    target: Vec<Prediction>,
}

impl CrossFitted {
    pub(super) fn new(
        problem: &TransferProblem,
        classes: &Classes,
        learner: &BaseLearner,
        n_folds: usize,
        seed: u64,
    ) -> Result<Self, TransferError> {
        let source = problem.source()?;
        let rows = classes.of_row.len();
        if rows < 2 {
            return Err(TransferError::TooFewRows {
                what: "the labelled source".to_owned(),
                rows,
                needed: 2,
            });
        }
        // No fold is empty: the largest class alone would fill as many as it has rows.
        let largest = classes.prior.fold(0.0_f64, |a, &b| a.max(b)) * rows as f64;
        let n_folds = n_folds.min(largest.round() as usize).max(2);
        let fold_of = folds(&source.features, |row| classes.of_row[row], n_folds);
        let fit = |fold: usize| {
            let (test, train): (Vec<usize>, Vec<usize>) =
                (0..rows).partition(|&row| fold_of[row] == fold);
            let (x, y) = (
                source.features.select_rows(&train),
                source.labels.select(&train),
            );
            let sample = Sample::new(&x, &y, problem.n_classes())?;
            let seed = derive(seed, &["fold", &fold.to_string()]);
            let predictor = learner.fit_boxed(&sample, seed)?;
            let of_source = predictor.predict(&source.features.select_rows(&test))?;
            let of_target = predictor.predict(problem.target_features())?;
            Ok((test, of_source, of_target))
        };
        let fitted = (0..n_folds)
            .into_par_iter()
            .map(fit)
            .collect::<Result<Vec<_>, TransferError>>()?;
        let mut all = Self {
            parts: Vec::new(),
            source: Vec::new(),
            target: Vec::new(),
        };
        for (part, of_source, of_target) in fitted {
            all.parts.push(part);
            all.source.push(of_source);
            all.target.push(of_target);
        }
        Ok(all)
    }

    /// `C_ij`, the share of source rows of class `j` that are predicted as class `i`, and `μ_i`, the share of target rows
    /// that are; over the classes of the source.
    pub(super) fn confusion(
        &self,
        classes: &Classes,
        method: &str,
    ) -> Result<(Array2<f64>, Array1<f64>), TransferError> {
        let k = classes.present.len();
        let (mut matrix, mut target) = (Array2::zeros((k, k)), Array1::zeros(k));
        let n_source = classes.of_row.len() as f64;
        for (part, prediction) in self.parts.iter().zip(&self.source) {
            for (&row, &class) in part.iter().zip(prediction.labels.classes(method)?) {
                if let Some(place) = classes.place(class) {
                    matrix[[place, classes.of_row[row]]] += 1.0 / n_source;
                }
            }
        }
        for prediction in &self.target {
            let labels = prediction.labels.classes(method)?;
            for place in labels.iter().filter_map(|&class| classes.place(class)) {
                target[place] += 1.0 / (labels.len() * self.target.len()) as f64;
            }
        }
        Ok((matrix, target))
    }

    /// The scores of the source's rows, in their order, and of the target's by each learner in turn, over the classes
    /// of the source; logarithms where they are probabilities.
    pub(super) fn scores(
        &self,
        classes: &Classes,
        method: &str,
    ) -> Result<(Array2<f64>, Array2<f64>), TransferError> {
        let k = classes.present.len();
        let mut source = Array2::zeros((classes.of_row.len(), k));
        for (part, prediction) in self.parts.iter().zip(&self.source) {
            let scores = logits(prediction, classes, method)?;
            for (&row, values) in part.iter().zip(scores.outer_iter()) {
                source.row_mut(row).assign(&values);
            }
        }
        let mut target = Array2::zeros((0, k));
        for prediction in &self.target {
            let scores = logits(prediction, classes, method)?;
            for values in scores.outer_iter() {
                #[expect(clippy::expect_used, reason = "each row has an entry per class")]
                target.push_row(values).expect("an entry per class");
            }
        }
        Ok((source, target))
    }

    /// How likely the target's predictions are to be so far from every mixture of those of the source's classes, if the
    /// shares of the classes are all that differs; `None` where that cannot be told.
    ///
    /// The statistics compared are the share `p_c` of each class in the answer for a row, but for one class, and `p_c²`. A
    /// source row has those of the learner that has not seen it, a target row their means over the learners.
    pub(super) fn prior_shift_p_value(
        &self,
        classes: &Classes,
        n_classes: usize,
    ) -> Result<Option<f64>, TransferError> {
        let statistics = |prediction: &Prediction| {
            let shares = class_shares(prediction, n_classes)?.select(Axis(1), &classes.present);
            let squares = shares.mapv(|p| p * p);
            let linear = shares.slice(s![.., ..shares.ncols() - 1]);
            #[expect(clippy::expect_used, reason = "both have a row per prediction")]
            let all = concatenate(Axis(1), &[linear, squares.view()]).expect("as many rows");
            Ok::<_, TransferError>(all)
        };
        let width = 2 * classes.present.len() - 1;
        let mut source = Array2::zeros((classes.of_row.len(), width));
        for (part, prediction) in self.parts.iter().zip(&self.source) {
            for (&row, values) in part.iter().zip(statistics(prediction)?.outer_iter()) {
                source.row_mut(row).assign(&values);
            }
        }
        let rows = self
            .target
            .first()
            .map_or(0, |prediction| prediction.labels.len());
        let mut target = Array2::zeros((rows, width));
        for prediction in &self.target {
            target += &(statistics(prediction)? / self.target.len() as f64);
        }
        let fit = MixtureFit::new(&source, &classes.of_row, &target, &classes.prior)?;
        Ok(fit.map(|fit| fit.p_value()))
    }
}

/// Probabilities below this are taken for it, so that their logarithms are finite.
const LEAST_PROBABILITY: f64 = 1e-12;

fn logits(
    prediction: &Prediction,
    classes: &Classes,
    method: &str,
) -> Result<Array2<f64>, TransferError> {
    match &prediction.scores {
        Some(Scores::Probabilities(scores)) => Ok(scores
            .select(Axis(1), &classes.present)
            .mapv(|p| p.max(LEAST_PROBABILITY).ln())),
        Some(Scores::Decision(scores)) => Ok(scores.select(Axis(1), &classes.present)),
        None => Err(TransferError::Unsupported {
            method: method.to_owned(),
            needs: "a learner with a score per class".to_owned(),
            has: "one without".to_owned(),
        }),
    }
}
