//! Rows that a model has answered, as training rows with its answers.

use std::borrow::Cow;

use ndarray::Array1;
use translearn_core::{
    BaseLearner, Features, Labelled, Labels, LearnerNeed, Needs, Outputs, ParamInfo, ParamRange,
    Prediction, Predictor, Sample, TransferError, TransferProblem,
};

use super::shares::class_shares;

/// Confidences this near each other are equal, so that rounding does not choose between rows.
const TIE: f64 = 1e-9;

/// What methods need that label target rows for any learner.
pub(super) const NEEDS: Needs = Needs {
    target_labels: false,
    same_features: true,
    outputs: Outputs::Classification,
    sparse: true,
    images: false,
    learner: LearnerNeed::Any,
};

// How rows are taken, more of them from round to round.
pub(super) const N_ROUNDS: ParamInfo = ParamInfo {
    name: "n_rounds",
    default: "5",
    range: ParamRange::Integer {
        low: 1,
        high: 100_000,
    },
    doc: "Rounds in which target rows are taken.",
};
pub(super) const PORTION: ParamInfo = ParamInfo {
    name: "portion",
    default: "0.5",
    range: ParamRange::Real {
        low: 0.0,
        high: 1.0,
    },
    doc: "Share of the target rows of each class that is taken in the last round.",
};
pub(super) const THRESHOLD: ParamInfo = ParamInfo {
    name: "threshold",
    default: "0.0",
    range: ParamRange::Real {
        low: 0.0,
        high: 1.0,
    },
    doc: "Least confidence of a target row that is taken.",
};

/// The labelled source rows and, where there are any, the labelled target rows.
pub(super) fn known_rows(problem: &TransferProblem) -> Result<Labelled<'_>, TransferError> {
    let source = problem.source()?;
    match problem.target_labelled() {
        Some(target) => stacked(&source, &target.features, &target.labels),
        None => Ok(source),
    }
}

/// The learner fitted on rows with labels.
pub(super) fn fit_rows(
    learner: &BaseLearner,
    rows: &Labelled<'_>,
    n_classes: usize,
    seed: u64,
) -> Result<Box<dyn Predictor>, TransferError> {
    let sample = Sample::new(&rows.features, &rows.labels, n_classes)?;
    learner.fit_boxed(&sample, seed)
}

/// `rows` with others below them.
pub(super) fn stacked<'a>(
    rows: &Labelled<'_>,
    features: &Features,
    labels: &Labels,
) -> Result<Labelled<'a>, TransferError> {
    Ok(Labelled {
        features: Cow::Owned(rows.features.stack(features)?),
        labels: Cow::Owned(rows.labels.join(labels)?),
    })
}

/// The rows, ascending, whose answers are the surest `portion` of their class and not below `threshold`.
pub(super) fn surest(
    answers: &Prediction,
    n_classes: usize,
    portion: f64,
    threshold: f64,
    method: &str,
) -> Result<Vec<usize>, TransferError> {
    let labels = answers.labels.classes(method)?;
    let shares = class_shares(answers, n_classes)?;
    let confidence: Array1<f64> = labels
        .indexed_iter()
        .map(|(row, &class)| shares[[row, class]])
        .collect();
    let mut taken = Vec::new();
    for class in 0..n_classes {
        let rows: Vec<usize> = (0..labels.len())
            .filter(|&row| labels[row] == class)
            .collect();
        // A hair less, so that 0.2 · 5 rows are one.
        let count = (portion * rows.len() as f64 - TIE).ceil().max(0.0) as usize;
        let first = largest(rows, |row| confidence[row], count).into_iter();
        taken.extend(first.take_while(|&row| confidence[row] >= threshold - TIE));
    }
    taken.sort_unstable();
    Ok(taken)
}

/// The `count` rows of the largest values, the largest first, and those that tie with the last of them.
pub(super) fn largest(
    mut rows: Vec<usize>,
    value: impl Fn(usize) -> f64,
    count: usize,
) -> Vec<usize> {
    if count == 0 {
        return Vec::new();
    }
    rows.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    if let Some(&last) = rows.get(count - 1) {
        let bound = value(last) - TIE * value(last).abs().max(1.0);
        rows.retain(|&row| value(row) >= bound);
    }
    rows
}
