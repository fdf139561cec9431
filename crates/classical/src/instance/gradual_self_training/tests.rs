use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;
use translearn_core::{
    Domain, Features, Fitted, LabelSpace, Labels, Task, TransferMethod, TransferProblem,
    distance::squared_distances, seed,
};
use translearn_learners::{GaussianNb, Logistic};
use translearn_transport::emd;

use super::GradualSelfTrainingParams;
use crate::SourceOnly;
use crate::instance::tests::problem;

fn domain(name: &str, x: Array2<f64>) -> Domain {
    Domain {
        name: name.to_owned(),
        features: x.into(),
    }
}

/// A problem whose source has these labels, with domains on the way and a target.
fn with_way(
    source: (Array2<f64>, Array1<usize>),
    way: Vec<Array2<f64>>,
    target: Array2<f64>,
) -> TransferProblem {
    let space = LabelSpace::numbered(2);
    let labelled = Task::labelled(space.clone(), Labels::Classes(source.1));
    let between = way
        .into_iter()
        .map(|x| (domain("way", x), Task::unlabelled(space.clone())));
    let sources = std::iter::once((domain("source", source.0), labelled)).chain(between);
    TransferProblem::from_parts(
        sources.collect(),
        (domain("target", target), Task::unlabelled(space.clone())),
    )
    .unwrap()
}

fn answers(fitted: &Fitted, rows: &Array2<f64>) -> Array1<usize> {
    let said = fitted.model.predict(&Features::from(rows.clone())).unwrap();
    said.labels.classes("test").unwrap().clone()
}

/// The method in one go: answers of a model fitted on some rows, for others, the surest of each class, and again.
fn by_hand(
    source: (Array2<f64>, Array1<usize>),
    way: &[Array2<f64>],
    portion: f64,
) -> (Vec<f64>, Fitted) {
    let (mut rows, mut labels, mut taken) = (source.0, source.1, Vec::new());
    let fit = |rows: &Array2<f64>, labels: &Array1<usize>| {
        let alone = with_way((rows.clone(), labels.clone()), Vec::new(), rows.clone());
        let method = SourceOnly::params().learner(GaussianNb::params());
        method.fit(&alone, 0).unwrap()
    };
    for domain in way {
        let model = fit(&rows, &labels);
        let said = model.model.predict(&domain.clone().into()).unwrap();
        let sure = said.scores.as_ref().unwrap().matrix().clone();
        let said = said.labels.classes("test").unwrap().clone();
        let kept = |&row: &usize| {
            let peers: Vec<usize> = (0..said.len())
                .filter(|&other| said[other] == said[row])
                .collect();
            let surer =
                |&&other: &&usize| sure[[other, said[other]]] > sure[[row, said[row]]] + 1e-9;
            let rank = peers.iter().filter(surer).count();
            (rank as f64) < portion * peers.len() as f64 - 1e-9
        };
        let keep: Vec<usize> = (0..said.len()).filter(kept).collect();
        let of_kept = said.select(Axis(0), &keep);
        if of_kept.iter().all(|&class| class == of_kept[0]) {
            taken.push(0.0);
            continue;
        }
        taken.push(keep.len() as f64);
        (rows, labels) = (domain.select(Axis(0), &keep), of_kept);
    }
    (taken, fit(&rows, &labels))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn each_domain_is_learned_from_the_answers_of_the_one_before(n_way in 1usize..4, portion in 0.3f64..1.0, seed in 0u64..1000) {
        let drawn = problem(40, 30, 0, seed);
        let source = drawn.source().unwrap();
        let x = source.features.dense().unwrap().into_owned();
        let y = source.labels.classes("test").unwrap().clone();
        let target = drawn.target_features().dense().unwrap().into_owned();
        let mut rng = seed::rng(seed);
        let mut way: Vec<Array2<f64>> = (0..n_way)
            .map(|step| Array2::from_shape_simple_fn((25, 2), || 0.1 * step as f64 + rng.normal()))
            .collect();
        let problem = with_way((x.clone(), y.clone()), way.clone(), target.clone());
        let method = GradualSelfTrainingParams::default().portion(portion).learner(GaussianNb::params());
        let fitted = method.fit(&problem, 0).unwrap();
        way.push(target.clone());
        let (taken, naive) = by_hand((x, y), &way, portion);
        prop_assert_eq!(&fitted.trace.series["taken"], &taken);
        prop_assert_eq!(answers(&fitted, &target), answers(&naive, &target));
    }

    #[test]
    fn a_way_is_made_along_the_plan(n_target in 20usize..35, n_steps in 1usize..5, seed in 0u64..1000) {
        let drawn = problem(30, n_target, 0, seed);
        let source = drawn.source().unwrap();
        let x = source.features.dense().unwrap().into_owned();
        let y = source.labels.classes("test").unwrap().clone();
        let target = drawn.target_features().dense().unwrap().into_owned();
        let method = GradualSelfTrainingParams::default().n_steps(n_steps).learner(GaussianNb::params());
        let fitted = method.fit(&drawn, 0).unwrap();
        let cost = squared_distances(&x.clone().into(), &target.clone().into()).unwrap();
        let mass = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
        let plan = emd(&cost, &mass(30), &mass(n_target)).unwrap().plan.dense();
        let way: Vec<Array2<f64>> = (1..=n_steps)
            .map(|step| {
                let share = step as f64 / n_steps as f64;
                Array2::from_shape_fn((n_target, 2), |(j, c)| {
                    let sent: f64 = (0..30).map(|i| plan[[i, j]] * x[[i, c]]).sum();
                    (1.0 - share) * sent * n_target as f64 + share * target[[j, c]]
                })
            })
            .collect();
        let (taken, naive) = by_hand((x, y), &way, 0.9);
        prop_assert_eq!(&fitted.trace.series["taken"], &taken);
        prop_assert_eq!(answers(&fitted, &target), answers(&naive, &target));
    }
}

