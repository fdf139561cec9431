//! Optimal transport between given masses at given costs.

use anyhow::Result;
use ndarray::{Array1, Array2};
use translearn_transport::{CostScale, GroundCost, Sinkhorn, cost_matrix, emd};

use crate::{Case, Inputs, Run, Settings, timed};

/// Costs, and the masses of rows and columns.
#[derive(Debug)]
pub(crate) struct Masses {
    cost: Array2<f64>,
    rows: Array1<f64>,
    columns: Array1<f64>,
}

impl Masses {
    /// Without costs (`cost`, their median 1), squared distances between the domains, with equal masses.
    pub(crate) fn new(inputs: &Inputs) -> Result<Self> {
        if let Ok(cost) = inputs.matrix("cost") {
            return Ok(Self {
                cost: cost.clone(),
                rows: inputs.column("a")?,
                columns: inputs.column("b")?,
            });
        }
        let (source, target) = (inputs.features("xs")?, inputs.features("xt")?);
        let cost = cost_matrix(
            &source,
            &target,
            GroundCost::SquaredEuclidean,
            CostScale::Median,
        )?;
        let equal = |rows: usize| Array1::from_elem(rows, 1.0 / rows as f64);
        Ok(Self {
            cost,
            rows: equal(source.n_rows()),
            columns: equal(target.n_rows()),
        })
    }
}

#[derive(Debug)]
pub(crate) struct Emd(pub(crate) Masses);

impl Case for Emd {
    fn run(&self, _: Settings) -> Result<Run> {
        let Masses {
            cost,
            rows,
            columns,
        } = &self.0;
        let (elapsed, plan) = timed(|| Ok(emd(cost, rows, columns)?.plan.dense()))?;
        Ok(Run {
            elapsed,
            export: Box::new(move || Ok(vec![("plan", plan)])),
        })
    }
}

/// 200 iterations, or as many as a tolerance takes.
#[derive(Debug)]
pub(crate) struct Entropic {
    pub(crate) masses: Masses,
    /// A share of the median cost.
    pub(crate) regularization: f64,
}

impl Case for Entropic {
    fn run(&self, settings: Settings) -> Result<Run> {
        let solver = Sinkhorn::new(self.regularization);
        let solver = match settings.tolerance {
            // The smallest number is an error that is not reached: every iteration is done.
            None => solver.max_iterations(200).tolerance(f64::MIN_POSITIVE),
            Some(tolerance) => solver
                .max_iterations(1_000_000)
                .epsilon_scaling(true)
                .tolerance(tolerance),
        };
        let Masses {
            cost,
            rows,
            columns,
        } = &self.masses;
        let (elapsed, plan) = timed(|| Ok(solver.solve(cost, rows, columns)?.plan))?;
        Ok(Run {
            elapsed,
            export: Box::new(move || Ok(vec![("plan", plan)])),
        })
    }
}
