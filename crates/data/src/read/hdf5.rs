//! HDF5, with MATLAB's `.mat` version 7.3 as its commonest dialect.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5_reader::{
    ByteOrder as FileOrder, Dataset, Datatype, Hdf5File, OpenOptions, VarLenKind, group::Group,
};
use sprs::CompressedStorage;

use super::array::{ByteOrder, ElementType, Layout, NumericArray, Storage};
use super::bytes::{Budget, allowance};
use super::sparse::Compressed;
use super::variables::{Convention, Value, Variables};
use crate::{DataError, Position};

const FORMAT: &str = "HDF5";

/// Groups within groups beyond this depth are not entered: links may form circles.
const MAX_DEPTH: usize = 16;

/// Groups and datasets looked at.
const MAX_OBJECTS: usize = 10_000;

/// Reads an HDF5 or MAT 7.3 file, see [`parse`].
///
/// # Errors
/// As [`parse`], and [`DataError::Io`].
pub fn read(path: &Path) -> Result<Variables, DataError> {
    parse(path, &super::load(path)?)
}

/// Parses an HDF5 file. Datasets in groups are named by their path, `train/data`.
///
/// In a MAT 7.3 file arrays get MATLAB's shape, character arrays are text and sparse matrices sparse; cells and structs of
/// cells come back as [`Value::Other`].
///
/// # Errors
/// [`DataError::Malformed`] with the dataset and the reader's reason, [`DataError::TooLarge`] when datasets ask for more
/// than [`super::allowance`].
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Variables, DataError> {
    let bounded = usize::try_from(allowance(bytes.len())).unwrap_or(usize::MAX);
    let options = OpenOptions::default()
        .with_max_read_bytes(bounded)
        .with_max_chunk_bytes(bounded)
        .with_max_object_header_bytes(bytes.len().max(4096));
    let file = Hdf5File::from_bytes_with_options(bytes, options)
        .map_err(|error| malformed(path, "/", &error))?;
    let matlab = bytes.starts_with(b"MATLAB");
    let budget = Budget::new(path, bytes.len());
    let mut walk = Walk {
        path,
        matlab,
        budget,
        objects: 0,
        values: BTreeMap::new(),
    };
    let root = file
        .root_group()
        .map_err(|error| malformed(path, "/", &error))?;
    walk.group(&root, "", 0)?;
    let convention = if matlab {
        Convention::FirstAxis
    } else {
        Convention::PlainHdf5
    };
    Ok(Variables::new(path, bytes.len(), convention, walk.values))
}

fn malformed(path: &Path, name: &str, error: &hdf5_reader::error::Error) -> DataError {
    DataError::malformed(
        path,
        FORMAT,
        Position::Part(name.into()),
        "a readable group or dataset",
        error.to_string(),
    )
}

struct Walk<'a> {
    path: &'a Path,
    matlab: bool,
    budget: Budget<'a>,
    objects: usize,
    values: BTreeMap<String, Value>,
}

