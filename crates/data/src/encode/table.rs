//! Tables of numbers and categories to a matrix of numbers.

use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use translearn_core::{DENSE_LIMIT_BYTES, Features, TransferError};

use super::FitOn;
use super::column::{Code, ColumnEncoder, cells_len};
use crate::{Cells, DataError, Table};

/// How a table becomes a matrix.
///
/// | field | meaning | default |
/// |---|---|---|
/// | `missing_numbers` | what fills a missing number: `"mean"`, `"median"` of the fitted rows, or `"refuse"` | `"mean"` |
/// | `missing_categories` | `"own"` category, or the `"most-frequent"` of the fitted rows (the first in order of equals) | `"own"` |
/// | `categories` | `"one-hot"` columns of 0 and 1, none dropped, or `"ordinal"` positions 0, 1, … | `"one-hot"` |
/// | `fit_on` | rows that give means and categories: `"source"` or `"both"` | `"source"` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableParams {
    /// What fills a missing number.
    pub missing_numbers: MissingNumbers,
    /// What fills a missing category.
    pub missing_categories: MissingCategories,
    /// How categories become numbers.
    pub categories: Categories,
    /// Rows that give means and categories.
    pub fit_on: FitOn,
}

/// What fills a missing number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingNumbers {
    /// The mean of the fitted rows.
    #[default]
    Mean,
    /// The median of the fitted rows: the mean of the two middle values for an even number.
    Median,
    /// A missing number is an error.
    Refuse,
}

/// What fills a missing category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingCategories {
    /// A category of its own, last in order, where a fitted row has none.
    #[default]
    Own,
    /// The most frequent category of the fitted rows.
    MostFrequent,
}

/// How categories become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Categories {
    /// One column of 0 and 1 per category.
    #[default]
    OneHot,
    /// The position of the category in the natural order of all.
    Ordinal,
}

/// A fitted encoding of tables.
///
/// Columns are found by name, so source and target may order them differently; the matrix has the order of the first
/// fitted table. A column that is categorical in any fitted table is categorical: numbers in it are named (`3`). A
/// category that no fitted row had becomes zeros when one-hot, and is refused when ordinal. Cost: cells times
/// categories of their column.
///
/// ```
/// use ndarray::array;
/// use translearn_data::encode::{TableEncoder, TableParams};
/// use translearn_data::{Cells, Column, Table};
///
/// let table = |sizes: Vec<f64>, colours: &[&str]| Table {
///     columns: vec![
///         Column { name: "size".into(), cells: Cells::Numbers(sizes) },
///         Column {
///             name: "colour".into(),
///             cells: Cells::Categories(colours.iter().map(|&c| Some(c.to_owned())).collect()),
///         },
///     ],
/// };
/// let source = table(vec![1.0, 3.0, f64::NAN], &["red", "blue", "red"]);
/// let encoder = TableEncoder::fit(&[&source], &TableParams::default())?;
/// assert_eq!(encoder.feature_names(), ["size", "colour=blue", "colour=red"]);
/// let target = table(vec![f64::NAN, 5.0], &["blue", "green"]);
/// assert_eq!(*encoder.transform(&target)?.dense()?, array![[2.0, 1.0, 0.0], [5.0, 0.0, 0.0]]);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableEncoder {
    columns: Vec<(String, ColumnEncoder)>,
    names: Vec<String>,
    encoding: Categories,
}

