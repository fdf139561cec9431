//! How a grid is decided inside a trial, without the labels that score it (but for the oracle, which says so).
//!
//! | `select` | a grid point's score |
//! |---|---|
//! | `source-cv` | k-fold cross-validation on the labelled source rows, stratified: fitted without a fold, which is then predicted as the source |
//! | `importance-weighted` | the same, each held-out row weighted by the density ratio p(target)/p(source) of the vectors, by logistic regression |
//! | `oracle` | the scored rows themselves |
//! | a scorer of [`translearn_diagnostics::selection`]: `dev`, `reverse`, `entropy`, … | that of the fitted model, for the target rows without a label that the fit saw |
//!
//! The first three scores are accuracy, or −RMSE for regression, over all held-out rows together. `dev` looks at the
//! same predictions of held-out rows; images have the ratio and the distances of their vectors, where there are any. Of
//! a scorer, a model that has collapsed has no score. The first of equals wins. All methods and grid points of a (task, seed) see
//! the same folds, in which several sources stay apart. A point that cannot be fitted has no score; when no point has
//! one, the trial fails with the first reason. Where a point runs out of memory, the trial fails.

use ndarray::{Array1, Axis};
use rayon::prelude::*;
use translearn_classical::instance::LogisticRatioParams;
use translearn_core::metrics::{Metric, MetricError};
use translearn_core::selection::{Candidate, TargetScore, TargetScorer};
use translearn_core::{
    Fitted, Labels, Prediction, Registry, SourceWeighter, TransferError, TransferProblem, seed,
};
use translearn_diagnostics::selection::scorer;

use crate::plan::Trial;
use crate::prepare::{PreparedTask, View, complement};
use crate::record::{GridScore, Selected};
use crate::spec::{GridPoint, Output, SelectBy};
use crate::trial::TrialError;

/// The grid point to fit, and how it was chosen; `None` for a method without grid. `view` is what all points see.
///
/// # Errors
/// [`TrialError`] when no grid point can be fitted.
pub fn choose(
    trial: &Trial,
    registry: &Registry,
    prepared: &PreparedTask,
    view: &View,
) -> Result<(GridPoint, Option<Selected>), TrialError> {
    let Some(by) = trial.method.select else {
        return Ok((trial.method.first_point(), None));
    };
    let mut grid = trial.method.grid();
    let evaluation = match by {
        SelectBy::Oracle => Evaluation::Oracle,
        SelectBy::SourceCv => Evaluation::Folds(folds(trial, prepared)?, None),
        SelectBy::Scorer(name) => {
            let folds = by
                .uses_folds()
                .then(|| folds(trial, prepared))
                .transpose()?;
            Evaluation::Scorer(scorer(name)?, folds)
        }
        SelectBy::ImportanceWeighted => {
            // Images have no density of their own; vectors of them do.
            let weighter = LogisticRatioParams::default();
            let vectors = prepared.vectors()?;
            let weights = weighter
                .source_weights(&vectors.problem, trial.seed_for("importance"))?
                .weights;
            Evaluation::Folds(folds(trial, prepared)?, Some(weights))
        }
    };
    let score = |point: &GridPoint| evaluation.score(trial, registry, prepared, view, point);
    let outcomes: Vec<Result<f64, TrialError>> = if view.test.images().is_some() {
        // A network uses the cores by itself, and several would need the memory several times over.
        grid.iter().map(score).collect()
    } else {
        // Points are independent: side by side they use the cores better than one by one, and their order stays.
        grid.par_iter().map(score).collect()
    };
    // A point left out for want of memory would let the machine decide which one is chosen.
    if let Some(error) = outcomes.iter().find_map(out_of_memory) {
        return Err(error);
    }
    let mut best: Option<(usize, f64)> = None;
    for (index, outcome) in outcomes.iter().enumerate() {
        if let Ok(score) = outcome
            && !score.is_nan()
            && best.is_none_or(|(_, highest)| *score > highest)
        {
            best = Some((index, *score));
        }
    }
    let Some((best, _)) = best else {
        return Err(outcomes
            .into_iter()
            .find_map(Result::err)
            .unwrap_or(TrialError::Unfit("an empty grid".into())));
    };
    let scores = grid
        .iter()
        .zip(&outcomes)
        .map(|(point, outcome)| GridScore {
            params: point.varying.clone(),
            score: outcome.as_ref().ok().copied(),
            error: outcome.as_ref().err().map(ToString::to_string),
        })
        .collect();
    let chosen = grid.swap_remove(best);
    let selected = Selected {
        by: by.name().to_owned(),
        params: chosen.varying.clone(),
        scores,
    };
    Ok((chosen, Some(selected)))
}

fn out_of_memory<T>(outcome: &Result<T, TrialError>) -> Option<TrialError> {
    match outcome {
        Err(TrialError::Transfer(error @ TransferError::OutOfMemory(_))) => {
            Some(error.clone().into())
        }
        _ => None,
    }
}

