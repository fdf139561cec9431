//! Dense linear algebra over `ndarray`, in pure Rust.
//!
//! | function | gives |
//! |---|---|
//! | [`matmul`], [`gram`], [`covariance`] | products |
//! | [`covariance_ledoit_wolf`] | a covariance that is well-conditioned whatever the number of rows |
//! | [`eigh`], [`eigh_largest`], [`eigh_largest_of`], [`eigh_generalized`] | symmetric eigenproblems `A v = λ v` and `A v = λ B v` |
//! | [`tridiagonalize`] | eigenvalues and forms `bᵀ(A + s I)⁻¹ b` without eigenvectors |
//! | [`svd_thin`], [`lstsq`] | `A = U diag(s) Vᵀ`, least squares of minimum norm |
//! | [`cholesky`], [`cholesky_solve`], [`lu`], [`solve`] | linear systems |
//! | [`sqrtm_spd`], [`inv_sqrtm_spd`] | symmetric square roots |
//! | [`orthonormalize`], [`unit_columns`] | column scalings |
//!
//! Arguments are `ndarray` arrays or views of any memory layout; results are in standard (row-major) layout. faer does
//! the work and appears in no signature.
//!
//! # Determinism
//! The same input gives the same bits, whatever the number of threads and whatever runs beside it. Decompositions run
//! on one thread, because the bits of a parallel one would change with the number of threads; run independent ones
//! side by side with `rayon::join`. Products are cut into blocks by the shapes alone, each block is computed on one
//! thread, and the blocks run in parallel.
//!
//! # Signs
//! An eigenvector or a pair of singular vectors is defined up to its sign. Here the entry of largest magnitude, the
//! first of them on ties, is positive.
//!
//! ```
//! use ndarray::array;
//! use translearn_core::linalg::eigh;
//!
//! let eigen = eigh(&array![[2.0, 1.0], [1.0, 2.0]])?;
//! assert!((eigen.values[0] - 1.0).abs() < 1e-14 && (eigen.values[1] - 3.0).abs() < 1e-14);
//! # Ok::<(), translearn_core::linalg::LinalgError>(())
//! ```

mod bridge;
mod cholesky;
mod columns;
mod eigen;
mod error;
mod moments;
mod partial;
mod product;
mod shrinkage;
mod solve;
mod svd;
#[cfg(test)]
mod tests;
mod tridiagonal;

pub use cholesky::{Cholesky, cholesky, cholesky_solve};
pub use columns::{orthonormalize, unit_columns};
pub use eigen::{Eigh, eigh, eigh_generalized, inv_sqrtm_spd, lost_in_rounding, sqrtm_spd};
pub use error::LinalgError;
pub use moments::Moments;
pub use partial::{eigh_largest, eigh_largest_of};
pub(crate) use product::rows_by_rows;
pub use product::{column_means, covariance, gram, matmul};
pub use shrinkage::covariance_ledoit_wolf;
pub use solve::{Lu, lu, solve};
pub use svd::{Svd, lstsq, svd_thin};
pub use tridiagonal::{Tridiagonal, tridiagonalize};
