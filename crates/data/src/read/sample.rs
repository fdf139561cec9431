//! From a file of any format to a sample.

use std::collections::BTreeMap;
use std::path::Path;

use translearn_core::Features;

use super::format::Format;
use super::variables::{Convention, Value, Variables};
use super::{ReadOptions, delimited, idx, load_inflated, mat, npy, npz, svmlight};
use crate::{Cells, DataError, RawFeatures, RawLabels, RawSample, Table};

/// Reads one file into a sample.
///
/// The ending of the name decides (`.gz` is looked through), then the first bytes.
///
/// ```
/// use translearn_data::{RawLabels, read::{ReadOptions, file}};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("old.csv");
/// std::fs::write(&path, "id,x,y\n7,0.5,yes\n8,1.5,no\n")?;
/// let options = ReadOptions { label: Some("y".into()), drop: vec!["id".into()], ..ReadOptions::default() };
/// let sample = file(&path, &options)?;
/// assert_eq!(sample.labels, Some(RawLabels::Names(vec!["yes".into(), "no".into()])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of the reader; [`DataError::Unsupported`] for a folder or an unknown kind of file; [`DataError::Missing`] with the
/// nearest name for a label, column or array that is not there; [`DataError::InvalidOption`] for an option that the format
/// has no use for.
pub fn file(path: &Path, options: &ReadOptions) -> Result<RawSample, DataError> {
    if path.is_dir() {
        return Err(DataError::Unsupported {
            path: path.to_owned(),
            found: "a folder".to_owned(),
            advice: "name a file; a specification reads folders of classes, with `kind = \"images\"`, \"audio\" or \"text\"".to_owned(),
        });
    }
    let bytes = load_inflated(path)?;
    let format = Format::of(path, &bytes)?;
    format.check(options)?;
    match format {
        Format::Delimited => table_sample(path, delimited::parse(path, &bytes, options)?, options),
        Format::Parquet => parquet(path, bytes, options),
        Format::Npy => with_label_file(path, npy::parse(path, "array", &bytes)?, options),
        Format::Idx => with_label_file(path, Value::Numeric(idx::parse(path, &bytes)?), options),
        Format::Npz => npz::parse(path, &bytes)?.sample(options),
        Format::Mat => mat::parse(path, &bytes)?.sample(options),
        Format::Hdf5 => hdf5(path, &bytes, options),
        Format::Svmlight => {
            let (features, labels) = svmlight::parse(path, &bytes, options)?;
            let features = RawFeatures::Matrix(Features::Sparse(features));
            Ok(RawSample {
                features,
                labels: Some(RawLabels::Numbers(labels)),
            })
        }
    }
}

/// The options of the files of one problem, in their order, by which all svmlight files among them get the same columns:
/// with `one_based` and `n_features` where they are not said, see [`svmlight::common_options`]. Other formats name their
/// columns or have as many as they hold, and keep the options they have.
///
/// The svmlight files are read once for this.
///
/// ```
/// use std::fs;
/// use translearn_data::read::{ReadOptions, common_options};
///
/// let folder = tempfile::tempdir()?;
/// let paths = ["old.svm", "new.svm"].map(|name| folder.path().join(name));
/// fs::write(&paths[0], "-1 0:0.5 3:1\n")?;
/// fs::write(&paths[1], "+1 1:3\n")?;
/// let open = ReadOptions::default();
/// let options = common_options(&[(&paths[0], &open), (&paths[1], &open)])?;
/// assert_eq!((options[1].one_based, options[1].n_features), (Some(false), Some(4)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`DataError::Io`] and the errors of the svmlight reader.
pub fn common_options(files: &[(&Path, &ReadOptions)]) -> Result<Vec<ReadOptions>, DataError> {
    let mut common: Vec<ReadOptions> = files
        .iter()
        .map(|(_, options)| (*options).clone())
        .collect();
    let places: Vec<usize> = (0..files.len())
        .filter(|&place| Format::by_name(files[place].0) == Some(Format::Svmlight))
        .collect();
    let bytes = (places.iter())
        .map(|&place| load_inflated(files[place].0))
        .collect::<Result<Vec<_>, DataError>>()?;
    let svmlight: Vec<(&Path, &[u8], &ReadOptions)> = (places.iter().zip(&bytes))
        .map(|(&place, bytes)| (files[place].0, &bytes[..], files[place].1))
        .collect();
    for (place, options) in places.into_iter().zip(svmlight::common_options(&svmlight)?) {
        common[place] = options;
    }
    Ok(common)
}

