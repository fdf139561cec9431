//! Class proportions of a sample without labels, from several labelled ones.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use rayon::prelude::*;
use translearn_core::{TransferError, setters};

use crate::check::{check_lengths, check_positive, check_problem};

/// The proportions of classes with which samples of known classes are cheapest to transport onto one without, all of them
/// at once: entropic transport from masses that are only known up to a factor for each class.
///
/// *When.* Each class looks the same everywhere, but its share differs from sample to sample.
///
/// # Formula
///
/// $$\min_{h,\, P^{(k)} \ge 0} \frac1K \sum_{k=1}^K \Bigl(\sum_{ij} C^{(k)}_{ij} P^{(k)}_{ij} + \varepsilon \sum_{ij}
///   P^{(k)}_{ij} (\ln P^{(k)}_{ij} - 1)\Bigr) \quad\text{s.t.}\quad \sum_j P^{(k)}_{ij} = \frac{h_c}{n_{kc}} \text{ for row } i
///   \text{ of class } c,\; P^{(k)\top} \mathbf 1 = b$$
///
/// with `n_kc` rows of class `c` in sample `k`. `Σ_c h_c = Σ_j b_j` follows.
///
/// # Steps
///
/// Bregman's projections onto the two sets of constraints in turn, for `P_ij = exp((f_i + g_j − C_ij) / ε)` with `f = 0` at
/// first: columns are scaled to `b`; then, with the masses `r_ki` that the rows have, `ln h_c` is the mean over the samples
/// of the mean of `ln(n_kc r_ki)` over the rows of class `c`, and rows are scaled to `h_c / n_kc`. Both are done on `f` and
/// `g`, so that any `ε` works. The mean over samples of the mean of `f` over the rows of a class stays 0: that is the
/// derivative by `h_c`, so what it converges to is the minimum.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `regularization` | – | (0, ∞) | `ε`, in units of the cost |
/// | `max_iterations` | 1000 | 1, 2, … | pairs of projections |
/// | `tolerance` | 1e-9 | (0, ∞) | error at which it stops, as a share of the mass |
///
/// # Shapes and cost
///
/// `costs[k]` is `n_k x m`, with a class for each of its rows; `b` has `m` entries. O(m Σ n_k) an iteration, and twice the
/// memory of the costs.
///
/// # Errors
///
/// [`TransferError::LengthMismatch`], [`TransferError::InvalidWeight`], [`TransferError::NotFinite`],
/// [`TransferError::InvalidParameter`], [`TransferError::Empty`] without samples, [`TransferError::Unsupported`] for a class
/// that a sample lacks and another has, [`TransferError::NotConverged`] when the iterations run out.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_transport::ClassProportions;
///
/// // Columns 0, 1 and 2 lie at the row of class 0, column 3 at that of class 1.
/// let cost = array![[0.0, 0.0, 0.0, 9.0], [9.0, 9.0, 9.0, 0.0]];
/// let found = ClassProportions::new(0.1).solve(&[cost], &[vec![0, 1]], &array![0.25, 0.25, 0.25, 0.25])?;
/// assert!((found.proportions[0] - 0.75).abs() < 1e-9);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Redko, Courty, Flamary, Tuia, *Optimal Transport for Multi-source Domain Adaptation under Target Shift*, AISTATS 2019,
/// arXiv:1803.04899; Benamou, Carlier, Cuturi, Nenna, Peyré, *Iterative Bregman Projections for Regularized Transportation
/// Problems*, SIAM Journal on Scientific Computing 37(2), 2015, doi:10.1137/141000439.
///
/// *Where we differ.* The paper and POT take the logarithm of the class's whole mass, `ln Σ_i r_ki`, where the projection has
/// the mean of the logarithms; what they converge to is near the minimum of the problem but not it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassProportions {
    regularization: f64,
    max_iterations: usize,
    tolerance: f64,
}

/// Proportions of classes with the plans that they belong to.
#[derive(Debug, Clone, PartialEq)]
pub struct ProportionedPlans {
    /// `h`, an entry for each class up to the largest code; 0 for codes that do not occur.
    pub proportions: Array1<f64>,
    /// `P` of each sample. Columns are met, rows up to the tolerance.
    pub plans: Vec<Array2<f64>>,
    /// Pairs of projections done.
    pub iterations: usize,
}

