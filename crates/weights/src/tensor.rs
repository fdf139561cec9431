//! One tensor as it stands in a file.

use std::fmt;

use crate::dtype::{bf16_to_f32, f16_to_f32};
use crate::{DType, WeightsError};

/// Numbers of one type in row-major order, as little-endian bytes, without gaps.
///
/// ```
/// use translearn_weights::{DType, RawTensor};
///
/// let tensor = RawTensor::new(DType::F16, vec![2], vec![0x00, 0x3c, 0x00, 0xc0])?;
/// assert_eq!(tensor.to_f32()?, [1.0, -2.0]);
/// # Ok::<(), translearn_weights::WeightsError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RawTensor {
    dtype: DType,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl RawTensor {
    /// A tensor from its bytes.
    ///
    /// # Errors
    /// [`WeightsError::Length`] when they do not fill the shape exactly.
    pub fn new(dtype: DType, shape: Vec<usize>, data: Vec<u8>) -> Result<Self, WeightsError> {
        let expected = bytes_of(&shape, dtype.size());
        if expected == Some(data.len()) {
            return Ok(Self { dtype, shape, data });
        }
        Err(WeightsError::Length {
            dtype,
            shape,
            expected: expected.map_or("too many".to_owned(), |n| n.to_string()),
            found: data.len(),
        })
    }

    /// A tensor of singles.
    ///
    /// # Errors
    /// [`WeightsError::Length`] when there are not as many values as the shape says.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Result<Self, WeightsError> {
        let data = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Self::new(DType::F32, shape, data)
    }

    /// The type of its numbers.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Length of each axis; empty for a single number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many numbers.
    pub fn len(&self) -> usize {
        self.data.len() / self.dtype.size()
    }

    /// Whether there is no number: an axis has length 0.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes, without a copy.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// The numbers as `f32`: exact for `F16`, `BF16`, `F32`, `Bool` and integers below 2²⁴, rounded to the nearest for
    /// the others, as torch's `float()` does.
    ///
    /// # Errors
    /// [`WeightsError::OutOfRange`] for a finite `F64` that would become infinite.
    pub fn to_f32(&self) -> Result<Vec<f32>, WeightsError> {
        Ok(match self.dtype {
            DType::F16 => self.each(|b: [u8; 2]| f16_to_f32(u16::from_le_bytes(b))),
            DType::BF16 => self.each(|b: [u8; 2]| bf16_to_f32(u16::from_le_bytes(b))),
            DType::F32 => self.each(f32::from_le_bytes),
            DType::F64 => {
                let values = self.each(|b| f64::from_le_bytes(b) as f32);
                if let Some(index) = values.iter().position(|value| value.is_infinite()) {
                    let is_wrong = |value: &f64| value.is_finite();
                    let exact = self.each(f64::from_le_bytes);
                    let beyond = exact[index..].iter().zip(&values[index..]);
                    let found = beyond
                        .enumerate()
                        .find(|(_, (exact, value))| value.is_infinite() && is_wrong(exact));
                    if let Some((offset, (&value, _))) = found {
                        return Err(WeightsError::OutOfRange {
                            dtype: self.dtype,
                            index: index + offset,
                            value,
                        });
                    }
                }
                values
            }
            DType::I8 => self.each(|b| f32::from(i8::from_le_bytes(b))),
            DType::I16 => self.each(|b| f32::from(i16::from_le_bytes(b))),
            DType::I32 => self.each(|b| i32::from_le_bytes(b) as f32),
            DType::I64 => self.each(|b| i64::from_le_bytes(b) as f32),
            DType::U8 => self.each(|b| f32::from(u8::from_le_bytes(b))),
            DType::Bool => self.each(|[b]: [u8; 1]| f32::from(u8::from(b != 0))),
        })
    }

    fn each<const N: usize, T>(&self, convert: impl Fn([u8; N]) -> T) -> Vec<T> {
        self.data
            .as_chunks::<N>()
            .0
            .iter()
            .map(|&bytes| convert(bytes))
            .collect()
    }

    /// Axes in another order: axis `i` of the result is axis `axes[i]` of this one. Shape `shape` of as many numbers.
    pub(crate) fn permuted(&self, axes: &[usize], shape: Vec<usize>) -> Result<Self, WeightsError> {
        let steps = row_major(&self.shape);
        let view = Strided {
            offset: 0,
            shape: axes.iter().map(|&axis| self.shape[axis]).collect(),
            strides: axes.iter().map(|&axis| steps[axis]).collect(),
        };
        let mut data = Vec::with_capacity(self.data.len());
        view.gather(&self.data, self.dtype.size(), &mut data);
        Self::new(self.dtype, shape, data)
    }
}

impl fmt::Debug for RawTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawTensor({} {:?})", self.dtype, self.shape)
    }
}

/// Product of the axes and of the size of a number.
pub(crate) fn bytes_of(shape: &[usize], size: usize) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(size, |n, &axis| n.checked_mul(axis))
}

/// The strides of a tensor without gaps.
pub(crate) fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].wrapping_mul(shape[axis]);
    }
    strides
}

/// A view into numbers: where it starts and how far apart neighbours along each axis lie, counted in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Strided {
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

impl Strided {
    /// How many numbers the storage must have for the view to lie inside; nothing on overflow.
    pub(crate) fn reach(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let mut last = self.offset;
        for (&axis, &stride) in self.shape.iter().zip(&self.strides) {
            last = last.checked_add((axis - 1).checked_mul(stride)?)?;
        }
        last.checked_add(1)
    }

