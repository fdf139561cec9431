//! Types of columns, and values in plain encoding.

use std::path::Path;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::schema::types::Type;

use crate::read::array::{ByteOrder, ElementType, Layout, NumericArray, Storage};
use crate::{Cells, DataError};

/// What the values of a column are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Number(ElementType),
    /// Big-endian integers (little-endian for 4 and 8 bytes, as `little` says) times 10^-scale; `None` for any length.
    Decimal {
        width: Option<usize>,
        scale: i32,
        little: bool,
    },
    Text,
}

impl Kind {
    /// The kind of a column, or what it holds instead of numbers and text.
    pub(super) fn new(field: &Type) -> Result<Self, &'static str> {
        let &Type::PrimitiveType {
            physical_type,
            type_length,
            scale,
            ..
        } = field
        else {
            return Err("nested values");
        };
        if field.get_basic_info().repetition() == Repetition::REPEATED {
            return Err("nested values");
        }
        let (logical, converted) = (
            field.get_basic_info().logical_type_ref(),
            field.get_basic_info().converted_type(),
        );
        let is_time = matches!(
            converted,
            ConvertedType::DATE
                | ConvertedType::TIME_MILLIS
                | ConvertedType::TIME_MICROS
                | ConvertedType::TIMESTAMP_MILLIS
                | ConvertedType::TIMESTAMP_MICROS
                | ConvertedType::INTERVAL
        );
        if is_time
            || matches!(
                logical,
                Some(LogicalType::Date | LogicalType::Time(_) | LogicalType::Timestamp(_))
            )
        {
            return Err("times");
        }
        let is_decimal =
            converted == ConvertedType::DECIMAL || matches!(logical, Some(LogicalType::Decimal(_)));
        let is_unsigned = [8, 16, 32, 64]
            .iter()
            .any(|&width| logical == Some(&LogicalType::integer(width, false)))
            || matches!(
                converted,
                ConvertedType::UINT_8
                    | ConvertedType::UINT_16
                    | ConvertedType::UINT_32
                    | ConvertedType::UINT_64
            );
        let decimal = |width, little| Self::Decimal {
            width,
            scale,
            little,
        };
        Ok(match physical_type {
            PhysicalType::BOOLEAN => Self::Bool,
            PhysicalType::INT32 if is_decimal => decimal(Some(4), true),
            PhysicalType::INT64 if is_decimal => decimal(Some(8), true),
            PhysicalType::INT32 if is_unsigned => Self::Number(ElementType::U32),
            PhysicalType::INT64 if is_unsigned => Self::Number(ElementType::U64),
            PhysicalType::INT32 => Self::Number(ElementType::I32),
            PhysicalType::INT64 => Self::Number(ElementType::I64),
            PhysicalType::INT96 => return Err("times"),
            PhysicalType::FLOAT => Self::Number(ElementType::F32),
            PhysicalType::DOUBLE => Self::Number(ElementType::F64),
            PhysicalType::BYTE_ARRAY if is_decimal => decimal(None, false),
            PhysicalType::BYTE_ARRAY => Self::Text,
            PhysicalType::FIXED_LEN_BYTE_ARRAY => match (logical, usize::try_from(type_length)) {
                (Some(LogicalType::Float16), Ok(2)) => Self::Number(ElementType::F16),
                (_, Ok(width)) if is_decimal => decimal(Some(width), false),
                _ => return Err("bytes that are no text"),
            },
        })
    }
}

/// Values of one column, as they are collected.
pub(super) struct Values {
    pub(super) kind: Kind,
    pub(super) cells: Cells,
}

/// What is wrong inside a page.
pub(super) enum Fault {
    /// What was found, where the encoding asks for something else.
    Malformed(String),
    Refused(DataError),
}

impl From<DataError> for Fault {
    fn from(error: DataError) -> Self {
        Self::Refused(error)
    }
}

impl Values {
    pub(super) fn new(kind: Kind) -> Self {
        let cells = if kind == Kind::Text {
            Cells::Categories(Vec::new())
        } else {
            Cells::Numbers(Vec::new())
        };
        Self { kind, cells }
    }

    pub(super) fn len(&self) -> usize {
        match &self.cells {
            Cells::Numbers(numbers) => numbers.len(),
            Cells::Categories(cells) => cells.len(),
        }
    }

    pub(super) fn push_missing(&mut self) {
        match &mut self.cells {
            Cells::Numbers(numbers) => numbers.push(f64::NAN),
            Cells::Categories(cells) => cells.push(None),
        }
    }

    /// Copies value `at` of `from`, which is of the same kind; `false` when there is none. Returns the bytes of text.
    pub(super) fn push_from(&mut self, from: &Self, at: usize) -> Option<usize> {
        match (&mut self.cells, &from.cells) {
            (Cells::Numbers(to), Cells::Numbers(from)) => {
                to.push(*from.get(at)?);
                Some(0)
            }
            (Cells::Categories(to), Cells::Categories(from)) => {
                let text = from.get(at)?.clone();
                let bytes = text.as_ref().map_or(0, String::len);
                to.push(text);
                Some(bytes)
            }
            _ => None,
        }
    }

