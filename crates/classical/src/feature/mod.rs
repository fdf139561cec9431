//! Feature transfer: maps that bring source and target together.

mod bda;
mod components;
pub mod coral;
mod discrepancy;
mod easytl;
pub mod feda;
pub mod fmmd;
mod gfk;
mod graph;
mod jda;
mod jgsa;
mod linear_transport;
#[cfg(test)]
mod linear_transport_tests;
mod meda;
pub mod msda;
mod multi_linear_transport;
#[cfg(test)]
mod multi_linear_transport_tests;
mod optimal_transport;
pub mod pred;
mod presence;
mod principal;
mod projection;
mod rounds;
mod sca;
mod scatter;
#[cfg(test)]
mod scatter_tests;
pub mod scl;
pub mod sfa;
mod sources;
mod sstca;
pub mod subspace_alignment;
mod tca;
#[cfg(test)]
mod tests;
mod tjm;
mod tsl;

pub use bda::{Bda, BdaParams};
pub use components::{ComponentKernel, Components};
pub use coral::{Coral, CoralForm, CoralParams};
pub use easytl::{EasyTl, EasyTlAlign, EasyTlParams};
pub use feda::{Feda, FedaParams};
pub use fmmd::{Fmmd, FmmdKernel, FmmdParams};
pub use gfk::{Gfk, GfkParams};
pub use jda::{Jda, JdaParams};
pub use jgsa::{Jgsa, JgsaParams};
pub use linear_transport::{LinearTransport, LinearTransportParams};
pub use meda::{Meda, MedaParams};
pub use msda::{Msda, MsdaParams};
pub use multi_linear_transport::{MultiLinearTransport, MultiLinearTransportParams};
pub use optimal_transport::{OptimalTransport, OptimalTransportParams, TransportPlan};
pub(crate) use optimal_transport::{shared_images, sinkhorn};
pub use pred::{Pred, PredParams};
pub use projection::SpanKernel;
pub use sca::{Sca, ScaParams};
pub use scl::{PivotChoice, Scl, SclParams};
pub use sfa::{Sfa, SfaParams};
pub use sstca::{Sstca, SstcaParams};
pub use subspace_alignment::{SubspaceAlignment, SubspaceAlignmentParams};
pub use tca::{Tca, TcaParams};
pub use tjm::{Tjm, TjmParams};
pub use tsl::{Tsl, TslObjective, TslParams};

use ndarray::Array2;
use translearn_core::{
    BaseLearner, Features, LearnerNeed, MethodEntry, Needs, Outputs, ParamInfo, ParamRange,
    TransferError, linalg::matmul,
};
use translearn_learners::{Knn, Logistic};

/// The feature methods.
pub fn methods() -> Vec<MethodEntry> {
    vec![
        MethodEntry::of::<CoralParams>(),
        MethodEntry::of::<SubspaceAlignmentParams>(),
        MethodEntry::of::<GfkParams>(),
        MethodEntry::of::<TcaParams>(),
        MethodEntry::of::<SstcaParams>(),
        MethodEntry::of::<JdaParams>(),
        MethodEntry::of::<BdaParams>(),
        MethodEntry::of::<JgsaParams>(),
        MethodEntry::of::<ScaParams>(),
        MethodEntry::of::<TjmParams>(),
        MethodEntry::of::<TslParams>(),
        MethodEntry::of::<EasyTlParams>(),
        MethodEntry::of::<MedaParams>(),
        MethodEntry::of::<OptimalTransportParams>(),
        MethodEntry::of::<LinearTransportParams>(),
        MethodEntry::of::<MultiLinearTransportParams>(),
        MethodEntry::of::<FedaParams>(),
        MethodEntry::of::<PredParams>(),
        MethodEntry::of::<FmmdParams>(),
        MethodEntry::of::<MsdaParams>(),
        MethodEntry::of::<SclParams>(),
        MethodEntry::of::<SfaParams>(),
    ]
}

