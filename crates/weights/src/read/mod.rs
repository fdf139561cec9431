//! What a file is, judged by its first bytes, and its reading.

mod assemble;
mod hdf5;
mod legacy;
mod safetensors;
mod torch;

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use crate::budget::{Budget, read_known};
use crate::state::first_repeated;
use crate::{RawTensor, Skipped, StateDict, WeightsError};

/// How a file of weights was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// A JSON header and the bytes.
    Safetensors,
    /// A zip archive of a pickle and storages: `torch.save` since 1.6.
    Torch,
    /// The same with code beside it, which is not looked at: `torch.jit.save`, and `VarStore::save` of tch.
    TorchScript,
    /// Pickles, then storages: `torch.save` before 1.6.
    TorchLegacy,
    /// Keras, mostly.
    Hdf5,
    /// No file: tensors made by the program.
    Memory,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::Torch => "torch",
            Self::TorchScript => "TorchScript",
            Self::TorchLegacy => "torch (before 1.6)",
            Self::Hdf5 => "HDF5",
            Self::Memory => "in-memory",
        })
    }
}

pub(crate) trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// A file of known length.
pub(crate) struct Input<'a> {
    path: &'a Path,
    len: u64,
    /// Whether it can be opened again under its path.
    on_disk: bool,
    source: Box<dyn Source + 'a>,
}

impl<'a> Input<'a> {
    pub(crate) fn on_disk(path: &'a Path, len: u64, file: File) -> Self {
        Self {
            path,
            len,
            on_disk: true,
            source: Box::new(BufReader::new(file)),
        }
    }

    pub(crate) fn in_memory(path: &'a Path, bytes: &'a [u8]) -> Self {
        Self {
            path,
            len: bytes.len() as u64,
            on_disk: false,
            source: Box::new(Cursor::new(bytes)),
        }
    }

    fn io<T>(&self, result: io::Result<T>) -> Result<T, WeightsError> {
        result.map_err(WeightsError::io("read", self.path))
    }

    fn seek(&mut self, to: u64) -> Result<(), WeightsError> {
        let sought = self.source.seek(SeekFrom::Start(to)).map(|_| ());
        self.io(sought)
    }

    /// `n` bytes from `at`, which must lie within the file.
    fn bytes(&mut self, at: u64, n: usize) -> Result<Vec<u8>, WeightsError> {
        self.seek(at)?;
        let read = read_known(&mut self.source, n);
        self.io(read)
    }
}

/// What the readers give.
struct Content {
    format: Format,
    tensors: Vec<(String, RawTensor)>,
    skipped: Vec<Skipped>,
}

/// Bytes that tell formats apart.
const HEAD: usize = 64;

pub(crate) fn read(mut input: Input<'_>) -> Result<StateDict, WeightsError> {
    let path = input.path;
    let mut budget = Budget::new(path, input.len);
    let head = input.bytes(0, input.len.min(HEAD as u64) as usize)?;
    input.seek(0)?;
    let content = match kind(&head, input.len) {
        Kind::Zip => torch::read(input, &mut budget)?,
        Kind::Legacy => legacy::read(input, &mut budget)?,
        Kind::Safetensors => safetensors::read(input, &mut budget)?,
        Kind::Hdf5 => hdf5::read(input, &mut budget)?,
        Kind::Other(found, advice) => return Err(WeightsError::unsupported(path, found, advice)),
    };
    if content.tensors.is_empty() {
        return Err(WeightsError::NoTensors {
            path: path.to_owned(),
            skipped: content.skipped.iter().map(ToString::to_string).collect(),
        });
    }
    if let Some(name) = first_repeated(content.tensors.iter().map(|(name, _)| name.as_str())) {
        let at = format!("tensor `{}`", crate::pickle::printable(name));
        return Err(WeightsError::malformed(
            path,
            content.format,
            at,
            "one tensor of each name",
            "two",
        ));
    }
    let mut dict = StateDict::empty(path.to_owned(), content.format, content.skipped);
    for (name, tensor) in content.tensors {
        dict.insert(name.clone(), name, tensor)?;
    }
    Ok(dict)
}

enum Kind {
    Zip,
    Legacy,
    Safetensors,
    Hdf5,
    Other(&'static str, &'static str),
}

fn kind(head: &[u8], len: u64) -> Kind {
    const FETCH: &str = "fetch the file itself";
    const RESAVE: &str =
        "save the weights as safetensors, or with `torch.save(model.state_dict(), path)`";
    let starts = |with: &[u8]| head.starts_with(with);
    let json = head.get(8).is_some_and(|&byte| byte == b'{');
    let header = head
        .first_chunk::<8>()
        .map(|&bytes| u64::from_le_bytes(bytes));
    if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        Kind::Zip
    } else if starts(b"\x89HDF\r\n\x1a\n") {
        Kind::Hdf5
    } else if json && header.is_some_and(|n| n <= len) {
        Kind::Safetensors
    } else if json {
        Kind::Other(
            "a safetensors file that was cut off within its header, or no file of weights",
            FETCH,
        )
    } else if legacy::is_magic(head) {
        Kind::Legacy
    } else if starts(b"\x80") {
        Kind::Other("a pickle, but not one that torch wrote", RESAVE)
    } else if starts(b"version https://git-lfs") {
        Kind::Other("a pointer of Git LFS in place of the weights", FETCH)
    } else if starts(b"<") {
        Kind::Other("a web page or XML, perhaps an error of the server", FETCH)
    } else if head.is_empty() {
        Kind::Other("empty", FETCH)
    } else {
        Kind::Other("no file of weights that is known here", RESAVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_says_what_it_is() {
        for (bytes, part) in [
            (&b""[..], "is empty"),
            (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
            (b"<!DOCTYPE html>", "a web page"),
            (b"\x80\x04\x95\x00", "not one that torch wrote"),
            (b"hello", "no file of weights"),
            (
                b"\xff\xff\x00\x00\x00\x00\x00\x00{\"a\"",
                "cut off within its header",
            ),
        ] {
            let error = StateDict::from_bytes(bytes, "x.bin").unwrap_err();
            assert!(matches!(error, WeightsError::Unsupported { .. }), "{error}");
            let text = error.to_string();
            assert!(
                text.starts_with("`x.bin` is ") && text.contains(part),
                "{text}"
            );
        }
    }
}
