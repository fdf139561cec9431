//! NumPy's `npz`: a zip archive of `npy` arrays, and sparse matrices kept as their parts.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use sprs::{CompressedStorage, CsMat};
use zip::ZipArchive;

use super::array::NumericArray;
use super::bytes::Budget;
use super::npy;
use super::sparse::Compressed;
use super::variables::{Convention, Value, Variables};
use crate::{DataError, Position};

/// Reads an `npz` file, see [`parse`].
///
/// # Errors
/// As [`parse`], and [`DataError::Io`].
pub fn read(path: &Path) -> Result<Variables, DataError> {
    parse(path, &super::load(path)?)
}

/// Parses an `npz` archive.
///
/// Arrays `p_data`, `p_indices`, `p_indptr`, `p_shape` are also given as one sparse matrix `p`: the form of the citation
/// networks. SciPy's `save_npz` writes the same parts without prefix, and a `format`; that matrix is called `matrix`.
/// Pickled arrays come back as [`Value::Other`] and are never unpickled.
///
/// # Errors
/// [`DataError::Malformed`] for a damaged archive, array, or sparse matrix whose parts contradict each other;
/// [`DataError::TooLarge`] when members inflate beyond [`super::allowance`].
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Variables, DataError> {
    let fail = |name: &str, found: String| {
        DataError::malformed(
            path,
            "npz",
            Position::Part(name.into()),
            "a zip archive of npy arrays",
            found,
        )
    };
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| fail("archive", error.to_string()))?;
    let mut budget = Budget::new(path, bytes.len());
    let mut values = BTreeMap::new();
    for index in 0..archive.len() {
        let member = archive
            .by_index(index)
            .map_err(|error| fail("archive", error.to_string()))?;
        let Some(name) = member.name().strip_suffix(".npy").map(str::to_owned) else {
            continue;
        };
        let content = budget
            .read(member)
            .map_err(|error| fail(&name, error.to_string()))??;
        values.insert(name.clone(), npy::parse(path, &name, &content)?);
    }
    join_sparse_parts(path, &mut values)?;
    Ok(Variables::new(
        path,
        bytes.len(),
        Convention::FirstAxis,
        values,
    ))
}

/// Adds a sparse matrix for every set of its parts.
fn join_sparse_parts(path: &Path, values: &mut BTreeMap<String, Value>) -> Result<(), DataError> {
    let prefixes: Vec<String> = values
        .keys()
        .filter_map(|name| name.strip_suffix("indptr"))
        .map(str::to_owned)
        .collect();
    for prefix in prefixes {
        let part = |suffix: &str| match values.get(&format!("{prefix}{suffix}")) {
            Some(Value::Numeric(array)) => Some(array),
            _ => None,
        };
        let (Some(data), Some(indices), Some(indptr), Some(shape)) =
            (part("data"), part("indices"), part("indptr"), part("shape"))
        else {
            continue;
        };
        let by_column = match values.get(&format!("{prefix}format")) {
            Some(Value::Text(format)) if format.iter().any(|format| format == "csc") => true,
            Some(Value::Text(format)) if format.iter().any(|format| format != "csr") => continue,
            _ => false,
        };
        let name = match prefix.trim_end_matches(['_', '.']) {
            "" => "matrix",
            name => name,
        };
        if values.contains_key(name) {
            continue;
        }
        let matrix = sparse(path, name, data, indices, indptr, shape, by_column)?;
        let name = name.to_owned();
        values.insert(name, Value::Sparse(matrix));
    }
    Ok(())
}

fn sparse(
    path: &Path,
    name: &str,
    data: &NumericArray,
    indices: &NumericArray,
    indptr: &NumericArray,
    shape: &NumericArray,
    by_column: bool,
) -> Result<CsMat<f64>, DataError> {
    let fail = |expected: &str, found: String| {
        DataError::malformed(path, "npz", Position::Part(name.into()), expected, found)
    };
    let (Some(shape), Some(indptr), Some(indices)) = (
        whole_numbers(shape),
        whole_numbers(indptr),
        whole_numbers(indices),
    ) else {
        return Err(fail(
            "shape, indptr and indices of whole numbers",
            "others".to_owned(),
        ));
    };
    let &[rows, columns] = shape.as_slice() else {
        return Err(fail("a shape of rows and columns", format!("{shape:?}")));
    };
    let storage = if by_column {
        CompressedStorage::CSC
    } else {
        CompressedStorage::CSR
    };
    let values = data.values().collect();
    Compressed {
        storage,
        shape: (rows, columns),
        starts: indptr,
        indices,
        values,
    }
    .check(path, "npz", name)
}

/// The numbers as indices, if they all are.
fn whole_numbers(array: &NumericArray) -> Option<Vec<usize>> {
    array
        .values()
        .map(|value| {
            (value >= 0.0 && value.fract() == 0.0 && value < 2f64.powi(53))
                .then_some(value as usize)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in members {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn array(values: &[f64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let values = ndarray::Array1::from(values.to_vec());
        ndarray_npy::WriteNpyExt::write_npy(&values, &mut bytes).unwrap();
        bytes
    }

    fn parts(indptr: &[f64], indices: &[f64], shape: &[f64]) -> Result<Variables, DataError> {
        let members = [
            ("a_data.npy", array(&[1.0, 2.0])),
            ("a_indices.npy", array(indices)),
            ("a_indptr.npy", array(indptr)),
            ("a_shape.npy", array(shape)),
        ];
        parse(Path::new("t.npz"), &archive(&members))
    }

    #[test]
    fn parts_that_contradict_each_other_are_refused() {
        assert!(parts(&[0.0, 1.0, 2.0], &[0.0, 1.0], &[2.0, 2.0]).is_ok());
        for (indptr, indices, shape, why) in [
            (
                &[0.0, 1.0][..],
                &[0.0, 1.0],
                &[2.0, 2.0][..],
                "2 + 1 starts",
            ),
            (&[0.0, 1.0, 9.0], &[0.0, 1.0], &[2.0, 2.0], "9 indices"),
            (&[0.0, 1.0, 2.0], &[0.0, 2.0], &[2.0, 2.0], "below 2"),
            (&[0.0, 1.0, 2.0], &[0.0, 0.5], &[2.0, 2.0], "whole numbers"),
            (&[0.0, -1.0, 2.0], &[0.0, 1.0], &[2.0, 2.0], "whole numbers"),
            (&[0.0, 1.0, 2.0], &[0.0, 1.0], &[2.0], "rows and columns"),
            (&[0.0, 1.0, 2.0], &[0.0, 1.0], &[1e18, 2.0], "whole numbers"),
        ] {
            let error = parts(indptr, indices, shape).unwrap_err().to_string();
            assert!(error.contains(why), "{error} does not say {why}");
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = archive(&[("x.npy", vec![0; 100 << 20])]);
        assert!(matches!(
            parse(Path::new("t.npz"), &bomb),
            Err(DataError::TooLarge { .. })
        ));
    }
}
