use ndarray::{Array1, Array2, ArrayView1, Axis};
use proptest::prelude::*;
use translearn_core::{
    Domain, Features, FitSample, Fitted, LabelSpace, Labels, Predictor, Sample, Scores, Task,
    TransferError, TransferMethod, TransferProblem, seed,
};
use translearn_learners::{GaussianNb, LinearSvm, LinearSvmParams};

use super::DasvmParams;
use crate::Pooled;
use crate::fixture::Fixture;

fn exact() -> LinearSvmParams {
    LinearSvm::params().tolerance(1e-13)
}

/// A problem in which the first target rows have labels.
fn problem(
    source: (Array2<f64>, Array1<usize>),
    target: Array2<f64>,
    known: Array1<usize>,
    n_classes: usize,
) -> TransferProblem {
    let space = LabelSpace::numbered(n_classes);
    let domain = |name: &str, x: Array2<f64>| Domain {
        name: name.to_owned(),
        features: x.into(),
    };
    let rows = (0..known.len()).collect();
    TransferProblem::from_parts(
        vec![(
            domain("source", source.0),
            Task::labelled(space.clone(), Labels::Classes(source.1)),
        )],
        (
            domain("target", target),
            Task::partly_labelled(space, rows, Labels::Classes(known)),
        ),
    )
    .unwrap()
}

/// Classes around points of a circle, all moved.
fn drawn(
    n: usize,
    n_classes: usize,
    moved: f64,
    rng: &mut seed::Rng,
) -> (Array2<f64>, Array1<usize>) {
    let y = Array1::from_shape_fn(n, |row| row % n_classes);
    let x = Array2::from_shape_fn((n, 2), |(row, column)| {
        let turn = std::f64::consts::TAU * y[row] as f64 / n_classes as f64;
        let centre = [turn.cos(), turn.sin()][column];
        1.8 * centre + moved + rng.normal()
    });
    (x, y)
}

fn decisions(fitted: &Fitted, rows: &Array2<f64>) -> Array2<f64> {
    match fitted.model.predict(&rows.clone().into()).unwrap().scores {
        Some(Scores::Decision(values)) => values,
        other => panic!("{other:?}"),
    }
}

fn series(fitted: &Fitted, suffix: &str) -> Vec<[f64; 4]> {
    let of = |name: &str| &fitted.trace.series[&format!("{name}{suffix}")];
    let columns = ["source", "taken", "released", "inside"].map(of);
    (0..columns[0].len())
        .map(|round| columns.map(|column| column[round]))
        .collect()
}

#[test]
fn rounds_and_machine_are_those_of_the_steps_over_scikit_learn() {
    let reference = Fixture::new(include_str!("../../../tests/fixtures/dasvm_reference.json"));
    let target = reference.matrix("target");
    let source = (reference.matrix("source"), reference.classes("label"));
    let method = DasvmParams::default()
        .k(2)
        .initial_weight(0.25)
        .growth_rounds(6)
        .beta(0.05)
        .learner(exact().c(0.7));
    let fitted = method
        .fit(&problem(source, target.clone(), Array1::default(0), 2), 0)
        .unwrap();
    let rounds = reference.matrix("rounds");
    let of_row = |row: ArrayView1<'_, f64>| [0, 1, 2, 3].map(|column| row[column]);
    let expected: Vec<[f64; 4]> = rounds.rows().into_iter().map(of_row).collect();
    assert_eq!(series(&fitted, ""), expected);
    let decision = reference.vector("decision");
    let difference = &decisions(&fitted, &target).column(1) - &decision;
    // What liblinear leaves at its tolerance of 1e-13.
    assert!(difference.iter().all(|v| v.abs() < 1e-6), "{difference}");
}

/// Rows, sides and weights on top of each other, and the decision values of a machine fitted on them.
struct Machine(LinearSvm);

