//! The adviser.

use std::collections::BTreeSet;

use serde_json::Map;
use translearn_core::{
    BaseLearner, LabelSpace, Labels, LearnerNeed, MethodEntry, Registry, Scenario, Task,
    TransferError, TransferMethod, TransferProblem, seed::derive, setters,
};

use super::{Advice, Driver, Facts, MethodAdvice, reasons, shift};
use crate::check::{check_count, check_share};
use crate::negative::{Decision, GateRule, Verdict, Weigher, default_learner, no_transfer};
use crate::shift::ColumnShift;

/// The methods that are looked at unless others are named: one or two of each way to transfer, all of which take seconds on
/// thousands of rows.
const METHODS: [&str; 10] = [
    "source-only",
    "pooled",
    "aux",
    "tradaboost",
    "kmm",
    "logistic-ratio",
    "coral",
    "linear-transport",
    "sa",
    "feda",
];

/// Looks at a problem and says what to do.
///
/// *When.* One's own data, before any method is chosen.
///
/// # Steps
///
/// 1. [`Scenario`]: which differences there are.
/// 2. The tests of [`shift`](crate::shift) on at most `n_test_rows` rows of each domain, their p-values adjusted for their
///    number by [Holm](crate::multiplicity::holm), and, where the test of single columns then rejects, which columns drive it.
/// 3. Each method with its defaults and one learner, by [`GateRule`]: the gain on the labelled target rows, what is at
///    stake, what the neighbours see, what follows. All methods see the same folds.
/// 4. The method of the largest gain among those that are to be used; else the baseline.
///
/// Without labelled target rows no method can be judged (a change of P(Y|X) cannot be seen), and the advice is the baseline:
/// undecided.
///
/// The gain of the chosen method is that of the best of several, and so believed a little too large.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `methods` | `source-only pooled aux tradaboost kmm logistic-ratio coral linear-transport sa feda` | names in the registry | what is looked at, each once; of the default, what the registry lacks is left out |
/// | `learner` | logistic regression; ridge regression for values | | the learner of all methods and of the baseline |
/// | `rule` | [`GateRule`] | | how gains are weighed |
/// | `n_test_rows` | 1000 | integer ≥ 2 | rows of each domain that tests of shift see, drawn by seed |
/// | `level` | 0.05 | (0, 1) | the level at which a test is said to find something, its p-value adjusted |
/// | `columns` | none | | the names of the features, for what is said of them |
///
/// # Cost
///
/// Of the cross-validation, `n_folds · n_repeats + 1` fits of each method; of the tests of shift a matrix of `n_test_rows`²
/// and fits of a learner.
///
/// # Errors
///
/// [`TransferError::UnknownName`] for a method that is not in the registry; [`TransferError::InvalidParameter`] outside the
/// ranges above; those of the baseline's fit. What a method or a test cannot do stands in its place in the advice.
#[derive(Debug, Clone)]
pub struct Adviser {
    methods: Vec<String>,
    learner: Option<BaseLearner>,
    rule: GateRule,
    n_test_rows: usize,
    level: f64,
    columns: Vec<String>,
}

impl Default for Adviser {
    fn default() -> Self {
        Self {
            methods: Vec::new(),
            learner: None,
            rule: GateRule::default(),
            n_test_rows: 1000,
            level: 0.05,
            columns: Vec::new(),
        }
    }
}

setters!(Adviser {
    /// Sets the methods, by name; none for the default.
    methods: impl Into<Vec<String>>,
    /// Sets how gains are weighed.
    rule: GateRule,
    /// Sets the rows that tests of shift see.
    n_test_rows: usize,
    /// Sets the level at which a test is said to find something.
    level: f64,
    /// Sets the names of the features.
    columns: impl Into<Vec<String>>,
});

impl Adviser {
    /// Sets the learner of all methods.
    #[must_use]
    pub fn learner(mut self, learner: impl Into<BaseLearner>) -> Self {
        self.learner = Some(learner.into());
        self
    }

    /// Advice; the seed draws rows and folds and goes into the fits.
    ///
    /// # Errors
    /// See the type.
    pub fn advise(
        &self,
        problem: &TransferProblem,
        registry: &Registry,
        seed: u64,
    ) -> Result<Advice, TransferError> {
        self.check()?;
        let entries = self.entries(registry)?;
        let has_classes = problem.n_classes() > 0;
        let learner = self.learner.clone();
        let learner = learner.unwrap_or_else(|| default_learner(problem));
        let scenario = Scenario::of(problem, derive(seed, &["scenario"]))?;
        let shifts = shift::find(
            problem,
            &scenario,
            &learner,
            (self.n_test_rows, self.level),
            seed,
        );
        let (baseline, methods) = self.judge(problem, &entries, &learner, seed)?;
        let first = methods.first().and_then(|method| {
            let decision = method.decision.as_ref()?;
            decision
                .is_open()
                .then(|| (method.name.clone(), decision.belief))
        });
        let (shared_classes, unknown_classes) = classes(problem);
        let mut advice = Advice {
            facts: Facts {
                n_source: problem
                    .sources()
                    .iter()
                    .map(|(domain, _)| domain.features.n_rows())
                    .sum(),
                n_target: problem.target_features().n_rows(),
                n_labelled: problem.target_task().labels.len(),
                n_features: problem.target_features().n_columns(),
                n_classes: has_classes.then(|| problem.n_classes()),
            },
            scenario,
            shared_classes,
            unknown_classes,
            shifts: shifts.findings,
            drivers: shifts
                .drivers
                .into_iter()
                .map(|shift| self.driver(shift))
                .collect(),
            verdict: verdict(&methods),
            choice: first
                .as_ref()
                .map_or_else(|| baseline.clone(), |(name, _)| name.clone()),
            expected_gain: first.map(|(_, belief)| belief),
            baseline,
            methods,
            reasons: Vec::new(),
        };
        advice.reasons = reasons::of(&advice, shifts.nearest_labels, &self.rule, self.level);
        Ok(advice)
    }

