//! What the methods here declare alike.

use translearn_core::{BaseLearner, Law, LearnerNeed, Needs, Outputs, ParamInfo, ParamRange};

use super::learner::NetworkParams;

/// What every method here needs of a problem.
pub(super) const NEEDS: Needs = Needs {
    target_labels: false,
    same_features: true,
    outputs: Outputs::Classification,
    sparse: false,
    images: true,
    learner: LearnerNeed::Network,
};

/// Laws that no method here keeps, with the reason.
pub(super) static EXEMPTIONS: &[(Law, &str)] = &[
    (
        Law::RowPermutation,
        "batches are drawn by row number, and rounding depends on their order",
    ),
    (
        Law::LabelRenaming,
        "the first values of a class's weights belong to its number",
    ),
    (
        Law::SingleRow,
        "libtorch may round a batch of one otherwise than a larger one",
    ),
    (
        Law::IdenticalDomains,
        "the batches of both domains are drawn apart from each other",
    ),
    (Law::WideData, "it takes images, not vectors"),
    (Law::ConstantColumn, "it takes images, not vectors"),
];

/// Where a network starts that need not have been trained before.
pub(super) const WEIGHTS: ParamInfo = parameter(
    "weights",
    "\"random\"",
    ParamRange::Weights,
    "Where the network starts.",
);

/// Where a network starts that was trained before.
pub(super) const PRETRAINED: ParamInfo = parameter(
    "weights",
    "null",
    ParamRange::WeightsOrAuto,
    "Where it starts; null: the published weights of the backbone.",
);

/// How fast what was loaded learns.
pub(super) const PRETRAINED_RATE: ParamInfo = parameter(
    "pretrained_rate",
    "0.1",
    ParamRange::Positive,
    "Factor of the rate for what was loaded and what adapters add to it.",
);

/// The pull towards the first weights.
pub(super) const L2_SP: ParamInfo = parameter(
    "l2_sp",
    "0.0",
    real(f64::INFINITY),
    "Pull towards the weights it started from, in place of weight decay.",
);

/// The weight of the labelled target rows.
pub(super) const TARGET_WEIGHT: ParamInfo = parameter(
    "target_weight",
    "1.0",
    real(f64::INFINITY),
    "Weight of the loss on labelled target rows.",
);

/// The default learner.
pub(super) fn network() -> BaseLearner {
    NetworkParams::default().into()
}

pub(super) const fn parameter(
    name: &'static str,
    default: &'static str,
    range: ParamRange,
    doc: &'static str,
) -> ParamInfo {
    ParamInfo {
        name,
        default,
        range,
        doc,
    }
}

/// A real number from 0.
pub(super) const fn real(high: f64) -> ParamRange {
    ParamRange::Real { low: 0.0, high }
}

/// An integer of any size.
pub(super) const fn at_least(low: u64) -> ParamRange {
    ParamRange::Integer {
        low,
        high: u64::MAX,
    }
}

/// The builder of every method around `network`.
macro_rules! network_builder {
    ($params:ty) => {
        impl $params {
            /// Sets the network and its training.
            #[must_use]
            pub fn learner(mut self, learner: $crate::methods::NetworkParams) -> Self {
                self.learner = learner.into();
                self
            }
        }
    };
}
pub(super) use network_builder;

/// The builders of what every fine-tuning has.
macro_rules! tuning_builders {
    ($params:ty) => {
        $crate::methods::declare::network_builder!($params);

        impl $params {
            /// Sets where it starts.
            #[must_use]
            pub fn weights(mut self, weights: impl Into<String>) -> Self {
                self.weights = Some(weights.into());
                self
            }

            /// Sets the factor of the rate for what was loaded.
            #[must_use]
            pub fn pretrained_rate(mut self, factor: f64) -> Self {
                self.pretrained_rate = factor;
                self
            }

            /// Sets the weight of the loss on labelled target rows.
            #[must_use]
            pub fn target_weight(mut self, weight: f64) -> Self {
                self.target_weight = weight;
                self
            }
        }
    };
}
pub(super) use tuning_builders;

/// The builders of a regularised fine-tuning, and the fine-tuning itself; its static `INFO` names the method.
macro_rules! regularised {
    ($params:ty) => {
        $crate::methods::declare::tuning_builders!($params);

        impl $params {
            fn regularised(&self) -> $crate::methods::tuning::Regularised<'_> {
                $crate::methods::tuning::Regularised {
                    name: INFO.name,
                    learner: &self.learner,
                    weights: self.weights.as_deref(),
                    pretrained_rate: self.pretrained_rate,
                    l2_sp: 0.0,
                    target_weight: self.target_weight,
                }
            }
        }
    };
}
pub(super) use regularised;
