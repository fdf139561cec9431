//! What is measured between the tasks of a set.

use std::collections::BTreeMap;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use translearn_core::{TransferError, seed};
use translearn_diagnostics::interval::over_splits;
use translearn_diagnostics::relatedness::{
    ByStart, Dendrogram, EdgeWorth, MeasuredTransfer, SplitTasks, TransferGraph,
    TransferMeasurement,
};

use super::TaskSet;
use crate::record::SCHEMA;

/// The share of each task's rows that transfer is measured on; the others score.
const TAUGHT: f64 = 0.75;

/// What `relatedness.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Relatedness {
    /// Version of the file.
    pub(crate) schema: u32,
    /// Name of the set.
    pub(crate) set: String,
    /// Versions that decide the numbers.
    pub(crate) versions: BTreeMap<String, String>,
    /// What is known to be in several tasks, so that scores and gains are too high.
    pub(crate) shared_rows: Option<String>,
    /// Columns of each task.
    pub(crate) n_features: usize,
    /// How transfer was measured.
    pub(crate) measurement: TransferMeasurement,
    /// The share of rows that score.
    pub(crate) held_out: f64,
    /// The tasks.
    pub(crate) tasks: Vec<RelatedTask>,
    /// The gain of each task (across) from each (down), the mean over splits.
    pub(crate) gains: Vec<Vec<f64>>,
    /// Pairs of tasks with an edge: with a mean gain of both directions above 0.
    pub(crate) edges: usize,
    /// The tree of tasks.
    pub(crate) tree: Dendrogram,
    /// The mean silhouette of the groups, where there are any.
    pub(crate) silhouette: Option<f64>,
    /// By how much gains on one half of the rows agree with those on the other: a correlation over pairs of tasks, the mean
    /// over splits.
    pub(crate) reliability: Option<f64>,
    /// What the starts are worth on held-out rows, by the explained variance that the gains are of, and by accuracy.
    pub(crate) measures: Vec<Measure>,
    /// What was found with each split.
    pub(crate) splits: Vec<EdgeWorth>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RelatedTask {
    /// Its name.
    pub(crate) name: String,
    /// Rows it has in the set.
    pub(crate) rows: usize,
    /// Rows that were used.
    pub(crate) used: usize,
    /// Its group; none below three tasks, and where there is no edge.
    pub(crate) group: Option<usize>,
    /// Whether no other helps it: do not transfer.
    pub(crate) isolated: bool,
}

/// What the starts are worth by one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measure {
    /// The metric.
    pub(crate) metric: Metric,
    /// The score of each start on held-out rows.
    pub(crate) scores: Vec<Score>,
    /// How the starts differ.
    pub(crate) comparisons: Vec<Comparison>,
}

/// What is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Metric {
    /// The explained variance of values.
    R2,
    /// The same of classes as columns of 0 and 1.
    BrierSkill,
    /// The share of rows that are called rightly.
    Accuracy,
}

/// What a regression starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Start {
    /// 0.
    Nothing,
    /// The tasks with an edge.
    Along,
    /// Those without one.
    Across,
    /// All others.
    All,
}

/// How well regressions do that start so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Score {
    /// Where they start.
    pub(crate) start: Start,
    /// The mean over splits.
    pub(crate) mean: f64,
    /// The standard deviation between splits.
    pub(crate) std: f64,
}

/// How much better one start is than another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// The one.
    pub(crate) of: Start,
    /// The other.
    pub(crate) against: Start,
    /// The mean difference over splits; above 0 is better.
    pub(crate) mean: f64,
    /// Lower end of its 95 % interval ([`over_splits`]).
    pub(crate) low: f64,
    /// Upper end of its 95 % interval.
    pub(crate) high: f64,
}

impl Start {
    pub(crate) const ALL: [Self; 4] = [Self::Nothing, Self::Along, Self::Across, Self::All];

    fn score(self, worth: &ByStart) -> f64 {
        match self {
            Self::Nothing => worth.nothing,
            Self::Along => worth.along,
            Self::Across => worth.across,
            Self::All => worth.all,
        }
    }
}

