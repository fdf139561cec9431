//! Sliced Wasserstein distance: many projections onto lines.

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;
use translearn_core::{TransferError, linalg::matmul, seed};

use crate::check::{check_balanced, check_finite, check_lengths, check_masses};
use crate::line::{check_power, merge, order, power};

/// `n_directions` random directions in `d` dimensions, one per column (`d x n_directions`), each of length 1 and
/// uniform on the sphere.
///
/// ```
/// use translearn_transport::random_directions;
///
/// let directions = random_directions(3, 2, 7);
/// assert!((directions.column(1).dot(&directions.column(1)) - 1.0).abs() < 1e-15);
/// assert_eq!(directions, random_directions(3, 2, 7));
/// ```
#[must_use]
pub fn random_directions(d: usize, n_directions: usize, seed: u64) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    let mut directions = Array2::zeros((d, n_directions));
    for mut direction in directions.columns_mut() {
        let mut length = 0.0_f64;
        // A draw of length 0 has no direction; there is none but for d = 0.
        while length == 0.0 && d > 0 {
            direction.mapv_inplace(|_| rng.normal());
            length = direction.dot(&direction).sqrt();
        }
        direction /= length;
    }
    directions
}

/// The sliced Wasserstein distance between weighted rows: the mean over directions of what it costs to move the
/// projections.
///
/// # Formula
///
/// $$\mathrm{SW}_p = \Bigl( \frac1L \sum_{l=1}^{L} W_p^p(x \theta_l, y \theta_l) \Bigr)^{1/p}$$
///
/// with the masses divided by their sum.
///
/// # Shapes and cost
///
/// `x` is `n x d`, `y` is `m x d`, `directions` is `d x L`, see [`random_directions`]; O(L (n + m) (d + ln (n + m))),
/// spread over the directions.
///
/// # Errors
///
/// [`TransferError::LengthMismatch`], [`TransferError::InvalidWeight`], [`TransferError::UnequalMass`],
/// [`TransferError::NotFinite`], [`TransferError::Linalg`] for rows and directions of different widths,
/// [`TransferError::InvalidParameter`] for `p` below 1, [`TransferError::Empty`] without directions.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_transport::{random_directions, sliced_wasserstein};
///
/// let one = array![1.0];
/// let directions = random_directions(3, 2000, 1);
/// let moved = sliced_wasserstein(&array![[0.0, 0.0, 0.0]], &one, &array![[3.0, 0.0, 0.0]], &one, &directions, 2.0)?;
/// // A point moved by 3 in 3 dimensions: 3 / √3 in the mean over all directions.
/// assert!((moved - 3.0_f64.sqrt()).abs() < 0.05);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Bonneel, Rabin, Peyré, Pfister, *Sliced and Radon Wasserstein Barycenters of Measures*, Journal of Mathematical
/// Imaging and Vision 51, 2015, doi:10.1007/s10851-014-0506-3.
pub fn sliced_wasserstein(
    x: &Array2<f64>,
    a: &Array1<f64>,
    y: &Array2<f64>,
    b: &Array1<f64>,
    directions: &Array2<f64>,
    p: f64,
) -> Result<f64, TransferError> {
    for (rows, masses, of_rows, of_masses) in [
        (x, a, "the rows on the left", "the masses on the left"),
        (y, b, "the rows on the right", "the masses on the right"),
    ] {
        check_lengths(of_rows, rows.nrows(), of_masses, masses.len())?;
        check_masses(of_masses, masses)?;
        check_finite(of_rows, rows)?;
    }
    check_balanced(a, b)?;
    check_power(p)?;
    check_finite("the directions", directions)?;
    if directions.ncols() == 0 {
        return Err(TransferError::Empty {
            what: "the set of directions".to_owned(),
            needed: 1,
        });
    }
    let (left, right) = (matmul(x, directions)?, matmul(y, directions)?);
    let costs: Vec<f64> = (0..directions.ncols())
        .into_par_iter()
        .map(|l| {
            let x = left.index_axis(Axis(1), l).to_owned();
            let y = right.index_axis(Axis(1), l).to_owned();
            let mut cost = 0.0;
            merge(&order(&x), a, &order(&y), b, |i, j, mass| {
                cost += mass * power((x[i] - y[j]).abs(), p);
            });
            cost
        })
        .collect();
    let mean = costs.iter().sum::<f64>() / (costs.len() as f64 * a.sum());
    Ok(if p == 1.0 { mean } else { mean.powf(1.0 / p) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport_on_line;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_the_mean_over_lines(n in 1_usize..8, m in 1_usize..8, d in 1_usize..4, seed in 0_u64..1000, p in 1.0_f64..3.0) {
            let mut rng = seed::rng(seed);
            let x = Array2::from_shape_simple_fn((n, d), || rng.normal());
            let y = Array2::from_shape_simple_fn((m, d), || rng.normal());
            let (a, b) = (Array1::from_elem(n, 3.0 / n as f64), Array1::from_elem(m, 3.0 / m as f64));
            let directions = random_directions(d, 5, seed);
            let on_line = |l| {
                let direction = directions.column(l);
                transport_on_line(&x.dot(&direction), &a, &y.dot(&direction), &b, p).unwrap().cost / 3.0
            };
            let expected = ((0..5).map(on_line).sum::<f64>() / 5.0).powf(1.0 / p);
            let sliced = sliced_wasserstein(&x, &a, &y, &b, &directions, p).unwrap();
            prop_assert!((sliced - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn directions_are_uniform_on_the_sphere() {
        let directions = random_directions(4, 20_000, 3);
        // E θ θᵀ = I / d, E θ_1⁴ = 3 / (d (d + 2)).
        let second = directions.dot(&directions.t()) / 20_000.0;
        let off =
            (&second - &(Array2::<f64>::eye(4) / 4.0)).fold(0.0_f64, |off, v| off.max(v.abs()));
        assert!(off < 0.01, "{off}");
        let fourth = directions.row(0).mapv(|v| v.powi(4)).mean().unwrap();
        assert!((fourth - 0.125).abs() < 0.006, "{fourth}");
    }
}
