//! The transfer graph of the 139 schools: what it is worth to transfer along its edges, and across them.
//!
//! The data come from `TRANSLEARN_MIRROR` or the cache; where they are not, the test says that it is skipped.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::borrow::Cow;
use std::io::Write;

use ndarray::{Array1, Array2, Axis, concatenate};
use translearn_assets::Place;
use translearn_core::{Labelled, Labels, seed};
use translearn_data::catalog;
use translearn_diagnostics::relatedness::{
    Dendrogram, MeasuredTransfer, TransferGraph, TransferMeasurement,
};

/// Rows and scores of each school.
type Schools = Vec<(Array2<f64>, Array1<f64>)>;

fn schools() -> Option<Schools> {
    let set = catalog::set("school").unwrap();
    let cache = catalog::cache().unwrap();
    let here = |path: &str| {
        let place = cache.place(set.manifest(), path);
        matches!(place, Ok(Place::Mirror(_) | Place::Cache(_)))
    };
    if !set.manifest().files.iter().all(|file| here(&file.path)) {
        assert!(
            cache.mirror().is_none(),
            "the mirror lacks files of `school`"
        );
        let text =
            "skipped: `school` is not here; set TRANSLEARN_MIRROR or `cargo xtask data fetch`\n";
        std::io::stderr().write_all(text.as_bytes()).unwrap();
        return None;
    }
    Some(set.tasks(&cache).unwrap().tasks)
}

/// Three quarters of each school to learn from, the rest to score; columns standardised by the rows that teach.
fn split(schools: &Schools, number: u64) -> (Vec<Labelled<'static>>, Schools) {
    let (taught, scored): (Vec<Vec<usize>>, Vec<Vec<usize>>) = (0..)
        .zip(schools)
        .map(|(school, (_, y)): (usize, _)| {
            let path = ["school", &number.to_string(), &school.to_string()];
            let order = seed::rng(seed::derive(0, &path)).permutation(y.len());
            let (train, test) = order.split_at((0.75 * y.len() as f64).round() as usize);
            (train.to_vec(), test.to_vec())
        })
        .unzip();
    let select = |rows: &[Vec<usize>]| -> Schools {
        (schools.iter().zip(rows))
            .map(|((x, y), rows)| (x.select(Axis(0), rows), y.select(Axis(0), rows)))
            .collect()
    };
    let (mut train, mut test) = (select(&taught), select(&scored));
    let views: Vec<_> = train.iter().map(|(x, _)| x.view()).collect();
    let pooled = concatenate(Axis(0), &views).unwrap();
    let deviations = pooled.std_axis(Axis(0), 0.0);
    let deviations = deviations.mapv(|v| if v > 0.0 { v } else { 1.0 });
    let means = pooled.mean_axis(Axis(0)).unwrap();
    for (x, _) in train.iter_mut().chain(&mut test) {
        *x -= &means;
        *x /= &deviations;
    }
    let labelled = |(x, y): (Array2<f64>, Array1<f64>)| Labelled {
        features: Cow::Owned(x.into()),
        labels: Cow::Owned(Labels::Values(y)),
    };
    (train.into_iter().map(labelled).collect(), test)
}

/// The mean of the other schools' weights, each weighed; 0 where no school weighs anything.
fn mean(measured: &MeasuredTransfer, school: usize, weight: impl Fn(usize) -> f64) -> Array1<f64> {
    let n = measured.parameters.nrows();
    let weights: Array1<f64> = (0..n)
        .map(|other| if other == school { 0.0 } else { weight(other) })
        .collect();
    let sum = weights.sum();
    weights.dot(&measured.parameters) / if sum > 0.0 { sum } else { 1.0 }
}

