//! Trees, forests, boosting, neighbours and naive Bayes against scikit-learn
//! (`fixtures/tree_and_neighbours_reference.py`), built by name as an experiment builds them.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array1, Array2};
use serde::Deserialize;
use serde_json::{Map, Value};
use translearn_core::{Features, Labels, Prediction, Registry, Sample};

#[derive(Deserialize)]
struct Reference {
    x: Vec<Vec<f64>>,
    query: Vec<Vec<f64>>,
    two: Vec<usize>,
    three: Vec<usize>,
    value: Vec<f64>,
    weight: Vec<f64>,
    count: Vec<f64>,
    one: Vec<f64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    learner: String,
    params: Map<String, Value>,
    labels: String,
    weights: String,
    tolerance: f64,
    output: Vec<Vec<f64>>,
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| {
        rows[row][column]
    })
}

/// Scores of a classifier, values of a regressor.
fn outputs(prediction: &Prediction) -> Option<Array2<f64>> {
    match (&prediction.scores, &prediction.labels) {
        (Some(scores), _) => Some(scores.matrix().clone()),
        (None, Labels::Values(values)) => Some(values.clone().insert_axis(ndarray::Axis(1))),
        (None, Labels::Classes(_)) => None,
    }
}

#[test]
fn predictions_are_scikit_learns() {
    let reference: Reference =
        serde_json::from_str(include_str!("fixtures/tree_and_neighbours_reference.json")).unwrap();
    let registry = Registry::new(vec![], translearn_learners::registry::learners());
    let features = Features::from(matrix(&reference.x));
    let query = Features::from(matrix(&reference.query));
    let mut seen = BTreeMap::new();
    for case in &reference.cases {
        let (labels, n_classes) = match case.labels.as_str() {
            "two" => (Labels::from(Array1::from(reference.two.clone())), 2),
            "three" => (Labels::from(Array1::from(reference.three.clone())), 3),
            _ => (Labels::from(Array1::from(reference.value.clone())), 0),
        };
        let weights = Array1::from(match case.weights.as_str() {
            "weight" => reference.weight.clone(),
            "count" => reference.count.clone(),
            _ => reference.one.clone(),
        });
        let learner = registry
            .learner(&case.learner)
            .unwrap()
            .build(case.params.clone())
            .unwrap();
        let sample = Sample::new(&features, &labels, n_classes)
            .unwrap()
            .with_weights(&weights)
            .unwrap();
        let model = learner.fit_boxed(&sample, 1).unwrap();
        let found = outputs(&model.predict(&query).unwrap()).unwrap();
        let expected = matrix(&case.output);
        assert_eq!(found.dim(), expected.dim());
        let off = (&found - &expected)
            .iter()
            .fold(0.0, |worst: f64, difference| worst.max(difference.abs()));
        assert!(
            off <= case.tolerance,
            "{} {:?} on {}: off by {off:e}, allowed {:e}",
            case.learner,
            case.params,
            case.labels,
            case.tolerance
        );
        *seen.entry(case.learner.as_str()).or_insert(0) += 1;
    }
    let names: BTreeSet<&str> = seen.keys().copied().collect();
    assert_eq!(
        names,
        BTreeSet::from([
            "boosting",
            "forest",
            "gaussian-nb",
            "knn",
            "ncm",
            "stump",
            "tree"
        ])
    );
}
