use ndarray::{Array2, array};
use proptest::prelude::*;

use super::*;
use crate::seed::rng;

/// Small whole numbers, half of them 0, so that rows repeat and distances tie; `offset` makes the norms large.
fn grid(rows: usize, columns: usize, offset: f64, seed: u64) -> Array2<f64> {
    let mut rng = rng(seed);
    Array2::from_shape_simple_fn((rows, columns), || {
        offset + rng.below(6).saturating_sub(2) as f64
    })
}

fn normal(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut rng = rng(seed);
    Array2::from_shape_simple_fn((rows, columns), || {
        if rng.below(3) == 0 { 0.0 } else { rng.normal() }
    })
}

/// Dense, column-major, sparse, and sparse by column.
fn storages(x: &Array2<f64>) -> [Features; 4] {
    let dense = Features::from(x.clone());
    let sparse = dense.to_sparse().unwrap().into_owned();
    let column_major = x.t().as_standard_layout().into_owned().reversed_axes();
    let by_column = Features::Sparse(sparse.to_csc());
    [
        dense,
        Features::Dense(column_major),
        Features::Sparse(sparse),
        by_column,
    ]
}

fn naive(x: &Array2<f64>, y: &Array2<f64>, term: impl Fn(f64, f64) -> f64) -> Array2<f64> {
    Array2::from_shape_fn((x.nrows(), y.nrows()), |(i, j)| {
        let mut sum = 0.0;
        for c in 0..x.ncols() {
            sum += term(x[(i, c)], y[(j, c)]);
        }
        sum
    })
}

fn squares(x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
    naive(x, y, |a, b| (a - b) * (a - b))
}

fn naive_nearest(distances: &Array2<f64>, k: usize, skip_self: bool) -> Neighbours {
    let mut indices = Array2::zeros((distances.nrows(), k));
    let mut squared_distances = Array2::zeros((distances.nrows(), k));
    for (i, row) in distances.outer_iter().enumerate() {
        let mut order: Vec<usize> = (0..row.len()).filter(|&j| !(skip_self && i == j)).collect();
        order.sort_by(|&a, &b| row[a].total_cmp(&row[b])); // stable: ties stay in row order
        for slot in 0..k {
            indices[(i, slot)] = order[slot];
            squared_distances[(i, slot)] = row[order[slot]];
        }
    }
    Neighbours {
        indices,
        squared_distances,
    }
}

