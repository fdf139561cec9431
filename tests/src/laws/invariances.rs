//! What must not change a prediction.

use translearn_core::{
    Domain, LabelSpace, Labels, Prediction, Scores, Task, TransferError, TransferProblem, seed,
};

use super::{SEED, fit};
use crate::{
    Outcome,
    cases::Case,
    compare::{ROUNDING, close, identical, score},
    subjects::Subject,
};

/// Largest distance of a source weight from 1 where there is nothing to weigh.
const WEIGHT: f64 = 1e-6;

/// Source and target are one sample: rows of both sides are treated alike, no source row counts for more, and classes
/// that can be told apart without transfer are told apart the same with it.
pub(super) fn identical_domains(subject: &Subject, case: &Case) -> Outcome {
    let fitted = fit(subject, &case.problem)?;
    for rows in [case.problem.target_features(), &case.test] {
        let as_target = fitted.model.predict(rows)?;
        close(&as_target, &fitted.model.predict_source(rows)?, ROUNDING)?;
        if case.problem.n_classes() > 0 {
            let without = subject
                .without
                .fit(&case.problem, SEED)?
                .model
                .predict(rows)?;
            let agree = score(&as_target.labels, &without.labels);
            if agree < 1.0 {
                return Err(format!("{agree:.3} of the labels are those without transfer").into());
            }
        }
    }
    if let Some(weights) = &fitted.trace.source_weights {
        let worst = weights
            .iter()
            .fold(0.0_f64, |worst, weight| worst.max((weight - 1.0).abs()));
        if worst > WEIGHT {
            return Err(format!("a source weight is {worst:e} from 1").into());
        }
    }
    Ok(())
}

pub(super) fn row_permutation(subject: &Subject, case: &Case) -> Outcome {
    let original = fit(subject, &case.problem)?.model.predict(&case.test)?;
    let mut rng = seed::rng(21);
    let shuffled = |domain: &Domain, task: &Task| {
        let order = rng.permutation(domain.features.n_rows());
        let place_of: Vec<usize> = {
            let mut places = vec![0; order.len()];
            order
                .iter()
                .enumerate()
                .for_each(|(place, &row)| places[row] = place);
            places
        };
        let mut known: Vec<(usize, usize)> = task
            .rows
            .iter()
            .enumerate()
            .map(|(label, &row)| (place_of[row], label))
            .collect();
        known.sort_unstable();
        let (rows, labels): (Vec<usize>, Vec<usize>) = known.into_iter().unzip();
        let task = Task::partly_labelled(task.space.clone(), rows, task.labels.select(&labels));
        (
            Domain {
                name: domain.name.clone(),
                features: domain.features.select_rows(&order),
            },
            task,
        )
    };
    let problem = rebuilt(&case.problem, shuffled)?;
    close(
        &original,
        &fit(subject, &problem)?.model.predict(&case.test)?,
        ROUNDING,
    )
}

/// Class codes are turned by one, and the predictions must turn with them.
pub(super) fn label_renaming(subject: &Subject, case: &Case) -> Outcome {
    let n_classes = case.problem.n_classes();
    if n_classes == 0 {
        return Ok(());
    }
    let rename = |code: usize| (code + 1) % n_classes;
    let renamed = |labels: &Labels| match labels {
        Labels::Classes(codes) => Labels::Classes(codes.mapv(rename)),
        Labels::Values(values) => Labels::Values(values.clone()),
    };
    let mut prediction = fit(subject, &case.problem)?.model.predict(&case.test)?;
    let problem = rebuilt(&case.problem, |domain: &Domain, task: &Task| {
        let space = match &task.space {
            LabelSpace::Classes(names) => LabelSpace::Classes(
                (0..n_classes)
                    .map(|code| names[(code + n_classes - 1) % n_classes].clone())
                    .collect(),
            ),
            LabelSpace::Real => LabelSpace::Real,
        };
        (
            domain.clone(),
            Task::partly_labelled(space, task.rows.clone(), renamed(&task.labels)),
        )
    })?;
    prediction.labels = renamed(&prediction.labels);
    if let Some(Scores::Probabilities(scores) | Scores::Decision(scores)) = &mut prediction.scores {
        let original = scores.clone();
        for code in 0..n_classes {
            scores
                .column_mut(rename(code))
                .assign(&original.column(code));
        }
    }
    close(
        &prediction,
        &fit(subject, &problem)?.model.predict(&case.test)?,
        ROUNDING,
    )
}

pub(super) fn seed_determinism(subject: &Subject, case: &Case) -> Outcome {
    let on_threads = |threads: usize| -> Outcome<String> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()?;
        pool.install(|| {
            let fitted = fit(subject, &case.problem)?;
            let prediction = fitted.model.predict(&case.test)?;
            Ok(serde_json::to_string(&(&fitted, &prediction))?)
        })
    };
    let one = on_threads(1)?;
    for threads in [1, 4, 3] {
        if on_threads(threads)? != one {
            return Err(format!("model, trace or prediction differ on {threads} thread(s)").into());
        }
    }
    Ok(())
}

pub(super) fn save_load(subject: &Subject, case: &Case) -> Outcome {
    let fitted = fit(subject, &case.problem)?;
    let text = serde_json::to_string(&fitted)?;
    let loaded: translearn_core::Fitted = serde_json::from_str(&text)?;
    if serde_json::to_string(&loaded)? != text {
        return Err("what is loaded is saved as something else".into());
    }
    identical(
        &fitted.model.predict(&case.test)?,
        &loaded.model.predict(&case.test)?,
    )?;
    identical(
        &fitted.model.predict_source(&case.test)?,
        &loaded.model.predict_source(&case.test)?,
    )
}

pub(super) fn single_row(subject: &Subject, case: &Case) -> Outcome {
    let model = fit(subject, &case.problem)?.model;
    let batch = model.predict(&case.test)?;
    for row in 0..case.test.n_rows() {
        let alone = model.predict(&case.test.select_rows(&[row]))?;
        let scores = |prediction: &Prediction| {
            prediction
                .scores
                .as_ref()
                .map(|scores| scores.matrix().clone())
        };
        let of_batch = scores(&batch).map(|scores| scores.row(row).to_owned());
        let of_one = scores(&alone).map(|scores| scores.row(0).to_owned());
        let same = match (of_batch, of_one, batch.labels.select(&[row]), &alone.labels) {
            (Some(a), Some(b), ..) => (&a - &b)
                .iter()
                .all(|v| v.abs() <= ROUNDING * a.fold(1.0_f64, |m, v| m.max(v.abs()))),
            (None, None, Labels::Values(a), Labels::Values(b)) => {
                (a[0] - b[0]).abs() <= ROUNDING * a[0].abs().max(1.0)
            }
            (None, None, a, b) => a == *b,
            _ => false,
        };
        if !same {
            return Err(format!("row {row} alone is predicted otherwise than in a batch").into());
        }
    }
    Ok(())
}

fn rebuilt(
    problem: &TransferProblem,
    mut change: impl FnMut(&Domain, &Task) -> (Domain, Task),
) -> Result<TransferProblem, TransferError> {
    let sources = problem
        .sources()
        .iter()
        .map(|(domain, task)| change(domain, task))
        .collect();
    let target = change(problem.target_domain(), problem.target_task());
    TransferProblem::from_parts(sources, target)
}
