//! Bytes into the machine, within bounds, and what it tells about its nodes.

use std::io::Read;

use super::machine::{MAX_PICKLE, Machine};
use super::{Id, Node, Storage};
use crate::WeightsError;

impl<R: Read> Machine<'_, R> {
    pub(super) fn take<const N: usize>(&mut self, what: &str) -> Result<[u8; N], WeightsError> {
        let mut bytes = [0; N];
        self.claim(N as u64)?;
        match self.input.read_exact(&mut bytes) {
            Ok(()) => {
                self.at += N as u64;
                Ok(bytes)
            }
            Err(error) => Err(self.broken(what, error)),
        }
    }

    /// A little-endian number of `width` bytes.
    pub(super) fn length(&mut self, width: usize) -> Result<u64, WeightsError> {
        Ok(match width {
            1 => {
                let [n] = self.take("a length")?;
                n.into()
            }
            4 => u32::from_le_bytes(self.take("a length")?).into(),
            _ => u64::from_le_bytes(self.take("a length")?),
        })
    }

    pub(super) fn bytes(&mut self, n: u64) -> Result<Vec<u8>, WeightsError> {
        self.claim(n)?;
        let read = crate::budget::read_up_to(&mut self.input, n);
        match read {
            Ok(bytes) if bytes.len() as u64 == n => {
                self.at += n;
                Ok(bytes)
            }
            Ok(bytes) => Err(self.fail(
                &format!("{n} bytes"),
                format!("{} before the end", bytes.len()),
            )),
            Err(error) => Err(self.broken("bytes", error)),
        }
    }

    /// Text up to the next line feed.
    pub(super) fn line(&mut self) -> Result<String, WeightsError> {
        let mut line = Vec::new();
        loop {
            match self.take("a line of text")? {
                [b'\n'] => break,
                [byte] => line.push(byte),
            }
        }
        String::from_utf8(line).map_err(|_| self.fail("text in UTF-8", "other bytes"))
    }

    /// Refuses to read beyond what a pickle may be long.
    fn claim(&self, n: u64) -> Result<(), WeightsError> {
        if self.at.saturating_add(n) <= self.end {
            return Ok(());
        }
        Err(WeightsError::TooLarge {
            path: self.context.path.to_owned(),
            what: "the pickle beside the tensors".to_owned(),
            needs: n,
            limit: MAX_PICKLE,
            advice: "the file is damaged, or holds more than tensors: save only `model.state_dict()`",
        })
    }

    fn broken(&self, what: &str, error: std::io::Error) -> WeightsError {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            self.fail(what, "the end")
        } else {
            self.fail(what, error.to_string())
        }
    }

    pub(crate) fn fail(&self, expected: &str, found: impl Into<String>) -> WeightsError {
        let at = format!("{} {}", self.context.place, self.at);
        WeightsError::malformed(self.context.path, self.context.format, at, expected, found)
    }
}

impl<R> Machine<'_, R> {
    /// The text of a node.
    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match &self.nodes[id as usize] {
            Node::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a node is this integer, given as two's complement.
    pub(crate) fn is_long(&self, id: Id, bytes: &[u8]) -> bool {
        matches!(&self.nodes[id as usize], Node::Long(long) if **long == *bytes)
    }

    /// The integer of a node.
    pub(crate) fn int(&self, id: Id) -> Option<i64> {
        match self.nodes[id as usize] {
            Node::Int(n) => Some(n),
            _ => None,
        }
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, id: Id) -> Option<Vec<Box<str>>> {
        match &self.nodes[id as usize] {
            Node::List(list) => list
                .iter()
                .map(|&id| self.text(id).map(Into::into))
                .collect(),
            _ => None,
        }
    }

    /// Whether the dictionary about the machine says that its bytes stood the other way round.
    pub(crate) fn is_big_endian(&self, id: Id) -> bool {
        match &self.nodes[id as usize] {
            Node::Dict(pairs) => pairs.iter().any(|&(key, value)| {
                self.text(key) == Some("little_endian")
                    && matches!(self.nodes[value as usize], Node::Bool(false))
            }),
            _ => false,
        }
    }

    /// The storages named so far.
    pub(crate) fn storages(&self) -> &[Storage] {
        &self.storages
    }
}

/// A name for a message: of some length at most, without control characters.
pub(crate) fn printable(name: &str) -> String {
    const LONGEST: usize = 120;
    let mut text: String = name
        .chars()
        .take(LONGEST)
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect();
    if name.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}
