//! How sure a model is of target rows.

use ndarray::{ArrayView1, Axis};
use translearn_core::TransferError;
use translearn_core::selection::{Candidate, ScorerInfo, TargetScorer};

use super::PROBABILITIES;

/// Prediction entropy: how sure the model is of target rows, on average.
///
/// *When.* Checkpoints or grid points of one method whose classes lie apart in the target. Being sure is not being
/// right: a penalty so weak that all answers are sure wins. Do not use it across learners.
///
/// # Formula
///
/// $$-\frac1n \sum_i H(p_i), \qquad H(p) = -\sum_c p_c \ln p_c$$
///
/// At most 0, at least minus the logarithm of the number of classes.
///
/// # Shapes and cost
///
/// O(n k) for n target rows and k classes.
///
/// # Errors
///
/// [`TransferError::Unsupported`] for a model without probabilities.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::SourceOnly;
/// use translearn_core::{TransferMethod, TransferProblem};
/// use translearn_core::selection::{Candidate, TargetScore, TargetScorer};
/// use translearn_diagnostics::selection::PredictionEntropy;
/// use translearn_learners::Logistic;
///
/// let source = DatasetBase::new(array![[-1.0], [-2.0], [1.0], [2.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[-0.5], [3.0]]);
/// let problem = TransferProblem::new(&source, &target)?;
/// let score = |c: f64| {
///     let model = SourceOnly::params().learner(Logistic::params().c(c)).fit(&problem, 0)?.model;
///     PredictionEntropy.score(&Candidate::new(&*model, &problem)?, 0)
/// };
/// // The weaker the penalty, the surer the model.
/// assert!(score(100.0)?.value() > score(0.01)?.value());
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Morerio, Cavazza, Murino, *Minimal-entropy correlation alignment for unsupervised deep domain adaptation*, ICLR
/// 2018.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PredictionEntropy;

static ENTROPY: ScorerInfo = ScorerInfo {
    name: "entropy",
    title: "Prediction entropy",
    needs: PROBABILITIES,
    reference: "Morerio, Cavazza, Murino. Minimal-entropy correlation alignment for unsupervised deep domain adaptation. ICLR 2018",
};

impl TargetScorer for PredictionEntropy {
    fn info(&self) -> &'static ScorerInfo {
        &ENTROPY
    }

    fn score_checked(&self, candidate: &Candidate<'_>, _seed: u64) -> Result<f64, TransferError> {
        Ok(-mean_entropy(candidate, ENTROPY.name)?)
    }
}

/// Information maximisation: how much a row tells about its class by the model's own answers.
///
/// *When.* As [`PredictionEntropy`], which it keeps from calling everything one class, where the target's classes have
/// about equal shares; of targets with few rows in some classes it prefers wrong answers.
///
/// # Formula
///
/// $$I(X; Y) = H\Bigl(\frac1n \sum_i p_i\Bigr) - \frac1n \sum_i H(p_i)$$
///
/// Between 0 and the logarithm of the number of classes; 0 where the model says the same of all rows.
///
/// # Shapes and cost
///
/// O(n k) for n target rows and k classes.
///
/// # Errors
///
/// As [`PredictionEntropy`].
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::SourceOnly;
/// use translearn_core::{TransferMethod, TransferProblem};
/// use translearn_core::selection::{Candidate, TargetScorer};
/// use translearn_diagnostics::selection::InformationMaximization;
/// use translearn_learners::Logistic;
///
/// let source = DatasetBase::new(array![[-1.0], [1.0]], array![0, 1]);
/// let target = DatasetBase::from(array![[-9.0], [9.0]]);
/// let problem = TransferProblem::new(&source, &target)?;
/// let model = SourceOnly::params().learner(Logistic::params().c(1e6)).fit(&problem, 0)?.model;
/// // Two classes, and no doubt: one bit.
/// let score = InformationMaximization.score(&Candidate::new(&*model, &problem)?, 0)?.value().unwrap_or(0.0);
/// assert!((score - 2.0_f64.ln()).abs() < 1e-6);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Shi, Sha, *Information-theoretical learning of discriminative clusters for unsupervised domain adaptation*, ICML
/// 2012; as a score: Musgrave, Belongie, Lim, *Three new validators and a large-scale benchmark ranking for
/// unsupervised domain adaptation*, arXiv:2208.07360.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InformationMaximization;

static INFORMATION: ScorerInfo = ScorerInfo {
    name: "information-maximisation",
    title: "Information maximisation",
    needs: PROBABILITIES,
    reference: "Shi, Sha. Information-theoretical learning of discriminative clusters for unsupervised domain adaptation. ICML 2012",
};

impl TargetScorer for InformationMaximization {
    fn info(&self) -> &'static ScorerInfo {
        &INFORMATION
    }

    fn score_checked(&self, candidate: &Candidate<'_>, _seed: u64) -> Result<f64, TransferError> {
        let probabilities = candidate.probabilities(INFORMATION.name)?;
        let mean = probabilities.sum_axis(Axis(0)) / probabilities.nrows() as f64;
        Ok(entropy(mean.view()) - mean_entropy(candidate, INFORMATION.name)?)
    }
}

fn mean_entropy(candidate: &Candidate<'_>, scorer: &str) -> Result<f64, TransferError> {
    let probabilities = candidate.probabilities(scorer)?;
    let sum: f64 = probabilities.outer_iter().map(entropy).sum();
    Ok(sum / probabilities.nrows() as f64)
}

fn entropy(probabilities: ArrayView1<'_, f64>) -> f64 {
    let possible = probabilities.iter().filter(|&&p| p > 0.0);
    -possible.map(|p| p * p.ln()).sum::<f64>()
}
