//! Kernels on dense and sparse rows, the median heuristic for their width, and finite maps in place of large matrices
//! ([`KernelMap`]).
//!
//! | name | `k(x, y)` | parameters |
//! |---|---|---|
//! | `linear` | `xᵀy` | |
//! | `rbf` | `exp(-γ ‖x - y‖²)` | `gamma`: median heuristic |
//! | `polynomial` | `(γ xᵀy + c₀)^p` | `degree` p: 3; `gamma`: 1 / number of columns; `coef0` c₀: 1 |
//! | `laplacian` | `exp(-γ Σ_c |x_c - y_c|)` | `gamma`: median heuristic |
//! | `cosine` | `xᵀy / (‖x‖ ‖y‖)`, 0 for a row of zeros | |
//!
//! **Median heuristic.** `γ = 1 / median`, the median taken over the distances in the exponent (squared Euclidean for
//! `rbf`, Manhattan for `laplacian`) between all pairs of different rows of the pooled tables, pairs at distance 0 left
//! out. Of more than [`MEDIAN_ROWS`] pooled rows, that many are drawn with a fixed seed, so that the answer depends on
//! the data alone. (Gretton et al., JMLR 13, 2012, use the median of the pooled sample as the width; conventions for the
//! factor differ, which is why it is stated here.)
//!
//! ```
//! use ndarray::array;
//! use translearn_core::{Features, kernel::{Kernel, ResolvedKernel}};
//!
//! let x = Features::from(array![[0.0], [1.0], [3.0]]);
//! let kernel = Kernel::Rbf { gamma: None }.resolve(&[&x])?;
//! assert_eq!(kernel, ResolvedKernel::Rbf { gamma: 0.25 }); // the median of 1, 4 and 9 is 4
//! assert_eq!(kernel.gram(&x)?[[0, 1]], (-0.25_f64).exp());
//! # Ok::<(), translearn_core::TransferError>(())
//! ```

mod finite;
mod median;
mod parse;
#[cfg(test)]
mod tests;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

pub use finite::KernelMap;
use median::median_gamma;
pub use median::{MEDIAN_ROWS, median};

use crate::distance::{
    cosine_similarities, cosine_similarities_within, inner_products, inner_products_within,
    manhattan_distances, squared_distances, squared_distances_within,
};
use crate::exponential::exp_scaled;
use crate::{Features, TransferError};

/// A kernel as it is asked for; what is `None` is chosen from the data by [`Kernel::resolve`].
///
/// In a file it is a word, `"rbf"`, or a word with parameters, `{"rbf": {"gamma": 0.5}}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernel {
    /// `xᵀy`.
    Linear,
    /// `exp(-γ ‖x - y‖²)`.
    Rbf {
        /// γ, above 0; `None`: the median heuristic.
        gamma: Option<f64>,
    },
    /// `(γ xᵀy + c₀)^p`.
    Polynomial {
        /// p, at least 1.
        degree: u32,
        /// γ, above 0; `None`: 1 / number of columns.
        gamma: Option<f64>,
        /// c₀, at least 0 (below 0 the kernel would not be positive semi-definite).
        coef0: f64,
    },
    /// `exp(-γ Σ_c |x_c - y_c|)`.
    Laplacian {
        /// γ, above 0; `None`: the median heuristic.
        gamma: Option<f64>,
    },
    /// `xᵀy / (‖x‖ ‖y‖)`.
    Cosine,
}

