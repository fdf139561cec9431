//! Components whose dual coefficients are penalised row by row.

use ndarray::{Array1, Array2, Axis, s};
use translearn_core::{
    TransferError,
    linalg::{eigh, gram, lost_in_rounding, matmul, solve},
};

use super::super::components::centred;

/// The problem `min tr(Aᵀ (K M K + λ G) A)` with `Aᵀ K H K A = I`, for `K = Φ Φᵀ` and `M = E Eᵀ`, whose diagonal `G` changes
/// from round to round. Nothing of size `n x n` is formed.
#[derive(Debug)]
pub(super) struct Matching {
    /// `Φ R` with `Φᵀ H Φ = R Rᵀ`, so that `K H K` is this times its transpose.
    pub(super) spread: Array2<f64>,
    /// `K E`.
    pub(super) gaps: Array2<f64>,
    pub(super) n_source: usize,
    pub(super) lambda: f64,
}

impl Matching {
    pub(super) fn new(
        phi: &Array2<f64>,
        indicators: &Array2<f64>,
        n_source: usize,
        lambda: f64,
    ) -> Result<Self, TransferError> {
        let eigen = eigh(&gram(&centred(phi)))?;
        // Measured by the rows as they were: where they are all alike, what centring leaves is rounding.
        let least = phi.nrows().max(phi.ncols()) as f64
            * f64::EPSILON
            * phi.iter().map(|v| v * v).sum::<f64>();
        let first = eigen.values.iter().filter(|&&v| v <= least).count();
        let scale = eigen.values.slice(s![first..]).mapv(f64::sqrt);
        let root = &eigen.vectors.slice(s![.., first..]) * &scale;
        Ok(Self {
            spread: matmul(phi, &root)?,
            gaps: matmul(phi, &matmul(&phi.t(), indicators)?)?,
            n_source,
            lambda,
        })
    }

    /// `A` of `k` columns for `G` given by its inverse, so that a row that costs without bound is a zero. `None` where too
    /// few rows are left for `k` components.
    ///
    /// With `B = K M K + λ G` and `S` the spread, the solutions are `B⁻¹ S v / μ` for the `k` largest `μ` of `Sᵀ B⁻¹ S v = μ v`;
    /// `B` is diagonal plus a few columns, so its inverse is known (Woodbury).
    pub(super) fn components(
        &self,
        inverse: &Array1<f64>,
        k: usize,
    ) -> Result<Option<Array2<f64>>, TransferError> {
        let inverse = (inverse / self.lambda).insert_axis(Axis(1));
        let spread = &self.spread * &inverse;
        let gaps = &self.gaps * &inverse;
        let capacity = matmul(&self.gaps.t(), &gaps)? + Array2::<f64>::eye(self.gaps.ncols());
        let inner = solve(&capacity, &matmul(&self.gaps.t(), &spread)?)?;
        let solved = spread - matmul(&gaps, &inner)?;
        let projected = matmul(&self.spread.t(), &solved)?;
        let eigen = eigh(&((&projected + &projected.t()) * 0.5))?;
        if eigen.values.len() - lost_in_rounding(&eigen.values, solved.nrows()) < k {
            return Ok(None);
        }
        let (values, vectors) = eigen.largest(k)?;
        Ok(Some(matmul(&solved, &vectors)? / &values))
    }

    /// `tr(Aᵀ K M K A) + λ (Σ_source ‖a_i‖ + Σ_target ‖a_i‖²)`.
    pub(super) fn objective(&self, a: &Array2<f64>) -> Result<f64, TransferError> {
        let gaps = matmul(&self.gaps.t(), a)?;
        let squares = a.map_axis(Axis(1), |row| row.dot(&row));
        let source = squares.slice(s![..self.n_source]).mapv(f64::sqrt).sum();
        let target = squares.slice(s![self.n_source..]).sum();
        Ok(gaps.iter().map(|v| v * v).sum::<f64>() + self.lambda * (source + target))
    }

    /// The inverse of `G`: `2‖a_i‖` on source rows, 1 on target rows.
    pub(super) fn inverse_penalties(&self, a: &Array2<f64>) -> Array1<f64> {
        let mut inverse = a.map_axis(Axis(1), |row| 2.0 * row.dot(&row).sqrt());
        inverse.slice_mut(s![self.n_source..]).fill(1.0);
        inverse
    }
}
