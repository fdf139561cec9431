//! Marginalised stacked denoising autoencoders.

mod layer;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, MethodInfo,
    Outputs, ParamInfo, ParamRange, TransferError, TransferProblem, What, check_prediction_rows,
    fit_aligned, setters, transfer_method,
};

use self::layer::{Denoising, Layer};
use super::{logistic, map_needs};

/// Parameters of marginalised stacked denoising autoencoders (mSDA): layers that fill in what noise has struck out of the
/// rows of both domains, in closed form, appended to the features; then any learner on all of them.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit). *When.* Bags of
/// words or other features of which many stand for one another: words of the source are filled in where the target uses
/// its own. Entries should be about 1 in size (binary words, say), for the layers saturate.
///
/// # Formula
///
/// A layer reconstructs rows `x` (`d` features, and a constant 1 that is never struck out) from copies in which each
/// feature is 0 with probability `p`, in the mean over all copies:
///
/// $$W = \arg\min_W \mathbb E \sum_i \lVert x_i - W \tilde x_i \rVert^2 + \lambda \lVert W \rVert^2 = P\,(Q + \lambda I)^{-1},
/// \qquad h(x) = \tanh(W x)$$
///
/// With `S = Σ x xᵀ` and `q = (1 - p, …, 1 - p, 1)`: `P_ij = S_ij q_j`, `Q_ij = S_ij q_i q_j` off the diagonal and
/// `Q_ii = S_ii q_i` on it. The constant is not penalised.
///
/// # Steps
///
/// 1. `h_0 = x`, the rows of source and target together. Layer `l` is fitted on `h_{l-1}` and gives `h_l`.
/// 2. The learner is given `(h_0, h_1, …, h_L)`.
///
/// With `n_frequent = r` the first layer reconstructs only the `r` features that are most often above 0, for `d` in the ten
/// thousands: the features fall at random into `⌈d / r⌉` groups, each reconstructs the `r` by itself, and
/// `h_1 = tanh` of the mean of these. All other layers have `r` features.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `noise` | 0.5 | [0, 1] | probability `p` that a feature is struck out |
/// | `n_layers` | 5 | integer ≥ 1 | number `L` of layers |
/// | `n_frequent` | `null` | integer ≥ 1 or `null` | features `r` that are reconstructed; `null` (or `d` and more): all |
/// | `lambda` | 1e-5 | (0, ∞) | penalty on the weights, for sums over rows |
///
/// # Shapes and cost
///
/// `n x d` becomes `n x (L + 1) d`, dense: O(n d² + d³) a layer. With `n_frequent`, `n x (d + L r)`: O(n d r + d r²) for the
/// first layer, O(n r² + r³) for the others.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::DenseTooLarge`] for sparse rows.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Msda;
/// use translearn_core::FitTransfer;
/// use translearn_learners::Logistic;
///
/// // Words: good, bad, gripping, dull. The source reviews use the first two, the target's all: the source alone says
/// // nothing about the last two, but they stand beside the first.
/// let source = DatasetBase::new(array![[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]], array![1, 0]);
/// let target = DatasetBase::from(array![
///     [1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0],
/// ]);
/// let model = Msda::params().n_layers(1).learner(Logistic::params()).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(&array![[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])?, array![1, 0]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Chen, Xu, Weinberger, Sha, *Marginalized Denoising Autoencoders for Domain Adaptation*, ICML 2012, arXiv:1206.4683. The
/// weights and the ridge of 1e-5 are those of the code of Ganin and others (JMLR 17, 2016).
///
/// *Where we differ.* The system is solved with every feature scaled to `Q_ii + λ = 1`, which changes nothing but the rounding.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MsdaParams {
    noise: f64,
    n_layers: usize,
    n_frequent: Option<usize>,
    lambda: f64,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for MsdaParams {
    fn default() -> Self {
        Self {
            noise: 0.5,
            n_layers: 5,
            n_frequent: None,
            lambda: 1e-5,
            learner: logistic(),
        }
    }
}

setters!(MsdaParams {
    /// Sets the probability that a feature is struck out.
    noise: f64,
    /// Sets the number of layers.
    n_layers: usize,
    /// Sets how many of the most frequent features are reconstructed.
    n_frequent: Some(usize),
    /// Sets the penalty on the weights.
    lambda: f64,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl MsdaParams {
    /// The layers for rows of both domains; the seed draws the groups of `n_frequent`.
    ///
    /// # Errors
    /// [`TransferError::DenseTooLarge`] and [`TransferError::Linalg`].
    pub fn stack(&self, rows: &Features, seed: u64) -> Result<Msda, TransferError> {
        let denoising = Denoising {
            noise: self.noise,
            lambda: self.lambda,
        };
        let width = rows.n_columns();
        let mut hidden = rows.dense()?;
        let mut layers: Vec<Layer> = Vec::with_capacity(self.n_layers);
        for _ in 0..self.n_layers {
            let layer = match self.n_frequent {
                Some(r) if layers.is_empty() && r < width => {
                    Layer::of_frequent(rows, r, &denoising, seed)?
                }
                _ => Layer::of_all(&hidden, &denoising)?,
            };
            hidden = Cow::Owned(layer.apply(&hidden)?);
            layers.push(layer);
        }
        Ok(Msda { width, layers })
    }
}

impl FitAlign for MsdaParams {
    fn fit_align(&self, problem: &TransferProblem, seed: u64) -> Result<Alignment, TransferError> {
        let rows = problem
            .source()?
            .features
            .stack(problem.target_features())?;
        Ok(self.stack(&rows, seed)?.into())
    }
}

transfer_method!(MsdaParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for MsdaParams {}

static INFO: MethodInfo = MethodInfo {
    name: "msda",
    title: "Marginalised stacked denoising autoencoders",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Both),
    parameters: &[
        ParamInfo {
            name: "noise",
            default: "0.5",
            range: ParamRange::Real {
                low: 0.0,
                high: 1.0,
            },
            doc: "Probability that a feature is struck out.",
        },
        ParamInfo {
            name: "n_layers",
            default: "5",
            range: ParamRange::Integer { low: 1, high: 100 },
            doc: "Number of layers.",
        },
        ParamInfo {
            name: "n_frequent",
            default: "null",
            range: ParamRange::IntegerOrAuto {
                low: 1,
                high: u64::MAX,
            },
            doc: "How many of the most frequent features are reconstructed; null: all.",
        },
        ParamInfo {
            name: "lambda",
            default: "1e-5",
            range: ParamRange::Positive,
            doc: "Penalty on the weights, for sums over rows.",
        },
    ],
    exemptions: &[],
    reference: "Chen, Xu, Weinberger, Sha. Marginalized Denoising Autoencoders for Domain Adaptation. ICML 2012. arXiv:1206.4683",
};

/// Fitted layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Msda {
    width: usize,
    layers: Vec<Layer>,
}

impl Msda {
    /// Default parameters.
    pub fn params() -> MsdaParams {
        MsdaParams::default()
    }

    /// The rows and what each layer makes of them.
    fn extend(&self, rows: &Features) -> Result<Features, TransferError> {
        check_prediction_rows(rows, self.width)?;
        let mut parts = vec![Features::Dense(rows.dense()?.into_owned())];
        for layer in &self.layers {
            let hidden = match parts.last() {
                Some(below) => layer.apply(&*below.dense()?)?,
                None => break,
            };
            parts.push(hidden.into());
        }
        Features::beside(&parts.iter().collect::<Vec<_>>())
    }
}

#[typetag::serde(name = "msda")]
impl DomainMap for Msda {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        self.extend(source)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        self.extend(target)
    }
}
