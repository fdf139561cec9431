//! All tensors of a file, by name.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::pickle::printable;
use crate::read::{self, Input};
use crate::{Format, RawTensor, Rules, WeightsError};

/// Named tensors in the order of their file.
#[derive(Debug, Clone, PartialEq)]
pub struct StateDict {
    origin: PathBuf,
    format: Format,
    tensors: IndexMap<String, RawTensor>,
    skipped: Vec<Skipped>,
}

/// An entry of a file that is no tensor, or none of a type that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its name, dotted.
    pub name: String,
    /// What it is, in words.
    pub what: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            f.write_str(&self.what)
        } else {
            write!(f, "`{}` ({})", printable(&self.name), self.what)
        }
    }
}

impl StateDict {
    /// Reads a file of weights. Its first bytes say what it is, not its name.
    ///
    /// | format | what becomes of names |
    /// |---|---|
    /// | safetensors | as they are |
    /// | torch, zip (`.pt`, `.pth`) or before 1.6 (`.th`, `.pth`) | nested dictionaries joined by dots; `state_dict`, `model` or `model_state_dict` stands for the whole when only one of them holds tensors |
    /// | TorchScript archive, as `torch.jit.save` and tch's `VarStore::save` (`.ot`) write | modules joined by dots; tch's `\|` is a dot again |
    /// | Keras `.h5` | `layer.weight` for `layer/weight:0`, in the layout of Keras: see [`crate::keras_to_torch`] |
    ///
    /// The numbers of one storage are in memory at a time beside the tensors made of them.
    ///
    /// # Errors
    /// [`WeightsError::Malformed`] for damaged or truncated files; [`WeightsError::Refused`] for a pickle that names
    /// anything beyond tensors; [`WeightsError::TooLarge`] for sizes that the file's own does not justify;
    /// [`WeightsError::Unsupported`] for other files; [`WeightsError::NoTensors`]; [`WeightsError::Io`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(WeightsError::io("open", path))?;
        let metadata = file.metadata().map_err(WeightsError::io("read", path))?;
        if metadata.is_dir() {
            return Err(WeightsError::unsupported(
                path,
                "a folder",
                "name the file within it",
            ));
        }
        read::read(Input::on_disk(path, metadata.len(), file))
    }

    /// Reads weights that are in memory; `origin` names them in errors.
    ///
    /// # Errors
    /// Those of [`StateDict::read`].
    pub fn from_bytes(bytes: &[u8], origin: impl AsRef<Path>) -> Result<Self, WeightsError> {
        read::read(Input::in_memory(origin.as_ref(), bytes))
    }

    /// Tensors that come from elsewhere.
    ///
    /// ```
    /// use translearn_weights::{RawTensor, StateDict};
    ///
    /// let bias = RawTensor::from_f32(vec![2], &[0.5, -0.5])?;
    /// let weights = StateDict::from_tensors("made here", [("head.bias".to_owned(), bias)])?;
    /// assert_eq!(weights.tensor("head.bias")?.shape(), [2]);
    /// # Ok::<(), translearn_weights::WeightsError>(())
    /// ```
    ///
    /// # Errors
    /// [`WeightsError::SameName`] for two of one name.
    pub fn from_tensors(
        origin: impl Into<PathBuf>,
        tensors: impl IntoIterator<Item = (String, RawTensor)>,
    ) -> Result<Self, WeightsError> {
        let mut made = Self::empty(origin.into(), Format::Memory, Vec::new());
        for (name, tensor) in tensors {
            made.insert(name.clone(), name, tensor)?;
        }
        Ok(made)
    }

    pub(crate) fn empty(origin: PathBuf, format: Format, skipped: Vec<Skipped>) -> Self {
        Self {
            origin,
            format,
            tensors: IndexMap::new(),
            skipped,
        }
    }

    /// Adds a tensor that was called `before`.
    pub(crate) fn insert(
        &mut self,
        name: String,
        before: String,
        tensor: RawTensor,
    ) -> Result<(), WeightsError> {
        if self.tensors.contains_key(&name) {
            return Err(WeightsError::SameName {
                first: name.clone(),
                second: before,
                name,
            });
        }
        self.tensors.insert(name, tensor);
        Ok(())
    }

    /// The file, or what was given as origin.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// How the file was written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How many tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// How many numbers in all tensors together.
    pub fn numbers(&self) -> usize {
        self.tensors.values().map(RawTensor::len).sum()
    }

    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Option<&RawTensor> {
        self.tensors.get(name)
    }

    /// The tensor called `name`.
    ///
    /// # Errors
    /// [`WeightsError::NoSuchTensor`] with the names there are.
    pub fn tensor(&self, name: &str) -> Result<&RawTensor, WeightsError> {
        self.get(name).ok_or_else(|| WeightsError::NoSuchTensor {
            path: self.origin.clone(),
            name: name.to_owned(),
            known: self.names().map(str::to_owned).collect(),
        })
    }

    /// The names, in the order of the file.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Names and tensors, in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &RawTensor)> {
        self.tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// What the file holds beside tensors: an epoch, an optimizer, a tensor of complex numbers, ….
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The same tensors under other names.
    ///
    /// # Errors
    /// [`WeightsError::SameName`] when two would get one name.
    pub fn renamed(self, rules: &Rules) -> Result<Self, WeightsError> {
        self.map(|name, tensor| Ok((rules.apply(name), tensor)))
    }

    /// Without the tensors that `keep` does not want.
    #[must_use]
    pub fn filtered(mut self, mut keep: impl FnMut(&str) -> bool) -> Self {
        self.tensors.retain(|name, _| keep(name));
        self
    }

    pub(crate) fn map(
        self,
        mut change: impl FnMut(&str, RawTensor) -> Result<(String, RawTensor), WeightsError>,
    ) -> Result<Self, WeightsError> {
        let mut changed = Self::empty(self.origin, self.format, self.skipped);
        let mut names: Vec<String> = Vec::with_capacity(self.tensors.len());
        for (before, tensor) in self.tensors {
            let (name, tensor) = change(&before, tensor)?;
            if let Some(place) = changed.tensors.get_index_of(&name) {
                return Err(WeightsError::SameName {
                    name,
                    first: names.swap_remove(place),
                    second: before,
                });
            }
            changed.tensors.insert(name, tensor);
            names.push(before);
        }
        Ok(changed)
    }
}

