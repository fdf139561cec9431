#![doc = include_str!("../README.md")]

pub mod bounds;
pub mod curves;
pub mod interval;
pub mod multiplicity;
pub mod negative;
pub mod shift;
mod standardise;
pub mod relatedness;
pub mod selection;
pub mod shift;
mod silhouette;
pub mod transferability;
