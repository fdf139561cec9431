//! What every base learner has to keep.

use ndarray::{Array1, Array2, Axis};
use translearn_core::{
    BaseLearner, Features, Labels, LearnerEntry, Outputs, Prediction, Predictor, Sample,
    TransferError, seed,
};

use crate::{
    Outcome,
    cases::with_column,
    compare::{ROUNDING, close, identical, score, sound},
    subjects::learner,
};

/// A law of learners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LearnerLaw {
    /// A row of weight 2 is the row twice.
    WeightTwo,
    /// A row of weight 0 is no row.
    WeightZero,
    /// A learner that says it uses weights predicts something else with other weights.
    WeightsMatter,
    /// Sparse rows are predicted as the same rows dense.
    Sparse,
    /// The order of the rows changes nothing.
    RowPermutation,
    /// A model that was saved and loaded predicts the same.
    SaveLoad,
    /// One row alone is predicted as it is within a batch.
    SingleRow,
    /// The same seed gives the same bits on any number of threads.
    SeedDeterminism,
    /// Constant columns are no obstacle, zeros change nothing.
    ConstantColumn,
    /// More features than rows are no obstacle.
    WideData,
    /// A class that does not occur is no obstacle and is not predicted.
    MissingClass,
    /// Scores are finite, and probabilities where the learner says so.
    HonestScores,
}

impl LearnerLaw {
    /// All laws.
    pub const ALL: [Self; 12] = [
        Self::WeightTwo,
        Self::WeightZero,
        Self::WeightsMatter,
        Self::Sparse,
        Self::RowPermutation,
        Self::SaveLoad,
        Self::SingleRow,
        Self::SeedDeterminism,
        Self::ConstantColumn,
        Self::WideData,
        Self::MissingClass,
        Self::HonestScores,
    ];
}

/// How a learner breaks a law: one line per kind of labels, none where it keeps it.
pub fn breaches(law: LearnerLaw, entry: &LearnerEntry) -> Vec<String> {
    let kinds: &[bool] = match entry.info.outputs {
        Outputs::Both => &[true, false],
        Outputs::Classification => &[true],
        Outputs::Regression => &[false],
    };
    let check = |&classes: &bool| {
        let kind = if classes { "classes" } else { "real labels" };
        let outcome = check(law, entry, classes);
        outcome
            .err()
            .map(|error| format!("{} on {kind}: {error}", entry.info.name))
    };
    kinds.iter().filter_map(check).collect()
}

/// Rows, labels, and rows to predict.
#[derive(Debug, Clone)]
struct Table {
    x: Features,
    y: Labels,
    n_classes: usize,
    test: Features,
}

impl Table {
    /// About half of the entries are 0; three classes that overlap, or a linear rule with noise.
    fn new(n: usize, d: usize, classes: bool) -> Self {
        let mut rng = seed::rng(61);
        let labels: Vec<usize> = (0..n).map(|row| row % 3).collect();
        let mut draw = |rows: usize| {
            let mut value = |row: usize, column: usize| {
                let centre = if row % 3 == column % 3 { 1.0 } else { 0.0 };
                let noise = rng.normal();
                if rng.below(2) == 0 {
                    0.0
                } else {
                    centre + noise
                }
            };
            let mut x = Array2::zeros((rows, d));
            x.indexed_iter_mut()
                .for_each(|((row, column), entry)| *entry = value(row, column));
            x
        };
        let (x, test) = (draw(n), draw(31));
        let y = match classes {
            true => Labels::Classes(labels.into()),
            false => Labels::Values(
                x.column(0)
                    .iter()
                    .map(|v| 2.0 * v + 0.1 * rng.normal())
                    .collect(),
            ),
        };
        Self {
            x: x.into(),
            y,
            n_classes: if classes { 3 } else { 0 },
            test: test.into(),
        }
    }

    fn fit(&self, learner: &BaseLearner) -> Result<Box<dyn Predictor>, TransferError> {
        learner.fit_boxed(&Sample::new(&self.x, &self.y, self.n_classes)?, SEED)
    }

    fn predict(&self, learner: &BaseLearner) -> Result<Prediction, TransferError> {
        self.fit(learner)?.predict(&self.test)
    }

