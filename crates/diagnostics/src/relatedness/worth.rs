//! What the edges of a graph of tasks are worth on rows that took no part in it.

use std::borrow::Cow;

use ndarray::{Array1, Array2, Axis, s};
use serde::{Deserialize, Serialize};
use translearn_core::{Labelled, Labels, TransferError};

use super::measure::{as_labels, as_weights, check_tasks};
use super::regression::{Fit, columns, task_rows};
use super::{LinearModel, MeasuredTransfer, SplitTasks, TransferGraph, TransferMeasurement};

/// How well regressions do on held-out rows that start from other tasks: from those that the graph has an edge to, or from
/// those that it has none to.
///
/// *When.* A graph of measured transfer is believed only where `along` is above `across`; where both are above `nothing`
/// transfer helps, wherever it comes from. [`over_splits`](crate::interval::over_splits) makes intervals of several splits.
///
/// # Formula
///
/// The regression of task `j` is shrunk towards
///
/// $$\theta^{\text{along}}_j = \frac{\sum_i W_{ij} \theta_i}{\sum_i W_{ij}}, \qquad
///   \theta^{\text{across}}_j = \operatorname{mean}\{\theta_i : i \ne j,\ W_{ij} = 0\}, \qquad
///   \theta^{\text{all}}_j = \operatorname{mean}\{\theta_i : i \ne j\}$$
///
/// with the weights `W` of the [`TransferGraph`], or towards 0 (`nothing`, and where there is no such task). The score is
/// the explained variance over the held-out rows of all tasks together,
///
/// $$1 - \sum_j \lVert y_j - \hat y_j \rVert^2 \Big/ \sum_j \lVert y_j - \bar y \rVert^2$$
///
/// with the mean `ȳ` of all of them, and 0 where they are all alike. Like the gains that make the graph it is of squared
/// errors: of classes `y` is a row of 0 and 1, a column for each class, and the score is Brier's skill score. Beside it stands
/// the accuracy, the share of those rows that are called rightly, which can part from it.
///
/// # Example
///
/// See [`TransferMeasurement::worth_of_edges`].
///
/// # Source
///
/// The comparison is ours; the graph is that of Eaton, desJardins, Lane, ECML PKDD 2008,
/// doi:10.1007/978-3-540-87479-9_39.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EdgeWorth {
    /// The explained variance; of classes Brier's skill score.
    pub explained: ByStart,
    /// The share of rows that are called rightly; `None` for values.
    pub accuracy: Option<ByStart>,
}

/// A score by what regressions start from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ByStart {
    /// Shrunk towards 0.
    pub nothing: f64,
    /// Towards the mean of the tasks with an edge, weighted.
    pub along: f64,
    /// Towards the mean of the tasks without an edge.
    pub across: f64,
    /// Towards the mean of all other tasks.
    pub all: f64,
}