/// Two classes side by side, turned by an angle.
fn turned(n: usize, degrees: f64, seed: u64) -> (Array2<f64>, Array1<usize>) {
    let mut rng = seed::rng(seed);
    let y: Array1<usize> = (0..n).map(|row| row % 2).collect();
    let (sin, cos) = degrees.to_radians().sin_cos();
    let mut x = Array2::zeros((n, 2));
    for (row, &class) in y.indexed_iter() {
        let (along, across) = (4.0 * class as f64 - 2.0 + 0.5 * rng.normal(), rng.normal());
        x[[row, 0]] = cos * along - sin * across;
        x[[row, 1]] = sin * along + cos * across;
    }
    (x, y)
}

#[test]
fn a_turn_is_followed_in_small_steps_that_is_too_far_for_one() {
    let source = turned(200, 0.0, 1);
    let (target, truth) = turned(200, 120.0, 2);
    let right = |way: Vec<Array2<f64>>| {
        let problem = with_way(source.clone(), way, target.clone());
        let method = GradualSelfTrainingParams::default()
            .n_steps(1)
            .learner(Logistic::params());
        let said = answers(&method.fit(&problem, 0).unwrap(), &target);
        let same = said.iter().zip(&truth).filter(|(a, b)| a == b).count();
        same as f64 / 200.0
    };
    let way = (1..6).map(|step| turned(200, 20.0 * f64::from(step), 2 + step as u64).0);
    let (gradual, at_once) = (right(way.collect()), right(Vec::new()));
    assert!(gradual > 0.98 && at_once < 0.5, "{gradual}, {at_once}");
}

#[test]
fn a_domain_of_one_class_is_passed_over() {
    let (x, y) = turned(40, 0.0, 1);
    let one_sided = Array2::from_shape_fn((10, 2), |(row, _)| 5.0 + row as f64);
    let with = with_way((x.clone(), y.clone()), vec![one_sided], x.clone());
    let without = with_way((x.clone(), y), Vec::new(), x.clone());
    let method = GradualSelfTrainingParams::default().n_steps(1);
    let (with, without) = (
        method.fit(&with, 0).unwrap(),
        method.fit(&without, 0).unwrap(),
    );
    assert_eq!(with.trace.series["taken"][0], 0.0);
    assert_eq!(answers(&with, &x), answers(&without, &x));
    assert_eq!(
        with.trace.series["taken"][1],
        without.trace.series["taken"][0]
    );
}
