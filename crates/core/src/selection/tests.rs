use linfa::DatasetBase;
use ndarray::{Array1, Array2, array};
use serde::{Deserialize, Serialize};

use super::*;
use crate::{
    Features, Labels, Prediction, Scores, TransferModel, TransferProblem, learner::Outputs,
};

/// Calls a row by whether its first column is above a bound; the source's may have another.
#[derive(Debug, Serialize, Deserialize)]
struct Above {
    source: f64,
    target: f64,
}

fn called(x: &Features, bound: f64) -> Result<Prediction, TransferError> {
    let above = x
        .dense()?
        .column(0)
        .mapv(|v| f64::from(u8::from(v > bound)));
    let probabilities = Array2::from_shape_fn((above.len(), 2), |(row, class)| {
        if class == 1 {
            above[row]
        } else {
            1.0 - above[row]
        }
    });
    Ok(Prediction::from_probabilities(probabilities))
}

#[typetag::serde(name = "selection-test-above")]
impl TransferModel for Above {
    fn predict(&self, target: &Features) -> Result<Prediction, TransferError> {
        called(target, self.target)
    }

    fn predict_source(&self, source: &Features) -> Result<Prediction, TransferError> {
        called(source, self.source)
    }
}

/// The mean of the first column of the target.
#[derive(Debug)]
struct Mean;

static MEAN: ScorerInfo = ScorerInfo {
    name: "mean",
    title: "Mean",
    needs: ScorerNeeds {
        outputs: Outputs::Classification,
        probabilities: true,
        held_out: false,
        method: false,
    },
    reference: "",
};

impl TargetScorer for Mean {
    fn info(&self) -> &'static ScorerInfo {
        &MEAN
    }

    fn score_checked(&self, candidate: &Candidate<'_>, _seed: u64) -> Result<f64, TransferError> {
        Ok(candidate.target().dense()?.column(0).sum() / candidate.target().n_rows() as f64)
    }
}

/// Source rows at −4 … 3 whose class is their sign; target rows at 1 … 8, of which the first has a label.
fn problem() -> TransferProblem {
    let x = Array1::from_shape_fn(8, |row| row as f64 - 4.0);
    let y = x.mapv(|v| usize::from(v >= 0.0));
    let target = (&x + 5.0).insert_axis(ndarray::Axis(1));
    let labels = Array1::from_shape_fn(8, |row| (row == 0).then_some(1_usize));
    let source = DatasetBase::new(x.insert_axis(ndarray::Axis(1)), y);
    TransferProblem::new(&source, &DatasetBase::new(target, labels)).unwrap()
}

#[test]
fn labelled_target_rows_are_left_out() {
    let problem = problem();
    let model = Above {
        source: -0.5,
        target: 4.5,
    };
    let candidate = Candidate::new(&model, &problem).unwrap();
    assert_eq!(candidate.target().n_rows(), 7);
    assert_eq!(Mean.score(&candidate, 0).unwrap(), TargetScore::Value(5.0));
}

#[test]
fn a_collapse_has_no_score() {
    let problem = problem();
    let score = |source, target| {
        let model = Above { source, target };
        Mean.score(&Candidate::new(&model, &problem).unwrap(), 0)
            .unwrap()
    };
    // All target rows are above.
    let one_class = score(-0.5, 0.0);
    let TargetScore::Collapsed(collapse) = one_class else {
        panic!("{one_class:?}")
    };
    assert_eq!(
        collapse,
        Collapse::FewClasses {
            effective: 1.0,
            of_source: 2.0_f64.ln().exp()
        }
    );
    assert_eq!(
        collapse.to_string(),
        "the model gives target rows 1.00 effective classes where the source has 2.00"
    );
    // All source rows are above.
    let uninformed = score(-9.0, 4.5);
    assert_eq!(
        uninformed,
        TargetScore::Collapsed(Collapse::Uninformed { z: 0.0 })
    );
    assert_eq!(uninformed.value(), None);
}

