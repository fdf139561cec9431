//! Training networks.

mod observe;

pub use observe::{Bar, Begin, EpochReport, JsonLines, Observer, StepReport, TensorBoard};
