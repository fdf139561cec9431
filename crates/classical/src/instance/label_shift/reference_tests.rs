//! Weights against those of abstention and of convex programs.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, FitSample, HonorsSampleWeights, LabelSpace, Labels, LearnerInfo, Outputs, Prediction,
    Predictor, Sample, SourceWeighter, TransferError, TransferProblem,
};

use super::calibration::Calibration;
use super::rlls::default_penalty;
use super::{BbseParams, MllsParams, MmdTargetShiftParams, RllsParams};
use crate::fixture::Fixture;

/// A learner whose rows are the probabilities it answers with, so that every part of a cross-fit says the same.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Given {}

#[derive(Debug, Serialize, Deserialize)]
struct GivenModel;

impl FitSample for Given {
    type Model = GivenModel;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "given",
        title: "Given probabilities",
        honors_weights: true,
        sparse: false,
        images: false,
        outputs: Outputs::Classification,
        probabilities: true,
        parameters: &[],
        reference: "",
    };

    fn fit_checked(&self, _: &Sample<'_>, _: u64) -> Result<GivenModel, TransferError> {
        Ok(GivenModel)
    }
}

impl HonorsSampleWeights for Given {}

#[typetag::serde(name = "given")]
impl Predictor for GivenModel {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        Ok(Prediction::from_probabilities(
            features.dense()?.into_owned(),
        ))
    }
}

fn fixture() -> (Fixture, TransferProblem) {
    let fixture = Fixture::new(include_str!(
        "../../../tests/fixtures/label_shift_reference.json"
    ));
    let classes = Labels::Classes(fixture.classes("classes"));
    let problem = fixture.problem(&LabelSpace::numbered(3), classes, None);
    (fixture, problem)
}

/// What a method says of each class, against what is expected.
fn off(weighter: &dyn SourceWeighter, problem: &TransferProblem, expected: Array1<f64>) -> f64 {
    let ours = weighter.source_weights(problem, 0).unwrap().trace;
    let weights = Array1::from(ours.series["class-weight"].clone());
    (weights - expected).fold(0.0, |worst, v| worst.max(v.abs()))
}

#[test]
fn bbse_is_that_of_abstention() {
    let (fixture, problem) = fixture();
    let bbse = BbseParams::default().learner(Given {});
    let worst = off(&bbse, &problem, fixture.vector("bbse"));
    assert!(worst < 1e-12, "{worst:e}");
}

/// The peer's program is solved to 1e-14 of its objective, which is flat enough to leave some 1e-7 of a weight.
#[test]
fn rlls_is_that_of_abstention() {
    let (fixture, problem) = fixture();
    let default = default_penalty(3, problem.source().unwrap().labels.len());
    for (place, case) in fixture.parts("rlls").iter().enumerate() {
        let lambda = case.number("lambda");
        let rlls = RllsParams::default().learner(Given {});
        // The first is the penalty that is taken where none is given.
        let rlls = match place {
            0 => rlls,
            _ => rlls.lambda(lambda),
        };
        assert!(place > 0 || (lambda - default).abs() < 1e-15);
        let worst = off(&rlls, &problem, case.vector("weights"));
        assert!(worst < 2e-6, "{lambda}: {worst:e}");
    }
}

#[test]
fn mlls_is_where_the_peer_climbs_to_after_the_calibration() {
    let (fixture, problem) = fixture();
    let scores = fixture.matrix("source").mapv(f64::ln);
    let classes: Vec<usize> = fixture.classes("classes").to_vec();
    let ours = Calibration::fit(&scores, &classes).unwrap();
    let expected = fixture.part("calibration");
    assert!((ours.scale - expected.number("scale")).abs() < 1e-8);
    let bias = &ours.bias - &expected.vector("bias");
    assert!(bias.iter().all(|v| v.abs() < 1e-8), "{bias}");
    // The peer's steps end where they change a share by less than 1e-14, which leaves some more than that.
    let worst = off(
        &MllsParams::default().learner(Given {}),
        &problem,
        fixture.vector("mlls"),
    );
    assert!(worst < 1e-8, "{worst:e}");
}

#[test]
fn mean_embeddings_are_matched_as_by_a_convex_program() {
    let (fixture, problem) = fixture();
    let expected = fixture.part("mmd");
    let ours = MmdTargetShiftParams::default()
        .gamma(expected.number("gamma"))
        .source_weights(&problem, 0)
        .unwrap();
    let shares = Array1::from(ours.trace.series["target-prior"].clone());
    let apart = |name: &str| {
        (&shares - &expected.vector(name)).fold(0.0_f64, |worst, v| worst.max(v.abs()))
    };
    assert!(apart("shares") < 1e-7, "{:e}", apart("shares"));
    // skada holds the sum in a band and no more, so that its shares are others.
    let sum = expected.number("skada_sum");
    assert!((sum - 1.0).abs() > 1e-3 && apart("skada_shares") > 1e-3);
    assert!(apart("skada_shares") < (sum - 1.0).abs());
}
