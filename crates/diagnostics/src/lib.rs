#![doc = include_str!("../README.md")]

pub mod advice;
pub mod bounds;
mod check;
pub mod curves;
mod golden_section;
pub mod interval;
pub mod multiplicity;
pub mod negative;
pub mod relatedness;
mod row_losses;
mod row_order;
pub mod selection;
pub mod shift;
mod silhouette;
mod standardise;
pub mod transferability;