#[cfg(feature = "parquet")]
fn parquet(path: &Path, bytes: Vec<u8>, options: &ReadOptions) -> Result<RawSample, DataError> {
    let table = super::parquet::parse(path, bytes, &options.drop)?;
    table_sample(
        path,
        table,
        &ReadOptions {
            drop: Vec::new(),
            ..options.clone()
        },
    )
}

#[cfg(not(feature = "parquet"))]
fn parquet(path: &Path, _: Vec<u8>, _: &ReadOptions) -> Result<RawSample, DataError> {
    Err(no_feature(path, "a Parquet file", "parquet"))
}

#[cfg(feature = "hdf5")]
fn hdf5(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<RawSample, DataError> {
    super::hdf5::parse(path, bytes)?.sample(options)
}

#[cfg(not(feature = "hdf5"))]
fn hdf5(path: &Path, _: &[u8], _: &ReadOptions) -> Result<RawSample, DataError> {
    Err(no_feature(path, "an HDF5 file", "hdf5"))
}

#[cfg(not(all(feature = "parquet", feature = "hdf5")))]
fn no_feature(path: &Path, found: &str, feature: &str) -> DataError {
    DataError::Unsupported {
        path: path.to_owned(),
        found: found.to_owned(),
        advice: format!("build translearn-data with its feature `{feature}`"),
    }
}

/// A file of one array, whose labels lie in a file beside it.
fn with_label_file(
    path: &Path,
    value: Value,
    options: &ReadOptions,
) -> Result<RawSample, DataError> {
    let mut values = BTreeMap::from([("features".to_owned(), value)]);
    if let Some(label) = &options.label {
        let path = path.with_file_name(label);
        let bytes = load_inflated(&path)?;
        let value = match Format::of(&path, &bytes)? {
            Format::Idx => Value::Numeric(idx::parse(&path, &bytes)?),
            Format::Npy => npy::parse(&path, "labels", &bytes)?,
            other => {
                return Err(DataError::Unsupported {
                    path,
                    found: format!("a label file of the kind {other:?}"),
                    advice: "keep the labels as npy or idx, or both arrays in one npz".to_owned(),
                });
            }
        };
        values.insert("labels".to_owned(), value);
    }
    let options = ReadOptions {
        features: Some("features".to_owned()),
        label: options.label.as_ref().map(|_| "labels".to_owned()),
        ..options.clone()
    };
    Variables::new(path, 0, Convention::FirstAxis, values).sample(&options)
}

/// Takes the label column out of a table, and leaves out what `drop` names.
///
/// # Errors
/// [`DataError::Missing`] for a column that is not there; [`DataError::Malformed`] for a row without label;
/// [`DataError::Empty`] when no column is left.
pub fn table_sample(
    path: &Path,
    mut table: Table,
    options: &ReadOptions,
) -> Result<RawSample, DataError> {
    for name in &options.drop {
        take(path, &mut table, name)?;
    }
    let labels = match &options.label {
        None => None,
        Some(name) => Some(labels(path, name, take(path, &mut table, name)?)?),
    };
    if table.columns.is_empty() {
        return Err(DataError::Empty {
            path: path.to_owned(),
            what: "feature column".to_owned(),
            advice: "the table needs a column besides the label and the dropped ones".to_owned(),
        });
    }
    Ok(RawSample {
        features: RawFeatures::Table(table),
        labels,
    })
}

/// Takes a column out of a table.
pub(super) fn take(path: &Path, table: &mut Table, name: &str) -> Result<Cells, DataError> {
    match table.columns.iter().position(|column| column.name == name) {
        Some(at) => Ok(table.columns.remove(at).cells),
        None => {
            let known = table.columns.iter().map(|column| column.name.as_str());
            Err(DataError::missing(path, "column", name, known))
        }
    }
}

fn labels(path: &Path, name: &str, cells: Cells) -> Result<RawLabels, DataError> {
    let n_rows = match &cells {
        Cells::Numbers(numbers) => numbers.len(),
        Cells::Categories(cells) => cells.len(),
    };
    let (labels, missing) = match cells {
        Cells::Numbers(numbers) => {
            let missing = numbers.iter().position(|number| number.is_nan());
            (RawLabels::Numbers(numbers), missing)
        }
        Cells::Categories(cells) => {
            let missing = cells.iter().position(Option::is_none);
            (
                RawLabels::Names(cells.into_iter().flatten().collect()),
                missing,
            )
        }
    };
    match missing {
        None => Ok(labels),
        Some(row) => Err(DataError::Mismatch {
            path: path.to_owned(),
            left: format!("the label column `{name}` belongs to all {n_rows} rows"),
            right: format!("row {} (the header not counted) has none", row + 1),
            advice: "leave rows without label out, or read the file without `label`".to_owned(),
        }),
    }
}
