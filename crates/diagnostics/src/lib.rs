#![doc = include_str!("../README.md")]

pub mod multiplicity;
pub mod shift;
pub mod transferability;