impl Relatedness {
    /// Measures transfer between the tasks of a set over some splits of their rows, at least two; `done` is called after
    /// each.
    pub(crate) fn of(
        set: &TaskSet,
        n_splits: usize,
        mut done: impl FnMut(),
    ) -> Result<Self, TransferError> {
        let measurement = TransferMeasurement::default();
        let n = set.tasks.len();
        let mut gains = Array2::zeros((n, n));
        let (mut splits, mut reliabilities) = (Vec::new(), Vec::new());
        for number in 0..n_splits {
            let of_split = seed::derive(0, &[&set.name, "split", &number.to_string()]);
            let split = SplitTasks::draw(&set.tasks, TAUGHT, of_split)?;
            let measured: MeasuredTransfer = measurement.measure(&split.taught, of_split)?;
            splits.push(measurement.worth_of_edges(&split, &measured)?);
            reliabilities.push(measurement.reliability(&split.taught, of_split)?);
            gains += &(measured.gains / n_splits as f64);
            done();
        }
        let graph = TransferGraph::new(&gains)?;
        let distances = graph.distances();
        let tree = Dendrogram::average_linkage(&distances)?;
        let edges = graph.weights().iter().filter(|&&weight| weight > 0.0);
        let edges = edges.count() / 2;
        let (groups, silhouette) = if n > 2 && edges > 0 {
            let (groups, silhouette) = tree.best_cut(&distances)?;
            (groups.mapv(Some).to_vec(), Some(silhouette))
        } else {
            (vec![None; n], None)
        };
        let isolated = graph.isolated();
        let task = |number: usize| RelatedTask {
            name: set.names[number].clone(),
            rows: set.rows[number],
            used: set.tasks[number].labels.len(),
            group: groups[number],
            isolated: isolated.contains(&number),
        };
        let reliabilities: Option<Vec<f64>> = reliabilities.into_iter().collect();
        Ok(Self {
            schema: SCHEMA,
            set: set.name.clone(),
            versions: crate::plan::versions(),
            shared_rows: set.shared_rows.clone(),
            n_features: set.tasks[0].features.n_columns(),
            measurement,
            held_out: 1.0 - TAUGHT,
            tasks: (0..n).map(task).collect(),
            edges,
            gains: gains.outer_iter().map(|row| row.to_vec()).collect(),
            tree,
            silhouette,
            reliability: reliabilities.map(|of_splits| mean(&of_splits)),
            measures: measures(&splits)?,
            splits,
        })
    }

    /// The graph of the mean gains.
    pub(crate) fn graph(&self) -> Result<TransferGraph, TransferError> {
        let n = self.tasks.len();
        let gain = |(from, to): (usize, usize)| self.gains[from][to];
        TransferGraph::new(&Array2::from_shape_fn((n, n), gain))
    }

    /// How many groups there are.
    pub(crate) fn n_groups(&self) -> Option<usize> {
        let groups = self.tasks.iter().map(|task| task.group);
        groups.max().flatten().map(|last| last + 1)
    }
}

fn measures(splits: &[EdgeWorth]) -> Result<Vec<Measure>, TransferError> {
    let measure = |metric: Metric, splits: &[ByStart]| {
        Ok::<_, TransferError>(Measure {
            metric,
            scores: scores(splits),
            comparisons: comparisons(splits)?,
        })
    };
    let explained: Vec<ByStart> = splits.iter().map(|worth| worth.explained).collect();
    let accuracy: Option<Vec<ByStart>> = splits.iter().map(|worth| worth.accuracy).collect();
    match accuracy {
        None => Ok(vec![measure(Metric::R2, &explained)?]),
        Some(accuracy) => Ok(vec![
            measure(Metric::BrierSkill, &explained)?,
            measure(Metric::Accuracy, &accuracy)?,
        ]),
    }
}

fn scores(splits: &[ByStart]) -> Vec<Score> {
    let score = |start: Start| {
        let values: Vec<f64> = splits.iter().map(|worth| start.score(worth)).collect();
        let mean = mean(&values);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Score {
            start,
            mean,
            std: (squares / (values.len() as f64 - 1.0)).sqrt(),
        }
    };
    Start::ALL.map(score).to_vec()
}

