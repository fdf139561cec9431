//! Named arrays of a file (npz, MAT, HDF5), and how features and labels are picked from them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sprs::CsMat;
use translearn_core::{DENSE_LIMIT_BYTES, Features};

use super::ReadOptions;
use super::array::{NumericArray, show_shape};
use super::bytes::{allowance, too_large};
use super::sparse::to_csr;
use crate::{DataError, RawFeatures, RawLabels, RawSample};

/// One named thing in a file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Numbers.
    Numeric(NumericArray),
    /// A sparse matrix, in the storage order of the file.
    Sparse(CsMat<f64>),
    /// Strings: the rows of a character matrix.
    Text(Vec<String>),
    /// A MATLAB cell array, column-major.
    Cell {
        /// Length of each axis.
        shape: Vec<usize>,
        /// The cells.
        cells: Vec<Value>,
    },
    /// A MATLAB struct array: each field with one value per element.
    Struct {
        /// Length of each axis.
        shape: Vec<usize>,
        /// The fields, in file order.
        fields: Vec<(String, Vec<Value>)>,
    },
    /// Legal, but of no use here: complex numbers, function handles, pickled objects, ….
    Other(String),
}

impl Value {
    /// What it is, for messages: `2000 x 256 numbers`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Numeric(array) => format!("{} numbers", show_shape(array.shape())),
            Self::Sparse(matrix) => {
                format!("a sparse {} x {} matrix", matrix.rows(), matrix.cols())
            }
            Self::Text(rows) => format!("{} strings", rows.len()),
            Self::Cell { shape, .. } => format!("{} cells", show_shape(shape)),
            Self::Struct { shape, .. } => format!("a struct array of {}", show_shape(shape)),
            Self::Other(what) => what.clone(),
        }
    }
}

/// Everything a file of named arrays holds.
///
/// ```
/// use std::path::Path;
/// use translearn_data::read::npz;
///
/// let file = npz::parse(Path::new("empty.npz"), b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")?;
/// assert_eq!(file.names().count(), 0);
/// assert!(file.get("fts").is_err());
/// # Ok::<(), translearn_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Variables {
    path: PathBuf,
    file_bytes: usize,
    convention: Convention,
    values: BTreeMap<String, Value>,
}

/// Which axis is rows where neither labels nor the user decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Convention {
    /// Rows are the first axis of every array: NumPy, MATLAB.
    FirstAxis,
    /// Rows are the first axis, but where labels are as long as both, the last: what MATLAB would call the row axis,
    /// as HDF5 files reached the field through MATLAB.
    #[cfg(feature = "hdf5")]
    PlainHdf5,
}

impl Variables {
    pub(super) fn new(
        path: &Path,
        file_bytes: usize,
        convention: Convention,
        values: BTreeMap<String, Value>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            file_bytes,
            convention,
            values,
        }
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// One value.
    ///
    /// # Errors
    /// [`DataError::Missing`] with the nearest name.
    pub fn get(&self, name: &str) -> Result<&Value, DataError> {
        self.values
            .get(name)
            .ok_or_else(|| DataError::missing(&self.path, "array", name, self.names()))
    }

    /// Rows of `features`, and `label` where the options name it.
    ///
    /// Labels are flattened; the axis of the features as long as the labels is rows. When both axes are, or without
    /// labels, it is the format's row axis, or the other one with `transpose = true`.
    ///
    /// # Errors
    /// [`DataError::Missing`] for an unknown name, or when `features` is not given and the file holds several arrays;
    /// [`DataError::Mismatch`] with both shapes when neither axis fits; [`DataError::Unsupported`] for what is no matrix.
    pub fn sample(&self, options: &ReadOptions) -> Result<RawSample, DataError> {
        let label = options.label.as_deref();
        let labels = label.map(|name| self.labels(name)).transpose()?;
        let name = match options.features.as_deref() {
            Some(name) => name,
            None => self.only_name_but(label)?,
        };
        let features = self.features(
            name,
            label.zip(labels.as_ref().map(label_count)),
            options.transpose,
        )?;
        Ok(RawSample {
            features: RawFeatures::Matrix(features),
            labels,
        })
    }

    fn only_name_but(&self, label: Option<&str>) -> Result<&str, DataError> {
        let mut names = self.names().filter(|&name| Some(name) != label);
        match (names.next(), names.next()) {
            (Some(name), None) => Ok(name),
            _ => Err(DataError::InvalidOption {
                name: "features".to_owned(),
                value: "not given".to_owned(),
                expected: format!(
                    "one of the arrays of `{}`: {}",
                    self.path.display(),
                    self.names().collect::<Vec<_>>().join(", ")
                ),
            }),
        }
    }

