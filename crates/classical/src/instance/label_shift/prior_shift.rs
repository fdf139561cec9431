//! Whether other shares of the classes alone explain the target.

use ndarray::{Array1, Array2, Axis, s};
use translearn_core::linalg::{LinalgError, covariance, eigh, lstsq, svd_thin};

/// How well the means of some statistics of the target are mixtures of those of the classes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MixtureFit {
    /// `J`, the squared distance between the target's means and the best mixture of the classes', in units of its variance.
    pub(super) statistic: f64,
    /// How many more independent statistics there are than free shares.
    pub(super) freedom: usize,
    /// The shares of the best mixture; sum 1, of either sign.
    pub(super) shares: Array1<f64>,
}

const ROUNDS: usize = 5;
/// Directions whose variance is less, relative to the largest, are constant.
const CONSTANT: f64 = 1e-6;

/// What is known of the statistics of the classes in the source, and of those of the target.
struct Statistics {
    /// A column of means for each class.
    means: Array2<f64>,
    /// The covariance of each class's means.
    spreads: Vec<Array2<f64>>,
    /// The means of the target.
    goal: Array1<f64>,
    /// Their covariance.
    of_target: Array2<f64>,
}

impl Statistics {
    /// `None` where a class or the target has no two rows.
    fn of(
        source: &Array2<f64>,
        class_of_row: &[usize],
        target: &Array2<f64>,
        n_classes: usize,
    ) -> Result<Option<Self>, LinalgError> {
        let mean = |rows: &Array2<f64>| rows.sum_axis(Axis(0)) / rows.nrows() as f64;
        let spread = |rows: &Array2<f64>| Ok(covariance(rows)? / rows.nrows() as f64);
        let mut means = Array2::zeros((source.ncols(), n_classes));
        let mut spreads = Vec::new();
        for class in 0..n_classes {
            let of_class: Vec<usize> = (0..class_of_row.len())
                .filter(|&row| class_of_row[row] == class)
                .collect();
            if of_class.len() < 2 || target.nrows() < 2 {
                return Ok(None);
            }
            let rows = source.select(Axis(0), &of_class);
            means.column_mut(class).assign(&mean(&rows));
            spreads.push(spread(&rows)?);
        }
        let (goal, of_target) = (mean(target), spread(target)?);
        Ok(Some(Self {
            means,
            spreads,
            goal,
            of_target,
        }))
    }

    /// `V` for shares of the classes.
    fn variance(&self, shares: &Array1<f64>) -> Array2<f64> {
        let mut variance = self.of_target.clone();
        for (share, spread) in shares.iter().zip(&self.spreads) {
            variance.scaled_add(share.powi(2), spread);
        }
        variance
    }

    /// The nearest mixture in units of the variance that goes with `assumed` shares.
    fn nearest(&self, assumed: &Array1<f64>) -> Result<Option<MixtureFit>, LinalgError> {
        let pairs = eigh(&self.variance(assumed))?;
        let largest = pairs.values.fold(0.0_f64, |a, &b| a.max(b));
        let varied: Vec<usize> = (0..pairs.values.len())
            .filter(|&i| pairs.values[i] > CONSTANT * largest)
            .collect();
        let units = pairs.values.select(Axis(0), &varied).mapv(f64::sqrt);
        let whiten = (pairs.vectors.select(Axis(1), &varied) / &units).reversed_axes();
        // Shares of sum 1: those of all classes but the last are free.
        let free_classes = self.means.ncols() - 1;
        let last = self.means.column(free_classes).to_owned();
        let apart = &self.means.slice(s![.., ..free_classes]) - &last.view().insert_axis(Axis(1));
        let free = whiten.dot(&apart);
        let rank = if free.is_empty() {
            0
        } else {
            svd_thin(&free)?.rank()
        };
        if varied.len() <= rank {
            return Ok(None);
        }
        let goal = whiten.dot(&(&self.goal - &last));
        let mut shares = Array1::zeros(free_classes + 1);
        if rank > 0 {
            let solved = lstsq(&free, &goal.view().insert_axis(Axis(1)))?;
            shares
                .slice_mut(s![..free_classes])
                .assign(&solved.column(0));
        }
        let rest = goal - free.dot(&shares.slice(s![..free_classes]));
        shares[free_classes] = 1.0 - shares.sum();
        Ok(Some(MixtureFit {
            statistic: rest.dot(&rest),
            freedom: varied.len() - rank,
            shares,
        }))
    }
}

