//! The transfer graph of the 139 schools: what it is worth to transfer along its edges, and across them.
//!
//! The data come from `TRANSLEARN_MIRROR` or the cache; where they are not, the test says that it is skipped.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::borrow::Cow;
use std::io::Write;

use ndarray::Array1;
use translearn_assets::Place;
use translearn_core::{Labelled, Labels, seed};
use translearn_data::catalog;
use translearn_diagnostics::interval::over_splits;
use translearn_diagnostics::relatedness::{
    Dendrogram, SplitTasks, TransferGraph, TransferMeasurement,
};

/// Rows and scores of each school.
fn schools() -> Option<Vec<Labelled<'static>>> {
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
    let labelled = |(x, y)| Labelled {
        features: Cow::Owned(ndarray::Array2::into(x)),
        labels: Cow::Owned(Labels::Values(y)),
    };
    let tasks = set.tasks(&cache).unwrap().tasks;
    Some(tasks.into_iter().map(labelled).collect())
}

/// Figures in the documentation of the transfer graph, in percent: nothing, along the edges, across them, from all.
const STATED: [f64; 4] = [32.20, 32.52, 32.92, 32.78];

#[test]
fn transfer_along_and_across_the_edges_of_the_schools() {
    let Some(schools) = schools() else {
        return;
    };
    let measurement = TransferMeasurement::default();
    let mut gained = Vec::new();
    let mut shape = Vec::new();
    for number in 0..10_u64 {
        // As `cargo xtask relate school` draws them.
        let of_split = seed::derive(0, &["school", "split", &number.to_string()]);
        let split = SplitTasks::draw(&schools, 0.75, of_split).unwrap();
        let measured = measurement.measure(&split.taught, of_split).unwrap();
        let worth = measurement
            .worth_of_edges(&split, &measured)
            .unwrap()
            .explained;
        gained.push([worth.nothing, worth.along, worth.across, worth.all].map(|r2| 100.0 * r2));
        let graph = TransferGraph::new(&measured.gains).unwrap();
        let reliability = measurement.reliability(&split.taught, of_split).unwrap();
        let edges = graph.weights().iter().filter(|&&weight| weight > 0.0);
        let edges = edges.count() as f64 / 139.0;
        let tree = Dendrogram::average_linkage(&graph.distances()).unwrap();
        let (groups, silhouette) = tree.best_cut(&graph.distances()).unwrap();
        let n_groups = groups.iter().max().unwrap() + 1;
        shape.push([edges, reliability.unwrap(), n_groups as f64, silhouette]);
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
    let differences: Vec<f64> = gained.iter().map(|of| of[1] - of[2]).collect();
    println!(
        "along less across: {:?}",
        over_splits(&differences, 0.25, 0.95).unwrap()
    );
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
