#![doc = include_str!("../README.md")]

#[cfg(feature = "classical")]
pub use translearn_classical as classical;
pub use translearn_core as core;
#[cfg(feature = "data")]
pub use translearn_data as data;
#[cfg(feature = "deep")]
pub use translearn_deep as deep;
#[cfg(feature = "diagnostics")]
pub use translearn_diagnostics as diagnostics;
#[cfg(feature = "experiment")]
pub use translearn_experiment as experiment;
#[cfg(feature = "learners")]
pub use translearn_learners as learners;
#[cfg(feature = "transport")]
pub use translearn_transport as transport;
#[cfg(feature = "weights")]
pub use translearn_weights as weights;

/// What most programs use.
pub mod prelude {
    #[cfg(feature = "classical")]
    pub use translearn_classical::{
        Aux, Coral, Jda, Kmm, LogisticRatio, NearestNeighbour, Pooled, SourceOnly,
        SubspaceAlignment, TargetOnly, Tca, TrAdaBoost, registry,
    };
    pub use translearn_core::{
        FitTransfer, FitTransferExt, Scenario, TransferError, TransferProblem,
    };
    #[cfg(feature = "learners")]
    pub use translearn_learners::{
        Boosting, Forest, GaussianNb, Knn, LinearSvm, Logistic, Ncm, Ridge, Stump, Tree,
    };
}
