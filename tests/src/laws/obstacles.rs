//! What must not stop a method: more features than rows, constant columns, a class the source lacks.

use translearn_core::{
    Domain, Features, LabelSpace, Labels, MethodEntry, Outputs, TransferError, TransferProblem,
};

use super::fit;
use crate::{
    Outcome,
    cases::{Case, linear, separated, with_column},
    compare::{ROUNDING, close, score, sound},
    subjects::Subject,
};

/// The least accuracy on classes that every learner here masters.
const MASTERED: f64 = 0.9;

/// The least R² of real labels, 0 being that of a guess: too few rows for more where there are 70 columns.
const BETTER_THAN_A_GUESS: f64 = 0.0;

fn known(entry: &MethodEntry) -> Vec<usize> {
    if entry.info.needs.target_labels {
        (0..8).collect()
    } else {
        Vec::new()
    }
}

fn on_classes(entry: &MethodEntry) -> bool {
    entry.info.needs.outputs != Outputs::Regression
}

/// 45 rows in all, 70 columns.
pub(super) fn wide_data(entry: &MethodEntry) -> Outcome<Vec<Case>> {
    let space = LabelSpace::numbered(2);
    let source = separated(26, 70, 2, 31);
    let target = separated(19, 70, 2, 32);
    let case = || {
        Case::new(
            "70 columns",
            &space,
            source,
            &target,
            known(entry),
            separated(23, 70, 2, 33),
        )
    };
    // Real labels only where nothing else is served: what they need of learners is not what the law is about.
    let of_values = || {
        Case::new(
            "70 columns, real labels",
            &LabelSpace::Real,
            linear(26, 70, 34),
            &linear(19, 70, 35),
            known(entry),
            linear(23, 70, 36),
        )
    };
    Ok(vec![if on_classes(entry) {
        case()?
    } else {
        of_values()?
    }])
}

pub(super) fn constant_columns(entry: &MethodEntry) -> Outcome<Vec<Case>> {
    let mut all = Vec::new();
    if on_classes(entry) {
        let space = LabelSpace::numbered(2);
        let target = separated(43, 5, 2, 42);
        all.push(Case::new(
            "plain",
            &space,
            separated(61, 5, 2, 41),
            &target,
            known(entry),
            separated(37, 5, 2, 43),
        )?);
    }
    if entry.info.needs.outputs != Outputs::Classification {
        let target = linear(43, 5, 45);
        let (source, test) = (linear(61, 5, 44), linear(37, 5, 46));
        all.push(Case::new(
            "plain, real labels",
            &LabelSpace::Real,
            source,
            &target,
            known(entry),
            test,
        )?);
    }
    Ok(all)
}

/// The source lacks class 2 of three. Where the method needs target labels they hold every class.
pub(super) fn missing_class(entry: &MethodEntry) -> Outcome<Vec<Case>> {
    if !on_classes(entry) {
        return Ok(Vec::new());
    }
    let without_last = |(x, y): (Features, Labels)| {
        let rows: Vec<usize> = match &y {
            Labels::Classes(codes) => (0..codes.len()).filter(|&row| codes[row] != 2).collect(),
            Labels::Values(_) => Vec::new(),
        };
        (x.select_rows(&rows), y.select(&rows))
    };
    let space = LabelSpace::numbered(3);
    let source = || without_last(separated(91, 6, 3, 51));
    // Of the missing class nothing can be learned, so only the others are scored.
    let test = || without_last(separated(53, 6, 3, 53));
    let target = separated(43, 6, 3, 52);
    let mut all = vec![Case::new(
        "without class 2",
        &space,
        source(),
        &without_last(target.clone()),
        known(entry),
        test(),
    )?];
    // The target has it all the same; a label is known for it only where the method asks for labels.
    all.push(Case::new(
        "class 2 in the target alone",
        &space,
        source(),
        &target,
        known(entry),
        test(),
    )?);
    Ok(all)
}

/// Everything is finite, and what is learned is right.
pub(super) fn is_learned(subject: &Subject, case: &Case) -> Outcome {
    let prediction = fit(subject, &case.problem)?.model.predict(&case.test)?;
    sound(&prediction, case.problem.n_classes())?;
    let least = match case.problem.n_classes() {
        0 => BETTER_THAN_A_GUESS,
        _ => MASTERED,
    };
    match score(&prediction.labels, &case.test_labels) {
        score if score < least => Err(format!("a score of {score:.3}").into()),
        _ => Ok(()),
    }
}

/// A column of zeros changes nothing; any other constant leaves things finite and, for classes, right.
pub(super) fn constant_column(subject: &Subject, case: &Case) -> Outcome {
    let with = |value: f64| -> Result<Case, TransferError> {
        let add = |features: &Features| with_column(features, value);
        let (domain, task) = &case.problem.sources()[0];
        let (target, target_task) = (case.problem.target_domain(), case.problem.target_task());
        let change = |domain: &Domain| -> Result<_, TransferError> {
            Ok(Domain {
                name: domain.name.clone(),
                features: add(&domain.features)?,
            })
        };
        let problem = TransferProblem::from_parts(
            vec![(change(domain)?, task.clone())],
            (change(target)?, target_task.clone()),
        )?;
        Ok(Case {
            name: case.name.clone(),
            problem,
            test: add(&case.test)?,
            test_labels: case.test_labels.clone(),
        })
    };
    let plain = fit(subject, &case.problem)?.model.predict(&case.test)?;
    let zero = with(0.0)?;
    close(
        &plain,
        &fit(subject, &zero.problem)?.model.predict(&zero.test)?,
        ROUNDING,
    )
    .map_err(|error| format!("a column of zeros: {error}"))?;
    let seven = with(7.0)?;
    if case.problem.n_classes() > 0 {
        is_learned(subject, &seven).map_err(|error| format!("a column of sevens: {error}"))?;
    }
    sound(
        &fit(subject, &seven.problem)?.model.predict(&seven.test)?,
        case.problem.n_classes(),
    )
}
