use ndarray::{Array1, Array2, array};
use proptest::prelude::*;

use super::*;
use crate::seed::{Rng, rng};
use crate::{Labels, Prediction, Scores};

struct Case {
    truth: Labels,
    prediction: Prediction,
    weights: Array1<f64>,
}

/// Random rows for a metric, with ties among scores, and weights 0, 1 and 2 of which not all are 0.
fn case(metric: Metric, n: usize, n_classes: usize, rng: &mut Rng) -> Case {
    let mut weights = Array1::from_shape_simple_fn(n, || rng.below(3) as f64);
    weights[0] = 1.0;
    weights[1] = 1.0;
    if metric.is_classification() {
        let mut truth = Array1::from_shape_simple_fn(n, || rng.below(n_classes));
        (truth[0], truth[1]) = (0, 1); // at least two classes
        let mut scores = Array2::from_shape_simple_fn((n, n_classes), || 1.0 + rng.below(4) as f64);
        for mut row in scores.outer_iter_mut() {
            row /= row.sum();
        }
        return Case {
            truth: Labels::Classes(truth),
            prediction: Prediction::from_probabilities(scores),
            weights,
        };
    }
    let truth = Array1::from_shape_simple_fn(n, || rng.normal());
    let predicted = Array1::from_shape_simple_fn(n, || rng.normal());
    Case {
        truth: Labels::Values(truth),
        prediction: Prediction::from_values(predicted),
        weights,
    }
}

impl Case {
    fn value(&self, metric: Metric) -> f64 {
        metric
            .evaluate(&self.truth, &self.prediction, Some(self.weights.view()))
            .unwrap()
    }

