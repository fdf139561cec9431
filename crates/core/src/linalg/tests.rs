use std::cmp::Ordering;

use ndarray::{Array1, Array2, ArrayView2, Axis, array, s};
use proptest::prelude::*;

use super::*;
use crate::seed::rng;

fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut rng = rng(seed);
    Array2::from_shape_simple_fn((rows, columns), || rng.normal())
}

fn symmetric(n: usize, seed: u64) -> Array2<f64> {
    let a = random(n, n, seed);
    &a + &a.t()
}

/// Positive definite, with a condition number below about 1e3.
fn spd(n: usize, seed: u64) -> Array2<f64> {
    let a = random(n + 3, n, seed);
    a.t().dot(&a) / n.max(1) as f64 + Array2::<f64>::eye(n) * 0.1
}

fn largest(a: ArrayView2<'_, f64>) -> f64 {
    a.iter()
        .fold(0.0, |largest, value| f64::max(largest, value.abs()))
}

/// `max |a - b|`, and infinity for different shapes.
fn distance(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    if a.dim() == b.dim() {
        largest((a - b).view())
    } else {
        f64::INFINITY
    }
}

fn diagonal(values: &Array1<f64>) -> Array2<f64> {
    Array2::from_diag(values)
}

fn first_largest_is_positive(vectors: &Array2<f64>) -> bool {
    vectors.axis_iter(Axis(1)).all(|column| {
        let largest = column
            .iter()
            .fold(0.0, |largest, value| f64::max(largest, value.abs()));
        column
            .iter()
            .find(|value| value.abs() == largest)
            .is_none_or(|&value| value >= 0.0)
    })
}

/// Upper triangular up to `rounding`, with a positive diagonal.
fn is_triangular(a: &Array2<f64>, rounding: f64) -> bool {
    a.indexed_iter().all(|((i, j), &value)| match i.cmp(&j) {
        Ordering::Greater => value.abs() <= rounding,
        Ordering::Equal => value > 0.0,
        Ordering::Less => true,
    })
}

/// The same matrix in column-major layout, and as every second row and column of a larger one.
fn other_layouts(a: &Array2<f64>) -> [Array2<f64>; 2] {
    let column_major = a.t().as_standard_layout().into_owned().reversed_axes();
    let mut spread = Array2::from_elem((2 * a.nrows(), 2 * a.ncols()), 7.0);
    spread.slice_mut(s![..;2, ..;2]).assign(a);
    spread.slice_collapse(s![..;2, ..;2]);
    [column_major, spread]
}

/// Jacobi's method: eigenvalues, ascending.
fn jacobi(mut a: Array2<f64>) -> Vec<f64> {
    let n = a.nrows();
    for _ in 0..60 {
        for p in 0..n {
            for q in p + 1..n {
                if a[(p, q)] != 0.0 {
                    let angle = 0.5 * f64::atan2(2.0 * a[(p, q)], a[(q, q)] - a[(p, p)]);
                    let mut rotation = Array2::<f64>::eye(n);
                    rotation[(p, p)] = angle.cos();
                    rotation[(q, q)] = angle.cos();
                    rotation[(p, q)] = angle.sin();
                    rotation[(q, p)] = -angle.sin();
                    a = rotation.t().dot(&a).dot(&rotation);
                }
            }
        }
    }
    let mut values = a.diag().to_vec();
    values.sort_by(f64::total_cmp);
    values
}

