//! What holds for every linear and kernel learner, whatever the optimum.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

use ndarray::{Array1, Array2, Axis, array, concatenate};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use translearn_core::{
    Features, Labels, Outputs, Prediction, Predictor, Sample, Scores, TransferError, seed,
};
use translearn_learners::registry::learners;

/// Each learner driven to its optimum, and how far its scores may then be off: the solver of the SVM sees kernels in
/// single precision, which on a kernel of low rank leaves violations of up to about 1e-7.
fn exact() -> Vec<(&'static str, Map<String, Value>, f64)> {
    [
        ("logistic", json!({"tolerance": 1e-13}), 1e-8),
        ("ridge", json!({}), 1e-8),
        ("linear-svm", json!({"tolerance": 1e-11}), 1e-8),
        ("svm", json!({"tolerance": 1e-6}), 1e-4),
        (
            "svm",
            json!({"tolerance": 1e-6, "kernel": "linear", "c": 0.1}),
            1e-4,
        ),
    ]
    .into_iter()
    .map(|(name, params, tolerance)| (name, params.as_object().unwrap().clone(), tolerance))
    .collect()
}

fn fit(
    name: &str,
    params: &Map<String, Value>,
    sample: &Sample<'_>,
) -> Result<Box<dyn Predictor>, TransferError> {
    let entry = learners()
        .into_iter()
        .find(|entry| entry.info.name == name)
        .unwrap();
    entry.build(params.clone()).unwrap().fit_boxed(sample, 5)
}

/// Rows of three overlapping classes, weights in [0.25, 2.25).
struct Data {
    x: Array2<f64>,
    y: Array1<usize>,
    weights: Array1<f64>,
    test: Array2<f64>,
}

impl Data {
    fn new(n: usize, d: usize, n_classes: usize, from: u64) -> Self {
        let mut rng = seed::rng(from);
        let y = Array1::from_shape_fn(n, |i| i % n_classes);
        let mut row = |class: usize| {
            Array1::from_shape_fn(d, |j| rng.normal() + if j == class { 1.5 } else { 0.0 })
        };
        let mut stack = |classes: &Array1<usize>| {
            let rows: Vec<_> = classes
                .iter()
                .map(|&class| row(class).insert_axis(Axis(0)))
                .collect();
            concatenate(
                Axis(0),
                &rows
                    .iter()
                    .map(ndarray::ArrayBase::view)
                    .collect::<Vec<_>>(),
            )
            .unwrap()
        };
        let x = stack(&y);
        let test = stack(&array![0, 1, 0, 1, 1]);
        let weights = Array1::from_shape_fn(n, |_| 0.25 + 2.0 * rng.uniform());
        Self {
            x,
            y,
            weights,
            test,
        }
    }

    fn predict(&self, learner: &(&str, Map<String, Value>, f64), n_classes: usize) -> Prediction {
        let (features, labels) = (Features::from(self.x.clone()), Labels::from(self.y.clone()));
        let sample = Sample::new(&features, &labels, n_classes)
            .unwrap()
            .with_weights(&self.weights)
            .unwrap();
        let model = fit(learner.0, &learner.1, &sample).unwrap();
        model.predict(&Features::from(self.test.clone())).unwrap()
    }
}

fn scores(prediction: &Prediction) -> &Array2<f64> {
    prediction.scores.as_ref().unwrap().matrix()
}

