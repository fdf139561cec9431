//! Which shift lies between the domains, each with its test.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Evidence, Features, Labelled, Scenario, TransferError, TransferProblem,
    seed::{self, derive},
};

use crate::multiplicity::holm;
use crate::shift::{
    ClassifierTest, ColumnShift, ConditionalShift, LabelShift, MarginalShift, Marginals, Mmd,
    Overlap, TestResult,
};

/// What can shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShiftKind {
    /// P(X), by a kernel.
    Features,
    /// P(X), as far as a learner can tell.
    Separable,
    /// P(X), one column at a time.
    Columns,
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
            Self::Columns => "single columns differ",
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
    /// Its p-value after Holm, among all tests of the advice: calling what is at most `α` finds a shift where there is none
    /// with a chance of at most `α`.
    pub p_holm: Option<f64>,
    /// Why nothing was found.
    pub obstacle: Option<String>,
}

impl ShiftFinding {
    /// Whether the test rejects at this level, its p-value adjusted.
    pub fn rejects(&self, level: f64) -> bool {
        self.p_holm.is_some_and(|p_value| p_value <= level)
    }
}

/// What was found, and what it is worth among all tests.
pub(super) struct Shifts {
    pub(super) findings: Vec<ShiftFinding>,
    /// The columns that shift, the largest effect first; none where the test of columns does not reject.
    pub(super) drivers: Vec<ColumnShift>,
    /// The adjusted p-value of the scenario's test of P(Y | X), where no finding is about it.
    pub(super) nearest_labels: Option<f64>,
}

/// Puts every test that the problem admits to at most `most` rows of each domain.
pub(super) fn find(
    problem: &TransferProblem,
    scenario: &Scenario,
    learner: &BaseLearner,
    (most, level): (usize, f64),
    seed: u64,
) -> Shifts {
    let rows = Rows::draw(problem, most, seed);
    let mut columns = None;
    let finding = |kind: ShiftKind| {
        let found = match &rows {
            Ok(rows) => {
                (rows.test(kind, learner, seed, &mut columns)).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        ShiftFinding {
            kind,
            obstacle: found.as_ref().err().cloned(),
            result: found.ok(),
            p_holm: None,
        }
    };
    let mut findings: Vec<ShiftFinding> = kinds(problem).into_iter().map(finding).collect();
    let nearest_labels = adjust(&mut findings, scenario);
    let rejects =
        |finding: &ShiftFinding| finding.kind == ShiftKind::Columns && finding.rejects(level);
    let columns = columns.filter(|_| findings.iter().any(rejects));
    let drivers = columns.map_or_else(Vec::new, |found| {
        let drivers = found.drivers(level).into_iter();
        drivers
            .map(|column| found.columns[column].clone())
            .collect()
    });
    Shifts {
        findings,
        drivers,
        nearest_labels,
    }
}

/// Adjusts the p-values for their number. Among them is that of the scenario's test of P(Y | X), which is the answer, where
/// no finding is about that.
pub(super) fn adjust(findings: &mut [ShiftFinding], scenario: &Scenario) -> Option<f64> {
    let is_about =
        |finding: &ShiftFinding| finding.kind == ShiftKind::Conditional && finding.result.is_some();
    let nearest_labels = match scenario.conditional.evidence {
        Evidence::Test { p_value, .. } if !findings.iter().any(is_about) => Some(p_value),
        _ => None,
    };
    let made = (findings.iter()).filter_map(|finding| finding.result.as_ref());
    let p_values: Vec<f64> = (made.map(|result| result.p_value))
        .chain(nearest_labels)
        .collect();
    let mut adjusted = holm(&p_values).into_iter();
    let made = (findings.iter_mut()).filter(|finding| finding.result.is_some());
    for finding in made {
        finding.p_holm = adjusted.next();
    }
    adjusted.next()
}

/// What is tested.
fn kinds(problem: &TransferProblem) -> Vec<ShiftKind> {
    let mut kinds = vec![
        ShiftKind::Features,
        ShiftKind::Separable,
        ShiftKind::Columns,
        ShiftKind::Overlap,
    ];
    if problem.n_classes() > 0 {
        kinds.push(ShiftKind::Classes);
        if !problem.target_task().rows.is_empty() {
            kinds.push(ShiftKind::Conditional);
        }
    }
    kinds
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

    /// One test; that of single columns leaves what it found about each.
    fn test(
        &self,
        kind: ShiftKind,
        learner: &BaseLearner,
        seed: u64,
        columns: &mut Option<MarginalShift>,
    ) -> Result<TestResult, TransferError> {
        let seed = |test: &str| derive(seed, &["shift", test]);
        let learner = || learner.clone();
        let (source, labels) = (&*self.source.features, &*self.source.labels);
        let target = &self.target;
        match (kind, &self.known) {
            (ShiftKind::Features, _) => Mmd::default().test(source, target, seed("mmd")),
            (ShiftKind::Separable, _) => {
                ClassifierTest::default().test(source, target, seed("classifier"))
            }
            (ShiftKind::Columns, _) => {
                let found = Marginals::default().test(source, target, seed("marginals"))?;
                let sizes = (source.n_rows(), target.n_rows());
                Ok(any_column(columns.insert(found), sizes))
            }
            (ShiftKind::Overlap, _) => {
                let found = Overlap::default().test(source, target, seed("overlap"))?;
                Ok(found.test)
            }
            (ShiftKind::Classes, _) => {
                let test = LabelShift::default().learner(learner());
                Ok(test.test(source, labels, target, seed("classes"))?.test)
            }
            (ShiftKind::Conditional, Some(known)) => {
                let test = ConditionalShift::default().learner(learner());
                let known = (&*known.features, &*known.labels);
                test.test((source, labels), known, seed("conditional"))
            }
            (ShiftKind::Conditional, None) => Err(TransferError::Empty {
                what: "the labelled target".to_owned(),
                needed: 1,
            }),
        }
    }
}

/// Whether any column shifts: the least p-value after Holm over the columns, and the largest effect.
fn any_column(found: &MarginalShift, (n_source, n_target): (usize, usize)) -> TestResult {
    let effects = found.columns.iter().map(|column| column.effect);
    let largest = effects.fold(0.0, f64::max);
    TestResult {
        test: format!(
            "Kolmogorov and Smirnov, the least of {} columns",
            found.columns.len()
        ),
        statistic: largest,
        p_value: found.p_value,
        effect: largest,
        n_source,
        n_target,
    }
}
