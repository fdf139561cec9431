//! The stack machine: operations in, nodes out.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use super::globals;
use super::reading::printable;
use super::{Id, Node, Storage};
use crate::{Format, WeightsError};

/// The longest pickle that is read. Names and shapes of 100 000 tensors take less.
pub(crate) const MAX_PICKLE: u64 = 32 << 20;

/// Nodes, remembered nodes and places on the stack, each.
const MAX_NODES: usize = 1 << 22;

/// Where a pickle stands.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) path: &'a Path,
    pub(crate) format: Format,
    /// What the positions in errors count from: `byte` of the file, or `data.pkl, byte`.
    pub(crate) place: &'static str,
}

/// Reads pickles, one after the other, from `input`.
pub(crate) struct Machine<'a, R> {
    pub(super) input: R,
    /// Bytes read of the file.
    pub(super) at: u64,
    /// Where the pickle has to end.
    pub(super) end: u64,
    pub(super) context: Context<'a>,
    pub(super) nodes: Vec<Node>,
    pub(super) storages: Vec<Storage>,
    pub(super) storage_by_key: HashMap<Box<str>, usize>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

type Done = Result<(), WeightsError>;

impl<'a, R: Read> Machine<'a, R> {
    pub(crate) fn new(input: R, context: Context<'a>) -> Self {
        Self {
            input,
            at: 0,
            end: 0,
            context,
            nodes: Vec::new(),
            storages: Vec::new(),
            storage_by_key: HashMap::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        }
    }

    /// Bytes read so far.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }

    /// Reads one pickle up to its end; what it stands for. Nodes of earlier ones are forgotten.
    pub(crate) fn run(&mut self) -> Result<Id, WeightsError> {
        self.nodes.clear();
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        self.end = self.at.saturating_add(MAX_PICKLE);
        loop {
            let start = self.at;
            let [operation] = self.take("an operation")?;
            if operation == b'.' {
                let result = self.pop()?;
                return if self.stack.is_empty() && self.marks.is_empty() {
                    Ok(result)
                } else {
                    Err(self.fail("one value at the end", format!("{} more", self.stack.len())))
                };
            }
            self.step(operation, start)?;
        }
    }

