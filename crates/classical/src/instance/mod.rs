//! Instance transfer: source rows weighted, boosted or pooled with the target's.

mod aux_data;
mod boosting;
mod combination;
pub mod kmm;
mod logistic_ratio;
mod nearest_neighbour;
mod self_training;
mod shares;
mod source_selection;
#[cfg(test)]
mod tests;

pub use aux_data::{Aux, AuxParams};
pub use boosting::{
    BoostingLoss, Correction, MultiSourceTrAdaBoost, MultiSourceTrAdaBoostParams, RegressionLoss,
    TaskTrAdaBoost, TaskTrAdaBoostParams, TrAdaBoost, TrAdaBoostParams, TrAdaBoostR2,
    TrAdaBoostR2Params, TwoStageTrAdaBoostR2, TwoStageTrAdaBoostR2Params, WeightedMedian,
    WeightedVote,
};
pub use combination::{
    CombinedSources, Densities, DistributionWeighted, DistributionWeightedParams, EnsembleWeights,
    SourceEnsemble, SourceEnsembleParams,
};
pub use kmm::{Kmm, KmmParams};
pub use logistic_ratio::{LogisticRatio, LogisticRatioParams};
pub use nearest_neighbour::{NearestNeighbour, NearestNeighbourParams};
pub use self_training::{SelfTraining, SelfTrainingParams};
pub use source_selection::{SourceSelection, SourceSelectionParams};

use translearn_core::{BaseLearner, LearnerNeed, MethodEntry, Needs, Outputs};
use translearn_learners::Logistic;

/// The instance methods.
pub fn methods() -> Vec<MethodEntry> {
    vec![
        MethodEntry::of::<TrAdaBoostParams>(),
        MethodEntry::of::<MultiSourceTrAdaBoostParams>(),
        MethodEntry::of::<TaskTrAdaBoostParams>(),
        MethodEntry::of::<TrAdaBoostR2Params>(),
        MethodEntry::of::<TwoStageTrAdaBoostR2Params>(),
        MethodEntry::of::<SourceSelectionParams>(),
        MethodEntry::of::<SourceEnsembleParams>(),
        MethodEntry::of::<DistributionWeightedParams>(),
        MethodEntry::of::<SelfTrainingParams>(),
        MethodEntry::of::<AuxParams>(),
        MethodEntry::of::<KmmParams>(),
        MethodEntry::of::<LogisticRatioParams>(),
        MethodEntry::of::<NearestNeighbourParams>(),
    ]
}

/// What a method needs that weighs source rows for a learner.
const fn weighting_needs(target_labels: bool, outputs: Outputs, sparse: bool) -> Needs {
    Needs {
        target_labels,
        same_features: true,
        outputs,
        sparse,
        images: false,
        learner: LearnerNeed::Weighted,
    }
}

fn logistic() -> BaseLearner {
    Logistic::params().into()
}

/// The builder for the base learner: one that ignores weights does not compile.
macro_rules! weighted_learner {
    ($params:ty) => {
        impl $params {
            /// Sets the base learner, which must use sample weights.
            #[must_use]
            pub fn learner<L>(mut self, learner: L) -> Self
            where
                L: translearn_core::Learner + translearn_core::HonorsSampleWeights + 'static,
            {
                self.learner = learner.into();
                self
            }
        }
    };
}
use weighted_learner;
