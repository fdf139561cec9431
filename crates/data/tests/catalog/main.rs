//! Every set of the catalog, read from the mirror, against a table of its shapes and against fingerprints that Python
//! computed from the same files (`fixtures/catalog/fingerprints.py`).
//!
//! A set whose files are neither in `TRANSLEARN_MIRROR` nor in the cache is skipped, and says so.

#![cfg(all(feature = "hdf5", feature = "image", feature = "audio"))]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod fingerprint;
mod kinds;
mod one_shot;
mod parts;

use std::io::Write;

use translearn_assets::{Cache, Place};
use translearn_data::catalog::{self, Set};

/// The mirror or cache of this machine, with a folder of the build for what is remembered.
fn cache() -> Cache {
    let machine = catalog::cache().unwrap();
    match machine.mirror() {
        Some(mirror) => {
            Cache::at(concat!(env!("CARGO_TARGET_TMPDIR"), "/catalog")).with_mirror(mirror)
        }
        None => machine,
    }
}

/// The set, when all its files are on this machine.
fn available(name: &str, cache: &Cache) -> Option<&'static Set> {
    let set = catalog::set(name).unwrap();
    let here = |path: &str| {
        matches!(
            cache.place(set.manifest(), path),
            Ok(Place::Mirror(_) | Place::Cache(_))
        )
    };
    let absent = set
        .manifest()
        .files
        .iter()
        .filter(|file| !here(&file.path))
        .count();
    if absent == 0 {
        return Some(set);
    }
    // Past the test harness, which hides what a passing test prints.
    let message =
        format!("skipped `{name}`: {absent} of its files are not here; set TRANSLEARN_MIRROR\n");
    std::io::stderr().write_all(message.as_bytes()).unwrap();
    None
}
