//! Which shift lies between the domains, each with its test.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Features, Labelled, Labels, TransferError, TransferProblem,
    seed::{self, derive},
};

use crate::shift::{
    ClassifierTest, ColumnShift, ConditionalShift, LabelShift, Marginals, Mmd, Overlap, TestResult,
};

/// What can shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShiftKind {
    /// P(X), by a kernel.
    Features,
    /// P(X), as far as a learner can tell.
    Separable,
    /// Target rows where the source has none.
    Overlap,
    /// P(Y), by the classes that a learner answers with.
    Classes,
    /// P(Y | X), by the labelled target rows.
    Conditional,
}

impl ShiftKind {
    /// In words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Features => "P(X) differs",
            Self::Separable => "a learner tells the domains apart",
            Self::Overlap => "target rows lie outside of the source",
            Self::Classes => "P(Y) differs, judging by predicted classes",
            Self::Conditional => "P(Y | X) differs",
        }
    }
}

/// One test, or why it could not be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShiftFinding {
    /// What was tested.
    pub kind: ShiftKind,
    /// What was found.
    pub result: Option<TestResult>,
    /// Why nothing was found.
    pub obstacle: Option<String>,
}

impl ShiftFinding {
    /// Whether the test rejects at this level.
    pub fn rejects(&self, level: f64) -> bool {
        self.result
            .as_ref()
            .is_some_and(|result| result.p_value <= level)
    }
}

/// All findings, and the columns with the largest effect among those that shift.
pub(super) struct Shifts {
    pub(super) findings: Vec<ShiftFinding>,
    pub(super) drivers: Vec<ColumnShift>,
}

/// Puts every test that the problem admits to at most `most` rows of each domain.
pub(super) fn find(
    problem: &TransferProblem,
    learner: &BaseLearner,
    (most, level): (usize, f64),
    seed: u64,
) -> Shifts {
    let rows = match Rows::draw(problem, most, seed) {
        Ok(rows) => rows,
        Err(error) => {
            let finding = ShiftFinding {
                kind: ShiftKind::Features,
                result: None,
                obstacle: Some(error.to_string()),
            };
            return Shifts {
                findings: vec![finding],
                drivers: Vec::new(),
            };
        }
    };
    let (source, target) = (&*rows.source.features, &rows.target);
    let seed = |test: &str| derive(seed, &["shift", test]);
    let learner = || learner.clone();
    let mut tests = vec![
        (
            ShiftKind::Features,
            Mmd::default().test(source, target, seed("mmd")),
        ),
        (
            ShiftKind::Separable,
            ClassifierTest::default().test(source, target, seed("classifier")),
        ),
        (
            ShiftKind::Overlap,
            Overlap::default()
                .test(source, target, seed("overlap"))
                .map(|found| found.test),
        ),
    ];
    if matches!(*rows.source.labels, Labels::Classes(_)) {
        let labels = &*rows.source.labels;
        tests.push((
            ShiftKind::Classes,
            LabelShift::default()
                .learner(learner())
                .test(source, labels, target, seed("classes"))
                .map(|found| found.test),
        ));
        if let Some(known) = &rows.known {
            let known = (&*known.features, &*known.labels);
            tests.push((
                ShiftKind::Conditional,
                ConditionalShift::default().learner(learner()).test(
                    (source, labels),
                    known,
                    seed("conditional"),
                ),
            ));
        }
    }
    let findings = tests
        .into_iter()
        .map(|(kind, result)| {
            let (result, obstacle) = match result {
                Ok(result) => (Some(result), None),
                Err(error) => (None, Some(error.to_string())),
            };
            ShiftFinding {
                kind,
                result,
                obstacle,
            }
        })
        .collect();
    let drivers = Marginals::default()
        .test(source, target, seed("marginals"))
        .map_or_else(
            |_| Vec::new(),
            |found| {
                let drivers = found.drivers(level);
                let column = |&column: &usize| found.columns[column].clone();
                drivers.iter().map(column).collect()
            },
        );
    Shifts { findings, drivers }
}

/// The rows that are tested.
struct Rows<'p> {
    source: Labelled<'p>,
    target: Features,
    known: Option<Labelled<'p>>,
}

impl<'p> Rows<'p> {
    fn draw(problem: &'p TransferProblem, most: usize, seed: u64) -> Result<Self, TransferError> {
        problem.check_same_features()?;
        let drawn = |n: usize, name: &str| {
            let mut rows = seed::rng(derive(seed, &["shift", "rows", name])).choose(n, most.min(n));
            rows.sort_unstable();
            rows
        };
        let part = |rows: Labelled<'p>, name: &str| {
            if rows.labels.len() <= most {
                return rows;
            }
            let chosen = drawn(rows.labels.len(), name);
            Labelled {
                features: Cow::Owned(rows.features.select_rows(&chosen)),
                labels: Cow::Owned(rows.labels.select(&chosen)),
            }
        };
        let target = problem.target_features();
        Ok(Self {
            source: part(problem.source()?, "source"),
            target: target.select_rows(&drawn(target.n_rows(), "target")),
            known: problem.target_labelled().map(|known| part(known, "known")),
        })
    }
}
