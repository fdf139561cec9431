//! Mixtures of normal distributions whose columns are independent.

use std::f64::consts::TAU;

use ndarray::{Array1, Array2, ArrayView1, Axis};
use translearn_core::{Features, TransferError, distance::squared_distances, seed};

/// A mixture of normal distributions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mixture {
    /// The share of each component.
    pub(super) shares: Array1<f64>,
    /// A row of means for each component.
    pub(super) means: Array2<f64>,
    /// A row of variances for each.
    pub(super) variances: Array2<f64>,
}

/// The gain in the mean log-likelihood of a row at which to stop.
const TOLERANCE: f64 = 1e-6;
const ROUNDS: usize = 2000;
/// The least variance, as a share of the mean variance of the columns: a component on a single row stays finite.
const FLOOR: f64 = 1e-3;

impl Mixture {
    /// The likeliest mixture near a start: rows drawn far from each other, each with the rows nearest to it. Steps of
    /// expectation and maximisation.
    pub(super) fn fit(
        rows: &Array2<f64>,
        n_components: usize,
        seed: u64,
    ) -> Result<Self, TransferError> {
        let floor = FLOOR * rows.var_axis(Axis(0), 0.0).mean().unwrap_or(0.0);
        let mut mixture = Self::maximised(rows, &start(rows, n_components, seed)?, floor);
        let mut last = f64::NEG_INFINITY;
        let mut gain = f64::INFINITY;
        for _ in 0..ROUNDS {
            let (chances, likelihood) = mixture.expected(rows);
            gain = likelihood - last;
            if gain <= TOLERANCE {
                return Ok(mixture);
            }
            last = likelihood;
            mixture = Self::maximised(rows, &chances, floor);
        }
        Err(TransferError::NotConverged {
            what: "the mixture of normal distributions".to_owned(),
            iterations: ROUNDS,
            residual: gain,
            tolerance: TOLERANCE,
        })
    }

    /// How likely each row is of each component (`n x v`), and the mean log-likelihood of the rows.
    pub(super) fn expected(&self, rows: &Array2<f64>) -> (Array2<f64>, f64) {
        let mut chances = Array2::zeros((rows.nrows(), self.shares.len()));
        let constants: Vec<f64> = (self.shares.iter().zip(self.variances.outer_iter()))
            .map(|(share, variances)| share.ln() - 0.5 * variances.mapv(|v| (TAU * v).ln()).sum())
            .collect();
        let mut likelihood = 0.0;
        for (row, mut chances) in rows.outer_iter().zip(chances.outer_iter_mut()) {
            for (component, chance) in chances.iter_mut().enumerate() {
                let parts = (self.means.row(component), self.variances.row(component));
                *chance = constants[component] - 0.5 * squared(row, parts.0, parts.1);
            }
            let largest = chances.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            chances.mapv_inplace(|value| (value - largest).exp());
            let sum = chances.sum();
            chances /= sum;
            likelihood += largest + sum.ln();
        }
        (chances, likelihood / rows.nrows() as f64)
    }

    /// The likeliest mixture where rows are of components by these chances. A component that no row has any chance of has
    /// the share 0 and takes part no more.
    fn maximised(rows: &Array2<f64>, chances: &Array2<f64>, floor: f64) -> Self {
        let totals = chances.sum_axis(Axis(0));
        let weights = totals.mapv(|total| total.max(f64::MIN_POSITIVE));
        let weights = weights.insert_axis(Axis(1));
        let means = chances.t().dot(rows) / &weights;
        let mut variances = Array2::<f64>::zeros(means.dim());
        for (component, mut of) in variances.outer_iter_mut().enumerate() {
            for (row, &chance) in rows.outer_iter().zip(chances.column(component)) {
                of.zip_mut_with(&(&row - &means.row(component)), |sum, apart| {
                    *sum += chance * apart * apart;
                });
            }
        }
        let variances = (variances / &weights).mapv(|v| v.max(floor));
        Self {
            shares: totals / rows.nrows() as f64,
            means,
            variances,
        }
    }
}

fn squared(
    row: ArrayView1<'_, f64>,
    mean: ArrayView1<'_, f64>,
    variances: ArrayView1<'_, f64>,
) -> f64 {
    let columns = row.iter().zip(mean).zip(variances);
    columns
        .map(|((x, mean), variance)| (x - mean).powi(2) / variance)
        .sum()
}

/// Rows drawn as k-means++ draws its centres, each with a chance in proportion to the squared distance from those before;
/// every row is of the nearest.
fn start(rows: &Array2<f64>, n: usize, seed: u64) -> Result<Array2<f64>, TransferError> {
    let mut rng = seed::rng(seed::derive(seed, &["centres"]));
    let mut chances = Array2::zeros((rows.nrows(), n));
    let mut nearest = Array1::from_elem(rows.nrows(), f64::INFINITY);
    let mut of_row = vec![0; rows.nrows()];
    let features = Features::from(rows.clone());
    let mut centre = rng.below(rows.nrows());
    for component in 0..n {
        let distances = squared_distances(&features, &features.select_rows(&[centre]))?;
        for (row, &distance) in distances.column(0).iter().enumerate() {
            if distance < nearest[row] {
                (nearest[row], of_row[row]) = (distance, component);
            }
        }
        // Rows that are all at a centre: any.
        centre = (rng.weighted_index(&nearest.to_vec())).unwrap_or_else(|| rng.below(rows.nrows()));
    }
    for (row, component) in of_row.into_iter().enumerate() {
        chances[[row, component]] = 1.0;
    }
    Ok(chances)
}
