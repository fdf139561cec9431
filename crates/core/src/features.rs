//! Features of a sample: a dense matrix, a CSR matrix or images, one row per example.

use std::borrow::Cow;

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use serde::{Deserialize, Serialize};
use sprs::{CsMat, TriMat};

use crate::{ImageRows, TransferError};

/// A sparse matrix in compressed row storage, linfa's own type.
pub type Csr = CsMat<f64>;

/// Dense copies of sparse features larger than this many bytes are refused (1 GiB).
pub const DENSE_LIMIT_BYTES: u64 = 1 << 30;

/// Refuses a matrix of `rows x columns` entries that would take more than [`DENSE_LIMIT_BYTES`]; `numbers` are held for
/// each entry.
///
/// # Errors
/// [`TransferError::DenseTooLarge`] that names `what`.
///
/// ```
/// use translearn_core::check_dense_memory;
///
/// assert!(check_dense_memory("the kernel matrix", 10_000, 10_000, 1).is_ok());
/// assert!(check_dense_memory("the kernel matrix", 10_000, 10_000, 2).is_err());
/// ```
pub fn check_dense_memory(
    what: &str,
    rows: usize,
    columns: usize,
    numbers: usize,
) -> Result<(), TransferError> {
    let entries = (rows as u64).saturating_mul(columns as u64);
    let bytes = entries.saturating_mul(8 * numbers as u64);
    if bytes > DENSE_LIMIT_BYTES {
        return Err(TransferError::DenseTooLarge {
            what: what.to_owned(),
            rows,
            columns,
            bytes,
            limit: DENSE_LIMIT_BYTES,
        });
    }
    Ok(())
}

/// Rows of examples: vectors, `n_rows x n_columns`, dense or sparse; or images.
///
/// Linear learners, neighbours and tf-idf work on either kind of vector; what needs dense rows asks for
/// [`Features::dense`], which refuses to fill the memory. Networks take images as they are. What is for vectors alone
/// refuses images with a typed error.
///
/// ```
/// use ndarray::array;
/// use translearn_core::Features;
///
/// let x = Features::from(array![[1.0, 0.0], [0.0, 2.0]]);
/// assert_eq!((x.n_rows(), x.n_columns()), (2, 2));
/// assert_eq!(x.select_rows(&[1]).dense()?[[0, 1]], 2.0);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Features {
    /// A dense matrix.
    Dense(Array2<f64>),
    /// A sparse matrix in compressed row storage.
    Sparse(Csr),
    /// Images, of one size or of many.
    Images(ImageRows),
}

impl Features {
    /// Number of examples.
    pub fn n_rows(&self) -> usize {
        match self {
            Self::Dense(x) => x.nrows(),
            Self::Sparse(x) => x.rows(),
            Self::Images(images) => images.n_rows(),
        }
    }

    /// Number of features; 1 for images, the image.
    pub fn n_columns(&self) -> usize {
        match self {
            Self::Dense(x) => x.ncols(),
            Self::Sparse(x) => x.cols(),
            Self::Images(_) => 1,
        }
    }

    /// Whether the storage is sparse.
    pub fn is_sparse(&self) -> bool {
        matches!(self, Self::Sparse(_))
    }

    /// Whether the rows are images.
    pub fn is_images(&self) -> bool {
        self.images().is_some()
    }

    /// The images, when the rows are images.
    pub fn images(&self) -> Option<&ImageRows> {
        match self {
            Self::Images(images) => Some(images),
            Self::Dense(_) | Self::Sparse(_) => None,
        }
    }

    /// Refuses images.
    ///
    /// # Errors
    /// [`TransferError::NotVectors`] that names `what`.
    pub fn check_vectors(&self, what: &str) -> Result<(), TransferError> {
        if self.is_images() {
            return Err(not_vectors(what));
        }
        Ok(())
    }

