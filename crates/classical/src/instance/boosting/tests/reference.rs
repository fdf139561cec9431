//! Rounds against those of ADAPT, whose fits are scikit-learn's: both learners end within 1e-8 of their optimum.

use ndarray::Array1;
use translearn_core::{
    BaseLearner, Features, Fitted, LabelSpace, Labels, TransferMethod, TransferProblem,
};
use translearn_learners::{Logistic, Ridge};

use super::super::adaboost_r2::FrozenSource;
use super::super::vote::Round;
use super::super::{
    BoostingLoss, RegressionLoss, TrAdaBoostParams, TrAdaBoostR2Params, TwoStageTrAdaBoostR2Params,
};
use super::{largest_difference, pooled, values};
use crate::fixture::Fixture;

fn fixture() -> Fixture {
    Fixture::new(include_str!(
        "../../../../tests/fixtures/boosting_reference.json"
    ))
}

fn regression(fixture: &Fixture) -> TransferProblem {
    let labels = |name: &str| Labels::Values(fixture.vector(name));
    let target = Some(labels("target_values"));
    fixture.problem(&LabelSpace::Real, labels("source_values"), target)
}

fn ridge() -> BaseLearner {
    Ridge::params().lambda(0.5).into()
}

fn votes(rounds: &[Round]) -> Array1<f64> {
    rounds.iter().map(|round| round.vote).collect()
}

/// The errors of the rounds and the weights of the source after the last.
fn same_rounds(fitted: &Fitted, expected: &Fixture, tolerance: f64) {
    let errors = Array1::from(fitted.trace.series["target-error"].clone());
    assert!(largest_difference(&errors, &expected.vector("errors")) < tolerance);
    let weights = fitted.trace.source_weights.as_ref().unwrap();
    assert!(largest_difference(weights, &expected.vector("source_weights")) < 10.0 * tolerance);
}

#[test]
fn the_rounds_of_tradaboost_are_those_of_adapt() {
    let fixture = fixture();
    let labels = |name: &str| Labels::Classes(fixture.classes(name));
    let target = Some(labels("target_classes"));
    let problem = fixture.problem(&LabelSpace::numbered(2), labels("source_classes"), target);
    let fitted = TrAdaBoostParams::default()
        .n_rounds(fixture.number("n_rounds") as usize)
        .loss(BoostingLoss::Confidence)
        .learner(Logistic::params().c(2.0).tolerance(1e-11))
        .fit(&problem, 0)
        .unwrap();
    let expected = fixture.part("tradaboost");
    same_rounds(&fitted, &expected, 1e-7);
    let fresh: Features = fixture.matrix("fresh").into();
    let votes = fitted.model.predict(&fresh).unwrap().scores.unwrap();
    let lead = &votes.matrix().column(1) - &votes.matrix().column(0);
    assert!(largest_difference(&lead, &expected.vector("lead")) < 1e-6);
}

#[test]
fn the_rounds_of_tradaboost_r2_are_those_of_adapt() {
    let fixture = fixture();
    let fitted = TrAdaBoostR2Params::default()
        .n_rounds(fixture.number("n_rounds") as usize)
        .learner(Ridge::params().lambda(0.5))
        .fit(&regression(&fixture), 0)
        .unwrap();
    let expected = fixture.part("tradaboost_r2");
    same_rounds(&fitted, &expected, 1e-10);
    let fresh: Features = fixture.matrix("fresh").into();
    let predicted = values(&fitted.model.predict(&fresh).unwrap().labels);
    assert!(largest_difference(&predicted, &expected.vector("predicted")) < 1e-9);
}

#[test]
fn the_rounds_over_a_frozen_source_are_those_of_adapt() {
    let fixture = fixture();
    let (features, labels, n_source) = pooled(&regression(&fixture));
    let n_rounds = fixture.number("n_rounds") as usize;
    let learner = ridge();
    let loss = RegressionLoss::Linear;
    let frozen = FrozenSource::new(&learner, &features, &labels, n_source, n_rounds, loss).unwrap();
    let expected = fixture.part("frozen_source");
    let model = frozen.boost(&expected.vector("source_weights"), 0).unwrap();
    assert!(largest_difference(&votes(&model.rounds), &expected.vector("votes")) < 1e-10);
    let predicted = model.values(&fixture.matrix("fresh").into()).unwrap();
    assert!(largest_difference(&predicted, &expected.vector("predicted")) < 1e-9);
}

#[test]
fn the_source_gives_way_in_the_steps_of_adapt() {
    let fixture = fixture();
    let fitted = TwoStageTrAdaBoostR2Params::default()
        .n_steps(fixture.number("n_steps") as usize)
        .n_rounds(1)
        .n_folds(2)
        .learner(Ridge::params().lambda(0.5))
        .fit(&regression(&fixture), 0)
        .unwrap();
    let expected = fixture.part("steps");
    // The last step, to the target alone, needs no search.
    let but_last = |name: &str| {
        let all = &fitted.trace.series[name];
        Array1::from(all[..all.len() - 1].to_vec())
    };
    let shares = but_last("target-share");
    assert!(largest_difference(&shares, &expected.vector("target_shares")) < 1e-10);
    // Relative: the last is below a millionth.
    let betas = but_last("beta").mapv(f64::ln);
    assert!(largest_difference(&betas, &expected.vector("betas").mapv(f64::ln)) < 1e-6);
}