impl TransferMeasurement {
    /// What transfer along the edges, across them and from everywhere is worth on the held-out rows, after it was measured
    /// on the rows to learn from.
    ///
    /// O(n (m d s + s³)) for n tasks of m rows and d columns, with the lesser of m and d as s.
    ///
    /// # Errors
    /// As [`TransferMeasurement::measure`], and [`TransferError::LengthMismatch`] for a measurement of other tasks.
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use ndarray::Array2;
    /// use translearn_core::{Labelled, Labels, seed};
    /// use translearn_diagnostics::relatedness::{SplitTasks, TransferMeasurement};
    ///
    /// // Of four tasks each helps one other and harms two.
    /// let mut rng = seed::rng(0);
    /// let mut task = |slope: f64| {
    ///     let x = Array2::from_shape_simple_fn((20, 1), || rng.normal());
    ///     let y = slope * &x.column(0);
    ///     Labelled { features: Cow::Owned(x.into()), labels: Cow::Owned(Labels::Values(y)) }
    /// };
    /// let split = SplitTasks::draw(&[task(1.0), task(1.1), task(-1.0), task(-1.1)], 0.75, 0)?;
    /// let measurement = TransferMeasurement::default();
    /// let measured = measurement.measure(&split.taught, 0)?;
    /// let worth = measurement.worth_of_edges(&split, &measured)?.explained;
    /// assert!(worth.along > worth.nothing && worth.nothing > worth.across);
    /// # Ok::<(), translearn_core::TransferError>(())
    /// ```
    pub fn worth_of_edges(
        &self,
        split: &SplitTasks,
        measured: &MeasuredTransfer,
    ) -> Result<EdgeWorth, TransferError> {
        self.check_parameters()?;
        let outputs = check_tasks(&split.taught)?;
        let tasks = task_rows(&split.taught, outputs)?;
        let n = tasks.len();
        let parameters = &measured.parameters;
        let width = tasks[0].rows.ncols() * outputs;
        let lengths = [
            ("the measured parameters", parameters.nrows(), n),
            ("a task's measured parameters", parameters.ncols(), width),
            ("the measured gains", measured.gains.nrows(), n),
            ("the list of held-out rows", split.held_out.len(), n),
        ];
        if let Some((what, has, needs)) = lengths.into_iter().find(|(_, has, needs)| has != needs) {
            return Err(TransferError::LengthMismatch {
                left: what.to_owned(),
                left_len: has,
                right: "what the tasks to learn from make".to_owned(),
                right_len: needs,
            });
        }
        let graph = TransferGraph::new(&measured.gains)?;
        let edges = graph.weights();
        // A class that was not learned from is in no output, and so predicted as 0.
        let n_codes = split.held_out.iter().map(|rows| rows.labels.n_codes());
        let n_columns = match outputs {
            1 => 1,
            outputs => n_codes.max().unwrap_or(0).max(outputs),
        };
        let mut scores: [Score; 4] = Default::default();
        for (number, (task, held_out)) in tasks.iter().zip(&split.held_out).enumerate() {
            let mean = |weight: &dyn Fn(usize) -> f64| mean_of_others(parameters, number, weight);
            let starts = [
                Array1::zeros(width),
                mean(&|other| edges[[other, number]]),
                mean(&|other| f64::from(u8::from(edges[[other, number]] == 0.0))),
                mean(&|_| 1.0),
            ];
            let mut side_by_side = Array2::zeros((width / outputs, 4 * outputs));
            for (place, start) in starts.iter().enumerate() {
                side_by_side
                    .slice_mut(s![.., place * outputs..(place + 1) * outputs])
                    .assign(&as_weights(start.view(), outputs));
            }
            let fit = task.fit(&task.all(), &side_by_side, self.lambda)?;
            for (place, score) in scores.iter_mut().enumerate() {
                score.add(&model(&fit, place, outputs), held_out, n_columns)?;
            }
        }
        let by_start = |[nothing, along, across, all]: [f64; 4]| ByStart {
            nothing,
            along,
            across,
            all,
        };
        Ok(EdgeWorth {
            explained: by_start(scores.each_ref().map(Score::explained)),
            accuracy: (outputs > 1).then(|| by_start(scores.each_ref().map(Score::accuracy))),
        })
    }