setters!(ClassProportions {
    /// Sets how many pairs of projections there may be.
    max_iterations: usize,
    /// Sets the error at which it stops, as a share of the mass.
    tolerance: f64,
});

impl ClassProportions {
    /// Default parameters for a regularisation.
    pub fn new(regularization: f64) -> Self {
        Self {
            regularization,
            max_iterations: 1000,
            tolerance: 1e-9,
        }
    }

    /// Solves for a matrix of costs and the classes of its rows for each sample.
    ///
    /// # Errors
    /// See [`ClassProportions`].
    pub fn solve(
        &self,
        costs: &[Array2<f64>],
        classes: &[Vec<usize>],
        b: &Array1<f64>,
    ) -> Result<ProportionedPlans, TransferError> {
        check_positive("regularization", self.regularization)?;
        check_positive("tolerance", self.tolerance)?;
        check_lengths("the costs", costs.len(), "the classes", classes.len())?;
        let n_classes = classes.iter().flatten().max().map_or(0, |&class| class + 1);
        let mut samples = Vec::new();
        for (cost, classes) in costs.iter().zip(classes) {
            samples.push(Sample::new(
                cost,
                classes,
                n_classes,
                b,
                self.regularization,
            )?);
        }
        let Some(first) = samples.first() else {
            return Err(TransferError::Empty {
                what: "the list of samples".to_owned(),
                needed: 1,
            });
        };
        let occurs: Vec<bool> = first.counts.iter().map(|&count| count > 0.0).collect();
        check_same_classes(&samples, &occurs)?;
        let log_b = b.mapv(f64::ln);
        let mut error = f64::INFINITY;
        for iterations in 1..=self.max_iterations {
            samples
                .iter_mut()
                .for_each(|sample| sample.meet_columns(&log_b));
            // Classes that do not occur keep ln 0.
            let mut logs = Array1::from_elem(n_classes, f64::NEG_INFINITY);
            for class in (0..n_classes).filter(|&class| occurs[class]) {
                let of = |sample: &Sample| sample.mean_log_mass(class);
                logs[class] = samples.iter().map(of).sum::<f64>() / samples.len() as f64;
            }
            let proportions = logs.mapv(f64::exp);
            let missed = samples.iter().map(|sample| sample.missed(&proportions));
            error = missed.fold(0.0, f64::max) / b.sum();
            if error <= self.tolerance {
                return Ok(ProportionedPlans {
                    proportions,
                    plans: samples.iter().map(Sample::plan).collect(),
                    iterations,
                });
            }
            samples
                .iter_mut()
                .for_each(|sample| sample.meet_rows(&logs));
        }
        Err(TransferError::NotConverged {
            what: "the class proportions".to_owned(),
            iterations: self.max_iterations,
            residual: error,
            tolerance: self.tolerance,
        })
    }
}

fn check_same_classes(samples: &[Sample], occurs: &[bool]) -> Result<(), TransferError> {
    for (k, sample) in samples.iter().enumerate() {
        for (class, &occurs) in occurs.iter().enumerate() {
            let (with, without) = match (occurs, sample.counts[class] > 0.0) {
                (true, false) => (0, k),
                (false, true) => (k, 0),
                _ => continue,
            };
            return Err(TransferError::Unsupported {
                method: "class proportions".to_owned(),
                needs: "the same classes in every sample".to_owned(),
                has: format!("class {class} in sample {with} but not in sample {without}"),
            });
        }
    }
    Ok(())
}

/// A sample with its potentials; costs, `f` and `g` in units of the regularisation.
struct Sample {
    cost: Array2<f64>,
    /// The transpose, so that columns are read as rows are.
    across: Array2<f64>,
    classes: Vec<usize>,
    counts: Vec<f64>,
    f: Array1<f64>,
    g: Array1<f64>,
    /// `ln Σ_j exp(g_j − C_ij)`.
    row_sums: Array1<f64>,
}

