//! Metrics against scikit-learn's values (`fixtures/metrics.py`).

use std::collections::BTreeMap;
use std::error::Error;

use ndarray::{Array1, Array2, ArrayView1};
use serde::Deserialize;
use translearn_core::metrics::{Metric, confusion_matrix};
use translearn_core::{Labels, Prediction};

#[derive(Deserialize)]
struct Fixture {
    classification: Vec<Classification>,
    regression: Vec<Regression>,
}

#[derive(Deserialize)]
struct Classification {
    n_classes: usize,
    truth: Vec<usize>,
    predicted: Vec<usize>,
    probabilities: Vec<Vec<f64>>,
    weights: Option<Vec<f64>>,
    confusion: Vec<Vec<f64>>,
    expected: BTreeMap<Metric, f64>,
}

#[derive(Deserialize)]
struct Regression {
    truth: Vec<f64>,
    predicted: Vec<f64>,
    weights: Option<Vec<f64>>,
    expected: BTreeMap<Metric, f64>,
}

/// Rounding of sums of a few dozen terms.
const TOLERANCE: f64 = 1e-12;

fn compare(
    expected: &BTreeMap<Metric, f64>,
    truth: &Labels,
    prediction: &Prediction,
    weights: Option<&Vec<f64>>,
) -> Result<usize, Box<dyn Error>> {
    for (metric, expected) in expected {
        let value = metric.evaluate(truth, prediction, weights.map(ArrayView1::from))?;
        let error = (value - expected).abs();
        assert!(
            error <= TOLERANCE * (1.0 + expected.abs()),
            "{metric}: {value} against {expected}"
        );
    }
    Ok(expected.len())
}

#[test]
fn values_are_those_of_scikit_learn() -> Result<(), Box<dyn Error>> {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/metrics.json"))?;
    let mut compared = 0;
    for case in fixture.classification {
        let (truth, predicted) = (Array1::from(case.truth), Array1::from(case.predicted));
        let shape = (truth.len(), case.n_classes);
        let weights = case.weights.as_ref();
        let confusion = confusion_matrix(
            truth.view(),
            predicted.view(),
            case.n_classes,
            weights.map(ArrayView1::from),
        )?;
        let expected =
            Array2::from_shape_vec((case.n_classes, case.n_classes), case.confusion.concat())?;
        assert_eq!(confusion, expected);
        let probabilities = Array2::from_shape_vec(shape, case.probabilities.concat())?;
        let mut prediction = Prediction::from_probabilities(probabilities);
        prediction.labels = Labels::Classes(predicted);
        compared += compare(
            &case.expected,
            &Labels::Classes(truth),
            &prediction,
            weights,
        )?;
    }
    for case in fixture.regression {
        let truth = Labels::Values(Array1::from(case.truth));
        let prediction = Prediction::from_values(Array1::from(case.predicted));
        compared += compare(&case.expected, &truth, &prediction, case.weights.as_ref())?;
    }
    assert_eq!(compared, 12 * 8 + 8 * 4);
    Ok(())
}
