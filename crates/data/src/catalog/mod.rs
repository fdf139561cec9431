//! The catalog: public data sets by name, with licence, checksums and shape.
//!
//! Each set has a manifest, a TOML file that travels with this crate. [`sets`] lists them, [`load`] fetches the files
//! of a set (from `TRANSLEARN_MIRROR`, from the cache, or from their address; see [`translearn_assets::Cache`]),
//! verifies them and reads the rows that a [`Select`] names.
//!
//! What does not fit into rows and one label each has its own way in: networks ([`Set::graph`]), many tasks at once
//! ([`Set::tasks`]), classes described by attributes ([`Set::attributes`]), one-shot runs (`Set::episodes`, with the feature `image`) and word
//! vectors ([`Set::words`]). Weights of networks have a catalog of their own, in `translearn-weights`.
//!
//! ```
//! use translearn_data::catalog::{self, Select};
//!
//! let set = catalog::set("office-caltech10-surf")?;
//! assert_eq!(set.domains(), ["caltech10", "amazon", "webcam", "dslr"]);
//! let parts = set.select(&Select::domain("webcam"))?;
//! assert_eq!((parts[0].rows, parts[0].columns, parts[0].classes), (295, Some(800), Some(10)));
//! let error = catalog::set("office-caltech").unwrap_err().to_string();
//! assert!(error.contains("no set `office-caltech`"));
//! # Ok::<(), translearn_data::DataError>(())
//! ```

mod attributes;
#[cfg(feature = "image")]
mod episodes;
mod graph;
mod load;
mod read;
mod set;
mod tasks;
#[cfg(test)]
mod tests;

pub use attributes::ClassAttributes;
#[cfg(feature = "image")]
pub use episodes::Episode;
pub use graph::Graph;
pub use load::{Part, PixelRows, WordFile, WordFormat};
pub use set::{Select, Set, set, sets};
pub use tasks::Tasks;

use translearn_assets::Cache;

use crate::{DataError, RawSample};

/// The rows of a set that `select` names, from the cache this machine is set up for ([`Cache::from_env`]).
///
/// # Errors
/// Those of [`set`] and [`Set::load`]; [`DataError::Io`] when there is no place for the cache or the mirror named is none.
pub fn load(name: &str, select: &Select) -> Result<RawSample, DataError> {
    set(name)?.load(select, &cache()?)
}

/// The cache this machine is set up for.
///
/// # Errors
/// [`DataError::Io`] when there is no place for it or the mirror named is no folder.
pub fn cache() -> Result<Cache, DataError> {
    Cache::from_env().map_err(|error| DataError::Io {
        path: "cache".into(),
        action: "set up",
        source: std::io::Error::other(error),
    })
}