    fn predict_weighted(
        &self,
        learner: &BaseLearner,
        weights: &Array1<f64>,
    ) -> Result<Prediction, TransferError> {
        let sample = Sample::new(&self.x, &self.y, self.n_classes)?;
        learner
            .fit_boxed(&sample.with_weights(weights)?, SEED)?
            .predict(&self.test)
    }

    fn select(&self, rows: &[usize]) -> Self {
        Self {
            x: self.x.select_rows(rows),
            y: self.y.select(rows),
            ..self.clone()
        }
    }
}

const SEED: u64 = 5;

fn check(law: LearnerLaw, entry: &LearnerEntry, classes: bool) -> Outcome {
    let table = Table::new(53, 7, classes);
    let n = table.y.len();
    let learner = match law {
        // A row of weight 2 stands in one of the k places, so this law is for one neighbour alone.
        LearnerLaw::WeightTwo if entry.info.name == "knn" => {
            entry.build([("k".to_owned(), 1.into())].into_iter().collect())?
        }
        _ => learner(entry)?,
    };
    match law {
        LearnerLaw::WeightTwo => {
            let weights = Array1::from_shape_fn(n, |row| [1.0, 2.0, 1.0, 3.0][row % 4]);
            let repeated: Vec<usize> = (0..n)
                .flat_map(|row| vec![row; weights[row] as usize])
                .collect();
            let weighted = table.predict_weighted(&learner, &weights)?;
            close(
                &weighted,
                &table.select(&repeated).predict(&learner)?,
                ROUNDING,
            )
        }
        LearnerLaw::WeightZero => {
            let weights = Array1::from_shape_fn(n, |row| f64::from(u8::from(row % 4 != 1)));
            let present: Vec<usize> = (0..n).filter(|&row| weights[row] > 0.0).collect();
            let weighted = table.predict_weighted(&learner, &weights)?;
            close(
                &weighted,
                &table.select(&present).predict(&learner)?,
                ROUNDING,
            )
        }
        LearnerLaw::WeightsMatter => {
            // All weight on a third of the rows, spread over the classes.
            let weights = Array1::from_shape_fn(n, |row| if row % 9 < 3 { 5.0 } else { 0.05 });
            let weighted = table.predict_weighted(&learner, &weights)?;
            let differ = identical(&weighted, &table.predict(&learner)?).is_err();
            match (differ, entry.info.honors_weights) {
                (false, true) => Err("says that it uses weights, but they change nothing".into()),
                (true, false) => {
                    Err("says that it ignores weights, but they change something".into())
                }
                _ => Ok(()),
            }
        }
        LearnerLaw::Sparse => {
            let sparse = |x: &Features| -> Result<Features, TransferError> {
                Ok(Features::Sparse(x.to_sparse()?.into_owned()))
            };
            let dense = table.fit(&learner)?;
            let of_sparse = Table {
                x: sparse(&table.x)?,
                ..table.clone()
            }
            .fit(&learner)?;
            let expected = dense.predict(&table.test)?;
            for model in [&dense, &of_sparse] {
                for test in [&table.test, &sparse(&table.test)?] {
                    close(&expected, &model.predict(test)?, ROUNDING)?;
                }
            }
            Ok(())
        }
        LearnerLaw::RowPermutation => {
            let order = seed::rng(62).permutation(n);
            close(
                &table.predict(&learner)?,
                &table.select(&order).predict(&learner)?,
                ROUNDING,
            )
        }
        LearnerLaw::SaveLoad => {
            let model = table.fit(&learner)?;
            let loaded: Box<dyn Predictor> = serde_json::from_str(&serde_json::to_string(&model)?)?;
            identical(&model.predict(&table.test)?, &loaded.predict(&table.test)?)
        }
        LearnerLaw::SingleRow => {
            let model = table.fit(&learner)?;
            let rows: Vec<Prediction> = (0..table.test.n_rows())
                .map(|row| model.predict(&table.test.select_rows(&[row])))
                .collect::<Result<_, _>>()?;
            close(&model.predict(&table.test)?, &stacked(&rows)?, ROUNDING)
        }
        LearnerLaw::SeedDeterminism => {
            let on_threads = |threads: usize| -> Outcome<String> {
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()?;
                pool.install(|| {
                    let model = table.fit(&learner)?;
                    Ok(serde_json::to_string(&(
                        &model,
                        model.predict(&table.test)?,
                    ))?)
                })
            };
            let one = on_threads(1)?;
            match [1, 4, 3]
                .iter()
                .map(|&threads| on_threads(threads))
                .find(|other| !matches!(other, Ok(o) if *o == one))
            {
                None => Ok(()),
                Some(Err(error)) => Err(error),
                Some(Ok(_)) => Err("model or prediction differ between numbers of threads".into()),
            }
        }
        LearnerLaw::ConstantColumn => {
            let with = |value: f64| -> Result<Table, TransferError> {
                let (x, test) = (
                    with_column(&table.x, value)?,
                    with_column(&table.test, value)?,
                );
                Ok(Table {
                    x,
                    test,
                    ..table.clone()
                })
            };
            let plain = table.predict(&learner)?;
            sound(&with(7.0)?.predict(&learner)?, table.n_classes)?;
            close(&plain, &with(0.0)?.predict(&learner)?, ROUNDING)
        }
        LearnerLaw::WideData => {
            let wide = Table::new(23, 60, classes);
            let model = wide.fit(&learner)?;
            sound(&model.predict(&wide.test)?, wide.n_classes)?;
            // With so many features the rows of the fit are no secret.
            match score(&model.predict(&wide.x)?.labels, &wide.y) {
                score if score < 0.3 => {
                    Err(format!("a score of {score:.2} on the rows of the fit").into())
                }
                _ => Ok(()),
            }
        }
        LearnerLaw::MissingClass if !classes => Ok(()),
        LearnerLaw::MissingClass => {
            let rows: Vec<usize> = (0..n).filter(|row| row % 3 != 1).collect();
            let prediction = table.select(&rows).predict(&learner)?;
            sound(&prediction, 3)?;
            match prediction
                .labels
                .classes("the law")?
                .iter()
                .any(|&code| code == 1)
            {
                true => Err("a class that does not occur is predicted".into()),
                false => Ok(()),
            }
        }
        LearnerLaw::HonestScores => {
            honest_scores(&table.predict(&learner)?, entry, table.n_classes)
        }
    }
}

