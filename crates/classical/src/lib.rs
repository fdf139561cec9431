#![doc = include_str!("../README.md")]

pub mod baseline;
pub mod feature;
#[cfg(test)]
mod fixture;
pub mod instance;
mod registry;

pub use baseline::{Pooled, SourceOnly, TargetOnly};
pub use feature::{
    Bda, Coral, EasyTl, Feda, Gfk, Jda, LinearTransport, Meda, Msda, OptimalTransport, Pred, Scl,
    Sfa, SubspaceAlignment, Tca,
};
pub use instance::{
    Aux, Bbse, DistributionWeighted, Jcpot, Jdot, KernelDensityRatio, Kliep, Kmm, LabelPropagation,
    LogisticRatio, Mlls, MmdTargetShift, MultiSourceTrAdaBoost, NearestNeighbour, Rlls, Rulsif,
    SelfTraining, SourceEnsemble, SourceSelection, TaskTrAdaBoost, TrAdaBoost, TrAdaBoostR2,
    TwoStageTrAdaBoostR2, Ulsif,
};
pub use registry::{methods, registry};

/// The name under which a method is found when its fitted model has no type of its own: `Tca::params()` begins it, as
/// `Coral::params()` begins one whose model has.
macro_rules! method_name {
    ($name:ident => $params:ident, $title:literal) => {
        #[doc = concat!($title, ": [`", stringify!($name), "::params`] begins it, [`", stringify!($params), "`] explains it.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {}

        impl $name {
            /// Default parameters.
            pub fn params() -> $params {
                $params::default()
            }
        }
    };
}
use method_name;
