//! What target rows without a label add to feature augmentation: the parts of the domains should agree about them.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, TransferError,
    linalg::{matmul, svd_thin},
};

/// `G_μ = (I + λ μ S)^{-1/2}`, where `S` is the sum of `x xᵀ` over the rows without a label, by its eigenvectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Agreement {
    /// Eigenvectors of `S`, one per column; on what is orthogonal to them it is 0.
    vectors: Array2<f64>,
    /// The roots of `λ` times their eigenvalues.
    roots: Array1<f64>,
}

impl Agreement {
    /// Of rows `x` and the weight `λ`; `None` where it asks for nothing.
    pub(super) fn of(rows: &Features, lambda: f64) -> Result<Option<Self>, TransferError> {
        if lambda == 0.0 || rows.n_rows() == 0 {
            return Ok(None);
        }
        let svd = svd_thin(&*rows.dense()?)?;
        Ok(Some(Self {
            vectors: svd.v,
            roots: svd.values * lambda.sqrt(),
        }))
    }

    /// `(G_μ - I) x` for each row.
    fn shrunk(&self, rows: &Array2<f64>, mu: f64) -> Result<Array2<f64>, TransferError> {
        let along = matmul(rows, &self.vectors)?;
        // Without the square of a root, which may be out of range.
        let less = self
            .roots
            .mapv(|root| 1.0 / f64::hypot(1.0, mu.sqrt() * root) - 1.0);
        Ok(matmul(&(along * less), &self.vectors.t())?)
    }

    /// What is added to the own blocks of rows, block by block, for rows that are of each domain by these shares: those
    /// of the sources, then that of the target.
    ///
    /// Every source's part is tied to the target's: over the domains, the penalty's matrix is that of a star, whose
    /// eigenvalues are 0 (all alike), 1 (sources that differ, the target as their mean) and `m + 1` (the target against
    /// the sources).
    pub(super) fn correction(
        &self,
        rows: &Features,
        shares: &Array1<f64>,
    ) -> Result<Vec<Array2<f64>>, TransferError> {
        let x = rows.dense()?;
        let n = shares.len() as f64;
        let apart = shares.sum() / n - shares[shares.len() - 1];
        // The share along (1, …, 1, -m), and what is left beside that and the mean.
        let against =
            Array1::from_shape_fn(shares.len(), |domain| match domain + 1 == shares.len() {
                false => apart / (n - 1.0),
                true => -apart,
            });
        let among = shares - shares.sum() / n - &against;
        let (of_among, of_against) = (self.shrunk(&x, 1.0)?, self.shrunk(&x, n)?);
        let block = |domain: usize| &of_among * among[domain] + &of_against * against[domain];
        Ok((0..shares.len()).map(block).collect())
    }
}