/// The correlation of the gains, over pairs of schools, between measurements on either half of each school's rows.
fn reliability(train: &[Labelled<'_>], seed: u64) -> f64 {
    let gains = |half: usize| {
        let part = |task: &Labelled<'_>| {
            let rows: Vec<usize> = (half..task.labels.len()).step_by(2).collect();
            Labelled {
                features: Cow::Owned(task.features.select_rows(&rows)),
                labels: Cow::Owned(task.labels.select(&rows)),
            }
        };
        let halves: Vec<Labelled<'_>> = train.iter().map(part).collect();
        let gains = TransferMeasurement::default()
            .measure(&halves, seed)
            .unwrap()
            .gains;
        let pairs = (0..train.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let both: Array1<f64> = pairs.map(|(a, b)| gains[[a, b]] + gains[[b, a]]).collect();
        &both - both.mean().unwrap()
    };
    let (one, other) = (gains(0), gains(1));
    one.dot(&other) / (one.dot(&one) * other.dot(&other)).sqrt()
}

/// Explained variance over the test rows of all schools, in percent, when each school's regression starts from these
/// weights.
fn explained(train: &[Labelled<'_>], test: &Schools, start: impl Fn(usize) -> Array1<f64>) -> f64 {
    let measurement = TransferMeasurement::default();
    let mut errors = 0.0;
    for (school, (x, y)) in test.iter().enumerate() {
        let model = measurement
            .fit(&train[school], start(school).view())
            .unwrap();
        let wrong = y - &model.predict(&x.clone().into()).unwrap();
        errors += wrong.dot(&wrong);
    }
    let all: Array1<f64> = test.iter().flat_map(|(_, y)| y.iter().copied()).collect();
    let total = all.var(0.0) * all.len() as f64;
    100.0 * (1.0 - errors / total)
}

/// Figures in the documentation of the transfer graph: nothing, along the edges, across them, from all.
const STATED: [f64; 4] = [32.85, 33.25, 33.60, 33.47];

#[test]
fn transfer_along_and_across_the_edges_of_the_schools() {
    let Some(schools) = schools() else {
        return;
    };
    let mut gained = Vec::new();
    let mut shape = Vec::new();
    for number in 0..10 {
        let (train, test) = split(&schools, number);
        let measured = TransferMeasurement::default()
            .measure(&train, number)
            .unwrap();
        let graph = TransferGraph::new(&measured.gains).unwrap();
        let w = graph.weights();
        let none = |_| Array1::zeros(measured.parameters.ncols());
        let along = |school| mean(&measured, school, |other| w[[school, other]]);
        let across = |school| {
            mean(&measured, school, |other| {
                f64::from(u8::from(w[[school, other]] == 0.0))
            })
        };
        let all = |school| mean(&measured, school, |_| 1.0);
        gained.push([
            explained(&train, &test, none),
            explained(&train, &test, along),
            explained(&train, &test, across),
            explained(&train, &test, all),
        ]);
        let tree = Dendrogram::average_linkage(&graph.distances()).unwrap();
        let (groups, silhouette) = tree.best_cut(&graph.distances()).unwrap();
        let edges = w.iter().filter(|&&weight| weight > 0.0).count() as f64 / 139.0;
        let n_groups = groups.iter().max().unwrap() + 1;
        shape.push([
            edges,
            reliability(&train, number),
            n_groups as f64,
            silhouette,
        ]);
        assert!(graph.isolated().is_empty());
        assert_eq!(graph.coordinates(2).unwrap().1.dim(), (139, 2));
    }
    let over = |of: &[[f64; 4]], at: usize| {
        let values: Array1<f64> = of.iter().map(|row| row[at]).collect();
        (values.mean().unwrap(), values.std(1.0))
    };
    for (at, name) in ["nothing", "along edges", "across edges", "all schools"]
        .into_iter()
        .enumerate()
    {
        let (mean, deviation) = over(&gained, at);
        println!("explained variance, starting from {name}: {mean:.2} ± {deviation:.2}");
    }
    for (at, name) in ["edges a school", "reliability", "groups", "silhouette"]
        .into_iter()
        .enumerate()
    {
        let (mean, deviation) = over(&shape, at);
        println!("{name}: {mean:.3} ± {deviation:.3}");
    }
    for (at, stated) in STATED.into_iter().enumerate() {
        let found = over(&gained, at).0;
        assert!(
            (found - stated).abs() < 0.02,
            "{found:.2} is stated as {stated}"
        );
    }
    // Schools are related: each split gains by transfer of either kind.
    assert!(
        gained
            .iter()
            .all(|[none, along, across, _]| along > none && across > none)
    );
}