impl Sample {
    fn new(
        cost: &Array2<f64>,
        classes: &[usize],
        n_classes: usize,
        b: &Array1<f64>,
        regularization: f64,
    ) -> Result<Self, TransferError> {
        check_problem(cost, &Array1::ones(cost.nrows()), b)?;
        check_lengths(
            "the cost matrix",
            cost.nrows(),
            "the classes of the rows",
            classes.len(),
        )?;
        let mut counts = vec![0.0; n_classes];
        classes.iter().for_each(|&class| counts[class] += 1.0);
        let cost = cost / regularization;
        let across = cost.t().as_standard_layout().into_owned();
        Ok(Self {
            f: Array1::zeros(cost.nrows()),
            g: Array1::zeros(cost.ncols()),
            row_sums: Array1::zeros(cost.nrows()),
            cost,
            across,
            classes: classes.to_vec(),
            counts,
        })
    }

    fn meet_columns(&mut self, log_b: &Array1<f64>) {
        self.g = log_b - &log_sums(&self.across, &self.f);
        self.row_sums = log_sums(&self.cost, &self.g);
    }

    /// `ln(n_kc r_ki)`: 0 of it where a row has the mass that it would have as the only class.
    fn log_mass(&self, row: usize) -> f64 {
        self.f[row] + self.row_sums[row] + self.counts[self.classes[row]].ln()
    }

    fn mean_log_mass(&self, class: usize) -> f64 {
        let rows = (0..self.classes.len()).filter(|&row| self.classes[row] == class);
        rows.map(|row| self.log_mass(row)).sum::<f64>() / self.counts[class]
    }

    /// `Σ_i |r_ki − h_c / n_kc|`.
    fn missed(&self, proportions: &Array1<f64>) -> f64 {
        let of = |row: usize| {
            let class = self.classes[row];
            (self.log_mass(row).exp() - proportions[class]).abs() / self.counts[class]
        };
        (0..self.classes.len()).map(of).sum()
    }

    fn meet_rows(&mut self, log_proportions: &Array1<f64>) {
        for (row, &class) in self.classes.iter().enumerate() {
            self.f[row] = log_proportions[class] - self.counts[class].ln() - self.row_sums[row];
        }
    }

    fn plan(&self) -> Array2<f64> {
        let exponent = |(i, j): (usize, usize)| self.f[i] + self.g[j] - self.cost[[i, j]];
        Array2::from_shape_fn(self.cost.dim(), |at| exponent(at).exp())
    }
}

