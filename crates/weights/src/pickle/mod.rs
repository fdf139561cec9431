//! Pickles of tensors, read as data.
//!
//! A pickle is a program for a small stack machine that may name any class or function of Python and have it called. The
//! machine here knows the operations that torch's files consist of, calls nothing, and knows the few names that stand for
//! tensors and their parts; another name ends the reading with [`WeightsError::Refused`](crate::WeightsError::Refused).
//!
//! What it builds lies in one list of nodes that point at each other by number, so that neither depth nor circles matter
//! to it, and takes memory in proportion to the operations read.

mod flatten;
mod globals;
mod machine;
mod reading;
mod rebuild;

pub(crate) use flatten::{Entry, flatten};
pub(crate) use machine::{Context, MAX_PICKLE, Machine};
pub(crate) use reading::printable;

use crate::DType;
use crate::tensor::Strided;
use globals::Global;

/// A node's number.
type Id = u32;

/// What operations build.
#[derive(Debug)]
enum Node {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 8 bytes, in two's complement.
    Long(Box<[u8]>),
    Float,
    Str(Box<str>),
    Bytes,
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Set,
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// A persistent id: bytes that stand elsewhere in the file.
    Storage(StorageUse),
    Tensor(Box<TensorRef>),
    /// A module of TorchScript, with its attributes once they are set.
    Module(Option<Id>),
    /// Something that is known and not a tensor.
    Opaque(&'static str),
}

/// A type of numbers as torch names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: &'static str,
    pub(crate) size: usize,
    /// Nothing for types that are not read: complex, quantized, ….
    pub(crate) dtype: Option<DType>,
}

/// A storage that a pickle names.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    /// Its name in the file.
    pub(crate) key: Box<str>,
    pub(crate) element: Element,
    /// How many elements.
    pub(crate) len: usize,
}

impl Storage {
    /// Its length; nothing on overflow.
    pub(crate) fn bytes(&self) -> Option<usize> {
        self.len.checked_mul(self.element.size)
    }
}

/// A storage, or a part of one, as a tensor names it.
#[derive(Debug, Clone, Copy)]
struct StorageUse {
    /// Position in the list of storages.
    index: usize,
    /// Elements before the part: only in files from before torch 0.4.
    offset: usize,
}

/// A tensor before its numbers are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TensorRef {
    /// Position in the list of storages.
    pub(crate) storage: usize,
    pub(crate) element: Element,
    pub(crate) view: Strided,
}