/// What an unsupervised map around any learner needs.
const fn map_needs(outputs: Outputs) -> Needs {
    Needs {
        target_labels: false,
        same_features: true,
        outputs,
        sparse: false,
        images: false,
        learner: LearnerNeed::Any,
    }
}

/// The learner of the papers on transfer components: one nearest neighbour.
fn nearest() -> BaseLearner {
    Knn::params().k(1).into()
}

fn logistic() -> BaseLearner {
    Logistic::params().into()
}

/// Rows times a matrix, with the widths checked. Sparse rows are read as they are; the result is dense.
fn times(rows: &Features, matrix: &Array2<f64>) -> Result<Features, TransferError> {
    translearn_core::check_prediction_rows(rows, matrix.nrows())?;
    let Features::Sparse(sparse) = rows else {
        return Ok(matmul(&*rows.dense()?, matrix)?.into());
    };
    let mut product = Array2::zeros((sparse.rows(), matrix.ncols()));
    for (&value, (row, column)) in sparse {
        product.row_mut(row).scaled_add(value, &matrix.row(column));
    }
    Ok(product.into())
}

// What methods over transfer components share.
const N_COMPONENTS: ParamInfo = ParamInfo {
    name: "n_components",
    default: "30",
    range: ParamRange::Integer {
        low: 1,
        high: u64::MAX,
    },
    doc: "Number of components, at most the rank of the data.",
};
const LAMBDA: ParamInfo = ParamInfo {
    name: "lambda",
    default: "1.0",
    range: ParamRange::Positive,
    doc: "Weight of the penalty on the coefficients.",
};
const KERNEL: ParamInfo = ParamInfo {
    name: "kernel",
    default: "\"linear\"",
    range: ParamRange::Choice(&["linear", "primal", "rbf", "nystroem", "fourier"]),
    doc: "The design: the linear kernel in its dual form, the rows themselves, the Gaussian kernel, or that from a sample of rows or of frequencies.",
};
const GAMMA: ParamInfo = ParamInfo {
    name: "gamma",
    default: "null",
    range: ParamRange::PositiveOrAuto,
    doc: "Width of the Gaussian kernel; null: the median heuristic.",
};
const N_FEATURES: ParamInfo = ParamInfo {
    name: "n_features",
    default: "300",
    range: ParamRange::Integer {
        low: 1,
        high: u64::MAX,
    },
    doc: "Rows that nystroem draws, frequencies that fourier draws.",
};
const NORMALIZE: ParamInfo = ParamInfo {
    name: "normalize",
    default: "true",
    range: ParamRange::Flag,
    doc: "Rows to unit length before the fit and after the map.",
};

/// The parameters that all of them have.
const COMPONENT_PARAMETERS: [ParamInfo; 6] =
    [N_COMPONENTS, LAMBDA, KERNEL, GAMMA, N_FEATURES, NORMALIZE];

macro_rules! component_builders {
    ($params:ty) => {
        translearn_core::setters!($params {
            /// Sets the number of components.
            n_components: usize,
            /// Sets the weight of the penalty.
            lambda: f64,
            /// Sets the design.
            kernel: $crate::feature::ComponentKernel,
            /// Sets the width of the Gaussian kernel.
            gamma: Some(f64),
            /// Sets how many rows `nystroem`, or frequencies `fourier`, draws.
            n_features: usize,
            /// Sets whether rows are brought to unit length before the fit and after the map.
            normalize: bool,
            /// Sets the base learner.
            learner: impl Into<translearn_core::BaseLearner>,
        });

        impl $params {
            fn design(&self) -> $crate::feature::components::DesignParams {
                $crate::feature::components::DesignParams {
                    kernel: self.kernel,
                    gamma: self.gamma,
                    n_features: self.n_features,
                    normalize: self.normalize,
                }
            }
        }
    };
}
use component_builders;
