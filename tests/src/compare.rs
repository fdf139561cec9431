//! When two predictions are the same: to the last bit, or up to rounding with ties told apart from errors.

use ndarray::Array2;
use translearn_core::{Labels, Prediction};

use crate::Outcome;

/// Largest difference of scores and values, relative to the largest, that rounding may make.
pub const ROUNDING: f64 = 1e-8;

/// Two scores this near each other (relative to the largest) are a tie, which rounding may break either way.
const TIE: f64 = 1e-7;

/// The largest share of rows that may be ties that went another way: more, and the comparison says nothing.
const MOST_TIES: f64 = 0.2;

/// Same labels and same scores, up to `tolerance`.
///
/// # Errors
/// What differs.
pub fn close(left: &Prediction, right: &Prediction, tolerance: f64) -> Outcome {
    let mut tied = vec![false; left.labels.len()];
    match (&left.scores, &right.scores) {
        (Some(left), Some(right)) => {
            let worst = difference(left.matrix(), right.matrix())?;
            if worst > tolerance {
                return Err(format!("scores differ by {worst:e}").into());
            }
            tied = ties(left.matrix());
        }
        (None, None) => {}
        _ => return Err("one prediction has scores, the other has none".into()),
    }
    match (&left.labels, &right.labels) {
        (Labels::Classes(a), Labels::Classes(b)) if a.len() == b.len() => {
            let differs = |&row: &usize| a[row] != b[row];
            let (broken_ties, wrong): (Vec<usize>, Vec<usize>) =
                (0..a.len()).filter(differs).partition(|&row| tied[row]);
            let (n_tied, wrong) = (broken_ties.len(), wrong.len());
            if wrong > 0 {
                return Err(
                    format!("{wrong} of {} labels differ ({n_tied} ties aside)", a.len()).into(),
                );
            }
            if n_tied as f64 > MOST_TIES * a.len() as f64 {
                return Err(format!(
                    "{n_tied} of {} rows are ties that went another way",
                    a.len()
                )
                .into());
            }
            Ok(())
        }
        (Labels::Values(a), Labels::Values(b)) if a.len() == b.len() => {
            let column =
                |values: &ndarray::Array1<f64>| values.clone().insert_axis(ndarray::Axis(1));
            match difference(&column(a), &column(b))? {
                worst if worst > tolerance => Err(format!("values differ by {worst:e}").into()),
                _ => Ok(()),
            }
        }
        (a, b) => Err(format!("{} labels against {}, or of another kind", a.len(), b.len()).into()),
    }
}

/// Same labels and same scores to the last bit.
///
/// # Errors
/// What differs.
pub fn identical(left: &Prediction, right: &Prediction) -> Outcome {
    // Through text, in which every finite number has its own form, so that -0 and 0 differ.
    match serde_json::to_string(left)? == serde_json::to_string(right)? {
        true => Ok(()),
        false => match close(left, right, 0.0) {
            Err(error) => Err(error),
            Ok(()) => Err("predictions differ in some bits".into()),
        },
    }
}

/// Every score and value is finite and every class one of the label space.
///
/// # Errors
/// What is not.
pub fn sound(prediction: &Prediction, n_classes: usize) -> Outcome {
    if let Some(scores) = &prediction.scores
        && let Some(bad) = scores.matrix().iter().find(|score| !score.is_finite())
    {
        return Err(format!("a score is {bad}").into());
    }
    match &prediction.labels {
        Labels::Classes(codes) => match codes.iter().find(|&&code| code >= n_classes) {
            Some(code) => {
                Err(format!("class {code} is predicted, but there are {n_classes}").into())
            }
            None => Ok(()),
        },
        Labels::Values(values) => match values.iter().find(|value| !value.is_finite()) {
            Some(bad) => Err(format!("a value is {bad}").into()),
            None => Ok(()),
        },
    }
}

