//! The PAC-Bayesian bound for linear classifiers.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{Features, Labels, TransferError, TransferProblem, linalg::matmul, setters};

use crate::check::check_above_zero;
use crate::interval::check_confidence;

/// The PAC-Bayesian bound of Germain and others for linear classifiers that are drawn around given weights.
///
/// *When.* Two classes and a linear classifier through the origin, where the source covers the target and one can say how thinly:
/// in place of a distance of the domains it needs the largest ratio of their densities. It holds for all weights at once, so
/// that these may have been fitted on the very rows. Nothing is minimised here.
///
/// # Formula
///
/// For weights drawn from `N(w, I)`, with `a = w·x / ‖x‖` (0 for a row of zeros), `y = ±1` and `Φ(a) = ½ erfc(a / √2)`,
///
/// | term | is | meaning |
/// |---|---|---|
/// | Gibbs risk `R` | mean `Φ(y a)` | error of one draw |
/// | disagreement `d` | mean `2 Φ(a) Φ(−a)` | two draws answer differently |
/// | joint error `e` | mean `Φ(y a)²` | two draws both err |
///
/// with `R = ½ d + e` on every domain. For weights of any kind and the prior `N(0, I)`, `KL = ½ ‖w‖²`, for `ω, α > 0` chosen
/// before the rows were seen,
///
/// $$R_T \le \frac{\alpha}{1 - e^{-\alpha}} \Bigl( \tfrac12 \hat d_T + \frac{2 KL + \ln(2/\delta)}{2 n \alpha} \Bigr)
///   + \beta \frac{\omega}{1 - e^{-\omega}} \Bigl( \hat e_S + \frac{2 KL + \ln(2/\delta)}{m \omega} \Bigr) + \eta$$
///
/// with the largest ratio `β` of target density to source density where there are source rows, and the error `η` of the target
/// where there are none.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `density_ratio` | to be given | (0, ∞) | `β`, which is 1 for equal domains and above it for others |
/// | `unseen_error` | 0 | [0, 1] | `η`: no more than the share of the target where the source has nothing |
/// | `source_focus` | 1 | (0, ∞) | `ω`, the paper's `b` |
/// | `target_focus` | 1 | (0, ∞) | `α`, the paper's `c` |
/// | `confidence` | 0.95 | (0, 1) | `1 − δ` |
///
/// # Shapes and cost
///
/// `w` has an entry for each of the d columns; O((m + n) d).
///
/// # Errors
///
/// [`TransferError::LengthMismatch`] for weights of another length, [`TransferError::NotFinite`],
/// [`TransferError::Unsupported`] for labels that are not of two classes, [`TransferError::FeatureMismatch`],
/// [`TransferError::InvalidParameter`].
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_core::TransferProblem;
/// use translearn_diagnostics::bounds::PacBayes;
///
/// let problem = TransferProblem::new(
///     &DatasetBase::new(array![[-2.0], [3.0]], array![0, 1]), &DatasetBase::from(array![[5.0], [-1.0]]))?;
/// let bound = PacBayes::new(1.0).bound(&[1.0], &problem)?;
/// let miss = 0.158_655_253_931_457;                            // a standard normal number is above 1
/// assert!((bound.source_gibbs_risk - miss).abs() < 1e-12);
/// assert!((bound.target_disagreement - 2.0 * miss * (1.0 - miss)).abs() < 1e-12);
/// assert!(bound.is_vacuous());                                 // four rows prove nothing
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Germain, Habrard, Laviolette, Morvant, *A new PAC-Bayesian perspective on domain adaptation*, ICML 2016; the domain
/// disagreement: the same, *A PAC-Bayesian approach for domain adaptation with specialization to linear classifiers*, ICML
/// 2013. Both in *PAC-Bayes and domain adaptation*, Neurocomputing 379, 2020, doi:10.1016/j.neucom.2019.10.105.
///
/// *Where we differ.* Both terms are Catoni's theorem for the loss of a pair of classifiers, whose divergence from the prior is
/// twice that of one. It bounds the disagreement, of which half enters, complexity and all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacBayes {
    density_ratio: f64,
    unseen_error: f64,
    source_focus: f64,
    target_focus: f64,
    confidence: f64,
}

setters!(PacBayes {
    /// Sets the error of the target where the source has no rows.
    unseen_error: f64,
    /// Sets the constant of the source's term.
    source_focus: f64,
    /// Sets the constant of the target's term.
    target_focus: f64,
    /// Sets the confidence.
    confidence: f64,
});

/// The terms of the PAC-Bayesian bound, and what they are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PacBayesBound {
    /// Chance that a drawn classifier errs, on the source rows.
    pub source_gibbs_risk: f64,
    /// Chance that two drawn classifiers both err, on the source rows.
    pub source_joint_error: f64,
    /// Chance that two of them answer differently, on the source rows.
    pub source_disagreement: f64,
    /// The same on the target rows.
    pub target_disagreement: f64,
    /// The domain disagreement of the paper of 2013, `|d_T − d_S|` on the rows: an estimate of how far the domains are apart to
    /// these classifiers. The bound has no use for it.
    pub domain_disagreement_estimate: f64,
    /// Kullback-Leibler divergence of the weights from the prior.
    pub kl: f64,
    /// The term of the source: joint error and complexity, times the ratio of the densities.
    pub source_term: f64,
    /// The term of the target: half of the disagreement, and complexity.
    pub target_term: f64,
    /// The error of the target where the source has no rows, as it was given.
    pub unseen_error: f64,
}