impl MixtureFit {
    /// The least `gᵀ V⁻¹ g` over shares `q` with sum 1, for `g = mean_T h − Σ_c q_c mean_c h` and the covariance of `g`
    /// that goes with these shares, `V = Cov_T h / n_T + Σ_c q_c² Cov_c h / n_c` (those below 0 taken for 0): that of the
    /// shares of the round before, from `prior` on.
    ///
    /// `source` and `target` have a row of statistics `h` for each row, `class_of_row` the class of each source row.
    /// `None` where a class or the target has no two rows, or there is no statistic to spare.
    pub(super) fn new(
        source: &Array2<f64>,
        class_of_row: &[usize],
        target: &Array2<f64>,
        prior: &Array1<f64>,
    ) -> Result<Option<Self>, LinalgError> {
        let Some(statistics) = Statistics::of(source, class_of_row, target, prior.len())? else {
            return Ok(None);
        };
        let mut found = statistics.nearest(prior)?;
        for _ in 1..ROUNDS {
            let Some(fit) = &found else { break };
            let positive = fit.shares.mapv(|share| share.max(0.0));
            found = statistics.nearest(&(&positive / positive.sum()))?;
        }
        Ok(found)
    }

    /// How likely a `J` as large is where the target is a mixture of the classes, for samples that are not small.
    pub(super) fn p_value(&self) -> f64 {
        chi_squared_tail(self.statistic, self.freedom)
    }
}

