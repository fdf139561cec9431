//! What every method and every learner of a registry has to keep, as functions over the registry: a method of one's own,
//! in a crate of one's own, is held to the same laws as those of the workspace.
//!
//! ```
//! use translearn_core::{Law, MethodEntry};
//! use translearn_tests::laws;
//!
//! let registry = translearn_classical::registry();
//! let entry = registry.method("coral")?;
//! assert_eq!(laws::breaches(Law::SingleRow, &registry, entry), Vec::<String>::new());
//! # Ok::<(), translearn_core::TransferError>(())
//! ```

pub mod cases;
pub mod compare;
pub mod laws;
pub mod learner_laws;
pub mod subjects;

/// What a check returns: how the law is broken, if it is; any error will do.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The examples of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
