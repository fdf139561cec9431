//! MATLAB's `.mat`: version 5 (`save -v6` and `-v7`) here, version 7.3 through HDF5.
//!
//! Of version 5: real numbers of every class, characters, cells, structs, sparse and logical arrays, compressed or not, in
//! either byte order. The parser trusts nothing: sizes are checked against the bytes that are there before anything is
//! reserved, what inflates is bounded by [`super::allowance`], nesting by 32 levels, and a sparse matrix may keep room
//! for more values than it has, as MATLAB's may.
//!
//! Format: MathWorks, *MAT-File Format*, version 5.

mod element;
mod matrix;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use self::element::{Input, Kind};
use super::array::ByteOrder;
use super::bytes::Budget;
use super::variables::{Convention, Variables};
use crate::{DataError, Position};

const HEADER: usize = 128;

/// Reads a `.mat` file of version 5 or 7.3, see [`parse`].
///
/// # Errors
/// As [`parse`], and [`DataError::Io`].
pub fn read(path: &Path) -> Result<Variables, DataError> {
    parse(path, &super::load(path)?)
}

/// Parses a `.mat` file of version 5 or, with the feature `hdf5`, 7.3; its header says which.
///
/// Numbers stay in the storage of the file; complex arrays, function handles and objects come back as
/// [`super::Value::Other`].
///
/// # Errors
/// [`DataError::Malformed`] with the byte, what was expected and what was found; [`DataError::TooLarge`] for data that
/// inflates beyond [`super::allowance`]; [`DataError::Unsupported`] for version 4.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Variables, DataError> {
    match bytes.get(124..HEADER) {
        Some([0, 1, b'I', b'M']) => parse_v5(path, bytes, ByteOrder::Little),
        Some([1, 0, b'M', b'I']) => parse_v5(path, bytes, ByteOrder::Big),
        Some([0, 2, b'I', b'M'] | [2, 0, b'M', b'I']) => parse_v73(path, bytes),
        // A version 4 file begins with a number below 5000, so with a zero byte on one side.
        _ if bytes.len() >= 20 && bytes[..4].contains(&0) => Err(DataError::Unsupported {
            path: path.to_owned(),
            found: "a MAT file of version 4".to_owned(),
            advice: "in MATLAB, load it and `save -v7`".to_owned(),
        }),
        found => Err(DataError::malformed(
            path,
            "MAT",
            Position::Byte(124),
            "version 5 or 7.3 and a byte order mark",
            found.map_or_else(
                || format!("a file of {} bytes", bytes.len()),
                |found| format!("{found:?}"),
            ),
        )),
    }
}

#[cfg(feature = "hdf5")]
fn parse_v73(path: &Path, bytes: &[u8]) -> Result<Variables, DataError> {
    super::hdf5::parse(path, bytes)
}

#[cfg(not(feature = "hdf5"))]
fn parse_v73(path: &Path, _: &[u8]) -> Result<Variables, DataError> {
    Err(DataError::Unsupported {
        path: path.to_owned(),
        found: "a MAT file of version 7.3".to_owned(),
        advice: "build translearn-data with its feature `hdf5`, or save the file with `-v7`"
            .to_owned(),
    })
}

fn parse_v5(path: &Path, bytes: &[u8], order: ByteOrder) -> Result<Variables, DataError> {
    let mut budget = Budget::new(path, bytes.len());
    let mut values = BTreeMap::new();
    let mut file = Input::new(path, bytes, order, HEADER);
    while !file.is_at_end() {
        let element = file.element()?;
        let variable = match element.kind {
            Kind::Matrix => matrix::variable(element.content, &mut budget)?,
            Kind::Compressed => {
                let inflated = budget
                    .read(flate2::read::ZlibDecoder::new(element.content.rest()))
                    .map_err(|error| {
                        element
                            .content
                            .fail("a complete zlib stream", error.to_string())
                    })??;
                let mut content =
                    Input::inflated(path, &inflated, order, element.content.position());
                let inner = content.element()?;
                if inner.kind != Kind::Matrix {
                    return Err(inner.content.fail("a matrix", format!("{:?}", inner.kind)));
                }
                matrix::variable(inner.content, &mut budget)?
            }
            kind => {
                return Err(element
                    .content
                    .fail("a matrix or compressed data", format!("{kind:?}")));
            }
        };
        // Nameless matrices hold MATLAB's own bookkeeping of objects.
        if !variable.name.is_empty() {
            values.insert(variable.name, variable.value);
        }
    }
    Ok(Variables::new(
        path,
        bytes.len(),
        Convention::FirstAxis,
        values,
    ))
}