/// `P(X > x)` for `X` of the chi-squared distribution with so many degrees of freedom.
fn chi_squared_tail(x: f64, freedom: usize) -> f64 {
    let (half, shape) = (x / 2.0, freedom as f64 / 2.0);
    if half <= 0.0 {
        return 1.0;
    }
    // ln(half^shape e^-half / Γ(shape)), Γ from Γ(1) = 1 or Γ(½) = √π upwards.
    let (mut at, mut log_gamma) = match freedom % 2 {
        0 => (1.0, 0.0),
        _ => (0.5, std::f64::consts::PI.ln() / 2.0),
    };
    while at < shape {
        log_gamma += f64::ln(at);
        at += 1.0;
    }
    let front = (shape * half.ln() - half - log_gamma).exp();
    if half < shape + 1.0 {
        // The series of the lower part.
        let (mut term, mut sum, mut k) = (1.0 / shape, 1.0 / shape, shape);
        while term > sum * f64::EPSILON {
            k += 1.0;
            term *= half / k;
            sum += term;
        }
        return (1.0 - front * sum).max(0.0);
    }
    // The continued fraction of the upper part, from its far end, where it hardly matters.
    let mut fraction = 0.0;
    for k in (1..=500).rev() {
        let k = f64::from(k);
        fraction = k * (k - shape) / (half + 2.0 * k + 1.0 - shape - fraction);
    }
    front / (half + 1.0 - shape - fraction)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use translearn_core::{linalg::solve, seed};

    use super::*;

    #[test]
    fn tails_are_those_of_tables() {
        // scipy 1.17: chi2.sf(x, freedom).
        let table = [
            (0.5, 1, 0.479_500_122_186_953_4),
            (3.841_458_820_694_124, 1, 0.05),
            (9.0, 1, 0.002_699_796_063_260_188),
            (0.5, 2, 0.778_800_783_071_404_9),
            (7.0, 3, 0.071_897_772_496_465_1),
            (2.0, 5, 0.849_145_036_084_609_7),
            (11.070_497_693_516_351, 5, 0.05),
            (40.0, 8, 3.203_719_780_476_998e-6),
            (15.0, 21, 0.822_951_810_830_405_8),
        ];
        for (x, freedom, expected) in table {
            let ours = chi_squared_tail(x, freedom);
            assert!(
                (ours / expected - 1.0).abs() < 1e-9,
                "{x}, {freedom}: {ours}"
            );
        }
        assert_eq!(chi_squared_tail(0.0, 3), 1.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn no_other_mixture_is_nearer(n_classes in 2usize..4, more in 1usize..4, seed in 0u64..1000) {
            let mut rng = seed::rng(seed);
            let d = n_classes - 1 + more;
            let classes: Vec<usize> = (0..60).map(|row| row % n_classes).collect();
            let source = Array2::from_shape_fn((60, d), |(row, c)| (classes[row] * (c + 1)) as f64 + rng.normal());
            let target = Array2::from_shape_simple_fn((50, d), || 1.0 + rng.normal());
            let prior = Array1::from_elem(n_classes, 1.0 / n_classes as f64);
            let first = Statistics::of(&source, &classes, &target, n_classes).unwrap().unwrap();
            let found = first.nearest(&prior).unwrap().unwrap();
            prop_assert_eq!(found.freedom, more);
            prop_assert!((found.shares.sum() - 1.0).abs() < 1e-9);
            let mean = |rows: &[usize], x: &Array2<f64>, c: usize| rows.iter().map(|&row| x[[row, c]]).sum::<f64>() / rows.len() as f64;
            let spread = |rows: &[usize], x: &Array2<f64>, a: usize, b: usize| {
                let of = |&row: &usize| (x[[row, a]] - mean(rows, x, a)) * (x[[row, b]] - mean(rows, x, b));
                rows.iter().map(of).sum::<f64>() / (rows.len() - 1) as f64 / rows.len() as f64
            };
            let all: Vec<usize> = (0..50).collect();
            let of_class: Vec<Vec<usize>> = (0..n_classes).map(|c| (0..60).filter(|&row| classes[row] == c).collect()).collect();
            let variance = Array2::from_shape_fn((d, d), |(a, b)| {
                let classes = (0..n_classes).map(|c| prior[c].powi(2) * spread(&of_class[c], &source, a, b));
                spread(&all, &target, a, b) + classes.sum::<f64>()
            });
            let distance = |shares: &Array1<f64>| {
                let gap = Array1::from_shape_fn(d, |c| {
                    mean(&all, &target, c) - (0..n_classes).map(|k| shares[k] * mean(&of_class[k], &source, c)).sum::<f64>()
                });
                gap.dot(&solve(&variance, &gap.view().insert_axis(Axis(1))).unwrap().column(0))
            };
            let ours = distance(&found.shares);
            prop_assert!((found.statistic - ours).abs() < 1e-8 * (1.0 + ours), "{} against {ours}", found.statistic);
            for _ in 0..50 {
                let mut other = found.shares.mapv(|q| q + 0.3 * rng.normal());
                other[0] += 1.0 - other.sum();
                prop_assert!(distance(&other) >= ours - 1e-8 * (1.0 + ours));
            }
        }
    }

    #[test]
    fn without_a_statistic_to_spare_nothing_is_said() {
        let classes = [0, 1, 0, 1];
        let rows = ndarray::array![[0.0], [1.0], [0.1], [0.8]];
        let prior = ndarray::array![0.5, 0.5];
        assert_eq!(MixtureFit::new(&rows, &classes, &rows, &prior), Ok(None));
        let lonely = MixtureFit::new(&rows, &[0, 1, 0, 0], &rows, &prior);
        assert_eq!(lonely, Ok(None));
    }
}
