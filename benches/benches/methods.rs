//! Our side alone, on sizes that take milliseconds, to see a regression: `cargo xtask bench --alone`.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot run has nothing to report"
)]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use translearn_benches::{CASES, Inputs, Settings, prepare};

/// Source rows, target rows, columns and classes.
fn size(case: &str) -> (usize, usize, usize, usize) {
    match case {
        "coral" | "sa" | "tca-nystroem" => (1000, 1000, 100, 2),
        "tca" | "kmm" | "kmm-frank-wolfe" | "jda" | "kliep" | "ulsif" | "mmd-test" | "otdd" => {
            (300, 300, 20, 2)
        }
        "emd" | "sinkhorn" | "sinkhorn-small" => (300, 300, 20, 2),
        "tradaboost" => (1000, 50, 20, 2),
        _ => (4000, 10, 20, 5),
    }
}

fn methods(criterion: &mut Criterion) {
    for name in CASES {
        let (n_source, n_target, n_columns, n_classes) = size(name);
        let inputs = Inputs::draw(n_source, n_target, n_columns, n_classes);
        let case = prepare(name, inputs).expect("a case of the list");
        let id = format!("{name}/{n_source}+{n_target}x{n_columns}");
        criterion.bench_function(&id, |bencher| {
            bencher.iter_custom(|rounds| {
                (0..rounds)
                    .map(|_| {
                        case.run(Settings::default())
                            .expect("a solvable problem")
                            .elapsed
                    })
                    .sum::<Duration>()
            });
        });
    }
}

criterion_group!(benches, methods);
criterion_main!(benches);
