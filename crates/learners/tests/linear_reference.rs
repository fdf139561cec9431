//! The linear learners against scikit-learn's optima (`fixtures/linear_reference.py`).

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

use ndarray::{Array1, Array2};
use serde::Deserialize;
use translearn_core::{Features, FitSample, Labels, Sample};
use translearn_learners::{ClassWeight, LinearSvm, Logistic, Ridge};

#[derive(Deserialize)]
struct Reference {
    x: Vec<Vec<f64>>,
    scaled: Vec<Vec<f64>>,
    two: Vec<usize>,
    three: Vec<usize>,
    value: Vec<f64>,
    weight: Vec<f64>,
    wide: Vec<Vec<f64>>,
    wide_value: Vec<f64>,
    wide_weight: Vec<f64>,
    logistic: Vec<Case>,
    ridge: Vec<Case>,
    ridge_classifier: Vec<Case>,
    linear_svm: Vec<Case>,
}

#[derive(Deserialize, Debug)]
struct Case {
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    c: f64,
    #[serde(default)]
    lambda: f64,
    #[serde(default = "yes")]
    fit_intercept: bool,
    class_weight: Option<ClassWeight>,
    coefficients: Vec<Vec<f64>>,
    intercepts: Vec<f64>,
}

fn yes() -> bool {
    true
}

impl Reference {
    fn load() -> Self {
        serde_json::from_str(include_str!("fixtures/linear_reference.json")).unwrap()
    }

    fn classes(&self, name: &str) -> (Labels, usize) {
        match name {
            "two" => (Labels::from(Array1::from(self.two.clone())), 2),
            _ => (Labels::from(Array1::from(self.three.clone())), 3),
        }
    }
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
}

/// The same rows in both storages.
fn storages(rows: &[Vec<f64>]) -> [Features; 2] {
    let dense = Features::from(matrix(rows));
    let sparse = Features::Sparse(dense.to_sparse().unwrap().into_owned());
    [dense, sparse]
}

/// Largest difference, relative to the largest coefficient.
fn assert_agrees(
    case: &Case,
    coefficients: &Array2<f64>,
    intercepts: &Array1<f64>,
    tolerance: f64,
) {
    let expected = matrix(&case.coefficients);
    assert_eq!(coefficients.dim(), expected.dim());
    let scale = expected
        .iter()
        .chain(&case.intercepts)
        .fold(0.0, |a: f64, b| a.max(b.abs()));
    let worst = coefficients
        .iter()
        .zip(&expected)
        .chain(intercepts.iter().zip(&case.intercepts))
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    assert!(
        worst <= tolerance * scale,
        "off by {worst:e} at scale {scale:e} in {case:?}\ngot {coefficients} {intercepts}"
    );
}

#[test]
fn logistic_reaches_the_optimum() {
    let reference = Reference::load();
    let weights = Array1::from(reference.weight.clone());
    for case in &reference.logistic {
        let (labels, n_classes) = reference.classes(&case.y);
        for features in storages(&reference.x) {
            let sample = Sample::new(&features, &labels, n_classes)
                .unwrap()
                .with_weights(&weights)
                .unwrap();
            let params = Logistic::params()
                .c(case.c)
                .fit_intercept(case.fit_intercept);
            // At the default tolerance, and at the limit of the arithmetic.
            for (tolerance, agreement) in [(1e-8, 1e-5), (1e-12, 1e-8)] {
                let model = params
                    .clone()
                    .tolerance(tolerance)
                    .fit_sample(&sample, 0)
                    .unwrap();
                assert_agrees(case, model.coefficients(), model.intercepts(), agreement);
            }
        }
    }
}

#[test]
fn ridge_reaches_the_optimum_in_both_forms() {
    let reference = Reference::load();
    for case in &reference.ridge {
        let (rows, values, weights) = match case.x.as_str() {
            "x" => (&reference.x, &reference.value, &reference.weight),
            _ => (
                &reference.wide,
                &reference.wide_value,
                &reference.wide_weight,
            ),
        };
        let (labels, weights) = (
            Labels::from(Array1::from(values.clone())),
            Array1::from(weights.clone()),
        );
        for features in storages(rows) {
            let sample = Sample::new(&features, &labels, 0)
                .unwrap()
                .with_weights(&weights)
                .unwrap();
            let params = Ridge::params()
                .lambda(case.lambda)
                .fit_intercept(case.fit_intercept);
            let model = params.fit_sample(&sample, 0).unwrap();
            assert_agrees(case, model.coefficients(), model.intercepts(), 1e-9);
        }
    }
}

#[test]
fn ridge_classifies_one_against_the_rest() {
    let reference = Reference::load();
    let weights = Array1::from(reference.weight.clone());
    for case in &reference.ridge_classifier {
        let (labels, n_classes) = reference.classes(&case.y);
        for features in storages(&reference.x) {
            let sample = Sample::new(&features, &labels, n_classes)
                .unwrap()
                .with_weights(&weights)
                .unwrap();
            let model = Ridge::params()
                .lambda(case.lambda)
                .fit_sample(&sample, 0)
                .unwrap();
            assert_agrees(case, model.coefficients(), model.intercepts(), 1e-9);
        }
    }
}

#[test]
fn linear_svm_reaches_the_optimum() {
    let reference = Reference::load();
    let weights = Array1::from(reference.weight.clone());
    for case in &reference.linear_svm {
        let (labels, n_classes) = reference.classes(&case.y);
        for features in storages(&reference.scaled) {
            let sample = Sample::new(&features, &labels, n_classes)
                .unwrap()
                .with_weights(&weights)
                .unwrap();
            let params = LinearSvm::params()
                .c(case.c)
                .class_weight(case.class_weight.unwrap_or_default())
                .fit_intercept(case.fit_intercept);
            for (tolerance, agreement) in [(1e-4, 1e-3), (1e-10, 1e-8)] {
                let model = params
                    .clone()
                    .tolerance(tolerance)
                    .fit_sample(&sample, 0)
                    .unwrap();
                assert_agrees(case, model.coefficients(), model.intercepts(), agreement);
                assert!(model.duality_gap() < tolerance, "{:e}", model.duality_gap());
            }
        }
    }
}
