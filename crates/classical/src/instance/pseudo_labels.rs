//! Rows that a model has answered, as training rows with its answers.

use std::borrow::Cow;

use ndarray::Array1;
use translearn_core::{
    BaseLearner, Features, Labelled, Labels, Prediction, Predictor, Sample, TransferError,
};

use super::shares::class_shares;

/// Confidences this near each other are equal, so that rounding does not choose between rows.
const TIE: f64 = 1e-9;

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
        let mut rows: Vec<usize> = (0..labels.len())
            .filter(|&row| labels[row] == class)
            .collect();
        rows.sort_by(|&a, &b| confidence[b].total_cmp(&confidence[a]));
        // A hair less, so that 0.2 · 5 rows are one.
        let count = (portion * rows.len() as f64 - TIE).ceil().max(0.0) as usize;
        let Some(&last) = rows.get(count.wrapping_sub(1)) else {
            continue;
        };
        let bound = (confidence[last] - TIE).max(threshold - TIE);
        taken.extend(rows.into_iter().take_while(|&row| confidence[row] >= bound));
    }
    taken.sort_unstable();
    Ok(taken)
}
