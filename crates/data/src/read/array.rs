//! Numeric arrays as they lie in a file, decoded to `f64` on demand.

use std::path::Path;

use ndarray::{Array2, ShapeBuilder};
use sprs::CsMat;
use translearn_core::{Csr, DENSE_LIMIT_BYTES, TransferError};

use super::bytes::{allowance, too_large};
use crate::{DataError, Position};

/// What one number of a file is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names say it")]
pub enum ElementType {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F16,
    F32,
    F64,
}

impl ElementType {
    /// Bytes of one number.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ByteOrder {
    Little,
    Big,
}

/// Which index runs fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The last one, as in C and NumPy.
    RowMajor,
    /// The first one, as in Fortran and MATLAB.
    ColumnMajor,
}

/// How the bytes of an array are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    /// Type of one number.
    pub element: ElementType,
    /// Byte order.
    pub order: ByteOrder,
    /// Index order.
    pub layout: Layout,
}

/// An array of numbers in the storage of its file.
///
/// Keeping the file's bytes costs an eighth of `f64` for the byte matrices that count data comes in, and lets a
/// mostly empty matrix become sparse without a dense copy.
///
/// ```
/// use std::path::Path;
/// use translearn_data::read::{ByteOrder, ElementType, Layout, NumericArray, Storage};
///
/// let storage = Storage { element: ElementType::U8, order: ByteOrder::Little, layout: Layout::ColumnMajor };
/// let array = NumericArray::new(Path::new("x"), "X", vec![2, 3], storage, vec![1, 4, 2, 5, 3, 6])?;
/// assert_eq!(array.dense(Path::new("x"), "X")?, ndarray::array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NumericArray {
    shape: Vec<usize>,
    storage: Storage,
    bytes: Vec<u8>,
}

impl NumericArray {
    /// Checks that `bytes` are what `shape` needs.
    ///
    /// # Errors
    /// [`DataError::Malformed`] when they are not; [`DataError::Unsupported`] for a 64-bit integer that `f64` cannot hold
    /// exactly.
    pub fn new(
        path: &Path,
        name: &str,
        shape: Vec<usize>,
        storage: Storage,
        bytes: Vec<u8>,
    ) -> Result<Self, DataError> {
        let needs = count(&shape).and_then(|n| n.checked_mul(storage.element.size()));
        if needs != Some(bytes.len()) {
            return Err(DataError::malformed(
                path,
                "array",
                Position::Part(name.into()),
                format!(
                    "{:?} x {} as its shape says",
                    storage.element,
                    show_shape(&shape)
                ),
                format!("{} bytes", bytes.len()),
            ));
        }
        let array = Self {
            shape,
            storage,
            bytes,
        };
        array.check_exact(path, name)?;
        Ok(array)
    }

    fn check_exact(&self, path: &Path, name: &str) -> Result<(), DataError> {
        const EXACT: u64 = 1 << 53;
        let large = match self.storage.element {
            ElementType::I64 => self.words().find_map(|word| {
                let value = self.word(word) as i64;
                (value.unsigned_abs() > EXACT).then(|| value.to_string())
            }),
            ElementType::U64 => self.words().find_map(|word| {
                let value = self.word(word);
                (value > EXACT).then(|| value.to_string())
            }),
            _ => None,
        };
        match large {
            None => Ok(()),
            Some(value) => Err(DataError::Unsupported {
                path: path.to_owned(),
                found: format!("the integer {value} in `{name}`, which f64 cannot hold exactly,"),
                advice: "leave identifiers out, or store them as text".to_owned(),
            }),
        }
    }

    fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.storage.element.size())
    }

    /// The bytes of one number, least significant last read.
    fn word(&self, bytes: &[u8]) -> u64 {
        let join = |word: u64, &byte: &u8| word << 8 | u64::from(byte);
        match self.storage.order {
            ByteOrder::Big => bytes.iter().fold(0, join),
            ByteOrder::Little => bytes.iter().rev().fold(0, join),
        }
    }

    fn decode(&self, bytes: &[u8]) -> f64 {
        let word = self.word(bytes);
        match self.storage.element {
            ElementType::Bool => f64::from(u8::from(word != 0)),
            ElementType::U8 | ElementType::U16 | ElementType::U32 | ElementType::U64 => word as f64,
            ElementType::I8 => f64::from(word as i8),
            ElementType::I16 => f64::from(word as i16),
            ElementType::I32 => f64::from(word as i32),
            ElementType::I64 => word as i64 as f64,
            ElementType::F16 => half(word as u16),
            ElementType::F32 => f64::from(f32::from_bits(word as u32)),
            ElementType::F64 => f64::from_bits(word),
        }
    }

    /// Length of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of numbers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / self.storage.element.size()
    }

    /// Whether there is no number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The numbers in storage order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = f64> {
        self.bytes
            .chunks_exact(self.storage.element.size())
            .map(|bytes| self.decode(bytes))
    }

    /// Rows and columns: a vector is one column, further axes are laid side by side (row-major only, so an image is one row).
    ///
    /// # Errors
    /// [`DataError::Unsupported`] for a scalar, or three and more axes in column-major order.
    pub fn matrix_shape(&self, path: &Path, name: &str) -> Result<(usize, usize), DataError> {
        match (self.shape.as_slice(), self.storage.layout) {
            (&[rows], _) => Ok((rows, 1)),
            (&[rows, columns], _) => Ok((rows, columns)),
            (&[rows, ref rest @ ..], Layout::RowMajor) => Ok((rows, rest.iter().product())),
            _ => Err(DataError::Unsupported {
                path: path.to_owned(),
                found: format!("`{name}` of shape {}", show_shape(&self.shape)),
                advice: "reshape it to rows x columns".to_owned(),
            }),
        }
    }

    /// The rows as a dense matrix.
    ///
    /// # Errors
    /// As [`NumericArray::matrix_shape`]; [`translearn_core::TransferError::DenseTooLarge`] past
    /// [`translearn_core::DENSE_LIMIT_BYTES`].
    pub fn dense(&self, path: &Path, name: &str) -> Result<Array2<f64>, DataError> {
        let shape = self.matrix_shape(path, name)?;
        self.check_dense(name, shape)?;
        let values: Vec<f64> = self.values().collect();
        let array = match self.storage.layout {
            Layout::RowMajor => Array2::from_shape_vec(shape, values),
            Layout::ColumnMajor => Array2::from_shape_vec(shape.f(), values),
        };
        let array = array.map_err(|error| {
            DataError::malformed(
                path,
                "array",
                Position::Part(name.into()),
                show_shape(&self.shape),
                error.to_string(),
            )
        })?;
        // Everything downstream walks rows.
        Ok(if array.is_standard_layout() {
            array
        } else {
            array.as_standard_layout().into_owned()
        })
    }

    fn check_dense(&self, name: &str, (rows, columns): (usize, usize)) -> Result<(), DataError> {
        let bytes = 8 * self.len() as u64;
        if bytes <= DENSE_LIMIT_BYTES {
            return Ok(());
        }
        let what = format!("`{name}`");
        Err(TransferError::DenseTooLarge {
            what,
            rows,
            columns,
            bytes,
            limit: DENSE_LIMIT_BYTES,
        }
        .into())
    }

    /// The non-zero numbers in compressed row storage.
    ///
    /// # Errors
    /// As [`NumericArray::matrix_shape`]; [`DataError::TooLarge`] for a great many rows of nothing.
    pub fn sparse(&self, path: &Path, name: &str) -> Result<Csr, DataError> {
        let (rows, columns) = self.matrix_shape(path, name)?;
        // Row-major bytes are the rows of the matrix; column-major ones the rows of its transpose.
        let (outer, inner) = match self.storage.layout {
            Layout::RowMajor => (rows, columns),
            Layout::ColumnMajor => (columns, rows),
        };
        // Without numbers, the shape is a mere claim.
        let needs = (outer.max(rows) as u64).saturating_add(1).saturating_mul(8);
        let limit = allowance(self.bytes.len());
        if needs > limit {
            return Err(too_large(
                path,
                &format!("`{name}` of {rows} x {columns}"),
                needs,
                limit,
            ));
        }
        let mut starts = Vec::with_capacity(outer + 1);
        let (mut indices, mut data) = (Vec::new(), Vec::new());
        starts.push(0);
        let mut values = self.values();
        for _ in 0..outer {
            for index in 0..inner {
                if let Some(value) = values.next().filter(|&value| value != 0.0) {
                    indices.push(index);
                    data.push(value);
                }
            }
            starts.push(indices.len());
        }
        Ok(match self.storage.layout {
            Layout::RowMajor => CsMat::new((rows, columns), starts, indices, data),
            Layout::ColumnMajor => CsMat::new_csc((rows, columns), starts, indices, data).to_csr(),
        })
    }
}

