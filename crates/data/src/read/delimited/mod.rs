//! Comma-, semicolon-, tab- and bar-separated text.

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, Trim};

use super::ReadOptions;
use crate::{Cells, Column, DataError, Position, Table};

/// The delimiters that are tried, in order of preference.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Cells that stand for a missing value when the options name no others; case does not matter.
pub const MISSING: [&str; 5] = ["", "NA", "NaN", "?", "null"];

/// Rows looked at to find the delimiter.
const PROBE_ROWS: usize = 20;

/// Reads a delimited text file, see [`parse`].
///
/// # Errors
/// As [`parse`], and [`DataError::Io`].
pub fn read(path: &Path, options: &ReadOptions) -> Result<Table, DataError> {
    parse(path, &super::load_inflated(path)?, options)
}

/// Parses delimited text: UTF-8, cells optionally in double quotes, spaces around cells ignored.
///
/// | option | default |
/// |---|---|
/// | `delimiter` | a tab for `.tsv`; else, of `,` `;` tab `\|`, the one that gives every one of the first 20 rows the same number of cells, and the most of them |
/// | `header` | `true`, but a first row with a number in it is refused until the option says what it is |
/// | `missing` | an empty cell, `NA`, `NaN`, `?`, `null` in any case |
///
/// A column of numbers and missing values becomes [`Cells::Numbers`], any other [`Cells::Categories`]. Without a header
/// columns are named `column 1`, `column 2`, ….
///
/// ```
/// use std::path::Path;
/// use translearn_data::{Cells, read::{ReadOptions, delimited}};
///
/// let table = delimited::parse(Path::new("t.csv"), b"age;job\n31;nurse\n?;\n", &ReadOptions::default())?;
/// assert_eq!(table.columns[1].cells, Cells::Categories(vec![Some("nurse".into()), None]));
/// let Cells::Numbers(ages) = &table.columns[0].cells else { panic!() };
/// assert!(ages[0] == 31.0 && ages[1].is_nan());
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Ragged`] with line and both numbers of cells; [`DataError::Malformed`] with the line for text that is not
/// UTF-8, a quote that is never closed, or a header that looks like data; [`DataError::DuplicateColumn`];
/// [`DataError::Empty`] without rows; [`DataError::InvalidOption`].
pub fn parse(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<Table, DataError> {
    let text = Text {
        path,
        bytes: bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
    };
    let delimiter = match options.delimiter {
        Some(given) => check_delimiter(given)?,
        None if path.extension().is_some_and(|ending| ending == "tsv") => b'\t',
        None => text.find_delimiter()?,
    };
    let missing = Missing(options.missing.as_deref());

    // Pass 1: the number of rows and which columns are numbers. Pass 2 fills columns of the right kind at once.
    let mut names = None;
    let mut numeric: Vec<bool> = Vec::new();
    let mut n_rows = 0;
    text.for_each_row(delimiter, |line, row| {
        if names.is_none() {
            numeric = vec![true; row.len()];
            let header = options.header.unwrap_or(true);
            names = Some(if header {
                text.header(line, row, options.header.is_none())?
            } else {
                (1..=row.len())
                    .map(|number| format!("column {number}"))
                    .collect()
            });
            if header {
                return Ok(());
            }
        }
        for (numeric, cell) in numeric.iter_mut().zip(row) {
            *numeric = *numeric && (missing.is(cell) || cell.parse::<f64>().is_ok());
        }
        n_rows += 1;
        Ok(())
    })?;
    let names = names
        .filter(|_| n_rows > 0)
        .ok_or_else(|| DataError::Empty {
            path: path.to_owned(),
            what: "rows".to_owned(),
            advice: "the file needs a header and at least one row, or `header = false` and one row"
                .to_owned(),
        })?;

    let mut columns: Vec<Column> = (names.into_iter().zip(numeric))
        .map(|(name, numeric)| Column {
            name,
            cells: if numeric {
                Cells::Numbers(Vec::with_capacity(n_rows))
            } else {
                Cells::Categories(Vec::with_capacity(n_rows))
            },
        })
        .collect();
    let mut skip_header = options.header.unwrap_or(true);
    text.for_each_row(delimiter, |_, row| {
        if std::mem::take(&mut skip_header) {
            return Ok(());
        }
        for (column, cell) in columns.iter_mut().zip(row) {
            match &mut column.cells {
                // What fails to parse here is a missing value: pass 1 saw to it.
                Cells::Numbers(numbers) if missing.is(cell) => numbers.push(f64::NAN),
                Cells::Numbers(numbers) => numbers.push(cell.parse().unwrap_or(f64::NAN)),
                Cells::Categories(cells) => {
                    cells.push((!missing.is(cell)).then(|| (*cell).to_owned()));
                }
            }
        }
        Ok(())
    })?;
    Ok(Table { columns })
}

struct Missing<'a>(Option<&'a [String]>);

impl Missing<'_> {
    fn is(&self, cell: &str) -> bool {
        match self.0 {
            Some(tokens) => tokens.iter().any(|token| token == cell),
            None => MISSING.iter().any(|token| token.eq_ignore_ascii_case(cell)),
        }
    }
}

struct Text<'a> {
    path: &'a Path,
    bytes: &'a [u8],
}

impl Text<'_> {
    fn reader(&self, delimiter: u8) -> csv::Reader<&[u8]> {
        ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .trim(Trim::All)
            .from_reader(self.bytes)
    }

    /// Calls `visit` with line and cells of each row, all of one length.
    fn for_each_row(
        &self,
        delimiter: u8,
        mut visit: impl FnMut(u64, &[&str]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut reader = self.reader(delimiter);
        let mut record = ByteRecord::new();
        let mut expected = None;
        let mut last = (0, 1);
        while self.next(&mut reader, &mut record)? {
            last = self.start_of(&record);
            let (start, line) = last;
            let expected = *expected.get_or_insert(record.len());
            if record.len() != expected {
                if reader.position().byte() == self.bytes.len() as u64 {
                    self.check_last_quote(start, line, delimiter)?;
                }
                return Err(DataError::Ragged {
                    path: self.path.to_owned(),
                    line,
                    expected,
                    found: record.len(),
                });
            }
            let cells =
                (record.iter().map(|cell| self.utf8(cell, line))).collect::<Result<Vec<_>, _>>()?;
            visit(line, &cells)?;
        }
        self.check_last_quote(last.0, last.1, delimiter)
    }

    /// First byte and line of a row; the parser counts the blank lines before a row as part of it.
    fn start_of(&self, record: &ByteRecord) -> (usize, u64) {
        let Some(position) = record.position() else {
            return (0, 1);
        };
        let start = usize::try_from(position.byte())
            .unwrap_or(usize::MAX)
            .min(self.bytes.len());
        let blank = self.bytes[start..]
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        let lines = self.bytes[start..start + blank]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        (start + blank, position.line() + lines as u64)
    }

    fn next(
        &self,
        reader: &mut csv::Reader<&[u8]>,
        record: &mut ByteRecord,
    ) -> Result<bool, DataError> {
        let line = reader.position().line();
        reader.read_byte_record(record).map_err(|error| {
            DataError::malformed(
                self.path,
                "CSV",
                Position::Line(line),
                "a row of cells",
                error.to_string(),
            )
        })
    }

    fn utf8<'c>(&self, cell: &'c [u8], line: u64) -> Result<&'c str, DataError> {
        std::str::from_utf8(cell).map_err(|error| {
            let byte = cell.get(error.valid_up_to()).copied().unwrap_or_default();
            DataError::malformed(
                self.path,
                "CSV",
                Position::Line(line),
                "UTF-8 text (save the file in that encoding)",
                format!("the byte {byte:#04x}"),
            )
        })
    }

    /// Refuses a last row whose quote is still open: the parser takes the rest of the file as one cell, and rows would be
    /// lost without a word.
    fn check_last_quote(&self, start: usize, line: u64, delimiter: u8) -> Result<(), DataError> {
        if ends_inside_quotes(&self.bytes[start..], delimiter) {
            return Err(DataError::malformed(
                self.path,
                "CSV",
                Position::Line(line),
                "a closing quote for the cell that begins with one in this row",
                "the end of the file",
            ));
        }
        Ok(())
    }

    fn header(&self, line: u64, row: &[&str], guessed: bool) -> Result<Vec<String>, DataError> {
        if let Some(cell) = row
            .iter()
            .find(|cell| guessed && cell.parse::<f64>().is_ok())
        {
            return Err(DataError::malformed(
                self.path,
                "CSV",
                Position::Line(line),
                "a header of column names (or say `header = false`; `header = true` if numbers are names)",
                format!("the number {cell}"),
            ));
        }
        let mut names: Vec<String> = Vec::with_capacity(row.len());
        let mut seen = std::collections::HashMap::with_capacity(row.len());
        for (at, name) in row.iter().enumerate() {
            // Tables written with row numbers have no name above them.
            let name = if name.is_empty() {
                format!("column {}", at + 1)
            } else {
                (*name).to_owned()
            };
            if let Some(first) = seen.insert(name.clone(), at) {
                return Err(DataError::DuplicateColumn {
                    path: self.path.to_owned(),
                    name,
                    first: first + 1,
                    second: at + 1,
                });
            }
            names.push(name);
        }
        Ok(names)
    }

    fn find_delimiter(&self) -> Result<u8, DataError> {
        let mut best = (1, DELIMITERS[0]);
        let mut fallback = (0, DELIMITERS[0]);
        for delimiter in DELIMITERS {
            let mut reader = self.reader(delimiter);
            let mut record = ByteRecord::new();
            let mut widths = Vec::with_capacity(PROBE_ROWS);
            while widths.len() < PROBE_ROWS && self.next(&mut reader, &mut record)? {
                widths.push(record.len());
            }
            let Some(&first) = widths.first() else {
                continue;
            };
            if first > best.0 && widths.iter().all(|&width| width == first) {
                best = (first, delimiter);
            }
            if first > fallback.0 {
                fallback = (first, delimiter);
            }
        }
        // Where no delimiter fits every row, the one with most cells in the first row lets the ragged row be named.
        Ok(if best.0 > 1 { best.1 } else { fallback.1 })
    }
}

fn check_delimiter(given: char) -> Result<u8, DataError> {
    u8::try_from(given)
        .ok()
        .filter(|&byte| byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r'))
        .ok_or_else(|| DataError::InvalidOption {
            name: "delimiter".to_owned(),
            value: format!("{given:?}"),
            expected: "one ASCII character that is neither a quote nor a line end".to_owned(),
        })
}

/// Whether a cell of `row` that begins with a quote is still open at its end.
fn ends_inside_quotes(row: &[u8], delimiter: u8) -> bool {
    let mut at_cell_start = true;
    let mut bytes = row.iter().peekable();
    while let Some(&byte) = bytes.next() {
        if byte == b'"' && at_cell_start {
            loop {
                match bytes.next() {
                    None => return true,
                    Some(b'"') if bytes.peek() == Some(&&b'"') => {
                        bytes.next();
                    }
                    Some(b'"') => break,
                    Some(_) => {}
                }
            }
        }
        at_cell_start = byte == delimiter || matches!(byte, b'\n' | b'\r');
    }
    false
}

#[cfg(test)]
mod tests;