    fn select(&self, rows: &[usize]) -> Self {
        let pick = |labels: &Labels| match labels {
            Labels::Classes(codes) => Labels::Classes(rows.iter().map(|&row| codes[row]).collect()),
            Labels::Values(values) => Labels::Values(rows.iter().map(|&row| values[row]).collect()),
        };
        let scores =
            self.prediction.scores.as_ref().map(|scores| {
                Scores::Probabilities(scores.matrix().select(ndarray::Axis(0), rows))
            });
        Self {
            truth: pick(&self.truth),
            prediction: Prediction {
                labels: pick(&self.prediction.labels),
                scores,
            },
            weights: rows.iter().map(|&row| self.weights[row]).collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn weight_two_is_the_row_twice_and_weight_zero_no_row(n in 2_usize..30, n_classes in 2_usize..5, seed: u64) {
        for metric in Metric::ALL {
            let weighted = case(metric, n, n_classes, &mut rng(seed));
            let rows: Vec<usize> =
                (0..n).flat_map(|row| std::iter::repeat_n(row, weighted.weights[row] as usize)).collect();
            let mut repeated = weighted.select(&rows);
            repeated.weights.fill(1.0);
            let (a, b) = (weighted.value(metric), repeated.value(metric));
            prop_assert!((a - b).abs() <= 1e-10 * (1.0 + b.abs()), "{metric}: {a} {b}");
            let unweighted = metric.evaluate(&repeated.truth, &repeated.prediction, None).unwrap();
            prop_assert_eq!(b, unweighted);
        }
    }

    #[test]
    fn the_order_of_rows_changes_nothing(n in 2_usize..30, n_classes in 2_usize..5, seed: u64) {
        for metric in Metric::ALL {
            let mut rng = rng(seed);
            let case = case(metric, n, n_classes, &mut rng);
            let shuffled = case.select(&rng.permutation(n));
            let (a, b) = (case.value(metric), shuffled.value(metric));
            prop_assert!((a - b).abs() <= 1e-10 * (1.0 + b.abs()), "{metric}: {a} {b}");
        }
    }

    #[test]
    fn the_area_is_the_share_of_pairs_in_order(n in 2_usize..20, seed: u64) {
        let case = case(Metric::Auroc, n, 2, &mut rng(seed));
        let Labels::Classes(truth) = &case.truth else { unreachable!() };
        let scores = case.prediction.scores.as_ref().unwrap().matrix();
        let (mut won, mut pairs) = (0.0, 0.0);
        for i in (0..n).filter(|&i| truth[i] == 1) {
            for j in (0..n).filter(|&j| truth[j] == 0) {
                let weight = case.weights[i] * case.weights[j];
                pairs += weight;
                won += weight * match scores[(i, 1)].total_cmp(&scores[(j, 1)]) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
            }
        }
        prop_assert!((case.value(Metric::Auroc) - won / pairs).abs() < 1e-12);
    }

    #[test]
    fn class_names_carry_no_meaning(n in 2_usize..30, seed: u64) {
        // Three classes: with two, the area treats class 1 as the positive one, of the same value either way.
        for metric in Metric::ALL.into_iter().filter(|metric| metric.is_classification()) {
            let case = case(metric, n, 3, &mut rng(seed));
            let rename = [2, 0, 1];
            let codes = |labels: &Labels| match labels {
                Labels::Classes(codes) => Labels::Classes(codes.mapv(|class| rename[class])),
                values => values.clone(),
            };
            let scores = case.prediction.scores.as_ref().unwrap().matrix();
            let mut renamed_scores = scores.clone();
            for (class, &to) in rename.iter().enumerate() {
                renamed_scores.column_mut(to).assign(&scores.column(class));
            }
            if metric == Metric::Ece && has_tied_maxima(scores) {
                continue; // ties go to the lowest code
            }
            let renamed = Case {
                truth: codes(&case.truth),
                prediction: Prediction {
                    labels: codes(&case.prediction.labels),
                    scores: Some(Scores::Probabilities(renamed_scores)),
                },
                weights: case.weights.clone(),
            };
            let (a, b) = (case.value(metric), renamed.value(metric));
            prop_assert!((a - b).abs() <= 1e-12, "{metric}: {a} {b}");
        }
    }
}

fn has_tied_maxima(scores: &Array2<f64>) -> bool {
    scores.outer_iter().any(|row| {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.iter().filter(|&&value| value == largest).count() > 1
    })
}

#[test]
fn a_perfect_prediction_is_best() {
    let truth = array![0, 1, 2, 1];
    let mut certain = Array2::<f64>::zeros((4, 3));
    for (row, &class) in truth.iter().enumerate() {
        certain[(row, class)] = 1.0;
    }
    let classes = (
        Labels::Classes(truth),
        Prediction::from_probabilities(certain),
    );
    let values = array![1.0, 2.0, 4.0];
    let values = (
        Labels::Values(values.clone()),
        Prediction::from_values(values),
    );
    for metric in Metric::ALL {
        let (truth, prediction) = if metric.is_classification() {
            &classes
        } else {
            &values
        };
        let value = metric.evaluate(truth, prediction, None).unwrap();
        let best = f64::from(u8::from(metric.higher_is_better()));
        assert!((value - best).abs() < 1e-15, "{metric}: {value}");
    }
}

#[test]
fn absent_classes_are_left_out() {
    // Class 1 never occurs; class 2 is only predicted.
    let (truth, predicted) = (array![0, 0, 3, 3], array![0, 2, 3, 3]);
    assert_eq!(
        balanced_accuracy(truth.view(), predicted.view(), None).unwrap(),
        0.75
    );
    let f1 = macro_f1(truth.view(), predicted.view(), None).unwrap();
    assert!((f1 - (2.0 / 3.0 + 0.0 + 1.0) / 3.0).abs() < 1e-15);
    let scores = array![
        [2.0, 9.0, 0.0, 1.0],
        [1.0, 9.0, 0.0, 1.0],
        [0.0, 0.0, 9.0, 2.0],
        [1.0, 0.0, 0.0, 1.0]
    ];
    // Class 0: pairs (2, 0) (2, 1) (1, 0) won, (1, 1) tied; class 3: (2, 1) (2, 1) won, (1, 1) (1, 1) tied.
    assert_eq!(
        auroc(truth.view(), scores.view(), None).unwrap(),
        (3.5 / 4.0 + 3.0 / 4.0) / 2.0
    );
}

#[test]
fn what_has_no_value_says_why() {
    let (truth, scores) = (array![0, 1], array![[0.5, 0.5], [0.5, 0.5]]);
    let two = |weights: &[f64]| Array1::from(weights.to_vec());
    let none = Array1::<usize>::zeros(0);
    assert_eq!(
        accuracy(none.view(), none.view(), None),
        Err(MetricError::Empty)
    );
    assert_eq!(
        accuracy(truth.view(), none.view(), None),
        Err(MetricError::LengthMismatch {
            left: "the truth",
            left_len: 2,
            right: "the prediction",
            right_len: 0
        })
    );
    for (weights, row) in [
        (two(&[1.0, -1.0]), 1),
        (two(&[f64::NAN, 1.0]), 0),
        (two(&[0.0, 0.0]), 0),
        (two(&[f64::MAX, f64::MAX]), 0),
    ] {
        let error = log_loss(truth.view(), scores.view(), Some(weights.view())).unwrap_err();
        assert!(
            matches!(error, MetricError::InvalidWeight { row: at, .. } if at == row),
            "{error}"
        );
    }
    assert!(matches!(
        accuracy(truth.view(), truth.view(), Some(array![1.0].view())),
        Err(MetricError::LengthMismatch {
            right: "the sample weights",
            right_len: 1,
            ..
        })
    ));
    assert_eq!(
        auroc(array![1, 1].view(), scores.view(), None),
        Err(MetricError::SingleClass {
            metric: "auroc",
            class: 1
        })
    );
    // The only row of class 0 has no weight.
    assert_eq!(
        auroc(truth.view(), scores.view(), Some(array![0.0, 2.0].view())),
        Err(MetricError::SingleClass {
            metric: "auroc",
            class: 1
        })
    );
    assert_eq!(
        ece(array![0, 2].view(), scores.view(), None),
        Err(MetricError::UnknownClass {
            what: "the truth",
            row: 1,
            class: 2,
            n_classes: 2
        })
    );
    assert_eq!(
        confusion_matrix(truth.view(), array![0, 5].view(), 2, None),
        Err(MetricError::UnknownClass {
            what: "the prediction",
            row: 1,
            class: 5,
            n_classes: 2
        })
    );
    assert_eq!(
        brier(truth.view(), array![[1.0], [1.0]].view(), None),
        Err(MetricError::TooFewColumns {
            metric: "brier",
            columns: 1
        })
    );
    assert_eq!(
        log_loss(truth.view(), array![[0.5, 0.5], [1.5, -0.5]].view(), None),
        Err(MetricError::NotAProbability {
            metric: "log_loss",
            row: 1,
            class: 0,
            value: "1.5".into()
        })
    );
    assert!(matches!(
        ece(
            truth.view(),
            array![[0.5, f64::NAN], [0.5, 0.5]].view(),
            None
        ),
        Err(MetricError::NotAProbability {
            row: 0,
            class: 1,
            ..
        })
    ));
    assert!(matches!(
        brier(truth.view(), array![[0.5, 0.25], [0.5, 0.5]].view(), None),
        Err(MetricError::RowSum {
            row: 0,
            sum: 0.75,
            ..
        })
    ));
    assert!(matches!(
        auroc(
            truth.view(),
            array![[0.0, f64::NAN], [0.0, 1.0]].view(),
            None
        ),
        Err(MetricError::NotFinite { row: 0, .. })
    ));
    assert_eq!(
        auroc(
            truth.view(),
            array![[0.0, f64::NEG_INFINITY], [0.0, f64::INFINITY]].view(),
            None
        ),
        Ok(1.0)
    );
    for metric in [r2, explained_variance] {
        // 0.1 three times: the computed variance is not 0.
        let constant = array![0.1, 0.1, 0.1];
        let error = metric(constant.view(), array![1.0, 2.0, 3.0].view(), None).unwrap_err();
        assert!(
            matches!(error, MetricError::ConstantTruth { value: 0.1, .. }),
            "{error}"
        );
    }
    for metric in [rmse, mae, r2, explained_variance] {
        let error =
            metric(array![0.0, f64::NAN].view(), array![0.0, 1.0].view(), None).unwrap_err();
        assert!(
            matches!(
                error,
                MetricError::NotFinite {
                    what: "the truth",
                    row: 1,
                    ..
                }
            ),
            "{error}"
        );
    }
    assert!(rmse(array![1e200].view(), array![-1e200].view(), None).is_err());
}

#[test]
fn names_are_read_back_and_slips_are_noticed() {
    for metric in Metric::ALL {
        assert_eq!(metric.name().parse(), Ok(metric));
        assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
        assert_eq!(metric.to_string(), metric.name());
    }
    let error = "acuracy".parse::<Metric>().unwrap_err();
    assert_eq!(
        error,
        MetricError::UnknownMetric {
            name: "acuracy".into(),
            nearest: Some("accuracy".into())
        }
    );
    let error = "zebra".parse::<Metric>().unwrap_err().to_string();
    assert!(
        error.contains("known: accuracy, balanced_accuracy"),
        "{error}"
    );
}

#[test]
fn the_wrong_kind_of_prediction_is_named() {
    let classes = (
        Labels::Classes(array![0, 1]),
        Prediction::from_decision(array![[1.0, 0.0], [0.0, 1.0]]),
    );
    let values = (
        Labels::Values(array![0.0, 1.0]),
        Prediction::from_values(array![0.0, 1.0]),
    );
    let has = |metric: Metric, truth: &Labels, prediction: &Prediction| match metric
        .evaluate(truth, prediction, None)
    {
        Err(MetricError::WrongOutput { has, .. }) => has,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        Metric::Auroc.evaluate(&classes.0, &classes.1, None),
        Ok(1.0)
    );
    assert_eq!(has(Metric::Ece, &classes.0, &classes.1), "decision values");
    let labels_only = Prediction {
        labels: classes.0.clone(),
        scores: None,
    };
    assert_eq!(
        has(Metric::Auroc, &classes.0, &labels_only),
        "predicted labels only"
    );
    assert_eq!(has(Metric::Rmse, &classes.0, &classes.1), "classes");
    assert_eq!(has(Metric::Accuracy, &values.0, &values.1), "real values");
    assert_eq!(
        has(Metric::Accuracy, &classes.0, &values.1),
        "true classes and predicted values"
    );
    assert_eq!(
        has(Metric::Rmse, &values.0, &classes.1),
        "true values and predicted classes"
    );
    assert_eq!(
        has(Metric::LogLoss, &values.0, &values.1),
        "real-valued true labels"
    );
}
