//! Compressed sparse matrices from parts that cannot be trusted.

use std::path::Path;

use sprs::{CompressedStorage, CsMat};
use translearn_core::Csr;

use super::bytes::{allowance, too_large};
use crate::{DataError, Position};

/// The parts of a compressed matrix as a file gives them; "outer" is the compressed axis.
pub(super) struct Compressed {
    pub(super) storage: CompressedStorage,
    pub(super) shape: (usize, usize),
    /// Where each row (CSR) or column (CSC) starts in the other two; one more than there are.
    pub(super) starts: Vec<usize>,
    /// Place of each value within its row or column. May be longer than needed: MATLAB reserves room.
    pub(super) indices: Vec<usize>,
    pub(super) values: Vec<f64>,
}

impl Compressed {
    /// The matrix, indices sorted within each row or column.
    ///
    /// Checked here and not by `CsMat::new_from_unsorted`, which indexes by the starts before it looks at them.
    pub(super) fn check(
        self,
        path: &Path,
        format: &'static str,
        name: &str,
    ) -> Result<CsMat<f64>, DataError> {
        let Self {
            storage,
            shape,
            starts,
            mut indices,
            mut values,
        } = self;
        let fail = |expected: String, found: String| {
            Err(DataError::malformed(
                path,
                format,
                Position::Part(name.into()),
                expected,
                found,
            ))
        };
        let (outer, inner) = match storage {
            CompressedStorage::CSR => shape,
            CompressedStorage::CSC => (shape.1, shape.0),
        };
        if outer.checked_add(1) != Some(starts.len()) {
            return fail(
                format!("{outer} + 1 starts"),
                format!("{} starts", starts.len()),
            );
        }
        if starts[0] != 0 {
            return fail(
                "starts from 0".to_owned(),
                format!("starts from {}", starts[0]),
            );
        }
        if let Some(at) = starts.windows(2).position(|pair| pair[0] > pair[1]) {
            return fail(
                "starts that never decrease".to_owned(),
                format!("{} then {}", starts[at], starts[at + 1]),
            );
        }
        let n = starts[outer];
        if n > indices.len() || n > values.len() {
            return fail(
                format!("{n} indices and values as the starts say"),
                format!("{} indices and {} values", indices.len(), values.len()),
            );
        }
        indices.truncate(n);
        values.truncate(n);
        if let Some(index) = indices.iter().find(|&&index| index >= inner) {
            return fail(
                format!("indices below {inner}"),
                format!("the index {index}"),
            );
        }
        let mut pairs = Vec::new();
        for (line, range) in starts.windows(2).map(|pair| pair[0]..pair[1]).enumerate() {
            let (indices, values) = (&mut indices[range.clone()], &mut values[range]);
            if !indices.is_sorted() {
                pairs.clear();
                pairs.extend(indices.iter().copied().zip(values.iter().copied()));
                pairs.sort_by_key(|&(index, _)| index);
                for (at, &(index, value)) in pairs.iter().enumerate() {
                    (indices[at], values[at]) = (index, value);
                }
            }
            if let Some(pair) = indices.windows(2).find(|pair| pair[0] == pair[1]) {
                let found = format!("two values at {} of row or column {line}", pair[0]);
                return fail("one value a cell".to_owned(), found);
            }
        }
        let matrix = match storage {
            CompressedStorage::CSR => CsMat::try_new(shape, starts, indices, values),
            CompressedStorage::CSC => CsMat::try_new_csc(shape, starts, indices, values),
        };
        matrix
            .or_else(|(_, _, _, error)| fail("a valid sparse matrix".to_owned(), error.to_string()))
    }
}

/// Rows of a sparse matrix, refusing one whose empty rows would fill the memory.
///
/// `file_bytes` is the size of the file it came from: a matrix in compressed column storage may claim two billion empty
/// rows, each of which costs eight bytes in compressed row storage.
pub(super) fn to_csr(
    path: &Path,
    name: &str,
    matrix: &CsMat<f64>,
    file_bytes: usize,
) -> Result<Csr, DataError> {
    let needs = (matrix.rows() as u64).saturating_add(1).saturating_mul(8);
    let limit = allowance(file_bytes);
    if needs > limit {
        return Err(too_large(
            path,
            &format!("`{name}` with {} rows", matrix.rows()),
            needs,
            limit,
        ));
    }
    Ok(matrix.to_csr())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        shape: (usize, usize),
        starts: &[usize],
        indices: &[usize],
        values: &[f64],
    ) -> Result<CsMat<f64>, DataError> {
        let storage = CompressedStorage::CSC;
        Compressed {
            storage,
            shape,
            starts: starts.into(),
            indices: indices.into(),
            values: values.into(),
        }
        .check(Path::new("t"), "test", "x")
    }

    #[test]
    fn room_to_spare_and_disorder_are_legal() {
        let matrix = check((3, 2), &[0, 2, 3], &[2, 0, 1, 99], &[5.0, 4.0, 6.0, 7.0]).unwrap();
        assert_eq!(
            matrix.to_dense(),
            ndarray::array![[4.0, 0.0], [0.0, 6.0], [5.0, 0.0]]
        );
    }

    #[test]
    fn contradictions_are_refused() {
        for (starts, indices, values, why) in [
            (&[0, 1][..], &[0][..], &[1.0][..], "2 + 1 starts"),
            (&[1, 1, 1], &[0], &[1.0], "from 0"),
            (&[0, 2, 1], &[0, 1], &[1.0, 1.0], "never decrease"),
            (&[0, 1, 2], &[0], &[1.0], "2 indices"),
            (&[0, 1, 1], &[3], &[1.0], "below 3"),
            (&[0, 2, 2], &[1, 1], &[1.0, 1.0], "one value a cell"),
            (&[0, 0, usize::MAX], &[1], &[1.0], "indices and values"),
        ] {
            let error = check((3, 2), starts, indices, values)
                .unwrap_err()
                .to_string();
            assert!(error.contains(why), "{error} does not say {why}");
        }
    }

    #[test]
    fn a_claim_of_empty_rows_is_refused() {
        let matrix = check((1 << 40, 1), &[0, 0], &[], &[]).unwrap();
        assert!(matches!(
            to_csr(Path::new("t"), "x", &matrix, 100),
            Err(DataError::TooLarge { .. })
        ));
    }
}
