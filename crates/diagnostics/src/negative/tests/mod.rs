mod audit;
mod comparison;
mod gate;
mod vote;

use ndarray::{Array1, Array2};
use translearn_core::{Domain, LabelSpace, Labels, Task, TransferProblem, seed};

/// Normal rows of two classes that differ in the first of three columns; `flip` is the share of labels that are turned round.
fn rows(n: usize, flip: f64, seed: u64) -> (Array2<f64>, Array1<usize>) {
    let mut rng = seed::rng(seed);
    let labels = Array1::from_shape_fn(n, |row| row % 2);
    let x = Array2::from_shape_fn((n, 3), |(row, column)| {
        let mean = if column == 0 {
            2.5 * labels[row] as f64 - 1.25
        } else {
            0.0
        };
        mean + rng.normal()
    });
    let labels = labels.mapv(|class| {
        if rng.uniform() < flip {
            1 - class
        } else {
            class
        }
    });
    (x, labels)
}

/// A source of 120 rows with turned labels, and a target of 80 rows of which the first `n_labelled` are labelled; and the target's
/// true labels.
fn problem(flip: f64, n_labelled: usize, seed: u64) -> (TransferProblem, Labels) {
    let (xs, ys) = rows(120, flip, seed::derive(seed, &["source"]));
    let (xt, yt) = rows(80, 0.0, seed::derive(seed, &["target"]));
    let domain = |name: &str, x: Array2<f64>| Domain {
        name: name.into(),
        features: x.into(),
    };
    let space = LabelSpace::numbered(2);
    let truth = Labels::Classes(yt);
    let known: Vec<usize> = (0..n_labelled).collect();
    let problem = TransferProblem::from_parts(
        vec![(
            domain("source", xs),
            Task::labelled(space.clone(), Labels::Classes(ys)),
        )],
        (
            domain("target", xt),
            Task::partly_labelled(space, known.clone(), truth.select(&known)),
        ),
    )
    .unwrap();
    (problem, truth)
}
