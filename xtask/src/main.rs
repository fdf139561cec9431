//! `cargo xtask`: the command line of the workspace.
//!
//! It links none of the crates but `translearn-assets`, so that it builds in seconds and can build and start the others.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line speaks through the terminal"
)]

mod bench;
mod ci;
mod data;
mod experiment;
mod forward;
mod libtorch;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Experiments, data and checks of the translearn workspace.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Experiment(experiment::Arguments),
    /// Say what to transfer from one file to another, whether, and how
    ///
    /// Builds the experiment runner in release mode and hands everything on:
    ///
    ///   cargo xtask diagnose --source old.csv --target new.csv --label y
    #[command(verbatim_doc_comment)]
    Diagnose(forward::Arguments),
    /// Measure which tasks of a data set help each other
    ///
    /// Builds the experiment runner in release mode and hands everything on:
    ///
    ///   cargo xtask relate school
    ///   cargo xtask relate office-caltech10-surf --splits 20
    #[command(verbatim_doc_comment)]
    Relate(forward::Arguments),
    #[command(subcommand)]
    Data(data::Command),
    #[command(subcommand)]
    Libtorch(libtorch::Command),
    Test(test::Arguments),
    Bench(bench::Arguments),
    Ci(ci::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = Workspace::find().and_then(|workspace| match arguments.command {
        Command::Experiment(arguments) => experiment::run(&workspace, &arguments),
        Command::Diagnose(arguments) => forward::run(&workspace, "diagnose", &arguments),
        Command::Relate(arguments) => forward::run(&workspace, "relate", &arguments),
        Command::Data(command) => data::run(&workspace, &command),
        Command::Libtorch(command) => libtorch::run(&workspace, command),
        Command::Test(arguments) => test::run(&workspace, &arguments),
        Command::Bench(arguments) => bench::run(&workspace, &arguments),
        Command::Ci(arguments) => ci::run(&workspace, &arguments),
    });
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn everything_after_experiment_is_handed_on() {
        let line = [
            "cargo xtask",
            "experiment",
            "run",
            "quickstart",
            "--jobs",
            "2",
            "--fresh",
            "--help",
        ];
        let Command::Experiment(arguments) = Arguments::try_parse_from(line).unwrap().command
        else {
            panic!("not the experiment command");
        };
        assert_eq!(arguments.rest, line[2..]);
    }

    #[test]
    fn everything_after_relate_is_handed_on() {
        let line = ["cargo xtask", "relate", "school", "--splits", "3", "--help"];
        let Command::Relate(arguments) = Arguments::try_parse_from(line).unwrap().command else {
            panic!("not the relate command");
        };
        assert_eq!(arguments.rest, line[2..]);
    }

    #[test]
    fn an_unknown_command_is_refused() {
        let error = Arguments::try_parse_from(["cargo xtask", "experimnt"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("experiment"), "{error}");
    }
}
