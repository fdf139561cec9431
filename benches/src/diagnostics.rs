//! Diagnostics: tests of a shift, and scores of what can transfer.

use anyhow::Result;
use ndarray::Array2;
use translearn_core::{Features, Labels, kernel::Kernel};
use translearn_diagnostics::shift::Mmd;
use translearn_diagnostics::transferability::{log_me, otdd};

use crate::maps::Domains;
use crate::{Case, Inputs, Outputs, Run, Settings, timed};

/// The permutation test of the maximum mean discrepancy, 500 relabellings.
#[derive(Debug)]
pub(crate) struct MmdTest(pub(crate) Domains);

impl Case for MmdTest {
    fn run(&self, _: Settings) -> Result<Run> {
        let (source, target) = self.0.copy();
        let gamma = Some(1.0 / source.n_columns() as f64);
        let test = Mmd::default()
            .kernel(Kernel::Rbf { gamma })
            .n_permutations(500);
        let (elapsed, found) = timed(|| Ok(test.test(&source, &target, 0)?))?;
        Ok(Run {
            elapsed,
            export: figure("statistic", found.statistic),
        })
    }
}

/// The logarithm of the maximum evidence of classes.
#[derive(Debug)]
pub(crate) struct LogMe {
    features: Features,
    labels: Labels,
}

impl LogMe {
    pub(crate) fn new(inputs: &Inputs) -> Result<Self> {
        Ok(Self {
            features: inputs.features("xs")?,
            labels: inputs.classes("ys")?,
        })
    }
}

impl Case for LogMe {
    fn run(&self, _: Settings) -> Result<Run> {
        let (elapsed, score) = timed(|| Ok(log_me(&self.features, &self.labels)?))?;
        Ok(Run {
            elapsed,
            export: figure("score", score),
        })
    }
}

/// The distance between two labelled sets.
#[derive(Debug)]
pub(crate) struct Otdd {
    source: (Features, Labels),
    target: (Features, Labels),
}

impl Otdd {
    pub(crate) fn new(inputs: &Inputs) -> Result<Self> {
        Ok(Self {
            source: (inputs.features("xs")?, inputs.classes("ys")?),
            target: (inputs.features("xt")?, inputs.classes("yt")?),
        })
    }
}

impl Case for Otdd {
    fn run(&self, _: Settings) -> Result<Run> {
        let (source, target) = (&self.source, &self.target);
        let (elapsed, distance) =
            timed(|| Ok(otdd((&source.0, &source.1), (&target.0, &target.1))?))?;
        Ok(Run {
            elapsed,
            export: figure("distance", distance),
        })
    }
}

fn figure(name: &'static str, value: f64) -> Box<dyn FnOnce() -> Result<Outputs>> {
    Box::new(move || Ok(vec![(name, Array2::from_elem((1, 1), value))]))
}