    /// The rows as a dense matrix, borrowed when they are dense already.
    ///
    /// # Errors
    /// [`TransferError::DenseTooLarge`] when a sparse matrix would take more than [`DENSE_LIMIT_BYTES`],
    /// [`TransferError::NotVectors`] for images.
    pub fn dense(&self) -> Result<Cow<'_, Array2<f64>>, TransferError> {
        match self {
            Self::Dense(x) => Ok(Cow::Borrowed(x)),
            Self::Sparse(x) => {
                check_dense_memory("features", x.rows(), x.cols(), 1)?;
                Ok(Cow::Owned(x.to_dense()))
            }
            Self::Images(_) => Err(not_vectors("the rows")),
        }
    }

    /// The rows at `indices`, in that order; an index may stand more than once.
    ///
    /// # Panics
    /// When an index is not below [`Features::n_rows`], like all indexing.
    #[must_use]
    pub fn select_rows(&self, indices: &[usize]) -> Self {
        match self {
            Self::Dense(x) => Self::Dense(x.select(Axis(0), indices)),
            Self::Sparse(x) => {
                let mut out = Csr::empty(sprs::CompressedStorage::CSR, x.cols());
                out.reserve_outer_dim(indices.len());
                for &row in indices {
                    match x.outer_view(row) {
                        Some(view) => out = out.append_outer_csvec(view),
                        None => unreachable_row(row, x.rows()),
                    }
                }
                Self::Sparse(out)
            }
            Self::Images(images) => Self::Images(images.select_rows(indices)),
        }
    }

    /// The columns at `indices`, in that order; each index stands at most once.
    ///
    /// # Errors
    /// [`TransferError::NotVectors`] for images.
    ///
    /// # Panics
    /// When an index is not below [`Features::n_columns`], like all indexing.
    pub fn select_columns(&self, indices: &[usize]) -> Result<Self, TransferError> {
        match self {
            Self::Dense(x) => Ok(Self::Dense(x.select(Axis(1), indices))),
            Self::Sparse(x) => {
                let mut place_of = vec![None; x.cols()];
                for (place, &column) in indices.iter().enumerate() {
                    place_of[column] = Some(place);
                }
                let mut triplets = TriMat::new((x.rows(), indices.len()));
                for (&value, (row, column)) in x {
                    if let Some(place) = place_of[column] {
                        triplets.add_triplet(row, place, value);
                    }
                }
                Ok(Self::Sparse(triplets.to_csr()))
            }
            Self::Images(_) => Err(not_vectors("the rows")),
        }
    }

    /// `self` on top of `below`. The result is sparse when either is.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] when the widths differ, [`TransferError::ImagesAndVectors`] for one of each.
    pub fn stack(&self, below: &Self) -> Result<Self, TransferError> {
        check_same_features("the upper rows", self, "the lower rows", below)?;
        match (self, below) {
            (Self::Dense(a), Self::Dense(b)) => {
                Ok(Self::Dense(concatenated(Axis(0), &[a.view(), b.view()])))
            }
            (Self::Images(a), Self::Images(b)) => Ok(Self::Images(a.stack(b))),
            (a, b) => {
                let (a, b) = (a.to_sparse()?, b.to_sparse()?);
                Ok(Self::Sparse(sprs::vstack(&[a.view(), b.view()])))
            }
        }
    }

    /// The columns of all parts beside each other, in their order. The result is sparse when any part is.
    ///
    /// # Errors
    /// [`TransferError::Empty`] without parts, [`TransferError::LengthMismatch`] when the numbers of rows differ,
    /// [`TransferError::NotVectors`] for images.
    pub fn beside(parts: &[&Self]) -> Result<Self, TransferError> {
        let Some((first, rest)) = parts.split_first() else {
            return Err(TransferError::Empty {
                what: "the list of columns".to_owned(),
                needed: 1,
            });
        };
        if let Some(other) = rest.iter().find(|x| x.n_rows() != first.n_rows()) {
            return Err(TransferError::LengthMismatch {
                left: "the first columns".to_owned(),
                left_len: first.n_rows(),
                right: "columns beside them".to_owned(),
                right_len: other.n_rows(),
            });
        }
        if parts.iter().any(|x| x.is_sparse()) {
            let sparse = parts.iter().map(|x| x.to_sparse());
            let sparse = sparse.collect::<Result<Vec<_>, _>>()?;
            let views: Vec<_> = sparse.iter().map(|x| x.view()).collect();
            return Ok(sprs::hstack(&views).into());
        }
        let dense = parts.iter().map(|x| x.dense());
        let dense = dense.collect::<Result<Vec<_>, _>>()?;
        let views: Vec<_> = dense.iter().map(|x| x.view()).collect();
        Ok(Self::Dense(concatenated(Axis(1), &views)))
    }

    /// The rows in compressed row storage, borrowed when they are sparse already.
    ///
    /// # Errors
    /// [`TransferError::NotVectors`] for images.
    pub fn to_sparse(&self) -> Result<Cow<'_, Csr>, TransferError> {
        match self {
            Self::Sparse(x) => Ok(Cow::Borrowed(x)),
            Self::Dense(x) => {
                let mut triplets = TriMat::new(x.dim());
                for ((row, column), &value) in x.indexed_iter() {
                    if value != 0.0 {
                        triplets.add_triplet(row, column, value);
                    }
                }
                Ok(Cow::Owned(triplets.to_csr()))
            }
            Self::Images(_) => Err(not_vectors("the rows")),
        }
    }

    /// Refuses NaN and infinities, naming the first one; pixels are neither.
    ///
    /// # Errors
    /// [`TransferError::NotFinite`] with row and column.
    pub fn check_finite(&self, what: &str) -> Result<(), TransferError> {
        let found = match self {
            Self::Dense(x) => x
                .indexed_iter()
                .find(|(_, value)| !value.is_finite())
                .map(|((row, column), &value)| (row, column, value)),
            Self::Sparse(x) => x
                .iter()
                .find(|(value, _)| !value.is_finite())
                .map(|(&value, (row, column))| (row, column, value)),
            Self::Images(_) => None,
        };
        match found {
            None => Ok(()),
            Some((row, column, value)) => Err(TransferError::NotFinite {
                what: what.to_owned(),
                row,
                column,
                value: value.to_string(),
            }),
        }
    }
}

