//! Tagged data elements, the bricks of a version 5 file.

use std::path::Path;

use crate::read::array::{ByteOrder, ElementType};
use crate::{DataError, Position};

/// A stretch of bytes, and where it lies in the file.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
    pub(super) order: ByteOrder,
    /// Offset of `bytes[0]`; for inflated data, offset of the compressed element.
    origin: Origin,
}

#[derive(Clone, Copy)]
enum Origin {
    File(usize),
    Inflated { element: u64, start: usize },
}

/// Type of an element's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number(ElementType),
    Utf8,
    Utf16,
    Utf32,
    Matrix,
    Compressed,
}

impl Kind {
    fn new(code: u32) -> Option<Self> {
        Some(match code {
            1 => Self::Number(ElementType::I8),
            2 => Self::Number(ElementType::U8),
            3 => Self::Number(ElementType::I16),
            4 => Self::Number(ElementType::U16),
            5 => Self::Number(ElementType::I32),
            6 => Self::Number(ElementType::U32),
            7 => Self::Number(ElementType::F32),
            9 => Self::Number(ElementType::F64),
            12 => Self::Number(ElementType::I64),
            13 => Self::Number(ElementType::U64),
            14 => Self::Matrix,
            15 => Self::Compressed,
            16 => Self::Utf8,
            17 => Self::Utf16,
            18 => Self::Utf32,
            _ => return None,
        })
    }
}

/// A tag with the content it announces.
pub(super) struct Element<'a> {
    pub(super) kind: Kind,
    pub(super) content: Input<'a>,
}

impl<'a> Input<'a> {
    /// `bytes` of a file from `at` on.
    pub(super) fn new(path: &'a Path, bytes: &'a [u8], order: ByteOrder, at: usize) -> Self {
        Self {
            path,
            bytes,
            at,
            order,
            origin: Origin::File(0),
        }
    }

    /// What inflated from the element at `compressed`.
    pub(super) fn inflated(
        path: &'a Path,
        bytes: &'a [u8],
        order: ByteOrder,
        compressed: Position,
    ) -> Self {
        let element = if let Position::Byte(byte) = compressed {
            byte
        } else {
            0
        };
        Self {
            path,
            bytes,
            at: 0,
            order,
            origin: Origin::Inflated { element, start: 0 },
        }
    }

    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at.min(self.bytes.len())..]
    }

    pub(super) fn position(&self) -> Position {
        match self.origin {
            Origin::File(start) => Position::Byte((start + self.at) as u64),
            Origin::Inflated { element, start } => Position::Inflated {
                element,
                byte: (start + self.at) as u64,
            },
        }
    }

    pub(super) fn fail(&self, expected: impl Into<String>, found: impl Into<String>) -> DataError {
        DataError::malformed(self.path, "MAT v5", self.position(), expected, found)
    }

    fn word(&self, at: usize) -> Option<u32> {
        let b = self.bytes.get(at..at.checked_add(4)?)?;
        let b = [b[0], b[1], b[2], b[3]];
        Some(match self.order {
            ByteOrder::Little => u32::from_le_bytes(b),
            ByteOrder::Big => u32::from_be_bytes(b),
        })
    }

    /// The next element; the input moves past it and its padding.
    pub(super) fn element(&mut self) -> Result<Element<'a>, DataError> {
        let (Some(first), Some(second)) = (self.word(self.at), self.word(self.at + 4)) else {
            return Err(self.fail("a tag of 8 bytes", format!("{} bytes", self.rest().len())));
        };
        // A small element keeps its size in the upper half of the type, and up to 4 bytes of data in the tag itself.
        let small = first >> 16;
        let (code, size, start) = if small > 0 {
            (first & 0xffff, small, self.at + 4)
        } else {
            (first, second, self.at + 8)
        };
        if small > 4 {
            return Err(self.fail(
                "a small element of at most 4 bytes",
                format!("{small} bytes"),
            ));
        }
        let kind = Kind::new(code)
            .ok_or_else(|| self.fail("a known data type", format!("type {code}")))?;
        let end = start
            .checked_add(size as usize)
            .filter(|&end| end <= self.bytes.len())
            .ok_or_else(|| {
                let left = self.bytes.len() - start;
                self.fail(format!("{size} bytes of {kind:?}"), format!("{left} bytes"))
            })?;
        let origin = match self.origin {
            Origin::File(origin) => Origin::File(origin + start),
            Origin::Inflated {
                element,
                start: origin,
            } => Origin::Inflated {
                element,
                start: origin + start,
            },
        };
        let content = Input {
            bytes: &self.bytes[start..end],
            at: 0,
            origin,
            ..*self
        };
        // Everything is padded to 8 bytes but compressed data; the last element may go without.
        self.at = match (small > 0, kind) {
            (true, _) => self.at + 8,
            (false, Kind::Compressed) => end,
            (false, _) => (start + (size as usize).next_multiple_of(8)).min(self.bytes.len()),
        };
        Ok(Element { kind, content })
    }

    /// The next element, which has to be a run of 32-bit integers.
    pub(super) fn integers(&mut self, what: &str) -> Result<Vec<u32>, DataError> {
        let before = *self;
        let element = self.element()?;
        match element.kind {
            Kind::Number(ElementType::I32 | ElementType::U32)
                if element.content.bytes.len() % 4 == 0 =>
            {
                let n = element.content.bytes.len() / 4;
                Ok((0..n)
                    .filter_map(|index| element.content.word(4 * index))
                    .collect())
            }
            kind => Err(before.fail(
                format!("{what} as 32-bit integers"),
                format!("{} bytes of {kind:?}", element.content.bytes.len()),
            )),
        }
    }

    /// The next element, which has to be a name.
    pub(super) fn name(&mut self, what: &str) -> Result<String, DataError> {
        let before = *self;
        let element = self.element()?;
        match element.kind {
            Kind::Number(ElementType::I8 | ElementType::U8) | Kind::Utf8 => {
                let bytes = element.content.bytes;
                std::str::from_utf8(bytes)
                    .map(|name| name.trim_end_matches('\0').to_owned())
                    .map_err(|_| before.fail(format!("{what} of letters"), format!("{bytes:?}")))
            }
            kind => Err(before.fail(what, format!("{kind:?}"))),
        }
    }
}
