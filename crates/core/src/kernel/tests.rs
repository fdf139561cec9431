use super::median::{median, pooled_sample};
use super::*;
use crate::linalg::eigh;
use crate::seed;
use ndarray::array;
use proptest::prelude::*;

fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    Array2::from_shape_simple_fn((rows, columns), || {
        if rng.below(3) == 0 { 0.0 } else { rng.normal() }
    })
}

fn naive(kernel: ResolvedKernel, x: &[f64], y: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    match kernel {
        ResolvedKernel::Linear => dot(x, y),
        ResolvedKernel::Rbf { gamma } => {
            (-gamma * x.iter().zip(y).map(|(a, b)| (a - b).powi(2)).sum::<f64>()).exp()
        }
        ResolvedKernel::Polynomial {
            degree,
            gamma,
            coef0,
        } => (0..degree).map(|_| gamma * dot(x, y) + coef0).product(),
        ResolvedKernel::Laplacian { gamma } => {
            (-gamma * x.iter().zip(y).map(|(a, b)| (a - b).abs()).sum::<f64>()).exp()
        }
        ResolvedKernel::Cosine => {
            let norms = (dot(x, x) * dot(y, y)).sqrt();
            if norms > 0.0 { dot(x, y) / norms } else { 0.0 }
        }
    }
}

fn all() -> [Kernel; 5] {
    Kernel::NAMES.map(|name| name.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn matrices_are_those_of_the_definition(n in 2_usize..12, m in 0_usize..12, d in 1_usize..12, seed: u64) {
        let (x, y) = (random(n, d, seed), random(m, d, !seed));
        let dense = [Features::from(x.clone()), Features::from(y.clone())];
        let sparse = [0, 1].map(|i: usize| Features::Sparse(dense[i].to_sparse().unwrap().into_owned()));
        for kernel in all() {
            let kernel = kernel.with_gamma(Some(0.3)).resolve(&[&dense[0]]).unwrap();
            let expected = Array2::from_shape_fn((n, m), |(i, j)| naive(kernel, &x.row(i).to_vec(), &y.row(j).to_vec()));
            for left in [&dense[0], &sparse[0]] {
                for right in [&dense[1], &sparse[1]] {
                    let matrix = kernel.matrix(left, right).unwrap();
                    prop_assert!(matrix.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12 * (1.0 + b.abs())));
                }
                let gram = kernel.gram(left).unwrap();
                prop_assert_eq!(gram.t(), &gram);
                prop_assert!((&gram - &kernel.matrix(left, left).unwrap()).iter().all(|e| e.abs() < 1e-10));
                // Positive semi-definite, each of the five.
                let values = eigh(&gram).unwrap().values;
                prop_assert!(values[0] > -1e-12 * (1.0 + values[n - 1]), "{kernel:?} {}", values[0]);
            }
        }
    }

    #[test]
    fn the_median_is_the_middle(mut values in prop::collection::vec(-9.0_f64..9.0, 0..20)) {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let expected = (n > 0).then(|| 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]));
        prop_assert_eq!(median(&mut values), expected);
    }
}

#[test]
fn gamma_is_one_over_the_median_of_the_pooled_distances() {
    let (x, y) = (
        Features::from(array![[0.0, 0.0], [0.0, 0.0]]),
        Features::from(array![[3.0, 4.0], [0.0, 1.0]]),
    );
    // Squared: 25, 25, 1, 1, 18; Manhattan: 7, 7, 1, 1, 6; the pair of equal rows is left out.
    let rbf = Kernel::Rbf { gamma: None };
    assert_eq!(
        rbf.resolve(&[&x, &y]).unwrap(),
        ResolvedKernel::Rbf { gamma: 1.0 / 18.0 }
    );
    let laplacian = Kernel::Laplacian { gamma: None };
    assert_eq!(
        laplacian.resolve(&[&x, &y]).unwrap(),
        ResolvedKernel::Laplacian { gamma: 1.0 / 6.0 }
    );
    let sparse = Features::Sparse(y.to_sparse().unwrap().into_owned());
    assert_eq!(
        rbf.resolve(&[&sparse, &x]).unwrap(),
        ResolvedKernel::Rbf { gamma: 1.0 / 18.0 }
    );
    let polynomial: Kernel = "polynomial".parse().unwrap();
    let expected = ResolvedKernel::Polynomial {
        degree: 3,
        gamma: 0.5,
        coef0: 1.0,
    };
    assert_eq!(polynomial.resolve(&[&x]).unwrap(), expected);
}

