//! Densities of sources, their most likely mixture, and models that answer by them.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, Labels, Prediction, Predictor, TransferError, TransferModel, TransferProblem,
    distance::squared_distances,
    kernel::{Kernel, ResolvedKernel},
};

use crate::instance::mixture::{Mixture, fit_mixture};
use crate::instance::shares::class_shares;

/// How far below its maximum the likelihood of the target may stay, per row.
const GAP: f64 = 1e-6;

/// The mixture of most likely weights for rows with these log densities (`n x K`).
pub(super) fn mixture(log_densities: &Array2<f64>) -> Result<Mixture, TransferError> {
    // A factor per row changes nothing, so that the largest density of each row can be 1.
    let mut densities = log_densities.clone();
    for mut row in densities.rows_mut() {
        let largest = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        row.mapv_inplace(|v| (v - largest).exp());
    }
    let n_sources = densities.ncols();
    let alike = Array1::from_elem(n_sources, 1.0 / n_sources as f64);
    fit_mixture(&densities, alike, GAP)
}

/// The densities of several sources, by kernels of one width around their rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct Densities {
    sources: Vec<Features>,
    gamma: f64,
}

impl Densities {
    /// Of the sources that have labels, with the median heuristic over them and the target where no width is given.
    pub(super) fn of_sources(
        problem: &TransferProblem,
        gamma: Option<f64>,
    ) -> Result<Self, TransferError> {
        let labelled = problem
            .sources()
            .iter()
            .filter(|(_, task)| !task.rows.is_empty());
        let sources: Vec<Features> = labelled
            .map(|(domain, _)| domain.features.clone())
            .collect();
        let gamma = match (gamma, sources.len()) {
            (Some(gamma), _) => gamma,
            // One source answers alone, whatever the width.
            (None, 1) => 1.0,
            (None, _) => {
                let tables: Vec<&Features> =
                    sources.iter().chain([problem.target_features()]).collect();
                match (Kernel::Rbf { gamma: None }).resolve(&tables)? {
                    ResolvedKernel::Rbf { gamma } => gamma,
                    _ => 1.0,
                }
            }
        };
        Ok(Self { sources, gamma })
    }

    /// `ln D_k(x)` up to a constant, `n x K`.
    pub(super) fn logs(&self, rows: &Features) -> Result<Array2<f64>, TransferError> {
        let mut logs = Array2::zeros((rows.n_rows(), self.sources.len()));
        for (source, mut column) in self.sources.iter().zip(logs.columns_mut()) {
            let distances = squared_distances(rows, source)?;
            let n = source.n_rows() as f64;
            for (row, log) in distances.rows().into_iter().zip(&mut column) {
                let nearest = row.fold(f64::INFINITY, |a, &b| a.min(b));
                let sum: f64 = row
                    .iter()
                    .map(|d| (-self.gamma * (d - nearest)).exp())
                    .sum();
                *log = -self.gamma * nearest + (sum / n).ln();
            }
        }
        Ok(logs)
    }
}

/// Models of several sources, each with its share in the answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct CombinedSources {
    pub(super) predictors: Vec<Box<dyn Predictor>>,
    pub(super) weights: Array1<f64>,
    /// Where a source is dense it answers; without densities its share is its weight everywhere.
    pub(super) densities: Option<Densities>,
    pub(super) n_classes: usize,
}

impl CombinedSources {
    /// The share of each source in the answer for each row, `n x K`; rows sum to 1.
    ///
    /// # Errors
    /// As [`TransferModel::predict`].
    pub fn shares(&self, rows: &Features) -> Result<Array2<f64>, TransferError> {
        let Some(densities) = &self.densities else {
            let shape = (rows.n_rows(), self.weights.len());
            return Ok(Array2::from_shape_fn(shape, |(_, k)| self.weights[k]));
        };
        let mut shares = densities.logs(rows)?;
        shares += &self
            .weights
            .mapv(|weight| weight.max(f64::MIN_POSITIVE).ln());
        for mut row in shares.rows_mut() {
            let largest = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            row.mapv_inplace(|v| (v - largest).exp());
            let sum = row.sum();
            row /= sum;
        }
        Ok(shares)
    }
}

#[typetag::serde(name = "combined-sources")]
impl TransferModel for CombinedSources {
    fn predict(&self, target: &Features) -> Result<Prediction, TransferError> {
        let answers = self
            .predictors
            .iter()
            .map(|predictor| predictor.predict(target))
            .collect::<Result<Vec<Prediction>, TransferError>>()?;
        if let [answer] = &answers[..] {
            return Ok(answer.clone());
        }
        let shares = self.shares(target)?;
        let mut sum = Array2::zeros((target.n_rows(), self.n_classes.max(1)));
        for (answer, share) in answers.iter().zip(shares.columns()) {
            let said = match &answer.labels {
                Labels::Classes(_) => class_shares(answer, self.n_classes)?,
                Labels::Values(values) => values.clone().insert_axis(Axis(1)),
            };
            sum += &(said * share.insert_axis(Axis(1)));
        }
        Ok(match self.n_classes {
            0 => Prediction::from_values(sum.remove_axis(Axis(1))),
            _ => Prediction::from_probabilities(sum),
        })
    }
}
