//! What happens to each row, or each value, by itself: nothing is fitted.

use translearn_core::{Features, TransferError, images_were_refused};

/// Divides each row by the sum of its absolute values; a row of zeros stays.
pub(crate) fn scale_rows_l1(x: &mut Features) {
    scale_rows(x, |row| row.map(f64::abs).sum());
}

/// Divides each row by its Euclidean length; a row of zeros stays.
pub(crate) fn scale_rows_l2(x: &mut Features) {
    scale_rows(x, |row| row.map(|value| value * value).sum::<f64>().sqrt());
}

/// `length` must be homogeneous: twice the row, twice the length.
fn scale_rows(x: &mut Features, length: impl Fn(&mut dyn Iterator<Item = f64>) -> f64) {
    match x {
        Features::Dense(x) => {
            for mut row in x.rows_mut() {
                scale_row(row.iter_mut(), &length);
            }
        }
        Features::Sparse(x) => {
            for mut row in x.outer_iterator_mut() {
                scale_row(row.iter_mut().map(|(_, value)| value), &length);
            }
        }
        Features::Images(_) => images_were_refused(),
    }
}

fn scale_row<'a>(
    row: impl Iterator<Item = &'a mut f64>,
    length: impl Fn(&mut dyn Iterator<Item = f64>) -> f64,
) {
    let mut row: Vec<&mut f64> = row.collect();
    let mut norm = length(&mut row.iter().map(|value| **value));
    if !(1e-140..=1e140).contains(&norm) {
        // Squares may have over- or underflowed, or the row is zero: bring its largest value to 1 and measure again.
        let largest = row
            .iter()
            .fold(0.0, |largest: f64, value| largest.max(value.abs()));
        if largest == 0.0 {
            return;
        }
        row.iter_mut().for_each(|value| **value /= largest);
        norm = length(&mut row.iter().map(|value| **value));
    }
    row.iter_mut().for_each(|value| **value /= norm);
}

/// Applies a function with f(0) = 0 to every value; sparse stays sparse.
///
/// # Errors
/// [`TransferError::Unsupported`], in the name of `step`, at the first value for which `f` is `None`.
pub(crate) fn try_map_stored(
    x: &Features,
    step: &str,
    needs: &str,
    f: impl Fn(f64) -> Option<f64>,
) -> Result<Features, TransferError> {
    let refuse = |row: usize, column: usize, value: f64| TransferError::Unsupported {
        method: step.to_owned(),
        needs: needs.to_owned(),
        has: format!("{value} in row {row}, column {column}"),
    };
    x.check_vectors(step)?;
    let mut out = x.clone();
    match &mut out {
        Features::Dense(x) => {
            for ((row, column), value) in x.indexed_iter_mut() {
                *value = f(*value).ok_or_else(|| refuse(row, column, *value))?;
            }
        }
        Features::Sparse(x) => {
            for (row, mut values) in x.outer_iterator_mut().enumerate() {
                for (column, value) in values.iter_mut() {
                    *value = f(*value).ok_or_else(|| refuse(row, column, *value))?;
                }
            }
        }
        Features::Images(_) => images_were_refused(),
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    #[test]
    fn extreme_rows_keep_their_direction() {
        for scale in [1e-320, 1e-200, 1.0, 1e200, 1e308] {
            let mut x = Features::from(array![[0.75 * scale, -scale], [0.0, 0.0]]);
            scale_rows_l2(&mut x);
            let x = x.dense().unwrap().into_owned();
            assert!(
                (x[[0, 0]] - 0.6).abs() < 1e-3 && (x[[0, 1]] + 0.8).abs() < 1e-3,
                "{scale:e}: {x}"
            );
            assert_eq!((x[[1, 0]], x[[1, 1]]), (0.0, 0.0));
        }
    }

    proptest! {
        #[test]
        fn rows_have_length_one_or_zero(values in prop::collection::vec(prop_oneof![Just(0.0), -9.0..9.0_f64], 12)) {
            let dense = Features::from(Array2::from_shape_vec((4, 3), values).unwrap());
            for power in [1, 2] {
                let scale = if power == 1 { scale_rows_l1 } else { scale_rows_l2 };
                let (mut a, mut b) = (dense.clone(), Features::Sparse(dense.to_sparse().unwrap().into_owned()));
                scale(&mut a);
                scale(&mut b);
                prop_assert!(b.is_sparse());
                prop_assert_eq!(a.dense().unwrap(), b.dense().unwrap());
                for (row, given) in a.dense().unwrap().rows().into_iter().zip(dense.dense().unwrap().rows()) {
                    let length: f64 = row.iter().map(|v| v.abs().powi(power)).sum();
                    let expected = if given.iter().all(|&v| v == 0.0) { 0.0 } else { 1.0 };
                    prop_assert!((length - expected).abs() < 1e-12);
                    // The direction stays: cross products of two columns vanish.
                    prop_assert!((row[0] * given[1] - row[1] * given[0]).abs() < 1e-9);
                }
            }
        }
    }
}
