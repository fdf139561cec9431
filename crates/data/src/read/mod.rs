//! Readers of files: from a path, or from bytes in memory, to a sample.
//!
//! [`file()`] picks the reader by the file's name and, failing that, by its first bytes. Each format also has its own module, for
//! what a sample cannot carry: all arrays of a file, cells of MATLAB, images with their two axes.
//!
//! | module | files | gives |
//! |---|---|---|
//! | [`delimited`] | `csv tsv txt data`, optionally `.gz` | [`crate::Table`] |
//! | `parquet` | `parquet` | [`crate::Table`] |
//! | [`npy`], [`npz`] | `npy`, `npz` | [`Value`], [`Variables`] |
//! | [`mat`] | `mat`, version 5 or 7.3 | [`Variables`] |
//! | `hdf5` | `h5 hdf5` | [`Variables`] |
//! | [`svmlight`] | `svmlight libsvm svm`, optionally `.gz` | sparse rows and labels |
//! | [`idx`] | `idx`, `…-ubyte`, optionally `.gz` | [`NumericArray`] |
//!
//! Every reader holds to the same rules. Sizes in headers are checked against the bytes that are there before memory is
//! reserved; what inflates is bounded by [`allowance`]; a damaged file is a [`DataError`] that says where; nothing is
//! guessed that would change numbers without a word.

mod array;
mod bytes;
pub mod delimited;
mod format;
#[cfg(feature = "hdf5")]
pub mod hdf5;
pub mod idx;
pub mod mat;
pub mod npy;
pub mod npz;
mod options;
#[cfg(feature = "parquet")]
pub mod parquet;
mod partly;
mod sample;
mod sparse;
pub mod svmlight;
mod variables;

pub use self::array::{ByteOrder, ElementType, Layout, NumericArray, Storage};
pub use self::bytes::{allowance, gunzip, load};
pub use self::options::ReadOptions;
pub use self::partly::{PartlyLabelled, partly_labelled};
pub use self::sample::{common_options, file, table_sample};
pub use self::variables::{Value, Variables};

use std::path::Path;

use crate::DataError;

/// The whole file, inflated when it is gzip.
fn load_inflated(path: &Path) -> Result<Vec<u8>, DataError> {
    let bytes = load(path)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        gunzip(path, &bytes)
    } else {
        Ok(bytes)
    }
}
