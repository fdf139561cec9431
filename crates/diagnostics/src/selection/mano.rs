//! The norm of the matrix of normalised logits.

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use translearn_core::selection::{Candidate, ScorerInfo, TargetScorer};
use translearn_core::{TransferError, setters};

use super::PROBABILITIES;

/// MaNo: the norm of the matrix of answers, in which sure rows count more than the mean entropy lets them.
///
/// *When.* As [`PredictionEntropy`](super::PredictionEntropy); made for networks that are too sure of rows they do not
/// know, for whose logits the exponential is replaced by the start of its series.
///
/// # Formula
///
/// $$\Bigl(\frac{1}{n k} \sum_{ic} \sigma_{ic}^{\,p}\Bigr)^{1/p}, \qquad \sigma_{ic} = \frac{v(q_{ic})}{\sum_{c'} v(q_{ic'})}, \qquad
///   v(q) = \begin{cases} e^q & \Phi > \eta \\ 1 + q + q^2/2 & \text{otherwise} \end{cases}$$
///
/// with the logits `q`, which are the logarithms of the probabilities less their mean in each row, and the mean
/// `Φ = −(1 / n k) Σ ln p_ic`, which is large where the model is sure. Between 1/k and `k^{−1/p}`.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `p` | 4 | [1, ∞) | the norm's exponent |
/// | `eta` | 5 | [0, ∞) | the mean `Φ` from which answers count as sure; 0: always |
///
/// # Shapes and cost
///
/// O(n k) for n target rows and k classes.
///
/// # Errors
///
/// As [`PredictionEntropy`](super::PredictionEntropy), and [`TransferError::InvalidParameter`].
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::SourceOnly;
/// use translearn_core::{TransferMethod, TransferProblem};
/// use translearn_core::selection::{Candidate, TargetScorer};
/// use translearn_diagnostics::selection::MaNo;
/// use translearn_learners::Logistic;
///
/// let source = DatasetBase::new(array![[-1.0], [1.0]], array![0, 1]);
/// let target = DatasetBase::from(array![[-9.0], [9.0]]);
/// let problem = TransferProblem::new(&source, &target)?;
/// let model = SourceOnly::params().learner(Logistic::params().c(1e6)).fit(&problem, 0)?.model;
/// // No doubt: a half of all entries is 1, the others 0.
/// let score = MaNo::default().score(&Candidate::new(&*model, &problem)?, 0)?.value().unwrap_or(0.0);
/// assert!((score - 0.5_f64.powf(0.25)).abs() < 1e-6);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Xie, Odonnat, Feofanov, Deng, Zhang, An, *MaNo: exploiting matrix norm for unsupervised accuracy estimation under
/// distribution shifts*, NeurIPS 2024.
///
/// *Where we differ.* The paper takes a network's logits as they are; what is known here are probabilities, so the part
/// of the logits that no probability depends on is chosen, as mean 0. The authors' code and skada take each row's least
/// `1 + q + q²/2` away before they normalise, which makes all answers between two classes equally sure; the paper does
/// not. skada 0.6 shifts the logits in place while it computes `Φ`, so that its series sees others than it was given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaNo {
    p: f64,
    eta: f64,
}

impl Default for MaNo {
    fn default() -> Self {
        Self { p: 4.0, eta: 5.0 }
    }
}

setters!(MaNo {
    /// Sets the exponent of the norm.
    p: f64,
    /// Sets the mean from which answers count as sure.
    eta: f64,
});

static INFO: ScorerInfo = ScorerInfo {
    name: "mano",
    title: "Matrix norm",
    needs: PROBABILITIES,
    reference: "Xie, Odonnat, Feofanov, Deng, Zhang, An. MaNo: exploiting matrix norm for unsupervised accuracy estimation under distribution shifts. NeurIPS 2024",
};

impl TargetScorer for MaNo {
    fn info(&self) -> &'static ScorerInfo {
        &INFO
    }

    fn score_checked(&self, candidate: &Candidate<'_>, _seed: u64) -> Result<f64, TransferError> {
        let invalid = |name: &str, value: f64, range: &str| TransferError::InvalidParameter {
            name: name.to_owned(),
            value: value.to_string(),
            range: range.to_owned(),
        };
        if !(self.p >= 1.0 && self.p.is_finite()) {
            return Err(invalid("p", self.p, "[1, ∞)"));
        }
        if !(self.eta >= 0.0 && self.eta.is_finite()) {
            return Err(invalid("eta", self.eta, "[0, ∞)"));
        }
        let probabilities = candidate.probabilities(INFO.name)?;
        let sum: f64 = self
            .normalised(probabilities)
            .iter()
            .map(|v| v.powf(self.p))
            .sum();
        Ok((sum / probabilities.len() as f64).powf(1.0 / self.p))
    }
}

impl MaNo {
    fn normalised(&self, probabilities: &Array2<f64>) -> Array2<f64> {
        // The logarithm of what a model holds for impossible is kept finite.
        let mut logits = probabilities.mapv(|p| p.max(f64::MIN_POSITIVE).ln());
        let sure = -logits.sum() / logits.len() as f64;
        if sure > self.eta {
            return probabilities.clone();
        }
        for mut row in logits.outer_iter_mut() {
            let mean = row.sum() / row.len() as f64;
            row.mapv_inplace(|q| 1.0 + (q - mean) + 0.5 * (q - mean).powi(2));
            let sum = row.sum();
            row /= sum;
        }
        logits
    }
}
