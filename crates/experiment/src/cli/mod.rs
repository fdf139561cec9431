//! The command line over a registry.

mod device;
mod diagnose;
mod list;
mod methods_table;
mod output;
mod plan;
mod relate;
mod report;
mod run;
mod spec_file;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use translearn_core::Registry;

use crate::worker;
use output::complain;

/// Plan, run and report transfer-learning experiments.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Plan(plan::Arguments),
    Report(report::Arguments),
    Diagnose(diagnose::Arguments),
    Relate(relate::Arguments),
    List(list::Arguments),
    /// Print the methods as the Markdown table of the README.
    MethodsTable,
    /// Answer trials on standard input; started by `run`.
    #[command(name = worker::ARGUMENT, hide = true)]
    Worker,
}

/// The whole command line of `translearn-experiment` over a registry: what `main` of one's own binary calls, so that a
/// method of one's own is run against all the others, in worker processes, with limits, shards and reports.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     translearn_experiment::main_with(translearn_classical::registry()) // .with::<MyMethod>()
/// }
/// ```
///
/// Worker processes are this same program started again with the argument `worker`, so call it first in `main`.
///
/// | exit status | meaning |
/// |---|---|
/// | 0 | every trial is `ok` or `unsupported` |
/// | 1 | some trial is `failed` or `timeout` |
/// | 2 | specification, data, result folder or command line unusable; the reason is on standard error |
/// | 130 | stopped by Ctrl-C or SIGTERM; the same command goes on from there |
#[must_use]
pub fn main_with(registry: Registry) -> ExitCode {
    let mut command = Arguments::command();
    if std::env::var_os("TRANSLEARN_WORKSPACE").is_some() {
        command = command.bin_name("cargo xtask experiment");
    }
    let arguments = match Arguments::from_arg_matches(&command.get_matches()) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let done = match &arguments.command {
        Command::Run(arguments) => run::run(arguments, &registry),
        Command::Plan(arguments) => plan::run(arguments, &registry),
        Command::Report(arguments) => report::run(arguments),
        Command::Diagnose(arguments) => diagnose::run(arguments, &registry),
        Command::Relate(arguments) => relate::run(arguments),
        Command::List(arguments) => list::run(arguments, &registry),
        Command::MethodsTable => methods_table::run(&registry),
        Command::Worker => Ok(worker::serve(&registry)),
    };
    done.unwrap_or_else(|error| {
        complain(&format!("error: {}", in_words(&error)));
        ExitCode::from(2)
    })
}

/// The error and its causes, each said once: many errors name their cause themselves.
fn in_words(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !words.contains(&cause) {
            words.push_str(": ");
            words.push_str(&cause);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_cause_is_said_once() {
        let file = translearn_data::DataError::io("open", "a.csv".as_ref());
        let error = anyhow::Error::from(file(std::io::Error::other("no such thing")));
        assert_eq!(in_words(&error), "cannot open `a.csv`: no such thing");
        let outer = error.context("the source");
        assert_eq!(
            in_words(&outer),
            "the source: cannot open `a.csv`: no such thing"
        );
    }

    #[test]
    fn bad_arguments_are_refused_with_a_reason() {
        let refuse = |line: &str| {
            let words = std::iter::once("x").chain(line.split(' '));
            Arguments::try_parse_from(words).unwrap_err().to_string()
        };
        assert!(refuse("run").contains("<SPEC>"));
        assert!(refuse("run a --jobs 0").contains("zero"));
        assert!(refuse("run a --jobs many").contains("many"));
        assert!(
            refuse("run a --shard 2/2")
                .contains("a shard is I/N with I from 0 to N - 1, found `2/2`")
        );
        let no_such_card = refuse("run a --device cuda:99");
        if cfg!(feature = "deep") {
            assert!(no_such_card.contains("cuda:99"), "{no_such_card}");
        } else {
            assert!(no_such_card.contains("this build has no CUDA; use --device cpu"));
        }
        assert!(refuse("run a --device gpu").contains("cpu, cuda or cuda:K"));
        assert!(refuse("run a --fres").contains("--fresh"));
        assert!(refuse("report").contains("<DIR>"));
        assert!(refuse("relate").contains("<DATA>"));
        assert!(refuse("relate school --splits 1").contains("a whole number from 2 on"));
        assert!(refuse("relate school --rows five").contains("a whole number from 6 on"));
        assert!(refuse("list metods").contains("methods"));
        assert!(refuse("pln a").contains("plan"));
    }
}
