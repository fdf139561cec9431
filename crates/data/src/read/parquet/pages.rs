//! Pages: levels that say which values are there, then the values, plain or as indices into a dictionary.

use std::path::Path;

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};

use super::FORMAT;
use super::values::{Fault, Kind, Values};
use crate::read::bytes::Budget;
use crate::{DataError, Position};

/// Reads the pages of one column of one row group.
pub(super) struct Pages<'a, 'b> {
    pub(super) path: &'a Path,
    pub(super) name: &'a str,
    pub(super) nullable: bool,
    pub(super) budget: &'a mut Budget<'b>,
}

/// A data page of either version.
struct DataPage<'a> {
    n: usize,
    encoding: Encoding,
    /// Which values are there, run-length encoded; empty where all are.
    levels: &'a [u8],
    values: &'a [u8],
}

impl Pages<'_, '_> {
    /// Appends `rows` values.
    pub(super) fn read(
        &mut self,
        pages: &mut dyn PageReader,
        rows: usize,
        values: &mut Values,
    ) -> Result<(), DataError> {
        let end = values.len() + rows;
        let mut dictionary = None;
        while let Some(page) = pages
            .get_next_page()
            .map_err(|error| self.fail(error.to_string()))?
        {
            self.page(&page, &mut dictionary, end - values.len(), values)
                .map_err(|fault| match fault {
                    Fault::Malformed(found) => self.fail(found),
                    Fault::Refused(error) => error,
                })?;
        }
        if values.len() == end {
            return Ok(());
        }
        let missing = end - values.len();
        Err(self.fail(format!("{} of {rows} values", rows - missing)))
    }

    fn fail(&self, found: String) -> DataError {
        DataError::malformed(
            self.path,
            FORMAT,
            Position::Part(self.name.into()),
            "readable pages",
            found,
        )
    }

    fn page(
        &mut self,
        page: &Page,
        dictionary: &mut Option<Values>,
        room: usize,
        values: &mut Values,
    ) -> Result<(), Fault> {
        let kind = values.kind;
        let page = match page {
            Page::DictionaryPage {
                buf,
                num_values,
                encoding,
                ..
            } => {
                if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
                    return Err(self.rare(*encoding));
                }
                // Every value takes a byte or, for booleans, a bit.
                let n = *num_values as usize;
                self.budget.spend(4 * buf.len() as u64, "a dictionary")?;
                *dictionary = Some(Values::plain(kind, self.path, self.name, buf, n)?);
                return Ok(());
            }
            Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding,
                ..
            } => {
                let (levels, rest) = if self.nullable {
                    if *def_level_encoding != Encoding::RLE {
                        return Err(self.rare(*def_level_encoding));
                    }
                    with_length(buf)?
                } else {
                    (&[][..], &buf[..])
                };
                DataPage {
                    n: *num_values as usize,
                    encoding: *encoding,
                    levels,
                    values: rest,
                }
            }
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let levels = (buf.get(*rep_levels_byte_len as usize..))
                    .and_then(|rest| rest.split_at_checked(*def_levels_byte_len as usize));
                let (levels, rest) = levels.ok_or_else(|| {
                    Fault::Malformed(format!("levels beyond the {} bytes of a page", buf.len()))
                })?;
                DataPage {
                    n: *num_values as usize,
                    encoding: *encoding,
                    levels,
                    values: rest,
                }
            }
        };
        if page.n > room {
            return Err(Fault::Malformed(format!(
                "a page of {} values with {room} to come",
                page.n
            )));
        }
        self.data(&page, dictionary.as_ref(), values)
    }

    fn data(
        &mut self,
        page: &DataPage<'_>,
        dictionary: Option<&Values>,
        values: &mut Values,
    ) -> Result<(), Fault> {
        let mut present = vec![true; page.n];
        if self.nullable {
            let mut at = 0;
            hybrid(page.levels, 1, page.n, |level| {
                present[at] = level == 1;
                at += 1;
            })?;
        }
        let n = present.iter().filter(|&&present| present).count();
        let (decoded, indices): (Option<Values>, Option<Vec<u32>>) =
            match (page.encoding, values.kind) {
                (Encoding::PLAIN, kind) => {
                    self.budget.spend(page.values.len() as u64, "a page")?;
                    (
                        Some(Values::plain(kind, self.path, self.name, page.values, n)?),
                        None,
                    )
                }
                (Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY, _) => {
                    let (width, rest) = match page.values.split_first() {
                        Some((&width, rest)) if width <= 32 => (u32::from(width), rest),
                        None if n == 0 => (0, &[][..]),
                        _ => {
                            return Err(Fault::Malformed(
                                "indices without a width of at most 32 bits".to_owned(),
                            ));
                        }
                    };
                    (None, Some(indices(rest, width, n)?))
                }
                (Encoding::RLE, Kind::Bool) => {
                    let (bits, _) = with_length(page.values)?;
                    let bits = indices(bits, 1, n)?;
                    let cells = crate::Cells::Numbers(bits.into_iter().map(f64::from).collect());
                    (
                        Some(Values {
                            kind: Kind::Bool,
                            cells,
                        }),
                        None,
                    )
                }
                (other, _) => return Err(self.rare(other)),
            };
        let from = decoded.as_ref().or(dictionary);
        let mut next = 0;
        for present in present {
            if !present {
                values.push_missing();
                continue;
            }
            let index = indices
                .as_ref()
                .map_or(next, |indices| indices[next] as usize);
            next += 1;
            let bytes = from
                .and_then(|from| values.push_from(from, index))
                .ok_or_else(|| {
                    Fault::Malformed(format!(
                        "index {index} into a dictionary that is shorter or absent"
                    ))
                })?;
            self.budget.spend(bytes as u64, "the text")?;
        }
        Ok(())
    }

    fn rare(&self, encoding: Encoding) -> Fault {
        Fault::Refused(DataError::Unsupported {
            path: self.path.to_owned(),
            found: format!("column `{}` in the encoding {encoding}", self.name),
            advice: format!(
                "write the file with plain or dictionary encoding, or leave the column out with `drop = [\"{}\"]`",
                self.name
            ),
        })
    }
}

