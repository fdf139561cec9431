//! `translearn-experiment`: the experiment runner with the methods of this workspace.

use std::process::ExitCode;

use translearn_core::Registry;

fn main() -> ExitCode {
    translearn_experiment::main_with(registry())
}

#[cfg(not(feature = "deep"))]
fn registry() -> Registry {
    translearn_classical::registry()
}

/// Those over libtorch come last.
#[cfg(feature = "deep")]
fn registry() -> Registry {
    let (classical, deep) = (
        translearn_classical::registry(),
        translearn_deep::registry(),
    );
    Registry::new(
        [classical.methods(), deep.methods()].concat(),
        [classical.learners(), deep.learners()].concat(),
    )
}