fn not_vectors(what: &str) -> TransferError {
    TransferError::NotVectors {
        what: what.to_owned(),
    }
}

/// What stands in the arm for [`Features::Images`] of code that only vectors reach: images were refused before, by
/// [`FitSample::fit_sample`](crate::FitSample::fit_sample), by
/// [`check_prediction_rows`](crate::check_prediction_rows) or by [`Features::check_vectors`].
///
/// # Panics
/// Always.
#[expect(
    clippy::panic,
    reason = "the callers stand behind a check that refuses images"
)]
pub fn images_were_refused() -> ! {
    panic!("images where vectors were checked for")
}

#[expect(
    clippy::panic,
    reason = "out-of-range row, the same contract as indexing an array"
)]
fn unreachable_row(row: usize, rows: usize) -> ! {
    panic!("row {row} of a matrix with {rows} rows")
}

#[expect(
    clippy::expect_used,
    reason = "the callers have checked that the other sides agree, the only way concatenation fails"
)]
fn concatenated(axis: Axis, parts: &[ArrayView2<'_, f64>]) -> Array2<f64> {
    concatenate(axis, parts).expect("equal sides")
}

impl From<Array2<f64>> for Features {
    fn from(x: Array2<f64>) -> Self {
        Self::Dense(x)
    }
}

impl From<Csr> for Features {
    fn from(x: Csr) -> Self {
        Self::Sparse(if x.is_csr() { x } else { x.to_csr() })
    }
}

impl From<ImageRows> for Features {
    fn from(images: ImageRows) -> Self {
        Self::Images(images)
    }
}

/// Refuses two tables of different widths, and images beside vectors.
///
/// # Errors
/// [`TransferError::FeatureMismatch`] or [`TransferError::ImagesAndVectors`] that names both.
pub fn check_same_features(
    left: &str,
    left_features: &Features,
    right: &str,
    right_features: &Features,
) -> Result<(), TransferError> {
    if left_features.is_images() != right_features.is_images() {
        let (images, vectors) = if left_features.is_images() {
            (left, right)
        } else {
            (right, left)
        };
        return Err(TransferError::ImagesAndVectors {
            images: images.to_owned(),
            vectors: vectors.to_owned(),
        });
    }
    if left_features.n_columns() == right_features.n_columns() {
        return Ok(());
    }
    Err(TransferError::FeatureMismatch {
        left: left.to_owned(),
        left_features: left_features.n_columns(),
        right: right.to_owned(),
        right_features: right_features.n_columns(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn table() -> Array2<f64> {
        array![[1.0, 0.0, 2.0], [0.0, 3.0, 0.0], [4.0, 0.0, 0.0]]
    }

    #[test]
    fn sparse_and_dense_agree() {
        let dense = Features::from(table());
        let sparse = Features::Sparse(dense.to_sparse().unwrap().into_owned());
        assert_eq!(*sparse.dense().unwrap(), table());
        let rows = [2, 0, 2];
        assert_eq!(
            *sparse.select_rows(&rows).dense().unwrap(),
            *dense.select_rows(&rows).dense().unwrap()
        );
        let columns = [2, 0];
        let selected = sparse.select_columns(&columns).unwrap();
        assert!(selected.is_sparse());
        assert_eq!(
            *selected.dense().unwrap(),
            table().select(Axis(1), &columns)
        );
        assert_eq!(
            dense.select_columns(&columns).unwrap(),
            Features::from(table().select(Axis(1), &columns))
        );
        let mixed = sparse.stack(&dense).unwrap();
        assert!(mixed.is_sparse());
        assert_eq!(
            *mixed.dense().unwrap(),
            *dense.stack(&dense).unwrap().dense().unwrap()
        );
    }

    #[test]
    fn columns_beside_each_other_are_sparse_when_any_is() {
        let dense = Features::from(table());
        let sparse = Features::Sparse(dense.to_sparse().unwrap().into_owned());
        let expected = concatenate(Axis(1), &[table().view(), table().view()]).unwrap();
        for (parts, is_sparse) in [
            ([&dense, &dense], false),
            ([&sparse, &dense], true),
            ([&sparse, &sparse], true),
        ] {
            let both = Features::beside(&parts).unwrap();
            assert_eq!(both.is_sparse(), is_sparse);
            assert_eq!(*both.dense().unwrap(), expected);
        }
        assert!(matches!(
            Features::beside(&[&dense, &dense.select_rows(&[0])]),
            Err(TransferError::LengthMismatch {
                left_len: 3,
                right_len: 1,
                ..
            })
        ));
        assert!(Features::beside(&[]).is_err());
        assert!(Features::beside(&[&images(&[1, 2, 3]), &dense]).is_err());
    }

    #[test]
    fn a_dense_copy_that_would_fill_the_memory_is_refused() {
        let huge = Features::Sparse(Csr::zero((100_000, 100_000)));
        assert!(matches!(
            huge.dense(),
            Err(TransferError::DenseTooLarge { .. })
        ));
    }

    #[test]
    fn mismatch_names_both_widths() {
        let error = Features::from(table())
            .stack(&Features::from(array![[1.0]]))
            .unwrap_err();
        assert!(error.to_string().contains("3 features"), "{error}");
        assert!(error.to_string().contains("has 1"), "{error}");
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_named() {
        let mut x = table();
        x[[1, 2]] = f64::NAN;
        for features in [
            Features::from(x.clone()),
            Features::Sparse(Features::from(x).to_sparse().unwrap().into_owned()),
        ] {
            assert_eq!(
                features.check_finite("source").unwrap_err(),
                TransferError::NotFinite {
                    what: "source".into(),
                    row: 1,
                    column: 2,
                    value: "NaN".into()
                }
            );
        }
    }

    fn images(values: &[u8]) -> Features {
        let image = |&value: &u8| crate::Image::new(1, 1, 1, vec![value]).unwrap();
        Features::Images(values.iter().map(image).collect())
    }

    #[test]
    fn images_are_rows_of_one_feature() {
        let x = images(&[1, 2, 3]);
        assert_eq!((x.n_rows(), x.n_columns()), (3, 1));
        assert!(x.is_images() && !x.is_sparse());
        assert_eq!(x.select_rows(&[2, 0]), images(&[3, 1]));
        assert_eq!(x.stack(&images(&[4])).unwrap(), images(&[1, 2, 3, 4]));
        x.check_finite("the images").unwrap();
        let text = serde_json::to_string(&x).unwrap();
        assert_eq!(serde_json::from_str::<Features>(&text).unwrap(), x);
    }

    #[test]
    fn images_are_refused_where_vectors_are_needed() {
        let (x, vectors) = (images(&[1, 2, 3]), Features::from(array![[1.0]]));
        for error in [
            x.dense().unwrap_err(),
            x.to_sparse().unwrap_err(),
            x.check_vectors("the source").unwrap_err(),
        ] {
            assert!(matches!(error, TransferError::NotVectors { .. }), "{error}");
            assert!(error.to_string().contains("`features`"), "{error}");
        }
        // As wide as the images, and still another feature space.
        for (left, right) in [(&x, &vectors), (&vectors, &x)] {
            let error = check_same_features("source", left, "target", right).unwrap_err();
            let (images, vectors) = if left.is_images() {
                ("source", "target")
            } else {
                ("target", "source")
            };
            let expected = TransferError::ImagesAndVectors {
                images: images.into(),
                vectors: vectors.into(),
            };
            assert_eq!(error, expected);
            assert!(left.stack(right).is_err());
        }
    }
}
