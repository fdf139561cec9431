use ndarray::{Array1, Array2, array};
use proptest::prelude::*;
use translearn_core::{
    BaseLearner, Domain, Features, LabelSpace, Labels, Prediction, Task, TransferMethod,
    TransferProblem, seed,
};
use translearn_learners::{GaussianNb, Ridge};

use super::model::mixture;
use super::{DistributionWeightedParams, EnsembleWeights, SourceEnsembleParams};
use crate::SourceOnly;
use crate::instance::mixture::Mixture;

/// Three sources around different points, each with its own line; the target is drawn from the first two, 3 to 1.
fn three_sources(classes: bool, seed: u64) -> TransferProblem {
    let mut rng = seed::rng(seed);
    let mut domain = |name: &str, n: usize, centre: &dyn Fn(usize) -> f64| Domain {
        name: name.to_owned(),
        features: Array2::from_shape_fn((n, 2), |(row, _)| centre(row) + rng.normal()).into(),
    };
    let mut sources = Vec::new();
    for (k, n) in [14, 17, 11].into_iter().enumerate() {
        let domain = domain(&format!("source {k}"), n, &|_| 2.5 * k as f64);
        let x = domain.features.dense().unwrap().column(0).to_owned();
        let task = match classes {
            true => {
                let mut y = x.mapv(|v| usize::from((v > 2.5 * k as f64) == (k < 2)));
                (y[0], y[1]) = (0, 1);
                Task::labelled(LabelSpace::numbered(2), y.into())
            }
            false => Task::labelled(LabelSpace::Real, (k as f64 * &x + 1.0).into()),
        };
        sources.push((domain, task));
    }
    let target = domain("target", 24, &|row| if row % 4 == 0 { 2.5 } else { 0.0 });
    let space = sources[0].1.space.clone();
    TransferProblem::from_parts(sources, (target, Task::unlabelled(space))).unwrap()
}

/// The shares of the sources, from plain densities.
fn naive_shares(problem: &TransferProblem, gamma: f64, mixture: &[f64], x: &[f64]) -> Vec<f64> {
    let density = |rows: &Features| {
        let rows = rows.dense().unwrap();
        let near = rows.rows().into_iter().map(|row| {
            let squared: f64 = row.iter().zip(x).map(|(a, b)| (a - b) * (a - b)).sum();
            (-gamma * squared).exp()
        });
        near.sum::<f64>() / rows.nrows() as f64
    };
    let sources = problem.sources().iter().zip(mixture);
    let parts: Vec<f64> = sources
        .map(|((d, _), w)| w * density(&d.features))
        .collect();
    let sum: f64 = parts.iter().sum();
    parts.into_iter().map(|part| part / sum).collect()
}