fn naive_product(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((a.nrows(), b.ncols()), |(i, j)| {
        (0..a.ncols()).map(|k| a[(i, k)] * b[(k, j)]).sum()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn eigh_keeps_its_laws(n in 0_usize..24, seed: u64) {
        let a = symmetric(n, seed);
        let Eigh { values, vectors } = eigh(&a).unwrap();
        let scale = 1e-13 * (1.0 + largest(a.view())) * (1 + n) as f64;
        prop_assert!(distance(&a.dot(&vectors), &vectors.dot(&diagonal(&values))) < scale);
        prop_assert!(distance(&vectors.t().dot(&vectors), &Array2::eye(n)) < 1e-13 * (1 + n) as f64);
        prop_assert!(values.windows(2).into_iter().all(|pair| pair[0] <= pair[1]));
        prop_assert!(first_largest_is_positive(&vectors));
        prop_assert!(vectors.is_standard_layout());
    }

    #[test]
    fn eigenvalues_are_those_of_jacobi(n in 0_usize..8, seed: u64) {
        let a = symmetric(n, seed);
        for (value, expected) in eigh(&a).unwrap().values.iter().zip(jacobi(a)) {
            prop_assert!((value - expected).abs() < 1e-12, "{value} {expected}");
        }
    }

    #[test]
    fn tridiagonal_matrices_keep_eigenvalues_and_inverse_forms(n in 0_usize..24, k in 0_usize..4, seed: u64, shift in 0.01_f64..10.0) {
        let a = spd(n, seed);
        let b = random(n, k, !seed);
        let found = tridiagonalize(&a, &b).unwrap();
        let scale = 1e-13 * (1.0 + largest(a.view())) * (1 + n) as f64;
        let expected = eigh(&a).unwrap().values;
        prop_assert!((found.eigenvalues().unwrap() - &expected).iter().all(|v| v.abs() < scale));
        let solved = solve(&(&a + shift * Array2::<f64>::eye(n)), &b).unwrap();
        for (column, b) in b.columns().into_iter().enumerate() {
            let form = found.inverse_form(found.turned.column(column), shift);
            let expected = b.dot(&solved.column(column));
            prop_assert!((form - expected).abs() < 1e-10 * (1.0 + expected), "{form} {expected}");
            // A turn keeps lengths.
            let turned = found.turned.column(column);
            prop_assert!((turned.dot(&turned) - b.dot(&b)).abs() < 1e-12 * (1.0 + b.dot(&b)));
        }
        if n > 0 {
            prop_assert!(found.inverse_form(Array1::ones(n).view(), -2.0 * expected[n - 1]).is_nan());
        }
    }

    #[test]
    fn generalised_pencils_keep_their_laws(n in 0_usize..24, seed: u64) {
        let (a, b) = (symmetric(n, seed), spd(n, !seed));
        let Eigh { values, vectors } = eigh_generalized(&a, &b).unwrap();
        let scale = 1e-11 * (1.0 + largest(a.view())) * (1 + n) as f64;
        prop_assert!(distance(&a.dot(&vectors), &b.dot(&vectors).dot(&diagonal(&values))) < scale);
        prop_assert!(distance(&vectors.t().dot(&b).dot(&vectors), &Array2::eye(n)) < 1e-11 * (1 + n) as f64);
        prop_assert!(values.windows(2).into_iter().all(|pair| pair[0] <= pair[1]));
        prop_assert!(first_largest_is_positive(&vectors));
    }

    #[test]
    fn square_roots_square_back(n in 0_usize..24, seed: u64) {
        let a = spd(n, seed);
        let (root, inverse) = (sqrtm_spd(&a).unwrap(), inv_sqrtm_spd(&a).unwrap());
        prop_assert!(distance(&root.dot(&root), &a) < 1e-12 * (1 + n) as f64);
        prop_assert!(distance(&inverse.dot(&a).dot(&inverse), &Array2::eye(n)) < 1e-11 * (1 + n) as f64);
        prop_assert_eq!(root.t().to_owned(), root);
    }

    #[test]
    fn svd_keeps_its_laws(n in 0_usize..24, d in 0_usize..24, seed: u64) {
        let a = random(n, d, seed);
        let Svd { u, values, v } = svd_thin(&a).unwrap();
        let r = n.min(d);
        prop_assert_eq!((u.dim(), values.len(), v.dim()), ((n, r), r, (d, r)));
        prop_assert!(distance(&u.dot(&diagonal(&values)).dot(&v.t()), &a) < 1e-12);
        prop_assert!(distance(&u.t().dot(&u), &Array2::eye(r)) < 1e-12);
        prop_assert!(distance(&v.t().dot(&v), &Array2::eye(r)) < 1e-12);
        prop_assert!(values.iter().all(|&value| value >= 0.0));
        prop_assert!(values.windows(2).into_iter().all(|pair| pair[0] >= pair[1]));
        prop_assert!(first_largest_is_positive(&u));
    }

    #[test]
    fn cholesky_keeps_its_laws(n in 0_usize..24, m in 0_usize..4, seed: u64) {
        let (a, b) = (spd(n, seed), random(n, m, !seed));
        let factor = cholesky(&a).unwrap();
        let lower = factor.lower();
        prop_assert!(distance(&lower.dot(&lower.t()), &a) < 1e-12);
        prop_assert!(is_triangular(&lower.t().to_owned(), 0.0));
        prop_assert!(distance(&a.dot(&factor.solve(&b).unwrap()), &b) < 1e-11);
        let values = eigh(&a).unwrap().values;
        prop_assert!((factor.log_determinant() - values.mapv(f64::ln).sum()).abs() < 1e-10);
    }

    #[test]
    fn systems_are_solved(n in 0_usize..24, m in 0_usize..4, seed: u64) {
        let (a, b) = (random(n, n, seed) + Array2::<f64>::eye(n) * 8.0, random(n, m, !seed));
        prop_assert!(distance(&a.dot(&solve(&a, &b).unwrap()), &b) < 1e-10);
        let factors = lu(&a).unwrap();
        for b in [b, random(n, 3, seed ^ 7)] {
            prop_assert_eq!(factors.solve(&b).unwrap(), solve(&a, &b).unwrap());
        }
    }

    #[test]
    fn least_squares_is_stationary_and_short(n in 1_usize..12, d in 1_usize..12, seed: u64) {
        let (a, b) = (random(n, d, seed), random(n, 2, !seed));
        let x = lstsq(&a, &b).unwrap();
        prop_assert!(largest(a.t().dot(&(a.dot(&x) - &b)).view()) < 1e-9);
        // Of least norm: in the span of the rows, so projecting on them changes nothing.
        let v = svd_thin(&a).unwrap().v;
        prop_assert!(distance(&v.dot(&v.t().dot(&x)), &x) < 1e-9 * (1.0 + largest(x.view())));
    }

    #[test]
    fn orthonormal_bases_span_the_columns(n in 0_usize..16, d in 0_usize..16, seed: u64) {
        let x = random(n, d, seed);
        if d > n {
            let is_deficient = matches!(orthonormalize(&x), Err(LinalgError::RankDeficient { .. }));
            prop_assert!(is_deficient);
        } else {
            let q = orthonormalize(&x).unwrap();
            prop_assert!(distance(&q.t().dot(&q), &Array2::eye(d)) < 1e-13 * (1 + n) as f64);
            let r = q.t().dot(&x);
            prop_assert!(distance(&q.dot(&r), &x) < 1e-12 * (1 + n) as f64);
            prop_assert!(is_triangular(&r, 1e-12));
        }
    }

    #[test]
    fn products_are_those_of_the_definition(n in 0_usize..40, k in 0_usize..40, m in 0_usize..40, seed: u64) {
        let (a, b) = (random(n, k, seed), random(k, m, !seed));
        let expected = naive_product(&a, &b);
        prop_assert!(distance(&matmul(&a, &b).unwrap(), &expected) < 1e-12);
        for other in other_layouts(&a) {
            prop_assert!(distance(&matmul(&other, &b).unwrap(), &expected) < 1e-12);
        }
        prop_assert!(distance(&gram(&a), &naive_product(&a.t().to_owned(), &a)) < 1e-12);
    }

    #[test]
    fn covariance_is_that_of_the_definition(n in 2_usize..30, d in 0_usize..10, seed: u64) {
        let x = random(n, d, seed) + 1e6;
        let centred = &x - &x.mean_axis(Axis(0)).unwrap();
        let expected = naive_product(&centred.t().to_owned(), &centred) / (n as f64 - 1.0);
        prop_assert!(distance(&covariance(&x).unwrap(), &expected) < 1e-12);
    }

    #[test]
    fn memory_layout_changes_nothing(n in 1_usize..12, seed: u64) {
        let (a, b) = (spd(n, seed), random(n, 2, !seed));
        for other in other_layouts(&a) {
            prop_assert_eq!(eigh(&other).unwrap(), eigh(&a).unwrap());
            prop_assert_eq!(cholesky(&other).unwrap(), cholesky(&a).unwrap());
            prop_assert!(distance(&solve(&other, &b).unwrap(), &solve(&a, &b).unwrap()) < 1e-11);
            prop_assert!(distance(&svd_thin(&other).unwrap().u, &svd_thin(&a).unwrap().u) < 1e-8);
            prop_assert_eq!(covariance(&other).is_ok(), n > 1);
        }
    }
}

#[test]
fn blocks_meet() {
    for (n, k, m) in [
        (700, 200, 130),
        (130, 200, 700),
        (300, 300, 300),
        (1, 400, 600),
    ] {
        let (a, b) = (random(n, k, 1), random(k, m, 2));
        assert!(
            distance(&matmul(&a, &b).unwrap(), &a.dot(&b)) < 1e-11,
            "{n} {k} {m}"
        );
    }
    let a = random(700, 333, 3);
    let gram = gram(&a);
    assert!(distance(&gram, &a.t().dot(&a)) < 1e-10);
    assert_eq!(gram.t(), gram);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let (x, a) = (random(600, 310, 4), spd(310, 5));
            let (svd, eigen) = (svd_thin(&x).unwrap(), eigh(&a).unwrap());
            let general = eigh_generalized(&symmetric(310, 6), &a).unwrap();
            let products = (matmul(&x, &a).unwrap(), gram(&x), covariance(&x).unwrap());
            let roots = (sqrtm_spd(&a).unwrap(), inv_sqrtm_spd(&a).unwrap());
            let solved = (
                cholesky_solve(&a, &x.t()).unwrap(),
                solve(&a, &x.t()).unwrap(),
            );
            (
                svd,
                eigen,
                general,
                products,
                roots,
                solved,
                orthonormalize(&x).unwrap(),
                tridiagonalize(&a, &x.t()).unwrap(),
            )
        })
    };
    assert!(run(1) == run(4));
}

