//! What calls and persistent ids stand for: storages, tensors and dictionaries, all without a call.

use std::collections::hash_map::Entry;
use std::io::Read;

use super::globals::{Global, UNTYPED};
use super::machine::Machine;
use super::{Element, Id, Node, Storage, StorageUse, TensorRef};
use crate::WeightsError;
use crate::tensor::Strided;

/// Torch's own limit on the axes of a tensor.
const MAX_AXES: usize = 64;

/// `_rebuild_from_type_v2` may name another function of its kind, no deeper than this.
const MAX_DEPTH: usize = 4;

impl<R: Read> Machine<'_, R> {
    /// The storage of a persistent id: `("storage", type, key, device, length)` and, in files from before torch 0.4,
    /// which part of it.
    pub(super) fn persistent(&mut self, id: Id) -> Result<Node, WeightsError> {
        let expected = "a storage: its type, name, device and length";
        let Node::Tuple(parts) = &self.nodes[id as usize] else {
            return Err(self.fail(expected, "another persistent id"));
        };
        let &[kind, class, key, _, length, ref rest @ ..] = parts.as_slice() else {
            return Err(self.fail(expected, format!("{} parts", parts.len())));
        };
        let part = rest.first().copied();
        let class = match self.nodes[class as usize] {
            Node::Global(Global::Storage(element)) => Some(element),
            _ => None,
        };
        let length = self.int(length).and_then(|n| usize::try_from(n).ok());
        let (Some("storage"), Some(element), Some(key), Some(len)) =
            (self.text(kind), class, self.text(key), length)
        else {
            return Err(self.fail(expected, "other parts"));
        };
        let key: Box<str> = key.into();
        let offset = match part.map(|part| &self.nodes[part as usize]) {
            None | Some(Node::None) => 0,
            Some(Node::Tuple(view)) => {
                let offset = view.get(1).and_then(|&offset| self.int(offset));
                match offset.and_then(|offset| usize::try_from(offset).ok()) {
                    Some(offset) => offset,
                    None => {
                        return Err(self.fail("where the part of a storage begins", "no number"));
                    }
                }
            }
            Some(_) => return Err(self.fail("which part of a storage", "another value")),
        };
        let index = self.storages.len();
        match self.storage_by_key.entry(key.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(index);
                self.storages.push(Storage { key, element, len });
                Ok(Node::Storage(StorageUse { index, offset }))
            }
            Entry::Occupied(entry) => {
                let index = *entry.get();
                let known = &self.storages[index];
                if known.element == element && known.len == len {
                    return Ok(Node::Storage(StorageUse { index, offset }));
                }
                let expected = format!("storage {key} of {} {}", known.len, known.element.name);
                Err(self.fail(&expected, format!("{len} {}", element.name)))
            }
        }
    }

    /// What calling `callee` with `arguments` gives, without calling anything.
    pub(super) fn reduce(&mut self, callee: Id, arguments: Id) -> Result<Id, WeightsError> {
        self.reduce_within(callee, arguments, 0)
    }

    fn reduce_within(
        &mut self,
        callee: Id,
        arguments: Id,
        depth: usize,
    ) -> Result<Id, WeightsError> {
        let Node::Global(global) = self.nodes[callee as usize] else {
            return Err(self.fail("a class or function that is known", "another value"));
        };
        let Node::Tuple(arguments) = &self.nodes[arguments as usize] else {
            return Err(self.fail("a tuple of arguments", "another value"));
        };
        // Files of a million operations have a million short tuples of arguments.
        let first = arguments.first().copied();
        match global {
            Global::Dict => {
                let pairs = first.map_or(Ok(Vec::new()), |first| self.initial_pairs(first))?;
                self.add(Node::Dict(pairs))
            }
            Global::Set => self.add(Node::Set),
            Global::First => match first {
                Some(first) => Ok(first),
                None => self.add(Node::Tuple(Vec::new())),
            },
            Global::Tensor { with_dtype } => {
                let arguments = arguments.clone();
                let node = self.tensor(&arguments, with_dtype)?;
                self.add(node)
            }
            Global::FromType => match arguments.as_slice() {
                &[function, _, arguments, ..] if depth < MAX_DEPTH => {
                    self.reduce_within(function, arguments, depth + 1)
                }
                _ => Err(self.fail(
                    "function, type and arguments of a tensor",
                    "other arguments",
                )),
            },
            Global::Module => self.add(Node::Module(None)),
            Global::Inert(what) => self.add(Node::Opaque(what)),
            Global::DType(_) => self.add(Node::Opaque("a type")),
            Global::Storage(_) => {
                Err(self.fail("a storage as a persistent id", "a call of its class"))
            }
        }
    }

    /// What a dictionary is made with: another one, or pairs. A class stands for an empty one (`defaultdict(list)`).
    fn initial_pairs(&self, first: Id) -> Result<Vec<(Id, Id)>, WeightsError> {
        match &self.nodes[first as usize] {
            Node::Dict(pairs) if pairs.is_empty() => Ok(Vec::new()),
            Node::Global(_) | Node::None => Ok(Vec::new()),
            Node::List(list) => {
                let pair = |&id: &Id| match &self.nodes[id as usize] {
                    Node::List(pair) | Node::Tuple(pair) => match pair.as_slice() {
                        &[key, value] => Some((key, value)),
                        _ => None,
                    },
                    _ => None,
                };
                let pairs: Option<Vec<_>> = list.iter().map(pair).collect();
                pairs.ok_or_else(|| self.fail("a list of keys and values", "other items"))
            }
            Node::Dict(_) => Ok(Vec::new()),
            _ => Err(self.fail("what a dictionary begins with", "another value")),
        }
    }

    /// `(storage, offset, size, stride, ...)`; the third version has the type at place 6.
    fn tensor(&self, arguments: &[Id], with_dtype: bool) -> Result<Node, WeightsError> {
        let expected = "storage, offset, size and stride of a tensor";
        let &[storage, offset, size, stride, ref rest @ ..] = arguments else {
            return Err(self.fail(expected, format!("{} arguments", arguments.len())));
        };
        let Node::Storage(part) = self.nodes[storage as usize] else {
            return Err(self.fail("a storage", "another value"));
        };
        let of_storage = self.storages[part.index].element;
        let element = match (with_dtype, rest.get(2).map(|&id| &self.nodes[id as usize])) {
            (true, Some(&Node::Global(Global::DType(element)))) => element,
            (true, _) => return Err(self.fail("the type of a tensor", "another value")),
            (false, _) => of_storage,
        };
        if element != of_storage && of_storage != UNTYPED {
            return Err(self.fail(&format!("a storage of {}", element.name), of_storage.name));
        }
        let offset = self.int(offset).and_then(|n| usize::try_from(n).ok());
        let offset = offset.and_then(|n| n.checked_add(part.offset));
        let (Some(offset), Some(shape), Some(strides)) =
            (offset, self.axes(size), self.axes(stride))
        else {
            return Err(self.fail(expected, "numbers that are negative, too large or none"));
        };
        if shape.len() != strides.len() || shape.len() > MAX_AXES {
            let expected = format!("as many strides as axes, at most {MAX_AXES}");
            return Err(self.fail(&expected, format!("{} and {}", strides.len(), shape.len())));
        }
        let view = Strided {
            offset,
            shape,
            strides,
        };
        self.check_inside(&view, element, part.index)?;
        Ok(Node::Tensor(Box::new(TensorRef {
            storage: part.index,
            element,
            view,
        })))
    }

    fn axes(&self, id: Id) -> Option<Vec<usize>> {
        let axis = |&id: &Id| usize::try_from(self.int(id)?).ok();
        match &self.nodes[id as usize] {
            // As a list in archives of TorchScript.
            Node::Tuple(axes) | Node::List(axes) => {
                axes.iter().take(MAX_AXES + 1).map(axis).collect()
            }
            _ => None,
        }
    }

    fn check_inside(
        &self,
        view: &Strided,
        element: Element,
        index: usize,
    ) -> Result<(), WeightsError> {
        let storage = &self.storages[index];
        let needs = view.reach().and_then(|n| n.checked_mul(element.size));
        match (needs, storage.bytes()) {
            (Some(needs), Some(has)) if needs <= has => Ok(()),
            _ => {
                let expected = format!(
                    "a tensor within the {} {} of storage {}",
                    storage.len,
                    storage.element.name,
                    super::reading::printable(&storage.key)
                );
                let found = format!(
                    "shape {:?} with strides {:?} from {}",
                    view.shape, view.strides, view.offset
                );
                Err(self.fail(&expected, found))
            }
        }
    }
}
