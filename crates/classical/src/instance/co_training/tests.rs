use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;
use translearn_core::{
    Domain, Features, FitSample, Fitted, LabelSpace, Labels, Predictor, Sample, Task,
    TransferError, TransferMethod, TransferProblem, seed,
};
use translearn_learners::GaussianNb;

use super::CoTrainingParams;
use crate::{Pooled, SourceOnly};

type Rows = (Array2<f64>, Array1<usize>);

/// Classes whose means differ by less from column to column, all moved.
fn drawn(n: usize, n_classes: usize, moved: f64, rng: &mut seed::Rng) -> Rows {
    let y = Array1::from_shape_fn(n, |row| row % n_classes);
    let x = Array2::from_shape_fn((n, 5), |(row, column)| {
        let turn = (y[row] + column) as f64 * std::f64::consts::TAU / n_classes as f64;
        2.0 / (1.0 + column as f64) * turn.cos() + moved + rng.normal()
    });
    (x, y)
}

/// The first `n_known` target rows have labels.
fn problem(source: &Rows, target: &Rows, n_known: usize, n_classes: usize) -> TransferProblem {
    let space = LabelSpace::numbered(n_classes);
    let domain = |name: &str, x: &Array2<f64>| Domain {
        name: name.to_owned(),
        features: x.clone().into(),
    };
    let known: Vec<usize> = (0..n_known).collect();
    let labels = Labels::Classes(target.1.select(Axis(0), &known));
    TransferProblem::from_parts(
        vec![(
            domain("source", &source.0),
            Task::labelled(space.clone(), Labels::Classes(source.1.clone())),
        )],
        (
            domain("target", &target.0),
            Task::partly_labelled(space, known, labels),
        ),
    )
    .unwrap()
}

/// Naive Bayes on some columns, as classes and confidences for rows.
fn told(
    rows: &Rows,
    columns: &[usize],
    target: &Array2<f64>,
    n_classes: usize,
) -> (Array1<usize>, Vec<f64>) {
    let x = Features::from(rows.0.select(Axis(1), columns));
    let y = Labels::Classes(rows.1.clone());
    let sample = Sample::new(&x, &y, n_classes).unwrap();
    let model = GaussianNb::params().fit_sample(&sample, 0).unwrap();
    let said = model
        .predict(&target.select(Axis(1), columns).into())
        .unwrap();
    let classes = said.labels.classes("test").unwrap().clone();
    let p = said.scores.unwrap().matrix().clone();
    let sure = classes
        .indexed_iter()
        .map(|(row, &class)| p[[row, class]])
        .collect();
    (classes, sure)
}

