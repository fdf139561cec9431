//! Files of which some rows have a label.

use std::path::Path;

use super::sample::take;
use super::{ReadOptions, file};
use crate::{Cells, DataError, RawFeatures, RawLabels, RawSample};

/// Rows of which some have a label.
#[derive(Debug, Clone, PartialEq)]
pub struct PartlyLabelled {
    /// All rows.
    pub features: RawFeatures,
    /// The rows that have a label, ascending.
    pub rows: Vec<usize>,
    /// Their labels; `None` where there are none.
    pub labels: Option<RawLabels>,
}

/// Reads a file in which the label may be missing: cells of a table's label column that are empty or say so, or the column
/// itself. Other formats have an array of labels, of all rows, where `label` is given.
///
/// ```
/// use translearn_data::{RawLabels, read::{ReadOptions, partly_labelled}};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("new.csv");
/// std::fs::write(&path, "x,y\n0.5,\n1.5,no\n")?;
/// let found = partly_labelled(&path, &ReadOptions { label: Some("y".into()), ..ReadOptions::default() })?;
/// assert_eq!((found.rows, found.labels), (vec![1], Some(RawLabels::Names(vec!["no".into()]))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`file()`].
pub fn partly_labelled(path: &Path, options: &ReadOptions) -> Result<PartlyLabelled, DataError> {
    let unlabelled = ReadOptions {
        label: None,
        ..options.clone()
    };
    let all = file(path, &unlabelled);
    let Ok(RawSample {
        features: RawFeatures::Table(mut table),
        ..
    }) = all
    else {
        // No table: its labels are an array, all of it or none.
        let RawSample { features, labels } = match &options.label {
            Some(_) => file(path, options)?,
            None => all?,
        };
        let n_labels = match &labels {
            None => 0,
            Some(RawLabels::Names(names)) => names.len(),
            Some(RawLabels::Numbers(numbers)) => numbers.len(),
        };
        let rows = (0..n_labels).collect();
        return Ok(PartlyLabelled {
            features,
            rows,
            labels,
        });
    };
    let has_labels = options
        .label
        .as_ref()
        .filter(|label| table.columns.iter().any(|column| column.name == **label));
    let (rows, labels) = match has_labels {
        Some(label) => known(take(path, &mut table, label)?),
        None => (Vec::new(), None),
    };
    if table.columns.is_empty() {
        return Err(DataError::Empty {
            path: path.to_owned(),
            what: "feature column".to_owned(),
            advice: "the table needs a column besides the label and the dropped ones".to_owned(),
        });
    }
    Ok(PartlyLabelled {
        features: RawFeatures::Table(table),
        rows,
        labels,
    })
}

/// The rows that have a label, and their labels.
fn known(cells: Cells) -> (Vec<usize>, Option<RawLabels>) {
    match cells {
        Cells::Numbers(numbers) => {
            let (rows, numbers): (Vec<usize>, Vec<f64>) = numbers
                .into_iter()
                .enumerate()
                .filter(|(_, number)| !number.is_nan())
                .unzip();
            let labels = (!rows.is_empty()).then_some(RawLabels::Numbers(numbers));
            (rows, labels)
        }
        Cells::Categories(cells) => {
            let (rows, names): (Vec<usize>, Vec<String>) = cells
                .into_iter()
                .enumerate()
                .filter_map(|(row, cell)| Some((row, cell?)))
                .unzip();
            let labels = (!rows.is_empty()).then_some(RawLabels::Names(names));
            (rows, labels)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str, label: Option<&str>) -> Result<PartlyLabelled, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let options = ReadOptions {
            label: label.map(str::to_owned),
            ..ReadOptions::default()
        };
        partly_labelled(&path, &options)
    }

    #[test]
    fn rows_with_and_without_label_are_told_apart() {
        let found = read("a.csv", "x,y\n1,3\n2,\n3,5\n", Some("y")).unwrap();
        assert_eq!(found.rows, [0, 2]);
        assert_eq!(found.labels, Some(RawLabels::Numbers(vec![3.0, 5.0])));
        let RawFeatures::Table(table) = found.features else {
            panic!("no table")
        };
        assert_eq!(table.columns.len(), 1);
    }

    #[test]
    fn a_column_that_is_empty_or_not_there_has_no_labels() {
        for text in ["x,y\n1,\n2,\n", "x\n1\n2\n"] {
            let found = read("a.csv", text, Some("y")).unwrap();
            assert_eq!((found.rows, found.labels), (vec![], None), "{text}");
        }
        let found = read("a.csv", "x,y\n1,a\n", None).unwrap();
        assert_eq!(found.labels, None);
        assert!(matches!(
            read("a.csv", "y\na\n", Some("y")),
            Err(DataError::Empty { .. })
        ));
    }

    #[test]
    fn what_is_no_table_has_all_labels() {
        let found = read("a.svm", "1 1:0.5\n2 1:1.5\n", None).unwrap();
        assert_eq!(found.rows, [0, 1]);
        assert!(read("a.csv", "x,y\n1\n", Some("y")).is_err());
    }
}