    fn step(&mut self, operation: u8, start: u64) -> Done {
        match operation {
            // PROTO
            0x80 => match self.take("a protocol")? {
                [2..=5] => Ok(()),
                [other] => Err(self.fail("protocol 2 to 5", other.to_string())),
            },
            // FRAME: a length that only helps to read ahead.
            0x95 => self.take::<8>("a length").map(|_| ()),
            b'(' => {
                self.check_room(self.marks.len())?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                    return Ok(());
                }
                self.pop().map(|_| ())
            }
            b'1' => self.pop_mark().map(|_| ()),
            b'2' => {
                let top = self.top()?;
                self.push_id(top)
            }
            b'N' => self.push(Node::None),
            0x88 | 0x89 => self.push(Node::Bool(operation == 0x88)),
            b'K' => {
                let [n] = self.take("an integer")?;
                self.push(Node::Int(n.into()))
            }
            b'M' => {
                let n = u16::from_le_bytes(self.take("an integer")?);
                self.push(Node::Int(n.into()))
            }
            b'J' => {
                let n = i32::from_le_bytes(self.take("an integer")?);
                self.push(Node::Int(n.into()))
            }
            // LONG1, LONG4
            0x8a => {
                let [n] = self.take("a length")?;
                self.long(n.into())
            }
            0x8b => {
                let n = u32::from_le_bytes(self.take("a length")?);
                self.long(n.into())
            }
            // INT and LONG as text: Python 2 wrote integers of 64 bits so.
            b'I' | b'L' => {
                let line = self.line()?;
                let digits = line.trim_end_matches('L');
                match digits.parse() {
                    Ok(n) => self.push(Node::Int(n)),
                    Err(_) => Err(self.fail("an integer of 64 bits", format!("{digits:?}"))),
                }
            }
            b'F' => {
                self.line()?;
                self.push(Node::Float)
            }
            b'G' => {
                self.take::<8>("a number")?;
                self.push(Node::Float)
            }
            // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
            b'X' | 0x8c | 0x8d => {
                let n = self.length(match operation {
                    b'X' => 4,
                    0x8c => 1,
                    _ => 8,
                })?;
                let bytes = self.bytes(n)?;
                match String::from_utf8(bytes) {
                    Ok(text) => self.push(Node::Str(text.into())),
                    Err(_) => Err(self.fail("text in UTF-8", "other bytes")),
                }
            }
            // BINSTRING, SHORT_BINSTRING: what Python 2 called a string.
            b'T' | b'U' => {
                let n = self.length(if operation == b'T' { 4 } else { 1 })?;
                let text = match String::from_utf8(self.bytes(n)?) {
                    Ok(text) => text,
                    Err(error) => error
                        .as_bytes()
                        .iter()
                        .map(|&byte| char::from(byte))
                        .collect(),
                };
                self.push(Node::Str(text.into()))
            }
            // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
            b'B' | b'C' | 0x8e | 0x96 => {
                let n = self.length(match operation {
                    b'B' => 4,
                    b'C' => 1,
                    _ => 8,
                })?;
                self.bytes(n)?;
                self.push(Node::Bytes)
            }
            b')' => self.push(Node::Tuple(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b']' => self.push(Node::List(Vec::new())),
            // EMPTY_SET, FROZENSET; ADDITEMS
            0x8f => self.push(Node::Set),
            0x91 => {
                self.pop_mark()?;
                self.push(Node::Set)
            }
            0x90 => {
                self.pop_mark()?;
                match self.nodes[self.top()? as usize] {
                    Node::Set => Ok(()),
                    _ => Err(self.fail("a set to add to", "another value")),
                }
            }
            b't' => {
                let items = self.pop_mark()?;
                self.push(Node::Tuple(items))
            }
            0x85..=0x87 => {
                let n = usize::from(operation - 0x84);
                let items = self.pop_many(n)?;
                self.push(Node::Tuple(items))
            }
            b'l' => {
                let items = self.pop_mark()?;
                self.push(Node::List(items))
            }
            b'd' => {
                let items = self.pop_mark()?;
                let pairs = self.pairs(&items)?;
                self.push(Node::Dict(pairs))
            }
            // APPEND, APPENDS, SETITEM, SETITEMS
            b'a' | b'e' => {
                let items = if operation == b'a' {
                    self.pop_many(1)?
                } else {
                    self.pop_mark()?
                };
                let top = self.top()?;
                match &mut self.nodes[top as usize] {
                    Node::List(list) => list.extend(items),
                    Node::Opaque(_) => {}
                    _ => return Err(self.fail("a list to append to", "another value")),
                }
                Ok(())
            }
            b's' | b'u' => {
                let items = if operation == b's' {
                    self.pop_many(2)?
                } else {
                    self.pop_mark()?
                };
                let pairs = self.pairs(&items)?;
                let top = self.top()?;
                match &mut self.nodes[top as usize] {
                    Node::Dict(dict) => dict.extend(pairs),
                    Node::Opaque(_) => {}
                    _ => return Err(self.fail("a dictionary to set in", "another value")),
                }
                Ok(())
            }
            // PUT as number of 1 and 4 bytes, MEMOIZE; GET.
            b'q' => {
                let [n] = self.take("a number")?;
                self.remember(n.into())
            }
            b'r' => {
                let n = u32::from_le_bytes(self.take("a number")?);
                self.remember(n)
            }
            0x94 => self.remember(self.memo.len() as u32),
            b'h' => {
                let [n] = self.take("a number")?;
                self.recall(n.into())
            }
            b'j' => {
                let n = u32::from_le_bytes(self.take("a number")?);
                self.recall(n)
            }
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.global(&module, &name)
            }
            // STACK_GLOBAL
            0x93 => {
                let parts = self.pop_many(2)?;
                match (
                    &self.nodes[parts[0] as usize],
                    &self.nodes[parts[1] as usize],
                ) {
                    (Node::Str(module), Node::Str(name)) => {
                        let (module, name) = (module.clone(), name.clone());
                        self.global(&module, &name)
                    }
                    _ => Err(self.fail("module and name of a global", "other values")),
                }
            }
            b'Q' => {
                let id = self.pop()?;
                let node = self.persistent(id)?;
                self.push(node)
            }
            // PERSID: as text, which no file of tensors has.
            b'P' => {
                let id = self.line()?;
                Err(self.fail("the parts of a storage", format!("{id:?}")))
            }
            // REDUCE, NEWOBJ, NEWOBJ_EX
            b'R' | 0x81 | 0x92 => {
                let parts = self.pop_many(if operation == 0x92 { 3 } else { 2 })?;
                let result = self.reduce(parts[0], parts[1])?;
                self.push_id(result)
            }
            b'b' => {
                let parts = self.pop_many(2)?;
                // What holds tensors is set only here; the attributes of other things are not looked at.
                if let Node::Module(state @ None) = &mut self.nodes[parts[0] as usize] {
                    *state = Some(parts[1]);
                }
                self.push_id(parts[0])
            }
            other => {
                self.at = start;
                Err(self.fail("an operation of protocol 2 to 5", format!("{other:#04x}")))
            }
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Done {
        let torchscript = self.context.format == Format::TorchScript;
        match globals::resolve(module, name, torchscript) {
            Some(global) => self.push(Node::Global(global)),
            None => Err(WeightsError::Refused {
                path: self.context.path.to_owned(),
                global: printable(&format!("{module}.{name}")),
            }),
        }
    }

    fn long(&mut self, n: u64) -> Done {
        let bytes = self.bytes(n)?;
        if bytes.len() > 8 {
            return self.push(Node::Long(bytes.into()));
        }
        let sign = bytes
            .last()
            .map_or(0, |&last| if last < 0x80 { 0 } else { 0xff });
        let mut whole = [sign; 8];
        whole[..bytes.len()].copy_from_slice(&bytes);
        self.push(Node::Int(i64::from_le_bytes(whole)))
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>, WeightsError> {
        let (pairs, rest) = items.as_chunks::<2>();
        if rest.is_empty() {
            Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
        } else {
            Err(self.fail("as many keys as values", format!("{} items", items.len())))
        }
    }

    pub(super) fn add(&mut self, node: Node) -> Result<Id, WeightsError> {
        self.check_room(self.nodes.len())?;
        self.nodes.push(node);
        Ok((self.nodes.len() - 1) as Id)
    }

    fn push(&mut self, node: Node) -> Done {
        let id = self.add(node)?;
        self.push_id(id)
    }

    fn push_id(&mut self, id: Id) -> Done {
        self.check_room(self.stack.len())?;
        self.stack.push(id);
        Ok(())
    }

    fn check_room(&self, n: usize) -> Done {
        if n < MAX_NODES {
            return Ok(());
        }
        Err(WeightsError::TooLarge {
            path: self.context.path.to_owned(),
            what: format!("the pickle, more than {MAX_NODES} values,"),
            needs: (n as u64).saturating_mul(size_of::<Node>() as u64),
            limit: (MAX_NODES * size_of::<Node>()) as u64,
            advice: "if the file is genuine, save only the tensors, best as safetensors",
        })
    }

    fn top(&self) -> Result<Id, WeightsError> {
        match self.stack.last() {
            Some(&id) if self.stack.len() > self.floor() => Ok(id),
            _ => Err(self.fail("a value on the stack", "none")),
        }
    }

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, WeightsError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_many(&mut self, n: usize) -> Result<Vec<Id>, WeightsError> {
        match self.stack.len().checked_sub(n) {
            Some(rest) if rest >= self.floor() => Ok(self.stack.split_off(rest)),
            _ => Err(self.fail(&format!("{n} values on the stack"), "fewer")),
        }
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, WeightsError> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => Err(self.fail("a mark on the stack", "none")),
        }
    }

    fn remember(&mut self, number: u32) -> Done {
        let top = self.top()?;
        self.check_room(self.memo.len())?;
        self.memo.insert(number, top);
        Ok(())
    }

    fn recall(&mut self, number: u32) -> Done {
        match self.memo.get(&number) {
            Some(&id) => self.push_id(id),
            None => Err(self.fail("a value remembered before", format!("number {number}"))),
        }
    }
}
