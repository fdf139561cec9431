#![doc = include_str!("../README.md")]

mod align;
mod declare;
pub mod distance;
mod error;
pub mod exponential;
mod features;
mod image;
pub mod kernel;
mod labels;
mod learner;
pub mod linalg;
mod method;
pub mod metrics;
pub mod params;
mod problem;
mod refit;
mod registry;
mod reweight;
mod row_order;
mod scenario;
pub mod seed;
pub mod selection;
mod setters;
mod subproblem;
mod transfer;

pub use align::{Aligned, AlignedModel, Alignment, DomainMap, FitAlign, fit_aligned};
pub use error::{TransferError, nearest_name};
pub use features::{
    Csr, DENSE_LIMIT_BYTES, Features, check_dense_memory, check_same_features, images_were_refused,
};
pub use image::{Image, ImageRows};
pub use labels::{LabelSpace, Labels};
pub use learner::{
    BaseLearner, FitSample, HonorsSampleWeights, Learner, LearnerInfo, Outputs, Prediction,
    Predictor, Sample, Scores, argmax_rows, check_prediction_rows,
};
pub use method::{
    Family, Fitted, Law, LearnerNeed, MethodEntry, MethodInfo, Needs, RegisteredMethod, Trace,
    TransferMethod, TransferModel, effective_sample_size,
};
pub use params::{ParamInfo, ParamRange};
pub use problem::{Domain, Labelled, Setting, Task, TransferProblem, What};
pub use refit::Refit;
pub use registry::{LearnerEntry, Registry};
pub use reweight::{
    PlainModel, Reweighted, SourceWeighter, SourceWeights, fit_reweighted, mean_one,
};
pub use scenario::{Difference, Evidence, Finding, Scenario};
pub use transfer::{
    AcceptsTarget, CarriesLabels, FitTransfer, FitTransferExt, SourceLabels, TargetLabels,
    Transferred, WithSource,
};
