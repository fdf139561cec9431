//! The cases that are timed, shared by the criterion benches and the comparison with the peers.
//!
//! A [`Case`] holds its inputs. A run takes arrays in and gives a model and transformed or weighted data out, and says
//! how long that took; copies that only the harness needs, and the export of results, lie outside the measured time.

mod diagnostics;
mod inputs;
mod instance;
mod learner;
mod maps;
mod transport;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ndarray::Array2;
use translearn_classical::feature::ComponentKernel;
use translearn_classical::instance::kmm::MeanSolver;

pub use inputs::Inputs;

/// The names of all cases.
pub const CASES: [&str; 19] = [
    "coral",
    "sa",
    "tca",
    "tca-nystroem",
    "jda",
    "meda",
    "kmm",
    "kmm-frank-wolfe",
    "kliep",
    "ulsif",
    "mmd-test",
    "logme",
    "otdd",
    "tradaboost",
    "emd",
    "sinkhorn",
    "sinkhorn-small",
    "logistic",
    "tree",
];

/// Settings that the comparison varies from run to run.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where an iteration stops; the method's own default when absent.
    pub tolerance: Option<f64>,
}

/// Named matrices to be judged.
pub type Outputs = Vec<(&'static str, Array2<f64>)>;

/// One run: how long it took, and what came out.
pub struct Run {
    /// Time from arrays to results.
    pub elapsed: Duration,
    /// Brings the results into the form the judge reads.
    pub export: Box<dyn FnOnce() -> Result<Outputs>>,
}

/// Something to be timed.
pub trait Case {
    /// Runs once.
    ///
    /// # Errors
    /// What the method refuses.
    fn run(&self, settings: Settings) -> Result<Run>;
}

/// The case of this name on these inputs.
///
/// # Errors
/// An unknown name, or inputs the case needs and that are not there.
pub fn prepare(name: &str, inputs: Inputs) -> Result<Box<dyn Case>> {
    Ok(match name {
        "coral" => Box::new(maps::Coral(maps::Domains::new(&inputs)?)),
        "sa" => Box::new(maps::SubspaceAlignment(maps::Domains::new(&inputs)?)),
        "tca" => Box::new(maps::Tca {
            domains: maps::Domains::new(&inputs)?,
            kernel: ComponentKernel::Rbf,
        }),
        "tca-nystroem" => Box::new(maps::Tca {
            domains: maps::Domains::new(&inputs)?,
            kernel: ComponentKernel::Nystroem,
        }),
        "kmm" => Box::new(instance::Kmm {
            domains: maps::Domains::new(&inputs)?,
            solver: MeanSolver::ActiveSet,
        }),
        "kmm-frank-wolfe" => Box::new(instance::Kmm {
            domains: maps::Domains::new(&inputs)?,
            solver: MeanSolver::FrankWolfe,
        }),
        "jda" => Box::new(maps::Adapted::jda(&inputs)?),
        "meda" => Box::new(maps::Adapted::meda(&inputs)?),
        "kliep" => Box::new(instance::Kliep(maps::Domains::new(&inputs)?)),
        "ulsif" => Box::new(instance::Ulsif(maps::Domains::new(&inputs)?)),
        "mmd-test" => Box::new(diagnostics::MmdTest(maps::Domains::new(&inputs)?)),
        "logme" => Box::new(diagnostics::LogMe::new(&inputs)?),
        "otdd" => Box::new(diagnostics::Otdd::new(&inputs)?),
        "emd" => Box::new(transport::Emd(transport::Masses::new(&inputs)?)),
        "sinkhorn" => Box::new(transport::Entropic {
            masses: transport::Masses::new(&inputs)?,
            regularization: 0.05,
        }),
        "sinkhorn-small" => Box::new(transport::Entropic {
            masses: transport::Masses::new(&inputs)?,
            regularization: 0.001,
        }),
        "tradaboost" => Box::new(instance::TrAdaBoost::new(&inputs)?),
        "logistic" => Box::new(learner::Logistic(learner::Weighted::new(&inputs)?)),
        "tree" => Box::new(learner::Tree(learner::Weighted::new(&inputs)?)),
        _ => bail!("there is no case `{name}`; there are {}", CASES.join(", ")),
    })
}

/// What `work` gives, and how long it took.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let start = Instant::now();
    let out = work()?;
    Ok((start.elapsed(), out))
}