fn assert_close(what: &str, name: &str, a: &Array2<f64>, b: &Array2<f64>, tolerance: f64) {
    let worst = (a - b).mapv(f64::abs).fold(0.0, |a: f64, &b| a.max(b));
    let scale = b.fold(1.0, |a: f64, b| a.max(b.abs()));
    assert!(
        worst <= tolerance * scale,
        "{name}: {what}: off by {worst:e} at scale {scale}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn weights_count_rows(n in 12..40_usize, d in 2..6_usize, n_classes in 2..4_usize, from in 0..1000_u64) {
        let mut once = Data::new(n, d, n_classes, from);
        once.weights[0] = 2.0 * 0.7;
        for learner in exact() {
            let (name, _, tolerance) = learner;
            // Weight 2 is the row twice.
            let mut twice = Data::new(n, d, n_classes, from);
            twice.weights[0] = 0.7;
            twice.x.push_row(once.x.row(0)).unwrap();
            twice.y = concatenate(Axis(0), &[twice.y.view(), array![once.y[0]].view()]).unwrap();
            twice.weights = concatenate(Axis(0), &[twice.weights.view(), array![0.7].view()]).unwrap();
            let expected = once.predict(&learner, n_classes);
            assert_close("weight 2", name, scores(&twice.predict(&learner, n_classes)), scores(&expected), tolerance);
            // Weight 0 is no row, whatever stands in it, to the bit.
            let mut padded = Data::new(n, d, n_classes, from);
            padded.weights[0] = once.weights[0];
            padded.x.push_row(Array1::from_elem(d, 1e3).view()).unwrap();
            padded.y = concatenate(Axis(0), &[padded.y.view(), array![n_classes].view()]).unwrap();
            padded.weights = concatenate(Axis(0), &[padded.weights.view(), array![0.0].view()]).unwrap();
            prop_assert_eq!(padded.predict(&learner, n_classes + 1), once.predict(&learner, n_classes + 1));
        }
    }

    #[test]
    fn the_order_of_rows_and_the_names_of_classes_do_not_matter(
        n in 12..40_usize, d in 2..6_usize, n_classes in 2..4_usize, from in 0..1000_u64
    ) {
        let data = Data::new(n, d, n_classes, from);
        let order = seed::rng(from).permutation(n);
        for learner in exact() {
            let expected = data.predict(&learner, n_classes);
            let permuted = Data {
                x: data.x.select(Axis(0), &order),
                y: data.y.select(Axis(0), &order),
                weights: data.weights.select(Axis(0), &order),
                test: data.test.clone(),
            };
            assert_close("order", learner.0, scores(&permuted.predict(&learner, n_classes)), scores(&expected), learner.2);
            if learner.0 == "svm" && n_classes > 2 {
                continue; // Equal votes go to the lowest code, as in libsvm.
            }
            let renamed = Data { y: permuted.y.mapv(|class| n_classes - 1 - class), ..permuted };
            let mut found = scores(&renamed.predict(&learner, n_classes)).to_owned();
            found.invert_axis(Axis(1));
            assert_close("names", learner.0, &found, scores(&expected), learner.2);
        }
    }
}

#[test]
fn sparse_and_dense_rows_are_the_same_rows() {
    // More columns than rows, most entries 0.
    let mut data = Data::new(30, 40, 3, 1);
    data.x.mapv_inplace(|x| if x.abs() < 1.0 { 0.0 } else { x });
    let labels = Labels::from(data.y.clone());
    let dense = Features::from(data.x.clone());
    let columns_first =
        Features::from(data.x.t().as_standard_layout().into_owned().reversed_axes());
    let sparse = Features::Sparse(dense.to_sparse().unwrap().into_owned());
    let test = Features::from(data.test.clone());
    for (name, params, tolerance) in exact() {
        let predict = |features: &Features, test: &Features| {
            let sample = Sample::new(features, &labels, 3)
                .unwrap()
                .with_weights(&data.weights)
                .unwrap();
            fit(name, &params, &sample).unwrap().predict(test).unwrap()
        };
        let expected = predict(&dense, &test);
        let found = predict(
            &sparse,
            &Features::Sparse(test.to_sparse().unwrap().into_owned()),
        );
        assert_close(
            "storage",
            name,
            scores(&found),
            scores(&expected),
            tolerance,
        );
        assert_close(
            "layout",
            name,
            scores(&predict(&columns_first, &test)),
            scores(&expected),
            tolerance,
        );
    }
}

