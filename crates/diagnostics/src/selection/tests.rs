use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_classical::SourceOnly;
use translearn_core::selection::{Collapse, TargetScore};
use translearn_core::{
    Domain, Features, LabelSpace, Labels, Prediction, Task, TransferMethod, TransferModel,
    TransferProblem, seed,
};

use super::*;

/// Probabilities by a linear map and the softmax; the last column of the map is the sharpest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Softmax(Array2<f64>);

#[typetag::serde(name = "selection-test-softmax")]
impl TransferModel for Softmax {
    fn predict(&self, rows: &Features) -> Result<Prediction, TransferError> {
        let mut scores = rows.dense()?.dot(&self.0).mapv(f64::exp);
        for mut row in scores.outer_iter_mut() {
            row /= row.sum();
        }
        Ok(Prediction::from_probabilities(scores))
    }
}

/// Answers that were given, whatever the rows are.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) source: Labels,
    pub(super) target: Prediction,
}

#[typetag::serde(name = "selection-test-told")]
impl TransferModel for Told {
    fn predict(&self, _: &Features) -> Result<Prediction, TransferError> {
        Ok(self.target.clone())
    }

    fn predict_source(&self, _: &Features) -> Result<Prediction, TransferError> {
        Ok(Prediction {
            labels: self.source.clone(),
            scores: None,
        })
    }
}

pub(super) fn problem_of(
    source: Array2<f64>,
    labels: Labels,
    target: Array2<f64>,
    n_classes: usize,
) -> TransferProblem {
    let space = match labels {
        Labels::Classes(_) => LabelSpace::numbered(n_classes),
        Labels::Values(_) => LabelSpace::Real,
    };
    let domain = |name: &str, rows: Array2<f64>| Domain {
        name: name.to_owned(),
        features: rows.into(),
    };
    let source = (
        domain("source", source),
        Task::labelled(space.clone(), labels),
    );
    TransferProblem::from_parts(
        vec![source],
        (domain("target", target), Task::unlabelled(space)),
    )
    .unwrap()
}

/// `n` rows a domain of `k` classes, whose means the target has elsewhere.
pub(super) fn problem(n: usize, k: usize, seed: u64) -> TransferProblem {
    let mut rng = seed::rng(seed);
    let means = Array2::from_shape_simple_fn((k, 2), || 2.0 * rng.normal());
    let mut rows = |moved: f64| {
        Array2::from_shape_fn((n, 2), |(row, column)| {
            means[[row % k, column]] + moved + rng.normal()
        })
    };
    let (source, target) = (rows(0.0), rows(0.7));
    problem_of(
        source,
        Labels::Classes((0..n).map(|row| row % k).collect()),
        target,
        k,
    )
}

pub(super) fn softmax(k: usize, seed: u64) -> Softmax {
    let mut rng = seed::rng(!seed);
    Softmax(Array2::from_shape_simple_fn((2, k), || rng.normal()))
}

pub(super) fn value(scorer: &dyn TargetScorer, candidate: &Candidate<'_>) -> f64 {
    scorer.score_checked(candidate, 7).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Neither the order of the rows nor the names of the classes change a score.
    #[test]
    fn orders_and_names_change_nothing(seed: u64) {
        let (n, k) = (30, 3);
        let first = problem(n, k, seed);
        let mut rng = seed::rng(seed);
        let (source_order, target_order) = (rng.permutation(n), rng.permutation(n));
        let source = first.source().unwrap();
        let select = |x: &Features, order: &[usize]| x.dense().unwrap().select(Axis(0), order);
        let moved = problem_of(
            select(&source.features, &source_order),
            source.labels.select(&source_order),
            select(first.target_features(), &target_order),
            k,
        );
        let renamed = problem_of(
            select(&source.features, &(0..n).collect::<Vec<_>>()),
            Labels::Classes(source.labels.classes("test").unwrap().mapv(|class| (class + 1) % k)),
            select(first.target_features(), &(0..n).collect::<Vec<_>>()),
            k,
        );
        let method = SourceOnly::params();
        for scorer in scorers() {
            let score = |problem: &TransferProblem| {
                let model = method.fit(problem, 0).unwrap().model;
                let candidate = Candidate::new(&*model, problem).unwrap().with_method(&method, 0);
                scorer.score(&candidate, 3).unwrap()
            };
            let (a, b, c) = (score(&first), score(&moved), score(&renamed));
            match (a, b, c) {
                (TargetScore::Value(a), TargetScore::Value(b), TargetScore::Value(c)) => {
                    let name = scorer.info().name;
                    prop_assert!((a - b).abs() < 1e-5 && (a - c).abs() < 1e-5, "{name}: {a} {b} {c}");
                }
                (a, b, c) => prop_assert!(a.value() == b.value() && a.value() == c.value()),
            }
        }
    }
}