    /// How far a measurement can be repeated: the correlation, over pairs of tasks, of `t_ij + t_ji` measured on every
    /// second row of each task with that of the other rows. Near 0 the gains are noise. `None` where it says nothing: below
    /// three tasks, for a task of fewer than four rows, and where no gain differs from another.
    ///
    /// The cost is that of two measurements on half the rows.
    ///
    /// # Errors
    /// As [`TransferMeasurement::measure`].
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use ndarray::Array2;
    /// use translearn_core::{Labelled, Labels, seed};
    /// use translearn_diagnostics::relatedness::TransferMeasurement;
    ///
    /// let mut rng = seed::rng(0);
    /// let mut task = |slope: f64| {
    ///     let x = Array2::from_shape_simple_fn((80, 1), || rng.normal());
    ///     let y = slope * &x.column(0);
    ///     Labelled { features: Cow::Owned(x.into()), labels: Cow::Owned(Labels::Values(y)) }
    /// };
    /// let tasks = [task(1.0), task(1.1), task(-1.0), task(-1.1)];
    /// let reliability = TransferMeasurement::default().reliability(&tasks, 0)?;
    /// assert!(reliability.is_some_and(|reliability| reliability > 0.8));
    /// # Ok::<(), translearn_core::TransferError>(())
    /// ```
    pub fn reliability(
        &self,
        tasks: &[Labelled<'_>],
        seed: u64,
    ) -> Result<Option<f64>, TransferError> {
        if tasks.len() < 3 || tasks.iter().any(|task| task.labels.len() < 4) {
            return Ok(None);
        }
        let gains = |half: usize| -> Result<Array1<f64>, TransferError> {
            let part = |task: &Labelled<'_>| {
                let rows: Vec<usize> = (half..task.labels.len()).step_by(2).collect();
                Labelled {
                    features: Cow::Owned(task.features.select_rows(&rows)),
                    labels: Cow::Owned(task.labels.select(&rows)),
                }
            };
            let halves: Vec<Labelled<'_>> = tasks.iter().map(part).collect();
            let gains = self.measure(&halves, seed)?.gains;
            let pairs = (0..tasks.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
            let both: Array1<f64> = pairs.map(|(a, b)| gains[[a, b]] + gains[[b, a]]).collect();
            let mean = both.sum() / both.len() as f64;
            Ok(both - mean)
        };
        let (one, other) = (gains(0)?, gains(1)?);
        let correlation = one.dot(&other) / (one.dot(&one) * other.dot(&other)).sqrt();
        Ok(Some(correlation).filter(|correlation| correlation.is_finite()))
    }
}

/// The mean of the other tasks' parameters, each weighed; 0 where no task weighs anything.
fn mean_of_others(
    parameters: &Array2<f64>,
    task: usize,
    weight: &dyn Fn(usize) -> f64,
) -> Array1<f64> {
    let weights: Array1<f64> = (0..parameters.nrows())
        .map(|other| if other == task { 0.0 } else { weight(other) })
        .collect();
    let sum = weights.sum();
    weights.dot(parameters) / if sum > 0.0 { sum } else { 1.0 }
}

/// One of several models that were fitted side by side.
fn model(fit: &Fit, place: usize, outputs: usize) -> LinearModel {
    let weights = fit
        .weights
        .slice(s![.., place * outputs..(place + 1) * outputs]);
    LinearModel::new(fit, weights.to_owned())
}

/// What is known of the held-out rows so far.
#[derive(Debug, Default)]
struct Score {
    rows: usize,
    right: usize,
    squared_errors: f64,
    truths: Vec<Array2<f64>>,
}

impl Score {
    /// `n_columns` is how many columns make the labels, of which the model may lack the last.
    fn add(
        &mut self,
        model: &LinearModel,
        rows: &Labelled<'_>,
        n_columns: usize,
    ) -> Result<(), TransferError> {
        let truth = columns(&rows.labels, n_columns)?;
        let outputs = model.outputs(&rows.features)?;
        let mut wrong = truth.clone();
        wrong
            .slice_mut(s![.., ..outputs.ncols()])
            .zip_mut_with(&outputs, |truth, output| *truth -= output);
        self.squared_errors += sum_of_squares(&wrong);
        self.rows += truth.nrows();
        self.truths.push(truth);
        if let (Labels::Classes(called), Labels::Classes(truth)) =
            (as_labels(outputs), &*rows.labels)
        {
            self.right += called.iter().zip(truth).filter(|(a, b)| a == b).count();
        }
        Ok(())
    }

    fn accuracy(&self) -> f64 {
        self.right as f64 / self.rows as f64
    }

