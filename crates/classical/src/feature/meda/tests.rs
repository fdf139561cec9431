use ndarray::{Array1, Array2, Axis, concatenate};
use proptest::prelude::*;
use translearn_core::{
    Domain, LabelSpace, Labels, Task, TransferMethod, linalg::solve as solve_dense, seed,
};

use super::*;
use crate::fixture::Fixture;

fn rows(n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    let mut x = Array2::from_shape_simple_fn((n, d), || rng.normal());
    for mut row in x.outer_iter_mut() {
        let length = row.dot(&row).sqrt();
        row /= length;
    }
    x
}

/// `M` as the documentation has it, entry by entry.
fn naive_discrepancy(source: &Array1<usize>, target: &Array1<usize>, mu: f64) -> Array2<f64> {
    let all: Vec<usize> = source.iter().chain(target).copied().collect();
    let n = all.len();
    let sign = |i: usize| if i < source.len() { 1.0 } else { -1.0 };
    let count = |i: usize, class: Option<usize>| {
        let side = if i < source.len() { source } else { target };
        side.iter()
            .filter(|&&l| class.is_none_or(|c| c == l))
            .count() as f64
    };
    let mut m = Array2::zeros((n, n));
    for class in [None, Some(0), Some(1), Some(2)] {
        if count(0, class) == 0.0 || count(n - 1, class) == 0.0 {
            continue;
        }
        let weight = if class.is_none() {
            3.0 * (1.0 - mu)
        } else {
            mu
        };
        let entry = |i: usize| match class {
            Some(c) if all[i] != c => 0.0,
            _ => sign(i) / count(i, class),
        };
        for i in 0..n {
            for j in 0..n {
                m[[i, j]] += weight * entry(i) * entry(j);
            }
        }
    }
    let norm = m.iter().map(|v: &f64| v * v).sum::<f64>().sqrt();
    m / norm
}

/// What is minimised, by its formula.
fn objective(
    beta: &Array2<f64>,
    k: &Array2<f64>,
    e: &Array1<f64>,
    y: &Array2<f64>,
    penalty: &Array2<f64>,
    eta: f64,
) -> f64 {
    let f = k.dot(beta);
    let misfit = (y - &f) * e.view().insert_axis(Axis(1));
    let trace = |a: &Array2<f64>, b: &Array2<f64>| (a * b).sum();
    misfit.iter().map(|v| v * v).sum::<f64>() + eta * trace(beta, &f) + trace(&f, &penalty.dot(&f))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_coefficients_are_the_minimum(
        n_source in 5usize..14, n_target in 4usize..12, mu in 0.0f64..1.0, seed in 0u64..500,
        lambda in 0.0f64..20.0, rho in 0.0f64..3.0, eta in 0.05f64..1.0,
    ) {
        let (xs, xt) = (rows(n_source, 3, seed), rows(n_target, 3, seed + 1));
        let x = concatenate(Axis(0), &[xs.view(), xt.view()]).unwrap();
        let n = n_source + n_target;
        let mut rng = seed::rng(seed + 2);
        let source: Array1<usize> = (0..n_source).map(|_| rng.below(3)).collect();
        let target: Array1<usize> = (0..n_target).map(|_| rng.below(3)).collect();
        // Of the target one label is known.
        let labelled: Vec<usize> = (0..n_source).chain([n_source + 1]).collect();
        let mut wanted = Array2::zeros((n, 3));
        for &row in &labelled {
            wanted[[row, (row * 7) % 3]] = 1.0;
        }
        let params = MedaParams::default().lambda(lambda).rho(rho).eta(eta);
        let k = Array2::from_shape_fn((n, n), |(i, j)| {
            (-0.5 * (&x.row(i) - &x.row(j)).mapv(|v| v * v).sum()).exp()
        });
        let graph = Laplacian::of_cosines(&x.clone().into(), 3).unwrap();
        let system = System::new(k.clone(), &graph, &labelled, &wanted, &params).unwrap();
        let q = Discrepancy::balanced(&source, &target, 3, mu, false).indicators();
        let beta = system.solve(&q).unwrap();

        // The same from whole matrices.
        let e: Array1<f64> =
            (0..n).map(|row| f64::from(u8::from(labelled.contains(&row)))).collect();
        let laplacian = graph.times(&Array2::eye(n));
        let penalty = naive_discrepancy(&source, &target, mu) * lambda + laplacian * rho;
        let left = (Array2::from_diag(&e) + &penalty).dot(&k) + Array2::<f64>::eye(n) * eta;
        let naive = solve_dense(&left, &wanted).unwrap();
        prop_assert!((&beta - &naive).iter().all(|v| v.abs() < 1e-8));

        // The gradient of the objective is zero, and every step from there leads up.
        let f = k.dot(&beta);
        let misfit = (&f - &wanted) * e.view().insert_axis(Axis(1));
        let gradient = k.dot(&(misfit + &beta * eta + penalty.dot(&f)));
        prop_assert!(gradient.iter().all(|v| v.abs() < 1e-9), "{gradient:?}");
        let least = objective(&beta, &k, &e, &wanted, &penalty, eta);
        for _ in 0..5 {
            let step = Array2::from_shape_simple_fn((n, 3), || 0.1 * rng.normal());
            prop_assert!(objective(&(&beta + &step), &k, &e, &wanted, &penalty, eta) > least);
        }
    }
}

