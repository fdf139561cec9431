//! From nested dictionaries to tensors with dotted names.

use std::io::Read;

use super::machine::Machine;
use super::reading::printable;
use super::{Id, Node, TensorRef};
use crate::budget::Budget;
use crate::{Skipped, WeightsError};

/// A tensor with its name.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) tensor: TensorRef,
}

/// What training scripts call the weights within their checkpoint.
const WRAPPERS: [&str; 3] = ["state_dict", "model", "model_state_dict"];

/// The name of a tensor that is the whole file.
const LONE: &str = "tensor";

/// Dictionaries within dictionaries beyond this depth are refused: they may form circles.
const MAX_DEPTH: usize = 32;

/// Memory of a name beside its bytes.
const PER_NAME: u64 = 64;

/// The tensors below `root` in the order of the file, and what else there is.
///
/// While exactly one of the entries `state_dict`, `model` and `model_state_dict` of a dictionary without tensors of its
/// own holds tensors, it stands for the whole.
pub(crate) fn flatten<R: Read>(
    machine: &Machine<'_, R>,
    root: Id,
    budget: &mut Budget<'_>,
) -> Result<(Vec<Entry>, Vec<Skipped>), WeightsError> {
    let mut walk = Walk {
        machine,
        holds: holders(&machine.nodes),
        budget,
        entries: Vec::new(),
        skipped: Vec::new(),
    };
    let weights = walk.unwrap(root)?;
    walk.visit(weights, String::new(), 0)?;
    Ok((walk.entries, walk.skipped))
}

/// For each node, whether a tensor lies below it: from the tensors upwards, each node once, circles or not.
fn holders(nodes: &[Node]) -> Vec<bool> {
    let mut parents: Vec<Vec<u32>> = vec![Vec::new(); nodes.len()];
    let mut found = vec![false; nodes.len()];
    let mut open = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        let id = id as Id;
        let mut child = |of: Id| parents[of as usize].push(id);
        match node {
            Node::Tuple(items) | Node::List(items) => items.iter().copied().for_each(child),
            Node::Dict(pairs) => pairs.iter().for_each(|&(_, value)| child(value)),
            Node::Module(Some(state)) => child(*state),
            Node::Tensor(_) => open.push(id),
            _ => {}
        }
    }
    while let Some(id) = open.pop() {
        if !std::mem::replace(&mut found[id as usize], true) {
            open.extend(&parents[id as usize]);
        }
    }
    found
}

struct Walk<'w, 'm, 'b, R> {
    machine: &'w Machine<'m, R>,
    holds: Vec<bool>,
    budget: &'w mut Budget<'b>,
    entries: Vec<Entry>,
    skipped: Vec<Skipped>,
}

impl<R: Read> Walk<'_, '_, '_, R> {
    fn node(&self, id: Id) -> &Node {
        &self.machine.nodes[id as usize]
    }

    fn unwrap(&mut self, root: Id) -> Result<Id, WeightsError> {
        let mut id = root;
        for _ in 0..MAX_DEPTH {
            let machine = self.machine;
            let Node::Dict(pairs) = &machine.nodes[id as usize] else {
                break;
            };
            if pairs
                .iter()
                .any(|&(_, value)| matches!(self.node(value), Node::Tensor(_)))
            {
                break;
            }
            let wraps = |&&(key, value): &&(Id, Id)| {
                self.holds[value as usize]
                    && matches!(self.node(value), Node::Dict(_))
                    && machine.text(key).is_some_and(|key| WRAPPERS.contains(&key))
            };
            let mut wrappers = pairs.iter().filter(wraps);
            let (Some(&(_, within)), None) = (wrappers.next(), wrappers.next()) else {
                break;
            };
            for &(key, value) in pairs {
                if value != within {
                    let name = self.key(key);
                    self.skip(name, value)?;
                }
            }
            id = within;
        }
        Ok(id)
    }

    fn visit(&mut self, id: Id, name: String, depth: usize) -> Result<(), WeightsError> {
        self.budget.spend(PER_NAME + name.len() as u64, || {
            "the names of the tensors".to_owned()
        })?;
        if let Node::Tensor(tensor) = self.node(id) {
            let tensor = (**tensor).clone();
            if tensor.element.dtype.is_none() {
                return self.skip(name, id);
            }
            let name = if name.is_empty() {
                LONE.to_owned()
            } else {
                name
            };
            self.entries.push(Entry { name, tensor });
            return Ok(());
        }
        if !self.holds[id as usize] {
            return self.skip(name, id);
        }
        if depth >= MAX_DEPTH {
            let found = format!("more below `{}`", printable(&name));
            return Err(self.machine.fail(
                &format!("at most {MAX_DEPTH} dictionaries within each other"),
                found,
            ));
        }
        let machine = self.machine;
        match &machine.nodes[id as usize] {
            Node::Dict(pairs) => {
                for &(key, value) in pairs {
                    let below = join(&name, &self.key(key));
                    self.visit(value, below, depth + 1)?;
                }
            }
            Node::List(items) | Node::Tuple(items) => {
                for (i, &item) in items.iter().enumerate() {
                    self.visit(item, join(&name, &i.to_string()), depth + 1)?;
                }
            }
            // Its flags (`training`, hooks that are none) are no news.
            Node::Module(Some(state)) => match &machine.nodes[*state as usize] {
                Node::Dict(pairs) => {
                    for &(key, value) in pairs {
                        if !matches!(self.node(value), Node::Bool(_) | Node::None) {
                            let below = join(&name, &self.key(key).replace('|', "."));
                            self.visit(value, below, depth + 1)?;
                        }
                    }
                }
                _ => self.visit(*state, name, depth + 1)?,
            },
            _ => self.skip(name, id)?,
        }
        Ok(())
    }

    fn skip(&mut self, name: String, id: Id) -> Result<(), WeightsError> {
        self.budget.spend(PER_NAME + name.len() as u64, || {
            "the names of what is no tensor".to_owned()
        })?;
        let what = self.describe(id);
        self.skipped.push(Skipped { name, what });
        Ok(())
    }

    fn describe(&self, id: Id) -> String {
        let tensors = if self.holds[id as usize] {
            ", with tensors"
        } else {
            ""
        };
        match self.node(id) {
            Node::None => "None".to_owned(),
            Node::Bool(_) => "a boolean".to_owned(),
            Node::Int(n) => format!("the integer {n}"),
            Node::Long(_) => "a large integer".to_owned(),
            Node::Float => "a number".to_owned(),
            Node::Str(_) => "text".to_owned(),
            Node::Bytes => "bytes".to_owned(),
            Node::Tuple(items) | Node::List(items) => format!("a list of {}{tensors}", items.len()),
            Node::Set => "a set".to_owned(),
            Node::Dict(pairs) => format!("a dictionary of {}{tensors}", pairs.len()),
            Node::Global(_) => "a class or type".to_owned(),
            Node::Storage(_) => "a storage without a tensor".to_owned(),
            Node::Tensor(tensor) => format!("a tensor of {}", tensor.element.name),
            Node::Module(_) => format!("a module{tensors}"),
            Node::Opaque(what) => (*what).to_owned(),
        }
    }

    fn key(&self, key: Id) -> String {
        match self.node(key) {
            Node::Str(text) => text.to_string(),
            Node::Int(n) => n.to_string(),
            _ => format!("({})", self.describe(key)),
        }
    }
}

fn join(above: &str, name: &str) -> String {
    if above.is_empty() {
        name.to_owned()
    } else {
        format!("{above}.{name}")
    }
}