fn close(a: &Array2<f64>, b: &Array2<f64>, tolerance: f64) -> bool {
    a.dim() == b.dim()
        && a.iter()
            .zip(b)
            .all(|(a, b)| (a - b).abs() <= tolerance * (1.0 + b.abs()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_storage_gives_the_naive_numbers(n in 0_usize..12, m in 0_usize..12, d in 0_usize..20, seed: u64) {
        let (x, y) = (normal(n, d, seed), normal(m, d, !seed));
        let products = naive(&x, &y, |a, b| a * b);
        let norm = |a: &Array2<f64>, i: usize| a.row(i).dot(&a.row(i)).sqrt();
        let cosines = Array2::from_shape_fn((n, m), |(i, j)| {
            let norms = norm(&x, i) * norm(&y, j);
            if norms > 0.0 { products[(i, j)] / norms } else { 0.0 }
        });
        for xs in storages(&x) {
            for ys in storages(&y) {
                prop_assert!(close(&squared_distances(&xs, &ys).unwrap(), &squares(&x, &y), 1e-11));
                prop_assert!(close(&manhattan_distances(&xs, &ys).unwrap(), &naive(&x, &y, |a, b| (a - b).abs()), 1e-13));
                prop_assert!(close(&inner_products(&xs, &ys).unwrap(), &products, 1e-13));
                prop_assert!(close(&cosine_similarities(&xs, &ys).unwrap(), &cosines, 1e-13));
            }
            for within in [squared_distances_within, inner_products_within, cosine_similarities_within] {
                let own = within(&xs).unwrap();
                prop_assert_eq!(own.t(), &own);
            }
            prop_assert!(close(&squared_distances_within(&xs).unwrap(), &squares(&x, &x), 1e-11));
            prop_assert!(close(&inner_products_within(&xs).unwrap(), &naive(&x, &x, |a, b| a * b), 1e-13));
        }
    }

    #[test]
    fn neighbours_are_the_naive_ones_ties_included(
        n in 1_usize..20, d in 1_usize..6, k in 0_usize..6, far: bool, exact: bool, seed: u64,
    ) {
        let offset = if far { 1e5 + 0.1 } else { 0.0 };
        let make = |rows, seed| if exact { grid(rows, d, offset, seed) } else { normal(rows, d, seed) + offset };
        let (x, y) = (make(n, seed), make(n + k, !seed));
        for xs in storages(&x) {
            for ys in storages(&y) {
                prop_assert_eq!(nearest(&xs, &ys, k).unwrap(), naive_nearest(&squares(&x, &y), k, false));
            }
        }
        let own = squares(&y, &y);
        let others = k.min(n + k - 1);
        for ys in storages(&y) {
            prop_assert_eq!(nearest_others(&ys, others).unwrap(), naive_nearest(&own, others, true));
        }
    }

    #[test]
    fn equal_rows_are_at_distance_zero(n in 1_usize..10, d in 1_usize..30, offset in -1e9..1e9, seed: u64) {
        let x = normal(n, d, seed) + offset;
        for xs in storages(&x) {
            for distances in [squared_distances(&xs, &xs).unwrap(), squared_distances_within(&xs).unwrap()] {
                prop_assert!(distances.diag().iter().all(|&distance| distance == 0.0));
                prop_assert!(close(&distances, &squares(&x, &x), 1e-9));
            }
        }
    }
}

#[test]
fn blocks_meet_and_threads_change_no_bit() {
    let (x, y) = (grid(300, 7, 3.0, 1), grid(4500, 7, 3.0, 2));
    let expected = naive_nearest(&squares(&x, &y), 3, false);
    let tables = [
        Features::from(x.clone()),
        Features::Sparse(Features::from(x).to_sparse().unwrap().into_owned()),
    ];
    let y = Features::from(y);
    let run = |threads, x: &Features| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let distances = squared_distances(x, &y).unwrap();
            (
                nearest(x, &y, 3).unwrap(),
                distances,
                manhattan_distances(x, &y).unwrap(),
            )
        })
    };
    for x in &tables {
        let one = run(1, x);
        assert_eq!(one.0, expected);
        assert!(one == run(4, x));
    }
}

#[test]
fn norms_that_overflow_do_not_hide_a_distance() {
    let x = Features::from(array![[1e200], [1e200]]);
    let y = Features::from(array![[1e200 * (1.0 + f64::EPSILON)], [1e200], [-1e200]]);
    let distances = squared_distances(&x, &y).unwrap();
    assert_eq!(distances[(0, 1)], 0.0);
    assert_eq!(distances[(0, 2)], f64::INFINITY);
    assert_eq!(nearest(&x, &y, 2).unwrap().indices, array![[1, 0], [1, 0]]);
}

#[test]
fn misuse_is_named() {
    let (narrow, wide) = (
        Features::from(array![[1.0]]),
        Features::from(array![[1.0, 2.0]]),
    );
    for function in [
        squared_distances,
        manhattan_distances,
        inner_products,
        cosine_similarities,
    ] {
        let error = function(&narrow, &wide).unwrap_err();
        assert!(matches!(
            error,
            TransferError::FeatureMismatch {
                left_features: 1,
                right_features: 2,
                ..
            }
        ));
        let error = function(&wide, &Features::from(array![[0.0, f64::NAN]])).unwrap_err();
        assert!(matches!(
            error,
            TransferError::NotFinite {
                row: 0,
                column: 1,
                ..
            }
        ));
    }
    for (error, least) in [
        (nearest(&narrow, &narrow, 2).unwrap_err(), 2),
        (nearest_others(&narrow, 1).unwrap_err(), 2),
        (nearest_others(&narrow, usize::MAX).unwrap_err(), usize::MAX),
    ] {
        assert!(
            matches!(error, TransferError::TooFewRows { rows: 1, needed, .. } if needed == least)
        );
    }
    let nothing = Features::from(Array2::<f64>::zeros((0, 1)));
    assert_eq!(nearest(&nothing, &narrow, 1).unwrap().indices.dim(), (0, 1));
    assert_eq!(squared_distances(&narrow, &nothing).unwrap().dim(), (1, 0));
}
