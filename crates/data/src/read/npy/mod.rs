//! NumPy's `npy`: one array.

mod blocks;

pub use blocks::{Blocks, blocks};

use std::path::Path;

use super::array::{ByteOrder, ElementType, Layout, NumericArray, Storage, count};
use super::variables::Value;
use crate::{DataError, Position};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads an `npy` file, see [`parse`].
///
/// # Errors
/// As [`parse`], and [`DataError::Io`].
pub fn read(path: &Path) -> Result<Value, DataError> {
    parse(path, "array", &super::load(path)?)
}

/// Parses an `npy` array called `name` in messages: booleans, integers and floats of 2 (floats only), 4 and 8 bytes, byte
/// and Unicode strings, in either byte and index order.
///
/// Anything else, pickled objects above all, comes back as [`Value::Other`] and is never interpreted. The bytes are decoded
/// here and not by the `ndarray-npy` crate, which reserves what the header promises before it looks at the data.
///
/// ```
/// use std::path::Path;
/// use translearn_data::read::{Value, npy};
///
/// let header = "{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }                                  \n";
/// let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
/// bytes.extend((header.len() as u16).to_le_bytes());
/// bytes.extend(header.as_bytes());
/// bytes.extend([0x00, 0x3c, 0x00, 0xc0]);
/// let Value::Numeric(array) = npy::parse(Path::new("x.npy"), "x", &bytes)? else { panic!() };
/// assert_eq!(array.values().collect::<Vec<_>>(), [1.0, -2.0]);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Malformed`] with the byte, or with promised and found sizes.
pub fn parse(path: &Path, name: &str, bytes: &[u8]) -> Result<Value, DataError> {
    let (header, end) = head(path, name, bytes)?;
    let data = &bytes[end..];
    let Some(descr) = header.descr else {
        return Ok(Value::Other("a record array".to_owned()));
    };
    match descr.kind() {
        Kind::Number(element) => {
            let storage = Storage {
                element,
                order: descr.order,
                layout: header.layout,
            };
            NumericArray::new(path, name, header.shape, storage, data.to_vec()).map(Value::Numeric)
        }
        Kind::Strings { unit } => {
            let width = descr.size.checked_mul(unit);
            let needs = width.and_then(|width| count(&header.shape)?.checked_mul(width));
            match width {
                Some(width) if width > 0 && needs == Some(data.len()) => Ok(Value::Text(
                    data.chunks_exact(width)
                        .map(|cell| string(cell, unit, descr.order))
                        .collect(),
                )),
                _ => Err(DataError::malformed(
                    path,
                    "npy",
                    Position::Byte(end as u64),
                    "as many strings as the shape says",
                    format!("{} bytes in `{name}`", data.len()),
                )),
            }
        }
        Kind::Other => Ok(Value::Other(format!("an array of dtype {}", descr.text))),
    }
}

/// What stands before the numbers, and where they begin.
fn head(path: &Path, name: &str, bytes: &[u8]) -> Result<(Header, usize), DataError> {
    let fail = |at: usize, expected: &str, found: String| {
        DataError::malformed(path, "npy", Position::Byte(at as u64), expected, found)
    };
    let missing = |at: usize| {
        fail(
            at,
            "a complete header",
            format!("the end of `{name}` after {} bytes", bytes.len()),
        )
    };
    if !bytes.starts_with(MAGIC) {
        return Err(fail(
            0,
            "the magic bytes \\x93NUMPY",
            format!("{:?}", bytes.get(..6).unwrap_or(bytes)),
        ));
    }
    let version = *bytes.get(6).ok_or_else(|| missing(6))?;
    let (length, start) = match version {
        1 => (
            bytes
                .get(8..10)
                .map(|b| u32::from(u16::from_le_bytes([b[0], b[1]]))),
            10,
        ),
        2 | 3 => (
            bytes
                .get(8..12)
                .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            12,
        ),
        other => return Err(fail(6, "format version 1, 2 or 3", other.to_string())),
    };
    let end = start + length.ok_or_else(|| missing(8))? as usize;
    let text = bytes.get(start..end).ok_or_else(|| missing(start))?;
    let header = Header::parse(text).map_err(|(at, expected)| {
        fail(
            start + at,
            expected,
            String::from_utf8_lossy(text).trim_end().to_owned(),
        )
    })?;
    Ok((header, end))
}

