//! Training: batches of one or several streams, the losses of an objective, any number of optimisers; saved and resumed
//! without a bit lost.
//!
//! An adaptation method is a composition of these parts:
//!
//! ```
//! use tch::{Device, Kind, Tensor};
//! use translearn_deep::train::{Group, Losses, Stream, TensorExamples, TrainParams, Training};
//! use translearn_deep::{Optimizer, backbones, cross_entropy};
//!
//! let network = backbones::find("mlp")?.build(2, Device::Cpu, 0)?;
//! let x = Tensor::zeros([6, 256], (Kind::Float, Device::Cpu));
//! let labels = Tensor::from_slice(&[0_i64, 1, 0, 1, 0, 1]);
//! let source = TensorExamples::new(x, Some(labels))?;
//!
//! let mut training = Training::new("source-only", TrainParams { epochs: 2, ..TrainParams::default() })
//!     .model("network", &network)
//!     .group(Group::of("all", &network, |_| true, Optimizer::sgd(), 0.01)?)
//!     .stream(Stream::new("source", &source, 3)?);
//! let done = training.run(|step: &translearn_deep::train::Step| {
//!     let batch = step.batch(0)?;
//!     let logits = network.forward(&batch.x, &mut step.pass("source"))?;
//!     let task = cross_entropy(&logits, batch.labels()?)?;
//!     Ok(Losses::new().with("task", 1.0, task))
//! })?;
//! assert_eq!((done.steps, done.epochs.len()), (4, 2));
//! # Ok::<(), translearn_deep::DeepError>(())
//! ```

mod average;
mod checkpoint;
mod group;
mod images;
mod memory;
mod objective;
mod observe;
mod params;
mod run;
mod schedule;
mod stream;

pub use checkpoint::{Checkpoint, Epoch};
pub use group::Group;
pub use images::ImageExamples;
pub use objective::{Losses, Objective, Step};
pub use observe::{Bar, Begin, EpochReport, JsonLines, Observer, StepReport, TensorBoard};
pub use params::{Outcome, TrainParams, Validation};
pub use run::Training;
pub use schedule::{Schedule, ramp};
pub use stream::{Batch, Examples, Pick, Stream, TensorExamples};

#[cfg(test)]
mod tests;