/// Share of right labels, or R² for real ones.
pub fn score(predicted: &Labels, truth: &Labels) -> f64 {
    match (predicted, truth) {
        (Labels::Classes(a), Labels::Classes(b)) => {
            a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / b.len() as f64
        }
        (Labels::Values(a), Labels::Values(b)) => {
            let mean = b.mean().unwrap_or_default();
            let left: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
            1.0 - left / b.iter().map(|b| (b - mean).powi(2)).sum::<f64>()
        }
        _ => 0.0,
    }
}

/// Largest absolute difference over the largest entry.
fn difference(left: &Array2<f64>, right: &Array2<f64>) -> Outcome<f64> {
    if left.dim() != right.dim() {
        return Err(format!("scores of {:?} against {:?}", left.dim(), right.dim()).into());
    }
    let largest = left
        .iter()
        .chain(right)
        .fold(1e-300_f64, |a, b| a.max(b.abs()));
    // `max` drops NaN, so it is looked for by itself.
    if left.iter().chain(right).any(|score| score.is_nan()) {
        return Err("a score is NaN".into());
    }
    Ok((left - right).iter().fold(0.0_f64, |a, b| a.max(b.abs())) / largest)
}

/// Rows whose two largest scores are the same but for rounding.
fn ties(scores: &Array2<f64>) -> Vec<bool> {
    let largest = scores.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    scores
        .outer_iter()
        .map(|row| {
            let mut sorted = row.to_vec();
            sorted.sort_by(|a, b| b.total_cmp(a));
            sorted.len() > 1 && sorted[0] - sorted[1] <= TIE * largest
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rounding_passes_and_errors_do_not() {
        let of = |scores| Prediction::from_probabilities(scores);
        let one = of(array![
            [0.7, 0.3],
            [0.2, 0.8],
            [0.9, 0.1],
            [0.1, 0.9],
            [0.6, 0.4]
        ]);
        let nearly = of(array![
            [0.7 - 1e-12, 0.3],
            [0.2, 0.8],
            [0.9, 0.1],
            [0.1, 0.9],
            [0.6, 0.4]
        ]);
        let other = of(array![
            [0.3, 0.7],
            [0.2, 0.8],
            [0.9, 0.1],
            [0.1, 0.9],
            [0.6, 0.4]
        ]);
        assert!(identical(&one, &one).is_ok() && close(&one, &nearly, ROUNDING).is_ok());
        assert!(identical(&one, &nearly).is_err() && close(&one, &other, ROUNDING).is_err());
    }

    #[test]
    fn a_tie_may_go_either_way_but_not_many_of_them() {
        let scores = array![[0.5, 0.5], [0.2, 0.8], [0.9, 0.1], [0.1, 0.9], [0.6, 0.4]];
        let one = Prediction::from_probabilities(scores.clone());
        let mut other = one.clone();
        other.labels = array![1, 1, 0, 1, 0].into();
        assert!(close(&one, &other, ROUNDING).is_ok());
        let all = Prediction::from_probabilities(array![[0.5, 0.5], [0.2, 0.8]]);
        let mut none = all.clone();
        none.labels = array![1, 1].into();
        assert!(
            close(&all, &none, ROUNDING)
                .unwrap_err()
                .to_string()
                .contains("ties")
        );
    }

    #[test]
    fn what_is_not_finite_is_found() {
        assert!(sound(&Prediction::from_decision(array![[f64::NAN, 0.0]]), 2).is_err());
        assert!(sound(&Prediction::from_values(array![f64::INFINITY]), 0).is_err());
        assert!(sound(&Prediction::from_decision(array![[0.0, 1.0, 2.0]]), 2).is_err());
        assert!(sound(&Prediction::from_decision(array![[0.0, 1.0]]), 2).is_ok());
    }

    #[test]
    fn scores_by_hand() {
        assert_eq!(
            score(&array![0, 1, 1].into(), &array![0, 1, 0].into()),
            2.0 / 3.0
        );
        assert_eq!(
            score(&array![1.0, 3.0].into(), &array![1.0, 2.0].into()),
            -1.0
        );
    }
}
