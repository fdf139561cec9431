use std::f64::consts::TAU;

use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;
use translearn_core::{
    Features, Labels, TransferError,
    linalg::{cholesky, covariance, covariance_ledoit_wolf, eigh, solve},
    seed,
};

use super::*;

/// Rows whose class moves their mean, `n_classes` of them in turn, and their classes.
fn target(n: usize, d: usize, n_classes: usize, seed: u64) -> (Array2<f64>, Array1<usize>) {
    let mut rng = seed::rng(seed);
    let means = Array2::from_shape_simple_fn((n_classes, d), || 1.5 * rng.normal());
    let classes = Array1::from_shape_fn(n, |row| row % n_classes);
    let rows = Array2::from_shape_fn((n, d), |(row, column)| {
        means[[classes[row], column]] + rng.normal()
    });
    (rows, classes)
}

fn probabilities(n: usize, z: usize, seed: u64) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    let mut theta = Array2::from_shape_simple_fn((n, z), || (2.0 * rng.normal()).exp());
    for mut row in theta.outer_iter_mut() {
        row /= row.sum();
    }
    theta
}

/// `ln N(y; 0, F Fᵀ / α + I / β)`.
fn evidence(f: &Array2<f64>, y: &Array1<f64>, alpha: f64, beta: f64) -> f64 {
    let n = y.len();
    let covariance = f.dot(&f.t()) / alpha + Array2::<f64>::eye(n) / beta;
    let factor = cholesky(&covariance).unwrap();
    let square = y.dot(&factor.solve_vector(y).unwrap());
    -0.5 * (square + factor.log_determinant() + n as f64 * TAU.ln())
}

