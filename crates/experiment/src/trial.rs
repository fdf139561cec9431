//! One trial: choose the grid point, fit, predict, score.

use std::collections::BTreeMap;
use std::time::Instant;

use translearn_core::{Labels, Prediction, Registry, TransferError};
use translearn_diagnostics::negative::TransferGate;

use crate::SCHEMA;
use crate::plan::Trial;
use crate::prepare::{PrepareError, PreparedTask, View};
use crate::record::{Selected, Status, TrialRecord};
use crate::select;
use crate::spec::GridPoint;
use crate::summary::Outcomes;

/// Why a trial has no scores.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// The method cannot serve the task, or failed at it.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The task has no rows for the method, or they cannot be decoded.
    #[error(transparent)]
    Data(#[from] PrepareError),
    /// The prediction cannot be scored.
    #[error("{0}")]
    Unfit(String),
}

impl TrialError {
    /// `unsupported` for what a method cannot serve by its nature, `failed` for the rest.
    pub fn status(&self) -> Status {
        let (Self::Transfer(error) | Self::Data(PrepareError::Transfer(error))) = self else {
            return Status::Failed;
        };
        match error {
            TransferError::Unsupported { .. }
            | TransferError::DenseTooLarge { .. }
            | TransferError::FeatureMismatch { .. }
            | TransferError::NotVectors { .. }
            | TransferError::ImagesAndVectors { .. }
            | TransferError::TooFewClasses { .. }
            | TransferError::TooFewRows { .. } => Status::Unsupported,
            _ => Status::Failed,
        }
    }
}

/// The scored rows one by one.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Where each row stands in its file, from 0.
    pub rows: Vec<usize>,
    /// What is true.
    pub labels: Labels,
    /// What was predicted, with scores where the model has them.
    pub prediction: Prediction,
    /// The names of the classes; none for regression.
    pub class_names: Vec<String>,
}

impl Predictions {
    /// A label as it stands in results: the class's name, or the number.
    pub fn label(&self, labels: &Labels, row: usize) -> String {
        match labels {
            Labels::Classes(codes) => {
                let code = codes[row];
                self.class_names
                    .get(code)
                    .cloned()
                    .unwrap_or_else(|| code.to_string())
            }
            Labels::Values(values) => values[row].to_string(),
        }
    }
}

/// Runs a trial on its prepared task. `peak_rss_bytes` is left to the process that knows it.
///
/// The method sees the problem, and the scored labels meet its prediction only here. The same trial gives the same record
/// on any number of threads, wall times aside.
pub fn run(
    trial: &Trial,
    registry: &Registry,
    prepared: &PreparedTask,
) -> (TrialRecord, Option<Predictions>) {
    let mut record = TrialRecord {
        n_source: prepared.n_source(),
        n_target: prepared.n_target(),
        n_labelled: prepared.n_labelled(),
        n_test: prepared.n_test(),
        n_features: prepared.vectors().ok().map(n_features),
        ..unfinished(trial, registry, Status::Failed, String::new())
    };
    match fit_and_predict(trial, registry, prepared, &mut record) {
        Ok(prediction) => {
            record.status = Status::Ok;
            record.error = None;
            let predictions = Predictions {
                rows: prepared.test_rows.clone(),
                labels: prepared.test_labels.clone(),
                prediction,
                class_names: prepared.class_names().to_vec(),
            };
            (record, Some(predictions))
        }
        Err(error) => {
            record.status = error.status();
            record.error = Some(error.to_string());
            (record, None)
        }
    }
}

/// Features of the target after preprocessing; 1 for images, the image.
fn n_features(view: &View) -> usize {
    view.problem.target_features().n_columns()
}

/// The record of a trial that did not come to its end: data that cannot be read, a worker that was killed, a time-out.
pub fn unfinished(
    trial: &Trial,
    registry: &Registry,
    status: Status,
    error: String,
) -> TrialRecord {
    let family = registry
        .method(&trial.method.use_)
        .ok()
        .and_then(|entry| serde_json::to_value(entry.info.family).ok())
        .and_then(|family| family.as_str().map(str::to_owned))
        .unwrap_or_default();
    TrialRecord {
        schema: SCHEMA,
        trial: trial.id.clone(),
        experiment: trial.experiment.clone(),
        task: trial.task.name.clone(),
        method: trial.method.name.clone(),
        use_: trial.method.use_.clone(),
        family,
        learner: trial
            .method
            .learner
            .as_ref()
            .map(|learner| learner.use_.clone()),
        params: trial.method.flat_params(),
        seed: trial.seed,
        status,
        error: Some(error),
        metrics: BTreeMap::new(),
        fit_seconds: None,
        predict_seconds: None,
        peak_rss_bytes: None,
        n_source: 0,
        n_target: 0,
        n_labelled: 0,
        n_test: 0,
        n_features: None,
        ess: None,
        selected: None,
        gate: None,
        outcomes: None,
        device: trial.device.clone(),
        versions: trial.versions.clone(),
    }
}

/// Fills the record as far as it gets.
fn fit_and_predict(
    trial: &Trial,
    registry: &Registry,
    prepared: &PreparedTask,
    record: &mut TrialRecord,
) -> Result<Prediction, TrialError> {
    // All points of a grid see the same view, and decoding its images is no part of a fit.
    let build = |point: &GridPoint| point.build(registry, &trial.method.use_, &trial.base);
    let view = prepared.view(&*build(&trial.method.first_point())?)?;
    record.n_features = Some(n_features(view));

    let start = Instant::now();
    let (point, selected): (GridPoint, Option<Selected>) =
        select::choose(trial, registry, prepared, view)?;
    let method = build(&point)?;
    record.params = point.flat_params();
    record.selected = selected;
    let seed = trial.seed_for("fit");
    let fitted = if trial.method.gate {
        let (fitted, decision) = TransferGate::new(method).fit_and_tell(&view.problem, seed)?;
        record.gate = Some(decision);
        fitted
    } else {
        method.fit(&view.problem, seed)?
    };
    record.fit_seconds = Some(start.elapsed().as_secs_f64());
    record.ess = fitted.trace.effective_sample_size();

    let start = Instant::now();
    let prediction = fitted.model.predict(&view.test)?;
    record.predict_seconds = Some(start.elapsed().as_secs_f64());
    record.metrics = score(trial, prepared, &prediction)?;
    record.outcomes = Outcomes::of(
        &prepared.test_rows,
        &prepared.test_labels,
        &prediction.labels,
    );
    Ok(prediction)
}

/// The metrics of the task's kind. One that the prediction has no scores for, or that has no value on these rows, is left
/// out; a prediction with no metric at all is a failure.
fn score(
    trial: &Trial,
    prepared: &PreparedTask,
    prediction: &Prediction,
) -> Result<BTreeMap<String, f64>, TrialError> {
    let mut metrics = BTreeMap::new();
    let mut first_error = None;
    for metric in trial
        .metrics
        .iter()
        .filter(|&&metric| prepared.output().admits(metric))
    {
        match metric.evaluate(&prepared.test_labels, prediction, None) {
            Ok(value) if value.is_finite() => {
                metrics.insert(metric.name().to_owned(), value);
            }
            Ok(value) => {
                first_error.get_or_insert(format!("{metric} is {value}"));
            }
            Err(error) => {
                first_error.get_or_insert(error.to_string());
            }
        }
    }
    if metrics.is_empty() {
        let reason = first_error.unwrap_or_else(|| {
            "no metric of the specification is for tasks of this kind".to_owned()
        });
        return Err(TrialError::Unfit(format!(
            "nothing could be measured: {reason}"
        )));
    }
    Ok(metrics)
}
