use ndarray::{Array1, Array2, Axis, s};
use proptest::prelude::*;
use serde_json::Value;
use translearn_core::{
    Domain, Features, LabelSpace, Labels, SourceWeighter, Task, TransferMethod, TransferProblem,
    kernel::{Kernel, ResolvedKernel},
    seed,
};

use super::mixture::fit_mixture;
use super::squared_loss::SquaredLoss;
use super::{
    KernelDensityRatioParams, KliepParams, LogisticRatioParams, RulsifParams, UlsifParams,
};

/// A normal source and a target that is narrower and shifted in the first column.
pub(super) fn problem(n_source: usize, n_target: usize, d: usize, seed: u64) -> TransferProblem {
    let mut rng = seed::rng(seed);
    let mut sample = |n: usize, scale: f64, shift: f64| {
        let mut x = Array2::from_shape_simple_fn((n, d), || scale * rng.normal());
        x.column_mut(0).mapv_inplace(|v| v + shift);
        x
    };
    let (source, target) = (sample(n_source, 1.0, 0.0), sample(n_target, SCALE, SHIFT));
    problem_of(source, target)
}

/// Source rows with classes in turn, and target rows.
pub(super) fn problem_of(source: Array2<f64>, target: Array2<f64>) -> TransferProblem {
    let codes: Array1<usize> = (0..source.nrows()).map(|row| row % 2).collect();
    let domain = |name: &str, x: Array2<f64>| Domain {
        name: name.into(),
        features: x.into(),
    };
    let space = LabelSpace::numbered(2);
    let task = Task::labelled(space.clone(), Labels::Classes(codes));
    TransferProblem::from_parts(
        vec![(domain("source", source), task)],
        (domain("target", target), Task::unlabelled(space)),
    )
    .unwrap()
}

/// The same problem with other source rows.
fn with_source(problem: &TransferProblem, features: Features) -> TransferProblem {
    let n = features.n_rows();
    let labels = Labels::Classes((0..n).map(|row| row % 2).collect());
    let source = (
        Domain {
            name: "source".into(),
            features,
        },
        Task::labelled(LabelSpace::numbered(2), labels),
    );
    let target = (
        problem.target_domain().clone(),
        problem.target_task().clone(),
    );
    TransferProblem::from_parts(vec![source], target).unwrap()
}

const SCALE: f64 = 0.7;
const SHIFT: f64 = 0.7;

fn rows(features: &Features) -> Array2<f64> {
    features.dense().unwrap().into_owned()
}

pub(super) fn both(problem: &TransferProblem) -> (Array2<f64>, Array2<f64>) {
    let source = rows(&problem.source().unwrap().features);
    (source, rows(problem.target_features()))
}

/// The Gaussians and the constant, entry by entry.
fn functions(x: &Array2<f64>, centers: &Array2<f64>, gamma: f64, constant: bool) -> Array2<f64> {
    let k = centers.nrows();
    Array2::from_shape_fn((x.nrows(), k + usize::from(constant)), |(i, l)| {
        if l == k {
            return 1.0;
        }
        let distance: f64 = x
            .row(i)
            .iter()
            .zip(centers.row(l))
            .map(|(a, b)| (a - b) * (a - b))
            .sum();
        (-gamma * distance).exp()
    })
}

