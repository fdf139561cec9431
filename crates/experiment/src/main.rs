//! `translearn-experiment`: the experiment runner with the methods of this workspace.

use std::process::ExitCode;

fn main() -> ExitCode {
    translearn_experiment::main_with(translearn_experiment::registry())
}
