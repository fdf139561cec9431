//! Columns as two views, each about as good as the other.

use ndarray::{Array1, Array2, Axis};
use translearn_core::{Features, TransferError};

/// A column with a smaller share of its variance between classes tells nothing about them.
const NOTHING: f64 = 1e-12;

/// The share of the variance of each column that lies between classes, `Σ_c n_c (m_c - m)² / Σ_i (x_i - m)²`: the
/// squared correlation ratio; 0 where nothing varies.
pub(super) fn correlation_ratios(
    rows: &Features,
    classes: &Array1<usize>,
    n_classes: usize,
) -> Result<Array1<f64>, TransferError> {
    let n = rows.n_rows() as f64;
    let mut largest = Array1::<f64>::zeros(rows.n_columns());
    let mut stored = Array1::<f64>::zeros(rows.n_columns());
    for_each_entry(rows, |_, column, value| {
        largest[column] = largest[column].max(value.abs());
        stored[column] += 1.0;
    })?;
    // Columns with values up to 1 have squares within range.
    let unit = largest.mapv(|v| if v > 0.0 { v } else { 1.0 });
    let mut sums = Array2::<f64>::zeros((n_classes, rows.n_columns()));
    for_each_entry(rows, |row, column, value| {
        sums[[classes[row], column]] += value / unit[column];
    })?;
    let mut counts = Array1::<f64>::zeros(n_classes);
    classes.iter().for_each(|&class| counts[class] += 1.0);
    let mean = sums.sum_axis(Axis(0)) / n;
    // What is not stored is 0.
    let mut total = (n - &stored) * &mean * &mean;
    for_each_entry(rows, |_, column, value| {
        total[column] += (value / unit[column] - mean[column]).powi(2);
    })?;
    let between = |column: usize| -> f64 {
        let of_class = sums
            .column(column)
            .into_iter()
            .zip(&counts)
            .filter(|&(_, &count)| count > 0.0);
        of_class
            .map(|(sum, count)| count * (sum / count - mean[column]).powi(2))
            .sum()
    };
    let ratio = |column: usize| match total[column] > n * NOTHING * NOTHING {
        true => between(column) / total[column],
        false => 0.0,
    };
    Ok((0..rows.n_columns()).map(ratio).collect())
}

/// The columns that tell classes apart in two views, dealt out by their ratio as 1, 2, 2, 1, 1, 2, …, so that both get
/// as much.
pub(super) fn deal(ratios: &Array1<f64>) -> [Vec<usize>; 2] {
    let mut order: Vec<usize> = (0..ratios.len())
        .filter(|&column| ratios[column] > NOTHING)
        .collect();
    order.sort_by(|&a, &b| ratios[b].total_cmp(&ratios[a]));
    let view = |wanted: bool| {
        let places = order.iter().enumerate();
        let own = places.filter(|(place, _)| matches!(place % 4, 1 | 2) == wanted);
        let mut columns: Vec<usize> = own.map(|(_, &column)| column).collect();
        columns.sort_unstable();
        columns
    };
    [view(false), view(true)]
}

/// Every stored value with its row and column.
fn for_each_entry(
    rows: &Features,
    mut visit: impl FnMut(usize, usize, f64),
) -> Result<(), TransferError> {
    if let Features::Sparse(sparse) = rows {
        sparse
            .iter()
            .for_each(|(&value, (row, column))| visit(row, column, value));
        return Ok(());
    }
    let dense = rows.dense()?;
    dense
        .indexed_iter()
        .for_each(|((row, column), &value)| visit(row, column, value));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;
    use translearn_core::seed;

    proptest! {
        #[test]
        fn ratios_are_those_of_the_analysis_of_variance(
            n in 3usize..20,
            n_classes in 1usize..4,
            exponent in -100i32..100,
            seed in 0u64..1000,
        ) {
            let mut rng = seed::rng(seed);
            let scale = 10.0_f64.powi(exponent);
            // Zeros among the values, a column of a constant and one of zeros.
            let x = Array2::from_shape_fn((n, 4), |(_, column)| match column {
                2 => 0.1 * scale,
                3 => 0.0,
                _ => scale * (rng.below(4) as f64 * (1.0 + rng.normal())),
            });
            let classes = Array1::from_shape_simple_fn(n, || rng.below(n_classes));
            let ratios = correlation_ratios(&x.clone().into(), &classes, n_classes).unwrap();
            let sparse = Features::Sparse(Features::from(x.clone()).to_sparse().unwrap().into_owned());
            let of_sparse = correlation_ratios(&sparse, &classes, n_classes).unwrap();
            for column in 0..4 {
                let values: Vec<f64> = x.column(column).iter().map(|v| v / scale).collect();
                let mean = values.iter().sum::<f64>() / n as f64;
                let all: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
                // By what is left within the classes.
                let within: f64 = (0..n_classes).map(|class| {
                    let own: Vec<f64> = (0..n).filter(|&row| classes[row] == class).map(|row| values[row]).collect();
                    let mean = own.iter().sum::<f64>() / own.len().max(1) as f64;
                    own.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
                }).sum();
                let expected = if column < 2 && all > 1e-9 { 1.0 - within / all } else { 0.0 };
                prop_assert!((ratios[column] - expected).abs() < 1e-9, "{} {}", ratios[column], expected);
                prop_assert!((of_sparse[column] - expected).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn columns_are_dealt_by_what_they_tell() {
        let ratios = array![0.1, 0.9, 0.0, 0.5, 0.4, 1e-14, 0.3];
        // In order 1, 3, 4, 6, 0.
        assert_eq!(deal(&ratios), [vec![0, 1, 6], vec![3, 4]]);
    }
}
