//! A model for each of several sources, combined.

mod distribution_weighted;
mod model;
mod source_ensemble;
#[cfg(test)]
mod tests;

pub use distribution_weighted::{DistributionWeighted, DistributionWeightedParams};
pub use model::{CombinedSources, Densities};
pub use source_ensemble::{EnsembleWeights, SourceEnsemble, SourceEnsembleParams};

use std::borrow::Cow;

use translearn_core::{
    BaseLearner, LearnerNeed, Needs, Outputs, ParamInfo, ParamRange, Predictor, Sample,
    TransferError, TransferProblem, seed::derive,
};

const COMBINING_NEEDS: Needs = Needs {
    target_labels: false,
    same_features: true,
    outputs: Outputs::Both,
    sparse: true,
    images: false,
    learner: LearnerNeed::Any,
};

const GAMMA: ParamInfo = ParamInfo {
    name: "gamma",
    default: "null",
    range: ParamRange::PositiveOrAuto,
    doc: "Width of the densities; null: the median heuristic over all sources and the target.",
};

/// The learner on each source that has labels, with the labelled target rows, where there are any.
fn fit_sources(
    learner: &BaseLearner,
    problem: &TransferProblem,
    seed: u64,
) -> Result<Vec<Box<dyn Predictor>>, TransferError> {
    // Without any label there is an error that says so.
    problem.source()?;
    let target = problem.target_labelled();
    problem
        .labelled_sources()
        .map(|source| {
            let (mut features, mut labels) = (source.features, source.labels);
            if let Some(target) = &target {
                features = Cow::Owned(features.stack(&target.features)?);
                labels = Cow::Owned(labels.join(&target.labels)?);
            }
            let sample = Sample::new(&features, &labels, problem.n_classes())?;
            // The seed of the learner inside every other method, so that one source alone is the baseline.
            learner.fit_boxed(&sample, derive(seed, &["learner"]))
        })
        .collect()
}
