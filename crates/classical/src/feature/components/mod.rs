//! Transfer components: the directions of large variance and small discrepancy that TCA, JDA and their kin share.

mod design;
mod spectrum;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use ndarray::{Array1, Array2, Axis, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    DomainMap, Features, TransferError,
    kernel::KernelMap,
    linalg::{
        LinalgError, eigh, eigh_generalized, eigh_largest_of, gram, matmul, svd_thin, unit_columns,
    },
    seed::derive,
};

use super::projection::check_components;
pub use design::ComponentKernel;
pub(super) use design::DesignParams;
use design::{Design, blocks, mapped_times};
use spectrum::{Spectrum, may_pay};

/// A fitted map onto transfer components: rows of either domain to `k` columns, new rows included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Components {
    normalize: bool,
    design: Design,
    coefficients: Array2<f64>,
}

/// The design of the rows of the fit, from which components can be taken again and again for other discrepancies.
#[derive(Debug)]
pub(crate) struct ComponentProblem {
    normalize: bool,
    design: Design,
    /// `F`, `n x m`, source rows first.
    f: Array2<f64>,
    /// `H F` with the centring matrix `H`, formed when it is needed.
    centred: OnceLock<Array2<f64>>,
    /// `Fᵀ H F`, formed when a full decomposition needs it.
    scatter: OnceLock<Array2<f64>>,
    /// Its eigenvalues and vectors, found when components are asked for that follow from them.
    spectrum: OnceLock<Spectrum>,
}

impl ComponentProblem {
    pub(crate) fn new(
        source: &Features,
        target: &Features,
        wanted: DesignParams,
        seed: u64,
    ) -> Result<Self, TransferError> {
        let rows = source.stack(target)?;
        let rows = normalized(&rows, wanted.normalize)?.into_owned();
        let (design, f) = Design::of(rows, wanted, derive(seed, &["design"]))?;
        Ok(Self {
            normalize: wanted.normalize,
            design,
            f,
            centred: OnceLock::new(),
            scatter: OnceLock::new(),
            spectrum: OnceLock::new(),
        })
    }

    /// The `k` solutions of largest `μ` in `Fᵀ H F a = μ (Fᵀ M F + λ I) a` with `M = E Eᵀ`, each scaled to unit length.
    ///
    /// The matrix on the right is symmetric and positive definite, `λ I` plus a few columns, so its inverse square root
    /// is known in closed form and the problem is an ordinary symmetric one.
    pub(crate) fn solve(
        &self,
        indicators: &Array2<f64>,
        lambda: f64,
        k: usize,
    ) -> Result<Components, TransferError> {
        let m = self.check_count(k)?;
        let pulls = matmul(&self.f.t(), indicators)?;
        let whiten = InverseRoot::new(&pulls, lambda)?;
        let operator = |v: &Array2<f64>| {
            let scattered = self.centred_product(v)?;
            // It is centred: `(H F)ᵀ` and `Fᵀ` do the same to it.
            matmul(&self.f.t(), &scattered)
        };
        let found = match whiten.largest_of(m, k, operator)? {
            Some(found) => Some(found),
            None if may_pay(m, k, pulls.ncols()) => self.spectrum()?.largest(&pulls, lambda, k)?,
            None => None,
        };
        Ok(self.components(match found {
            Some(found) => found,
            None => whiten.largest_in(self.scatter(), k)?,
        }))
    }

    fn spectrum(&self) -> Result<&Spectrum, LinalgError> {
        if let Some(spectrum) = self.spectrum.get() {
            return Ok(spectrum);
        }
        let spectrum = Spectrum::of(self.scatter())?;
        Ok(self.spectrum.get_or_init(|| spectrum))
    }

    /// The `k` solutions of largest `μ` in `L a = μ R a`, each scaled to unit length, for matrices of as many columns as `F`.
    pub(crate) fn solve_pencil(
        &self,
        left: &Array2<f64>,
        right: &Array2<f64>,
        k: usize,
    ) -> Result<Components, TransferError> {
        self.check_count(k)?;
        Ok(self.components(eigh_generalized(left, right)?.largest(k)?.1))
    }

