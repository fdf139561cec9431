//! Diagnostics: tests of a shift.

use anyhow::Result;
use ndarray::Array2;
use translearn_core::kernel::Kernel;
use translearn_diagnostics::shift::Mmd;

use crate::maps::Domains;
use crate::{Case, Run, Settings, timed};

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
            export: Box::new(move || {
                Ok(vec![(
                    "statistic",
                    Array2::from_elem((1, 1), found.statistic),
                )])
            }),
        })
    }
}
