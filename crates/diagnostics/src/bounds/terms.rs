//! The bounds that let an adversary look for what differs.

use translearn_core::{BaseLearner, Features, Prediction, TransferError, TransferProblem, seed};

use super::AdaptationBound;
use super::adversary::{Adversary, Complexity, difference_found};
use super::hypothesis::{BOUND, Misses, joint_error};
use crate::interval::check_confidence;

/// What these bounds have in common.
pub(super) struct Terms<'a> {
    pub(super) learner: &'a BaseLearner,
    pub(super) complexity: Complexity,
    pub(super) confidence: f64,
}

impl Terms<'_> {
    pub(super) fn bound(
        &self,
        hypothesis: impl Fn(&Features) -> Result<Prediction, TransferError>,
        problem: &TransferProblem,
        adversary: &impl Adversary,
        divergence: fn(f64) -> f64,
        seed: u64,
    ) -> Result<AdaptationBound, TransferError> {
        check_confidence(self.confidence)?;
        self.complexity.check()?;
        problem.check_same_features()?;
        let source = problem.source()?;
        source.labels.classes(BOUND)?;
        let target = problem.target_features();
        // The source's error, a deviation on each side, and the joint error's two.
        let missed = (1.0 - self.confidence) / 5.0;
        let misses = Misses::of(&hypothesis, &source.features, &source.labels)?;
        let joint = joint_error(self.learner, problem, missed, seed)?;
        let deviation = |rows: &Features, name: &str| {
            let seed = seed::derive(seed, &["deviation", name]);
            self.complexity.deviation(rows, adversary, missed, seed)
        };
        let found = difference_found(
            &source.features,
            target,
            adversary,
            seed::derive(seed, &["divergence"]),
        )?;
        Ok(AdaptationBound {
            source_error: misses.share(),
            source_error_limit: misses.limit(missed)?,
            divergence: divergence(found),
            divergence_is_estimate: true,
            divergence_deviation: deviation(&source.features, "source")?
                + deviation(target, "target")?,
            joint_error: joint.map(|(error, _)| error),
            joint_error_limit: joint.map(|(_, limit)| limit),
            trivial_error: 1.0 - 1.0 / problem.n_classes() as f64,
        })
    }
}
