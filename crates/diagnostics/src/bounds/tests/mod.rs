mod adaptation;
mod distances;
mod proxy_a_distance;

use ndarray::{Array1, Array2};
use translearn_core::{Domain, Features, LabelSpace, Labels, Task, TransferProblem, seed};

/// Two domains of two classes; the labels of the first target rows are known.
fn problem(
    source: (Array2<f64>, Array1<usize>),
    target: (Array2<f64>, Array1<usize>),
) -> TransferProblem {
    let space = LabelSpace::numbered(2);
    let domain = |name: &str, rows: Array2<f64>| Domain {
        name: name.to_owned(),
        features: rows.into(),
    };
    let known = (0..target.1.len()).collect();
    TransferProblem::from_parts(
        vec![(
            domain("source", source.0),
            Task::labelled(space.clone(), Labels::Classes(source.1)),
        )],
        (
            domain("target", target.0),
            Task::partly_labelled(space, known, Labels::Classes(target.1)),
        ),
    )
    .unwrap()
}

fn normal(n: usize, d: usize, shift: f64, rng: &mut seed::Rng) -> Features {
    Array2::from_shape_simple_fn((n, d), || shift + rng.normal()).into()
}

/// Numbers that Python wrote.
fn fixture() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../tests/fixtures/bounds.json")).unwrap()
}
