//! The `idx` format of MNIST: one array after a header of its type and axes.

use std::path::Path;

use super::array::{ByteOrder, ElementType, Layout, NumericArray, Storage, count, show_shape};
use crate::{DataError, Position};

/// Reads an `idx` file, gzipped or not, see [`parse`].
///
/// # Errors
/// As [`parse`] and [`super::gunzip`], and [`DataError::Io`].
pub fn read(path: &Path) -> Result<NumericArray, DataError> {
    parse(path, &super::load_inflated(path)?)
}

/// Parses an `idx` array of bytes, signed bytes, 16- or 32-bit integers, or floats of 4 or 8 bytes.
///
/// ```
/// use std::path::Path;
/// use translearn_data::read::idx;
///
/// let array = idx::parse(Path::new("t.idx"), &[0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 7, 9])?;
/// assert_eq!(array.shape(), [1, 2]);
/// assert_eq!(array.values().sum::<f64>(), 16.0);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Malformed`] with the byte: unknown type, truncated header, more or fewer numbers than the axes say.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<NumericArray, DataError> {
    let fail = |at: usize, expected: String, found: String| {
        DataError::malformed(path, "idx", Position::Byte(at as u64), expected, found)
    };
    let &[0, 0, code, n_axes, ref rest @ ..] = bytes else {
        let found = format!("{:?}", &bytes[..bytes.len().min(4)]);
        return Err(fail(
            0,
            "two zero bytes, a type and a number of axes".to_owned(),
            found,
        ));
    };
    let element = match code {
        0x08 => ElementType::U8,
        0x09 => ElementType::I8,
        0x0b => ElementType::I16,
        0x0c => ElementType::I32,
        0x0d => ElementType::F32,
        0x0e => ElementType::F64,
        other => {
            return Err(fail(
                2,
                "a type of 0x08 to 0x0e".to_owned(),
                format!("{other:#04x}"),
            ));
        }
    };
    let length = 4 * usize::from(n_axes);
    let Some((axes, data)) = rest.split_at_checked(length).filter(|_| n_axes > 0) else {
        return Err(fail(
            4,
            format!("{n_axes} axes of 4 bytes each, at least one"),
            format!("{} bytes", rest.len()),
        ));
    };
    let shape: Vec<usize> = (axes.chunks_exact(4))
        .map(|axis| u32::from_be_bytes([axis[0], axis[1], axis[2], axis[3]]) as usize)
        .collect();
    if count(&shape).and_then(|n| n.checked_mul(element.size())) != Some(data.len()) {
        let expected = format!("{} numbers of {} bytes", show_shape(&shape), element.size());
        return Err(fail(4 + length, expected, format!("{} bytes", data.len())));
    }
    let storage = Storage {
        element,
        order: ByteOrder::Big,
        layout: Layout::RowMajor,
    };
    NumericArray::new(path, "idx", shape, storage, data.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        parse(Path::new("t"), bytes).unwrap_err().to_string()
    }

    #[test]
    fn every_type_is_big_endian() {
        let file = |code: u8, data: &[u8]| {
            let bytes = [&[0, 0, code, 1, 0, 0, 0, 1][..], data].concat();
            parse(Path::new("t"), &bytes)
                .unwrap()
                .values()
                .collect::<Vec<_>>()
        };
        assert_eq!(file(0x08, &[200]), [200.0]);
        assert_eq!(file(0x09, &[200]), [-56.0]);
        assert_eq!(file(0x0b, &(-2_i16).to_be_bytes()), [-2.0]);
        assert_eq!(file(0x0c, &70_000_i32.to_be_bytes()), [70_000.0]);
        assert_eq!(file(0x0d, &0.5_f32.to_be_bytes()), [0.5]);
        assert_eq!(file(0x0e, &0.1_f64.to_be_bytes()), [0.1]);
    }

    #[test]
    fn headers_that_promise_too_much_say_where() {
        assert!(message(b"PK").contains("byte 0"));
        assert!(message(&[0, 0, 7, 1, 0, 0, 0, 1, 0]).contains("byte 2: expected a type"));
        assert!(message(&[0, 0, 8, 0]).contains("at least one"));
        assert!(message(&[0, 0, 8, 3, 0, 0, 0, 1]).contains("3 axes of 4 bytes"));
        let error = message(&[0, 0, 14, 2, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
        assert!(
            error.contains(
                "byte 12: expected 4294967295 x 4294967295 numbers of 8 bytes, found 1 bytes"
            ),
            "{error}"
        );
    }
}