    /// One label per row, whatever the shape of the array.
    ///
    /// # Errors
    /// [`DataError::Missing`], or [`DataError::Unsupported`] for cells, structs and the like.
    pub fn labels(&self, name: &str) -> Result<RawLabels, DataError> {
        match self.get(name)? {
            Value::Numeric(array) => Ok(RawLabels::Numbers(array.values().collect())),
            Value::Text(names) => Ok(RawLabels::Names(names.clone())),
            Value::Sparse(matrix) if matrix.rows() == 1 || matrix.cols() == 1 => {
                let n = matrix.rows().max(matrix.cols());
                let (needs, limit) = ((n as u64).saturating_mul(8), allowance(self.file_bytes));
                if needs > limit {
                    return Err(too_large(
                        &self.path,
                        &format!("`{name}` of {n} labels"),
                        needs,
                        limit,
                    ));
                }
                let csr = to_csr(&self.path, name, matrix, self.file_bytes)?;
                let mut labels = vec![0.0; n];
                for (&value, (row, column)) in csr.iter() {
                    labels[row.max(column)] = value;
                }
                Ok(RawLabels::Numbers(labels))
            }
            // A column of cells with one string each, MATLAB's usual form for class names.
            Value::Cell { cells, .. } => cells
                .iter()
                .map(|cell| match cell {
                    Value::Text(rows) if rows.len() <= 1 => Ok(rows.concat()),
                    other => {
                        Err(self.unsupported(name, &format!("a cell with {}", other.describe())))
                    }
                })
                .collect::<Result<_, _>>()
                .map(RawLabels::Names),
            other => Err(self.unsupported(name, &other.describe())),
        }
    }

    /// Features, given the name and number of the labels.
    fn features(
        &self,
        name: &str,
        labels: Option<(&str, usize)>,
        transpose: bool,
    ) -> Result<Features, DataError> {
        match self.get(name)? {
            Value::Numeric(array) => {
                let (rows, columns) = array.matrix_shape(&self.path, name)?;
                // Images and the like: only their first axis can be rows.
                let turn = if array.shape().len() > 2 {
                    self.turned(name, (rows, rows), labels, false)
                        .map(|_| false)?
                } else {
                    self.turned(name, (rows, columns), labels, transpose)?
                };
                // Count data stored densely: sparse where a dense copy would fill the memory.
                if 8 * array.len() as u64 > DENSE_LIMIT_BYTES {
                    let matrix = array.sparse(&self.path, name)?;
                    return Ok(Features::Sparse(if turn {
                        matrix.transpose_view().to_csr()
                    } else {
                        matrix
                    }));
                }
                let matrix = array.dense(&self.path, name)?;
                Ok(Features::Dense(if turn {
                    matrix.t().as_standard_layout().into_owned()
                } else {
                    matrix
                }))
            }
            Value::Sparse(matrix) => {
                let turn = self.turned(name, (matrix.rows(), matrix.cols()), labels, transpose)?;
                let matrix = if turn {
                    matrix.clone().transpose_into()
                } else {
                    matrix.clone()
                };
                Ok(Features::Sparse(to_csr(
                    &self.path,
                    name,
                    &matrix,
                    self.file_bytes,
                )?))
            }
            other => Err(self.unsupported(name, &other.describe())),
        }
    }

    /// Whether rows are the second axis.
    fn turned(
        &self,
        name: &str,
        (first, second): (usize, usize),
        labels: Option<(&str, usize)>,
        transpose: bool,
    ) -> Result<bool, DataError> {
        let usual = match self.convention {
            Convention::FirstAxis => false,
            #[cfg(feature = "hdf5")]
            Convention::PlainHdf5 => labels.is_some(),
        };
        match labels {
            None => Ok(usual != transpose),
            Some((_, n)) if n == first && n == second => Ok(usual != transpose),
            Some((_, n)) if n == first => Ok(false),
            Some((_, n)) if n == second => Ok(true),
            Some((label, n)) => Err(DataError::Mismatch {
                path: self.path.clone(),
                left: format!("`{name}` is {}", self.get(name)?.describe()),
                right: format!("`{label}` has {n} labels ({})", self.get(label)?.describe()),
                advice: "one axis of the features must be as long as the labels".to_owned(),
            }),
        }
    }

    fn unsupported(&self, name: &str, what: &str) -> DataError {
        DataError::Unsupported {
            path: self.path.clone(),
            found: format!("`{name}` ({what})"),
            advice: "name an array of numbers, a sparse matrix or, for labels, strings".to_owned(),
        }
    }
}

fn label_count(labels: &RawLabels) -> usize {
    match labels {
        RawLabels::Names(names) => names.len(),
        RawLabels::Numbers(numbers) => numbers.len(),
    }
}