/// Product of the axes, unless it overflows.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1_usize, |product, &axis| product.checked_mul(axis))
}

/// `3 x 4`.
pub(super) fn show_shape(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "a scalar".to_owned();
    }
    shape
        .iter()
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join(" x ")
}

/// IEEE 754 half precision; exact in `f64`.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f64::from(bits & 0x3ff);
    match (bits >> 10) & 0x1f {
        0 => sign * fraction * 2f64.powi(-24),
        0x1f if fraction == 0.0 => sign * f64::INFINITY,
        0x1f => f64::NAN,
        exponent => sign * (1.0 + fraction / 1024.0) * 2f64.powi(i32::from(exponent) - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(element: ElementType, order: ByteOrder, bytes: Vec<u8>) -> Vec<f64> {
        let storage = Storage {
            element,
            order,
            layout: Layout::RowMajor,
        };
        let shape = vec![bytes.len() / element.size()];
        NumericArray::new(Path::new("t"), "x", shape, storage, bytes)
            .unwrap()
            .values()
            .collect()
    }

    #[test]
    fn every_type_in_both_byte_orders() {
        macro_rules! check {
            ($($kind:ident $type:ty: $($value:expr),+;)+) => {$(
                let values: Vec<$type> = vec![$($value),+];
                let little = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                let big = values.iter().flat_map(|v| v.to_be_bytes()).collect();
                let want: Vec<f64> = values.iter().map(|&v| v as f64).collect();
                assert_eq!(array(ElementType::$kind, ByteOrder::Little, little), want);
                assert_eq!(array(ElementType::$kind, ByteOrder::Big, big), want);
            )+};
        }
        check! {
            I8 i8: -128, 5; U8 u8: 255, 1; I16 i16: -300, 7; U16 u16: 65535, 3;
            I32 i32: -70_000, 9; U32 u32: 4_000_000_000, 2; I64 i64: -(1 << 53), 12; U64 u64: 1 << 53, 0;
            F32 f32: -1.5, 3.25e-3; F64 f64: 0.1, -1e300;
        }
        assert_eq!(
            array(ElementType::Bool, ByteOrder::Little, vec![0, 1, 2]),
            [0.0, 1.0, 1.0]
        );
    }

    #[test]
    fn half_precision_by_its_landmarks() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 6.103_515_625e-5),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x3555, 0.333_251_953_125),
            (0xfc00, f64::NEG_INFINITY),
        ] {
            assert_eq!(half(bits), value, "{bits:#06x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn integers_that_would_lose_digits_are_refused() {
        let storage = Storage {
            element: ElementType::I64,
            order: ByteOrder::Little,
            layout: Layout::RowMajor,
        };
        let bytes = ((1_i64 << 53) + 1).to_le_bytes().to_vec();
        let error = NumericArray::new(Path::new("t"), "id", vec![1], storage, bytes).unwrap_err();
        assert!(error.to_string().contains("9007199254740993"), "{error}");
    }

    #[test]
    fn a_shape_that_overflows_is_refused() {
        let storage = Storage {
            element: ElementType::F64,
            order: ByteOrder::Little,
            layout: Layout::RowMajor,
        };
        let shape = vec![usize::MAX, usize::MAX];
        assert!(NumericArray::new(Path::new("t"), "x", shape, storage, vec![]).is_err());
    }

    #[test]
    fn sparse_and_dense_agree_in_both_layouts() {
        for layout in [Layout::RowMajor, Layout::ColumnMajor] {
            let storage = Storage {
                element: ElementType::U8,
                order: ByteOrder::Little,
                layout,
            };
            let bytes = vec![0, 1, 2, 0, 0, 3];
            let array = NumericArray::new(Path::new("t"), "x", vec![2, 3], storage, bytes).unwrap();
            let dense = array.dense(Path::new("t"), "x").unwrap();
            assert_eq!(array.sparse(Path::new("t"), "x").unwrap().to_dense(), dense);
            assert_eq!(
                dense[[0, 1]],
                if layout == Layout::RowMajor { 1.0 } else { 2.0 }
            );
        }
    }
}
