//! Covariances that are well-conditioned whatever the number of rows.

use ndarray::{Array2, ArrayBase, Data, Ix2};

use super::{LinalgError, column_means, gram};

/// The covariance of Ledoit and Wolf: the empirical one, pulled towards a multiple of the identity by as much as its own
/// noise asks for.
///
/// With the centred rows `x_i` of `n x d`, `S = Σ x_i x_iᵀ / n` and `μ = tr S / d`, the covariance is
/// `(1 - δ) S + δ μ I` with `δ = min(1, Σ_i ‖x_i x_iᵀ - S‖² / (n² ‖S - μ I‖²))`, which is returned beside it.
/// O(n d²).
///
/// # Errors
/// [`LinalgError::TooFewRows`] below two rows.
///
/// # Source
/// Ledoit, Wolf, *A well-conditioned estimator for large-dimensional covariance matrices*, Journal of Multivariate Analysis
/// 88(2), 2004, doi:10.1016/S0047-259X(03)00096-4.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::covariance_ledoit_wolf;
///
/// // Both rows lie the same way from their mean: there is no noise to be seen, and nothing is shrunk.
/// let (covariance, shrinkage) = covariance_ledoit_wolf(&array![[0.0, 0.0], [2.0, 2.0]])?;
/// assert_eq!((covariance, shrinkage), (array![[1.0, 1.0], [1.0, 1.0]], 0.0));
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn covariance_ledoit_wolf<S: Data<Elem = f64>>(
    x: &ArrayBase<S, Ix2>,
) -> Result<(Array2<f64>, f64), LinalgError> {
    let (rows, columns) = x.dim();
    let means = match column_means(x) {
        Some(means) if rows >= 2 => means,
        _ => {
            return Err(LinalgError::TooFewRows {
                operation: "covariance_ledoit_wolf",
                rows,
                needed: 2,
            });
        }
    };
    let n = rows as f64;
    let centred = x - &means;
    let mut covariance = gram(&centred) / n;
    let mean_variance = covariance.diag().sum() / columns as f64;
    let square: f64 = covariance.iter().map(|v| v * v).sum();
    // ‖S - μI‖² and Σ ‖x_i x_iᵀ - S‖² / n², multiplied out.
    let spread = square - columns as f64 * mean_variance * mean_variance;
    let fourth: f64 = centred.outer_iter().map(|row| row.dot(&row).powi(2)).sum();
    let noise = (fourth / n - square) / n;
    let shrinkage = if noise > 0.0 && spread > 0.0 {
        (noise / spread).min(1.0)
    } else {
        0.0
    };
    covariance *= 1.0 - shrinkage;
    covariance
        .diag_mut()
        .mapv_inplace(|v| v + shrinkage * mean_variance);
    Ok((covariance, shrinkage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed;
    use ndarray::{Axis, s};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_shrinkage_is_the_noise_by_the_spread(n in 2usize..12, d in 2usize..6, seed in 0u64..500) {
            let mut rng = seed::rng(seed);
            let scale = ndarray::Array1::from_shape_fn(d, |j| 1.0 + j as f64);
            let x = Array2::from_shape_simple_fn((n, d), || rng.normal()) * &scale + 3.0;
            let (ours, shrinkage) = covariance_ledoit_wolf(&x).unwrap();
            let centred = &x - &x.mean_axis(Axis(0)).unwrap();
            let outer = |row: usize| {
                let column = centred.slice(s![row..=row, ..]);
                column.t().dot(&column)
            };
            let squares = |a: &Array2<f64>| a.iter().map(|v| v * v).sum::<f64>();
            let mut empirical = Array2::<f64>::zeros((d, d));
            (0..n).for_each(|row| empirical = &empirical + &(outer(row) / n as f64));
            let target = Array2::<f64>::eye(d) * (empirical.diag().sum() / d as f64);
            let noise: f64 = (0..n).map(|row| squares(&(outer(row) - &empirical))).sum();
            let expected = (noise / (n * n) as f64 / squares(&(&empirical - &target))).min(1.0);
            prop_assert!((shrinkage - expected).abs() < 1e-9, "{shrinkage} and {expected}");
            let difference = ours - &(empirical * (1.0 - expected) + target * expected);
            prop_assert!(difference.iter().all(|v| v.abs() < 1e-9));
        }
    }

    /// Values of scikit-learn, see the script beside the fixture; more columns than rows among them.
    #[test]
    fn the_shrinkage_is_that_of_scikit_learn() {
        let text = include_str!("../../tests/fixtures/ledoit_wolf_reference.json");
        let cases: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        assert_eq!(cases.len(), 3);
        let matrix = |value: &serde_json::Value| -> Array2<f64> {
            let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
            Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
        };
        for case in cases {
            let (ours, shrinkage) = covariance_ledoit_wolf(&matrix(&case["x"])).unwrap();
            assert!((shrinkage - case["shrinkage"].as_f64().unwrap()).abs() < 1e-12);
            let difference = ours - matrix(&case["covariance"]);
            assert!(difference.iter().all(|v| v.abs() < 1e-12), "{difference}");
        }
    }
}