    /// Decodes `n` values in plain encoding.
    pub(super) fn plain(
        kind: Kind,
        path: &Path,
        name: &str,
        data: &[u8],
        n: usize,
    ) -> Result<Self, Fault> {
        let short = || Fault::Malformed(format!("{} bytes for {n} plain values", data.len()));
        let cells = match kind {
            Kind::Bool => {
                let bytes = data.get(..n.div_ceil(8)).ok_or_else(short)?;
                Cells::Numbers(
                    (0..n)
                        .map(|at| f64::from(bytes[at / 8] >> (at % 8) & 1))
                        .collect(),
                )
            }
            Kind::Number(element) => {
                let size = n.checked_mul(element.size()).ok_or_else(short)?;
                let bytes = data.get(..size).ok_or_else(short)?;
                let storage = Storage {
                    element,
                    order: ByteOrder::Little,
                    layout: Layout::RowMajor,
                };
                let array = NumericArray::new(path, name, vec![n], storage, bytes.to_vec())?;
                Cells::Numbers(array.values().collect())
            }
            Kind::Decimal {
                width: Some(width),
                scale,
                little,
            } => {
                let bytes = n
                    .checked_mul(width)
                    .and_then(|size| data.get(..size))
                    .ok_or_else(short)?;
                let decimals = bytes
                    .chunks_exact(width.max(1))
                    .map(|bytes| decimal(bytes, scale, little));
                Cells::Numbers(decimals.collect::<Result<_, _>>()?)
            }
            Kind::Decimal {
                width: None,
                scale,
                little,
            } => {
                let decimals = strings(data, n).map(|bytes| decimal(bytes?, scale, little));
                Cells::Numbers(decimals.collect::<Result<_, _>>()?)
            }
            Kind::Text => {
                let texts = strings(data, n).map(|bytes| {
                    let text = std::str::from_utf8(bytes?);
                    text.map(|text| Some(text.to_owned()))
                        .map_err(|_| Fault::Malformed("bytes that are no text".to_owned()))
                });
                Cells::Categories(texts.collect::<Result<_, _>>()?)
            }
        };
        let values = Self { kind, cells };
        if values.len() == n {
            Ok(values)
        } else {
            Err(short())
        }
    }
}

/// Byte strings, each after its length.
fn strings(mut data: &[u8], n: usize) -> impl Iterator<Item = Result<&[u8], Fault>> {
    let total = data.len();
    (0..n).map_while(move |at| {
        let next = data
            .split_first_chunk::<4>()
            .and_then(|(length, rest)| rest.split_at_checked(u32::from_le_bytes(*length) as usize));
        match next {
            Some((string, rest)) => {
                data = rest;
                Some(Ok(string))
            }
            None => Some(Err(Fault::Malformed(format!(
                "{total} bytes, which end in string {at} of {n}"
            )))),
        }
    })
}

/// An integer times 10^-scale, rounded once.
fn decimal(bytes: &[u8], scale: i32, little: bool) -> Result<f64, Fault> {
    let mut bytes = bytes.to_vec();
    if little {
        bytes.reverse();
    }
    if bytes.is_empty() || bytes.len() > 16 {
        return Err(Fault::Malformed(format!(
            "a decimal of {} bytes",
            bytes.len()
        )));
    }
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
    let unscaled = bytes
        .iter()
        .fold(sign, |value: i128, &byte| value << 8 | i128::from(byte));
    format!("{unscaled}e{}", -i64::from(scale))
        .parse()
        .map_err(|_| Fault::Malformed(format!("a decimal of scale {scale}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(kind: Kind, data: &[u8], n: usize) -> Option<Cells> {
        Values::plain(kind, Path::new("t"), "x", data, n)
            .ok()
            .map(|values| values.cells)
    }

    #[test]
    fn plain_values_of_every_kind() {
        assert_eq!(
            plain(Kind::Bool, &[0b101], 3),
            Some(Cells::Numbers(vec![1.0, 0.0, 1.0]))
        );
        assert_eq!(
            plain(Kind::Number(ElementType::I32), &[255, 255, 255, 255], 1),
            Some(Cells::Numbers(vec![-1.0]))
        );
        let little = Kind::Decimal {
            width: Some(4),
            scale: 2,
            little: true,
        };
        assert_eq!(
            plain(little, &[125, 0, 0, 0], 1),
            Some(Cells::Numbers(vec![1.25]))
        );
        let big = Kind::Decimal {
            width: Some(2),
            scale: 1,
            little: false,
        };
        assert_eq!(
            plain(big, &[0xff, 0xfb], 1),
            Some(Cells::Numbers(vec![-0.5]))
        );
        let text = [2, 0, 0, 0, b'o', b'k', 0, 0, 0, 0];
        assert_eq!(
            plain(Kind::Text, &text, 2),
            Some(Cells::Categories(vec![
                Some("ok".into()),
                Some(String::new())
            ]))
        );
    }

    #[test]
    fn too_few_bytes_are_refused() {
        let zero = Kind::Decimal {
            width: Some(0),
            scale: 1,
            little: false,
        };
        for (kind, data, n) in [
            (Kind::Bool, &[1][..], 9),
            (Kind::Number(ElementType::F64), &[0; 15], 2),
            (Kind::Number(ElementType::F64), &[0; 15], usize::MAX),
            (Kind::Text, &[9, 0, 0, 0, b'x'], 1),
            (Kind::Text, &[1, 0, 0], 1),
            (Kind::Text, &[255, 255, 255, 255], 1),
            (Kind::Text, &[1, 0, 0, 0, 0xff], 1),
            (zero, &[], 3),
        ] {
            assert!(plain(kind, data, n).is_none(), "{kind:?} {n}");
        }
    }
}