impl Machine {
    fn of(parts: &[(&Array2<f64>, usize, bool, f64)]) -> Self {
        let x = Array2::from_shape_fn((parts.len(), 2), |(at, column)| {
            parts[at].0[[parts[at].1, column]]
        });
        let labels = Labels::Classes(parts.iter().map(|part| usize::from(part.2)).collect());
        let weights = parts.iter().map(|part| part.3).collect();
        let features = Features::from(x);
        let sample = Sample::new(&features, &labels, 2)
            .unwrap()
            .with_weights(&weights)
            .unwrap();
        Self(exact().fit_sample(&sample, 0).unwrap())
    }

    fn values(&self, rows: &Array2<f64>) -> Array1<f64> {
        let said = self.0.predict(&rows.clone().into()).unwrap();
        said.scores.unwrap().matrix().column(1).to_owned()
    }
}

/// The rounds with lists of rows in place of weights of 0, for one class against the others.
fn by_hand(
    method: &DasvmParams,
    source: (&Array2<f64>, &[bool]),
    known: (&Array2<f64>, &[bool]),
    target: &Array2<f64>,
) -> (Vec<[f64; 4]>, Machine) {
    let growth = |h: usize| (h as f64 / method.growth_rounds as f64).min(1.0).powi(2);
    let tau = method.initial_weight;
    let mut left: Vec<usize> = (0..source.1.len()).collect();
    let mut taken: Vec<(usize, bool, usize)> = Vec::new();
    let fit = |left: &[usize], weight: f64, taken: &[(usize, bool, f64)]| {
        let mut parts: Vec<_> = left
            .iter()
            .map(|&i| (source.0, i, source.1[i], weight))
            .collect();
        parts.extend((0..known.1.len()).map(|i| (known.0, i, known.1[i], 1.0)));
        parts.extend(
            taken
                .iter()
                .map(|&(j, side, weight)| (target, j, side, weight)),
        );
        Machine::of(&parts)
    };
    let mut machine = fit(&left, 1.0, &[]);
    let mut rounds = Vec::new();
    for round in 1..=method.max_rounds {
        let (f_s, f_t) = (machine.values(source.0), machine.values(target));
        let first = |mut rows: Vec<usize>, f: &Array1<f64>, count: usize| {
            rows.sort_by(|&a, &b| f[b].abs().total_cmp(&f[a].abs()));
            rows.truncate(count);
            rows
        };
        let enter = [false, true].map(|side| {
            let free = |j: &usize| taken.iter().all(|row| row.0 != *j);
            let band = (0..f_t.len())
                .filter(free)
                .filter(|&j| (f_t[j] > 0.0) == side && f_t[j].abs() <= 1.0);
            first(band.collect(), &f_t, method.k)
        });
        let none = enter[0].is_empty() && enter[1].is_empty();
        let leave = [false, true].map(|side| {
            let rows = left.iter().copied().filter(|&i| (f_s[i] > 0.0) == side);
            first(
                rows.collect(),
                &f_s,
                if none {
                    method.k
                } else {
                    enter[usize::from(side)].len()
                },
            )
        });
        let n_taken = taken.len();
        let kept: Vec<_> = taken
            .iter()
            .copied()
            .filter(|&(j, side, _)| (f_t[j] > 0.0) == side)
            .collect();
        let released = n_taken - kept.len();
        let inside = f_t.iter().filter(|&&v| v > 0.0).count();
        rounds.push([left.len(), n_taken, released, inside].map(|count| count as f64));
        let limit = (method.beta * f_t.len() as f64).ceil() as usize;
        if left.is_empty() && enter[0].len() + enter[1].len() <= limit && released <= limit {
            break;
        }
        taken = kept
            .into_iter()
            .map(|(j, side, age)| (j, side, age + 1))
            .collect();
        taken.extend(enter[0].iter().map(|&j| (j, false, 0)));
        taken.extend(enter[1].iter().map(|&j| (j, true, 0)));
        left.retain(|i| !leave[0].contains(i) && !leave[1].contains(i));
        let weighted: Vec<_> = taken
            .iter()
            .map(|&(j, side, age)| (j, side, tau + (1.0 - tau) * growth(age)))
            .collect();
        let sides = left
            .iter()
            .map(|&i| source.1[i])
            .chain(known.1.iter().copied());
        let sides: Vec<bool> = sides.chain(taken.iter().map(|row| row.1)).collect();
        if !(sides.contains(&true) && sides.contains(&false)) {
            break;
        }
        machine = fit(&left, 1.0 - (1.0 - tau) * growth(round), &weighted);
    }
    let f_t = machine.values(target);
    let all: Vec<_> = f_t
        .iter()
        .enumerate()
        .map(|(j, &v)| (j, v > 0.0, 1.0))
        .collect();
    let sides = all.iter().map(|row| row.1).chain(known.1.iter().copied());
    let sides: Vec<bool> = sides.collect();
    if sides.contains(&true) && sides.contains(&false) {
        machine = fit(&[], 1.0, &all);
    }
    (rounds, machine)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rounds_are_those_of_lists_of_rows(
        n_classes in 2usize..4,
        n_known in 0usize..5,
        k in 1usize..4,
        tau in 0.05f64..1.0,
        growth_rounds in 1usize..12,
        beta in 0.0f64..0.2,
        moved in -0.8f64..0.8,
        seed in 0u64..1000,
    ) {
        let mut rng = seed::rng(seed);
        let (x, y) = drawn(27, n_classes, 0.0, &mut rng);
        let (target, truth) = drawn(22, n_classes, moved, &mut rng);
        let known = truth.slice(ndarray::s![..n_known]).to_owned();
        let method = DasvmParams::default()
            .k(k)
            .initial_weight(tau)
            .growth_rounds(growth_rounds)
            .beta(beta)
            .max_rounds(40)
            .learner(exact());
        let problem = problem((x.clone(), y.clone()), target.clone(), known.clone(), n_classes);
        let fitted = method.fit(&problem, 0).unwrap();
        let part = |rows: std::ops::Range<usize>| target.select(Axis(0), &rows.collect::<Vec<_>>());
        let (with, without) = (part(0..n_known), part(n_known..22));
        let values = decisions(&fitted, &target);
        for class in if n_classes == 2 { 1..2 } else { 0..3 } {
            let inside = |labels: &Array1<usize>| labels.iter().map(|&c| c == class).collect::<Vec<bool>>();
            let (rounds, machine) = by_hand(&method, (&x, &inside(&y)), (&with, &inside(&known)), &without);
            let suffix = if n_classes == 2 { String::new() } else { format!("-{class}") };
            prop_assert_eq!(series(&fitted, &suffix), rounds);
            let difference = &values.column(class) - &machine.values(&target);
            prop_assert!(difference.iter().all(|v| v.abs() < 1e-7), "{}", difference);
        }
    }
}