/// The steps of the authors' code, on whole matrices.
fn alternated(f: &Array2<f64>, y: &Array1<f64>) -> (f64, f64) {
    let (n, d) = f.dim();
    let product = f.t().dot(f);
    let (mut alpha, mut beta) = (1.0, 1.0);
    for _ in 0..11 {
        let a = alpha * Array2::<f64>::eye(d) + beta * &product;
        let rhs = (beta * f.t().dot(y)).insert_axis(Axis(1));
        let m = solve(&a, &rhs).unwrap().remove_axis(Axis(1));
        let gamma: f64 = (eigh(&product).unwrap().values.iter())
            .map(|s| beta * s / (alpha + beta * s))
            .sum();
        let rest = y - &f.dot(&m);
        alpha = gamma / (m.dot(&m) + 1e-5);
        beta = (n as f64 - gamma) / (rest.dot(&rest) + 1e-5);
    }
    (alpha, beta)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_priors_make_the_labels_likelier(n in 5_usize..25, d in 1_usize..8, seed: u64, alpha in -4.0_f64..4.0, beta in -4.0_f64..4.0) {
        let (f, _) = target(n, d, 2, seed);
        let mut rng = seed::rng(!seed);
        let w = Array1::from_shape_simple_fn(d, || rng.normal());
        let y = f.dot(&w) + Array1::from_shape_simple_fn(n, || 1.5 * rng.normal());
        let ours = n as f64 * log_me(&f.clone().into(), &Labels::Values(y.clone())).unwrap();
        let slack = 1e-8 * (1.0 + ours.abs());
        prop_assert!(evidence(&f, &y, 10.0_f64.powf(alpha), 10.0_f64.powf(beta)) <= ours + slack);
        let (alpha, beta) = alternated(&f, &y);
        let theirs = evidence(&f, &y, alpha, beta);
        prop_assert!(theirs <= ours + slack, "{theirs} {ours}");
    }

    /// Where the data decides both priors, alternating comes to the maximum.
    #[test]
    fn the_maximum_is_where_alternating_ends(seed: u64) {
        let mut rng = seed::rng(seed);
        let f = Array2::from_shape_simple_fn((80, 4), || rng.normal());
        let y = f.sum_axis(Axis(1)) + Array1::from_shape_simple_fn(80, || rng.normal());
        let ours = 80.0 * log_me(&f.clone().into(), &Labels::Values(y.clone())).unwrap();
        let (alpha, beta) = alternated(&f, &y);
        prop_assert!((evidence(&f, &y, alpha, beta) - ours).abs() < 1e-6);
    }

    /// The evidence at its largest over priors that were sought with all of the spectrum, eigenvectors included.
    #[test]
    fn the_evidence_is_that_of_the_spectrum(n in 2_usize..25, d in 1_usize..25, seed: u64) {
        let (f, _) = target(n, d, 2, seed);
        let mut rng = seed::rng(!seed);
        let y = Array1::from_shape_simple_fn(n, || rng.normal());
        let ours = log_me(&f.clone().into(), &Labels::Values(y.clone())).unwrap();
        let eigen = eigh(&f.dot(&f.t())).unwrap();
        let (sigma, z) = (eigen.values.mapv(|v| v.max(0.0)), eigen.vectors.t().dot(&y));
        let largest = sigma[n - 1];
        let at = |t: f64| {
            let rest: f64 = sigma.iter().zip(&z).map(|(s, z)| z * z * t / (t + s)).sum();
            let determinant: f64 = sigma.iter().map(|s| (1.0 + s / t).ln()).sum();
            -0.5 * ((rest / n as f64).ln() + 1.0 + TAU.ln()) - 0.5 * determinant / n as f64
        };
        let grid = (-24_000..=24_000).map(|k| at(largest * 10.0_f64.powf(f64::from(k) / 2000.0)));
        let best = grid.fold(f64::NEG_INFINITY, f64::max);
        prop_assert!((ours - best).abs() < 1e-5 * (1.0 + best.abs()), "{ours} {best}");
    }

    #[test]
    fn classes_are_outputs(n in 6_usize..30, d in 1_usize..6, seed: u64) {
        let (f, classes) = target(n, d, 3, seed);
        let features = Features::from(f);
        let outputs = Array2::from_shape_fn((n, 3), |(row, class)| f64::from(u8::from(classes[row] == class)));
        let each = log_me_outputs(&features, &outputs).unwrap();
        let score = log_me(&features, &Labels::Classes(classes)).unwrap();
        prop_assert!((score - each.sum() / 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_h_scores_are_their_formulas(n in 12_usize..40, d in 1_usize..6, seed: u64) {
        let (f, classes) = target(n, d, 3, seed);
        let labels = Labels::Classes(classes.clone());
        let mut means = f.clone();
        for (row, mut mean) in means.outer_iter_mut().enumerate() {
            let own: Vec<usize> = (0..n).filter(|&other| classes[other] == classes[row]).collect();
            mean.assign(&f.select(Axis(0), &own).mean_axis(Axis(0)).unwrap());
        }
        let between = covariance(&means).unwrap();
        let trace = |c: &Array2<f64>| solve(c, &between).unwrap().diag().sum();
        let features = Features::from(f.clone());
        let score = h_score(&features, &labels).unwrap();
        prop_assert!((score - trace(&covariance(&f).unwrap())).abs() < 1e-8);
        prop_assert!((-1e-9..=2.0 + 1e-9).contains(&score));
        let (shrunk, shrinkage) = covariance_ledoit_wolf(&f).unwrap();
        let regularized = regularized_h_score(&features, &labels).unwrap();
        prop_assert!((regularized - (1.0 - shrinkage) * trace(&shrunk)).abs() < 1e-8);
        // A map with an inverse.
        let map = Array2::from_shape_fn((d, d), |(i, j)| if i == j { 2.0 } else if i < j { 1.0 } else { 0.0 });
        let mapped = h_score(&f.dot(&map).into(), &labels).unwrap();
        prop_assert!((mapped - score).abs() < 1e-7);
    }

    #[test]
    fn the_rate_is_a_sum_over_eigenvalues(n in 6_usize..20, d in 1_usize..25, seed: u64, digits in 1_i32..5) {
        let epsilon = 10.0_f64.powi(-digits);
        let (f, classes) = target(n, d, 3, seed);
        let centred = &f - &f.mean_axis(Axis(0)).unwrap();
        let rate = |rows: &Array2<f64>| {
            let values = eigh(&rows.t().dot(rows)).unwrap().values;
            0.5 * values.mapv(|v| (1.0 + v.max(0.0) / (rows.nrows() as f64 * epsilon)).ln()).sum()
        };
        let mut expected = rate(&centred);
        for class in 0..3 {
            let own: Vec<usize> = (0..n).filter(|&row| classes[row] == class).collect();
            expected -= own.len() as f64 / n as f64 * rate(&centred.select(Axis(0), &own));
        }
        let score = trans_rate(&f.into(), &Labels::Classes(classes), epsilon).unwrap();
        prop_assert!((score - expected).abs() < 1e-7 * (1.0 + expected.abs()), "{score} {expected}");
        prop_assert!(score > -1e-7);
    }

    /// `exp(−D_B)` is the integral of `√(p p')`.
    #[test]
    fn the_coefficient_is_an_integral(seed: u64) {
        let (f, classes) = target(20, 1, 2, seed);
        let moments = |class: usize| {
            let own: Vec<f64> = (0..20).filter(|&row| classes[row] == class).map(|row| f[[row, 0]]).collect();
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            (mean, own.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / own.len() as f64)
        };
        let density = |x: f64, (mean, variance): (f64, f64)| (-0.5 * (x - mean).powi(2) / variance).exp() / (TAU * variance).sqrt();
        let (a, b) = (moments(0), moments(1));
        let step = 1e-3;
        let integral: f64 = (-20_000..20_000).map(|k| f64::from(k) * step).map(|x| (density(x, a) * density(x, b)).sqrt() * step).sum();
        let score = gbc(&f.into(), &Labels::Classes(classes)).unwrap();
        prop_assert!((score + 2.0 * integral).abs() < 1e-4, "{score} {integral}");
    }

    #[test]
    fn predictions_are_scored_by_their_formulas(n in 2_usize..30, z in 1_usize..5, seed: u64) {
        let theta = probabilities(n, z, seed);
        let mut rng = seed::rng(!seed);
        let classes = Array1::from_shape_simple_fn(n, || rng.below(3));
        let labels = Labels::Classes(classes.clone());
        let given = |class: usize, z: usize| {
            let own: f64 = (0..n).filter(|&i| classes[i] == class).map(|i| theta[[i, z]]).sum();
            own / theta.column(z).sum()
        };
        let expected = (0..n).map(|i| (0..z).map(|z| given(classes[i], z) * theta[[i, z]]).sum::<f64>().ln()).sum::<f64>() / n as f64;
        let source = SourceProbabilities::new(theta.clone()).unwrap();
        let score = leep(&source, &labels).unwrap();
        prop_assert!((score - expected).abs() < 1e-10);
        let entropy: f64 = (0..3).map(|class| {
            let share = classes.iter().filter(|&&c| c == class).count() as f64 / n as f64;
            if share > 0.0 { -share * share.ln() } else { 0.0 }
        }).sum();
        prop_assert!(score <= 1e-12 && score >= -entropy - 1e-12);
        // NCE: each row's class among the rows that are called alike. And the two agree for a model that is sure.
        let called = translearn_core::argmax_rows(&theta);
        let among = |i: usize| {
            let alike: Vec<usize> = (0..n).filter(|&j| called[j] == called[i]).collect();
            alike.iter().filter(|&&j| classes[j] == classes[i]).count() as f64 / alike.len() as f64
        };
        let expected = (0..n).map(|i| among(i).ln()).sum::<f64>() / n as f64;
        let score = nce(&source.classes(), &labels).unwrap();
        prop_assert!((score - expected).abs() < 1e-10);
        let sure = Array2::from_shape_fn((n, z), |(i, z)| f64::from(u8::from(called[i] == z)));
        let sure = leep(&SourceProbabilities::new(sure).unwrap(), &labels).unwrap();
        prop_assert!((sure - score).abs() < 1e-10);
    }

    #[test]
    fn neighbours_vote(n in 4_usize..20, k in 1_usize..4, seed: u64) {
        let (f, classes) = target(n, 2, 3, seed);
        let features = Features::from(f.clone());
        let near = |row: usize| {
            let mut others: Vec<usize> = (0..n).filter(|&other| other != row).collect();
            let distance = |other: usize| (&f.row(row) - &f.row(other)).mapv(|v| v * v).sum();
            others.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            others[..k].to_vec()
        };
        let right = (0..n).filter(|&row| {
            let near = near(row);
            let votes = |class: usize| near.iter().filter(|&&other| classes[other] == class).count();
            let most = (0..3).map(votes).max().unwrap();
            let first = near.iter().find(|&&other| votes(classes[other]) == most).unwrap();
            classes[*first] == classes[row]
        });
        let expected = right.count() as f64 / n as f64;
        prop_assert_eq!(leave_one_out(&features, &Labels::Classes(classes), k).unwrap(), expected);
        let values = f.column(0).to_owned();
        let score = leave_one_out(&features, &Labels::Values(values.clone()), k).unwrap();
        let mean = values.mean().unwrap();
        let error: f64 = (0..n).map(|row| (values[row] - near(row).iter().map(|&o| values[o]).sum::<f64>() / k as f64).powi(2)).sum();
        let spread: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        prop_assert!((score - (1.0 - error / spread)).abs() < 1e-9);
    }
}

type Score = fn(&Features, &Labels) -> Result<f64, TransferError>;

const OF_FEATURES: [(&str, Score); 7] = [
    ("LogME", log_me),
    ("H-score", h_score),
    ("regularised H-score", regularized_h_score),
    ("TransRate", |features, labels| {
        trans_rate(features, labels, 1e-3)
    }),
    ("GBC", gbc),
    ("PARC", parc),
    ("leave one out", |features, labels| {
        leave_one_out(features, labels, 3)
    }),
];

/// Features that tell the classes are scored above the same features with the rows of the labels shuffled; names of
/// classes and the order of rows change nothing.
#[test]
fn every_score_knows_features_that_tell() {
    let (f, classes) = target(60, 4, 3, 9);
    let features = Features::from(f.clone());
    let order = seed::rng(2).permutation(60);
    let shuffled = Labels::Classes(classes.select(Axis(0), &order));
    let renamed = Labels::Classes(classes.mapv(|class| [7, 2, 4][class]));
    let labels = Labels::Classes(classes.clone());
    let moved = Features::from(f.select(Axis(0), &order));
    for (name, score) in OF_FEATURES {
        let value = score(&features, &labels).unwrap();
        assert!(value > score(&features, &shuffled).unwrap(), "{name}");
        let same = |other: f64| (other - value).abs() < 1e-9 * (1.0 + value.abs());
        assert!(same(score(&features, &renamed).unwrap()), "{name}");
        assert!(same(score(&moved, &shuffled).unwrap()), "{name}");
        let sparse = Features::Sparse(features.to_sparse().unwrap().into_owned());
        assert!(same(score(&sparse, &labels).unwrap()), "{name}");
    }
}

#[test]
fn constant_columns_and_more_columns_than_rows_are_no_obstacle() {
    let (f, classes) = target(8, 20, 2, 3);
    let mut wide = Array2::ones((8, 21));
    wide.slice_mut(ndarray::s![.., 1..]).assign(&f);
    for (name, score) in OF_FEATURES {
        let value = score(&wide.clone().into(), &Labels::Classes(classes.clone())).unwrap();
        assert!(value.is_finite(), "{name}: {value}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Of few rows every assignment can be tried, and normal distributions on a line are two numbers.
    #[test]
    fn the_dataset_distance_is_the_cheapest_assignment(n in 2_usize..6, seed: u64) {
        let sets = [target(n, 1, 2, seed), target(n, 1, 2, !seed)];
        let meaning = |(f, classes): &(Array2<f64>, Array1<usize>), row: usize| {
            let own: Vec<f64> = (0..n).filter(|&other| classes[other] == classes[row]).map(|other| f[[other, 0]]).collect();
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            (mean, (own.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / own.len() as f64).sqrt())
        };
        let cost = |i: usize, j: usize| {
            let (a, b) = (meaning(&sets[0], i), meaning(&sets[1], j));
            (sets[0].0[[i, 0]] - sets[1].0[[j, 0]]).powi(2) + (a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)
        };
        fn cheapest(row: usize, free: &[usize], cost: &dyn Fn(usize, usize) -> f64) -> f64 {
            let with = |&j: &usize| {
                let rest: Vec<usize> = free.iter().copied().filter(|&other| other != j).collect();
                cost(row, j) + cheapest(row + 1, &rest, cost)
            };
            free.iter().map(with).reduce(f64::min).unwrap_or(0.0)
        }
        let all: Vec<usize> = (0..n).collect();
        let expected = (cheapest(0, &all, &cost) / n as f64).sqrt();
        let sets = sets.map(|(f, classes)| (Features::from(f), Labels::Classes(classes)));
        let distance = otdd((&sets[0].0, &sets[0].1), (&sets[1].0, &sets[1].1)).unwrap();
        prop_assert!((distance - expected).abs() < 1e-7, "{distance} {expected}");
    }

    #[test]
    fn the_dataset_distance_is_a_metric(seed: u64) {
        let sets: Vec<(Features, Labels)> = [(9, 2, 1), (12, 3, 2), (7, 4, 3)]
            .map(|(n, n_classes, salt)| target(n, 2, n_classes, seed.wrapping_add(salt)))
            .map(|(f, classes)| (f.into(), Labels::Classes(classes)))
            .into();
        let distance = |a: usize, b: usize| otdd((&sets[a].0, &sets[a].1), (&sets[b].0, &sets[b].1)).unwrap();
        for a in 0..3 {
            // To itself, rows shuffled and classes renamed: nothing at all.
            let order = seed::rng(seed).permutation(sets[a].0.n_rows());
            let renamed = sets[a].1.select(&order).classes("").unwrap().mapv(|class| 9 - class);
            let same = otdd((&sets[a].0, &sets[a].1), (&sets[a].0.select_rows(&order), &Labels::Classes(renamed)));
            prop_assert_eq!(same.unwrap(), 0.0);
            for b in 0..3 {
                prop_assert!((distance(a, b) - distance(b, a)).abs() < 1e-9);
                for over in 0..3 {
                    prop_assert!(distance(a, b) <= distance(a, over) + distance(over, b) + 1e-9);
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_scored_says_why() {
    let (f, classes) = target(6, 2, 2, 1);
    let features = Features::from(f.clone());
    let mut broken = f.clone();
    broken[[4, 1]] = f64::INFINITY;
    let one = Labels::Classes(Array1::from_elem(6, 5));
    for (name, score) in OF_FEATURES {
        let error = score(&features, &Labels::Classes(array![0, 1])).unwrap_err();
        assert!(
            matches!(error, TransferError::LengthMismatch { .. }),
            "{name}"
        );
        let error = score(&broken.clone().into(), &Labels::Classes(classes.clone())).unwrap_err();
        assert!(matches!(error, TransferError::NotFinite { .. }), "{name}");
        if name != "leave one out" {
            let error = score(&features, &one).unwrap_err();
            assert!(
                matches!(error, TransferError::TooFewClasses { classes: 1, .. }),
                "{name}"
            );
        }
    }
    let labels = Labels::Classes(classes);
    assert!(
        trans_rate(&features, &labels, 0.0)
            .unwrap_err()
            .to_string()
            .contains("epsilon")
    );
    assert!(
        leave_one_out(&features, &labels, 0)
            .unwrap_err()
            .to_string()
            .contains("`k`")
    );
    assert!(matches!(
        leave_one_out(&features, &labels, 6),
        Err(TransferError::TooFewRows { .. })
    ));
    let error = leave_one_out(&features, &Labels::Values(Array1::ones(6)), 1).unwrap_err();
    assert!(error.to_string().contains("values that differ"), "{error}");
    for rows in [
        array![[0.5, 0.6]],
        array![[1.5, -0.5]],
        array![[f64::NAN, 1.0]],
    ] {
        let error = SourceProbabilities::new(rows).unwrap_err();
        assert!(error.to_string().contains("row 0"), "{error}");
    }
    let source = SourceProbabilities::new(array![[0.5, 0.5]]).unwrap();
    assert!(matches!(
        leep(&source, &labels),
        Err(TransferError::LengthMismatch { .. })
    ));
    assert!(leep(&source, &Labels::Values(array![1.0])).is_err());
    assert!(log_me_outputs(&features, &Array2::zeros((6, 0))).is_err());
    assert!(weighted_kendall(&[1.0, 2.0], &[1.0]).is_err());
    assert!(weighted_kendall(&[1.0, f64::NAN], &[1.0, 2.0]).is_err());
    assert!(weighted_kendall(&[1.0, 1.0], &[1.0, 2.0]).is_err());
    assert!(weighted_kendall(&[1.0], &[1.0]).is_err());
}

/// scipy 1.17: `weightedtau([12, 2, 1, 12, 2, 7.5], [1, 4, 7, 1, 0, 3])`.
#[test]
fn rankings_agree_with_scipy() {
    let (x, y) = (
        [12.0, 2.0, 1.0, 12.0, 2.0, 7.5],
        [1.0, 4.0, 7.0, 1.0, 0.0, 3.0],
    );
    let expected = -0.6318790427774255;
    assert!((weighted_kendall(&x, &y).unwrap() - expected).abs() < 1e-12);
    assert!((weighted_kendall(&y, &x).unwrap() - expected).abs() < 1e-12);
}

/// NumPy and scipy: `spearmanr` of one less `corrcoef` and of the labels that differ, below the diagonal.
#[test]
fn parc_agrees_with_scipy() {
    let features = array![
        [1.0, 2.0, 0.5],
        [2.0, 1.0, 0.0],
        [0.0, 1.0, 3.0],
        [5.0, 1.0, 1.0],
        [1.0, 1.0, 4.0]
    ];
    let score = parc(&features.into(), &Labels::Classes(array![0, 0, 1, 2, 1])).unwrap();
    assert!((score - 0.6111265087983809).abs() < 1e-12, "{score}");
}

#[test]
fn zeros_have_no_evidence() {
    let features = Features::from(array![[1.0, 0.5], [0.0, 2.0], [1.0, -1.0]]);
    let outputs = array![[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]];
    let error = log_me_outputs(&features, &outputs).unwrap_err();
    assert!(
        error.to_string().contains("only zeros in column 1"),
        "{error}"
    );
    assert!(log_me(&features, &Labels::Values(array![0.0, 0.0, 0.0])).is_err());
}

/// Rows that are equal in their features are told apart by their labels.
#[test]
fn a_probe_does_not_see_the_order_of_equal_rows() {
    let mut rng = seed::rng(5);
    let x = Array2::from_shape_simple_fn((40, 3), || f64::from(u8::from(rng.uniform() < 0.5)));
    let y = Array1::from_shape_fn(40, |row| x.row(row).sum() + rng.normal());
    let probed = |order: &[usize]| {
        let rows = Features::from(x.select(Axis(0), order));
        let labels = Labels::Values(y.select(Axis(0), order));
        LinearProbe::default()
            .score(&rows, &labels, 1)
            .unwrap()
            .score
    };
    let inward: Vec<usize> = (0..40).collect();
    let first = probed(&inward);
    for _ in 0..4 {
        let moved = probed(&rng.permutation(40));
        assert!((moved - first).abs() < 1e-9, "{moved} for {first}");
    }
}
