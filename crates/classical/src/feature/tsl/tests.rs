use ndarray::{Array1, array, concatenate};
use proptest::prelude::*;
use translearn_core::{
    Domain, LabelSpace, Labels, Task,
    linalg::{covariance, lstsq},
};

use super::descent::Evaluated;
use super::*;
use crate::feature::tests::{gaussian, largest, problem};

/// The formulas of the documentation, sum by sum, for any `U`.
struct Naive {
    rows: Array2<f64>,
    classes: Vec<usize>,
    gamma: f64,
    lambda: f64,
    objective: TslObjective,
}

impl Naive {
    /// Source rows of three classes, then target rows.
    fn new(n_source: usize, n_target: usize, d: usize, seed: u64) -> Self {
        let source = gaussian(n_source, d, 0.0, 1.0, seed);
        let target = gaussian(n_target, d, 0.7, 1.0, seed + 1);
        let rows = concatenate(Axis(0), &[source.view(), target.view()]).unwrap();
        Self {
            rows: centred(&rows),
            classes: (0..n_source).map(|row| row % 3).collect(),
            gamma: 0.3,
            lambda: 1.0,
            objective: TslObjective::Fisher,
        }
    }

    fn problem(&self) -> TransferProblem {
        let n_source = self.classes.len();
        let part = |rows| self.rows.slice(rows).to_owned();
        problem(
            part(s![..n_source, ..]),
            self.classes.clone(),
            part(s![n_source.., ..]),
        )
    }

    fn params(&self) -> TslParams {
        Tsl::params()
            .objective(self.objective)
            .lambda(self.lambda)
            .gamma(self.gamma)
    }

    fn solver(&self, k: usize) -> Objective {
        let n_source = self.classes.len();
        let labelled = self.rows.slice(s![..n_source, ..]).to_owned();
        let scatter =
            LabelScatter::new(&labelled, &Labels::Classes(self.classes.clone().into()), 3);
        Objective {
            criterion: self.params().criterion(&scatter, k).unwrap(),
            divergence: Divergence {
                rows: self.rows.clone(),
                n_source,
                gamma: self.gamma,
            },
            lambda: self.lambda,
        }
    }

    fn value(&self, u: &Array2<f64>) -> f64 {
        self.criterion(u) + self.lambda * self.divergence(u)
    }

    fn criterion(&self, u: &Array2<f64>) -> f64 {
        let z = self.rows.slice(s![..self.classes.len(), ..]).dot(u);
        let apart =
            |a: ndarray::ArrayView1<'_, f64>, b: &Array1<f64>| (&a - b).mapv(|v| v * v).sum();
        let mean = z.mean_axis(Axis(0)).unwrap();
        let total: f64 = z.rows().into_iter().map(|row| apart(row, &mean)).sum();
        let x = &self.rows.slice(s![..self.classes.len(), ..]);
        let all: f64 = covariance(x).unwrap().diag().sum() * (x.nrows() - 1) as f64;
        match self.objective {
            TslObjective::Pca => 1.0 - total / all,
            TslObjective::Fisher => {
                let mean_of = |class: usize| {
                    let rows: Vec<usize> = (0..z.nrows())
                        .filter(|&row| self.classes[row] == class)
                        .collect();
                    z.select(Axis(0), &rows).mean_axis(Axis(0)).unwrap()
                };
                let within: f64 = (0..z.nrows())
                    .map(|row| apart(z.row(row), &mean_of(self.classes[row])))
                    .sum();
                let floor = 1e-6 * all / x.ncols() as f64 * u.iter().map(|v| v * v).sum::<f64>();
                (within + floor) / (total + floor)
            }
        }
    }

    fn divergence(&self, u: &Array2<f64>) -> f64 {
        let z = self.rows.dot(u);
        let n_source = self.classes.len();
        let mean = |of_left: std::ops::Range<usize>, of_right: std::ops::Range<usize>| {
            let pairs = of_left.len() * of_right.len();
            let kernel = |i: usize, j: usize| {
                (-self.gamma * (&z.row(i) - &z.row(j)).mapv(|v| v * v).sum()).exp()
            };
            let sum: f64 = of_left
                .flat_map(|i| of_right.clone().map(move |j| (i, j)))
                .map(|(i, j)| kernel(i, j))
                .sum();
            sum / pairs as f64
        };
        let (source, target) = (0..n_source, n_source..z.nrows());
        mean(source.clone(), source.clone()) + mean(target.clone(), target.clone())
            - 2.0 * mean(source, target)
    }