/// Where the paper stops, no row beyond the margin costs anything, so the machine of all target rows is that of the
/// rows that came in: its answers fit themselves, and each row in its margin has the side it was given.
#[test]
fn the_last_machine_is_its_own_answer() {
    let mut rng = seed::rng(3);
    let source = drawn(60, 2, 0.0, &mut rng);
    let (target, truth) = drawn(50, 2, 0.7, &mut rng);
    let method = DasvmParams::default()
        .beta(0.0)
        .growth_rounds(1)
        .learner(exact());
    let fitted = method
        .fit(&problem(source, target.clone(), Array1::default(0), 2), 0)
        .unwrap();
    let rounds = series(&fitted, "");
    let last = rounds[rounds.len() - 1];
    assert_eq!((last[0], last[2]), (0.0, 0.0), "{rounds:?}");
    let values = decisions(&fitted, &target).column(1).to_owned();
    let rows: Vec<usize> = (0..50).collect();
    let band: Vec<usize> = rows
        .iter()
        .copied()
        .filter(|&row| values[row].abs() <= 1.0)
        .collect();
    // Squared hinge losses: a row beyond the margin has no dual coefficient.
    assert!(band.len() < 50 && band.len() >= 2, "{}", band.len());
    let fit = |rows: &[usize]| {
        let parts: Vec<_> = rows
            .iter()
            .map(|&row| (&target, row, values[row] > 0.0, 1.0))
            .collect();
        Machine::of(&parts).values(&target)
    };
    for of in [fit(&rows), fit(&band)] {
        let difference = &values - &of;
        assert!(difference.iter().all(|v| v.abs() < 1e-7), "{difference}");
    }
    let right = values
        .iter()
        .zip(&truth)
        .filter(|&(&v, &class)| (v > 0.0) == (class == 1))
        .count();
    assert!(right >= 45, "{right} of 50");
}

