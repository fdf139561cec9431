//! A target label that is not part of the problem changes nothing: from files to predictions, through the preparation of
//! experiments, with the parameters chosen on a grid.

use std::fmt::Write;

use translearn_core::{Features, Labels, MethodEntry, Outputs, ParamRange, Registry};
use translearn_data::generate::{CovariateShiftRegression, RotatedGaussians};
use translearn_experiment::{
    Status, plan,
    prepare::PreparedTask,
    spec::Spec,
    trial::{self, Predictions},
};

use super::SEED;
use crate::{Outcome, compare::identical, subjects::components};

pub(super) fn target_label_blind(registry: &Registry, entry: &MethodEntry) -> Vec<String> {
    // The known labels are drawn from the target's file, so there only those of the test part can be changed.
    let settings: &[(&str, bool)] = match entry.info.needs.target_labels {
        true => &[("labels of the test part", true)],
        false => &[
            ("labels of the test part", true),
            ("labels of the target", false),
        ],
    };
    let check = |&(what, labelled): &(&str, bool)| {
        let outcome = one(registry, entry, labelled);
        outcome
            .err()
            .map(|error| format!("{}: {what} changed: {error}", entry.info.name))
    };
    settings.iter().filter_map(check).collect()
}

fn one(registry: &Registry, entry: &MethodEntry, labelled: bool) -> Outcome {
    let truth = run(registry, entry, labelled, 0)?;
    let lies = run(registry, entry, labelled, 1)?;
    if truth.labels == lies.labels {
        return Err("the labels that score are the same: nothing was tried".into());
    }
    identical(&truth.prediction, &lies.prediction)
}

/// Whether the method is tried on real labels: where it serves no classes.
fn of_values(entry: &MethodEntry) -> bool {
    entry.info.needs.outputs == Outputs::Regression
}

/// Predictions with the labels that score turned by `turn`: other classes, larger values.
fn run(
    registry: &Registry,
    entry: &MethodEntry,
    labelled: bool,
    turn: usize,
) -> Outcome<Predictions> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, (x, y): (&Features, &Labels), turn: usize| -> Outcome {
        std::fs::write(folder.path().join(name), table(x, y, turn)?)?;
        Ok(())
    };
    let (n_source, n_target) = (67, 72);
    let drawn = match of_values(entry) {
        false => RotatedGaussians {
            n_source,
            n_target,
            angle: 15.0,
            ..RotatedGaussians::default()
        }
        .generate(SEED)?,
        true => CovariateShiftRegression {
            n_source,
            n_target,
            n_features: 2,
            ..CovariateShiftRegression::default()
        }
        .generate(SEED)?,
    };
    let (first, last): (Vec<usize>, Vec<usize>) = (0..72).partition(|&row| row < 43);
    let pick = |rows: &[usize]| {
        (
            drawn.target.0.select_rows(rows),
            drawn.target.1.select(rows),
        )
    };
    let (target, test) = (pick(&first), pick(&last));
    write("source.csv", (&drawn.source.0, &drawn.source.1), 0)?;
    write(
        "target.csv",
        (&target.0, &target.1),
        if labelled { 0 } else { turn },
    )?;
    write("test.csv", (&test.0, &test.1), turn)?;

    let spec = Spec::parse(
        &text(entry, labelled),
        &folder.path().join("blind.toml"),
        registry,
    )?;
    let plan = plan::plan(&spec, registry)?;
    let [of_method] = plan.trials.as_slice() else {
        return Err(format!("{} trials", plan.trials.len()).into());
    };
    let prepared = PreparedTask::of(of_method)?;
    match trial::run(of_method, registry, &prepared) {
        (record, Some(predictions)) if record.status == Status::Ok => Ok(predictions),
        (record, _) => {
            Err(format!("{:?}: {}", record.status, record.error.unwrap_or_default()).into())
        }
    }
}

/// The method with a grid of two values for its first positive parameter, so that the choice is looked at too.
fn text(entry: &MethodEntry, labelled: bool) -> String {
    let (output, draw) = match of_values(entry) {
        false => ("classification", "per_class = 4"),
        true => ("regression", "count = 12"),
    };
    let mut text = format!(
        "schema = 1\nname = 'blind'\nbaselines = false\n[[task]]\nname = 't'\noutput = '{output}'\n\
         source = {{ file = 'source.csv', label = 'y' }}\n"
    );
    text += &match labelled {
        true => format!(
            "target = {{ file = 'target.csv', label = 'y', test = 'test.csv' }}\nlabelled = {{ {draw} }}\n"
        ),
        false => "target = { file = 'target.csv', label = 'y' }\n".to_owned(),
    };
    let mut line = |name: &str, value: &str| {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name} = {value}");
    };
    line("[[method]]\nuse", &format!("'{}'", entry.info.name));
    for (name, value) in components(entry.info.parameters, 2) {
        line(&name, &value.to_string());
    }
    let grid = entry.info.parameters.iter().find_map(|info| {
        let positive = matches!(
            info.range,
            ParamRange::Positive | ParamRange::PositiveOrAuto
        );
        let default = info.default.parse::<f64>().ok()?;
        (positive && info.name != "tolerance").then_some((info.name, default))
    });
    if let Some((name, default)) = grid {
        line(name, &format!("[{:?}, {:?}]", default, 2.0 * default));
    }
    text
}

fn table(x: &Features, y: &Labels, turn: usize) -> Outcome<String> {
    let mut text = String::from("x0,x1,y\n");
    for (row, values) in x.dense()?.outer_iter().enumerate() {
        write!(text, "{:?},{:?},", values[0], values[1])?;
        match y {
            Labels::Classes(codes) => writeln!(text, "c{}", (codes[row] + turn) % 3)?,
            Labels::Values(labels) => writeln!(text, "{:?}", labels[row] + turn as f64)?,
        }
    }
    Ok(text)
}
