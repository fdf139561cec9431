//! `relate`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::output::{check_folder, complain, show};
use crate::progress::Steps;
use crate::relate::{Relatedness, TaskSet};
use crate::report::{relatedness_table, write_relatedness};
use crate::run::workspace_target;

/// Measure which tasks of a data set help each other: graph, groups, and what transfer along the edges is worth.
///
/// The tasks are those of a set that holds many (school), or the domains of one (office-caltech10-surf, fsdd). Of each, a
/// quarter of the rows scores what was measured on the others. Writes `relatedness.json` and `relatedness.html`, a page with
/// the graph and the tree of tasks.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A set of the catalogue (see `list data`).
    data: String,
    /// Where the page goes [default: target/relatedness/<DATA>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How often the rows are split anew; intervals are over the splits.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least::<2>)]
    splits: usize,
    /// Of each task no more rows than this are used, drawn at random; they bound time and memory.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least::<6>)]
    rows: usize,
}

fn at_least<const LEAST: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number >= LEAST => Ok(number),
        _ => Err(format!("expected a whole number from {LEAST} on")),
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let folder = match &arguments.out {
        Some(folder) => folder.clone(),
        None => workspace_target().join("relatedness").join(&arguments.data),
    };
    check_folder(&folder)?;
    let set = TaskSet::read(&arguments.data, arguments.rows)?;
    for ((name, rows), task) in set.names.iter().zip(&set.rows).zip(&set.tasks) {
        let used = task.labels.len();
        if used < *rows {
            complain(&format!(
                "note: {used} of the {rows} rows of {name} are used; --rows says how many"
            ));
        }
    }
    if let Some(shared) = &set.shared_rows {
        complain(&format!(
            "warning: {}",
            crate::relate::shared_rows_warning(shared)
        ));
    }
    let mut steps = Steps::new("splits", arguments.splits);
    let found = Relatedness::of(&set, arguments.splits, || steps.done())?;
    drop(steps);
    let page = write_relatedness(&folder, &found)?;
    show(&relatedness_table(&found, &page))?;
    Ok(ExitCode::SUCCESS)
}
