//! One column of a table: what is learned from it, and what each cell becomes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use translearn_core::TransferError;

use super::table::{Categories, MissingCategories, MissingNumbers, TableParams};
use super::{natural_order, number_name};
use crate::{Cells, DataError};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum ColumnEncoder {
    Numbers {
        /// What fills a missing cell; `None` refuses it.
        fill: Option<f64>,
    },
    Categories {
        names: Vec<String>,
        missing: Missing,
    },
}

/// Where a missing category goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Missing {
    /// To a position of its own, behind the named ones.
    Own,
    /// To the position of a named category.
    As(usize),
    /// Nowhere: no fitted row had a missing cell.
    Unseen,
}

/// What a cell becomes.
pub(super) enum Code {
    Value(f64),
    Hot(usize),
    Zeros,
}

impl ColumnEncoder {
    pub(super) fn fit(
        name: &str,
        cells: &[&Cells],
        params: &TableParams,
    ) -> Result<Self, DataError> {
        let all_missing = || {
            let what = format!("value in column `{name}`");
            DataError::empty(
                &what,
                "drop the column, whose every cell is missing in the fitted rows",
            )
        };
        if cells
            .iter()
            .any(|cells| matches!(cells, Cells::Categories(_)))
        {
            let mut counts: BTreeMap<Cow<'_, str>, usize> = BTreeMap::new();
            let mut any_missing = false;
            for cells in cells {
                for row in 0..cells_len(cells) {
                    match category(cells, row) {
                        Some(category) => *counts.entry(category).or_default() += 1,
                        None => any_missing = true,
                    }
                }
            }
            if counts.is_empty() {
                return Err(all_missing());
            }
            let names = natural_order(
                counts
                    .keys()
                    .map(|name| name.clone().into_owned())
                    .collect(),
            );
            let most_frequent = || {
                let most = counts.values().max();
                names
                    .iter()
                    .position(|name| counts.get(name.as_str()) == most)
            };
            let missing = match params.missing_categories {
                MissingCategories::MostFrequent => {
                    most_frequent().map_or(Missing::Unseen, Missing::As)
                }
                MissingCategories::Own if any_missing => Missing::Own,
                MissingCategories::Own => Missing::Unseen,
            };
            return Ok(Self::Categories { names, missing });
        }
        let mut numbers: Vec<f64> = cells
            .iter()
            .flat_map(|cells| match cells {
                Cells::Numbers(numbers) => numbers.as_slice(),
                Cells::Categories(_) => &[],
            })
            .copied()
            .collect();
        if let Some(row) = numbers.iter().position(|number| number.is_infinite()) {
            return Err(TransferError::NotFinite {
                what: format!("column `{name}`"),
                row,
                column: 0,
                value: numbers[row].to_string(),
            }
            .into());
        }
        if params.missing_numbers == MissingNumbers::Refuse {
            return match numbers.iter().position(|number| number.is_nan()) {
                Some(row) => Err(refused(name, row)),
                None => Ok(Self::Numbers { fill: None }),
            };
        }
        numbers.retain(|number| !number.is_nan());
        if numbers.is_empty() {
            return Err(all_missing());
        }
        let fill = match params.missing_numbers {
            MissingNumbers::Median => median(&mut numbers),
            MissingNumbers::Mean | MissingNumbers::Refuse => {
                numbers.iter().sum::<f64>() / numbers.len() as f64
            }
        };
        Ok(Self::Numbers { fill: Some(fill) })
    }

    /// Number of columns of the matrix.
    pub(super) fn width(&self, encoding: Categories) -> usize {
        match (self, encoding) {
            (Self::Numbers { .. }, _) | (_, Categories::Ordinal) => 1,
            (Self::Categories { names, missing }, Categories::OneHot) => {
                names.len() + usize::from(*missing == Missing::Own)
            }
        }
    }

    pub(super) fn feature_names(&self, column: &str, encoding: Categories) -> Vec<String> {
        match (self, encoding) {
            (Self::Numbers { .. }, _) | (_, Categories::Ordinal) => vec![column.to_owned()],
            (Self::Categories { names, missing }, Categories::OneHot) => names
                .iter()
                .map(|name| format!("{column}={name}"))
                .chain((*missing == Missing::Own).then(|| format!("{column} is missing")))
                .collect(),
        }
    }

    pub(super) fn encode(
        &self,
        column: &str,
        cells: &Cells,
        row: usize,
        encoding: Categories,
    ) -> Result<Code, DataError> {
        match self {
            Self::Numbers { fill } => {
                let number = match cells {
                    Cells::Numbers(numbers) => numbers[row],
                    Cells::Categories(names) => match &names[row] {
                        None => f64::NAN,
                        Some(word) => {
                            return Err(DataError::Mismatch {
                                path: Path::new("").to_owned(),
                                left: format!("column `{column}` holds numbers in the fitted rows"),
                                right: format!("row {row} has `{word}`"),
                                advice: "fit on both domains, or make the column one kind"
                                    .to_owned(),
                            });
                        }
                    },
                };
                match fill {
                    _ if !number.is_nan() => Ok(Code::Value(number)),
                    Some(fill) => Ok(Code::Value(*fill)),
                    None => Err(refused(column, row)),
                }
            }
            Self::Categories { names, missing } => {
                let category = category(cells, row);
                let position = match (&category, missing) {
                    (Some(category), _) => names.iter().position(|name| name == category),
                    (None, Missing::Own) => Some(names.len()),
                    (None, Missing::As(position)) => Some(*position),
                    (None, Missing::Unseen) => None,
                };
                match (position, encoding) {
                    (Some(position), Categories::OneHot) => Ok(Code::Hot(position)),
                    (Some(position), Categories::Ordinal) => Ok(Code::Value(position as f64)),
                    (None, Categories::OneHot) => Ok(Code::Zeros),
                    (None, Categories::Ordinal) => Err(DataError::Unsupported {
                        path: Path::new("").to_owned(),
                        found: match category {
                            Some(category) => {
                                format!("category `{category}` in row {row} of column `{column}`")
                            }
                            None => format!("a missing category in row {row} of column `{column}`"),
                        },
                        advice: "no fitted row has it: fit on both domains, or encode one-hot"
                            .to_owned(),
                    }),
                }
            }
        }
    }
}

pub(super) fn cells_len(cells: &Cells) -> usize {
    match cells {
        Cells::Numbers(numbers) => numbers.len(),
        Cells::Categories(names) => names.len(),
    }
}

fn category(cells: &Cells, row: usize) -> Option<Cow<'_, str>> {
    match cells {
        Cells::Categories(names) => names[row].as_deref().map(Cow::Borrowed),
        Cells::Numbers(numbers) if numbers[row].is_nan() => None,
        Cells::Numbers(numbers) => Some(Cow::Owned(number_name(numbers[row]))),
    }
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 {
        numbers[middle]
    } else {
        f64::midpoint(numbers[middle - 1], numbers[middle])
    }
}

fn refused(column: &str, row: usize) -> DataError {
    DataError::Unsupported {
        path: Path::new("").to_owned(),
        found: format!("a missing number in row {row} of column `{column}`"),
        advice: "drop the row, or choose `missing_numbers = \"mean\"` or `\"median\"`".to_owned(),
    }
}