#[test]
fn saved_models_predict_the_same_and_one_row_is_a_batch_of_one() {
    for n_classes in [2, 3] {
        let data = Data::new(30, 4, n_classes, 2);
        let (features, labels) = (Features::from(data.x.clone()), Labels::from(data.y.clone()));
        let sample = Sample::new(&features, &labels, n_classes)
            .unwrap()
            .with_weights(&data.weights)
            .unwrap();
        for (name, params, _) in exact() {
            let model = fit(name, &params, &sample).unwrap();
            let expected = model.predict(&features).unwrap();
            let text = serde_json::to_string(&model).unwrap();
            let loaded: Box<dyn Predictor> = serde_json::from_str(&text).unwrap();
            assert_eq!(loaded.predict(&features).unwrap(), expected, "{name}");
            assert_eq!(
                fit(name, &params, &sample)
                    .unwrap()
                    .predict(&features)
                    .unwrap(),
                expected,
                "{name}"
            );
            for row in 0..features.n_rows() {
                let one = model.predict(&features.select_rows(&[row])).unwrap();
                let part = scores(&expected).select(Axis(0), &[row]);
                assert_close("one row", name, scores(&one), &part, 1e-12);
                assert_eq!(one.labels, expected.labels.select(&[row]), "{name}");
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let data = Data::new(1500, 6, 4, 3);
    for (name, _, tolerance) in exact() {
        let learner = (name, Map::new(), tolerance);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| data.predict(&learner, 4))
        };
        assert_eq!(on(1), on(3), "{name}");
    }
}

#[test]
fn classes_that_do_not_occur_are_never_predicted() {
    for present in [vec![1, 3], vec![0, 2, 5]] {
        let mut data = Data::new(24, 5, present.len(), 4);
        data.y.mapv_inplace(|class| present[class]);
        for learner in exact() {
            let prediction = data.predict(&learner, 6);
            assert_eq!(scores(&prediction).ncols(), 6);
            for (row, &label) in prediction.labels.classes("test").unwrap().indexed_iter() {
                assert!(present.contains(&label), "{}", learner.0);
                let largest = scores(&prediction)
                    .row(row)
                    .fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                assert_eq!(scores(&prediction)[[row, label]], largest, "{}", learner.0);
            }
            if let Some(Scores::Probabilities(p)) = &prediction.scores {
                assert!(
                    p.sum_axis(Axis(1))
                        .iter()
                        .all(|sum| (sum - 1.0).abs() < 1e-12)
                );
                assert!(
                    (0..6)
                        .filter(|class| !present.contains(class))
                        .all(|class| p.column(class).sum() == 0.0)
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_learned_or_predicted_is_a_typed_error() {
    let features = Features::from(array![[0.0, 1.0], [1.0, 1.0], [3.0, 1.0]]);
    for (name, params, _) in exact() {
        let one_class = Labels::from(array![1, 1, 1]);
        let error = fit(
            name,
            &params,
            &Sample::new(&features, &one_class, 2).unwrap(),
        )
        .unwrap_err();
        assert!(
            matches!(error, TransferError::TooFewClasses { classes: 1, .. }),
            "{name}: {error}"
        );

        let values = Labels::from(array![0.5, 1.0, 2.0]);
        let served = fit(name, &params, &Sample::new(&features, &values, 0).unwrap());
        let info = learners()
            .into_iter()
            .find(|entry| entry.info.name == name)
            .unwrap()
            .info;
        match info.outputs {
            Outputs::Both => assert!(served.is_ok(), "{name}"),
            _ => assert!(
                matches!(served.unwrap_err(), TransferError::Unsupported { .. }),
                "{name}"
            ),
        }

        let labels = Labels::from(array![0, 1, 1]);
        let model = fit(name, &params, &Sample::new(&features, &labels, 2).unwrap()).unwrap();
        let error = model.predict(&Features::from(array![[1.0]])).unwrap_err();
        assert!(
            matches!(
                error,
                TransferError::FeatureMismatch {
                    left_features: 2,
                    right_features: 1,
                    ..
                }
            ),
            "{error}"
        );
        let error = model
            .predict(&Features::from(array![[1.0, f64::NAN]]))
            .unwrap_err();
        assert!(
            matches!(
                error,
                TransferError::NotFinite {
                    row: 0,
                    column: 1,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(
            model
                .predict(&Features::from(Array2::zeros((0, 2))))
                .unwrap()
                .labels
                .len(),
            0,
            "{name}"
        );
    }
}

#[test]
fn columns_of_any_scale_and_constant_columns_are_learned() {
    // Column 0 decides, at a scale of a million around a mean of a billion; column 1 is constant, column 2 is noise.
    let mut rng = seed::rng(6);
    let y = Array1::from_shape_fn(60, |i| i % 2);
    let x = Array2::from_shape_fn((60, 3), |(i, j)| match j {
        0 => 1e9 + 1e6 * (y[i] as f64 + 0.4 * rng.uniform()),
        1 => 7.0,
        _ => 1e-3 * rng.normal(),
    });
    let (features, labels) = (Features::from(x), Labels::from(y.clone()));
    let sample = Sample::new(&features, &labels, 2).unwrap();
    for name in ["logistic", "ridge"] {
        let prediction = fit(name, &Map::new(), &sample)
            .unwrap()
            .predict(&features)
            .unwrap();
        assert_eq!(prediction.labels, labels, "{name}");
    }
}
