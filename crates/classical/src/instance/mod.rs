//! Instance transfer: source rows weighted, boosted or pooled with the target's.

mod aux_data;
mod basis;
mod boosting;
mod co_training;
mod combination;
mod dasvm;
mod folds;
mod gaussian_ratio;
mod gradual_self_training;
mod kernel_density_ratio;
mod kliep;
pub mod kmm;
pub mod label_shift;
mod label_transport;
mod linear_discrepancy;
mod logistic_ratio;
mod mixture;
mod nearest_neighbour;
mod pseudo_labels;
mod ratio;
#[cfg(test)]
mod ratio_tests;
mod scale;
mod self_training;
mod shares;
mod source_selection;
mod squared_loss;
#[cfg(test)]
mod tests;
mod ulsif;

pub use aux_data::{Aux, AuxParams};
pub use boosting::{
    BoostingLoss, Correction, MultiSourceTrAdaBoost, MultiSourceTrAdaBoostParams, RegressionLoss,
    TaskTrAdaBoost, TaskTrAdaBoostParams, TrAdaBoost, TrAdaBoostParams, TrAdaBoostR2,
    TrAdaBoostR2Params, TwoStageTrAdaBoostR2, TwoStageTrAdaBoostR2Params, WeightedMedian,
    WeightedVote,
};
pub use co_training::{CoTraining, CoTrainingParams};
pub use combination::{
    CombinedSources, Densities, DistributionWeighted, DistributionWeightedParams, EnsembleWeights,
    SourceEnsemble, SourceEnsembleParams,
};
pub use dasvm::{Dasvm, DasvmParams, OneAgainstRest};
pub use gaussian_ratio::{GaussianRatio, GaussianRatioParams};
pub use gradual_self_training::{GradualSelfTraining, GradualSelfTrainingParams};
pub use kernel_density_ratio::{Bandwidth, KernelDensityRatio, KernelDensityRatioParams};
pub use kliep::{Kliep, KliepParams};
pub use kmm::{Kmm, KmmParams};
pub use label_shift::{
    Bbse, BbseParams, Mlls, MllsParams, MmdTargetShift, MmdTargetShiftParams, Rlls, RllsParams,
};
pub use label_transport::{
    Jcpot, JcpotParams, Jdot, JdotParams, JointTransport, LabelPropagation, LabelPropagationParams,
};
pub use linear_discrepancy::{LinearDiscrepancy, LinearDiscrepancyParams};
pub use logistic_ratio::{LogisticRatio, LogisticRatioParams};
pub use nearest_neighbour::{NearestNeighbour, NearestNeighbourParams};
pub use self_training::{SelfTraining, SelfTrainingParams};
pub use source_selection::{SourceSelection, SourceSelectionParams};
pub use ulsif::{Rulsif, RulsifParams, Ulsif, UlsifParams};

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
        MethodEntry::of::<GradualSelfTrainingParams>(),
        MethodEntry::of::<CoTrainingParams>(),
        MethodEntry::of::<DasvmParams>(),
        MethodEntry::of::<AuxParams>(),
        MethodEntry::of::<KmmParams>(),
        MethodEntry::of::<KliepParams>(),
        MethodEntry::of::<UlsifParams>(),
        MethodEntry::of::<RulsifParams>(),
        MethodEntry::of::<LogisticRatioParams>(),
        MethodEntry::of::<GaussianRatioParams>(),
        MethodEntry::of::<KernelDensityRatioParams>(),
        MethodEntry::of::<NearestNeighbourParams>(),
        MethodEntry::of::<LinearDiscrepancyParams>(),
        MethodEntry::of::<BbseParams>(),
        MethodEntry::of::<RllsParams>(),
        MethodEntry::of::<MllsParams>(),
        MethodEntry::of::<MmdTargetShiftParams>(),
        MethodEntry::of::<JdotParams>(),
        MethodEntry::of::<LabelPropagationParams>(),
        MethodEntry::of::<JcpotParams>(),
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
