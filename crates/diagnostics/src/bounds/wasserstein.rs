//! The bound by the Wasserstein distance.

use ndarray::Array1;
use translearn_core::{Features, TransferError, setters};
use translearn_transport::{CostScale, GroundCost, cost_matrix, emd};

use super::AdaptationBound;
use super::losses::Losses;
use crate::check::check_above_zero;
use crate::shift::Pair;

/// The bound by the Wasserstein distance: hypotheses that change slowly cannot lose much more on a target that is near.
///
/// *When.* For hypotheses with a known Lipschitz constant, with domains that are close: for a logistic regression with
/// coefficients `w`, whose probability is the hypothesis, the constant is `‖w‖ / 4`.
///
/// # Formula
///
/// $$\ell_T(h) \le \ell_S(h) + 2 L \, W_1(S, T) + \lambda, \qquad
///   W_1 \le \hat W_1 + D \sqrt{\tfrac12 \bigl(\tfrac1m + \tfrac1n\bigr) \ln \tfrac1\delta}$$
///
/// for losses `|h − h'|` of hypotheses into `[0, 1]` with a Lipschitz constant of at most `L = lipschitz`, and rows that are
/// never further apart than `D = diameter`. `\hat W_1` is the exact cost of transport by Euclidean distance between the rows. The
/// deviation is McDiarmid's, as the mean of `\hat W_1` over samples is no less than `W_1`: it does not depend on the number of
/// columns, though `\hat W_1` itself is the larger the more there are.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `lipschitz` | to be given | (0, ∞) | `L` |
/// | `diameter` | to be given | (0, ∞) | `D`; known of the columns' ranges, not measured on these rows |
/// | `confidence` | 0.95 | (0, 1) | of all limits together |
///
/// # Shapes and cost
///
/// 8 m n bytes and a network simplex over m n pairs.
///
/// # Errors
///
/// [`TransferError::InvalidParameter`] for rows that are further apart than `diameter` and a joint error outside [0, 2], too,
/// [`TransferError::FeatureMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below two rows a domain, [`TransferError::DenseTooLarge`], and
/// [`TransferError::LengthMismatch`].
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_core::Features;
/// use translearn_diagnostics::bounds::WassersteinBound;
///
/// let source = Features::from(array![[0.0], [1.0]]);
/// let target = Features::from(array![[1.5], [0.5]]);
/// let bound = WassersteinBound::new(0.1, 2.0).bound(&source, &[0.0, 0.2], &target, None)?;
/// assert!((bound.divergence - 2.0 * 0.1 * 0.5).abs() < 1e-12);     // every row moves by one half
/// assert_eq!(bound.total(), None);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Shen, Qu, Zhang, Yu, *Wasserstein distance guided representation learning for domain adaptation*, AAAI 2018,
/// doi:10.1609/aaai.v32i1.11784; Redko, Habrard, Sebban, *Theoretical analysis of domain adaptation with optimal transport*,
/// ECML PKDD 2017, doi:10.1007/978-3-319-71246-8_45.
///
/// *Where we differ.* The deviation of Redko and others, `√(2 ln(1/δ) / ς') (1/√m + 1/√n)`, holds for numbers of rows above
/// one that they do not name, with a constant `ς'` of the distributions; ours asks for the diameter instead and holds for any
/// number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WassersteinBound {
    lipschitz: f64,
    diameter: f64,
    confidence: f64,
}

setters!(WassersteinBound {
    /// Sets the confidence of all limits together.
    confidence: f64,
});

impl WassersteinBound {
    /// For hypotheses with a Lipschitz constant on rows within a diameter.
    pub fn new(lipschitz: f64, diameter: f64) -> Self {
        Self {
            lipschitz,
            diameter,
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
        check_above_zero("lipschitz", self.lipschitz)?;
        check_above_zero("diameter", self.diameter)?;
        let losses = Losses::new(source, source_losses, joint_error, self.confidence)?;
        let pair = Pair::new(source, target)?;
        pair.sizes().check_memory("the matrix of distances")?;
        let cost = cost_matrix(
            &pair.source,
            &pair.target,
            GroundCost::Euclidean,
            CostScale::One,
        )?;
        let farthest = cost.iter().copied().fold(0.0_f64, f64::max);
        if farthest > self.diameter {
            return Err(TransferError::InvalidParameter {
                name: "diameter".to_owned(),
                value: self.diameter.to_string(),
                range: format!(
                    "at least {farthest}, the distance of the rows that are farthest apart"
                ),
            });
        }
        let equal = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
        let distance = emd(&cost, &equal(source.n_rows()), &equal(target.n_rows()))?.cost;
        let twice = 2.0 * self.lipschitz;
        Ok(losses.bound(twice * distance, twice * self.diameter, target.n_rows()))
    }
}