impl Kernel {
    /// The words for all kernels, in the order of the table above.
    pub const NAMES: [&'static str; 5] = ["linear", "rbf", "polynomial", "laplacian", "cosine"];

    /// The same kernel with this γ; `linear` and `cosine` have none and stay as they are.
    #[must_use]
    pub fn with_gamma(mut self, value: Option<f64>) -> Self {
        match &mut self {
            Self::Rbf { gamma } | Self::Polynomial { gamma, .. } | Self::Laplacian { gamma } => {
                *gamma = value;
            }
            Self::Linear | Self::Cosine => {}
        }
        self
    }

    /// Checks the parameters and fixes γ where it was left open, from the rows of all `tables` together.
    ///
    /// # Errors
    /// [`TransferError::InvalidParameter`]; and where γ is chosen from the data, [`TransferError::FeatureMismatch`],
    /// [`TransferError::NotFinite`], [`TransferError::TooFewRows`] below two rows, and [`TransferError::Unsupported`]
    /// when no two of the rows differ, for then there is no median distance to go by.
    pub fn resolve(&self, tables: &[&Features]) -> Result<ResolvedKernel, TransferError> {
        match *self {
            Self::Linear => Ok(ResolvedKernel::Linear),
            Self::Cosine => Ok(ResolvedKernel::Cosine),
            Self::Rbf { gamma } => {
                let gamma = match gamma {
                    Some(gamma) => gamma,
                    None => median_gamma(tables, squared_distances_within)?,
                };
                Ok(ResolvedKernel::Rbf {
                    gamma: positive(gamma)?,
                })
            }
            Self::Laplacian { gamma } => {
                let gamma = match gamma {
                    Some(gamma) => gamma,
                    None => median_gamma(tables, |x| manhattan_distances(x, x))?,
                };
                Ok(ResolvedKernel::Laplacian {
                    gamma: positive(gamma)?,
                })
            }
            Self::Polynomial {
                degree,
                gamma,
                coef0,
            } => {
                check("degree", degree >= 1, degree, "integer ≥ 1")?;
                check("coef0", coef0 >= 0.0 && coef0.is_finite(), coef0, "[0, ∞)")?;
                let columns = tables.first().map_or(1, |x| x.n_columns().max(1));
                let gamma = positive(gamma.unwrap_or(1.0 / columns as f64))?;
                Ok(ResolvedKernel::Polynomial {
                    degree,
                    gamma,
                    coef0,
                })
            }
        }
    }
}

fn positive(gamma: f64) -> Result<f64, TransferError> {
    check("gamma", gamma > 0.0 && gamma.is_finite(), gamma, "(0, ∞)")?;
    Ok(gamma)
}

fn check(name: &str, holds: bool, value: impl ToString, range: &str) -> Result<(), TransferError> {
    if holds {
        return Ok(());
    }
    Err(TransferError::InvalidParameter {
        name: name.to_owned(),
        value: value.to_string(),
        range: range.to_owned(),
    })
}

/// A kernel with all its parameters fixed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum ResolvedKernel {
    /// `xᵀy`.
    Linear,
    /// `exp(-γ ‖x - y‖²)`.
    Rbf {
        /// γ.
        gamma: f64,
    },
    /// `(γ xᵀy + c₀)^p`.
    Polynomial {
        /// p.
        degree: u32,
        /// γ.
        gamma: f64,
        /// c₀.
        coef0: f64,
    },
    /// `exp(-γ Σ_c |x_c - y_c|)`.
    Laplacian {
        /// γ.
        gamma: f64,
    },
    /// `xᵀy / (‖x‖ ‖y‖)`.
    Cosine,
}

impl ResolvedKernel {
    /// γ, where the kernel has one.
    pub fn gamma(&self) -> Option<f64> {
        match *self {
            Self::Rbf { gamma } | Self::Polynomial { gamma, .. } | Self::Laplacian { gamma } => {
                Some(gamma)
            }
            Self::Linear | Self::Cosine => None,
        }
    }

    /// `k(x_i, y_j)` for each row of `x` (`n x d`) and of `y` (`m x d`): `n x m`.
    ///
    /// Costs `n·m·d` multiplications for dense tables, and the columns that two rows share for sparse ones.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] and [`TransferError::NotFinite`].
    pub fn matrix(&self, x: &Features, y: &Features) -> Result<Array2<f64>, TransferError> {
        let values = match self {
            Self::Linear | Self::Polynomial { .. } => inner_products(x, y)?,
            Self::Rbf { .. } => squared_distances(x, y)?,
            Self::Laplacian { .. } => manhattan_distances(x, y)?,
            Self::Cosine => cosine_similarities(x, y)?,
        };
        Ok(self.finish(values))
    }

    /// `k(x_i, x_j)` for the rows of one table, exactly symmetric, at less cost than [`ResolvedKernel::matrix`].
    ///
    /// # Errors
    /// [`TransferError::NotFinite`].
    pub fn gram(&self, x: &Features) -> Result<Array2<f64>, TransferError> {
        let values = match self {
            Self::Linear | Self::Polynomial { .. } => inner_products_within(x)?,
            Self::Rbf { .. } => squared_distances_within(x)?,
            Self::Laplacian { .. } => manhattan_distances(x, x)?,
            Self::Cosine => cosine_similarities_within(x)?,
        };
        Ok(self.finish(values))
    }

    fn finish(&self, mut values: Array2<f64>) -> Array2<f64> {
        match *self {
            Self::Linear | Self::Cosine => {}
            Self::Rbf { gamma } | Self::Laplacian { gamma } => {
                exp_scaled(&mut values, -gamma);
            }
            Self::Polynomial {
                degree,
                gamma,
                coef0,
            } => {
                // Beyond i32 the power is 0, 1 or infinite all the same.
                let degree = i32::try_from(degree).unwrap_or(i32::MAX);
                values.par_mapv_inplace(|product| (gamma * product + coef0).powi(degree));
            }
        }
        values
    }
}