    /// The number of columns of `F`, which `k` must not exceed.
    fn check_count(&self, k: usize) -> Result<usize, TransferError> {
        let m = self.f.ncols();
        check_components(k, m, self.design.rank_of())?;
        Ok(m)
    }

    fn components(&self, mut coefficients: Array2<f64>) -> Components {
        unit_columns(&mut coefficients);
        Components {
            normalize: self.normalize,
            design: self.design.clone(),
            coefficients,
        }
    }

    /// `F`, `n x m`, source rows first.
    pub(crate) fn design_matrix(&self) -> &Array2<f64> {
        &self.f
    }

    fn centred(&self) -> &Array2<f64> {
        self.centred.get_or_init(|| centred(&self.f))
    }

    /// `Fᵀ H F`, a block of rows at a time: a second matrix of the size of `F` is not needed.
    pub(crate) fn scatter(&self) -> &Array2<f64> {
        self.scatter.get_or_init(|| {
            let mean = self.f.mean_axis(Axis(0)).unwrap_or_default();
            let mut sum = Array2::zeros((self.f.ncols(), self.f.ncols()));
            for block in blocks(self.f.nrows()) {
                sum += &gram(&(&self.f.slice(s![block, ..]) - &mean));
            }
            sum
        })
    }

    /// `H F v`.
    fn centred_product(&self, v: &Array2<f64>) -> Result<Array2<f64>, LinalgError> {
        match self.design {
            // A kernel matrix is its own transpose, whose columns can be read as they lie; and its values are near each
            // other in size, so nothing is lost by centring afterwards. Nor for what stands in its place.
            Design::Kernel { .. } => Ok(centred(&matmul(&self.f.t(), v)?)),
            Design::Mapped { .. } => Ok(centred(&matmul(&self.f, v)?)),
            Design::Primal { .. } | Design::Linear { .. } => matmul(self.centred(), v),
        }
    }

    /// The rows of the fit on some components, source rows first.
    pub(crate) fn transform(&self, components: &Components) -> Result<Array2<f64>, TransferError> {
        let z = matmul(&self.f, &components.coefficients)?;
        Ok(normalized(&z.into(), self.normalize)?.into_owned())
    }
}

/// The rows of both domains as `Φ` with `K = Φ Φᵀ`, for methods that look at the dual coefficients, of which there is one
/// row for each row of the data.
#[derive(Debug)]
pub(crate) struct DualRows {
    normalize: bool,
    /// `None`: the rows themselves.
    map: Option<KernelMap>,
    phi: Array2<f64>,
}

impl DualRows {
    pub(crate) fn of(
        source: &Features,
        target: &Features,
        wanted: DesignParams,
        seed: u64,
    ) -> Result<Self, TransferError> {
        let rows = normalized(&source.stack(target)?, wanted.normalize)?.into_owned();
        let normalize = wanted.normalize;
        let (map, phi) = match wanted.kernel {
            ComponentKernel::Primal => {
                return Err(TransferError::InvalidParameter {
                    name: "kernel".to_owned(),
                    value: "primal".to_owned(),
                    range: "a kernel, for without one no coefficient belongs to a row".to_owned(),
                });
            }
            ComponentKernel::Linear => (None, rows),
            ComponentKernel::Rbf | ComponentKernel::Nystroem | ComponentKernel::Fourier => {
                let rows = Features::Dense(rows);
                let map = wanted.map(&rows, derive(seed, &["design"]))?;
                let identity = Array2::eye(map.n_features());
                let phi = mapped_times(&map, &*rows.dense()?, &identity)?;
                (Some(map), phi)
            }
        };
        Ok(Self {
            normalize,
            map,
            phi,
        })
    }

    pub(crate) fn phi(&self) -> &Array2<f64> {
        &self.phi
    }

    /// The components `K A`.
    pub(crate) fn components(&self, a: &Array2<f64>) -> Result<Components, TransferError> {
        let directions = matmul(&self.phi.t(), a)?;
        let (design, coefficients) = match &self.map {
            None => (
                Design::Primal {
                    width: self.phi.ncols(),
                },
                directions,
            ),
            Some(map) => (
                Design::Mapped {
                    map: map.clone(),
                    right: directions,
                },
                Array2::eye(a.ncols()),
            ),
        };
        Ok(Components {
            normalize: self.normalize,
            design,
            coefficients,
        })
    }
}