/// Rows that are all there twice, so that `K` is singular, weights far apart, and nothing in common: `f = K β` is that of the
/// whole system.
#[test]
fn the_factors_of_what_stays_serve_hard_systems() {
    let half = rows(12, 3, 8);
    let x = concatenate(Axis(0), &[half.view(), half.view()]).unwrap();
    let k = Array2::from_shape_fn((24, 24), |(i, j)| {
        (-0.5 * (&x.row(i) - &x.row(j)).mapv(|v| v * v).sum()).exp()
    });
    let graph = Laplacian::of_cosines(&x.into(), 3).unwrap();
    let labelled: Vec<usize> = (0..12).collect();
    let mut wanted = Array2::zeros((24, 3));
    labelled
        .iter()
        .for_each(|&row| wanted[[row, row % 3]] = 1.0);
    let source = Array1::from_shape_fn(12, |row| row % 3);
    for (target, mu) in [
        (source.mapv(|c| (c + 1) % 3), 0.5),
        (Array1::from_elem(12, 3), 1.0),
    ] {
        for (lambda, rho, eta) in [(1e6, 1.0, 0.1), (10.0, 0.0, 1e-4), (0.0, 1.0, 1e-4)] {
            let params = MedaParams::default().lambda(lambda).rho(rho).eta(eta);
            let system = System::new(k.clone(), &graph, &labelled, &wanted, &params).unwrap();
            let q = Discrepancy::balanced(&source, &target, 4, mu, false).indicators();
            let f = k.dot(&system.solve(&q).unwrap());
            let e = Array2::from_diag(&Array1::from_shape_fn(24, |i| f64::from(u8::from(i < 12))));
            let penalty = q.dot(&q.t()) * lambda + graph.times(&Array2::eye(24)) * rho;
            let left = (e + penalty).dot(&k) + Array2::<f64>::eye(24) * eta;
            let naive = k.dot(&solve_dense(&left, &wanted).unwrap());
            let off = (&f - &naive).fold(0.0_f64, |most, v| most.max(v.abs()));
            assert!(off < 1e-8, "{lambda}, {rho}, {eta}, {mu}: {off}");
        }
    }
}

/// Three classes, the target moved and turned; with some labels of it known, these are fitted too.
fn problem(known: Vec<usize>) -> (TransferProblem, Array1<usize>) {
    let mut rng = seed::rng(4);
    let labels = Array1::from_shape_fn(45, |row| row % 3);
    let mut draw = |shift: f64| {
        Array2::from_shape_fn((45, 4), |(row, column)| {
            let centre = if row % 3 == column { 3.0 } else { 0.0 };
            centre + shift * (column as f64 - 1.5) + 0.5 * rng.normal()
        })
    };
    let (source, target) = (draw(0.0), draw(0.4));
    let space = LabelSpace::numbered(3);
    let domain = |name: &str, x: Array2<f64>| Domain {
        name: name.into(),
        features: x.into(),
    };
    let of_known = Labels::Classes(labels.select(Axis(0), &known));
    let problem = TransferProblem::from_parts(
        vec![(
            domain("source", source),
            Task::labelled(space.clone(), Labels::Classes(labels.clone())),
        )],
        (
            domain("target", target),
            Task::partly_labelled(space, known, of_known),
        ),
    );
    (problem.unwrap(), labels)
}

#[test]
fn rows_of_the_fit_are_predicted_as_new_ones_are() {
    for known in [vec![], vec![0, 1, 2, 9]] {
        let (problem, labels) = problem(known);
        let fitted = Meda::params().fit(&problem, 0).unwrap();
        let predicted = fitted.model.predict(problem.target_features()).unwrap();
        assert_eq!(predicted.labels, Labels::Classes(labels));
        let balances = &fitted.trace.series["balance"];
        assert!(
            balances.iter().all(|mu| (0.0..=1.0).contains(mu)),
            "{balances:?}"
        );
        // Every round but the last one looked whether predictions changed.
        let rounds = fitted.trace.series["labels-changed"].len();
        assert!(balances.len() == rounds || balances.len() == rounds + 1);
    }
}

/// Its steps on whole matrices, behind the integral of the paper's path of subspaces.
#[test]
fn the_rounds_are_those_of_the_published_code() {
    let fixture = Fixture::new(include_str!("../../../tests/fixtures/meda_reference.json"));
    let (source, target) = (fixture.matrix("source"), fixture.matrix("target"));
    let k = fixture.number("n_components") as usize;
    let flow = Gfk::params()
        .n_components(k)
        .flow(&source, &target)
        .unwrap();
    let angles = Array1::from(flow.angles().to_vec()) - fixture.vector("angles");
    assert!(angles.iter().all(|v| v.abs() < 1e-12), "{angles}");
    let l = flow.matrix();
    for ((i, j), expected) in fixture.matrix("distances").indexed_iter() {
        let mapped = (&source.row(i) - &target.row(j)).dot(l);
        assert!((mapped.dot(&mapped) - expected).abs() < 1e-10);
    }

    let classes = Labels::Classes(fixture.classes("classes"));
    let problem = fixture.problem(&LabelSpace::numbered(3), classes, None);
    let fitted = MedaParams::default()
        .n_components(k)
        .n_neighbours(fixture.number("n_neighbours") as usize)
        .fit(&problem, 0)
        .unwrap();
    let balances = Array1::from(fitted.trace.series["balance"].clone());
    let expected = fixture.vector("balances");
    assert_eq!(balances.len(), expected.len());
    assert!((&balances - &expected).iter().all(|v| v.abs() < 1e-12));
    let predicted = fitted.model.predict(problem.target_features()).unwrap();
    let decision = predicted.scores.unwrap().matrix() - &fixture.matrix("decision");
    assert!(decision.iter().all(|v| v.abs() < 1e-9), "{decision}");
}