/// A run of bytes after its length, and what follows.
fn with_length(data: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    data.split_first_chunk::<4>()
        .and_then(|(length, rest)| rest.split_at_checked(u32::from_le_bytes(*length) as usize))
        .ok_or_else(|| {
            Fault::Malformed(format!("levels beyond the {} bytes of a page", data.len()))
        })
}

fn indices(data: &[u8], width: u32, n: usize) -> Result<Vec<u32>, Fault> {
    let mut indices = Vec::with_capacity(n);
    hybrid(data, width, n, |index| indices.push(index))?;
    Ok(indices)
}

/// The hybrid of runs and bit-packed groups of eight that levels and indices are written in: `n` integers of `width` bits.
fn hybrid(mut data: &[u8], width: u32, n: usize, mut visit: impl FnMut(u32)) -> Result<(), Fault> {
    let short = |left: usize| {
        Fault::Malformed(format!("runs that end {left} values before the page's {n}"))
    };
    let mut left = n;
    // Nothing needs to be written for integers of no width.
    if width == 0 && data.is_empty() {
        (0..n).for_each(|_| visit(0));
        return Ok(());
    }
    while left > 0 {
        let header = varint(&mut data).ok_or_else(|| short(left))?;
        let count = usize::try_from(header >> 1).map_err(|_| short(left))?;
        if header & 1 == 0 {
            let (value, rest) = data
                .split_at_checked(width.div_ceil(8) as usize)
                .ok_or_else(|| short(left))?;
            data = rest;
            let value = value
                .iter()
                .rev()
                .fold(0_u32, |value, &byte| value << 8 | u32::from(byte));
            let run = count.min(left);
            (0..run).for_each(|_| visit(value));
            left -= run;
        } else {
            // The last group may be cut short after the values that count.
            let run = count.saturating_mul(8).min(left);
            let needs = (run * width as usize).div_ceil(8);
            let bytes = data.get(..needs).ok_or_else(|| short(left))?;
            let (mut bits, mut held) = (0_u64, 0);
            let mut bytes = bytes.iter();
            for _ in 0..run {
                while held < width {
                    bits |= u64::from(*bytes.next().ok_or_else(|| short(left))?) << held;
                    held += 8;
                }
                visit((bits & ((1 << width) - 1)) as u32);
                bits >>= width;
                held -= width;
            }
            data = data
                .get(count.saturating_mul(width as usize)..)
                .unwrap_or(&[]);
            left -= run;
        }
    }
    Ok(())
}

/// An unsigned integer in groups of 7 bits, least significant first.
fn varint(data: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = data.split_first()?;
        *data = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &[u8], width: u32, n: usize) -> Option<Vec<u32>> {
        indices(data, width, n).ok()
    }

    #[test]
    fn the_examples_of_the_format() {
        // The numbers 0 to 7 in 3 bits, as in the specification of the encoding.
        assert_eq!(
            read(&[0x03, 0b1000_1000, 0b1100_0110, 0b1111_1010], 3, 8),
            Some((0..8).collect())
        );
        assert_eq!(read(&[10, 7, 4, 1], 3, 7), Some(vec![7, 7, 7, 7, 7, 1, 1]));
        assert_eq!(
            read(&[0x80, 0x01, 0x34, 0x12], 16, 64),
            Some(vec![0x1234; 64])
        );
        assert_eq!(read(&[], 0, 3), Some(vec![0; 3]));
        assert_eq!(
            read(&[0x03, 0xff, 0xff, 0xff, 0xff], 32, 1),
            Some(vec![u32::MAX])
        );
    }

    #[test]
    fn runs_that_end_early_are_refused() {
        for data in [
            &[][..],
            &[0x80],
            &[10],
            &[4, 1],
            &[0x03, 1],
            &[0xff; 20],
            &[0, 1, 0, 1],
        ] {
            assert_eq!(read(data, 8, 5), None, "{data:?}");
        }
    }
}
