//! The geodesic flow kernel.

use ndarray::{Array2, Axis, concatenate};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, MethodInfo,
    Outputs, ParamInfo, ParamRange, TransferError, TransferProblem, What, fit_aligned,
    linalg::{matmul, svd_thin},
    setters, transfer_method,
};

use super::{map_needs, principal::principal_components, times};

/// Parameters of the geodesic flow kernel (GFK): compares rows in all the subspaces on the way from the source's to the
/// target's at once, then fits any learner on rows mapped so that their distances are those of the kernel.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit). *When.*
/// Each domain lies near a low-dimensional subspace, and one turns into the other; the means should agree already, so
/// standardise each domain first.
///
/// # Formula
///
/// $$G = \int_0^1 \Phi(t)\,\Phi(t)^\top dt = L L^\top, \qquad x \mapsto x L$$
///
/// with `Φ` the shortest path of subspaces from `P_S` to `P_T` (`d x k`, the leading principal directions of each
/// domain). `P_Sᵀ P_T = U cos(Θ) Vᵀ` gives the principal vectors `u_i` and `v_i`, columns of `P_S U` and `P_T V`, an
/// angle `θ_i` apart. Between the two of a pair the path is `Φ_i(t) = u_i cos(tθ_i) + w_i sin(tθ_i)` with `w_i`
/// orthogonal to `u_i`, so each pair adds a term of rank two to the integral. Its axes are the middle of the path and
/// the direction across:
///
/// $$G = \sum_i \tfrac12\Bigl(1 + \tfrac{\sin\theta_i}{\theta_i}\Bigr) \frac{(u_i+v_i)(u_i+v_i)^\top}{\|u_i+v_i\|^2}
///   + \tfrac12\Bigl(1 - \tfrac{\sin\theta_i}{\theta_i}\Bigr) \frac{(u_i-v_i)(u_i-v_i)^\top}{\|u_i-v_i\|^2}$$
///
/// At `θ_i = 0` the second term is 0. `G` leaves `L` open up to a rotation; here its columns are the principal axes of
/// the mapped rows of both domains, without those in which no row differs from another.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_components` | `null` | integer ≥ 1 or `null` | size `k` of both subspaces, at most the rank of each domain; `null`: 20, or the rank where that is less |
///
/// The paper asks for `k ≤ d/2`; beyond, some angles are 0 and nothing else changes.
///
/// # Shapes and cost
///
/// Source `n_s x d`, target `n_t x d`, mapped rows have `2k` columns at most. O((n_s + n_t) d² + d³) for the principal
/// directions, or with the number of rows and of columns exchanged when there are more columns, and O(d k² + (n_s +
/// n_t) d k) for the kernel. Neither `G` (`d x d`) nor the orthogonal complement of `P_S` is formed.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::TooFewRows`] for a domain of one row,
/// [`TransferError::InvalidParameter`] when `n_components` exceeds the rank of a domain, [`TransferError::Unsupported`]
/// for a domain whose rows are all alike.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Gfk;
/// use translearn_core::FitTransfer;
///
/// // One line, turned by 60 degrees.
/// let source = DatasetBase::new(array![[-2.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [2.0, 0.0]], array![0, 0, 1, 1]);
/// let (c, s) = (0.5, 0.75_f64.sqrt());
/// let target = DatasetBase::from(array![[-1.5 * c, -1.5 * s], [-c, -s], [c, s], [1.5 * c, 1.5 * s]]);
/// let model = Gfk::params().n_components(1).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 1, 1]);
///
/// let kernel = Gfk::params().n_components(1).flow(source.records(), target.records())?;
/// let (length, turn) = (kernel.angles()[0], std::f64::consts::FRAC_PI_3);
/// assert!((length - turn).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Gong, Shi, Sha, Grauman, *Geodesic Flow Kernel for Unsupervised Domain Adaptation*, CVPR 2012,
/// doi:10.1109/CVPR.2012.6247911. The paper writes `G` by the orthogonal complement of `P_S`, which its code takes
/// apart with a generalised singular value decomposition and a division by `max(θ, 1e-20)`; the form above is the same
/// matrix (put in `w_i = (v_i - u_i cos θ_i) / sin θ_i`), and half of `θ_i` is the arcsine of half of `‖u_i - v_i‖`,
/// which is exact where an arccosine loses half of the digits. The choice of `k` by the subspace disagreement measure
/// and the source subspace by partial least squares are left out. With 20 dimensions and one nearest neighbour the
/// average on Office-Caltech SURF is 44.72, where a later table has 43.1 and does not state the dimensions. Where an angle is
/// a right angle the shortest path is not unique, and neither is `G`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GfkParams {
    n_components: Option<usize>,
    #[serde(skip, default = "super::nearest")]
    learner: BaseLearner,
}

impl Default for GfkParams {
    fn default() -> Self {
        Self {
            n_components: None,
            learner: super::nearest(),
        }
    }
}

/// Size of both subspaces where none is given.
const N_COMPONENTS: usize = 20;