fn comparisons(splits: &[ByStart]) -> Result<Vec<Comparison>, TransferError> {
    let pairs = [
        (Start::Along, Start::Nothing),
        (Start::Across, Start::Nothing),
        (Start::All, Start::Nothing),
        (Start::Along, Start::Across),
    ];
    let compare = |(of, against): (Start, Start)| {
        let difference = |worth: &ByStart| of.score(worth) - against.score(worth);
        let values: Vec<f64> = splits.iter().map(difference).collect();
        let interval = over_splits(&values, 1.0 - TAUGHT, 0.95)?;
        Ok(Comparison {
            of,
            against,
            mean: mean(&values),
            low: interval.low,
            high: interval.high,
        })
    };
    pairs.into_iter().map(compare).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
pub(crate) mod tests {
    use std::borrow::Cow;

    use translearn_core::{Labelled, Labels};

    use super::*;

    /// Two kinds of tasks that harm each other, and one whose labels are noise.
    pub(crate) fn kinds() -> TaskSet {
        let mut rng = seed::rng(3);
        let task = |number: usize| {
            let x = Array2::from_shape_simple_fn((60, 3), || rng.normal());
            let slope = [2.0, -2.0][number % 2];
            let y = x.column(0).mapv(|x| slope * x)
                + ndarray::Array1::from_shape_simple_fn(60, || 0.3 * rng.normal());
            Labelled {
                features: Cow::Owned(x.into()),
                labels: Cow::Owned(Labels::Values(y)),
            }
        };
        let tasks: Vec<Labelled<'static>> = (0..6).map(task).collect();
        TaskSet {
            name: "kinds <of> tasks".to_owned(),
            names: (0..6).map(|number| format!("task & {number}")).collect(),
            rows: vec![60; 6],
            shared_rows: Some("9 rows <are> in two tasks".to_owned()),
            tasks,
        }
    }

    #[test]
    fn kinds_of_tasks_are_related_along_their_edges() {
        let mut steps = 0;
        let found = Relatedness::of(&kinds(), 4, || steps += 1).unwrap();
        assert_eq!((steps, found.splits.len(), found.edges), (4, 4, 6));
        let groups: Vec<Option<usize>> = found.tasks.iter().map(|task| task.group).collect();
        assert_eq!(groups, [0, 1, 0, 1, 0, 1].map(Some));
        assert_eq!(found.n_groups(), Some(2));
        // The mean of the splits, and the difference of the means.
        let mean = |of: fn(&ByStart) -> f64| {
            let scores = found.splits.iter().map(|worth| of(&worth.explained));
            scores.sum::<f64>() / 4.0
        };
        let [measure] = &found.measures[..] else {
            panic!("{:?}", found.measures)
        };
        assert_eq!(measure.metric, Metric::R2);
        assert!((measure.scores[1].mean - mean(|worth| worth.along)).abs() < 1e-12);
        let along_across = measure.comparisons[3];
        assert_eq!(
            (along_across.of, along_across.against),
            (Start::Along, Start::Across)
        );
        let difference = measure.scores[1].mean - measure.scores[2].mean;
        assert!((along_across.mean - difference).abs() < 1e-12 && along_across.low > 0.0);
        assert!(found.reliability.unwrap() > 0.9);
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Relatedness>(&text).unwrap(), found);
    }

    /// The same tasks in two classes: the gains and the first measure are of squared errors, the second counts rows.
    pub(crate) fn kinds_in_classes() -> TaskSet {
        let mut set = kinds();
        for task in &mut set.tasks {
            let values = task.labels.values("test").unwrap();
            let classes = values.mapv(|y| usize::from(y > 0.0));
            task.labels = Cow::Owned(Labels::Classes(classes));
        }
        set
    }

    #[test]
    fn classes_have_two_measures() {
        let found = Relatedness::of(&kinds_in_classes(), 4, || ()).unwrap();
        let metrics: Vec<Metric> = found
            .measures
            .iter()
            .map(|measure| measure.metric)
            .collect();
        assert_eq!(metrics, [Metric::BrierSkill, Metric::Accuracy]);
        let along = |place: usize| found.measures[place].scores[1].mean;
        let mean = |of: fn(&EdgeWorth) -> f64| found.splits.iter().map(of).sum::<f64>() / 4.0;
        assert!((along(0) - mean(|worth| worth.explained.along)).abs() < 1e-12);
        assert!((along(1) - mean(|worth| worth.accuracy.unwrap().along)).abs() < 1e-12);
        assert!(along(0) < along(1), "{found:?}");
    }

    #[test]
    fn two_tasks_have_no_groups() {
        let mut two = kinds();
        two.tasks.truncate(2);
        let found = Relatedness::of(&two, 2, || ()).unwrap();
        assert_eq!((found.n_groups(), found.reliability), (None, None));
        assert_eq!((found.tree.merges().len(), found.edges), (1, 0));
        assert!(found.tasks.iter().all(|task| task.isolated));
    }
}