    /// `(p_S(z) - p_T(z))²` for Gaussians of covariance `I / 4γ`.
    fn squared_difference(&self, z: &Array2<f64>, at: &[f64]) -> f64 {
        let k = at.len() as i32;
        let scale = (2.0 * self.gamma / std::f64::consts::PI).sqrt().powi(k);
        let density = |rows: std::ops::Range<usize>| {
            let n = rows.len() as f64;
            let of_row = |row: usize| -> f64 {
                let squared: f64 = z
                    .row(row)
                    .iter()
                    .zip(at)
                    .map(|(a, b)| (a - b).powi(2))
                    .sum();
                scale * (-2.0 * self.gamma * squared).exp()
            };
            rows.map(of_row).sum::<f64>() / n
        };
        let n_source = self.classes.len();
        (density(0..n_source) - density(n_source..z.nrows())).powi(2)
    }
}

fn orthonormal(d: usize, k: usize, seed: u64) -> Array2<f64> {
    let mut rng = rng(seed);
    orthonormalize(&Array2::from_shape_simple_fn((d, k), || rng.normal())).unwrap()
}

/// A sum of twice the digits.
#[derive(Clone, Copy, Default)]
struct Twofold {
    high: f64,
    low: f64,
}

impl Twofold {
    fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        Self {
            high,
            low: a.mul_add(b, -high),
        }
    }

    fn plus(self, other: Self) -> Self {
        let high = self.high + other.high;
        let of_other = high - self.high;
        let lost = (self.high - (high - of_other)) + (other.high - of_other);
        let low = lost + self.low + other.low;
        Self {
            high: high + low,
            low: low - ((high + low) - high),
        }
    }

    fn times(self, factor: f64) -> Self {
        let of_high = Self::product(self.high, factor);
        Self {
            high: of_high.high,
            low: self.low.mul_add(factor, of_high.low),
        }
    }

    /// `tr(Uᵀ A U)`.
    fn trace(a: &Array2<f64>, u: &Array2<f64>) -> Self {
        let mut sum = Self::default();
        for column in u.columns() {
            for ((i, j), &entry) in a.indexed_iter() {
                sum = sum.plus(Self::product(entry, column[i]).times(column[j]));
            }
        }
        sum
    }
}

/// How far the value of a criterion is from that of its matrices, evaluated with twice the digits.
fn rounded_by(criterion: &Criterion, u: &Array2<f64>, value: f64) -> f64 {
    let above = Twofold::trace(&criterion.numerator, u);
    let below = Twofold::trace(&criterion.denominator, u);
    let left = above.plus(below.times(-value));
    ((left.high + left.low) / below.high).abs()
}

/// What the rounding of no value of a criterion is above, whatever the subspace: the terms of each column are at most the
/// norm of the absolute matrix, its part of the trace is at least the least eigenvalue.
fn most_rounding(criterion: &Criterion) -> f64 {
    let norm = |matrix: &Array2<f64>| matrix.iter().map(|entry| entry * entry).sum::<f64>().sqrt();
    let least = eigh(&criterion.denominator).unwrap().smallest(1).unwrap().0[0];
    let terms = norm(&criterion.numerator) + norm(&criterion.denominator);
    1e-14_f64.max(4.0 * f64::EPSILON * terms / least)
}