setters!(GfkParams {
    /// Sets the size of both subspaces.
    n_components: Some(usize),
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl GfkParams {
    /// The kernel between two samples.
    ///
    /// # Errors
    /// [`TransferError::TooFewRows`], [`TransferError::InvalidParameter`], [`TransferError::Unsupported`] and
    /// [`TransferError::Linalg`].
    pub fn flow(&self, source: &Array2<f64>, target: &Array2<f64>) -> Result<Gfk, TransferError> {
        let fewest_rows = source.nrows().min(target.nrows()).max(2);
        let most = source.ncols().min(fewest_rows - 1);
        let k = self.n_components.unwrap_or(N_COMPONENTS.min(most));
        let (from, to) = rayon::join(
            || principal_components(source, k, "source"),
            || principal_components(target, k, "target"),
        );
        let (from, to) = (from?, to?);
        let rank = from.rank.min(to.rank);
        if rank == 0 {
            return Err(TransferError::Unsupported {
                method: INFO.name.to_owned(),
                needs: "rows that differ, in both domains".to_owned(),
                has: "a domain whose rows are all alike".to_owned(),
            });
        }
        if self.n_components.is_some_and(|k| k > rank) {
            return Err(TransferError::InvalidParameter {
                name: "n_components".to_owned(),
                value: k.to_string(),
                range: format!("integer in [1, {rank}] (the rank of both domains)"),
            });
        }
        let (angles, l) = square_root(&from.leading(rank), &to.leading(rank))?;
        let rows = concatenate(Axis(0), &[source.view(), target.view()]);
        #[expect(clippy::expect_used, reason = "directions of both have one length")]
        let rows = matmul(&rows.expect("rows of one width"), &l)?;
        // Where an angle is 0, a direction is left in which rows differ by rounding alone.
        let axes = principal_components(&rows, l.ncols(), "the mapped rows")?;
        let axes = axes.leading(axes.rank);
        Ok(Gfk {
            angles,
            root: matmul(&l, &axes)?,
        })
    }
}

/// The angles between two subspaces (`d x k`, orthonormal columns), ascending, and an `L` (`d x 2k`) with `G = L Lᵀ`.
fn square_root(
    source: &Array2<f64>,
    target: &Array2<f64>,
) -> Result<(Vec<f64>, Array2<f64>), TransferError> {
    let svd = svd_thin(&matmul(&source.t(), target)?)?;
    let (from, to) = (matmul(source, &svd.u)?, matmul(target, &svd.v)?);
    let (sums, differences) = (&from + &to, &from - &to);
    let k = sums.ncols();
    let mut l = Array2::zeros((sums.nrows(), 2 * k));
    let mut angles = Vec::with_capacity(k);
    for i in 0..k {
        let (sum, difference) = (sums.column(i), differences.column(i));
        let chord = difference.dot(&difference).sqrt();
        let angle = 2.0 * (0.5 * chord).min(1.0).asin();
        let (along, across) = scales(angle);
        l.column_mut(i).assign(&(&sum * along));
        l.column_mut(k + i).assign(&(&difference * across));
        angles.push(angle);
    }
    Ok((angles, l))
}

/// What `u + v` and `u - v` are multiplied by: `√(½(1 ± sin θ / θ))` over their lengths `2 cos(θ/2)` and `2 sin(θ/2)`.
fn scales(angle: f64) -> (f64, f64) {
    let half = 0.5 * angle;
    let square = angle * angle;
    if angle < 0.03 {
        // Where 1 - sin θ / θ loses its digits: both fractions by their series, the terms left out below rounding.
        let along = (1.0 - square / 12.0 + square * square / 240.0).sqrt() / (2.0 * half.cos());
        let above = 1.0 - square / 20.0 + square * square / 840.0;
        let below = 1.0 - square / 12.0 + square * square / 360.0;
        return (along, (above / below / 12.0).sqrt());
    }
    let ratio = angle.sin() / angle;
    (
        (0.5 * (1.0 + ratio)).sqrt() / (2.0 * half.cos()),
        (0.5 * (1.0 - ratio)).sqrt() / (2.0 * half.sin()),
    )
}

impl FitAlign for GfkParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        Ok(self
            .flow(
                &*source.features.dense()?,
                &*problem.target_features().dense()?,
            )?
            .into())
    }
}

transfer_method!(GfkParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for GfkParams {}

static INFO: MethodInfo = MethodInfo {
    name: "gfk",
    title: "Geodesic flow kernel",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Both),
    parameters: &[ParamInfo {
        name: "n_components",
        default: "null",
        range: ParamRange::IntegerOrAuto {
            low: 1,
            high: u64::MAX,
        },
        doc: "Size of both subspaces; null: 20, or the rank of a domain where that is less.",
    }],
    exemptions: &[],
    reference: "Gong, Shi, Sha, Grauman. Geodesic Flow Kernel for Unsupervised Domain Adaptation. CVPR 2012. doi:10.1109/CVPR.2012.6247911",
};

/// A fitted kernel, as the map whose inner products are its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gfk {
    angles: Vec<f64>,
    root: Array2<f64>,
}

impl Gfk {
    /// Default parameters.
    pub fn params() -> GfkParams {
        GfkParams::default()
    }

    /// `L` (`d x 2k` at most): `G = L Lᵀ`, and rows `x`, `y` have the kernel value `(x L)(y L)ᵀ`.
    pub fn matrix(&self) -> &Array2<f64> {
        &self.root
    }

    /// The principal angles between the two subspaces, in radians, ascending.
    pub fn angles(&self) -> &[f64] {
        &self.angles
    }
}

#[typetag::serde(name = "geodesic-flow-kernel")]
impl DomainMap for Gfk {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        times(source, &self.root)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        times(target, &self.root)
    }
}