/// What a grid point is scored on.
enum Evaluation {
    /// Held-out rows of each fold, and a weight per labelled source row.
    Folds(Vec<Vec<usize>>, Option<Array1<f64>>),
    Oracle,
    /// What the scorer looks at; the folds for one that asks for predictions of held-out rows.
    Scorer(Box<dyn TargetScorer>, Option<Vec<Vec<usize>>>),
}

impl Evaluation {
    fn score(
        &self,
        trial: &Trial,
        registry: &Registry,
        prepared: &PreparedTask,
        View { problem, test }: &View,
        point: &GridPoint,
    ) -> Result<f64, TrialError> {
        let method = point.build(registry, &trial.method.use_, &trial.base)?;
        let fit = |problem: &TransferProblem| method.fit(problem, trial.seed_for("fit"));
        let (truth, prediction, weights) = match self {
            Self::Oracle => {
                let prediction = fit(problem)?.model.predict(test)?;
                (prepared.test_labels.clone(), prediction, None)
            }
            Self::Folds(folds, weights) => {
                let order = folds.concat();
                let prediction = unscored(held_out(problem, folds, fit)?);
                let weights = weights
                    .as_ref()
                    .map(|weights| weights.select(Axis(0), &order));
                (problem.source()?.labels.select(&order), prediction, weights)
            }
            Self::Scorer(scorer, folds) => {
                let model = fit(problem)?.model;
                let mut candidate =
                    Candidate::new(&*model, problem)?.with_method(&*method, trial.seed_for("fit"));
                if let Some(folds) = folds {
                    let order = folds.concat();
                    let mut places: Vec<usize> = (0..order.len()).collect();
                    places.sort_by_key(|&place| order[place]);
                    let labels = held_out(problem, folds, fit)?.select(&places);
                    candidate = candidate.with_source_prediction(unscored(labels))?;
                }
                if let (Some(_), Ok(vectors)) = (test.images(), prepared.vectors()) {
                    let source = vectors.problem.source()?.features.dense()?.into_owned();
                    let target = vectors.problem.target_unlabelled().dense()?.into_owned();
                    candidate = candidate.with_representation(source, target)?;
                }
                return match scorer.score(&candidate, trial.seed_for("scorer"))? {
                    TargetScore::Value(score) => Ok(score),
                    TargetScore::Collapsed(collapse) => {
                        Err(TrialError::Unfit(collapse.to_string()))
                    }
                };
            }
        };
        let metric = match prepared.output() {
            Output::Classification => Metric::Accuracy,
            Output::Regression => Metric::Rmse,
        };
        let score = metric.evaluate(&truth, &prediction, weights.as_ref().map(Array1::view))?;
        Ok(if metric.higher_is_better() {
            score
        } else {
            -score
        })
    }
}

/// What fits without a fold say of its labelled source rows, one fold after the other.
fn held_out(
    problem: &TransferProblem,
    folds: &[Vec<usize>],
    fit: impl Fn(&TransferProblem) -> Result<Fitted, TransferError>,
) -> Result<Labels, TrialError> {
    let source = problem.source()?;
    let mut predictions = Vec::new();
    for held_out in folds {
        let training = problem.with_source_rows(&complement(held_out, source.labels.len()))?;
        let rows = source.features.select_rows(held_out);
        predictions.push(fit(&training)?.model.predict_source(&rows)?.labels);
    }
    Ok(join(&predictions)?)
}

fn unscored(labels: Labels) -> Prediction {
    Prediction {
        labels,
        scores: None,
    }
}

/// The held-out rows of each fold, over the labelled source rows in the order of [`TransferProblem::source`].
///
/// Each class is shuffled and dealt out in turn, so that no fold has two rows of a class more than another.
fn folds(trial: &Trial, prepared: &PreparedTask) -> Result<Vec<Vec<usize>>, TrialError> {
    let labels = prepared.source_labels()?;
    let n = labels.len();
    let count = trial.method.folds.min(n);
    if count < 2 {
        return Err(TransferError::TooFewRows {
            what: "the labelled source".to_owned(),
            rows: n,
            needed: 2,
        }
        .into());
    }
    let mut order = seed::rng(trial.seed_for("folds")).permutation(n);
    if let Labels::Classes(codes) = &labels {
        order.sort_by_key(|&row| codes[row]);
    }
    let mut folds = vec![Vec::new(); count];
    for (turn, row) in order.into_iter().enumerate() {
        folds[turn % count].push(row);
    }
    folds.iter_mut().for_each(|fold| fold.sort_unstable());
    Ok(folds)
}

fn join(parts: &[Labels]) -> Result<Labels, TransferError> {
    let mut parts = parts.iter();
    let first = parts
        .next()
        .cloned()
        .unwrap_or(Labels::Values(Array1::default(0)));
    parts.try_fold(first, |all, part| all.join(part))
}

impl From<MetricError> for TrialError {
    fn from(error: MetricError) -> Self {
        Self::Unfit(error.to_string())
    }
}