#[test]
fn one_by_one_and_nothing() {
    let eigen = eigh(&array![[-3.0]]).unwrap();
    assert_eq!((eigen.values, eigen.vectors), (array![-3.0], array![[1.0]]));
    let svd = svd_thin(&array![[-3.0]]).unwrap();
    assert_eq!(
        (svd.u, svd.values, svd.v),
        (array![[1.0]], array![3.0], array![[-1.0]])
    );
    let none = Array2::<f64>::zeros((0, 0));
    assert_eq!(sqrtm_spd(&none).unwrap().dim(), (0, 0));
    assert_eq!(
        matmul(&Array2::<f64>::zeros((2, 0)), &Array2::zeros((0, 3))).unwrap(),
        Array2::<f64>::zeros((2, 3))
    );
    assert_eq!(
        lstsq(&Array2::<f64>::zeros((0, 2)), &Array2::zeros((0, 1))).unwrap(),
        array![[0.0], [0.0]]
    );
    assert_eq!(cholesky(&none).unwrap().log_determinant(), 0.0);
    assert_eq!(
        gram(&Array2::<f64>::zeros((0, 2))),
        Array2::<f64>::zeros((2, 2))
    );
}

#[test]
fn singular_and_indefinite_matrices_are_told_apart() {
    let one = array![[1.0, 1.0], [1.0, 1.0]];
    assert!(distance(&sqrtm_spd(&one).unwrap(), &(&one / 2.0_f64.sqrt())) < 1e-12);
    let refused = [
        inv_sqrtm_spd(&one).unwrap_err(),
        sqrtm_spd(&array![[1.0, 2.0], [2.0, 1.0]]).unwrap_err(),
        inv_sqrtm_spd(&Array2::<f64>::zeros((2, 2))).unwrap_err(),
        eigh_generalized(&one, &Array2::<f64>::zeros((2, 2))).unwrap_err(),
    ];
    for error in refused {
        assert!(
            matches!(error, LinalgError::NotPositiveDefinite { pivot: 0, .. }),
            "{error}"
        );
    }
    let error = cholesky(&array![[4.0, 2.0, 0.0], [2.0, 1.0, 1.0], [0.0, 1.0, 0.0]]).unwrap_err();
    assert_eq!(
        error,
        LinalgError::NotPositiveDefinite {
            operation: "cholesky",
            size: 3,
            pivot: 1,
            value: 0.0
        }
    );
    assert_eq!(
        solve(&one, &array![[1.0], [2.0]]).unwrap_err(),
        LinalgError::RankDeficient {
            operation: "solve",
            columns: 2,
            column: 1
        }
    );
    assert_eq!(
        lu(&one).unwrap_err(),
        LinalgError::RankDeficient {
            operation: "lu",
            columns: 2,
            column: 1
        }
    );
    assert_eq!(
        orthonormalize(&one).unwrap_err(),
        LinalgError::RankDeficient {
            operation: "orthonormalize",
            columns: 2,
            column: 1
        }
    );
    assert_eq!(svd_thin(&one).unwrap().rank(), 1);
}

