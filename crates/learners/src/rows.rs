//! Rows one at a time, for models that answer row by row.

use ndarray::{Array2, Axis, parallel::prelude::*};
use translearn_core::{Features, images_were_refused};

/// Rows handed to one thread at a time.
const BLOCK: usize = 128;

/// Fills row `i` of an `n x n_outputs` matrix of zeros by `answer(row i, output row i)`, in parallel over blocks of rows.
///
/// A sparse row is unpacked into a buffer of one row, so the matrix is never made dense.
pub(crate) fn map_rows(
    features: &Features,
    n_outputs: usize,
    answer: impl Fn(&[f64], &mut [f64]) + Sync,
) -> Array2<f64> {
    let mut out = Array2::zeros((features.n_rows(), n_outputs));
    if n_outputs == 0 {
        return out;
    }
    out.axis_chunks_iter_mut(Axis(0), BLOCK)
        .into_par_iter()
        .enumerate()
        .for_each(|(block, mut rows)| {
            let mut buffer = vec![0.0; features.n_columns()];
            for (offset, mut output) in rows.outer_iter_mut().enumerate() {
                let Some(output) = output.as_slice_mut() else {
                    continue;
                };
                with_row(features, block * BLOCK + offset, &mut buffer, |row| {
                    answer(row, output);
                });
            }
        });
    out
}

/// Shows one row as a slice; `buffer` holds zeros before and after.
fn with_row(features: &Features, index: usize, buffer: &mut [f64], show: impl FnOnce(&[f64])) {
    match features {
        Features::Dense(x) => {
            let row = x.row(index);
            match row.as_slice() {
                Some(row) => show(row),
                None => show(&row.to_vec()),
            }
        }
        Features::Sparse(x) => {
            let Some(row) = x.outer_view(index) else {
                return;
            };
            for (column, &value) in row.iter() {
                buffer[column] = value;
            }
            show(buffer);
            for &column in row.indices() {
                buffer[column] = 0.0;
            }
        }
        Features::Images(_) => images_were_refused(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, ShapeBuilder};

    #[test]
    fn every_storage_gives_the_same_rows() {
        let by_rows = Array2::from_shape_fn((300, 3), |(i, j)| {
            if (i + j) % 3 == 0 {
                0.0
            } else {
                (i * 3 + j) as f64
            }
        });
        let mut by_columns = Array2::zeros((300, 3).f());
        by_columns.assign(&by_rows);
        let sparse = Features::Sparse(
            Features::from(by_rows.clone())
                .to_sparse()
                .unwrap()
                .into_owned(),
        );
        for features in [
            Features::from(by_rows.clone()),
            Features::from(by_columns),
            sparse,
        ] {
            let copied = map_rows(&features, 3, |row, out| out.copy_from_slice(row));
            assert_eq!(copied, by_rows);
        }
    }
}
