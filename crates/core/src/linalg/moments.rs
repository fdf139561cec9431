//! Means and covariances of rows that come in blocks.

use ndarray::{Array1, Array2, ArrayBase, Axis, Data, Ix2};

use super::bridge::check_finite;
use super::{LinalgError, gram};

/// The number, the means and the covariance of rows that are seen once, block by block: memory for `d x d` numbers,
/// however many rows there are.
///
/// Blocks are centred by their own means before they are multiplied, and joined by
///
/// $$S = S_a + S_b + \frac{n_a n_b}{n_a + n_b}\, \delta \delta^\top, \qquad \delta = \bar x_b - \bar x_a$$
///
/// with `S = Σ_i (x_i - x̄)(x_i - x̄)ᵀ`, so nothing is lost when the means are large. Moments of parts, made on other
/// threads or from other files, are joined by [`merge`](Self::merge) in the same way. Rounding depends on the blocks: for
/// the same bits, the same blocks in the same order.
///
/// *Cost.* O(n d²) time, O(d²) memory and that of a block.
///
/// ```
/// use ndarray::{array, s};
/// use translearn_core::linalg::{Moments, covariance};
///
/// let x = array![[1.0, 0.0], [3.0, 2.0], [2.0, 7.0]];
/// let mut moments = Moments::new(2);
/// moments.add(&x.slice(s![..2, ..]))?;
/// moments.add(&x.slice(s![2.., ..]))?;
/// assert_eq!(moments.means(), array![2.0, 3.0]);
/// assert!((moments.covariance()? - covariance(&x)?).iter().all(|difference| difference.abs() < 1e-12));
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
///
/// # Source
///
/// Chan, Golub, LeVeque, *Updating formulae and a pairwise algorithm for computing sample variances*, COMPSTAT 1982,
/// doi:10.1007/978-3-642-51461-6_3.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    rows: usize,
    means: Array1<f64>,
    scatter: Array2<f64>,
}

impl Moments {
    /// No rows yet, of `n_columns` numbers.
    pub fn new(n_columns: usize) -> Self {
        Self {
            rows: 0,
            means: Array1::zeros(n_columns),
            scatter: Array2::zeros((n_columns, n_columns)),
        }
    }

    /// Takes a block of rows in.
    ///
    /// # Errors
    /// [`LinalgError::ShapeMismatch`] for rows of another width, [`LinalgError::NotFinite`]; nothing is taken in then.
    pub fn add<S: Data<Elem = f64>>(
        &mut self,
        rows: &ArrayBase<S, Ix2>,
    ) -> Result<(), LinalgError> {
        check_finite("moments", rows.view())?;
        let Some(means) = rows.mean_axis(Axis(0)) else {
            return Ok(());
        };
        let centred = rows - &means;
        self.merge(&Self {
            rows: rows.nrows(),
            means,
            scatter: gram(&centred),
        })
    }

    /// Takes in the rows that `other` has seen.
    ///
    /// # Errors
    /// [`LinalgError::ShapeMismatch`] when they are of another width.
    pub fn merge(&mut self, other: &Self) -> Result<(), LinalgError> {
        if other.means.len() != self.means.len() {
            return Err(LinalgError::ShapeMismatch {
                operation: "moments",
                left_rows: self.rows,
                left_columns: self.means.len(),
                right_rows: other.rows,
                right_columns: other.means.len(),
                rule: "all rows need the same number of columns",
            });
        }
        if other.rows == 0 {
            return Ok(());
        }
        let (ours, theirs) = (self.rows as f64, other.rows as f64);
        let share = theirs / (ours + theirs);
        let delta = &other.means - &self.means;
        self.scatter += &other.scatter;
        for (i, mut row) in self.scatter.rows_mut().into_iter().enumerate() {
            row.scaled_add(ours * share * delta[i], &delta);
        }
        self.means.scaled_add(share, &delta);
        self.rows += other.rows;
        Ok(())
    }

    /// How many rows were seen.
    pub fn n_rows(&self) -> usize {
        self.rows
    }

    /// Their means; 0 before any row.
    pub fn means(&self) -> &Array1<f64> {
        &self.means
    }

    /// Their covariance, `S / (n - 1)`, as [`covariance`](super::covariance) of all of them.
    ///
    /// # Errors
    /// [`LinalgError::TooFewRows`] when there were fewer than two.
    pub fn covariance(&self) -> Result<Array2<f64>, LinalgError> {
        if self.rows < 2 {
            return Err(LinalgError::TooFewRows {
                operation: "covariance",
                rows: self.rows,
                needed: 2,
            });
        }
        Ok(&self.scatter / (self.rows as f64 - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::s;
    use proptest::prelude::*;

    use super::*;
    use crate::linalg::covariance;
    use crate::seed;

    proptest! {
        #[test]
        fn blocks_in_any_split_give_what_all_rows_give(cuts in prop::collection::vec(0_usize..40, 0..5), shift in -1e6..1e6, seed in any::<u64>()) {
            let mut rng = seed::rng(seed);
            let x = Array2::from_shape_simple_fn((40, 3), || shift + rng.normal());
            let mut cuts = [cuts, vec![0, 40]].concat();
            cuts.sort_unstable();
            // Every second block is seen by moments of its own.
            let (mut even, mut odd) = (Moments::new(3), Moments::new(3));
            for (place, ends) in cuts.windows(2).enumerate() {
                let side = if place % 2 == 0 { &mut even } else { &mut odd };
                side.add(&x.slice(s![ends[0]..ends[1], ..])).unwrap();
            }
            even.merge(&odd).unwrap();
            prop_assert_eq!(even.n_rows(), 40);
            let off = |a: &Array2<f64>, b: &Array2<f64>| (a - b).fold(0.0_f64, |most, v| most.max(v.abs()));
            // The mean of numbers of 1e6 is good to 1e-10, and so is what is left of a product with it.
            prop_assert!(off(&even.covariance().unwrap(), &covariance(&x).unwrap()) < 1e-7);
            let means = x.mean_axis(Axis(0)).unwrap();
            prop_assert!((even.means() - &means).iter().all(|v| v.abs() < 1e-8));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_leaves_no_trace() {
        let mut moments = Moments::new(2);
        moments.add(&ndarray::array![[1.0, 2.0]]).unwrap();
        let before = moments.clone();
        let error = moments
            .add(&ndarray::array![[1.0, 2.0, 3.0]])
            .unwrap_err()
            .to_string();
        assert!(error.contains("2") && error.contains("3"), "{error}");
        assert!(moments.add(&ndarray::array![[1.0, f64::NAN]]).is_err());
        assert!(matches!(
            moments.covariance(),
            Err(LinalgError::TooFewRows { rows: 1, .. })
        ));
        moments.add(&Array2::zeros((0, 2))).unwrap();
        assert_eq!(moments, before);
    }
}
