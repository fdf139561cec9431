//! Selection of features by the discrepancy between the domains (f-MMD).

#[cfg(test)]
mod tests;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, LearnerNeed,
    MethodInfo, Needs, Outputs, ParamInfo, ParamRange, TransferError, TransferProblem, What,
    fit_aligned,
    linalg::{LinalgError, eigh, gram},
    setters, transfer_method,
};

/// Parameters of feature selection by maximum mean discrepancy (f-MMD): gives each feature a weight so that the domains
/// are as far apart as they can be, and takes away the features of large weight.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit). *When.*
/// Some features are drawn otherwise in the target, the others alike, and these suffice. Bring the features to one
/// scale first: weights compare their differences as they are.
///
/// # Formula
///
/// $$w = \arg\max_{w \ge 0,\ \|w\| \le 1} \Bigl\|\frac1{n_s} \sum_i \varphi_w(x_i) - \frac1{n_t} \sum_j \varphi_w(z_j)\Bigr\|^2$$
///
/// with the features `φ_w` of the kernel `k_w(x, z)`. With the difference `δ` of the domain means and `Δ` that of the
/// means of `x xᵀ`,
///
/// | `kernel` | `k_w(x, z)` | squared discrepancy | `w` |
/// |---|---|---|---|
/// | `linear` | `xᵀ diag(w) z` | `Σ_j w_j δ_j²` | `δ² / ‖δ²‖` |
/// | `polynomial` | `(xᵀ diag(w) z + 1)²` | `wᵀ (Δ∘Δ) w + 2 Σ_j w_j δ_j²` | `(λ I - Δ∘Δ) w = δ²` with the `λ ≥ λ_max(Δ∘Δ)` for which `‖w‖ = 1` |
///
/// Both are the global maximum. A feature stays when `w_j ≤ threshold`; without a threshold, the weights are sorted and
/// those below the widest gap stay. A feature with one value alone in both domains takes no part and stays, and where
/// no two means differ beyond rounding, all stay.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `kernel` | `linear` | `linear`, `polynomial` | whether means alone count, or variances and correlations too |
/// | `threshold` | `null` | (0, ∞) or `null` | largest weight of a feature that stays; `null`: the widest gap decides |
///
/// # Shapes and cost
///
/// Source `n_s x d`, target `n_t x d`, mapped rows have the columns that stay. `linear`: O((n_s + n_t) d), or the
/// number of entries of sparse rows, which stay sparse. `polynomial`: O((n_s + n_t) d² + d³), with sparse rows made
/// dense for the fit.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::InvalidParameter`] when no feature is below the threshold,
/// [`TransferError::DenseTooLarge`] for `polynomial` on sparse rows that do not fit.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Fmmd;
/// use translearn_core::FitTransfer;
///
/// // The second column says the class in the source, but is another in the target.
/// let source = DatasetBase::new(array![[0.0, 1.0], [0.3, 1.1], [1.0, 3.0], [1.1, 3.1]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[0.1, 9.0], [0.2, 8.0], [1.2, 8.5], [0.9, 9.5]]);
/// let model = Fmmd::params().fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 1, 1]);
///
/// let selection = Fmmd::params().select(&source.records().clone().into(), &target.records().clone().into())?;
/// assert_eq!(selection.kept(), [0]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Uguroglu, Carbonell, *Feature Selection for Transfer Learning*, ECML PKDD 2011, doi:10.1007/978-3-642-23808-6_28.
/// The paper and ADAPT hand the problem to a convex solver. For `linear` ADAPT 0.4.5 finds the weights above, to the
/// tolerance of that solver; for `polynomial` a convex function is to be made large, which such a solver cannot do; its
/// Gaussian kernel, whose distance is not symmetric in the two rows, is left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FmmdParams {
    kernel: FmmdKernel,
    threshold: Option<f64>,
    #[serde(skip, default = "super::logistic")]
    learner: BaseLearner,
}

/// What of the domains is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FmmdKernel {
    /// `xᵀ diag(w) z`: the means.
    #[default]
    Linear,
    /// `(xᵀ diag(w) z + 1)²`: means, variances and correlations.
    Polynomial,
}

impl Default for FmmdParams {
    fn default() -> Self {
        Self {
            kernel: FmmdKernel::Linear,
            threshold: None,
            learner: super::logistic(),
        }
    }
}

