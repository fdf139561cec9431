use ndarray::{Array1, Array2};
use proptest::prelude::*;
use serde_json::Value;
use translearn_core::{linalg::eigh, seed};

use super::barrier::{LeastDiscrepancy, least_discrepancy};

fn rows(n: usize, d: usize, scale: f64, shift: f64, seed: u64) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    Array2::from_shape_simple_fn((n, d), || shift + scale * rng.normal())
}

/// `‖X_TᵀX_T / n_T − Σ_i q_i x_i x_iᵀ‖₂`, entry by entry.
fn discrepancy(source: &Array2<f64>, target: &Array2<f64>, shares: &Array1<f64>) -> f64 {
    let (n, d) = source.dim();
    let matrix = Array2::from_shape_fn((d, d), |(a, b)| {
        let goal: f64 = target.rows().into_iter().map(|x| x[a] * x[b]).sum();
        let ours: f64 = (0..n)
            .map(|i| shares[i] * source[[i, a]] * source[[i, b]])
            .sum();
        goal / target.nrows() as f64 - ours
    });
    let values = eigh(&((&matrix + &matrix.t()) * 0.5)).unwrap().values;
    values.fold(0.0_f64, |a, &b| a.max(b.abs()))
}

fn solved(source: &Array2<f64>, target: &Array2<f64>) -> LeastDiscrepancy {
    least_discrepancy(source, target).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_shares_have_less(n in 1usize..30, n_target in 1usize..20, d in 1usize..9, shift in 0.0f64..2.0, scale in 0.2f64..3.0, unit in -3i32..4, seed in 0u64..1000) {
        let unit = 10.0_f64.powi(unit);
        let source = rows(n, d, unit, 0.0, seed);
        let target = rows(n_target, d, unit * scale, unit * shift, seed + 1);
        let found = solved(&source, &target);
        let q = &found.shares;
        prop_assert!(q.iter().all(|&v| v > 0.0) && (q.sum() - 1.0).abs() < 1e-12);
        let size = discrepancy(&source, &target, &Array1::zeros(n)) + discrepancy(&source, &(&source * 0.0), &Array1::from_elem(n, 1.0 / n as f64));
        let ours = discrepancy(&source, &target, q);
        prop_assert!((ours - found.discrepancy).abs() < 1e-12 * size);
        prop_assert!((ours - found.lower_bound) <= 1.0001e-6 * size);
        let equal = discrepancy(&source, &target, &Array1::from_elem(n, 1.0 / n as f64));
        prop_assert!((equal - found.unweighted).abs() < 1e-12 * size);
        // Neither random shares nor ones near by go below the bound that was given.
        let mut rng = seed::rng(seed + 2);
        for trial in 0..60 {
            let other: Array1<f64> = match trial % 3 {
                0 => q.mapv(|v| v * (1e-2 * rng.normal()).exp()),
                1 => q.mapv(|v| v * rng.normal().exp()),
                _ => q.mapv(|_| -rng.uniform().max(1e-300).ln()),
            };
            let other = &other / other.sum();
            let theirs = discrepancy(&source, &target, &other);
            prop_assert!(theirs >= found.lower_bound - 1e-10 * size, "{theirs} below {}", found.lower_bound);
        }
        // A step from here towards any row alone, to second order: the bound is no stricter than it has to be.
        for i in 0..n {
            let mut towards = q * 0.999;
            towards[i] += 0.001;
            prop_assert!(discrepancy(&source, &target, &towards) >= ours - 1.0001e-6 * size);
        }
    }

    #[test]
    fn more_columns_than_rows_change_nothing(n in 2usize..6, n_target in 1usize..5, seed in 0u64..1000) {
        let d = n + n_target + 3;
        let (source, target) = (rows(n, d, 1.0, 0.0, seed), rows(n_target, d, 1.0, 0.5, seed + 1));
        let found = solved(&source, &target);
        let size = discrepancy(&source, &target, &Array1::zeros(n)) + 10.0;
        prop_assert!((discrepancy(&source, &target, &found.shares) - found.discrepancy).abs() < 1e-10 * size);
        let grown = |x: &Array2<f64>| Array2::from_shape_fn((x.nrows(), d), |(i, j)| if j < d - 3 { x[[i, j]] } else { 0.0 });
        // Three columns of zeros on top of as many as there are rows.
        let (a, b) = (grown(&source), grown(&target));
        let narrow = |x: &Array2<f64>| x.slice(ndarray::s![.., ..d - 3]).to_owned();
        let (wide, slim) = (solved(&a, &b), solved(&narrow(&a), &narrow(&b)));
        prop_assert!((wide.discrepancy - slim.discrepancy).abs() < 2e-6 * size);
    }
}

#[test]
fn the_same_rows_keep_equal_shares() {
    let x = rows(25, 3, 1.0, 0.3, 4);
    let found = solved(&x, &x);
    assert!(found.shares.iter().all(|q| (25.0 * q - 1.0).abs() < 1e-12));
    let zeros = Array2::zeros((4, 2));
    assert_eq!(solved(&zeros, &zeros).shares, Array1::from_elem(4, 0.25));
}

#[test]
fn adapt_finds_the_same() {
    let text = include_str!("../../../tests/fixtures/linear_discrepancy_reference.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    let numbers = |value: &Value| -> Vec<f64> {
        let of = |v: &Value| v.as_f64().unwrap();
        value.as_array().unwrap().iter().map(of).collect()
    };
    let matrix = |value: &Value| {
        let all = value.as_array().unwrap();
        let entries: Vec<f64> = all.iter().flat_map(numbers).collect();
        Array2::from_shape_vec((all.len(), entries.len() / all.len()), entries).unwrap()
    };
    for case in &cases {
        let (source, target) = (matrix(&case["source"]), matrix(&case["target"]));
        let found = solved(&source, &target);
        let value = case["discrepancy"].as_f64().unwrap();
        // Both stop at a relative gap of some 1e-6, where weights are settled to some 1e-4.
        assert!(
            (found.discrepancy - value).abs() < 1e-5 * value,
            "{found:?}"
        );
        for (ours, theirs) in found.shares.iter().zip(numbers(&case["weights"])) {
            assert!((ours - theirs).abs() < 3e-4, "{ours} against {theirs}");
        }
    }
    assert_eq!(cases.len(), 3);
}

/// Few rows of many reach as far as the target does: most shares have to come down by several orders of magnitude.
#[test]
fn a_source_that_has_to_be_stretched_far_is() {
    let source = rows(400, 6, 1.0, 0.0, 3).mapv(|v| v.powi(3));
    let target = rows(300, 6, 1.0, 1.0, 4).mapv(|v| v.powi(3));
    let found = solved(&source, &target);
    assert!(found.gap <= 1e-6, "{}", found.gap);
    assert!(found.discrepancy < found.unweighted);
    let smallest = found.shares.fold(1.0_f64, |a, &b| a.min(b));
    assert!(smallest < 1e-3 / 400.0, "{smallest}");
}