/// What the model of source `k` alone says, as the baseline fits it.
fn alone(
    problem: &TransferProblem,
    k: usize,
    learner: impl Into<BaseLearner>,
    queries: &Features,
) -> Prediction {
    let target = (
        problem.target_domain().clone(),
        problem.target_task().clone(),
    );
    let one = TransferProblem::from_parts(vec![problem.sources()[k].clone()], target).unwrap();
    let baseline = SourceOnly::params().learner(learner);
    let fitted = baseline.fit(&one, 0).unwrap();
    fitted.model.predict(queries).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn sources_answer_where_they_are_dense(seed in 0u64..500, gamma in 0.1..1.0) {
        for classes in [true, false] {
            let problem = three_sources(classes, seed);
            let learner: BaseLearner = if classes {
                GaussianNb::params().into()
            } else {
                Ridge::params().into()
            };
            let method = DistributionWeightedParams::default().gamma(gamma).learner(learner.clone());
            let fitted = method.fit(&problem, 0).unwrap();
            let mixture = &fitted.trace.series["mixture"];
            let queries = problem.target_features();
            let ours = fitted.model.predict(queries).unwrap();
            let models: Vec<Prediction> =
                (0..3).map(|k| alone(&problem, k, learner.clone(), queries)).collect();
            let dense = queries.dense().unwrap();
            for (row, x) in dense.rows().into_iter().enumerate() {
                let shares = naive_shares(&problem, gamma, mixture, &x.to_vec());
                let blend = |of: &dyn Fn(&Prediction) -> f64| -> f64 {
                    shares.iter().zip(&models).map(|(s, model)| s * of(model)).sum()
                };
                match (&ours.labels, &ours.scores) {
                    (Labels::Values(values), _) => {
                        let naive = blend(&|model| model.labels.values("test").unwrap()[row]);
                        prop_assert!((values[row] - naive).abs() < 1e-9);
                    }
                    (_, Some(scores)) => {
                        let of = |model: &Prediction| model.scores.as_ref().unwrap().matrix()[[row, 1]];
                        prop_assert!((scores.matrix()[[row, 1]] - blend(&of)).abs() < 1e-9);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    /// At the maximum no source would gain by more weight, and those that have weight would lose by less of it.
    #[test]
    fn the_mixture_is_the_most_likely(seed in 0u64..1000, n in 3usize..40, k in 2usize..5) {
        let mut rng = seed::rng(seed);
        let logs = Array2::from_shape_simple_fn((n, k), || 3.0 * rng.normal());
        let Mixture { shares: weights, gap, .. } = mixture(&logs).unwrap();
        prop_assert!((weights.sum() - 1.0).abs() < 1e-12 && weights.iter().all(|&w| w >= 0.0));
        let value = |weights: &Array1<f64>| -> f64 {
            let rows = logs.rows().into_iter();
            rows.map(|row| row.mapv(f64::exp).dot(weights).ln()).sum::<f64>() / n as f64
        };
        let mut gains = Array1::<f64>::zeros(k);
        for row in logs.rows() {
            let densities = row.mapv(f64::exp);
            gains += &(&densities / densities.dot(&weights) / n as f64);
        }
        let worst = gains.fold(0.0_f64, |a, &b| a.max(b)) - 1.0;
        prop_assert!((worst - gap).abs() < 1e-9, "{} against {}", worst, gap);
        prop_assert!(gap <= 1e-6, "{}", gap);
        // No other mixture is more likely by more than the bound.
        for _ in 0..50 {
            let mut other = Array1::from_shape_simple_fn(k, || rng.uniform());
            other /= other.sum();
            prop_assert!(value(&other) <= value(&weights) + gap + 1e-12);
        }
    }
}

#[test]
fn an_ensemble_answers_with_one_mixture_everywhere() {
    let problem = three_sources(false, 5);
    let queries = problem.target_features();
    let values = |prediction: Prediction| prediction.labels.values("test").unwrap().clone();
    let models: Vec<Array1<f64>> = (0..3)
        .map(|k| values(alone(&problem, k, Ridge::params(), queries)))
        .collect();
    let method = SourceEnsembleParams::default().learner(Ridge::params());
    let local = DistributionWeightedParams::default().learner(Ridge::params());
    let mixture = local.fit(&problem, 0).unwrap().trace.series["mixture"].clone();
    for (weights, expected) in [
        (EnsembleWeights::Uniform, vec![1.0 / 3.0; 3]),
        (EnsembleWeights::Mixture, mixture),
    ] {
        let fitted = method.clone().weights(weights).fit(&problem, 0).unwrap();
        assert_eq!(fitted.trace.series["mixture"], expected);
        let ours = values(fitted.model.predict(queries).unwrap());
        let mut naive = Array1::<f64>::zeros(ours.len());
        for (model, weight) in models.iter().zip(&expected) {
            naive.scaled_add(*weight, model);
        }
        let worst = (&ours - &naive).fold(0.0_f64, |a, b| a.max(b.abs()));
        assert!(worst < 1e-12, "{worst}");
    }
}

#[test]
fn one_source_alone_is_source_only() {
    let whole = three_sources(true, 3);
    let target = (whole.target_domain().clone(), whole.target_task().clone());
    let problem = TransferProblem::from_parts(vec![whole.sources()[1].clone()], target).unwrap();
    let ensemble = SourceEnsembleParams::default().fit(&problem, 7).unwrap();
    let ours = DistributionWeightedParams::default()
        .fit(&problem, 7)
        .unwrap();
    let baseline = SourceOnly::params().fit(&problem, 7).unwrap();
    let queries = problem.target_features();
    assert_eq!(
        ours.model.predict(queries).unwrap(),
        baseline.model.predict(queries).unwrap()
    );
    assert_eq!(
        ensemble.model.predict(queries).unwrap(),
        baseline.model.predict(queries).unwrap()
    );
    assert_eq!(ours.trace.series["mixture"], [1.0]);
}

#[test]
fn far_from_all_sources_the_nearest_answers() {
    let problem = three_sources(false, 1);
    let method = DistributionWeightedParams::default()
        .gamma(1.0)
        .learner(Ridge::params());
    let fitted = method.fit(&problem, 0).unwrap();
    let far = Features::from(array![[1e6, 1e6]]);
    let ours = fitted.model.predict(&far).unwrap();
    let nearest = alone(&problem, 2, Ridge::params(), &far);
    let value = |prediction: &Prediction| prediction.labels.values("test").unwrap()[0];
    assert!((value(&ours) / value(&nearest) - 1.0).abs() < 1e-12);
}
