//! From rows to the design matrix in which components are sought.

use std::{borrow::Cow, ops::Range};

use ndarray::{Array2, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, TransferError,
    kernel::{Kernel, KernelMap, ResolvedKernel},
    linalg::{eigh, gram, lost_in_rounding, matmul, svd_thin},
};

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
    /// As `Rbf`, with the kernel matrix of rank `m` that [`KernelMap::nystroem`] makes of `m` rows.
    Nystroem,
    /// As `Rbf`, with the kernel matrix of rank `m` of `m` [random Fourier features](KernelMap::fourier).
    Fourier,
}

/// What the methods over transfer components ask for alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DesignParams {
    pub(crate) kernel: ComponentKernel,
    pub(crate) gamma: Option<f64>,
    pub(crate) n_features: usize,
    pub(crate) normalize: bool,
}

/// From rows to the design matrix `F` in which a component is `F a` and its penalty `λ‖a‖²`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Design {
    /// `F = X`.
    Primal { width: usize },
    /// `F = X V diag(s)` with the thin decomposition `X = U diag(s) Vᵀ` of the rows of the fit. There `F = K U`, and a
    /// component `K α` with `α = U a` has `‖α‖ = ‖a‖`: the dual problem of size `n` in at most `d` unknowns.
    Linear { right: Array2<f64> },
    /// As `Linear`, with `φ(X)` in place of `X`: the dual problem of the kernel `φ(x)ᵀ φ(y)`.
    Mapped { map: KernelMap, right: Array2<f64> },
    /// `F = K(X, rows of the fit)`.
    Kernel {
        kernel: ResolvedKernel,
        rows: Features,
    },
}

impl Design {
    /// The design of the rows of a fit, and their `F`.
    pub(super) fn of(
        rows: Array2<f64>,
        wanted: DesignParams,
        seed: u64,
    ) -> Result<(Self, Array2<f64>), TransferError> {
        match wanted.kernel {
            ComponentKernel::Primal => {
                let width = rows.ncols();
                Ok((Self::Primal { width }, rows))
            }
            ComponentKernel::Linear => {
                let svd = svd_thin(&rows)?;
                let rank = svd.rank().max(1);
                let s = svd.values.slice(s![..rank]);
                let right = &svd.v.slice(s![.., ..rank]) * &s;
                let f = &svd.u.slice(s![.., ..rank]) * &s.mapv(|v| v * v);
                let right = right.as_standard_layout().into_owned();
                Ok((Self::Linear { right }, f))
            }
            ComponentKernel::Rbf => {
                let rows = Features::Dense(rows);
                let kernel = wanted.gaussian(&rows)?;
                let f = kernel.gram(&rows)?;
                Ok((Self::Kernel { kernel, rows }, f))
            }
            ComponentKernel::Nystroem | ComponentKernel::Fourier => {
                let rows = Features::Dense(rows);
                let map = wanted.map(&rows, seed)?;
                let (right, f) = dual(&map, &*rows.dense()?)?;
                Ok((Self::Mapped { map, right }, f))
            }
        }
    }

    /// The number of columns of the rows it takes.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Primal { width } => *width,
            Self::Linear { right } => right.nrows(),
            Self::Mapped { map, .. } => map.n_columns(),
            Self::Kernel { rows, .. } => rows.n_columns(),
        }
    }

    /// What bounds the number of components, as errors say it.
    pub(super) fn rank_of(&self) -> &'static str {
        match self {
            Self::Mapped { .. } => "the rank of the data or of the map of `n_features`",
            _ => "the rank of the data",
        }
    }

    /// `F A` for the rows `x`.
    pub(super) fn times(
        &self,
        x: Cow<'_, Array2<f64>>,
        a: &Array2<f64>,
    ) -> Result<Array2<f64>, TransferError> {
        Ok(match self {
            Self::Primal { .. } => matmul(&*x, a)?,
            Self::Linear { right } => matmul(&matmul(&*x, right)?, a)?,
            Self::Mapped { map, right } => mapped_times(map, &x, &matmul(right, a)?)?,
            Self::Kernel { kernel, rows } => {
                let x = Features::Dense(x.into_owned());
                matmul(&kernel.matrix(&x, rows)?, a)?
            }
        })
    }
}

impl DesignParams {
    fn gaussian(&self, rows: &Features) -> Result<ResolvedKernel, TransferError> {
        Kernel::Rbf { gamma: self.gamma }.resolve(&[rows])
    }

    /// The finite map that stands for the Gaussian kernel: of all rows, where none is asked for.
    pub(crate) fn map(&self, rows: &Features, seed: u64) -> Result<KernelMap, TransferError> {
        let (kernel, m) = (self.gaussian(rows)?, self.n_features);
        match self.kernel {
            ComponentKernel::Fourier => KernelMap::fourier(kernel, rows.n_columns(), m, seed),
            ComponentKernel::Nystroem => KernelMap::nystroem(kernel, rows, m, seed),
            _ => KernelMap::nystroem(kernel, rows, rows.n_rows(), seed),
        }
    }
}

/// Rows that are mapped at a time, so that no more than `F` is held of what has a row for each of the data.
pub(super) const BLOCK: usize = 4096;

pub(super) fn blocks(n: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n)
        .step_by(BLOCK)
        .map(move |start| start..(start + BLOCK).min(n))
}

/// The rows `block` of `x`, mapped.
fn mapped(
    map: &KernelMap,
    x: &Array2<f64>,
    block: Range<usize>,
) -> Result<Array2<f64>, TransferError> {
    map.map(&Features::Dense(x.slice(s![block, ..]).to_owned()))
}

/// `φ(X) A`.
pub(super) fn mapped_times(
    map: &KernelMap,
    x: &Array2<f64>,
    a: &Array2<f64>,
) -> Result<Array2<f64>, TransferError> {
    let mut product = Array2::zeros((x.nrows(), a.ncols()));
    for block in blocks(x.nrows()) {
        let part = matmul(&mapped(map, x, block.clone())?, a)?;
        product.slice_mut(s![block, ..]).assign(&part);
    }
    Ok(product)
}

/// `V diag(s)` with the thin decomposition `φ(X) = U diag(s) Vᵀ`, and `F = φ(X) V diag(s)`. From the eigenvalues `s²` of
/// `φ(X)ᵀ φ(X)`, whose rounding is that of `F`, for its columns have the length `s²`.
fn dual(map: &KernelMap, x: &Array2<f64>) -> Result<(Array2<f64>, Array2<f64>), TransferError> {
    let mut products = Array2::zeros((map.n_features(), map.n_features()));
    for block in blocks(x.nrows()) {
        products += &gram(&mapped(map, x, block)?);
    }
    let eigen = eigh(&products)?;
    let first = lost_in_rounding(&eigen.values, x.nrows().max(map.n_features()));
    let lengths = eigen.values.slice(s![first..]).mapv(f64::sqrt);
    let right = &eigen.vectors.slice(s![.., first..]) * &lengths;
    let right = right.as_standard_layout().into_owned();
    let f = mapped_times(map, x, &right)?;
    Ok((right, f))
}