/// A fixed-width string without its padding of zeros.
fn string(cell: &[u8], unit: usize, order: ByteOrder) -> String {
    let text: String = if unit == 1 {
        String::from_utf8_lossy(cell).into_owned()
    } else {
        cell.chunks_exact(4)
            .map(|b| {
                let code = [b[0], b[1], b[2], b[3]];
                let code = match order {
                    ByteOrder::Little => u32::from_le_bytes(code),
                    ByteOrder::Big => u32::from_be_bytes(code),
                };
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            })
            .collect()
    };
    text.trim_end_matches('\0').to_owned()
}

/// A `descr` such as `<f8`.
struct Descr {
    order: ByteOrder,
    letter: u8,
    size: usize,
    text: String,
}

enum Kind {
    Number(ElementType),
    Strings { unit: usize },
    Other,
}

impl Descr {
    fn parse(text: &str) -> Option<Self> {
        let mut bytes = text.bytes().peekable();
        let order = match bytes.peek()? {
            b'>' => ByteOrder::Big,
            _ => ByteOrder::Little,
        };
        if matches!(bytes.peek(), Some(b'<' | b'>' | b'|' | b'=')) {
            bytes.next();
        }
        let letter = bytes.next()?;
        let digits: String = bytes.map(char::from).collect();
        let size = if digits.is_empty() {
            0
        } else {
            digits.parse().ok()?
        };
        Some(Self {
            order,
            letter,
            size,
            text: text.to_owned(),
        })
    }

    fn kind(&self) -> Kind {
        Kind::Number(match (self.letter, self.size) {
            (b'b', 1) => ElementType::Bool,
            (b'?', 0) => ElementType::Bool,
            (b'i', 1) => ElementType::I8,
            (b'i', 2) => ElementType::I16,
            (b'i', 4) => ElementType::I32,
            (b'i', 8) => ElementType::I64,
            (b'u', 1) => ElementType::U8,
            (b'u', 2) => ElementType::U16,
            (b'u', 4) => ElementType::U32,
            (b'u', 8) => ElementType::U64,
            (b'f', 2) => ElementType::F16,
            (b'f', 4) => ElementType::F32,
            (b'f', 8) => ElementType::F64,
            (b'U', _) => return Kind::Strings { unit: 4 },
            (b'S' | b'a', _) => return Kind::Strings { unit: 1 },
            _ => return Kind::Other,
        })
    }
}

struct Header {
    /// `None` for the list form of record arrays.
    descr: Option<Descr>,
    layout: Layout,
    shape: Vec<usize>,
}

