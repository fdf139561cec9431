#![doc = include_str!("../README.md")]

mod cache;
mod checksum;
mod download;
mod error;
mod manifest;

pub use cache::{Cache, Place};
pub use checksum::Sha256;
pub use download::Progress;
pub use error::AssetError;
pub use manifest::{Asset, Manifest};