#[test]
fn errors_name_operation_place_and_shapes() {
    let wide = Array2::<f64>::zeros((2, 3));
    assert_eq!(
        eigh(&wide).unwrap_err(),
        LinalgError::NotSquare {
            operation: "eigh",
            rows: 2,
            columns: 3
        }
    );
    let error = matmul(&wide, &wide).unwrap_err();
    assert!(error.to_string().contains("2 x 3 and 2 x 3"), "{error}");
    assert!(matches!(
        lstsq(&wide, &wide.t()),
        Err(LinalgError::ShapeMismatch {
            operation: "lstsq",
            ..
        })
    ));
    let error = eigh(&array![[1.0, 2.0], [2.5, 1.0]]).unwrap_err();
    assert_eq!(
        error,
        LinalgError::NotSymmetric {
            operation: "eigh",
            row: 1,
            column: 0,
            difference: 0.5
        }
    );
    for bad in [f64::NAN, f64::INFINITY] {
        let mut a = Array2::<f64>::eye(3);
        a[(1, 2)] = bad;
        let vector = Array2::<f64>::ones((3, 1));
        let errors = [
            eigh(&a).unwrap_err(),
            eigh_generalized(&a, &Array2::<f64>::eye(3)).unwrap_err(),
            eigh_generalized(&Array2::<f64>::eye(3), &a).unwrap_err(),
            svd_thin(&a).unwrap_err(),
            cholesky(&a).unwrap_err(),
            solve(&a, &vector).unwrap_err(),
            solve(&Array2::<f64>::eye(3), &a).unwrap_err(),
            lu(&a).unwrap_err(),
            lu(&Array2::<f64>::eye(3)).unwrap().solve(&a).unwrap_err(),
            lstsq(&a, &vector).unwrap_err(),
            sqrtm_spd(&a).unwrap_err(),
            orthonormalize(&a).unwrap_err(),
        ];
        for error in errors {
            assert!(
                matches!(
                    error,
                    LinalgError::NotFinite {
                        row: 1,
                        column: 2,
                        ..
                    }
                ),
                "{error}"
            );
        }
    }
    assert_eq!(
        covariance(&array![[1.0]]).unwrap_err(),
        LinalgError::TooFewRows {
            operation: "covariance",
            rows: 1,
            needed: 2
        }
    );
    assert!(matches!(
        eigh(&Array2::<f64>::eye(2)).unwrap().largest(3),
        Err(LinalgError::TooMany {
            asked: 3,
            available: 2,
            ..
        })
    ));
}