/// `ln Σ_j exp(v_j − C_ij)` for each row of costs.
fn log_sums(cost: &Array2<f64>, potentials: &Array1<f64>) -> Array1<f64> {
    let rows = cost.axis_iter(Axis(0)).into_par_iter();
    let of_row = |costs: ArrayView1<'_, f64>| {
        let terms = || costs.iter().zip(potentials).map(|(cost, v)| v - cost);
        let largest = terms().fold(f64::NEG_INFINITY, f64::max);
        largest + terms().map(|term| (term - largest).exp()).sum::<f64>().ln()
    };
    rows.map(of_row).collect::<Vec<f64>>().into()
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;
    use translearn_core::seed;

    use super::*;
    use crate::Sinkhorn;

    const EPSILON: f64 = 0.3;

    fn random(n_samples: usize, seed: u64) -> (Vec<Array2<f64>>, Vec<Vec<usize>>, Array1<f64>) {
        let mut rng = seed::rng(seed);
        let costs = (0..n_samples)
            .map(|k| Array2::from_shape_simple_fn((6 + k, 7), || rng.normal().powi(2)));
        let costs: Vec<Array2<f64>> = costs.collect();
        let classes = (0..n_samples)
            .map(|k| (0..6 + k).map(|row| row % 2).collect())
            .collect();
        let b = Array1::from_shape_simple_fn(7, || rng.uniform() + 0.1);
        let b = &b / b.sum();
        (costs, classes, b)
    }

    /// The objective for the share `h` of class 0, with plans of the solver for known masses.
    fn objective(h: f64, costs: &[Array2<f64>], classes: &[Vec<usize>], b: &Array1<f64>) -> f64 {
        let of = |(cost, classes): (&Array2<f64>, &Vec<usize>)| {
            let count = |class: usize| classes.iter().filter(|&&of| of == class).count() as f64;
            let share = |&class: &usize| [h, 1.0 - h][class] / count(class);
            let a: Array1<f64> = classes.iter().map(share).collect();
            let solver = Sinkhorn::new(EPSILON)
                .tolerance(1e-12)
                .max_iterations(100_000);
            let plan = solver.solve(cost, &a, b).unwrap().plan;
            (&plan * cost).sum() + EPSILON * plan.mapv(|p| p * (p.ln() - 1.0)).sum()
        };
        costs.iter().zip(classes).map(of).sum::<f64>() / costs.len() as f64
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Plans that meet their masses, of the form that is optimal for them, and no better share nearby: the problem is
        /// convex.
        #[test]
        fn no_other_proportions_are_cheaper(n_samples in 1_usize..4, seed in 0_u64..1000) {
            let (costs, classes, b) = random(n_samples, seed);
            let found = ClassProportions::new(EPSILON).tolerance(1e-11).max_iterations(100_000).solve(&costs, &classes, &b).unwrap();
            let h = found.proportions[0];
            prop_assert!((found.proportions.sum() - 1.0).abs() < 1e-9);
            for ((plan, cost), classes) in found.plans.iter().zip(&costs).zip(&classes) {
                let (rows, columns) = (plan.sum_axis(Axis(1)), plan.sum_axis(Axis(0)));
                prop_assert!((columns - &b).iter().all(|missed| missed.abs() < 1e-12));
                for (row, &class) in classes.iter().enumerate() {
                    let count = classes.iter().filter(|&&of| of == class).count() as f64;
                    prop_assert!((rows[row] - found.proportions[class] / count).abs() < 1e-10);
                    // ln P + C / ε is a sum of one term for the row and one for the column.
                    let term = |i: usize, j: usize| plan[[i, j]].ln() + cost[[i, j]] / EPSILON;
                    for j in 1..7 {
                        let crossed = term(row, j) - term(row, 0) - term(0, j) + term(0, 0);
                        prop_assert!(crossed.abs() < 1e-9, "{crossed}");
                    }
                }
            }
            let least = objective(h, &costs, &classes, &b);
            for step in [-0.02, -0.003, 0.003, 0.02] {
                if (0.001..0.999).contains(&(h + step)) {
                    let other = objective(h + step, &costs, &classes, &b);
                    prop_assert!(other > least, "{h} {step}: {other} {least}");
                }
            }
        }

        /// The order of rows and samples changes nothing, and a regularisation that the plain exponential could not hold works.
        #[test]
        fn small_regularisations_work(seed in 0_u64..100) {
            let (costs, classes, b) = random(2, seed);
            let scaled: Vec<Array2<f64>> = costs.iter().map(|cost| cost * 1e6).collect();
            let plain = ClassProportions::new(EPSILON).max_iterations(100_000);
            let large = ClassProportions::new(EPSILON * 1e6).max_iterations(100_000);
            let (plain, large) = (plain.solve(&costs, &classes, &b).unwrap(), large.solve(&scaled, &classes, &b).unwrap());
            prop_assert!((plain.proportions - large.proportions).iter().all(|difference| difference.abs() < 1e-9));
            let far: Vec<Array2<f64>> = costs.iter().map(|cost| cost + 1e4).collect();
            let moved = ClassProportions::new(EPSILON).max_iterations(100_000).solve(&far, &classes, &b).unwrap();
            prop_assert!(moved.proportions.iter().all(|share| share.is_finite() && *share > 0.0));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (costs, mut classes, b) = random(2, 1);
        let solver = ClassProportions::new(EPSILON);
        let limited = solver.clone().max_iterations(1).solve(&costs, &classes, &b);
        assert!(matches!(
            limited,
            Err(TransferError::NotConverged { iterations: 1, .. })
        ));
        assert!(matches!(
            solver.solve(&[], &[], &b),
            Err(TransferError::Empty { .. })
        ));
        classes[1].iter_mut().for_each(|class| *class = 0);
        let error = solver.solve(&costs, &classes, &b).unwrap_err().to_string();
        assert!(
            error.contains("class 1 in sample 0 but not in sample 1"),
            "{error}"
        );
        classes[1].pop();
        let error = solver.solve(&costs, &classes, &b);
        assert!(matches!(error, Err(TransferError::LengthMismatch { .. })));
        let negative = ClassProportions::new(-1.0).solve(&costs, &classes, &array![1.0]);
        assert!(matches!(
            negative,
            Err(TransferError::InvalidParameter { .. })
        ));
    }
}
