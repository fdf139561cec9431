//! Input that cannot be served: a typed error, never a panic, NaN or a number out of thin air.

use ndarray::{Array1, Array2, array};
use serde_json::{Map, Value, json};
use translearn_core::{
    Domain, Features, LabelSpace, Labels, MethodEntry, Outputs, Task, TransferError,
    TransferMethod, TransferProblem,
};
use translearn_tests::{cases, compare::sound};

use crate::{registry, wrapped};

fn problem(
    source: (Features, Labels),
    target: Features,
    known: Vec<usize>,
    labels: Labels,
    n_classes: usize,
) -> Result<TransferProblem, TransferError> {
    let space = match n_classes {
        0 => LabelSpace::Real,
        n => LabelSpace::numbered(n),
    };
    let domain = |name: &str, features| Domain {
        name: name.to_owned(),
        features,
    };
    TransferProblem::from_parts(
        vec![(
            domain("old", source.0),
            Task::labelled(space.clone(), source.1),
        )],
        (
            domain("new", target),
            Task::partly_labelled(space, known, labels),
        ),
    )
}

/// The method, where it wraps a learner with one that serves the labels.
fn build(entry: &MethodEntry, classes: bool) -> Box<dyn TransferMethod> {
    let registry = registry();
    let learner = if classes { "logistic" } else { "ridge" };
    let learner = registry
        .learner(learner)
        .unwrap()
        .build(Map::new())
        .unwrap();
    let components = entry
        .info
        .parameters
        .iter()
        .filter(|info| info.name == "n_components");
    let params: Map<String, Value> = components
        .map(|info| (info.name.to_owned(), json!(2)))
        .collect();
    entry.build(params, wrapped(entry, learner)).unwrap()
}

/// Each method on the same bad problem; target labels are known where it needs them.
fn for_each_method(
    classes: bool,
    make: impl Fn(bool) -> Result<TransferProblem, TransferError>,
    check: impl Fn(&MethodEntry, Result<translearn_core::Fitted, TransferError>, &TransferProblem),
) {
    for entry in registry().methods() {
        let serves = match entry.info.needs.outputs {
            Outputs::Both => true,
            Outputs::Classification => classes,
            Outputs::Regression => !classes,
        };
        if serves {
            let problem = make(entry.info.needs.target_labels).unwrap();
            check(entry, build(entry, classes).fit(&problem, 0), &problem);
        }
    }
}

#[test]
fn other_widths_are_named_on_both_sides() {
    let make = |labelled: bool| {
        let target = cases::separated(9, 5, 2, 1);
        let known = if labelled { vec![0, 1] } else { vec![] };
        let labels = target.1.select(&known);
        problem(cases::separated(21, 3, 2, 2), target.0, known, labels, 2)
    };
    for_each_method(true, make, |entry, fitted, _| {
        if !entry.info.needs.same_features {
            return;
        }
        match fitted {
            Err(TransferError::FeatureMismatch {
                left,
                left_features,
                right,
                right_features,
            }) => {
                assert_eq!(
                    (left.as_str(), left_features, right.as_str(), right_features),
                    ("old", 3, "new", 5)
                );
            }
            other => panic!("{}: {other:?}", entry.info.name),
        }
    });
}

#[test]
fn rows_of_another_width_or_not_finite_are_not_predicted() {
    let make = |labelled: bool| {
        let target = cases::separated(19, 3, 2, 1);
        let known = if labelled { vec![0, 1, 2, 3] } else { vec![] };
        let labels = target.1.select(&known);
        problem(cases::separated(21, 3, 2, 2), target.0, known, labels, 2)
    };
    for_each_method(true, make, |entry, fitted, _| {
        let model = fitted
            .unwrap_or_else(|error| panic!("{}: {error}", entry.info.name))
            .model;
        for predict_source in [false, true] {
            let predict = |rows: Features| match predict_source {
                true => model.predict_source(&rows),
                false => model.predict(&rows),
            };
            let wide = predict(Array2::zeros((2, 4)).into());
            assert!(
                matches!(wide, Err(TransferError::FeatureMismatch { .. })),
                "{}: {wide:?}",
                entry.info.name
            );
            for value in [f64::NAN, f64::INFINITY] {
                let bad = predict(array![[0.0, 0.0, 0.0], [0.0, value, 0.0]].into());
                match bad {
                    Err(TransferError::NotFinite { row, column, .. }) => {
                        assert_eq!((row, column), (1, 1));
                    }
                    other => panic!("{}: {other:?}", entry.info.name),
                }
            }
            let none = predict(Array2::zeros((0, 3)).into());
            assert!(
                none.is_ok_and(|none| none.labels.is_empty()),
                "{}",
                entry.info.name
            );
        }
    });
}