/// Of true weights, the standard error is that of the estimates over repeated samples, and the control variate earns
/// its name.
#[test]
fn the_standard_error_of_dev_is_that_of_its_estimates() {
    let runs: Vec<(Risk, f64)> = (0..400)
        .map(|run| {
            let mut rng = seed::rng(seed::derive(11, &[&run.to_string()]));
            let x = Array1::from_shape_simple_fn(200, || rng.normal());
            // The ratio of normal distributions with means 1 and 0, and a loss more frequent where it is large.
            let weights = x.mapv(|x| (x - 0.5).exp());
            let losses = x.mapv(|x| f64::from(u8::from(rng.uniform() < 1.0 / (1.0 + (-x).exp()))));
            (
                importance::controlled(&weights, &losses),
                weights.dot(&losses) / 200.0,
            )
        })
        .collect();
    let mean =
        |f: &dyn Fn(&(Risk, f64)) -> f64| runs.iter().map(f).sum::<f64>() / runs.len() as f64;
    let deviation = |f: &dyn Fn(&(Risk, f64)) -> f64| {
        let centre = mean(f);
        mean(&|run| (f(run) - centre).powi(2)).sqrt()
    };
    let (observed, plain) = (deviation(&|run| run.0.risk), deviation(&|run| run.1));
    let stated = mean(&|run| run.0.standard_error.powi(2)).sqrt();
    println!("deviation {observed:.4}, stated {stated:.4}, without the control variate {plain:.4}");
    // A deviation over 400 runs is within 10.5 % of the true one with three of its own errors, 1 / √800.
    assert!(
        (stated / observed - 1.0).abs() < 0.12,
        "{stated} {observed}"
    );
    assert!(observed < 0.9 * plain, "{observed} {plain}");
    // E over the target of 1 / (1 + e⁻ˣ), x ~ N(1, 1), by the sum over a grid.
    let density = |x: f64| (-0.5 * (x - 1.0).powi(2)).exp() / std::f64::consts::TAU.sqrt();
    let truth: f64 = (-8000..8000)
        .map(|i| f64::from(i) * 1e-3)
        .map(|x| density(x) / (1.0 + (-x).exp()) * 1e-3)
        .sum();
    let error = mean(&|run| run.0.risk) - truth;
    assert!(error.abs() < 3.5 * observed / 20.0, "{error}");
}

#[test]
fn the_way_back_is_a_fit_with_the_domains_exchanged() {
    let problem = problem(40, 3, 1);
    let method = SourceOnly::params();
    let model = method.fit(&problem, 5).unwrap().model;
    let candidate = Candidate::new(&*model, &problem)
        .unwrap()
        .with_method(&method, 5);
    let source = problem.source().unwrap();
    let dense = |x: &Features| x.dense().unwrap().into_owned();
    let answers = model.predict(problem.target_features()).unwrap().labels;
    let back = problem_of(
        dense(problem.target_features()),
        answers,
        dense(&source.features),
        3,
    );
    let came = method
        .fit(&back, 5)
        .unwrap()
        .model
        .predict(&source.features)
        .unwrap()
        .labels;
    let rows = came
        .classes("test")
        .unwrap()
        .iter()
        .zip(source.labels.classes("test").unwrap());
    let wrong = rows.filter(|(a, b)| a != b).count() as f64;
    assert!(wrong > 0.0);
    assert_eq!(value(&ReverseValidation, &candidate), -wrong / 40.0);
}