    /// Whether its numbers lie next to each other in row-major order.
    pub(crate) fn is_contiguous(&self) -> bool {
        let mut expected = 1_usize;
        for (&axis, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if axis != 1 && stride != expected {
                return false;
            }
            expected = expected.wrapping_mul(axis);
        }
        true
    }

    /// Appends the numbers of `size` bytes each in row-major order. The view must lie inside of `bytes`.
    pub(crate) fn gather(&self, bytes: &[u8], size: usize, out: &mut Vec<u8>) {
        if self.shape.contains(&0) {
            return;
        }
        let (Some((&inner, outer)), Some((&step, outer_steps))) =
            (self.shape.split_last(), self.strides.split_last())
        else {
            out.extend_from_slice(&bytes[self.offset * size..(self.offset + 1) * size]);
            return;
        };
        let mut index = vec![0; outer.len()];
        let mut start = self.offset;
        loop {
            for i in 0..inner {
                let at = (start + i * step) * size;
                out.extend_from_slice(&bytes[at..at + size]);
            }
            // The next row: like an odometer, from the right.
            let mut axis = outer.len();
            loop {
                if axis == 0 {
                    return;
                }
                axis -= 1;
                index[axis] += 1;
                start += outer_steps[axis];
                if index[axis] < outer[axis] {
                    break;
                }
                start -= outer[axis] * outer_steps[axis];
                index[axis] = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tensor<const N: usize>(dtype: DType, values: &[[u8; N]]) -> RawTensor {
        RawTensor::new(dtype, vec![values.len()], values.concat()).unwrap()
    }

    #[test]
    fn every_type_becomes_singles() {
        let check = |tensor: RawTensor, expected: &[f32]| {
            assert_eq!(tensor.to_f32().unwrap(), expected, "{tensor:?}");
            assert_eq!(tensor.len(), expected.len());
        };
        check(tensor(DType::F32, &[1.5_f32.to_le_bytes()]), &[1.5]);
        check(
            tensor(
                DType::F64,
                &[0.1_f64.to_le_bytes(), f64::NEG_INFINITY.to_le_bytes()],
            ),
            &[0.1, f32::NEG_INFINITY],
        );
        check(tensor(DType::I8, &[[0xff]]), &[-1.0]);
        check(tensor(DType::U8, &[[0xff]]), &[255.0]);
        check(tensor(DType::I16, &[(-300_i16).to_le_bytes()]), &[-300.0]);
        check(
            tensor(DType::I32, &[i32::MIN.to_le_bytes()]),
            &[-2_147_483_648.0],
        );
        check(
            tensor(DType::I64, &[((1_i64 << 24) + 1).to_le_bytes()]),
            &[16_777_216.0],
        );
        check(tensor(DType::Bool, &[[0], [1], [7]]), &[0.0, 1.0, 1.0]);
        check(tensor(DType::BF16, &[[0x80, 0x3f]]), &[1.0]);
    }

    #[test]
    fn a_number_beyond_singles_is_named() {
        let values = [f64::INFINITY, 1.0, -1e39].map(f64::to_le_bytes);
        let error = tensor(DType::F64, &values).to_f32().unwrap_err();
        assert!(
            matches!(
                error,
                WeightsError::OutOfRange {
                    index: 2,
                    value: -1e39,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn bytes_must_fill_the_shape() {
        for (shape, n) in [
            (vec![2, 3], 20),
            (vec![], 0),
            (vec![usize::MAX, 2], 4),
            (vec![0, 5], 4),
        ] {
            let error = RawTensor::new(DType::F32, shape, vec![0; n]).unwrap_err();
            assert!(matches!(error, WeightsError::Length { .. }), "{error}");
        }
        assert!(
            RawTensor::new(DType::F32, vec![usize::MAX, 2, 0], vec![])
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_view_beyond_the_numbers_it_can_reach_overflows_to_nothing() {
        let view = Strided {
            offset: usize::MAX,
            shape: vec![2],
            strides: vec![1],
        };
        assert_eq!(view.reach(), None);
        let view = Strided {
            offset: 0,
            shape: vec![usize::MAX, 2],
            strides: vec![usize::MAX, 1],
        };
        assert_eq!(view.reach(), None);
    }

    proptest! {
        /// Against one multiplication per number.
        #[test]
        fn views_give_the_numbers_they_point_at(
            (shape, strides) in prop::collection::vec((0_usize..4, 0_usize..5), 0..4)
                .prop_map(|axes| axes.into_iter().unzip::<_, _, Vec<_>, Vec<_>>()),
            offset in 0_usize..3,
            size in 1_usize..3,
        ) {
            let view = Strided { offset, shape, strides };
            let reach = view.reach().unwrap();
            let bytes: Vec<u8> = (0..reach * size).map(|i| i as u8).collect();
            let mut out = Vec::new();
            view.gather(&bytes, size, &mut out);
            let n: usize = view.shape.iter().product();
            let mut expected: Vec<u8> = Vec::new();
            for flat in 0..n {
                let (mut rest, mut at) = (flat, view.offset);
                for axis in (0..view.shape.len()).rev() {
                    at += rest % view.shape[axis] * view.strides[axis];
                    rest /= view.shape[axis];
                }
                expected.extend(&bytes[at * size..(at + 1) * size]);
            }
            prop_assert_eq!(&out, &expected);
            if view.is_contiguous() && n > 0 {
                prop_assert_eq!(&out, &bytes[offset * size..(offset + n) * size]);
            }
        }
    }
}
