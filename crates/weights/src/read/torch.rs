//! Zip archives of torch: `data.pkl` and a member `data/KEY` for each storage, below a folder of any name. Archives of
//! TorchScript have `constants.pkl` and `code/` beside them, which are not opened.

use std::io::Read;

use zip::ZipArchive;
use zip::result::ZipError;

use super::assemble::assemble;
use super::{Content, Format, Input, Source};
use crate::WeightsError;
use crate::budget::{Budget, read_known, read_up_to};
use crate::pickle::{Context, MAX_PICKLE, Machine, Storage, flatten, printable};

const PICKLE: &str = "data.pkl";

type Archive<'a> = ZipArchive<Box<dyn Source + 'a>>;

pub(super) fn read(input: Input<'_>, budget: &mut Budget<'_>) -> Result<Content, WeightsError> {
    let (path, len) = (input.path, input.len);
    let mut archive = ZipArchive::new(input.source).map_err(|error| {
        WeightsError::malformed(
            path,
            Format::Torch,
            "archive",
            "a complete zip archive",
            error.to_string(),
        )
    })?;
    let Some(folder) = folder(&archive) else {
        return Err(foreign(path, &archive));
    };
    let has = |name: &str| archive.index_for_name(&format!("{folder}{name}")).is_some();
    let format = if has("constants.pkl") {
        Format::TorchScript
    } else {
        Format::Torch
    };
    let mut members = Members {
        folder,
        format,
        len,
        archive: &mut archive,
    };
    if let Some(order) = members.small("byteorder", budget)?
        && order != b"little"
    {
        return Err(WeightsError::unsupported(
            path,
            "a file of a big-endian machine",
            "save the weights as safetensors there",
        ));
    }
    let Some(pickle) = members.small(PICKLE, budget)? else {
        return Err(foreign(path, &archive));
    };
    let context = Context {
        path,
        format,
        place: "data.pkl, byte",
    };
    let mut machine = Machine::new(pickle.as_slice(), context);
    let root = machine.run()?;
    let (entries, skipped) = flatten(&machine, root, budget)?;
    let storages = machine.storages().to_vec();
    drop(machine);
    drop(pickle);
    let tensors = assemble(entries, &storages, budget, |storage| {
        members.storage(storage, path)
    })?;
    Ok(Content {
        format,
        tensors,
        skipped,
    })
}

/// What stands before `data.pkl`: the shortest, should there be several.
fn folder(archive: &Archive<'_>) -> Option<String> {
    archive
        .file_names()
        .filter_map(|name| name.strip_suffix(PICKLE))
        .filter(|folder| folder.is_empty() || folder.ends_with('/'))
        .min_by_key(|folder| folder.len())
        .map(str::to_owned)
}

fn foreign(path: &std::path::Path, archive: &Archive<'_>) -> WeightsError {
    let has = |end: &str| archive.file_names().any(|name| name.ends_with(end));
    let (found, advice) = if has("model.weights.h5") {
        (
            "an archive of Keras 3 (`.keras`)",
            "save with `model.save(\"weights.h5\")`, or unpack its `model.weights.h5`",
        )
    } else if has(".npy") {
        ("an archive of NumPy", "save the arrays as safetensors")
    } else {
        (
            "a zip archive without `data.pkl`",
            "if weights are within, unpack them and name the file",
        )
    };
    WeightsError::unsupported(path, found, advice)
}

struct Members<'m, 'a> {
    folder: String,
    format: Format,
    len: u64,
    archive: &'m mut Archive<'a>,
}

impl Members<'_, '_> {
    fn fail(
        &self,
        path: &std::path::Path,
        name: &str,
        expected: &str,
        found: String,
    ) -> WeightsError {
        let at = format!("`{}`", printable(name));
        WeightsError::malformed(path, self.format, at, expected, found)
    }

    /// A member beside the storages, of limited length; nothing when it is not there.
    fn small(
        &mut self,
        name: &str,
        budget: &mut Budget<'_>,
    ) -> Result<Option<Vec<u8>>, WeightsError> {
        let path = budget.path();
        let found = match self.archive.by_name(&format!("{}{name}", self.folder)) {
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => Err(error.to_string()),
            Ok(mut member) => {
                read_up_to(&mut member, MAX_PICKLE + 1).map_err(|error| error.to_string())
            }
        };
        let bytes =
            found.map_err(|error| self.fail(path, name, "a member that can be read", error))?;
        if bytes.len() as u64 > MAX_PICKLE {
            return Err(WeightsError::TooLarge {
                path: path.to_owned(),
                what: format!("`{name}`"),
                needs: bytes.len() as u64,
                limit: MAX_PICKLE,
                advice: "the file holds more than tensors: save only `model.state_dict()`",
            });
        }
        budget.spend(bytes.len() as u64, || format!("`{name}`"))?;
        Ok(Some(bytes))
    }

    /// The bytes of a storage.
    fn storage(
        &mut self,
        storage: &Storage,
        path: &std::path::Path,
    ) -> Result<Vec<u8>, WeightsError> {
        let name = format!("data/{}", storage.key);
        let needs = storage.bytes().unwrap_or(usize::MAX);
        let found = match self.archive.by_name(&format!("{}{name}", self.folder)) {
            Err(error) => Err(error.to_string()),
            // Reserved only for what the file is large enough for; deflated members grow as they inflate.
            Ok(mut member) if member.size() == needs as u64 => {
                if member.compressed_size() == member.size() && member.size() <= self.len {
                    whole(&mut member, needs)
                } else {
                    inflated(&mut member, needs)
                }
            }
            Ok(member) => Err(format!("{} bytes", member.size())),
        };
        let expected = format!("{needs} bytes, {} {}", storage.len, storage.element.name);
        found.map_err(|error| self.fail(path, &name, &expected, error))
    }
}

/// A member up to its end, where its checksum is compared.
fn whole(member: &mut dyn Read, n: usize) -> Result<Vec<u8>, String> {
    let bytes = read_known(member, n).map_err(|error| error.to_string())?;
    match member.read(&mut [0]) {
        Ok(0) => Ok(bytes),
        Ok(_) => Err("more bytes".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn inflated(member: &mut dyn Read, n: usize) -> Result<Vec<u8>, String> {
    let bytes =
        read_up_to(member, (n as u64).saturating_add(1)).map_err(|error| error.to_string())?;
    if bytes.len() == n {
        Ok(bytes)
    } else {
        Err(format!("{} bytes or more", bytes.len()))
    }
}