/// The same candidate gives the same bits, again and again, on one thread or four.
#[test]
fn scores_are_pure() {
    let problem = problem(300, 3, 2);
    let method = SourceOnly::params();
    let model = method.fit(&problem, 0).unwrap().model;
    let candidate = Candidate::new(&*model, &problem)
        .unwrap()
        .with_method(&method, 0);
    for scorer in scorers() {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                scorer
                    .score(&candidate, 3)
                    .unwrap()
                    .value()
                    .unwrap()
                    .to_bits()
            })
        };
        let bits = [on(1), on(4), on(4), on(1)];
        assert!(bits.iter().all(|&b| b == bits[0]), "{}", scorer.info().name);
    }
}

/// All rows one class, and sure of it: what the scores of certainty like best.
#[test]
fn a_model_that_calls_everything_one_class_has_no_score() {
    let problem = problem(30, 3, 3);
    let one = Prediction::from_probabilities(Array2::from_shape_fn((30, 3), |(_, class)| {
        f64::from(u8::from(class == 1))
    }));
    let labels = problem.source().unwrap().labels.into_owned();
    let model = Told {
        source: labels,
        target: one,
    };
    let method = SourceOnly::params();
    let candidate = Candidate::new(&model, &problem)
        .unwrap()
        .with_method(&method, 0);
    for scorer in scorers() {
        let score = scorer.score(&candidate, 0).unwrap();
        assert!(
            matches!(score, TargetScore::Collapsed(Collapse::FewClasses { .. })),
            "{score:?}"
        );
    }
    // Without the guard it could not be beaten.
    assert_eq!(value(&PredictionEntropy, &candidate), 0.0);
    assert!((value(&MaNo::default(), &candidate) - (1.0_f64 / 3.0).powf(0.25)).abs() < 1e-12);
    assert!(
        (value(&SoftNeighbourhoodDensity::default(), &candidate) - 29.0_f64.ln()).abs() < 1e-12
    );
}

/// Answers in turn, whatever the rows are, here as there.
#[test]
fn a_model_that_ignores_the_rows_has_no_score() {
    let problem = problem(30, 3, 3);
    let sure = Prediction::from_probabilities(Array2::from_shape_fn((30, 3), |(row, class)| {
        f64::from(u8::from(class == row / 10))
    }));
    let model = Told {
        source: sure.labels.clone(),
        target: sure,
    };
    let candidate = Candidate::new(&model, &problem).unwrap();
    for scorer in [
        &PredictionEntropy as &dyn TargetScorer,
        &InformationMaximization,
        &MaNo::default(),
    ] {
        let score = scorer.score(&candidate, 0).unwrap();
        assert!(
            matches!(score, TargetScore::Collapsed(Collapse::Uninformed { .. })),
            "{score:?}"
        );
    }
}

