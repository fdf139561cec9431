//! Classes described by attributes, the side information of zero-shot learning.

use std::fs;
use std::path::Path;

use ndarray::Array2;
use translearn_assets::Cache;

use super::set::Set;
use crate::{DataError, Position};

/// Classes, described by attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassAttributes {
    /// Names of the classes; the code of a class is its position.
    pub classes: Vec<String>,
    /// Names of the attributes.
    pub names: Vec<String>,
    /// How strongly a class has an attribute, `classes x attributes`; what was not asked is `NaN` (-1 in the file).
    pub continuous: Array2<f64>,
    /// Whether a class has an attribute, 1 or 0, `classes x attributes`.
    pub binary: Array2<f64>,
    /// Codes of the classes to train on.
    pub seen: Vec<usize>,
    /// Codes of the classes without any training image.
    pub unseen: Vec<usize>,
}

impl Set {
    /// How the classes of a zero-shot set are described.
    ///
    /// # Errors
    /// Those of [`Set::fetch`]; [`DataError::Unsupported`] for a set without attributes; [`DataError::Malformed`] for a
    /// matrix of another shape; [`DataError::Missing`] for a class of the split that is in no list.
    pub fn attributes(&self, cache: &Cache) -> Result<ClassAttributes, DataError> {
        let files = self
            .load
            .attributes
            .as_ref()
            .ok_or_else(|| self.unsupported("no description of its classes", "use `load`"))?;
        let read = |file: &str| {
            let path = self.fetch(cache, file)?;
            let text = fs::read_to_string(&path).map_err(DataError::io("read", &path))?;
            Ok::<_, DataError>((path, text))
        };
        // A name is the last word of its line, after its number where there is one.
        let list = |file: &str| {
            let (_, text) = read(file)?;
            let names = text
                .lines()
                .filter_map(|line| line.split_whitespace().last());
            Ok::<Vec<String>, DataError>(names.map(str::to_owned).collect())
        };
        let (classes, names) = (list(&files.classes)?, list(&files.names)?);
        let matrix = |file: &str| {
            let (path, text) = read(file)?;
            parse_matrix(&path, &text, classes.len(), names.len())
        };
        let codes = |file: &str| {
            let code = |name: String| {
                let known = classes.iter().map(String::as_str);
                let missing = || DataError::missing(file.as_ref(), "class", &name, known);
                classes
                    .iter()
                    .position(|class| *class == name)
                    .ok_or_else(missing)
            };
            list(file)?
                .into_iter()
                .map(code)
                .collect::<Result<Vec<usize>, DataError>>()
        };
        let mut continuous = matrix(&files.continuous)?;
        continuous.mapv_inplace(|value| if value == -1.0 { f64::NAN } else { value });
        Ok(ClassAttributes {
            continuous,
            binary: matrix(&files.binary)?,
            seen: codes(&files.seen)?,
            unseen: codes(&files.unseen)?,
            classes,
            names,
        })
    }
}

/// Numbers between white space, one row a line.
fn parse_matrix(
    path: &Path,
    text: &str,
    rows: usize,
    columns: usize,
) -> Result<Array2<f64>, DataError> {
    let fail = |at, expected: String, found: String| {
        DataError::malformed(path, "matrix", at, expected, found)
    };
    let mut values = Vec::with_capacity(rows * columns);
    let mut found = 0;
    for (line, row) in (1..)
        .zip(text.lines())
        .filter(|(_, row)| !row.trim().is_empty())
    {
        found += 1;
        let before = values.len();
        for cell in row.split_whitespace() {
            let number = cell.parse::<f64>().ok().filter(|value| value.is_finite());
            values.push(number.ok_or_else(|| {
                fail(
                    Position::Line(line),
                    "a number".to_owned(),
                    format!("`{cell}`"),
                )
            })?);
        }
        if values.len() - before != columns {
            let found = format!("{} numbers", values.len() - before);
            return Err(fail(
                Position::Line(line),
                format!("{columns} numbers, one per attribute"),
                found,
            ));
        }
    }
    Array2::from_shape_vec((rows, columns), values).map_err(|_| {
        fail(
            Position::File,
            format!("{rows} rows, one per class"),
            format!("{found} rows"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_has_the_shape_of_its_lists() {
        let parse = |text: &str| parse_matrix(Path::new("m.txt"), text, 2, 3);
        assert_eq!(
            parse("1 2 3\n  4  5 6.5 \n\n").unwrap(),
            ndarray::array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]]
        );
        for (text, part) in [
            (
                "1 2 3\n4 5\n",
                "line 2: expected 3 numbers, one per attribute, found 2 numbers",
            ),
            ("1 2 3\n4 x 6\n", "line 2: expected a number, found `x`"),
            ("1 2 3\n4 nan 6\n", "`nan`"),
            ("1 2 3\n", "expected 2 rows, one per class, found 1 rows"),
            ("1 2 3\n4 5 6\n7 8 9\n", "found 3 rows"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