/// The share of variance between classes, by what is left within them.
fn ratio(rows: &Rows, column: usize, n_classes: usize) -> f64 {
    let squares = |own: Vec<f64>| {
        let mean = own.iter().sum::<f64>() / own.len() as f64;
        own.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
    };
    let of = |wanted: &dyn Fn(usize) -> bool| -> Vec<f64> {
        (0..rows.1.len())
            .filter(|&row| wanted(row))
            .map(|row| rows.0[[row, column]])
            .collect()
    };
    let within: f64 = (0..n_classes)
        .map(|class| squares(of(&|row| rows.1[row] == class)))
        .sum();
    1.0 - within / squares(of(&|_| true))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn each_view_labels_rows_for_both(
        n_classes in 2usize..4,
        n_known in 0usize..5,
        n_rounds in 1usize..5,
        portion in 0.0f64..1.0,
        threshold in 0.0f64..1.0,
        moved in -0.8f64..0.8,
        seed in 0u64..1000,
    ) {
        let mut rng = seed::rng(seed);
        let source = drawn(36, n_classes, 0.0, &mut rng);
        let target = drawn(27, n_classes, moved, &mut rng);
        let problem = problem(&source, &target, n_known, n_classes);
        let method = CoTrainingParams::default()
            .n_rounds(n_rounds)
            .portion(portion)
            .threshold(threshold)
            .learner(GaussianNb::params());
        let fitted = method.fit(&problem, 0).unwrap();

        let with = |rows: &Rows, more: &[usize], classes: &[usize]| -> Rows {
            let x = ndarray::concatenate(Axis(0), &[rows.0.view(), target.0.select(Axis(0), more).view()]).unwrap();
            (x, rows.1.iter().chain(classes).copied().collect())
        };
        let first: Vec<usize> = (0..n_known).collect();
        let known = with(&source, &first, &target.1.to_vec()[..n_known]);
        let free: Vec<usize> = (n_known..27).collect();
        let unlabelled = target.0.select(Axis(0), &free);
        let mut rows = known.clone();
        let (mut taken, mut disputed) = (Vec::new(), Vec::new());
        for t in 1..=n_rounds {
            let mut order: Vec<usize> = (0..5).collect();
            order.sort_by(|&a, &b| ratio(&rows, b, n_classes).total_cmp(&ratio(&rows, a, n_classes)));
            let views = [vec![order[0], order[3], order[4]], vec![order[1], order[2]]];
            let of_views = views.map(|mut columns| {
                columns.sort_unstable();
                let (classes, sure) = told(&rows, &columns, &unlabelled, n_classes);
                let takes = |row: usize| {
                    let peers = (0..free.len()).filter(|&other| classes[other] == classes[row]);
                    let peers: Vec<usize> = peers.collect();
                    let surer = peers.iter().filter(|&&other| sure[other] > sure[row] + 1e-9).count();
                    let budget = portion * t as f64 / n_rounds as f64 * peers.len() as f64;
                    (surer as f64) < budget - 1e-9 && sure[row] >= threshold
                };
                (0..free.len()).map(|row| takes(row).then_some(classes[row])).collect::<Vec<_>>()
            });
            let (mut agreed, mut classes, mut apart) = (Vec::new(), Vec::new(), 0.0);
            for row in 0..free.len() {
                match (of_views[0][row], of_views[1][row]) {
                    (Some(a), Some(b)) if a != b => apart += 1.0,
                    (Some(class), _) | (None, Some(class)) => {
                        agreed.push(free[row]);
                        classes.push(class);
                    }
                    (None, None) => {}
                }
            }
            taken.push(agreed.len() as f64);
            disputed.push(apart);
            rows = with(&known, &agreed, &classes);
        }
        prop_assert_eq!(&fitted.trace.series["taken"], &taken);
        prop_assert_eq!(&fitted.trace.series["disputed"], &disputed);
        let (classes, _) = told(&rows, &[0, 1, 2, 3, 4], &target.0, n_classes);
        let said = fitted.model.predict(problem.target_features()).unwrap();
        prop_assert_eq!(said.labels, Labels::Classes(classes));
    }
}

#[test]
fn without_rows_to_take_it_is_the_baseline() {
    let mut rng = seed::rng(1);
    let (source, target) = (drawn(30, 2, 0.0, &mut rng), drawn(20, 2, 0.5, &mut rng));
    let answers = |fitted: Fitted| fitted.model.predict(&target.0.clone().into()).unwrap();
    let none = problem(&source, &target, 0, 2);
    let method = CoTrainingParams::default().portion(0.0);
    assert_eq!(
        answers(method.fit(&none, 5).unwrap()),
        answers(SourceOnly::params().fit(&none, 5).unwrap())
    );
    let all = problem(&source, &target, 20, 2);
    let fitted = CoTrainingParams::default().fit(&all, 5).unwrap();
    assert!(fitted.trace.series["taken"].is_empty());
    assert_eq!(
        answers(fitted),
        answers(Pooled::params().fit(&all, 5).unwrap())
    );
}

#[test]
fn one_column_is_no_two_views() {
    let mut rng = seed::rng(2);
    let one = |rows: Rows| (rows.0.select(Axis(1), &[0]), rows.1);
    let (source, target) = (
        one(drawn(20, 2, 0.0, &mut rng)),
        one(drawn(10, 2, 0.0, &mut rng)),
    );
    let error = CoTrainingParams::default()
        .fit(&problem(&source, &target, 0, 2), 0)
        .unwrap_err();
    assert!(
        matches!(&error, TransferError::Unsupported { has, .. } if has == "1"),
        "{error}"
    );
}