setters!(FmmdParams {
    /// Sets what of the domains is compared.
    kernel: FmmdKernel,
    /// Sets the largest weight of a feature that stays.
    threshold: Some(f64),
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl FmmdParams {
    /// The selection between two samples.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`], [`TransferError::InvalidParameter`], [`TransferError::DenseTooLarge`] and
    /// [`TransferError::Linalg`].
    pub fn select(&self, source: &Features, target: &Features) -> Result<Fmmd, TransferError> {
        let both = source.stack(target)?;
        let (of_source, of_target) = (Columns::of(source)?, Columns::of(target)?);
        let size = Columns::of(&both)?.largest();
        let vary: Vec<usize> = (0..both.n_columns())
            .filter(|&j| {
                of_source.low[j].min(of_target.low[j]) < of_source.high[j].max(of_target.high[j])
            })
            .collect();
        // What rounding leaves of sums over all rows is no difference.
        let rounding = both.n_rows() as f64 * f64::EPSILON;
        let beyond = |difference: f64, size: f64| match difference.abs() > rounding * size {
            true => difference,
            false => 0.0,
        };
        let means: Array1<f64> = vary
            .iter()
            .map(|&j| beyond(of_source.mean[j] - of_target.mean[j], size[j]))
            .collect();
        let of_varying = match self.kernel {
            FmmdKernel::Linear => linear_weights(&means),
            FmmdKernel::Polynomial => {
                let moments = |x: &Features| {
                    let x = x.select_columns(&vary)?;
                    let n = x.n_rows() as f64;
                    Ok::<_, TransferError>(gram(&*x.dense()?) / n)
                };
                let mut products = moments(source)? - moments(target)?;
                for ((i, j), value) in products.indexed_iter_mut() {
                    *value = beyond(*value, size[vary[i]] * size[vary[j]]);
                }
                quadratic_weights(&products, &means)?
            }
        };
        let threshold = self.threshold.unwrap_or_else(|| below_gap(&of_varying));
        let mut weights = Array1::zeros(both.n_columns());
        for (&j, &weight) in vary.iter().zip(&of_varying) {
            weights[j] = weight;
        }
        let kept: Vec<usize> = (0..weights.len())
            .filter(|&j| weights[j] <= threshold)
            .collect();
        if kept.is_empty() {
            let least = weights.fold(f64::INFINITY, |least, &weight| least.min(weight));
            return Err(TransferError::InvalidParameter {
                name: "threshold".to_owned(),
                value: threshold.to_string(),
                range: format!("[{least}, ∞) (or no feature is left)"),
            });
        }
        Ok(Fmmd { weights, kept })
    }
}

/// Mean and extremes of each column.
struct Columns {
    mean: Array1<f64>,
    low: Array1<f64>,
    high: Array1<f64>,
}

impl Columns {
    fn of(x: &Features) -> Result<Self, TransferError> {
        let d = x.n_columns();
        let mut columns = Self {
            mean: Array1::zeros(d),
            low: Array1::from_elem(d, f64::INFINITY),
            high: Array1::from_elem(d, f64::NEG_INFINITY),
        };
        let mut entries = vec![0; d];
        let mut add = |j: usize, value: f64| {
            columns.mean[j] += value;
            columns.low[j] = columns.low[j].min(value);
            columns.high[j] = columns.high[j].max(value);
            entries[j] += 1;
        };
        match x {
            Features::Sparse(x) => x.iter().for_each(|(&value, (_, j))| add(j, value)),
            x => x
                .dense()?
                .indexed_iter()
                .for_each(|((_, j), &value)| add(j, value)),
        }
        for j in (0..d).filter(|&j| entries[j] < x.n_rows()) {
            columns.low[j] = columns.low[j].min(0.0);
            columns.high[j] = columns.high[j].max(0.0);
        }
        columns.mean /= x.n_rows() as f64;
        Ok(columns)
    }

    /// The largest absolute value of each column.
    fn largest(&self) -> Array1<f64> {
        let pairs = self.low.iter().zip(&self.high);
        pairs.map(|(low, high)| low.abs().max(high.abs())).collect()
    }
}

/// `δ² / ‖δ²‖`, or zeros.
fn linear_weights(means: &Array1<f64>) -> Array1<f64> {
    let largest = means.fold(0.0_f64, |largest, v| largest.max(v.abs()));
    if largest == 0.0 {
        return means.clone();
    }
    // Of the order of 1, or the fourth powers could overflow.
    let squares = means.mapv(|v| (v / largest).powi(2));
    let length = squares.dot(&squares).sqrt();
    squares / length
}

/// The `w` of the unit ball that makes `wᵀ Q w + 2 bᵀ w` largest, with `Q = Δ∘Δ` and `b = δ²`.
///
/// On the sphere it has to be `(λ I - Q) w = b` with `λ` at least the largest eigenvalue of `Q`, and the length of that
/// `w` falls as `λ` grows. No entry of `Q` or `b` is negative, so none of `w` need be.
fn quadratic_weights(
    products: &Array2<f64>,
    means: &Array1<f64>,
) -> Result<Array1<f64>, LinalgError> {
    let (q, b) = (products.mapv(|v| v * v), means.mapv(|v| v * v));
    if q.iter().all(|&v| v == 0.0) {
        return Ok(linear_weights(means));
    }
    let (values, vectors) = eigh(&q)?.largest(q.nrows())?;
    let length_of_b = b.dot(&b).sqrt();
    let rounding = b.len() as f64 * f64::EPSILON * length_of_b;
    let along = vectors
        .t()
        .dot(&b)
        .mapv(|v| if v.abs() > rounding { v } else { 0.0 });
    let below = values.mapv(|value| values[0] - value);
    let at = |beyond: f64| {
        let terms = along.iter().zip(&below);
        terms
            .map(|(&c, &gap)| if c == 0.0 { 0.0 } else { c / (beyond + gap) })
            .collect::<Array1<f64>>()
    };
    // At `λ_max + ‖b‖` the length is at most 1.
    let (mut low, mut high) = (0.0, length_of_b);
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        let w = at(middle);
        match w.dot(&w) > 1.0 {
            true => low = middle,
            false => high = middle,
        }
    }
    let mut w = at(high);
    // Where `b` has no part along the first eigenvector, `λ` is its value and the length is made up along it.
    let short = 1.0 - w.dot(&w);
    if short > SHORT {
        w[0] += short.sqrt();
    }
    Ok(vectors.dot(&w).mapv(|v| v.max(0.0)))
}

/// Halvings until nothing is left of an interval of the largest scale.
const BISECTIONS: usize = 1100;
/// How much shorter than 1 rounding may leave the weights.
const SHORT: f64 = 1e-9;

/// The largest weight below the widest gap between neighbours, the first of equally wide ones; all weights where none
/// differ.
fn below_gap(weights: &Array1<f64>) -> f64 {
    let mut sorted = weights.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut widest = (0.0, sorted.last().copied().unwrap_or(0.0));
    for pair in sorted.windows(2) {
        if pair[1] - pair[0] > widest.0 {
            widest = (pair[1] - pair[0], pair[0]);
        }
    }
    widest.1
}

impl FitAlign for FmmdParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        Ok(self
            .select(&source.features, problem.target_features())?
            .into())
    }
}

