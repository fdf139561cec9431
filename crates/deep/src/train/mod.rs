//! Training networks.

mod observe;

pub use observe::{Begin, EpochReport, JsonLines, Observer, StepReport, TensorBoard};
