//! What a trial keeps of each scored row: enough to compare two methods row by row, small enough to be kept always.

use serde::{Deserialize, Serialize};
use translearn_core::Labels;

/// How well each scored row was predicted.
///
/// In a trial's file it is the object `outcomes`:
///
/// | key | what |
/// |---|---|
/// | `rows` | where the scored rows stand in their file, from 0, as ranges: `"0-2,5"` is 0, 1, 2, 5 |
/// | `correct` | classification: a character per row, `1` where the class is right, else `0` |
/// | `squared_error` | regression: the squared error of each row, to seven significant digits |
///
/// ```
/// use ndarray::array;
/// use translearn_core::Labels;
/// use translearn_experiment::summary::Outcomes;
///
/// let (truth, predicted) = (Labels::Classes(array![0, 1, 1]), Labels::Classes(array![0, 0, 1]));
/// let outcomes = Outcomes::of(&[4, 5, 9], &truth, &predicted).unwrap();
/// let text = serde_json::to_string(&outcomes).unwrap();
/// assert_eq!(text, r#"{"rows":"4-5,9","correct":"101"}"#);
/// assert_eq!(serde_json::from_str::<Outcomes>(&text).unwrap(), outcomes);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Outcomes {
    rows: Vec<usize>,
    losses: Losses,
}

/// The outcome of each row, in the order of the rows.
#[derive(Debug, Clone, PartialEq)]
enum Losses {
    Correct(Vec<bool>),
    SquaredError(Vec<f64>),
}

/// What the mean of the outcomes measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Score {
    /// The share of rows called rightly.
    Accuracy,
    /// The root of the mean squared error.
    Rmse,
}

impl Score {
    /// Its name in results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Rmse => "rmse",
        }
    }

    /// The score whose mean outcome is `mean`.
    pub(super) fn of_mean(self, mean: f64) -> f64 {
        match self {
            Self::Accuracy => mean,
            Self::Rmse => mean.sqrt(),
        }
    }

    /// How much better `method` is than `baseline`; above 0 is better for either score.
    pub(super) fn gain(self, method: f64, baseline: f64) -> f64 {
        match self {
            Self::Accuracy => method - baseline,
            Self::Rmse => baseline - method,
        }
    }
}

impl Score {
    /// The gain as a share: of all rows, or of the larger error.
    pub(super) fn share(self, method: f64, baseline: f64) -> f64 {
        let gain = self.gain(method, baseline);
        match self {
            Self::Rmse if gain != 0.0 => gain / method.max(baseline),
            Self::Accuracy | Self::Rmse => gain,
        }
    }
}

impl Outcomes {
    /// The outcomes of a prediction; `rows` are the places of the scored rows in their file. `None` when the lengths or
    /// the kinds of labels differ, or an error is not finite.
    pub fn of(rows: &[usize], truth: &Labels, predicted: &Labels) -> Option<Self> {
        let losses = match (truth, predicted) {
            (Labels::Classes(truth), Labels::Classes(predicted))
                if truth.len() == predicted.len() =>
            {
                Losses::Correct(truth.iter().zip(predicted).map(|(a, b)| a == b).collect())
            }
            (Labels::Values(truth), Labels::Values(predicted))
                if truth.len() == predicted.len() =>
            {
                let squares = truth
                    .iter()
                    .zip(predicted)
                    .map(|(a, b)| seven_digits((a - b) * (a - b)));
                Losses::SquaredError(squares.collect::<Option<_>>()?)
            }
            _ => return None,
        };
        let outcomes = Self {
            rows: rows.to_vec(),
            losses,
        };
        (outcomes.rows.len() == outcomes.len()).then_some(outcomes)
    }

    /// How many rows were scored.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a trial without scored rows has no outcomes"
    )]
    pub fn len(&self) -> usize {
        match &self.losses {
            Losses::Correct(correct) => correct.len(),
            Losses::SquaredError(squares) => squares.len(),
        }
    }

    pub(super) fn rows(&self) -> &[usize] {
        &self.rows
    }

    pub(super) fn score(&self) -> Score {
        match self.losses {
            Losses::Correct(_) => Score::Accuracy,
            Losses::SquaredError(_) => Score::Rmse,
        }
    }

    /// The outcomes as numbers whose mean [`Score::of_mean`] takes.
    pub(super) fn values(&self) -> Vec<f64> {
        match &self.losses {
            Losses::Correct(correct) => correct
                .iter()
                .map(|&correct| f64::from(u8::from(correct)))
                .collect(),
            Losses::SquaredError(squares) => squares.clone(),
        }
    }
}

/// Half of the digits are half of the file, and no interval shows the other half.
fn seven_digits(value: f64) -> Option<f64> {
    format!("{value:.6e}")
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
struct Stored {
    rows: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correct: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    squared_error: Option<Vec<f64>>,
}

impl From<Outcomes> for Stored {
    fn from(outcomes: Outcomes) -> Self {
        let rows = to_ranges(&outcomes.rows);
        match outcomes.losses {
            Losses::Correct(correct) => {
                let digits = correct
                    .into_iter()
                    .map(|correct| if correct { '1' } else { '0' })
                    .collect();
                Self {
                    rows,
                    correct: Some(digits),
                    squared_error: None,
                }
            }
            Losses::SquaredError(squares) => Self {
                rows,
                correct: None,
                squared_error: Some(squares),
            },
        }
    }
}

impl TryFrom<Stored> for Outcomes {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let losses = match (stored.correct, stored.squared_error) {
            (Some(digits), None) => {
                Losses::Correct(digits.chars().map(from_digit).collect::<Result<_, _>>()?)
            }
            (None, Some(squares)) if squares.iter().all(|&square| square >= 0.0) => {
                Losses::SquaredError(squares)
            }
            (None, Some(_)) => return Err("outcomes: a squared error below 0".to_owned()),
            _ => return Err("outcomes: expected one of `correct` and `squared_error`".to_owned()),
        };
        let mut outcomes = Self {
            rows: Vec::new(),
            losses,
        };
        outcomes.rows = from_ranges(&stored.rows, outcomes.len())?;
        Ok(outcomes)
    }
}

