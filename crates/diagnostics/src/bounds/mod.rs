//! Bounds of the error on the target as numbers, each with its terms and with what they rest on.
//!
//! | bound | terms | a true upper bound where |
//! |---|---|---|
//! | [`BenDavid`] | source error, ½ d̂_HΔH, smallest joint error | the adversary finds the region that differs most |
//! | [`DisparityDiscrepancy`] | the same for one hypothesis, from what can differ from it | the adversary finds the worst rival |
//! | [`MmdBound`] | source loss, MMD, joint error | the loss lies in the ball of the kernel's space |
//! | [`WassersteinBound`] | source loss, Wasserstein distance, joint error | the hypotheses are as smooth as said, the rows in a ball of that diameter |
//! | [`PacBayes`] | disagreement on the target, joint error on the source | the ratio of the densities is as bounded as said |
//!
//! Of the first two that is not known: their totals are estimates that can lie below the true error, which
//! [`AdaptationBound::is_bound`] says, with the defaults as with other learners.
//!
//! [`ProxyADistance`] is the distance between domains that papers report. All but the last are an [`AdaptationBound`], which
//! keeps apart what was seen, what is an upper limit, and what can be known only with target labels. Most bounds are above
//! 1 for samples of usual size, which [`AdaptationBound::is_vacuous`] says; their terms can be compared over sources all the
//! same.
//!
//! Two measures ask how much shorter the target can be told when the source is known: [`CompressionDistance`] for sequences of
//! bytes, and [`DescriptionLength`] for the target's labels by a decision tree, which is also a decision: to transfer where bits
//! are saved.
//!
//! With target labels in numbers, the error on them is a better bound than any of these.

mod adversary;
mod ben_david;
mod compression;
mod description_length;
mod disparity;
mod hypothesis;
mod losses;
mod mean_embedding;
mod pac_bayes;
mod proxy_a_distance;
mod terms;
#[cfg(test)]
mod tests;
mod wasserstein;

use serde::{Deserialize, Serialize};

pub use adversary::Complexity;
pub use ben_david::BenDavid;
pub use compression::{CompressionDistance, Compressor};
pub use description_length::{CodeLength, DescriptionLength, TreeDescription};
pub use disparity::DisparityDiscrepancy;
pub use mean_embedding::MmdBound;
pub use pac_bayes::{PacBayes, PacBayesBound};
pub use proxy_a_distance::{ProxyADistance, ProxyADistanceResult};
pub use wasserstein::WassersteinBound;

/// An upper bound of the error on the target by its terms, or an estimate of one: source error + divergence + smallest joint
/// error.
///
/// The limits hold together with a chance of the `confidence` that was asked for. Where `divergence_is_estimate`, they say
/// nothing of the total, which can lie below the true error: [`is_bound`](Self::is_bound). The deviation by
/// [`Complexity::Rademacher`] then is an estimate, too: it covers the draws of signs, not what the adversary fails to find in
/// them, and another order of the rows is another draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdaptationBound {
    /// The error of the hypothesis on the source rows.
    pub source_error: f64,
    /// Its upper limit.
    pub source_error_limit: f64,
    /// What separates the domains on the rows at hand, as it enters the sum.
    pub divergence: f64,
    /// Whether `divergence` is what a learner found, of which the largest can only be more; where it is not, it is exact.
    pub divergence_is_estimate: bool,
    /// By how much the divergence of the domains can exceed the largest one on the rows.
    pub divergence_deviation: f64,
    /// The error on both domains together of the best hypothesis that was found; none without target labels.
    pub joint_error: Option<f64>,
    /// The upper limit of the smallest joint error.
    pub joint_error_limit: Option<f64>,
    /// The error of an answer that is drawn without looking.
    pub trivial_error: f64,
}

impl AdaptationBound {
    /// Whether the total is an upper bound, with a chance of at least the `confidence`, as far as what was said of norms, of
    /// Lipschitz constants and of the joint error is so. Never where a learner looked for the divergence, as it may have found
    /// too little of it, and not without a joint error.
    pub fn is_bound(&self) -> bool {
        !self.divergence_is_estimate && self.joint_error_limit.is_some()
    }

    /// The sum of all terms; none where the joint error is not known. It is a bound of the error only where
    /// [`is_bound`](Self::is_bound), else an estimate that can lie below the error.
    pub fn total(&self) -> Option<f64> {
        self.joint_error_limit.map(|_| self.known_sum())
    }

    /// The sum of what is known: the total, or without target labels the part of it that the joint error adds to.
    pub fn known_sum(&self) -> f64 {
        let divergence = self.divergence + self.divergence_deviation;
        self.source_error_limit + divergence + self.joint_error_limit.unwrap_or(0.0)
    }

    /// Whether what is known already says no more than that the error is at most that of an answer drawn without looking.
    /// Where there is no joint error, `false` says only that the other terms leave room for it.
    ///
    /// Of an estimate, `true` says that the bound is vacuous, too, as with the divergence that there is the sum is no smaller;
    /// `false` says nothing of the error, which can be 1.
    pub fn is_vacuous(&self) -> bool {
        self.known_sum() >= self.trivial_error
    }
}
