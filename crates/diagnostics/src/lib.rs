#![doc = include_str!("../README.md")]

pub mod advice;
pub mod bounds;
mod check;
pub mod curves;
pub mod interval;
pub mod multiplicity;
pub mod negative;
pub mod relatedness;
mod row_order;
mod row_losses;
pub mod selection;
pub mod shift;
mod silhouette;
mod standardise;
pub mod transferability;
