//! Transfer components: the directions of large variance and small discrepancy that TCA, JDA and their kin share.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, Axis, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    DomainMap, Features, TransferError,
    kernel::{Kernel, ResolvedKernel},
    linalg::{LinalgError, eigh, eigh_largest_of, gram, matmul, svd_thin, unit_columns},
};

use super::projection::check_components;

/// How rows become the vectors that components are taken of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentKernel {
    /// The linear kernel in its dual form: `K = X Xᵀ`, penalty `λ‖α‖²` on the dual coefficients.
    #[default]
    Linear,
    /// The rows themselves: penalty `λ‖a‖²` on the directions.
    Primal,
    /// The Gaussian kernel `exp(-γ‖x - y‖²)` in its dual form.
    Rbf,
}

/// A fitted map onto transfer components: rows of either domain to `k` columns, new rows included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Components {
    normalize: bool,
    design: Design,
    coefficients: Array2<f64>,
}

/// From rows to the design matrix `F` in which a component is `F a` and its penalty `λ‖a‖²`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Design {
    /// `F = X`.
    Primal { width: usize },
    /// `F = X V diag(s)` with the thin decomposition `X = U diag(s) Vᵀ` of the rows of the fit. There `F = K U`, and a
    /// component `K α` with `α = U a` has `‖α‖ = ‖a‖`: the dual problem of size `n` in at most `d` unknowns.
    Linear { right: Array2<f64> },
    /// `F = K(X, rows of the fit)`.
    Kernel {
        kernel: ResolvedKernel,
        rows: Features,
    },
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
}

impl ComponentProblem {
    pub(crate) fn new(
        source: &Features,
        target: &Features,
        kernel: ComponentKernel,
        gamma: Option<f64>,
        normalize: bool,
    ) -> Result<Self, TransferError> {
        let rows = source.stack(target)?;
        let rows = normalized(&rows, normalize)?.into_owned();
        let (design, f) = match kernel {
            ComponentKernel::Primal => (
                Design::Primal {
                    width: rows.ncols(),
                },
                rows,
            ),
            ComponentKernel::Linear => {
                let svd = svd_thin(&rows)?;
                let rank = svd.rank().max(1);
                let s = svd.values.slice(s![..rank]);
                let right = &svd.v.slice(s![.., ..rank]) * &s;
                let f = &svd.u.slice(s![.., ..rank]) * &s.mapv(|v| v * v);
                (
                    Design::Linear {
                        right: right.as_standard_layout().into_owned(),
                    },
                    f,
                )
            }
            ComponentKernel::Rbf => {
                let rows = Features::Dense(rows);
                let kernel = Kernel::Rbf { gamma }.resolve(&[&rows])?;
                let f = kernel.gram(&rows)?;
                (Design::Kernel { kernel, rows }, f)
            }
        };
        Ok(Self {
            normalize,
            design,
            f,
            centred: OnceLock::new(),
            scatter: OnceLock::new(),
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
        let m = self.f.ncols();
        check_components(k, m)?;
        let whiten = InverseRoot::new(&matmul(&self.f.t(), indicators)?, lambda)?;
        let operator = |v: &Array2<f64>| {
            let scattered = self.centred_product(v)?;
            // It is centred: `(H F)ᵀ` and `Fᵀ` do the same to it.
            matmul(&self.f.t(), &scattered)
        };
        let scatter = || self.scatter.get_or_init(|| gram(self.centred()));
        let mut coefficients = whiten.largest(m, k, operator, scatter)?;
        unit_columns(&mut coefficients);
        Ok(Components {
            normalize: self.normalize,
            design: self.design.clone(),
            coefficients,
        })
    }

    fn centred(&self) -> &Array2<f64> {
        self.centred.get_or_init(|| centred(&self.f))
    }

    /// `H F v`.
    fn centred_product(&self, v: &Array2<f64>) -> Result<Array2<f64>, LinalgError> {
        match self.design {
            // A kernel matrix is its own transpose, whose columns can be read as they lie; and its values are near each
            // other in size, so nothing is lost by centring afterwards.
            Design::Kernel { .. } => Ok(centred(&matmul(&self.f.t(), v)?)),
            Design::Primal { .. } | Design::Linear { .. } => matmul(self.centred(), v),
        }
    }

    /// The rows of the fit on some components, source rows first.
    pub(crate) fn transform(&self, components: &Components) -> Result<Array2<f64>, TransferError> {
        let z = matmul(&self.f, &components.coefficients)?;
        Ok(normalized(&z.into(), self.normalize)?.into_owned())
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

    /// The `k` solutions of largest `μ` in `S a = μ (λ I + Q Qᵀ) a` for a symmetric `S` (`m x m`), given as what it
    /// does to columns and, should that not do, as a matrix.
    pub(super) fn largest<'a>(
        &self,
        m: usize,
        k: usize,
        apply: impl Fn(&Array2<f64>) -> Result<Array2<f64>, LinalgError>,
        matrix: impl FnOnce() -> &'a Array2<f64>,
    ) -> Result<Array2<f64>, LinalgError> {
        // As an operator first: multiplying the matrix out costs more than the few pairs that are wanted.
        let whitened = |v: &Array2<f64>| self.apply(&apply(&self.apply(v)?)?);
        let leading = match eigh_largest_of(m, k, whitened)? {
            Some((_, leading)) => leading,
            None => {
                let whitened = self.apply(&self.apply(matrix())?.t().to_owned())?;
                eigh(&whitened)?.largest(k)?.1
            }
        };
        self.apply(&leading)
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
        let width = match &self.design {
            Design::Primal { width } => *width,
            Design::Linear { right } => right.nrows(),
            Design::Kernel { rows, .. } => rows.n_columns(),
        };
        translearn_core::check_prediction_rows(rows, width)?;
        let x = normalized(rows, self.normalize)?;
        let z = match &self.design {
            Design::Primal { .. } => matmul(&*x, &self.coefficients)?,
            Design::Linear { right } => matmul(&matmul(&*x, right)?, &self.coefficients)?,
            Design::Kernel { kernel, rows } => {
                let x = Features::Dense(x.into_owned());
                matmul(&kernel.matrix(&x, rows)?, &self.coefficients)?
            }
        };
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