/// The coefficients of KLIEP, by expectation and maximisation in turns.
fn naive_kliep(
    source: &Array2<f64>,
    target: &Array2<f64>,
    centers: &Array2<f64>,
    gamma: f64,
) -> Array1<f64> {
    let on_source = functions(source, centers, gamma, true);
    let means = on_source.mean_axis(Axis(0)).unwrap();
    let densities = functions(target, centers, gamma, true) / &means;
    let mut shares = Array1::from_elem(means.len(), 1.0 / means.len() as f64);
    for _ in 0..2000 {
        let relative = &densities / &densities.dot(&shares).insert_axis(Axis(1));
        shares = shares * relative.mean_axis(Axis(0)).unwrap();
    }
    shares / means
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn kliep_is_the_likeliest_ratio(n_source in 5usize..30, n_target in 5usize..25, gamma in 0.1f64..3.0, seed in 0u64..1000) {
        // The target's rows are source rows as well, so that the weights show the ratio at both.
        let drawn = problem(n_source, n_target, 2, seed);
        let target = both(&drawn).1;
        let problem = with_source(&drawn, drawn.target_features().stack(&drawn.source().unwrap().features).unwrap());
        let source = both(&problem).0;
        let fitted = KliepParams::default().gamma(gamma).source_weights(&problem, 0).unwrap();
        let ratio = fitted.weights.slice(s![..n_target]);
        prop_assert!((fitted.weights.mean().unwrap() - 1.0).abs() < 1e-9);
        prop_assert!(fitted.weights.iter().all(|&w| w >= 0.0));
        let objective = ratio.iter().map(|r| r.ln()).sum::<f64>() / n_target as f64;
        prop_assert!((objective - fitted.trace.series["objective"][0]).abs() < 1e-9);
        // For any other ratio r' that is allowed, E ln r' - E ln r <= E (r'/r) - 1 = Σ α'_l E (φ_l/r) - 1, which is at
        // most 0 when no E (φ_l/r) exceeds the mean of φ_l over the source.
        let means = functions(&source, &target, gamma, true).mean_axis(Axis(0)).unwrap();
        let values = functions(&target, &target, gamma, true);
        for (l, &mean) in means.iter().enumerate() {
            let slope = (0..n_target).map(|j| values[[j, l]] / ratio[j]).sum::<f64>() / n_target as f64;
            prop_assert!(slope <= mean * (1.0 + 2e-9), "{slope} above {mean}");
        }
    }

    #[test]
    fn the_width_of_kliep_is_the_likeliest_on_what_is_left_out(seed in 0u64..1000) {
        let problem = problem(25, 16, 1, seed);
        let (source, target) = both(&problem);
        let fitted = KliepParams::default().n_folds(4).source_weights(&problem, 0).unwrap();
        let chosen = fitted.trace.series["gamma"][0];
        // Rows in the order of their values take turns.
        let mut order: Vec<usize> = (0..16).collect();
        order.sort_by(|&i, &j| target[[i, 0]].total_cmp(&target[[j, 0]]));
        let score = |gamma: f64| {
            let mut total = 0.0;
            for fold in 0..4 {
                let part = |wanted: bool| {
                    let rows: Vec<usize> = (0..16).filter(|place| (place % 4 == fold) == wanted).map(|place| order[place]).collect();
                    target.select(Axis(0), &rows)
                };
                let train = part(false);
                let alpha = naive_kliep(&source, &train, &train, gamma);
                total += functions(&part(true), &train, gamma, true).dot(&alpha).mapv(f64::ln).sum();
            }
            total / 16.0
        };
        let median = match (Kernel::Rbf { gamma: None }).resolve(&[&source.clone().into(), &target.clone().into()]).unwrap() {
            ResolvedKernel::Rbf { gamma } => gamma,
            other => panic!("{other:?}"),
        };
        let grid: Vec<f64> = (-4..=2).map(|k| median * 10.0_f64.powf(f64::from(k) / 2.0)).collect();
        prop_assert!(grid.contains(&chosen));
        // What the slow rise has not reached is allowed for.
        let best = grid.iter().map(|&gamma| score(gamma)).fold(f64::NEG_INFINITY, f64::max);
        prop_assert!(score(chosen) >= best - 1e-2, "{} below {best}", score(chosen));
    }

    #[test]
    fn without_a_share_of_the_target_rulsif_is_ulsif(seed in 0u64..1000) {
        let problem = problem(30, 20, 2, seed);
        let relative = RulsifParams::default().alpha(0.0).source_weights(&problem, 3).unwrap();
        prop_assert_eq!(relative, UlsifParams::default().source_weights(&problem, 3).unwrap());
    }

    #[test]
    fn the_mean_of_a_squared_loss_ratio_is_one(seed in 0u64..1000, lambda in 0.01f64..10.0, alpha in 0.0f64..1.0) {
        // At the optimum the constant, which is not penalised, has no slope: the ratio has mean 1 over the denominator.
        let problem = problem(30, 20, 2, seed);
        let (source, target) = both(&problem);
        let values = |x: &Array2<f64>| functions(x, &target, 0.5, true);
        let penalty = Array1::from_shape_fn(21, |l| if l == 20 { 0.0 } else { lambda });
        let loss = SquaredLoss::new(values(&source), values(&target), alpha);
        let coefficients = loss.coefficients(&penalty).unwrap();
        let (on_source, on_target) = (values(&source).dot(&coefficients), values(&target).dot(&coefficients));
        let mean = (1.0 - alpha) * on_source.mean().unwrap() + alpha * on_target.mean().unwrap();
        prop_assert!((mean - 1.0).abs() < 1e-9, "{mean}");
        let ours = RulsifParams::default().gamma(0.5).lambda(lambda).alpha(alpha).source_weights(&problem, 0).unwrap();
        let worst = (ours.weights - on_source.mapv(|r| r.max(0.0))).fold(0.0_f64, |a, b| a.max(b.abs()));
        prop_assert!(worst < 1e-9, "{worst}");
    }
}

/// The ratio of the two normal densities that `problem` draws from, scaled to mean 1.
fn truth(source: &Array2<f64>) -> Array1<f64> {
    let ratio = source.map_axis(Axis(1), |row| {
        let exponent = |x: f64, center: f64, scale: f64| -0.5 * ((x - center) / scale).powi(2);
        let log: f64 = row
            .iter()
            .enumerate()
            .map(|(column, &x)| {
                let center = if column == 0 { SHIFT } else { 0.0 };
                exponent(x, center, SCALE) - SCALE.ln() - exponent(x, 0.0, 1.0)
            })
            .sum();
        log.exp()
    });
    &ratio / ratio.mean().unwrap()
}

