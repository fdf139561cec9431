#![doc = include_str!("../README.md")]

pub mod advice;
pub mod bounds;
pub mod curves;
pub mod interval;
pub mod multiplicity;
pub mod negative;
pub mod relatedness;
mod row_order;
pub mod selection;
pub mod shift;
mod silhouette;
mod standardise;
pub mod transferability;
