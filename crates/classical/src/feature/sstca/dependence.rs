//! How far components depend on the labels.

use ndarray::{Array1, Array2, Axis, s};
use translearn_core::{
    Features, Labels, TransferError,
    kernel::Kernel,
    linalg::{gram, matmul},
};

/// Labelled rows whose kernel with all the others is held at a time.
const BLOCK: usize = 256;

/// `(H F)ᵀ K_yy (H F)` with the kernel of the labels: between equal classes 1 and between others 0, or `exp(-γ (y - y')²)`
/// of values with `γ` by the median heuristic; 0 for a row without a label. `labelled` are the rows of `F` that `labels`
/// belong to.
pub(super) fn dependence(
    f: &Array2<f64>,
    labelled: &[usize],
    labels: &Labels,
    n_classes: usize,
) -> Result<Array2<f64>, TransferError> {
    let mean = f.mean_axis(Axis(0)).unwrap_or_default();
    match labels {
        Labels::Classes(codes) => {
            // The kernel is Y Yᵀ with a column of zeros and ones per class.
            let mut sums = Array2::<f64>::zeros((n_classes, f.ncols()));
            for (&row, &class) in labelled.iter().zip(codes) {
                let mut sum = sums.row_mut(class);
                sum += &(&f.row(row) - &mean);
            }
            Ok(gram(&sums))
        }
        Labels::Values(values) => {
            let centred = f.select(Axis(0), labelled) - &mean;
            let column = |values: Array1<f64>| Features::Dense(values.insert_axis(Axis(1)));
            let all = column(values.clone());
            // Between equal values any width says the same.
            let gamma = values
                .iter()
                .all(|value| *value == values[0])
                .then_some(1.0);
            let kernel = Kernel::Rbf { gamma }.resolve(&[&all])?;
            let mut sum = Array2::zeros((f.ncols(), f.ncols()));
            for start in (0..values.len()).step_by(BLOCK) {
                let block = start..(start + BLOCK).min(values.len());
                let some = column(values.slice(s![block.clone()]).to_owned());
                let reached = matmul(&kernel.matrix(&some, &all)?, &centred)?;
                sum += &matmul(&centred.slice(s![block, ..]).t(), &reached)?;
            }
            Ok((&sum + &sum.t()) * 0.5)
        }
    }
}