#[test]
fn twice_the_digits_are_kept() {
    // 1 + 2⁻⁶⁰ - 1, which single numbers lose.
    let (one, little) = (Twofold::product(1.0, 1.0), 2.0_f64.powi(-60));
    let sum = one
        .plus(Twofold::product(little, 1.0))
        .plus(one.times(-1.0));
    assert_eq!(sum.high + sum.low, little);
    // (1 + 2⁻³⁰)² - 1 - 2⁻²⁹ = 2⁻⁶⁰.
    let factor = 1.0 + 2.0_f64.powi(-30);
    let square = Twofold::product(factor, 1.0).times(factor);
    let rest = square
        .plus(one.times(-1.0))
        .plus(Twofold::product(-2.0_f64.powi(-29), 1.0));
    assert_eq!(rest.high + rest.low, little);
    let half = Twofold::trace(&array![[0.0, 1.0], [2.0, 3.0]], &array![[2.0], [-1.0]]);
    assert_eq!(half.high, 3.0 - 4.0 - 2.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Where the entries of the matrices cancel in the traces, too: the subspace is of directions in which they are
    /// `10^-digits` of what they are in others.
    #[test]
    fn the_rounding_that_is_told_covers_that_of_the_value(
        d in 2usize..9, k in 1usize..4, digits in 0i32..10, seed in 0u64..10_000,
    ) {
        let k = k.min(d - 1);
        let axes = orthonormal(d, d, seed);
        let mut rng = rng(seed + 1);
        let mut matrix = || {
            let size = |axis: usize| if axis < k { 10.0_f64.powi(-digits) } else { 1.0 };
            let spread = Array2::from_diag(&Array1::from_shape_fn(d, |axis| size(axis) * (1.0 + rng.uniform())));
            axes.dot(&spread).dot(&axes.t())
        };
        let within = matrix();
        let criterion = Criterion::new(within.clone(), within + matrix());
        let u = axes.slice(s![.., ..k]).to_owned();
        let Evaluated { value, rounding, .. } = criterion.at(&u).unwrap();
        let lost = rounded_by(&criterion, &u, value);
        prop_assert!(lost <= rounding, "{lost:e} is lost, {rounding:e} is told");
    }

    #[test]
    fn value_and_derivative_are_those_of_the_formulas(
        d in 2usize..6, k in 1usize..4, n_source in 6usize..12, n_target in 3usize..9, seed in 0u64..500, pca: bool, lambda in 0.0f64..3.0,
    ) {
        let k = k.min(d);
        let mut naive = Naive { lambda, ..Naive::new(n_source, n_target, d, seed) };
        if pca {
            naive.objective = TslObjective::Pca;
        }
        let u = orthonormal(d, k, seed);
        let Evaluated { value, derivative, .. } = naive.solver(k).at(&u).unwrap();
        prop_assert!((value - naive.value(&u)).abs() < 1e-12);
        // What is lost by principal components is a ratio here, whose denominator grows with the length of the columns.
        let along = |direction: &Array2<f64>, at: f64| orthonormalize(&(&u + &(direction * at))).unwrap();
        for entry in 0..d * k {
            let mut direction = Array2::zeros((d, k));
            direction[[entry / k, entry % k]] = 1.0;
            let difference = (naive.value(&along(&direction, 1e-5)) - naive.value(&along(&direction, -1e-5))) / 2e-5;
            // Along the columns themselves there is no derivative: the value is one of the span.
            let turned = &direction - &u.dot(&u.t().dot(&direction));
            let expected = (&turned * &derivative).sum();
            prop_assert!((difference - expected).abs() < 1e-6, "{difference} against {expected}");
        }
        let inside = u.t().dot(&derivative);
        prop_assert!(largest(&(&inside - &inside.t())) < 1e-12, "no turn within the span changes anything");
    }

    /// Where the end is, and how it was come to.
    #[test]
    fn a_fit_ends_where_the_objective_is_stationary(
        d in 2usize..6, k in 1usize..3, seed in 0u64..500, pca: bool, lambda in 0.0f64..3.0,
    ) {
        let k = k.min(d - 1);
        let mut naive = Naive { lambda, ..Naive::new(14, 11, d, seed) };
        if pca {
            naive.objective = TslObjective::Pca;
        }
        let params = naive.params().n_components(k).tolerance(1e-9);
        let (map, trace) = params.subspace(&naive.problem(), 0).unwrap();
        let u = map.directions();
        prop_assert!(largest(&(u.t().dot(u) - Array2::<f64>::eye(k))) < 1e-12);
        let (values, norms, ends) = (&trace.series["objective"], &trace.series["gradient-norm"], &trace.series["ends"]);
        let last = values[values.len() - 1];
        // Above the least where the terms of the traces cancel, but never far, for what Fisher's criterion adds is a bound.
        let criterion = naive.solver(k).criterion;
        let (rounding, most) = (criterion.at(u).unwrap().rounding, most_rounding(&criterion));
        prop_assert!(rounding <= most && most < 1e-8, "{rounding:e} is told of at most {most:e}");
        prop_assert!((last - naive.value(u)).abs() < 1e-12 + rounding);
        prop_assert!(values.windows(2).all(|pair| pair[1] <= pair[0] + most));
        prop_assert!(
            norms[norms.len() - 1] <= 1e-9_f64.max(1e3 * rounding),
            "{:e} after {} with {rounding:e}", norms[norms.len() - 1], norms.len()
        );
        prop_assert!(ends.len() == 4 && ends.iter().all(|&end| last <= end + 1e-9));
        let mut rng = rng(seed);
        let direction = Array2::from_shape_simple_fn((d, k), || rng.normal());
        let along = |at: f64| naive.value(&orthonormalize(&(u + &(&direction * at))).unwrap());
        prop_assert!((along(1e-6) - along(-1e-6)).abs() < 1e-10);
    }

    /// The best ratio of traces is that `F` for which the `k` smallest eigenvalues of `A - F B` sum to 0, and it has no
    /// other local minimum: from a subspace that is drawn, the descent has to find it.
    #[test]
    fn without_the_divergence_the_optimum_is_known(
        d in 2usize..7, k in 1usize..4, seed in 0u64..500, pca: bool,
    ) {
        let k = k.min(d);
        let mut naive = Naive { lambda: 0.0, ..Naive::new(20, 5, d, seed) };
        if pca {
            naive.objective = TslObjective::Pca;
        }
        let objective = naive.solver(k);
        let limits = Limits { max_iterations: 500, tolerance: 1e-8 };
        let found = descend(|u| objective.at(u), orthonormal(d, k, seed), limits).unwrap();
        let Criterion { numerator, denominator, .. } = &objective.criterion;
        let left = eigh(&(numerator - &(denominator * found.value()))).unwrap().smallest(k).unwrap().0.sum();
        prop_assert!(left.abs() < 1e-9 * denominator.diag().sum(), "{left:e} at {}", found.value());
        if k == 1 || pca {
            let start = objective.criterion.leading(k).unwrap();
            prop_assert!((objective.at(&start).unwrap().value - found.value()).abs() < 1e-9);
        }
    }

    /// On a grid; sums of smooth functions that vanish at its ends are nearly exact.
    #[test]
    fn the_divergence_is_the_integral_of_squared_differences(k in 1usize..3, seed in 0u64..500) {
        let naive = Naive::new(5, 4, 2, seed);
        let u = orthonormal(2, k, seed);
        let z = naive.rows.dot(&u);
        let (step, reach) = (0.25, largest(&z) + 6.0);
        let grid: Vec<f64> = (0..).map(|i| f64::from(i) * step - reach).take_while(|&v| v < reach).collect();
        let integral: f64 = match k {
            1 => grid.iter().map(|&a| naive.squared_difference(&z, &[a]) * step).sum(),
            _ => grid.iter().flat_map(|&a| grid.iter().map(move |&b| [a, b])).map(|at| naive.squared_difference(&z, &at) * step * step).sum(),
        };
        let expected = (std::f64::consts::PI / naive.gamma).sqrt().powi(k as i32) * integral;
        let (ours, _) = naive.solver(k).divergence.at(&u).unwrap();
        prop_assert!((ours - expected).abs() < 1e-9, "{ours} against {expected}");
    }

    #[test]
    fn the_scatter_of_values_is_that_of_least_squares(n in 3usize..12, d in 1usize..5, seed in 0u64..500) {
        let x = gaussian(n, d, 0.5, 1.0, seed);
        let mut rng = rng(seed);
        let y = Array1::from_shape_simple_fn(n, || rng.normal());
        let line = Array2::from_shape_fn((n, 2), |(row, column)| if column == 0 { 1.0 } else { y[row] });
        let predicted = line.dot(&lstsq(&line, &x).unwrap());
        let ours = LabelScatter::new(&x, &Labels::Values(y), 0);
        let scale = 1.0 + largest(&ours.total());
        prop_assert!(largest(&(&ours.within - &gram(&(&x - &predicted)))) < 1e-10 * scale);
        prop_assert!(largest(&(&ours.between - &gram(&centred(&predicted)))) < 1e-10 * scale);
    }
}

/// Steps of the length that curvature of other directions allows would take hundreds to get away from there.
#[test]
fn a_start_beside_a_saddle_is_left_behind() {
    let naive = Naive {
        lambda: 0.0,
        objective: TslObjective::Pca,
        ..Naive::new(20, 5, 3, 387)
    };
    let objective = naive.solver(2);
    let limits = Limits {
        max_iterations: 50,
        tolerance: 1e-8,
    };
    let found = descend(|u| objective.at(u), orthonormal(3, 2, 387), limits).unwrap();
    let best = objective
        .at(&objective.criterion.leading(2).unwrap())
        .unwrap()
        .value;
    assert!(
        found.value() - best < 1e-12,
        "{} above {best}",
        found.value()
    );
    let beside = found
        .values
        .iter()
        .skip(1)
        .position(|value| value - best < 5e-3);
    assert!(beside > Some(2), "the start is no such one: {beside:?}");
}

/// More rows than a block has.
#[test]
fn blocks_of_rows_make_one_sum() {
    let naive = Naive::new(700, 800, 2, 1);
    let u = orthonormal(2, 1, 1);
    let (value, _) = naive.solver(1).divergence.at(&u).unwrap();
    assert!((value - naive.divergence(&u)).abs() < 1e-12);
}

/// The second column varies in the target alone.
#[test]
fn fisher_leaves_directions_without_labelled_variance() {
    let source = array![
        [0.0, 0.0],
        [0.5, 0.0],
        [2.0, 0.0],
        [2.5, 0.0],
        [4.0, 0.0],
        [4.5, 0.0]
    ];
    let target = array![[0.0, 9.0], [2.0, -7.0], [4.0, 3.0]];
    let problem = problem(source, vec![0, 0, 1, 1, 2, 2], target);
    let map = Tsl::params()
        .lambda(0.0)
        .n_components(1)
        .subspace(&problem, 0);
    assert!(map.unwrap().0.directions()[[0, 0]].abs() > 1.0 - 1e-6);
}

#[test]
fn what_cannot_be_projected_is_refused() {
    let alike = problem(
        Array2::zeros((4, 2)),
        vec![0, 1, 2, 0],
        array![[1.0, 2.0], [3.0, 5.0]],
    );
    let error = Tsl::params().subspace(&alike, 0).unwrap_err();
    assert!(
        matches!(error, TransferError::Unsupported { .. }),
        "{error}"
    );
    let differ = Naive::new(6, 6, 3, 1).problem();
    let error = Tsl::params()
        .n_components(4)
        .subspace(&differ, 0)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("n_components") && error.contains("[1, 3]"),
        "{error}"
    );
}

/// One direction for values, however they are told.
#[test]
fn labels_may_be_values() {
    let rows = |seed| gaussian(12, 3, 0.0, 1.0, seed);
    let domain = |seed| Domain {
        name: "rows".to_owned(),
        features: rows(seed).into(),
    };
    let source = rows(1);
    let values = source.column(0).to_owned() - source.column(2);
    let problem = TransferProblem::from_parts(
        vec![(
            domain(1),
            Task::labelled(LabelSpace::Real, Labels::Values(values)),
        )],
        (domain(2), Task::unlabelled(LabelSpace::Real)),
    )
    .unwrap();
    let map = Tsl::params().lambda(0.0).subspace(&problem, 0).unwrap().0;
    // Fisher's direction is that by which least squares predicts the label, here without error: what the floor adds
    // turns it by a little.
    let u = map.directions();
    assert_eq!(u.dim(), (3, 1));
    assert!(
        (u[[0, 0]] + u[[2, 0]]).abs() < 1e-2 && u[[1, 0]].abs() < 1e-2,
        "{u}"
    );
}