impl Walk<'_> {
    fn count(&mut self, name: &str) -> Result<(), DataError> {
        self.objects += 1;
        if self.objects <= MAX_OBJECTS {
            return Ok(());
        }
        Err(DataError::malformed(
            self.path,
            FORMAT,
            Position::Part(name.into()),
            format!("at most {MAX_OBJECTS} groups and datasets"),
            "more; do links form a circle?",
        ))
    }

    fn group(&mut self, group: &Group, prefix: &str, depth: usize) -> Result<(), DataError> {
        let here = if prefix.is_empty() { "/" } else { prefix };
        let (groups, datasets) = group
            .members()
            .map_err(|error| malformed(self.path, here, &error))?;
        let named = |name: &str| {
            if prefix.is_empty() {
                name.to_owned()
            } else {
                format!("{prefix}/{name}")
            }
        };
        for dataset in &datasets {
            let name = named(dataset.name());
            self.count(&name)?;
            let value = self.dataset(dataset, &name)?;
            self.values.insert(name, value);
        }
        for child in &groups {
            let name = named(child.name());
            self.count(&name)?;
            // MATLAB keeps cells and its own bookkeeping in `#refs#` and `#subsystem#`.
            if depth >= MAX_DEPTH || (self.matlab && child.name().starts_with('#')) {
                continue;
            }
            match self.matlab.then(|| sparse_rows(child)).flatten() {
                Some(rows) => {
                    let matrix = self.sparse(child, &name, rows)?;
                    self.values.insert(name, matrix);
                }
                None => self.group(child, &name, depth + 1)?,
            }
        }
        Ok(())
    }

    /// The raw bytes, counted against what the file may ask for.
    fn bytes(&mut self, dataset: &Dataset, name: &str) -> Result<Vec<u8>, DataError> {
        let needs = dataset
            .raw_byte_len()
            .map_err(|error| malformed(self.path, name, &error))? as u64;
        self.budget.spend(needs, &format!("`{name}`"))?;
        dataset
            .read_raw_bytes()
            .map_err(|error| malformed(self.path, name, &error))
    }

    fn dataset(&mut self, dataset: &Dataset, name: &str) -> Result<Value, DataError> {
        let class = self
            .matlab
            .then(|| matlab_class(dataset))
            .flatten()
            .unwrap_or_default();
        if self.matlab && dataset.attribute("MATLAB_empty").is_ok() {
            return Ok(Value::Other("an empty array".to_owned()));
        }
        let Some((element, order)) = number(dataset.dtype()) else {
            return match dataset.dtype() {
                Datatype::String { .. }
                | Datatype::VarLen {
                    kind: VarLenKind::String,
                    ..
                } => dataset
                    .read_strings()
                    .map(Value::Text)
                    .map_err(|error| malformed(self.path, name, &error)),
                other => Ok(Value::Other(describe(other).to_owned())),
            };
        };
        let bytes = self.bytes(dataset, name)?;
        let shape = dataset
            .shape()
            .iter()
            .map(|&axis| usize::try_from(axis).unwrap_or(usize::MAX));
        // The axes of MATLAB's arrays stand reversed, so that the bytes lie as they did in memory.
        let (shape, layout): (Vec<usize>, _) = if self.matlab {
            (shape.rev().collect(), Layout::ColumnMajor)
        } else {
            (shape.collect(), Layout::RowMajor)
        };
        let storage = Storage {
            element,
            order,
            layout,
        };
        let array = NumericArray::new(self.path, name, shape, storage, bytes)?;
        Ok(if class == "char" {
            text(&array)
        } else {
            Value::Numeric(array)
        })
    }

    /// MATLAB's sparse matrices are groups of `data`, `ir` and `jc`; without non-zeros the first two are absent.
    fn sparse(&mut self, group: &Group, name: &str, rows: usize) -> Result<Value, DataError> {
        let mut part = |part: &str| match group.dataset(part) {
            Err(_) if part != "jc" => Ok(Vec::new()),
            Err(error) => Err(malformed(self.path, name, &error)),
            Ok(dataset) => match self.dataset(&dataset, name)? {
                Value::Numeric(array) => Ok(array.values().collect::<Vec<f64>>()),
                other => Err(DataError::malformed(
                    self.path,
                    FORMAT,
                    Position::Part(name.into()),
                    format!("numbers in `{part}`"),
                    other.describe(),
                )),
            },
        };
        let indices = part("ir")?
            .into_iter()
            .map(|index| index as usize)
            .collect();
        let starts: Vec<usize> = part("jc")?
            .into_iter()
            .map(|start| start as usize)
            .collect();
        let values = part("data")?;
        let shape = (rows, starts.len().saturating_sub(1));
        Compressed {
            storage: CompressedStorage::CSC,
            shape,
            starts,
            indices,
            values,
        }
        .check(self.path, FORMAT, name)
        .map(Value::Sparse)
    }
}

/// The number of rows of a group that is a sparse matrix.
fn sparse_rows(group: &Group) -> Option<usize> {
    let rows = group.attribute("MATLAB_sparse").ok()?.read_as_f64().ok()?;
    (rows >= 0.0 && rows < 2f64.powi(48)).then_some(rows as usize)
}

fn matlab_class(dataset: &Dataset) -> Option<String> {
    dataset.attribute("MATLAB_class").ok()?.read_string().ok()
}

fn number(datatype: &Datatype) -> Option<(ElementType, ByteOrder)> {
    let order = |order: &FileOrder| match order {
        FileOrder::LittleEndian => ByteOrder::Little,
        FileOrder::BigEndian => ByteOrder::Big,
    };
    match datatype {
        Datatype::FixedPoint {
            size,
            signed,
            byte_order,
        } => {
            let element = match (size, signed) {
                (1, true) => ElementType::I8,
                (1, false) => ElementType::U8,
                (2, true) => ElementType::I16,
                (2, false) => ElementType::U16,
                (4, true) => ElementType::I32,
                (4, false) => ElementType::U32,
                (8, true) => ElementType::I64,
                (8, false) => ElementType::U64,
                _ => return None,
            };
            Some((element, order(byte_order)))
        }
        Datatype::FloatingPoint { size, byte_order } => {
            let element = match size {
                2 => ElementType::F16,
                4 => ElementType::F32,
                8 => ElementType::F64,
                _ => return None,
            };
            Some((element, order(byte_order)))
        }
        // Python's booleans are an enumeration of bytes.
        Datatype::Enum { base, .. } => number(base),
        _ => None,
    }
}

fn describe(datatype: &Datatype) -> &'static str {
    match datatype {
        Datatype::Reference { .. } => "references, as cells are kept",
        Datatype::Compound { .. } => "records",
        Datatype::Array { .. } => "an array of arrays",
        _ => "data of a kind that is not read",
    }
}

/// The rows of a character matrix of UTF-16 units in column-major order.
fn text(array: &NumericArray) -> Value {
    let rows = if array.is_empty() {
        0
    } else {
        array.shape()[0]
    };
    let units: Vec<u16> = array.values().map(|unit| unit as u16).collect();
    let row = |row| {
        String::from_utf16_lossy(
            &units
                .iter()
                .copied()
                .skip(row)
                .step_by(rows)
                .collect::<Vec<_>>(),
        )
    };
    Value::Text((0..rows).map(row).collect())
}