impl PacBayesBound {
    /// The upper bound of the Gibbs risk on the target. The vote of all draws, which is the linear classifier itself, errs at
    /// most twice as often.
    pub fn total(&self) -> f64 {
        self.source_term + self.target_term + self.unseen_error
    }

    /// Whether the bound says no more than that the risk is at most that of a coin.
    pub fn is_vacuous(&self) -> bool {
        self.total() >= 0.5
    }
}

impl PacBayes {
    /// With the largest ratio of the target's density to the source's.
    pub fn new(density_ratio: f64) -> Self {
        Self {
            density_ratio,
            unseen_error: 0.0,
            source_focus: 1.0,
            target_focus: 1.0,
            confidence: 0.95,
        }
    }

    /// The bound at given weights; the second class is the one of the positive side. All target rows enter, none of their
    /// labels.
    ///
    /// # Errors
    /// See the type.
    pub fn bound(
        &self,
        weights: &[f64],
        problem: &TransferProblem,
    ) -> Result<PacBayesBound, TransferError> {
        self.check()?;
        problem.check_same_features()?;
        let source = problem.source()?;
        let signs = signs(&source.labels, problem.n_classes())?;
        let of_source = margins(weights, &source.features)?;
        let of_target = margins(weights, problem.target_features())?;
        let signed = &of_source * &signs;
        let disagreement = |margins: &Array1<f64>| mean(margins, |a| 2.0 * tail(a) * tail(-a));
        let kl = 0.5 * weights.iter().map(|w| w * w).sum::<f64>();
        let surprise = 2.0 * kl + (2.0 / (1.0 - self.confidence)).ln();
        let joint_error = mean(&signed, |a| tail(a).powi(2));
        let target_disagreement = disagreement(&of_target);
        let source_disagreement = disagreement(&of_source);
        let limit = |mean: f64, focus: f64, rows: usize| {
            let complexity = surprise / (rows as f64 * focus);
            focus / -(-focus).exp_m1() * (mean + complexity)
        };
        Ok(PacBayesBound {
            source_gibbs_risk: mean(&signed, tail),
            source_joint_error: joint_error,
            source_disagreement,
            target_disagreement,
            domain_disagreement_estimate: (target_disagreement - source_disagreement).abs(),
            kl,
            source_term: self.density_ratio * limit(joint_error, self.source_focus, signed.len()),
            target_term: 0.5 * limit(target_disagreement, self.target_focus, of_target.len()),
            unseen_error: self.unseen_error,
        })
    }

    fn check(&self) -> Result<(), TransferError> {
        check_confidence(self.confidence)?;
        check_above_zero("density_ratio", self.density_ratio)?;
        check_above_zero("source_focus", self.source_focus)?;
        check_above_zero("target_focus", self.target_focus)?;
        if (0.0..=1.0).contains(&self.unseen_error) {
            return Ok(());
        }
        Err(TransferError::InvalidParameter {
            name: "unseen_error".to_owned(),
            value: self.unseen_error.to_string(),
            range: "[0, 1]".to_owned(),
        })
    }
}

/// The chance that a standard normal number is above `a`.
fn tail(a: f64) -> f64 {
    0.5 * libm::erfc(a / std::f64::consts::SQRT_2)
}

fn mean(margins: &Array1<f64>, of: impl Fn(f64) -> f64) -> f64 {
    margins.iter().map(|&a| of(a)).sum::<f64>() / margins.len() as f64
}

/// −1 for the first class, 1 for the second.
fn signs(labels: &Labels, n_classes: usize) -> Result<Array1<f64>, TransferError> {
    let codes = labels.classes("the PAC-Bayesian bound")?;
    if n_classes != 2 {
        return Err(TransferError::Unsupported {
            method: "the PAC-Bayesian bound".to_owned(),
            needs: "two classes".to_owned(),
            has: format!("{n_classes} of them"),
        });
    }
    Ok(codes.mapv(|code| if code == 1 { 1.0 } else { -1.0 }))
}

/// `w·x / ‖x‖` of each row.
fn margins(weights: &[f64], rows: &Features) -> Result<Array1<f64>, TransferError> {
    let x = rows.dense()?;
    if weights.len() != x.ncols() {
        return Err(TransferError::LengthMismatch {
            left: "the columns of the rows".to_owned(),
            left_len: x.ncols(),
            right: "the weights".to_owned(),
            right_len: weights.len(),
        });
    }
    if let Some(column) = weights.iter().position(|weight| !weight.is_finite()) {
        return Err(TransferError::NotFinite {
            what: "the weights of the linear classifier".to_owned(),
            row: 0,
            column,
            value: weights[column].to_string(),
        });
    }
    let weights = Array1::from(weights.to_vec()).insert_axis(ndarray::Axis(1));
    let mut margins = matmul(&*x, &weights)?.column(0).to_owned();
    for (margin, row) in margins.iter_mut().zip(x.rows()) {
        let length = row.dot(&row).sqrt();
        *margin = if length > 0.0 { *margin / length } else { 0.0 };
    }
    Ok(margins)
}
