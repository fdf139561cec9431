//! Instance transfer: source weights, and a boosted ensemble.

use anyhow::{Context, Result};
use ndarray::{Array2, Axis};
use translearn_classical::instance::kmm::MeanSolver;
use translearn_classical::instance::{
    BoostingLoss, KliepParams, KmmParams, TrAdaBoostParams, UlsifParams,
};
use translearn_core::{
    Domain, Features, LabelSpace, Labels, SourceWeighter, Task, TransferMethod, TransferProblem,
};
use translearn_learners::Tree;

use crate::maps::{Domains, problem};
use crate::{Case, Inputs, Run, Settings, timed};

#[derive(Debug)]
pub(crate) struct Kmm {
    pub(crate) domains: Domains,
    pub(crate) solver: MeanSolver,
}

impl Case for Kmm {
    fn run(&self, settings: Settings) -> Result<Run> {
        let (source, target) = self.domains.copy();
        let mut params = KmmParams::default()
            .gamma(width(&source))
            .solver(self.solver);
        if let Some(tolerance) = settings.tolerance {
            params = params.tolerance(tolerance);
        }
        let (elapsed, weights) =
            timed(|| Ok(params.source_weights(&problem(source, target)?, 0)?.weights))?;
        Ok(Run {
            elapsed,
            export: Box::new(move || Ok(vec![("weights", weights.insert_axis(Axis(1)))])),
        })
    }
}

/// A width for all sides.
fn width(source: &Features) -> f64 {
    1.0 / source.n_columns() as f64
}

#[derive(Debug)]
pub(crate) struct Kliep(pub(crate) Domains);

impl Case for Kliep {
    fn run(&self, settings: Settings) -> Result<Run> {
        let (source, target) = self.0.copy();
        let mut params = KliepParams::default()
            .gamma(width(&source))
            .n_centers(target.n_rows());
        if let Some(tolerance) = settings.tolerance {
            params = params.tolerance(tolerance);
        }
        let (elapsed, found) = timed(|| Ok(params.source_weights(&problem(source, target)?, 0)?))?;
        Ok(Run {
            elapsed,
            export: Box::new(move || {
                let objective = found
                    .trace
                    .series
                    .get("objective")
                    .and_then(|values| values.last())
                    .context("kliep has no objective")?;
                Ok(vec![
                    ("weights", found.weights.insert_axis(Axis(1))),
                    ("likelihood", Array2::from_elem((1, 1), *objective)),
                ])
            }),
        })
    }
}

/// Width and penalty chosen from its grid of 35 by leave-one-out.
#[derive(Debug)]
pub(crate) struct Ulsif(pub(crate) Domains);

impl Case for Ulsif {
    fn run(&self, _: Settings) -> Result<Run> {
        let (source, target) = self.0.copy();
        let params = UlsifParams::default();
        let (elapsed, found) = timed(|| Ok(params.source_weights(&problem(source, target)?, 0)?))?;
        Ok(Run {
            elapsed,
            export: Box::new(move || Ok(vec![("weights", found.weights.insert_axis(Axis(1)))])),
        })
    }
}

/// A labelled source, a labelled target sample, and target rows to judge by.
#[derive(Debug)]
pub(crate) struct TrAdaBoost {
    source: (Features, Labels),
    target: (Features, Labels),
    held_out: Features,
}

impl TrAdaBoost {
    /// Without rows held out (`xv`), those of the fit are judged.
    pub(crate) fn new(inputs: &Inputs) -> Result<Self> {
        Ok(Self {
            source: (inputs.features("xs")?, inputs.classes("ys")?),
            target: (inputs.features("xt")?, inputs.classes("yt")?),
            held_out: inputs.features("xv").or_else(|_| inputs.features("xt"))?,
        })
    }
}

impl Case for TrAdaBoost {
    fn run(&self, _: Settings) -> Result<Run> {
        let (source, target, held_out) = (
            self.source.clone(),
            self.target.clone(),
            self.held_out.clone(),
        );
        let method = TrAdaBoostParams::default()
            .n_rounds(50)
            // As the peer measures a row's loss.
            .loss(BoostingLoss::Confidence)
            .learner(Tree::params().max_depth(3));
        let (elapsed, fitted) = timed(|| {
            let space = LabelSpace::numbered(source.1.n_codes().max(target.1.n_codes()));
            let domain = |name: &str, (features, labels): (Features, Labels)| {
                let name = name.to_owned();
                (
                    Domain { name, features },
                    Task::labelled(space.clone(), labels),
                )
            };
            let problem = TransferProblem::from_parts(
                vec![domain("source", source)],
                domain("target", target),
            )?;
            Ok(method.fit(&problem, 0)?)
        })?;
        Ok(Run {
            elapsed,
            export: Box::new(move || {
                let predicted = fitted.model.predict(&held_out)?.labels;
                let classes = predicted.classes("tradaboost")?.mapv(|class| class as f64);
                let weights = fitted
                    .trace
                    .source_weights
                    .context("tradaboost has no source weights")?;
                let column = |v: ndarray::Array1<f64>| -> Array2<f64> { v.insert_axis(Axis(1)) };
                Ok(vec![
                    ("predicted", column(classes)),
                    ("weights", column(weights)),
                ])
            }),
        })
    }
}