#[test]
fn entries_near_the_ends_of_the_range_give_no_silent_nan() {
    for scale in [1e-300, 1e-150, 1e150, 1e300] {
        let a = symmetric(6, 7) * scale;
        let expected = eigh(&a.mapv(|value| value / scale)).unwrap();
        for (value, expected) in eigh(&a).unwrap().values.iter().zip(expected.values) {
            assert!(
                (value / scale - expected).abs() < 1e-12,
                "{scale} {value} {expected}"
            );
        }
        let svd = svd_thin(&a).unwrap();
        let back = svd
            .u
            .dot(&diagonal(&svd.values.mapv(|value| value / scale)))
            .dot(&svd.v.t());
        assert!(
            distance(&back, &a.mapv(|value| value / scale)) < 1e-12,
            "{scale}"
        );
    }
    let too_large = Array2::from_elem((4, 4), f64::MAX);
    assert_eq!(
        eigh(&too_large).unwrap_err(),
        LinalgError::NoConvergence {
            operation: "eigh",
            rows: 4,
            columns: 4
        }
    );
    assert!(matches!(
        svd_thin(&too_large),
        Err(LinalgError::NoConvergence { .. })
    ));
}

#[test]
fn asymmetry_by_rounding_is_averaged_out() {
    let mut a = symmetric(7, 8);
    a[(2, 5)] *= 1.0 + 1e-10;
    a[(6, 1)] *= 1.0 - 1e-10;
    let transposed = a.t();
    assert_eq!(eigh(&a).unwrap(), eigh(&transposed).unwrap());
    let a = &a + &(Array2::<f64>::eye(7) * 20.0);
    assert_eq!(cholesky(&a).unwrap(), cholesky(&a.t()).unwrap());
}

#[test]
fn largest_and_smallest_come_in_order() {
    let eigen = eigh(&array![[2.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 5.0]]).unwrap();
    let (values, vectors) = eigen.largest(2).unwrap();
    assert_eq!(
        (values, vectors),
        (array![5.0, 2.0], array![[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    );
    let (values, vectors) = eigen.smallest(1).unwrap();
    assert_eq!(
        (values, vectors),
        (array![-1.0], array![[0.0], [1.0], [0.0]])
    );
    assert_eq!(eigen.largest(0).unwrap().1.dim(), (3, 0));
}

/// Wide enough to be copied, deeper than is taken at a time.
#[test]
fn large_symmetric_products_are_sums_of_parts() {
    let a = random(2005, 1030, 7);
    let found = gram(&a);
    assert!(distance(&found, &a.t().dot(&a)) < 1e-10);
    assert_eq!(found.t(), found);
    let columns = a.t().as_standard_layout().into_owned();
    assert_eq!(gram(&columns.t()), found);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| gram(&a))
    };
    assert!(run(1) == found && run(3) == found);
}