#[test]
fn without_target_rows_it_is_the_learner_on_all_that_is_known() {
    let mut rng = seed::rng(4);
    let source = drawn(30, 2, 0.0, &mut rng);
    let (target, truth) = drawn(12, 2, 0.5, &mut rng);
    let problem = problem(source, target.clone(), truth, 2);
    let fitted = DasvmParams::default()
        .learner(GaussianNb::params())
        .fit(&problem, 0)
        .unwrap();
    assert!(fitted.trace.series["source"].is_empty());
    let pooled = Pooled::params()
        .learner(GaussianNb::params())
        .fit(&problem, 0)
        .unwrap();
    let answers = |fitted: &Fitted| fitted.model.predict(&target.clone().into()).unwrap();
    assert_eq!(answers(&fitted).labels, answers(&pooled).labels);
    // The margins of probabilities are logarithms of odds.
    let odds = answers(&pooled).scores.unwrap().matrix().mapv(f64::ln);
    let margins = decisions(&fitted, &target);
    let difference = &margins.column(1) - &(&odds.column(1) - &odds.column(0));
    assert!(difference.iter().all(|v| v.abs() < 1e-9), "{difference}");
}

/// A target on one side of the border is not made two classes, and the machine that knew both stays.
#[test]
fn a_target_of_one_class_leaves_the_machine_as_it_is() {
    let x = Array2::from_shape_fn((8, 1), |(row, _)| row as f64 - 3.5);
    let y = Array1::from_shape_fn(8, |row| usize::from(row > 3));
    let target = Array2::from_shape_fn((5, 1), |(row, _)| 20.0 + row as f64);
    let problem = problem((x, y), target.clone(), Array1::default(0), 2);
    let fitted = DasvmParams::default()
        .k(1)
        .learner(exact())
        .fit(&problem, 0)
        .unwrap();
    let rounds = series(&fitted, "");
    assert!(
        rounds
            .iter()
            .all(|round| round[3] == 5.0 && round[1] == 0.0),
        "{rounds:?}"
    );
    // A source row of each side went out in each round, and the last two stayed.
    assert_eq!(
        rounds.iter().map(|round| round[0]).collect::<Vec<_>>(),
        [8.0, 6.0, 4.0, 2.0]
    );
    let said = fitted
        .model
        .predict(&Array2::from_elem((1, 1), -2.0).into())
        .unwrap();
    assert_eq!(said.labels, Labels::Classes(Array1::zeros(1)));
}

#[test]
fn one_class_is_too_few() {
    let x = Array2::from_shape_fn((4, 1), |(row, _)| row as f64);
    let problem = problem((x.clone(), Array1::zeros(4)), x, Array1::default(0), 2);
    let error = DasvmParams::default().fit(&problem, 0).unwrap_err();
    assert!(
        matches!(error, TransferError::TooFewClasses { classes: 1, .. }),
        "{error}"
    );
}