impl IntoIterator for StateDict {
    type Item = (String, RawTensor);
    type IntoIter = indexmap::map::IntoIter<String, RawTensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.tensors.into_iter()
    }
}

/// The first name that stands twice.
pub(crate) fn first_repeated<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    names.into_iter().find(|&name| !seen.insert(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dict(names: &[&str]) -> StateDict {
        let tensor = |name: &&str| {
            (
                name.to_string(),
                RawTensor::from_f32(vec![], &[0.0]).unwrap(),
            )
        };
        StateDict::from_tensors("here", names.iter().map(tensor)).unwrap()
    }

    #[test]
    fn two_tensors_of_one_name_are_refused_with_both_names() {
        let rules = Rules::strip("module.");
        let error = dict(&["a", "b", "module.b"]).renamed(&rules).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`b` and `module.b` would both be named `b`; change the rules of renaming"
        );
        assert!(
            StateDict::from_tensors("x", dict(&["a"]).into_iter().chain(dict(&["a"]))).is_err()
        );
    }

    #[test]
    fn a_name_that_is_not_there_is_answered_with_those_that_are() {
        let error = dict(&["a", "b"]).tensor("c").unwrap_err();
        assert_eq!(error.to_string(), "`here` has no tensor `c`; it has a, b");
        let left = dict(&["a", "b"]).filtered(|name| name != "a");
        assert_eq!(left.names().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_folder_or_nothing_at_all_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = StateDict::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("a folder"), "{error}");
        let error = StateDict::read(folder.path().join("x.pt")).unwrap_err();
        assert!(
            matches!(error, WeightsError::Io { action: "open", .. }),
            "{error}"
        );
    }
}