impl TableEncoder {
    /// Learns fills and categories from all rows of `tables`. [`TableParams::fit_on`] plays no part here; see
    /// [`TableEncoder::fit_domains`].
    ///
    /// # Errors
    /// [`DataError::Empty`] without tables, columns or rows, or for a column of which every cell is missing;
    /// [`DataError::Mismatch`] when the tables have different columns, or columns of different lengths;
    /// [`DataError::Unsupported`] for a missing number when that is to be refused; `NotFinite` of the central types for
    /// an infinite one.
    pub fn fit(tables: &[&Table], params: &TableParams) -> Result<Self, DataError> {
        let Some(first) = tables.first().filter(|table| !table.columns.is_empty()) else {
            return Err(DataError::empty(
                "columns",
                "give a table with at least one feature",
            ));
        };
        let mut n_rows = 0;
        for table in tables {
            n_rows += check_shape(table)?;
            check_columns(first.columns.iter().map(|c| c.name.as_str()), table)?;
        }
        if n_rows == 0 {
            return Err(DataError::empty(
                "rows",
                "give a table with at least one row",
            ));
        }
        let columns = first
            .columns
            .iter()
            .map(|column| {
                let cells: Vec<&Cells> = tables
                    .iter()
                    .filter_map(|table| find(table, &column.name))
                    .collect();
                Ok((
                    column.name.clone(),
                    ColumnEncoder::fit(&column.name, &cells, params)?,
                ))
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        let names = columns
            .iter()
            .flat_map(|(name, column)| column.feature_names(name, params.categories))
            .collect();
        Ok(Self {
            columns,
            names,
            encoding: params.categories,
        })
    }

    /// Fits on the sources, or on the target as well, as [`TableParams::fit_on`] says.
    ///
    /// # Errors
    /// Those of [`TableEncoder::fit`].
    pub fn fit_domains(
        sources: &[&Table],
        target: &Table,
        params: &TableParams,
    ) -> Result<Self, DataError> {
        match params.fit_on {
            FitOn::Source => Self::fit(sources, params),
            FitOn::Both => {
                let all: Vec<&Table> = sources.iter().copied().chain([target]).collect();
                Self::fit(&all, params)
            }
        }
    }

    /// The names of the matrix's columns: `size`, `colour=red`, and `colour is missing` for a category of its own.
    pub fn feature_names(&self) -> &[String] {
        &self.names
    }

    /// The matrix of `table`, one row per row.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for other columns than in the fit, or a word in a column of numbers;
    /// [`DataError::Unsupported`] for a category the fit has not seen when ordinal, or a missing number that is to be
    /// refused; `NotFinite` and `DenseTooLarge` of the central types.
    pub fn transform(&self, table: &Table) -> Result<Features, DataError> {
        let n_rows = check_shape(table)?;
        check_columns(self.columns.iter().map(|(name, _)| name.as_str()), table)?;
        let bytes = 8 * n_rows as u64 * self.names.len() as u64;
        if bytes > DENSE_LIMIT_BYTES {
            return Err(TransferError::DenseTooLarge {
                what: "the encoded table".to_owned(),
                rows: n_rows,
                columns: self.names.len(),
                bytes,
                limit: DENSE_LIMIT_BYTES,
            }
            .into());
        }
        let mut x = Array2::zeros((n_rows, self.names.len()));
        let mut start = 0;
        for (name, column) in &self.columns {
            let width = column.width(self.encoding);
            if let Some(cells) = find(table, name) {
                for row in 0..n_rows {
                    match column.encode(name, cells, row, self.encoding)? {
                        Code::Value(value) => x[[row, start]] = value,
                        Code::Hot(position) => x[[row, start + position]] = 1.0,
                        Code::Zeros => {}
                    }
                }
            }
            start += width;
        }
        let x = Features::from(x);
        x.check_finite("the table")?;
        Ok(x)
    }
}

fn find<'a>(table: &'a Table, name: &str) -> Option<&'a Cells> {
    table
        .columns
        .iter()
        .find(|column| column.name == name)
        .map(|column| &column.cells)
}

/// The number of rows, when all columns agree.
fn check_shape(table: &Table) -> Result<usize, DataError> {
    let Some(first) = table.columns.first() else {
        return Ok(0);
    };
    let n_rows = cells_len(&first.cells);
    match table
        .columns
        .iter()
        .find(|column| cells_len(&column.cells) != n_rows)
    {
        None => Ok(n_rows),
        Some(other) => Err(DataError::Mismatch {
            path: Path::new("").to_owned(),
            left: format!("column `{}` has {n_rows} rows", first.name),
            right: format!("column `{}` has {}", other.name, cells_len(&other.cells)),
            advice: "give one cell per row and column".to_owned(),
        }),
    }
}

/// Refuses a table whose column names are not those of the fit.
fn check_columns<'a>(
    expected: impl Iterator<Item = &'a str> + Clone,
    table: &Table,
) -> Result<(), DataError> {
    let found = || table.columns.iter().map(|column| column.name.as_str());
    if let Some(name) = expected
        .clone()
        .find(|&name| !found().any(|other| other == name))
    {
        return Err(DataError::missing(Path::new(""), "column", name, found()));
    }
    match found().find(|&name| !expected.clone().any(|other| other == name)) {
        None => Ok(()),
        Some(extra) => Err(DataError::Mismatch {
            path: Path::new("").to_owned(),
            left: format!("one table has a column `{extra}`"),
            right: "another has none of that name".to_owned(),
            advice: "drop it, or rename it, so that source and target have the same columns"
                .to_owned(),
        }),
    }
}