#[test]
fn values_that_are_all_alike_have_collapsed() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Slope(f64);
    #[typetag::serde(name = "selection-test-slope")]
    impl TransferModel for Slope {
        fn predict(&self, target: &Features) -> Result<Prediction, TransferError> {
            Ok(Prediction::from_values(self.0 * &target.dense()?.column(0)))
        }
    }
    let x = Array2::from_shape_fn((8, 1), |(row, _)| row as f64);
    let source = DatasetBase::new(x.clone(), 2.0 * &x.column(0));
    let problem = TransferProblem::new(&source, &DatasetBase::from(x)).unwrap();
    let of = |slope| Collapse::of(&Candidate::new(&Slope(slope), &problem).unwrap());
    assert_eq!(of(1.0), None);
    assert!(matches!(
        of(0.0),
        Some(Collapse::OneValue { deviation: 0.0, .. })
    ));
    assert!(matches!(of(-1.0), Some(Collapse::Uninformed { z }) if z < -2.6));
}

#[test]
fn what_is_needed_is_asked_for() {
    let problem = problem();
    let model = Above {
        source: -0.5,
        target: 4.5,
    };
    let candidate = Candidate::new(&model, &problem).unwrap();
    let message = candidate.method("reverse").unwrap_err().to_string();
    assert_eq!(
        message,
        "`reverse` needs the method that fitted the model (`Candidate::with_method`) but the problem has a model alone"
    );
    let values = ScorerNeeds {
        outputs: Outputs::Regression,
        ..MEAN.needs
    };
    let regression = ScorerInfo {
        needs: values,
        ..MEAN
    };
    assert!(matches!(
        regression.check(&candidate),
        Err(TransferError::Unsupported { .. })
    ));
}

#[test]
fn what_does_not_fit_is_refused() {
    let problem = problem();
    let model = Above {
        source: -0.5,
        target: 4.5,
    };
    let candidate = || Candidate::new(&model, &problem).unwrap();
    let labels = |codes: Array1<usize>| Prediction {
        labels: Labels::Classes(codes),
        scores: None,
    };
    let message = |error: TransferError| error.to_string();
    assert_eq!(
        message(
            candidate()
                .with_source_prediction(labels(array![0, 1]))
                .unwrap_err()
        ),
        "the prediction of the source rows has 2 rows but the source has 8; give one entry per row"
    );
    assert!(matches!(
        candidate().with_source_prediction(labels(Array1::from_elem(8, 2))),
        Err(TransferError::UnknownClass {
            class: 2,
            n_classes: 2,
            ..
        })
    ));
    let wide = Prediction {
        scores: Some(Scores::Decision(Array2::zeros((8, 3)))),
        ..labels(Array1::zeros(8))
    };
    assert!(matches!(
        candidate().with_source_prediction(wide),
        Err(TransferError::FeatureMismatch {
            left_features: 3,
            right_features: 2,
            ..
        })
    ));
    let not_finite = Prediction {
        scores: Some(Scores::Decision(Array2::from_elem((8, 2), f64::NAN))),
        ..labels(Array1::zeros(8))
    };
    assert!(matches!(
        candidate().with_source_prediction(not_finite),
        Err(TransferError::NotFinite { .. })
    ));
    let with = |source, target| candidate().with_representation(source, target).map(|_| ());
    assert!(with(Array2::zeros((8, 3)), Array2::zeros((7, 3))).is_ok());
    assert!(matches!(
        with(Array2::zeros((8, 3)), Array2::zeros((8, 3))),
        Err(TransferError::LengthMismatch {
            left_len: 8,
            right_len: 7,
            ..
        })
    ));
    assert!(matches!(
        with(Array2::zeros((8, 3)), Array2::zeros((7, 2))),
        Err(TransferError::FeatureMismatch { .. })
    ));
}