#[test]
fn a_known_ratio_is_found() {
    let problem = problem(500, 400, 2, 1);
    let truth = truth(&both(&problem).0);
    let error = |weights: Array1<f64>| {
        let weights = &weights / weights.mean().unwrap();
        (weights - &truth).mapv(|v| v * v).mean().unwrap()
    };
    let equal = error(Array1::ones(500));
    let weighters: [(&str, &dyn SourceWeighter); 5] = [
        ("kernel-density-ratio", &KernelDensityRatioParams::default()),
        ("kliep", &KliepParams::default()),
        ("ulsif", &UlsifParams::default()),
        ("rulsif", &RulsifParams::default().alpha(0.01)),
        ("logistic-ratio", &LogisticRatioParams::default()),
    ];
    let errors = weighters.map(|(name, weighter)| {
        (
            name,
            error(weighter.source_weights(&problem, 0).unwrap().weights) / equal,
        )
    });
    // A logistic regression cannot see the change of scale.
    assert!(
        errors[..4].iter().all(|&(_, error)| error < 0.2),
        "{errors:?}"
    );
    assert!(errors[4].1 > 0.2, "{errors:?}");
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    let (n, d) = (rows.len(), rows[0].len());
    Array2::from_shape_vec((n, d), rows.concat()).unwrap()
}

fn reference() -> Value {
    serde_json::from_str(include_str!(
        "../../tests/fixtures/density_ratio_reference.json"
    ))
    .unwrap()
}

/// skada stops before its objective has risen far; ours is that of a slow rise to the end.
#[test]
fn the_likelihood_is_larger_than_skadas() {
    let reference = reference();
    let (source, target) = (matrix(&reference["source"]), matrix(&reference["target"]));
    for case in reference["kliep"].as_array().unwrap() {
        let (centers, gamma) = (matrix(&case["centers"]), case["gamma"].as_f64().unwrap());
        let means = functions(&source, &centers, gamma, false)
            .mean_axis(Axis(0))
            .unwrap();
        let densities = functions(&target, &centers, gamma, false) / &means;
        let ours = fit_mixture(&densities, Array1::ones(centers.nrows()), 1e-10).unwrap();
        let theirs = case["objective"].as_f64().unwrap();
        assert!(
            ours.log_likelihood > theirs + 0.1,
            "gamma {gamma}: {theirs}"
        );
        let mut shares = Array1::from_elem(centers.nrows(), 1.0 / centers.nrows() as f64);
        for _ in 0..5000 {
            let relative = &densities / &densities.dot(&shares).insert_axis(Axis(1));
            shares = shares * relative.mean_axis(Axis(0)).unwrap();
        }
        let slow = densities.dot(&shares).mapv(f64::ln).mean().unwrap();
        assert!(
            (ours.log_likelihood - slow).abs() < 1e-6,
            "gamma {gamma}: {slow}"
        );
    }
}

/// The same equations, so the same coefficients; densratio cuts them at 0 and has no constant.
#[test]
fn coefficients_are_those_of_densratio() {
    let reference = reference();
    let (source, target) = (matrix(&reference["source"]), matrix(&reference["target"]));
    for case in reference["squared"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let centers = matrix(&case["centers"]);
        let values = |x: &Array2<f64>| functions(x, &centers, number("gamma"), false);
        let loss = SquaredLoss::new(values(&source), values(&target), number("alpha"));
        let penalty = Array1::from_elem(centers.nrows(), number("lambda"));
        let ours = loss.coefficients(&penalty).unwrap().mapv(|v| v.max(0.0));
        let theirs: Vec<f64> = serde_json::from_value(case["theta"].clone()).unwrap();
        let worst = (ours - Array1::from(theirs)).fold(0.0_f64, |a, b| a.max(b.abs()));
        assert!(worst < 1e-9, "{worst:e}");
    }
}

#[test]
fn one_target_row_leaves_no_width_to_choose() {
    let error = KliepParams::default()
        .fit(&problem(5, 1, 2, 0), 0)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the target, without a `gamma` of your own, has 1 rows but 2 are needed"
    );
    assert!(
        KliepParams::default()
            .gamma(1.0)
            .fit(&problem(5, 1, 2, 0), 0)
            .is_ok()
    );
    let error = UlsifParams::default()
        .fit(&problem(5, 1, 2, 0), 0)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the target, without a `gamma` and a `lambda`"),
        "{error}"
    );
}

#[test]
fn flattened_and_cut_weights_reach_the_learner() {
    let problem = problem(40, 30, 2, 2);
    let weights = |params: KliepParams| {
        params
            .fit(&problem, 0)
            .unwrap()
            .trace
            .source_weights
            .unwrap()
    };
    let plain = weights(KliepParams::default().gamma(1.0));
    let flat = weights(KliepParams::default().gamma(1.0).flatten(0.5));
    let roots = plain.mapv(f64::sqrt);
    let naive = &roots / roots.mean().unwrap();
    assert!((flat - naive).iter().all(|v| v.abs() < 1e-9));
    let cut = weights(KliepParams::default().gamma(1.0).clip(1.5));
    let naive = plain.mapv(|w| w.min(1.5));
    assert!(
        (&cut - &(&naive / naive.mean().unwrap()))
            .iter()
            .all(|v| v.abs() < 1e-9)
    );
    assert!(cut.iter().fold(0.0_f64, |a, &b| a.max(b)) < plain.iter().fold(0.0, |a, &b| a.max(b)));
}