transfer_method!(FmmdParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for FmmdParams {}

static INFO: MethodInfo = MethodInfo {
    name: "fmmd",
    title: "Feature selection by mean discrepancy (f-MMD)",
    family: Family::Feature,
    what: What::Features,
    needs: Needs {
        target_labels: false,
        same_features: true,
        outputs: Outputs::Both,
        sparse: true,
        images: false,
        learner: LearnerNeed::Any,
    },
    parameters: &[
        ParamInfo {
            name: "kernel",
            default: "\"linear\"",
            range: ParamRange::Choice(&["linear", "polynomial"]),
            doc: "Whether means alone count, or variances and correlations too.",
        },
        ParamInfo {
            name: "threshold",
            default: "null",
            range: ParamRange::PositiveOrAuto,
            doc: "Largest weight of a feature that stays; null: the widest gap decides.",
        },
    ],
    exemptions: &[],
    reference: "Uguroglu, Carbonell. Feature Selection for Transfer Learning. ECML PKDD 2011. doi:10.1007/978-3-642-23808-6_28",
};

/// A fitted selection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fmmd {
    weights: Array1<f64>,
    kept: Vec<usize>,
}

impl Fmmd {
    /// Default parameters.
    pub fn params() -> FmmdParams {
        FmmdParams::default()
    }

    /// The weight of each feature, 0 for one that does not vary.
    pub fn weights(&self) -> &Array1<f64> {
        &self.weights
    }

    /// The features that stay, ascending.
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    fn transform(&self, rows: &Features) -> Result<Features, TransferError> {
        translearn_core::check_prediction_rows(rows, self.weights.len())?;
        rows.select_columns(&self.kept)
    }
}

#[typetag::serde(name = "fmmd")]
impl DomainMap for Fmmd {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        self.transform(source)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        self.transform(target)
    }
}
