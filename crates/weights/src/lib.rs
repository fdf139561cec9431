#![doc = include_str!("../README.md")]

mod budget;
mod dtype;
mod error;
mod keras;
mod matching;
mod names;
mod pickle;
pub mod pretrained;
mod read;
mod source;
mod state;
mod tensor;
mod write;

pub use dtype::DType;
pub use error::WeightsError;
pub use keras::keras_to_torch;
pub use matching::{Match, Misshapen};
pub use names::Rules;
pub use read::Format;
pub use source::{RANDOM, Source};
pub use state::{Skipped, StateDict};
pub use tensor::RawTensor;