#[test]
fn a_problem_with_what_is_not_finite_cannot_be_made() {
    let (x, y) = cases::separated(21, 3, 2, 2);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut bad = x.dense().unwrap().into_owned();
        bad[[4, 2]] = value;
        let none = Labels::Classes(Array1::default(0));
        for (source, target) in [
            (bad.clone().into(), x.clone()),
            (x.clone(), Features::from(bad.clone())),
        ] {
            match problem((source, y.clone()), target, vec![], none.clone(), 2) {
                Err(TransferError::NotFinite {
                    row,
                    column,
                    value: found,
                    ..
                }) => {
                    assert_eq!((row, column, found), (4, 2, value.to_string()));
                }
                other => panic!("{other:?}"),
            }
        }
        let values = |v: f64| Labels::Values(Array1::from_elem(21, v));
        let empty = Labels::Values(Array1::default(0));
        let labels = problem((x.clone(), values(value)), x.clone(), vec![], empty, 0);
        assert!(
            matches!(labels, Err(TransferError::NotFinite { .. })),
            "{labels:?}"
        );
    }
}

#[test]
fn a_class_outside_of_the_label_space_cannot_be_given() {
    let (x, _) = cases::separated(4, 3, 2, 2);
    let none = Labels::Classes(Array1::default(0));
    match problem((x.clone(), array![0, 1, 2, 0].into()), x, vec![], none, 2) {
        Err(TransferError::UnknownClass {
            row,
            class,
            n_classes,
            ..
        }) => assert_eq!((row, class, n_classes), (2, 2, 2)),
        other => panic!("{other:?}"),
    }
}

/// Too little to learn from: what is fitted all the same must be sound, and everything else is a typed error.
fn sound_or_refused(
    classes: bool,
    n_classes: usize,
    make: impl Fn(bool) -> Result<TransferProblem, TransferError>,
) {
    for_each_method(classes, make, |entry, fitted, problem| {
        let predicted = fitted.and_then(|fitted| fitted.model.predict(problem.target_features()));
        match predicted {
            Ok(prediction) => {
                sound(&prediction, n_classes)
                    .unwrap_or_else(|error| panic!("{}: {error}", entry.info.name));
            }
            // What came from below must have been foreseen above.
            Err(error @ (TransferError::Linalg(_) | TransferError::Linfa(_))) => {
                panic!("{}: {error}", entry.info.name)
            }
            Err(_) => {}
        }
    });
}

#[test]
fn one_row_of_source_or_target() {
    for (n_source, n_target) in [(1, 1), (1, 15), (15, 1), (2, 2)] {
        for classes in [true, false] {
            sound_or_refused(classes, 2, |labelled| {
                let rows = |n, seed| {
                    if classes {
                        cases::separated(n, 3, 2, seed)
                    } else {
                        cases::linear(n, 3, seed)
                    }
                };
                let target = rows(n_target, 2);
                let known = if labelled { vec![0] } else { vec![] };
                let labels = target.1.select(&known);
                problem(
                    rows(n_source, 1),
                    target.0,
                    known,
                    labels,
                    if classes { 2 } else { 0 },
                )
            });
        }
    }
}

#[test]
fn one_class_alone() {
    sound_or_refused(true, 2, |labelled| {
        let (x, _) = cases::separated(15, 3, 2, 1);
        let known = if labelled { vec![0, 1] } else { vec![] };
        let labels = Labels::Classes(Array1::zeros(known.len()));
        problem(
            (x, Labels::Classes(Array1::zeros(15))),
            cases::separated(9, 3, 2, 2).0,
            known,
            labels,
            2,
        )
    });
}

#[test]
fn all_rows_alike() {
    for classes in [true, false] {
        sound_or_refused(classes, 2, |labelled| {
            let x = |n| Features::from(Array2::from_elem((n, 3), 2.5));
            let y = |n: usize| match classes {
                true => Labels::Classes(Array1::from_shape_fn(n, |row| row % 2)),
                false => Labels::Values(Array1::from_shape_fn(n, |row| row as f64)),
            };
            let known: Vec<usize> = if labelled { vec![0, 1, 2] } else { vec![] };
            let labels = y(9).select(&known);
            problem(
                (x(15), y(15)),
                x(9),
                known,
                labels,
                if classes { 2 } else { 0 },
            )
        });
    }
}

/// Features as large and as small as a sensor that was left in its raw unit may give them.
#[test]
fn hostile_sizes() {
    for scale in [1e-150, 1e150] {
        for classes in [true, false] {
            sound_or_refused(classes, 2, |labelled| {
                let rows = |n, seed| {
                    if classes {
                        cases::separated(n, 3, 2, seed)
                    } else {
                        cases::linear(n, 3, seed)
                    }
                };
                let scaled = |x: &Features| x.dense().map(|x| Features::from(&*x * scale));
                let (source, target) = (rows(25, 1), rows(19, 2));
                let known: Vec<usize> = if labelled { (0..6).collect() } else { vec![] };
                let labels = target.1.select(&known);
                let n_classes = if classes { 2 } else { 0 };
                problem(
                    (scaled(&source.0)?, source.1),
                    scaled(&target.0)?,
                    known,
                    labels,
                    n_classes,
                )
            });
        }
    }
}
