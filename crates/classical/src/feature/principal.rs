//! Principal components of one sample.

use ndarray::{Array1, Array2, s};
use translearn_core::{
    TransferError,
    linalg::{column_means, eigh, gram, matmul, unit_columns},
};

/// Mean and leading principal directions of a sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PrincipalComponents {
    /// Column means.
    pub(crate) mean: Array1<f64>,
    /// `d x k`, orthonormal columns, by falling variance.
    pub(crate) directions: Array2<f64>,
    /// How many of the directions have a variance above rounding; those beyond are arbitrary.
    pub(crate) rank: usize,
}

impl PrincipalComponents {
    /// The first `k` directions.
    pub(crate) fn leading(&self, k: usize) -> Array2<f64> {
        self.directions.slice(s![.., ..k]).to_owned()
    }
}

/// The `k` directions of largest variance of `x` (`n x d`), from the smaller of the two Gram matrices.
pub(crate) fn principal_components(
    x: &Array2<f64>,
    k: usize,
    what: &str,
) -> Result<PrincipalComponents, TransferError> {
    let Some(mean) = column_means(x).filter(|_| x.nrows() >= 2) else {
        return Err(TransferError::TooFewRows {
            what: what.to_owned(),
            rows: x.nrows(),
            needed: 2,
        });
    };
    let most = x.ncols().min(x.nrows() - 1);
    if k == 0 || k > most {
        return Err(TransferError::InvalidParameter {
            name: "n_components".to_owned(),
            value: k.to_string(),
            range: format!(
                "integer in [1, {most}] ({what} is {} x {})",
                x.nrows(),
                x.ncols()
            ),
        });
    }
    let centred = x - &mean;
    let (scatter, directions) = if x.ncols() <= x.nrows() {
        eigh(&gram(&centred))?.largest(k)?
    } else {
        let (scatter, left) = eigh(&gram(&centred.t()))?.largest(k)?;
        let mut directions = matmul(&centred.t(), &left)?;
        unit_columns(&mut directions);
        (scatter, directions)
    };
    let least = x.nrows().max(x.ncols()) as f64 * f64::EPSILON * scatter[0];
    Ok(PrincipalComponents {
        mean,
        directions,
        rank: scatter.iter().take_while(|&&value| value > least).count(),
    })
}
