use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;
use serde::Deserialize;
use translearn_core::{DomainMap, Features, seed};

use super::{Fmmd, FmmdKernel, quadratic_weights};
use crate::feature::tests::gaussian;

const KERNELS: [FmmdKernel; 2] = [FmmdKernel::Linear, FmmdKernel::Polynomial];

/// The squared discrepancy by the kernel alone, over all pairs of rows.
fn discrepancy(
    kernel: FmmdKernel,
    source: &Array2<f64>,
    target: &Array2<f64>,
    w: &Array1<f64>,
) -> f64 {
    let mean = |a: &Array2<f64>, b: &Array2<f64>| {
        let mut sum = 0.0;
        for x in a.rows() {
            for z in b.rows() {
                let product = (&x * w).dot(&z);
                sum += match kernel {
                    FmmdKernel::Linear => product,
                    FmmdKernel::Polynomial => (product + 1.0).powi(2),
                };
            }
        }
        sum / (a.nrows() * b.nrows()) as f64
    };
    mean(source, source) + mean(target, target) - 2.0 * mean(source, target)
}

fn select(kernel: FmmdKernel, source: &Array2<f64>, target: &Array2<f64>) -> Fmmd {
    Fmmd::params()
        .kernel(kernel)
        .select(&source.clone().into(), &target.clone().into())
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The conditions of Karush, Kuhn and Tucker, with the gradient by differences; and no other weights do better.
    #[test]
    fn weights_make_the_discrepancy_largest(d in 1usize..6, which in 0usize..2, shift in 0.0f64..1.0, seed in 0u64..500) {
        let (source, target) = (gaussian(7, d, 0.0, 1.0, seed), gaussian(6, d, shift, 1.2, seed + 1));
        let w = select(KERNELS[which], &source, &target).weights().clone();
        let at = |w: &Array1<f64>| discrepancy(KERNELS[which], &source, &target, w);
        let optimum = at(&w);
        prop_assert!((w.dot(&w) - 1.0).abs() < 1e-8 && w.iter().all(|&v| v >= 0.0), "{w}");

        let gradient: Array1<f64> = (0..d)
            .map(|j| {
                let step = |by: f64| {
                    let mut moved = w.clone();
                    moved[j] += by;
                    at(&moved)
                };
                // Exact for a quadratic function.
                (step(1e-2) - step(-1e-2)) / 2e-2
            })
            .collect();
        let multiplier = gradient.dot(&w);
        for j in 0..d {
            // On the sphere the gradient points outwards; where a weight is 0 it may fall short.
            let residual = gradient[j] - multiplier * w[j];
            prop_assert!(residual < 1e-6 * multiplier.abs(), "{residual} of {multiplier}");
            prop_assert!(w[j] < 1e-9 || residual > -1e-6 * multiplier.abs(), "{residual} of {multiplier}");
        }
        let mut rng = seed::rng(seed);
        for _ in 0..50 {
            let other = Array1::from_shape_simple_fn(d, || rng.normal().abs());
            let other = &other / other.dot(&other).sqrt();
            prop_assert!(at(&other) <= optimum * (1.0 + 1e-9));
        }
    }

    #[test]
    fn sparse_rows_are_selected_as_dense_ones_are(which in 0usize..2, seed in 0u64..500) {
        let draw = |seed: u64, shift: f64| {
            let x = gaussian(12, 5, shift, 1.0, seed);
            x.mapv(|v| if v.abs() < 0.8 { 0.0 } else { v })
        };
        let (source, target) = (draw(seed, 0.0), draw(seed + 1, 0.5));
        let dense = select(KERNELS[which], &source, &target);
        let sparse = |x: &Array2<f64>| Features::Sparse(Features::from(x.clone()).to_sparse().unwrap().into_owned());
        let (source, target) = (sparse(&source), sparse(&target));
        let of_sparse = Fmmd::params().kernel(KERNELS[which]).select(&source, &target).unwrap();
        prop_assert_eq!(dense.kept(), of_sparse.kept());
        let worst = (dense.weights() - of_sparse.weights()).fold(0.0_f64, |worst, v| worst.max(v.abs()));
        prop_assert!(worst < 1e-9, "{worst:e}");
        let mapped = of_sparse.map_target(&target).unwrap();
        prop_assert!(mapped.is_sparse() && mapped.n_columns() == of_sparse.kept().len());
    }
}

/// `b` has no part along the eigenvector of the largest eigenvalue: the weight that is missing lies along it.
#[test]
fn a_direction_that_means_do_not_show_gets_its_weight() {
    let (products, means) = (array![[1.0, 0.0], [0.0, 2.0]], array![0.5, 0.0]);
    let w = quadratic_weights(&products, &means).unwrap();
    // (4 - 1) w_1 = 0.25, and the rest of the length.
    assert!((w[0] - 0.25 / 3.0).abs() < 1e-9, "{w}");
    assert!((w.dot(&w) - 1.0).abs() < 1e-9, "{w}");
}

#[test]
fn one_sample_in_another_order_keeps_all() {
    let x = gaussian(31, 4, 7.0, 3.0, 1);
    let turned = x.select(Axis(0), &(0..31).rev().collect::<Vec<_>>());
    for kernel in KERNELS {
        let selection = select(kernel, &x, &turned);
        assert_eq!(selection.kept(), [0, 1, 2, 3]);
        assert_eq!(selection.weights(), Array1::<f64>::zeros(4));
    }
}

#[test]
fn what_does_not_vary_stays() {
    let source = array![[7.0, 0.1, 0.0, 0.3], [7.0, 0.2, 0.0, 0.1]];
    let target = array![[7.0, 0.3, 0.0, 5.0], [7.0, 0.1, 0.0, 4.0]];
    for kernel in KERNELS {
        assert_eq!(select(kernel, &source, &target).kept(), [0, 1, 2]);
    }
    let error = Fmmd::params()
        .threshold(1e-3)
        .select(&array![[0.0], [1.0]].into(), &array![[2.0], [3.0]].into())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`threshold` = 0.001 is outside [1, ∞) (or no feature is left)"
    );
}

#[derive(Deserialize)]
struct Reference {
    source: Vec<[f64; 6]>,
    target: Vec<[f64; 6]>,
    weights: Vec<f64>,
    kept: Vec<usize>,
}

/// Its solver stops some 1e-8 from the optimum.
#[test]
fn weights_are_those_of_adapt() {
    let text = include_str!("../../../tests/fixtures/fmmd_reference.json");
    let reference: Reference = serde_json::from_str(text).unwrap();
    let matrix = |rows: &[[f64; 6]]| ndarray::arr2(rows);
    let selection = select(
        FmmdKernel::Linear,
        &matrix(&reference.source),
        &matrix(&reference.target),
    );
    for (ours, theirs) in selection.weights().iter().zip(&reference.weights) {
        assert!((ours - theirs).abs() < 1e-6, "{ours} against {theirs}");
    }
    assert_eq!(selection.kept(), reference.kept);
}
