use ndarray::{Array1, Array2, Axis, concatenate, s};
use proptest::prelude::*;
use translearn_core::{Domain, LabelSpace, Labels, Task, seed};

use super::{predictors::modified_huber, *};

/// Binary words of two domains; the classes of the source go with the first word.
fn problem(n: usize, d: usize, seed: u64, sparse: bool) -> (TransferProblem, Array2<f64>) {
    let mut rng = seed::rng(seed);
    let mut words = |n: usize| {
        let topic: Vec<bool> = (0..n).map(|_| rng.uniform() < 0.5).collect();
        Array2::from_shape_fn((n, d), |(row, column)| {
            let likely = if topic[row] == (column % 2 == 0) {
                0.7
            } else {
                0.3
            };
            f64::from(u8::from(rng.uniform() < likely))
        })
    };
    let (source, target) = (words(n), words(n + 3));
    let labels = Labels::Classes(source.column(0).mapv(|v| usize::from(v > 0.0)));
    let space = LabelSpace::numbered(2);
    let domain = |name: &str, x: &Array2<f64>| {
        let rows = Features::from(x.clone());
        let features = match sparse {
            true => Features::Sparse(rows.to_sparse().unwrap().into_owned()),
            false => rows,
        };
        Domain {
            name: name.into(),
            features,
        }
    };
    let all = concatenate(Axis(0), &[source.view(), target.view()]).unwrap();
    let problem = TransferProblem::from_parts(
        vec![(
            domain("source", &source),
            Task::labelled(space.clone(), labels),
        )],
        (domain("target", &target), Task::unlabelled(space)),
    );
    (problem.unwrap(), all)
}

#[test]
fn the_loss_is_smooth_and_its_slope_is_the_slope() {
    for margin in [-3.0, -1.5, -1.0, -0.3, 0.0, 0.7, 1.0, 2.0] {
        let (value, slope) = modified_huber(margin);
        let expected = if margin >= -1.0 {
            (1.0_f64 - margin).max(0.0).powi(2)
        } else {
            -4.0 * margin
        };
        assert_eq!(value, expected);
        let step = 1e-6;
        let difference =
            (modified_huber(margin + step).0 - modified_huber(margin - step).0) / (2.0 * step);
        assert!(
            (slope - difference).abs() < 1e-5,
            "{margin}: {slope} and {difference}"
        );
    }
}

/// Columns at unit length.
fn unit(x: &Array2<f64>) -> Array2<f64> {
    let mut x = x.clone();
    translearn_core::linalg::unit_columns(&mut x);
    x
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Each predictor is stationary: `Σ L'(m_i) y_i x_i + 2λw = 0` and `Σ L'(m_i) y_i = 0` for some intercept, found by
    /// bisection, for the convex problem has no other optimum. The directions are those of the largest squares of `Wᵀ u`.
    #[test]
    fn directions_are_those_of_stationary_predictors(
        d in 4usize..7, sparse: bool, frequency: bool, lambda in 0.1f64..3.0, seed in 0u64..500,
    ) {
        let (problem, x) = problem(30, d, seed, sparse);
        let choice = if frequency { PivotChoice::Frequency } else { PivotChoice::MutualInformation };
        let params = Scl::params().n_pivots(2).pivots(choice).min_count(1).n_components(1).lambda(lambda).tolerance(1e-10);
        let pivots = params.pivots_of(&problem).unwrap();
        // The label is the first word: nothing has more mutual information with it.
        prop_assert!(frequency || pivots.contains(&0));
        let others: Vec<usize> = (0..d).filter(|column| !pivots.contains(column)).collect();
        let rows = x.select(Axis(1), &others);
        let occurs = x.select(Axis(1), &pivots).mapv(|v| v > 0.0);
        let csr = Features::from(rows.clone()).to_sparse().unwrap().into_owned();
        let predictors = Predictors { lambda, tolerance: 1e-10, max_iterations: 1000 };
        let weights = predictors.weights(&csr, &occurs).unwrap();
        for pivot in 0..2 {
            let w = weights.column(pivot);
            let y = occurs.column(pivot).mapv(|o| if o { 1.0 } else { -1.0 });
            let output = rows.dot(&w);
            let slopes = |b: f64| -> Array1<f64> {
                output.iter().zip(&y).map(|(o, y)| y * modified_huber(y * (o + b)).1).collect()
            };
            let (mut low, mut high) = (-100.0, 100.0);
            for _ in 0..200 {
                let middle = 0.5 * (low + high);
                if slopes(middle).sum() < 0.0 { low = middle } else { high = middle }
            }
            let gradient = rows.t().dot(&slopes(high)) + &(&w * (2.0 * lambda));
            prop_assert!(gradient.iter().all(|g| g.abs() < 1e-7), "{gradient}");
        }

        let map = params.fit_align(&problem, 0).unwrap().map;
        let mapped = map.map_target(&x.clone().into()).unwrap().dense().unwrap().into_owned();
        prop_assert_eq!(mapped.slice(s![.., ..d]), x.view());
        let appended = mapped.slice(s![.., d..]).to_owned();
        let length = |x: &Array2<f64>| x.outer_iter().map(|row| row.dot(&row).sqrt()).sum::<f64>();
        prop_assert!((length(&appended) - length(&x)).abs() < 1e-9 * length(&x));
        // Up to scale and sign, the leading eigenvector of `W Wᵀ`.
        let eigen = translearn_core::linalg::eigh(&weights.dot(&weights.t())).unwrap();
        let (values, vectors) = eigen.largest(2).unwrap();
        prop_assume!(values[0] > 1.05 * values[1]);
        let expected = unit(&rows.dot(&vectors.slice(s![.., ..1])));
        let ours = unit(&appended);
        let cosine = expected.column(0).dot(&ours.column(0)).abs();
        prop_assert!((cosine - 1.0).abs() < 1e-7, "{cosine}");
    }
}

#[test]
fn more_pivots_than_frequent_features_are_refused() {
    let (problem, _) = problem(30, 5, 1, false);
    let error = Scl::params()
        .n_pivots(5)
        .fit_align(&problem, 0)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("`n_pivots` = 5 is outside integer in [1, 4]"),
        "{error}"
    );
    let error = Scl::params()
        .min_count(40)
        .fit_align(&problem, 0)
        .unwrap_err();
    assert!(error.to_string().contains("0 of 5 features"), "{error}");
}

/// Sparse rows come back sparse, with the same values.
#[test]
fn sparse_rows_stay_sparse() {
    let (dense, x) = problem(30, 6, 4, false);
    let (sparse, _) = problem(30, 6, 4, true);
    let params = Scl::params().n_pivots(2).n_components(2);
    let map = |problem| params.fit_align(problem, 0).unwrap().map;
    let rows = Features::from(x);
    let csr = Features::Sparse(rows.to_sparse().unwrap().into_owned());
    let (a, b) = (
        map(&dense).map_target(&rows).unwrap(),
        map(&sparse).map_target(&csr).unwrap(),
    );
    assert!(b.is_sparse());
    let difference = &*a.dense().unwrap() - &*b.dense().unwrap();
    assert!(difference.iter().all(|v| v.abs() < 1e-10));
    assert_eq!(a.n_columns(), 8);
}