fn from_digit(digit: char) -> Result<bool, String> {
    match digit {
        '0' => Ok(false),
        '1' => Ok(true),
        _ => Err(format!(
            "outcomes: expected 0 or 1 in `correct`, found {digit:?}"
        )),
    }
}

/// `0-2,5` for 0, 1, 2, 5; any order of rows is kept.
fn to_ranges(rows: &[usize]) -> String {
    let runs: Vec<String> = rows
        .chunk_by(|&a, &b| a.checked_add(1) == Some(b))
        .map(|run| match run {
            [first, .., last] => format!("{first}-{last}"),
            _ => run.iter().map(usize::to_string).collect(),
        })
        .collect();
    runs.join(",")
}

fn from_ranges(text: &str, n: usize) -> Result<Vec<usize>, String> {
    let mut rows = Vec::with_capacity(n);
    for run in text.split(',').filter(|run| !run.is_empty()) {
        let (first, last) = run.split_once('-').unwrap_or((run, run));
        let number = |text: &str| {
            text.parse()
                .map_err(|_| format!("outcomes: no range of rows: {run:?}"))
        };
        let (first, last): (usize, usize) = (number(first)?, number(last)?);
        // Before anything is made, so that a file cannot ask for more memory than its outcomes take.
        if last < first || last - first >= n - rows.len() {
            return Err(format!(
                "outcomes: `rows` does not name as many rows as there are outcomes ({n}), at {run:?}"
            ));
        }
        rows.extend(first..=last);
    }
    if rows.len() == n {
        Ok(rows)
    } else {
        Err(format!("outcomes: {} rows but {n} outcomes", rows.len()))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec(0_usize..12, 1..40), seed in 0_u64..1000) {
            let mut rng = translearn_core::seed::rng(seed);
            let classes = |rng: &mut translearn_core::seed::Rng| Labels::Classes(rows.iter().map(|_| rng.below(2)).collect());
            let (truth, predicted) = (classes(&mut rng), classes(&mut rng));
            let outcomes = Outcomes::of(&rows, &truth, &predicted).unwrap();
            // Through a value, as the store writes it.
            let text = serde_json::to_value(&outcomes).unwrap().to_string();
            prop_assert_eq!(serde_json::from_str::<Outcomes>(&text).unwrap(), outcomes);

            let values = |rng: &mut translearn_core::seed::Rng| Labels::Values(rows.iter().map(|_| 1e3 * rng.normal()).collect());
            let (truth, predicted) = (values(&mut rng), values(&mut rng));
            let outcomes = Outcomes::of(&rows, &truth, &predicted).unwrap();
            let text = serde_json::to_value(&outcomes).unwrap().to_string();
            prop_assert_eq!(&serde_json::from_str::<Outcomes>(&text).unwrap(), &outcomes);
            let (Labels::Values(a), Labels::Values(b)) = (truth, predicted) else { unreachable!() };
            for (i, square) in outcomes.values().into_iter().enumerate() {
                let exact: f64 = (a[i] - b[i]).powi(2);
                prop_assert!((square - exact).abs() <= 1e-6 * exact);
            }
            prop_assert!(text.len() < 24 * rows.len() + 60);
        }
    }

    #[test]
    fn what_cannot_be_compared_has_no_outcomes() {
        let classes = Labels::Classes(ndarray::array![0, 1]);
        let values = Labels::Values(ndarray::array![0.0, 1.0]);
        let huge = Labels::Values(Array1::from_elem(2, 1e300));
        assert_eq!(Outcomes::of(&[0, 1], &classes, &values), None);
        assert_eq!(Outcomes::of(&[0], &classes, &classes), None);
        assert_eq!(Outcomes::of(&[0, 1], &values, &huge), None);
        assert!(Outcomes::of(&[0, 1], &values, &values).is_some());
    }

    #[test]
    fn a_file_cannot_lie() {
        for (text, reason) in [
            (
                r#"{"rows":"0-18446744073709551615","correct":"1"}"#,
                "as many rows",
            ),
            (
                r#"{"rows":"0-9999999999999","correct":"1"}"#,
                "as many rows",
            ),
            (r#"{"rows":"3-1","correct":"11"}"#, "as many rows"),
            (r#"{"rows":"0","correct":"11"}"#, "1 rows but 2 outcomes"),
            (r#"{"rows":"0-1","correct":"1x"}"#, "expected 0 or 1"),
            (r#"{"rows":"a","correct":"1"}"#, "no range of rows"),
            (r#"{"rows":"0","squared_error":[-1.0]}"#, "below 0"),
            (r#"{"rows":"0"}"#, "expected one of"),
            (
                r#"{"rows":"0","correct":"1","squared_error":[1.0]}"#,
                "expected one of",
            ),
        ] {
            let error = serde_json::from_str::<Outcomes>(text)
                .unwrap_err()
                .to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