#[test]
fn a_large_sample_is_drawn_from_all_tables() {
    let rows = |n: usize, at: f64| Features::from(Array2::from_elem((n, 1), at));
    let (x, y) = (rows(1500, 0.0), rows(1500, 2.0));
    let sample = pooled_sample(&[&x, &y]).unwrap();
    assert_eq!(sample.n_rows(), MEDIAN_ROWS);
    let from_y = sample
        .dense()
        .unwrap()
        .iter()
        .filter(|&&value| value == 2.0)
        .count();
    assert!((400..600).contains(&from_y), "{from_y}");
    assert_eq!(
        Kernel::Rbf { gamma: None }.resolve(&[&x, &y]).unwrap(),
        ResolvedKernel::Rbf { gamma: 0.25 }
    );
}

#[test]
fn what_cannot_be_resolved_says_why() {
    let rbf = Kernel::Rbf { gamma: None };
    let equal = Features::from(array![[1.0], [1.0]]);
    let error = rbf.resolve(&[&equal]).unwrap_err();
    assert!(
        matches!(&error, TransferError::Unsupported { has, .. } if has == "2 equal rows"),
        "{error}"
    );
    let one = Features::from(array![[1.0]]);
    assert!(matches!(
        rbf.resolve(&[&one]),
        Err(TransferError::TooFewRows {
            rows: 1,
            needed: 2,
            ..
        })
    ));
    assert!(matches!(
        rbf.resolve(&[]),
        Err(TransferError::TooFewRows { rows: 0, .. })
    ));
    let wide = Features::from(array![[1.0, 2.0]]);
    assert!(matches!(
        rbf.resolve(&[&one, &wide]),
        Err(TransferError::FeatureMismatch { .. })
    ));
    let bad = [
        rbf.with_gamma(Some(0.0)),
        rbf.with_gamma(Some(f64::NAN)),
        Kernel::Laplacian {
            gamma: Some(f64::INFINITY),
        },
        Kernel::Polynomial {
            degree: 0,
            gamma: None,
            coef0: 1.0,
        },
        Kernel::Polynomial {
            degree: 2,
            gamma: None,
            coef0: -1.0,
        },
    ];
    for kernel in bad {
        assert!(
            matches!(
                kernel.resolve(&[&equal]),
                Err(TransferError::InvalidParameter { .. })
            ),
            "{kernel:?}"
        );
    }
}

#[test]
fn kernels_are_read_as_words_or_tables() {
    let read = |text: &str| serde_json::from_str::<Kernel>(text);
    assert_eq!(read("\"rbf\"").unwrap(), Kernel::Rbf { gamma: None });
    assert_eq!(
        read("{\"rbf\": {\"gamma\": 0.5}}").unwrap(),
        Kernel::Rbf { gamma: Some(0.5) }
    );
    let expected = Kernel::Polynomial {
        degree: 2,
        gamma: None,
        coef0: 1.0,
    };
    assert_eq!(read("{\"polynomial\": {\"degree\": 2}}").unwrap(), expected);
    let error = read("\"rbff\"").unwrap_err().to_string();
    assert!(error.contains("did you mean `rbf`"), "{error}");
    let error = read("{\"rbf\": {\"gama\": 0.5}}").unwrap_err().to_string();
    assert!(error.contains("gama"), "{error}");
    for kernel in all() {
        assert_eq!(
            read(&serde_json::to_string(&kernel).unwrap()).unwrap(),
            kernel
        );
        let resolved = kernel.with_gamma(Some(0.1)).resolve(&[]).unwrap();
        let text = serde_json::to_string(&resolved).unwrap();
        assert_eq!(
            serde_json::from_str::<ResolvedKernel>(&text).unwrap(),
            resolved
        );
    }
}