    fn driver(&self, shift: ColumnShift) -> Driver {
        let name = self.columns.get(shift.column).cloned();
        Driver {
            name: name.unwrap_or_else(|| format!("column {}", shift.column + 1)),
            shift,
        }
    }

    /// The baseline's name, and every method with its decision, the best first.
    fn judge(
        &self,
        problem: &TransferProblem,
        entries: &[&MethodEntry],
        learner: &BaseLearner,
        seed: u64,
    ) -> Result<(String, Vec<MethodAdvice>), TransferError> {
        let mut methods: Vec<MethodAdvice> = entries.iter().map(|entry| unjudged(entry)).collect();
        let mut able = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            match build(entry, learner, problem) {
                Ok(method) => able.push((place, method)),
                Err(error) => methods[place].obstacle = Some(error.to_string()),
            }
        }
        let no_transfer = no_transfer(learner.clone(), problem);
        let baseline = no_transfer.info().name.to_owned();
        let weigher = Weigher::new(&self.rule, problem, no_transfer, seed)?;
        let all: Vec<&dyn TransferMethod> = able.iter().map(|(_, method)| &**method).collect();
        for ((place, method), evidence) in able.iter().zip(weigher.evidence_of(&all)) {
            match weigher.weigh(&**method, evidence) {
                Ok((_, decision)) => methods[*place].decision = Some(decision),
                Err(error) => methods[*place].obstacle = Some(error.to_string()),
            }
        }
        methods.sort_by(|a, b| {
            let (a, b) = (rank(a), rank(b));
            b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))
        });
        Ok((baseline, methods))
    }

    /// The entries of the methods that are looked at.
    fn entries<'r>(&self, registry: &'r Registry) -> Result<Vec<&'r MethodEntry>, TransferError> {
        if self.methods.is_empty() {
            let known = |name: &&str| registry.method(name).ok();
            return Ok(METHODS.iter().filter_map(known).collect());
        }
        let mut entries: Vec<&MethodEntry> = Vec::new();
        for name in &self.methods {
            let entry = registry.method(name)?;
            if entries
                .iter()
                .all(|other| other.info.name != entry.info.name)
            {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    fn check(&self) -> Result<(), TransferError> {
        check_count("n_test_rows", self.n_test_rows, 2)?;
        check_share("level", self.level)
    }
}

/// The classes of labelled target rows: those that a source row has too, and those that none has.
fn classes(problem: &TransferProblem) -> (Vec<String>, Vec<String>) {
    let present = |task: &Task| -> BTreeSet<String> {
        match (&task.space, &task.labels) {
            (LabelSpace::Classes(names), Labels::Classes(codes)) => {
                let names = codes.iter().filter_map(|&code| names.get(code));
                names.cloned().collect()
            }
            _ => BTreeSet::new(),
        }
    };
    let sources = problem.sources().iter().map(|(_, task)| present(task));
    let of_source: BTreeSet<String> = sources.flatten().collect();
    let of_target = present(problem.target_task()).into_iter();
    of_target.partition(|name| of_source.contains(name))
}

fn unjudged(entry: &MethodEntry) -> MethodAdvice {
    MethodAdvice {
        name: entry.info.name.to_owned(),
        title: entry.info.title.to_owned(),
        family: entry.info.family,
        decision: None,
        obstacle: None,
    }
}

/// The method with its defaults, where it can serve the problem.
fn build(
    entry: &MethodEntry,
    learner: &BaseLearner,
    problem: &TransferProblem,
) -> Result<Box<dyn TransferMethod>, TransferError> {
    let learner = (entry.info.needs.learner != LearnerNeed::None).then(|| learner.clone());
    let method = entry.build(Map::new(), learner)?;
    method.info().check(problem)?;
    Ok(method)
}

/// What is to be used before what is undecided before what is not before what could not be judged; then by the gain.
fn rank(method: &MethodAdvice) -> (u8, f64) {
    let Some(decision) = &method.decision else {
        return (0, 0.0);
    };
    let place = match decision.verdict {
        Verdict::Transfer => 3,
        Verdict::Undecided => 2,
        Verdict::DoNotTransfer => 1,
    };
    (place, decision.belief.gain)
}

/// Of methods in their order.
fn verdict(methods: &[MethodAdvice]) -> Verdict {
    let judged = || methods.iter().filter_map(|method| method.decision.as_ref());
    if judged().any(Decision::is_open) {
        Verdict::Transfer
    } else if judged().count() > 0 && judged().all(|one| one.verdict == Verdict::DoNotTransfer) {
        Verdict::DoNotTransfer
    } else {
        Verdict::Undecided
    }
}