/// Where the header text breaks the rules, and what was expected there.
type At = (usize, &'static str);

impl Header {
    /// The header is a Python dictionary literal with three keys.
    fn parse(text: &[u8]) -> Result<Self, At> {
        let mut literal = Literal { text, at: 0 };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        literal.expect(b'{', "a dictionary")?;
        while !literal.take(b'}') {
            let at = literal.at;
            let key = literal.string()?;
            literal.expect(b':', "a colon after the key")?;
            match key {
                "descr" if literal.peek() == Some(b'[') => {
                    literal.skip_list()?;
                    descr = Some(None);
                }
                "descr" => {
                    let at = literal.at;
                    let parsed =
                        Descr::parse(literal.string()?).ok_or((at, "a dtype such as '<f8'"))?;
                    descr = Some(Some(parsed));
                }
                "fortran_order" => fortran_order = Some(literal.boolean()?),
                "shape" => shape = Some(literal.shape()?),
                _ => return Err((at, "one of the keys descr, fortran_order, shape")),
            }
            if !literal.take(b',') {
                literal.expect(b'}', "a comma or the end of the dictionary")?;
                break;
            }
        }
        match (descr, fortran_order, shape) {
            (Some(descr), Some(fortran_order), Some(shape)) => Ok(Self {
                descr,
                layout: match fortran_order {
                    true => Layout::ColumnMajor,
                    false => Layout::RowMajor,
                },
                shape,
            }),
            _ => Err((literal.at, "all of the keys descr, fortran_order, shape")),
        }
    }
}

struct Literal<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Literal<'a> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), At> {
        if self.take(byte) {
            Ok(())
        } else {
            Err((self.at, what))
        }
    }

    fn string(&mut self) -> Result<&'a str, At> {
        let quote = self.peek().filter(|byte| matches!(byte, b'\'' | b'"'));
        let start = self.at + 1;
        let length = quote.and_then(|quote| {
            self.text
                .get(start..)?
                .iter()
                .position(|&byte| byte == quote)
        });
        let length = length.ok_or((self.at, "a string in quotes"))?;
        self.at = start + length + 1;
        std::str::from_utf8(&self.text[start..start + length]).map_err(|_| (start, "UTF-8 text"))
    }

    fn word(&mut self, of: impl Fn(&u8) -> bool) -> &'a [u8] {
        self.peek();
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| !of(byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn boolean(&mut self) -> Result<bool, At> {
        let at = self.at;
        match self.word(u8::is_ascii_alphabetic) {
            b"True" => Ok(true),
            b"False" => Ok(false),
            _ => Err((at, "True or False")),
        }
    }

    fn shape(&mut self) -> Result<Vec<usize>, At> {
        self.expect(b'(', "a tuple")?;
        let mut shape = Vec::new();
        while !self.take(b')') {
            let at = self.at;
            let digits = self.word(u8::is_ascii_digit);
            let axis = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse().ok());
            shape.push(axis.ok_or((at, "the length of an axis"))?);
            // NumPy under Python 2 wrote `10L`.
            self.take(b'L');
            if !self.take(b',') {
                self.expect(b')', "a comma or the end of the tuple")?;
                break;
            }
        }
        Ok(shape)
    }

    /// Over the bracketed list of a record dtype, which is not read.
    fn skip_list(&mut self) -> Result<(), At> {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'[' => depth += 1,
                b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
        Err((start, "a list that is closed"))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ShapeBuilder};
    use ndarray_npy::WriteNpyExt;
    use proptest::prelude::*;

    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn message(header: &str, data: &[u8]) -> String {
        parse(Path::new("t.npy"), "x", &file(header, data))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn headers_of_other_writers() {
        for header in [
            "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }   \n",
            "{ \"shape\" : (2L, ), \"fortran_order\":False, \"descr\":\"<i2\" }",
        ] {
            let Value::Numeric(array) =
                parse(Path::new("t"), "x", &file(header, &[1, 0, 254, 255])).unwrap()
            else {
                panic!()
            };
            assert_eq!(array.values().collect::<Vec<_>>(), [1.0, -2.0]);
        }
    }

    #[test]
    fn what_breaks_the_rules_says_where() {
        for (header, why) in [
            ("[]", "byte 12: expected a dictionary"),
            (
                "{'descr': '<f8', 'shape': (1,)}",
                "expected all of the keys",
            ),
            (
                "{'descr': '<f8', 'fortran_order': false, 'shape': (1,)}",
                "expected True or False",
            ),
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
                "expected the length of an axis",
            ),
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (1,",
                "expected",
            ),
            ("{'descr': [('a', '<f8')", "expected a list that is closed"),
            ("{'evil': 1}", "expected one of the keys"),
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999, 9999999999)}",
                "as its shape says",
            ),
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}",
                "found 8 bytes",
            ),
            (
                "{'descr': '<U99999999999999999999', 'fortran_order': False, 'shape': (2,)}",
                "a dtype such as",
            ),
            (
                "{'descr': '<U4611686018427387904', 'fortran_order': False, 'shape': (2,)}",
                "as many strings",
            ),
        ] {
            let error = message(header, &[0; 8]);
            assert!(error.contains(why), "{error} does not say {why}");
        }
        assert!(
            parse(Path::new("t"), "x", b"\x93NUMPY\x09\x00")
                .unwrap_err()
                .to_string()
                .contains("version 1, 2 or 3")
        );
        let promise = b"\x93NUMPY\x02\x00\xff\xff\xff\xff{";
        assert!(
            parse(Path::new("t"), "x", promise)
                .unwrap_err()
                .to_string()
                .contains("complete header")
        );
    }

    #[test]
    fn pickles_are_never_opened() {
        let header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}";
        let value = parse(Path::new("t"), "x", &file(header, b"\x80\x04cos\nsystem\n")).unwrap();
        assert_eq!(value, Value::Other("an array of dtype |O".to_owned()));
    }

    proptest! {
        /// Against the writer of the `ndarray-npy` crate.
        #[test]
        fn what_is_written_is_read(
            (rows, columns) in (0_usize..5, 0_usize..5),
            seed in any::<i32>(),
            fortran in any::<bool>(),
        ) {
            let value = |(row, column): (usize, usize)| seed.wrapping_add((7 * row + column) as i32);
            let array = Array2::from_shape_fn((rows, columns).set_f(fortran), value);
            let mut bytes = Vec::new();
            array.write_npy(&mut bytes).unwrap();
            let Value::Numeric(read) = parse(Path::new("t"), "x", &bytes).unwrap() else { panic!() };
            prop_assert_eq!(read.dense(Path::new("t"), "x").unwrap(), array.mapv(f64::from));
        }
    }
}
