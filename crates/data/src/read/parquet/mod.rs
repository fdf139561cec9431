//! Apache Parquet tables.

mod pages;
mod values;

use std::path::Path;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};

use self::pages::Pages;
use self::values::{Kind, Values};
use super::bytes::Budget;
use crate::{Column, DataError, Position, Table};

const FORMAT: &str = "Parquet";

/// Reads a Parquet file, see [`parse`].
///
/// # Errors
/// As [`parse`], and [`DataError::Io`].
pub fn read(path: &Path, drop: &[String]) -> Result<Table, DataError> {
    parse(path, super::load(path)?, drop)
}

/// Parses a flat Parquet table: integers, floats, decimals and booleans (0 and 1) become numbers, strings categories, nulls
/// missing values. Columns in `drop` are left out, of whatever type.
///
/// The `parquet` crate reads metadata and inflates pages; their values are decoded here, because its decoders trust the
/// lengths inside a page and panic on a damaged one. Plain and dictionary encoding are read, the ones that pandas, pyarrow,
/// polars, Spark and DuckDB write by default.
///
/// # Errors
/// [`DataError::Malformed`] with the column; [`DataError::TooLarge`] for more than [`super::allowance`];
/// [`DataError::Unsupported`] for a column of times, bytes or nested values, a rare encoding, or an integer that `f64` cannot
/// hold exactly; [`DataError::Missing`] for a name in `drop` that is no column; [`DataError::Empty`] without rows.
pub fn parse(path: &Path, bytes: Vec<u8>, drop: &[String]) -> Result<Table, DataError> {
    let malformed = |error: ParquetError| {
        DataError::malformed(
            path,
            FORMAT,
            Position::File,
            "a readable table",
            error.to_string(),
        )
    };
    let file_bytes = bytes.len();
    let reader = SerializedFileReader::new(Bytes::from(bytes)).map_err(malformed)?;
    let schema = reader.metadata().file_metadata().schema_descr();
    let fields = schema.root_schema().get_fields();
    if let Some(name) = drop
        .iter()
        .find(|name| fields.iter().all(|field| field.name() != name.as_str()))
    {
        return Err(DataError::missing(
            path,
            "column",
            name,
            fields.iter().map(|field| field.name()),
        ));
    }
    let mut columns = Vec::new();
    for field in fields
        .iter()
        .filter(|field| !drop.iter().any(|name| name == field.name()))
    {
        let kind = Kind::new(field).map_err(|what| unsupported(path, field.name(), what))?;
        // Columns are numbered by their leaves, of which a dropped column of nested values has several.
        let leaf = schema
            .columns()
            .iter()
            .position(|leaf| leaf.path().parts() == [field.name().to_owned()]);
        let leaf = leaf.ok_or_else(|| unsupported(path, field.name(), "nested values"))?;
        columns.push((leaf, schema.column(leaf), Values::new(kind)));
    }

    let mut budget = Budget::new(path, file_bytes);
    let mut n_rows = 0;
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(malformed)?;
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
        n_rows = rows.saturating_add(n_rows);
        for (leaf, descriptor, values) in &mut columns {
            check_place(
                path,
                group.metadata().columns().get(*leaf),
                descriptor.name(),
                file_bytes,
            )?;
            let mut pages = group.get_column_page_reader(*leaf).map_err(malformed)?;
            budget.spend((rows as u64).saturating_mul(8), "the number of rows")?;
            Pages {
                path,
                name: descriptor.name(),
                nullable: descriptor.max_def_level() > 0,
                budget: &mut budget,
            }
            .read(pages.as_mut(), rows, values)?;
        }
    }
    if n_rows == 0 || columns.is_empty() {
        return Err(DataError::Empty {
            path: path.to_owned(),
            what: "rows".to_owned(),
            advice: "the table needs at least one row and one column".to_owned(),
        });
    }
    let columns = columns.into_iter().map(|(_, descriptor, values)| Column {
        name: descriptor.name().to_owned(),
        cells: values.cells,
    });
    Ok(Table {
        columns: columns.collect(),
    })
}

fn unsupported(path: &Path, name: &str, what: &str) -> DataError {
    DataError::Unsupported {
        path: path.to_owned(),
        found: format!("column `{name}` with {what}"),
        advice: format!(
            "convert it to numbers or strings, or leave it out with `drop = [\"{name}\"]`"
        ),
    }
}

/// Refuses a place outside the file, which the page reader would take on trust.
fn check_place(
    path: &Path,
    column: Option<&ColumnChunkMetaData>,
    name: &str,
    file_bytes: usize,
) -> Result<(), DataError> {
    let Some(column) = column else {
        return Err(DataError::malformed(
            path,
            FORMAT,
            Position::Part(name.into()),
            "a column in every row group",
            "none",
        ));
    };
    let start = column
        .dictionary_page_offset()
        .unwrap_or(column.data_page_offset());
    let length = column.compressed_size();
    let end = start
        .checked_add(length)
        .and_then(|end| usize::try_from(end).ok());
    if start >= 0 && length >= 0 && end.is_some_and(|end| end <= file_bytes) {
        return Ok(());
    }
    Err(DataError::malformed(
        path,
        FORMAT,
        Position::Part(name.into()),
        format!("a column inside the {file_bytes} bytes of the file"),
        format!("{length} bytes from byte {start}"),
    ))
}