    fn explained(&self) -> f64 {
        let sums = self.truths.iter().map(|truth| truth.sum_axis(Axis(0)));
        let mean = sums.reduce(|sum, more| sum + more).unwrap_or_default() / self.rows as f64;
        let total: f64 = self
            .truths
            .iter()
            .map(|truth| sum_of_squares(&(truth - &mean)))
            .sum();
        if total > 0.0 {
            1.0 - self.squared_errors / total
        } else {
            0.0
        }
    }
}

fn sum_of_squares(values: &Array2<f64>) -> f64 {
    values.iter().map(|value| value * value).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::relatedness::tests::{in_classes, normal, task, tasks};

    proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What is shrunk towards where, and what is scored, one task and one output at a time.
    #[test]
    fn the_worth_of_edges_is_its_formula(n in 2_usize..6, rows in 6_usize..14, d in 1_usize..5, seed: u64, classes: bool) {
        let tasks: Vec<Labelled<'_>> = tasks(n, rows, d, seed).into_iter().map(|task| if classes { in_classes(task) } else { task }).collect();
        let split = SplitTasks::draw(&tasks, 0.6, seed).unwrap();
        let scorer = TransferMeasurement::default().lambda(2.0);
        let measured = scorer.measure(&split.taught, 1).unwrap();
        let worth = scorer.worth_of_edges(&split, &measured).unwrap();
        let t = &measured.gains;
        type Weigh<'a> = &'a dyn Fn(usize, usize) -> f64;
        let edge = |i: usize, j: usize| (0.5 * (t[[i, j]] + t[[j, i]])).max(0.0);
        let starts: [Weigh<'_>; 4] = [&|_, _| 0.0, &edge, &|i, j| f64::from(u8::from(edge(i, j) == 0.0)), &|_, _| 1.0];
        let found = |of: ByStart| [of.nothing, of.along, of.across, of.all];
        let accuracies = worth.accuracy.map(found);
        prop_assert_eq!(accuracies.is_some(), classes);
        for (place, (weigh, explained)) in starts.into_iter().zip(found(worth.explained)).enumerate() {
            let (mut right, mut wrong, mut truths) = (0.0, 0.0, Vec::new());
            for j in 0..n {
                let others: Vec<usize> = (0..n).filter(|&i| i != j).collect();
                let sum: f64 = others.iter().map(|&i| weigh(i, j)).sum();
                let mut start: Array1<f64> = Array1::zeros(measured.parameters.ncols());
                for &i in others.iter().filter(|_| sum > 0.0) {
                    start = start + weigh(i, j) / sum * &measured.parameters.row(i);
                }
                let model = scorer.fit(&split.taught[j], start.view()).unwrap();
                let rows = &split.held_out[j];
                for (at, x) in rows.features.dense().unwrap().outer_iter().enumerate() {
                    // A column for each class that any row has.
                    let output = |column: usize| {
                        let known = column < model.intercepts.len();
                        if known { x.dot(&model.weights.column(column)) + model.intercepts[column] } else { 0.0 }
                    };
                    let truth: Vec<f64> = match &*rows.labels {
                        Labels::Values(values) => vec![values[at]],
                        Labels::Classes(codes) => (0..4).map(|class| f64::from(u8::from(codes[at] == class))).collect(),
                    };
                    wrong += truth.iter().enumerate().map(|(column, y)| (y - output(column)).powi(2)).sum::<f64>();
                    truths.push(truth);
                }
                if let (Labels::Classes(said), Labels::Classes(truth)) = (model.predict(&rows.features).unwrap(), &*rows.labels) {
                    right += said.iter().zip(truth).map(|(a, b)| f64::from(u8::from(a == b))).sum::<f64>();
                }
            }
            let rows = truths.len() as f64;
            let total: f64 = (0..truths[0].len())
                .map(|column| truths.iter().map(|truth| truth[column]).collect::<Array1<f64>>().var(0.0) * rows)
                .sum();
            let expected = if total > 0.0 { 1.0 - wrong / total } else { 0.0 };
            prop_assert!((explained - expected).abs() <= 1e-7 * (1.0 + expected.abs()), "{explained} {expected}");
            if let Some(accuracies) = accuracies {
                // A row between two classes may go either way, by rounding.
                prop_assert!((accuracies[place] - right / rows).abs() <= 1.01 / rows);
            }
        }
    }

    /// Every row is on one side, and the columns of those to learn from have mean 0 and deviation 1.
    #[test]
    fn splits_part_the_rows_and_standardise_by_those_that_teach(n in 1_usize..5, rows in 3_usize..20, share in 0.01_f64..0.99, seed: u64) {
        let tasks = tasks(n, rows, 2, seed);
        let split = SplitTasks::draw(&tasks, share, seed).unwrap();
        let mut sums = [0.0; 2];
        let mut squares = [0.0; 2];
        let mut count = 0.0;
        for ((taught, held_out), task) in split.taught.iter().zip(&split.held_out).zip(&tasks) {
            prop_assert_eq!(taught.labels.len(), ((share * rows as f64).round() as usize).clamp(2, rows - 1));
            let sorted = |labels: &Labels| { let mut values = labels.values("test").unwrap().to_vec(); values.sort_by(f64::total_cmp); values };
            prop_assert_eq!(sorted(&taught.labels.join(&held_out.labels).unwrap()), sorted(&task.labels));
            for row in taught.features.dense().unwrap().outer_iter() {
                count += 1.0;
                for column in 0..2 {
                    sums[column] += row[column];
                    squares[column] += row[column] * row[column];
                }
            }
        }
        for column in 0..2 {
            prop_assert!(sums[column].abs() < 1e-8 * count && (squares[column] / count - 1.0).abs() < 1e-8);
        }
    }
    }

    /// Halves of the rows agree on two clear kinds, and on nothing where there is nothing; of two tasks there is one pair.
    #[test]
    fn reliability_tells_kinds_from_noise() {
        let reliability = |tasks: &[Labelled<'_>]| {
            let scorer = TransferMeasurement::default();
            scorer.reliability(tasks, 0).unwrap()
        };
        let kinds = tasks(9, 40, 4, 1);
        assert!(reliability(&kinds).unwrap() > 0.9);
        let noise: Vec<Labelled<'_>> = (0..9)
            .map(|number| {
                let y = normal(40, 1, 1000 + number).remove_axis(Axis(1));
                task(normal(40, 4, number), Labels::Values(y))
            })
            .collect();
        let noise = reliability(&noise).unwrap();
        assert!(noise.abs() < 0.5, "{noise}");
        assert_eq!(reliability(&kinds[..2]), None);
        assert_eq!(reliability(&tasks(4, 3, 2, 0)), None);
    }
}
