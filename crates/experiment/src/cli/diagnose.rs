//! `diagnose`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use serde_json::Map;
use translearn_core::Registry;
use translearn_data::preprocess::Step;
use translearn_data::read::ReadOptions;
use translearn_diagnostics::advice::Adviser;

use super::output::{check_folder, complain, show};
use crate::prepare::PrepareError;
use crate::question::{Known, Question};
use crate::report::{advice_text, write_advice};
use crate::run::workspace_target;
use crate::spec::Output;

/// What to transfer from one file to another, whether, and how.
///
/// Tests which shift lies between the files, weighs transfer methods on the target rows that have a label, and says what to do: as
/// a table, as a page (advice.html) and as JSON (advice.json).
///
///   cargo xtask diagnose --source old.csv --target new.csv --label y
///
/// Rows of the target whose label is empty count as rows without label; they take part. Categories become columns of 0 and 1.
///
/// Exit status: 0 with any advice, 2 when files or arguments are unusable.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    /// The file of the source; all its rows have a label. csv, tsv, parquet, npy, npz, mat, hdf5, svmlight or idx.
    #[arg(long, value_name = "FILE")]
    source: PathBuf,
    /// The file of the target, of the same form.
    #[arg(long, value_name = "FILE")]
    target: PathBuf,
    /// The column or array of the label.
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// The array of the features, where a file (npz, mat, hdf5) holds several.
    #[arg(long, value_name = "ARRAY")]
    features: Option<String>,
    /// Whether svmlight indices count from 1 [default: unless one of either file is 0].
    #[arg(long, value_name = "true|false")]
    one_based: Option<bool>,
    /// How many features svmlight rows have [default: what the largest index of both files needs].
    #[arg(long, value_name = "N")]
    n_features: Option<usize>,
    /// Which labels of the target are seen: all that are there, none, or so many, drawn by seed.
    #[arg(long, value_name = "N|all|none", default_value = "all")]
    target_labels: Known,
    /// A column to leave out (can be repeated).
    #[arg(long, value_name = "COLUMN")]
    drop: Vec<String>,
    /// classification or regression, where labels are numbers.
    #[arg(long, value_name = "KIND", value_parser = output)]
    output: Option<Output>,
    /// The methods that are looked at, by name and separated by commas (see `list methods`) [default: ten that take seconds].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    methods: Vec<String>,
    /// The learner of all methods (see `list learners`) [default: logistic, for values ridge].
    #[arg(long, value_name = "NAME")]
    learner: Option<String>,
    /// Preprocessing in order, separated by commas.
    #[arg(long, value_name = "STEPS", value_delimiter = ',', default_value = "zscore-pooled", value_parser = step)]
    preprocess: Vec<Step>,
    /// Draws rows and folds.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the page goes [default: target/diagnose].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Notes that are shown of those about columns.
const MOST_NOTES: usize = 8;

pub(super) fn run(arguments: &Arguments, registry: &Registry) -> Result<ExitCode> {
    let folder = arguments
        .out
        .clone()
        .unwrap_or_else(|| workspace_target().join("diagnose"));
    check_folder(&folder)?;
    if let Some(label) = (arguments.label.iter()).find(|label| arguments.drop.contains(label)) {
        bail!("`{label}` is the label and is to be left out; say one of `--label` and `--drop`");
    }
    for name in &arguments.methods {
        registry.method(name)?;
    }
    let question = Question {
        source: arguments.source.clone(),
        target: arguments.target.clone(),
        options: ReadOptions {
            label: arguments.label.clone(),
            drop: arguments.drop.clone(),
            features: arguments.features.clone(),
            one_based: arguments.one_based,
            n_features: arguments.n_features,
            ..ReadOptions::default()
        },
        known: arguments.target_labels,
        output: arguments.output,
        preprocess: arguments.preprocess.clone(),
        seed: arguments.seed,
    };
    let mut adviser = Adviser::default().methods(arguments.methods.clone());
    if let Some(learner) = &arguments.learner {
        adviser = adviser.learner(registry.learner(learner)?.build(Map::new())?);
    }
    let asked = question.read().map_err(|error| match error {
        PrepareError::Output => anyhow!(
            "the labels are numbers, which can be classes or values; say `--output classification` or `--output regression`"
        ),
        error => error.into(),
    })?;
    let problem = &asked.problem;
    for note in asked.notes.iter().take(MOST_NOTES) {
        complain(&format!("note: {note}"));
    }
    if asked.notes.len() > MOST_NOTES {
        let more = asked.notes.len() - MOST_NOTES;
        complain(&format!("note: and {more} more of this kind"));
    }
    complain(&format!(
        "testing {} source and {} target rows for shift, and weighing methods on {} labelled target rows ...",
        problem.sources()[0].0.features.n_rows(),
        problem.target_features().n_rows(),
        problem.target_task().labels.len()
    ));
    let advice = adviser
        .columns(asked.columns)
        .advise(problem, registry, arguments.seed)?;
    let name = |path: &PathBuf| {
        path.file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    };
    let title = format!("{} → {}", name(&arguments.source), name(&arguments.target));
    write_advice(&folder, &title, &advice)
        .with_context(|| format!("cannot write to `{}`", folder.display()))?;
    let page = folder.join("advice.html");
    show(&format!(
        "{}\n{}\n",
        advice_text(&title, &advice),
        page.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

impl FromStr for Known {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            "none" => Ok(Self::Nothing),
            _ => text
                .parse()
                .ok()
                .filter(|&count| count > 0)
                .map(Self::Count)
                .ok_or_else(|| {
                    format!("expected `all`, `none` or a number from 1 on, found `{text}`")
                }),
        }
    }
}

fn output(text: &str) -> Result<Output, String> {
    named(text)
}

fn step(text: &str) -> Result<Step, String> {
    named(text)
}

/// A value as specifications spell it.
fn named<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}
