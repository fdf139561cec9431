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
