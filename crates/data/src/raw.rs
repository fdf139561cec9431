//! What a reader gives back: rows as they stand in the file, before anything is fitted or encoded.

use translearn_core::Features;

/// A sample as read: features of some kind, labels where the file has them.
#[derive(Debug, Clone, PartialEq)]
pub struct RawSample {
    /// The rows.
    pub features: RawFeatures,
    /// One label per row, where known.
    pub labels: Option<RawLabels>,
}

/// Rows before encoding.
#[derive(Debug, Clone, PartialEq)]
pub enum RawFeatures {
    /// Named columns, numeric or categorical, with missing values.
    Table(Table),
    /// A numeric matrix, dense or sparse, ready to use.
    Matrix(Features),
    /// Documents, to be turned into vectors by [`crate::text::Vectorizer`].
    Texts(Vec<String>),
}

/// Labels before the class mapping shared by source and target is known.
#[derive(Debug, Clone, PartialEq)]
pub enum RawLabels {
    /// Class names.
    Names(Vec<String>),
    /// Numbers: class codes of a file, or regression targets.
    Numbers(Vec<f64>),
}

/// Named columns of equal length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The columns, in file order.
    pub columns: Vec<Column>,
}

/// One named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name from the header, or `column 1`, `column 2`, … where there is none.
    pub name: String,
    /// Its cells.
    pub cells: Cells,
}

/// The cells of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Numbers; a missing one is `NaN`.
    Numbers(Vec<f64>),
    /// Categories; a missing one is `None`.
    Categories(Vec<Option<String>>),
}

impl RawSample {
    /// The rows at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is out of range, like all indexing.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let features = match &self.features {
            RawFeatures::Matrix(x) => RawFeatures::Matrix(x.select_rows(indices)),
            RawFeatures::Texts(texts) => RawFeatures::Texts(pick(texts, indices)),
            RawFeatures::Table(table) => {
                let cells = |cells: &Cells| match cells {
                    Cells::Numbers(numbers) => Cells::Numbers(pick(numbers, indices)),
                    Cells::Categories(names) => Cells::Categories(pick(names, indices)),
                };
                let column = |column: &Column| Column {
                    name: column.name.clone(),
                    cells: cells(&column.cells),
                };
                RawFeatures::Table(Table {
                    columns: table.columns.iter().map(column).collect(),
                })
            }
        };
        let labels = self.labels.as_ref().map(|labels| match labels {
            RawLabels::Names(names) => RawLabels::Names(pick(names, indices)),
            RawLabels::Numbers(numbers) => RawLabels::Numbers(pick(numbers, indices)),
        });
        Self { features, labels }
    }
}

fn pick<T: Clone>(items: &[T], indices: &[usize]) -> Vec<T> {
    indices.iter().map(|&index| items[index].clone()).collect()
}
