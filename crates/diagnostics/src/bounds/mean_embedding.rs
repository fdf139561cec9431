//! The bound by the maximum mean discrepancy.

use ndarray::s;
use translearn_core::{Features, TransferError, kernel::ResolvedKernel, setters};

use super::AdaptationBound;
use super::losses::Losses;
use crate::check::check_above_zero;
use crate::shift::Pair;

/// The bound by the maximum mean discrepancy: where the loss is a function of a kernel's space, its mean on the target is at
/// most its mean on the source, its norm times the distance of the domains' mean embeddings, and the joint error.
///
/// *When.* For hypotheses of that kernel's space, such as kernel ridge regression, with domains that are close.
///
/// # Formula
///
/// $$\ell_T(h) \le \ell_S(h) + R \cdot \mathrm{MMD}(S, T) + \lambda, \qquad
///   \mathrm{MMD} \le \widehat{\mathrm{MMD}} + \sqrt{\bigl(\tfrac1m + \tfrac1n\bigr) \ln \tfrac1\delta}$$
///
/// for losses within `[0, 1]` such that `x ↦ ℓ(h(x), h'(x))` is in the kernel's space with a norm of at most `R = norm`, and the
/// triangle inequality holds, with `\widehat{MMD}² = mean k(s, s') + mean k(t, t') − 2 mean k(s, t)` over all pairs, a row with
/// itself among them. The deviation is McDiarmid's, as `0 ≤ k ≤ 1` and as the mean of that distance over samples is no less
/// than the distance of the domains. The bound rests on the norm, which is 1 unless it is set, and cannot be seen from data:
/// where the loss has a larger one, or is in no ball of the kernel's space, it is no bound.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `kernel` | to be given | `rbf`, `laplacian` | `k`, with a width that was not chosen from these rows |
/// | `norm` | 1 | (0, ∞) | `R`, known of the hypotheses: the default is right only where the loss has a norm of at most 1 |
/// | `confidence` | 0.95 | (0, 1) | of all limits together |
///
/// # Shapes and cost
///
/// O((m + n)² d) time, 8 (m + n)² bytes.
///
/// # Errors
///
/// [`TransferError::Unsupported`] for another kernel, [`TransferError::FeatureMismatch`], [`TransferError::NotFinite`],
/// [`TransferError::NotVectors`], [`TransferError::TooFewRows`] below two rows a domain, [`TransferError::DenseTooLarge`],
/// [`TransferError::LengthMismatch`], and [`TransferError::InvalidParameter`], which a joint error outside [0, 2] is, too.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, kernel::ResolvedKernel};
/// use translearn_diagnostics::bounds::MmdBound;
///
/// let source = Features::from(array![[0.0], [0.0]]);
/// let target = Features::from(array![[1.0], [1.0]]);
/// let bound = MmdBound::new(ResolvedKernel::Rbf { gamma: 1.0 })
///     .bound(&source, &[0.1, 0.3], &target, Some(0.0))?;
/// assert!((bound.source_error - 0.2).abs() < 1e-12);
/// // ‖φ(0) − φ(1)‖² = 2 − 2/e.
/// assert!((bound.divergence - (2.0 - 2.0 * (-1.0_f64).exp()).sqrt()).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Redko, Morvant, Habrard, Sebban, Bennani, *A survey on domain adaptation theory: learning bounds and theoretical
/// guarantees*, 2020, arXiv:2004.11829, section 5; the embeddings: Gretton, Borgwardt, Rasch, Schölkopf, Smola, *A kernel
/// two-sample test*, JMLR 13, 2012.
///
/// *Where we differ.* The survey's deviation is two-sided, of samples of one size, by the Rademacher complexity of the kernel's
/// ball; only one side is needed here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MmdBound {
    kernel: ResolvedKernel,
    norm: f64,
    confidence: f64,
}

setters!(MmdBound {
    /// Sets the largest norm of the loss, on which the bound rests.
    norm: f64,
    /// Sets the confidence of all limits together.
    confidence: f64,
});

impl MmdBound {
    /// With a kernel that does not depend on the rows, for losses with a norm of at most 1.
    pub fn new(kernel: ResolvedKernel) -> Self {
        Self {
            kernel,
            norm: 1.0,
            confidence: 0.95,
        }
    }

    /// The bound of the loss on the target of a hypothesis that has seen none of the rows, from its losses on the source rows
    /// and a joint error where one is known.
    ///
    /// # Errors
    /// See the type.
    pub fn bound(
        &self,
        source: &Features,
        source_losses: &[f64],
        target: &Features,
        joint_error: Option<f64>,
    ) -> Result<AdaptationBound, TransferError> {
        let (ResolvedKernel::Rbf { gamma } | ResolvedKernel::Laplacian { gamma }) = self.kernel
        else {
            return Err(TransferError::Unsupported {
                method: "the bound by the maximum mean discrepancy".to_owned(),
                needs: "a kernel between 0 and 1 (`rbf` or `laplacian`)".to_owned(),
                has: format!("{:?}", self.kernel),
            });
        };
        check_above_zero("gamma", gamma)?;
        check_above_zero("norm", self.norm)?;
        let losses = Losses::new(source, source_losses, joint_error, self.confidence)?;
        let pair = Pair::new(source, target)?;
        pair.sizes().check_memory("the kernel matrix")?;
        let gram = self.kernel.gram(&pair.pooled()?)?;
        let m = pair.sizes().source;
        let mean = |rows: ndarray::ArrayView2<'_, f64>| rows.sum() / rows.len() as f64;
        let squared = mean(gram.slice(s![..m, ..m])) + mean(gram.slice(s![m.., m..]))
            - 2.0 * mean(gram.slice(s![..m, m..]));
        Ok(losses.bound(
            self.norm * squared.max(0.0).sqrt(),
            // Another row moves an embedding by at most √2 of its mass.
            self.norm * std::f64::consts::SQRT_2,
            target.n_rows(),
        ))
    }
}
