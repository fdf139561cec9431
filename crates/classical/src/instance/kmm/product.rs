//! Products with a kernel matrix of which only a piece is ever there.

use ndarray::{Array1, Axis};
use translearn_core::{Features, TransferError, kernel::ResolvedKernel};

/// Entries of the matrix that are held at a time.
const PIECE: usize = 1 << 22;

/// `Σ_j k(x_i, y_j) weights_j` for each row `x_i`; what weighs nothing costs nothing.
pub(super) fn kernel_product(
    kernel: &ResolvedKernel,
    x: &Features,
    y: &Features,
    weights: &Array1<f64>,
) -> Result<Array1<f64>, TransferError> {
    let rows: Vec<usize> = (0..weights.len()).filter(|&j| weights[j] != 0.0).collect();
    let mut product = Array1::zeros(x.n_rows());
    for piece in rows.chunks((PIECE / x.n_rows().max(1)).max(1)) {
        let values = kernel.matrix(x, &y.select_rows(piece))?;
        product += &values.dot(&weights.select(Axis(0), piece));
    }
    Ok(product)
}
