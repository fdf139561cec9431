#![doc = include_str!("../README.md")]

#[cfg(feature = "audio")]
pub mod audio;
pub mod catalog;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod encode;
mod error;
pub mod folder;
pub mod generate;
#[cfg(feature = "image")]
pub mod image;
pub mod preprocess;
pub mod raw;
pub mod read;
pub mod text;
pub mod words;

pub use error::{DataError, Position};
pub use raw::{Cells, Column, RawFeatures, RawLabels, RawSample, Table};