/// Each column less its mean.
pub(super) fn centred(x: &Array2<f64>) -> Array2<f64> {
    x - &x.mean_axis(Axis(0)).unwrap_or_default()
}

/// `(λ I + Q Qᵀ)^{-1/2} = λ^{-1/2} I + W diag(δ) Wᵀ` with `Q = W diag(σ) Zᵀ` and `δ = (λ + σ²)^{-1/2} - λ^{-1/2}`.
pub(super) struct InverseRoot {
    w: Array2<f64>,
    delta: Array1<f64>,
    base: f64,
}

impl InverseRoot {
    pub(super) fn new(q: &Array2<f64>, lambda: f64) -> Result<Self, LinalgError> {
        let svd = svd_thin(q)?;
        let base = lambda.sqrt().recip();
        let delta = svd
            .values
            .mapv(|sigma| (lambda + sigma * sigma).sqrt().recip() - base);
        Ok(Self {
            w: svd.u,
            delta,
            base,
        })
    }

    fn apply(&self, x: &Array2<f64>) -> Result<Array2<f64>, LinalgError> {
        let inner = matmul(&self.w.t(), x)? * self.delta.view().insert_axis(Axis(1));
        Ok(x * self.base + matmul(&self.w, &inner)?)
    }

    /// The `k` solutions of largest `μ` in `S a = μ (λ I + Q Qᵀ) a` for a symmetric `S` (`m x m`), given as what it does to
    /// columns; `None` where its decomposition would be quicker.
    pub(super) fn largest_of(
        &self,
        m: usize,
        k: usize,
        apply: impl Fn(&Array2<f64>) -> Result<Array2<f64>, LinalgError>,
    ) -> Result<Option<Array2<f64>>, LinalgError> {
        let whitened = |v: &Array2<f64>| self.apply(&apply(&self.apply(v)?)?);
        match eigh_largest_of(m, k, whitened)? {
            Some((_, leading)) => self.apply(&leading).map(Some),
            None => Ok(None),
        }
    }

    /// As [`largest_of`](Self::largest_of), by a decomposition of `S`.
    pub(super) fn largest_in(&self, s: &Array2<f64>, k: usize) -> Result<Array2<f64>, LinalgError> {
        self.apply(&self.leading(s, k)?.1)
    }

    /// The `k` largest `μ`, and the vectors `w = (λ I + Q Qᵀ)^{1/2} a` of unit length.
    fn leading(
        &self,
        s: &Array2<f64>,
        k: usize,
    ) -> Result<(Array1<f64>, Array2<f64>), LinalgError> {
        let whitened = self.apply(&self.apply(s)?.t().to_owned())?;
        eigh(&whitened)?.largest(k)
    }
}

/// Rows at unit Euclidean length when asked for; a row of zeros stays.
pub(super) fn normalized(
    rows: &Features,
    normalize: bool,
) -> Result<std::borrow::Cow<'_, Array2<f64>>, TransferError> {
    let rows = rows.dense()?;
    if !normalize {
        return Ok(rows);
    }
    let mut rows = rows.into_owned();
    for mut row in rows.rows_mut() {
        let length = row.dot(&row).sqrt();
        if length > 0.0 {
            row /= length;
        }
    }
    Ok(std::borrow::Cow::Owned(rows))
}

impl Components {
    /// Number of components.
    pub fn n_components(&self) -> usize {
        self.coefficients.ncols()
    }

    fn transform(&self, rows: &Features) -> Result<Features, TransferError> {
        translearn_core::check_prediction_rows(rows, self.design.width())?;
        let x = normalized(rows, self.normalize)?;
        let z = self.design.times(x, &self.coefficients)?;
        Ok(Features::Dense(
            normalized(&z.into(), self.normalize)?.into_owned(),
        ))
    }
}

#[typetag::serde(name = "components")]
impl DomainMap for Components {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        self.transform(source)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        self.transform(target)
    }
}