#[test]
fn what_is_missing_is_named() {
    let problem = problem(30, 3, 3);
    let labels = problem.source().unwrap().labels.into_owned();
    let model = Told {
        source: labels.clone(),
        target: Prediction {
            labels,
            scores: None,
        },
    };
    let candidate = Candidate::new(&model, &problem).unwrap();
    let message = |scorer: &dyn TargetScorer| scorer.score(&candidate, 0).unwrap_err().to_string();
    assert_eq!(
        message(&PredictionEntropy),
        "`entropy` needs probabilities of classes (as `logistic` gives them) but the problem has a model without scores"
    );
    assert!(message(&ReverseValidation).starts_with("`reverse` needs the method"));
    assert_eq!(
        message(&MixVal::default().alpha(0.5)),
        "`alpha` = 0.5 is outside (0.5, 1]"
    );
    let model = softmax(3, 3);
    let candidate = Candidate::new(&model, &problem).unwrap();
    let refused = |scorer: &dyn TargetScorer| scorer.score_checked(&candidate, 0).is_err();
    assert!(refused(&MaNo::default().p(0.5)) && refused(&MaNo::default().eta(f64::NAN)));
    assert!(refused(
        &SoftNeighbourhoodDensity::default().temperature(0.0)
    ));
    let single = problem_of(
        array![[0.0, 0.0], [1.0, 1.0]],
        Labels::Classes(array![0, 1]),
        array![[0.0, 1.0]],
        2,
    );
    let model = softmax(2, 3);
    let candidate = Candidate::new(&model, &single).unwrap();
    for scorer in [
        &MixVal::default() as &dyn TargetScorer,
        &SoftNeighbourhoodDensity::default(),
    ] {
        let error = scorer.score_checked(&candidate, 0).unwrap_err();
        assert!(matches!(
            error,
            TransferError::TooFewRows {
                rows: 1,
                needed: 2,
                ..
            }
        ));
    }
}

#[test]
fn every_scorer_stands_in_the_table_under_its_name() {
    let text = include_str!("mod.rs");
    for scorer in scorers() {
        let info = scorer.info();
        assert!(
            text.contains(&format!("//! | `{}` | [`", info.name)),
            "{}",
            info.name
        );
        assert_eq!(super::scorer(info.name).unwrap().info(), info);
        assert!(info.reference.len() > 40 && info.title.len() > 5);
    }
}

/// skada and scikit-learn, within what rounding, the tolerance of their logistic regression and the ends of their sums
/// leave.
#[test]
fn scores_are_those_of_skada() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!(
        "../../tests/fixtures/selection_reference.json"
    ))
    .unwrap();
    let vector = |name: &str| -> Array1<f64> {
        serde_json::from_value::<Vec<f64>>(fixture[name].clone())
            .unwrap()
            .into()
    };
    let matrix = |name: &str| -> Array2<f64> {
        let rows: Vec<Vec<f64>> = serde_json::from_value(fixture[name].clone()).unwrap();
        Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
    };
    let number = |name: &str| fixture[name].as_f64().unwrap();
    let classes: Vec<usize> = serde_json::from_value(fixture["classes"].clone()).unwrap();
    let problem = problem_of(
        matrix("source"),
        Labels::Classes(classes.into()),
        matrix("target"),
        3,
    );
    let method = SourceOnly::params();
    let model = method.fit(&problem, 0).unwrap().model;
    let candidate = Candidate::new(&*model, &problem)
        .unwrap()
        .with_method(&method, 0);
    let theirs = matrix("probabilities");
    let far = (candidate.probabilities("test").unwrap() - &theirs)
        .mapv(f64::abs)
        .fold(0.0, |a: f64, &b| a.max(b));
    assert!(far < 1e-5, "{far}");
    let near = |scorer: &dyn TargetScorer, name: &str, factor: f64, tolerance: f64| {
        let (ours, theirs) = (value(scorer, &candidate), factor * number(name));
        assert!((ours - theirs).abs() < tolerance, "{name}: {ours} {theirs}");
    };
    // skada takes the mean over classes, too.
    near(&PredictionEntropy, "entropy", 3.0, 1e-5);
    near(&SoftNeighbourhoodDensity::default(), "snd", 1.0, 1e-4);
    near(&MaNo::default().eta(0.0), "mano_softmax", 1.0, 1e-5);
    near(&ClassCluster, "silhouette", 1.0, 1e-9);
    let reverse = value(&ReverseValidation, &candidate);
    assert!(
        (1.0 + reverse - number("reverse_accuracy")).abs() < 1e-12,
        "{reverse}"
    );
    let risk = importance::controlled(&vector("weights"), &vector("errors"));
    assert!((risk.risk - number("dev_risk")).abs() < 1e-12);
}
