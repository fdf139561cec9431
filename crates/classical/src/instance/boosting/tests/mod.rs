//! Each boosting against its paper's rounds, written out with plain products.

mod classes;
mod reference;
mod values;

use ndarray::Array1;
use translearn_core::{Domain, Features, Labels, Task, TransferProblem};

/// One source as several: row `i` belongs to source `i mod n_sources`.
fn split(problem: &TransferProblem, n_sources: usize) -> TransferProblem {
    let source = problem.source().unwrap();
    let part = |place: usize| {
        let rows: Vec<usize> = (place..source.labels.len()).step_by(n_sources).collect();
        let domain = Domain {
            name: format!("source {place}"),
            features: source.features.select_rows(&rows),
        };
        let space = problem.label_space().clone();
        (domain, Task::labelled(space, source.labels.select(&rows)))
    };
    let target = (
        problem.target_domain().clone(),
        problem.target_task().clone(),
    );
    TransferProblem::from_parts((0..n_sources).map(part).collect(), target).unwrap()
}

/// Source rows on top of labelled target rows.
fn pooled(problem: &TransferProblem) -> (Features, Labels, usize) {
    let source = problem.source().unwrap();
    let target = problem.target_labelled().unwrap();
    (
        source.features.stack(&target.features).unwrap(),
        source.labels.join(&target.labels).unwrap(),
        source.labels.len(),
    )
}

fn classes(labels: &Labels) -> Array1<usize> {
    labels.classes("test").unwrap().clone()
}

fn values(labels: &Labels) -> Array1<f64> {
    labels.values("test").unwrap().clone()
}

fn wrong(predicted: &Array1<usize>, truth: &Array1<usize>) -> Vec<f64> {
    predicted
        .iter()
        .zip(truth)
        .map(|(p, y)| f64::from(u8::from(p != y)))
        .collect()
}

fn largest_difference(a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    assert_eq!(a.len(), b.len());
    (a - b).fold(0.0_f64, |worst, v| worst.max(v.abs()))
}