/// Labels are those of the largest score, and probabilities are there when they are promised.
fn honest_scores(prediction: &Prediction, entry: &LearnerEntry, n_classes: usize) -> Outcome {
    sound(prediction, n_classes)?;
    let (Some(scores), Labels::Classes(codes)) = (&prediction.scores, &prediction.labels) else {
        return match n_classes {
            0 => Ok(()),
            _ => Err("a classifier without scores".into()),
        };
    };
    if translearn_core::argmax_rows(scores.matrix()) != codes {
        return Err("a label that is not the class of the largest score".into());
    }
    let are_probabilities = matches!(scores, translearn_core::Scores::Probabilities(_));
    if are_probabilities != entry.info.probabilities {
        return Err(format!(
            "declares probabilities = {}, gives the other",
            entry.info.probabilities
        )
        .into());
    }
    let off = scores
        .matrix()
        .sum_axis(Axis(1))
        .iter()
        .fold(0.0_f64, |worst, sum| worst.max((sum - 1.0).abs()));
    let negative = scores.matrix().iter().any(|&p| p < 0.0);
    match are_probabilities && (off > 1e-9 || negative) {
        true => Err(format!("probabilities that are negative or sum to 1 ± {off:e}").into()),
        false => Ok(()),
    }
}

/// Predictions of single rows as one.
fn stacked(rows: &[Prediction]) -> Outcome<Prediction> {
    let first = rows.first().ok_or("no row")?;
    let labels = rows[1..]
        .iter()
        .try_fold(first.labels.clone(), |all, row| all.join(&row.labels))?;
    let matrices: Vec<_> = rows
        .iter()
        .filter_map(|row| row.scores.as_ref())
        .map(|scores| scores.matrix().view())
        .collect();
    let scores = match &first.scores {
        None => None,
        Some(translearn_core::Scores::Probabilities(_)) => Some(
            translearn_core::Scores::Probabilities(ndarray::concatenate(Axis(0), &matrices)?),
        ),
        Some(translearn_core::Scores::Decision(_)) => Some(translearn_core::Scores::Decision(
            ndarray::concatenate(Axis(0), &matrices)?,
        )),
    };
    Ok(Prediction { labels, scores })
}
