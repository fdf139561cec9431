//! Soft neighbourhood density.

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::selection::{Candidate, ScorerInfo, TargetScorer};
use translearn_core::{TransferError, setters};

use super::{PROBABILITIES, check_pairs};
use crate::check::check_above_zero;

/// Soft neighbourhood density: how many other target rows the model answers alike, softly counted.
///
/// *When.* Checkpoints or grid points of one method, many classes. It rises as answers come to lie in few dense groups,
/// be these the classes or not, so it needs the guard against collapse more than others.
///
/// # Formula
///
/// $$\frac1n \sum_i H(s_i), \qquad s_{ij} = \frac{\exp(u_i^\top u_j / \tau)}{\sum_{l \ne i} \exp(u_i^\top u_l / \tau)}, \qquad u_i = p_i / \lVert p_i \rVert$$
///
/// over all `j ≠ i`. At most `ln (n − 1)`, where a row is alike to all others.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `temperature` | 0.05 | (0, ∞) | `τ`; small: only rows answered almost alike count |
///
/// # Shapes and cost
///
/// O(n² k) for n target rows and k classes; memory O(n k).
///
/// # Errors
///
/// As [`PredictionEntropy`](super::PredictionEntropy), [`TransferError::TooFewRows`] for a single row, and
/// [`TransferError::InvalidParameter`].
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::SourceOnly;
/// use translearn_core::{TransferMethod, TransferProblem};
/// use translearn_core::selection::{Candidate, TargetScorer};
/// use translearn_diagnostics::selection::SoftNeighbourhoodDensity;
/// use translearn_learners::Logistic;
///
/// let source = DatasetBase::new(array![[-1.0], [1.0]], array![0, 1]);
/// let target = DatasetBase::from(array![[-9.0], [-9.0], [-9.0], [9.0], [9.0], [9.0]]);
/// let problem = TransferProblem::new(&source, &target)?;
/// let model = SourceOnly::params().learner(Logistic::params().c(1e6)).fit(&problem, 0)?.model;
/// // Each row has two others like it.
/// let score = SoftNeighbourhoodDensity::default().score(&Candidate::new(&*model, &problem)?, 0)?;
/// assert!((score.value().unwrap_or(0.0) - 2.0_f64.ln()).abs() < 1e-6);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Saito, Kim, Teterwak, Sclaroff, Darrell, Saenko, *Tune it the right way: unsupervised validation of domain
/// adaptation via soft neighborhood density*, ICCV 2021, doi:10.1109/ICCV48922.2021.00905.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftNeighbourhoodDensity {
    temperature: f64,
}

impl Default for SoftNeighbourhoodDensity {
    fn default() -> Self {
        Self { temperature: 0.05 }
    }
}

setters!(SoftNeighbourhoodDensity {
    /// Sets the temperature.
    temperature: f64,
});

static INFO: ScorerInfo = ScorerInfo {
    name: "snd",
    title: "Soft neighbourhood density",
    needs: PROBABILITIES,
    reference: "Saito, Kim, Teterwak, Sclaroff, Darrell, Saenko. Tune it the right way: unsupervised validation of domain adaptation via soft neighborhood density. ICCV 2021. doi:10.1109/ICCV48922.2021.00905",
};

impl TargetScorer for SoftNeighbourhoodDensity {
    fn info(&self) -> &'static ScorerInfo {
        &INFO
    }

    fn score_checked(&self, candidate: &Candidate<'_>, _seed: u64) -> Result<f64, TransferError> {
        check_above_zero("temperature", self.temperature)?;
        check_pairs(candidate, INFO.name)?;
        let mut unit = candidate.probabilities(INFO.name)?.clone();
        for mut row in unit.outer_iter_mut() {
            let norm = row.dot(&row).sqrt().max(f64::MIN_POSITIVE);
            row /= norm;
        }
        let entropies: Vec<f64> = (0..unit.nrows())
            .into_par_iter()
            .map(|row| self.entropy(&unit, row))
            .collect();
        Ok(entropies.iter().sum::<f64>() / entropies.len() as f64)
    }
}

impl SoftNeighbourhoodDensity {
    /// The entropy of the other rows as neighbours of one.
    fn entropy(&self, unit: &Array2<f64>, row: usize) -> f64 {
        let own = unit.row(row);
        let others = unit
            .outer_iter()
            .enumerate()
            .filter(|&(other, _)| other != row);
        let exponents: Vec<f64> = others
            .map(|(_, there)| own.dot(&there) / self.temperature)
            .collect();
        let largest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut mean) = (0.0, 0.0);
        for exponent in exponents {
            let weight = (exponent - largest).exp();
            sum += weight;
            mean += weight * (exponent - largest);
        }
        sum.ln() - mean / sum
    }
}
