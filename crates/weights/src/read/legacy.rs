//! Files of `torch.save` before 1.6, and with `_use_new_zipfile_serialization=False` since: five pickles (a magic number,
//! the protocol, the machine, the object, the keys of its storages), then each storage as its length and its bytes.

use std::collections::HashMap;
use std::io::BufReader;

use super::assemble::assemble;
use super::{Content, Format, Input};
use crate::WeightsError;
use crate::budget::Budget;
use crate::pickle::{Context, Machine, flatten, printable};

/// The number that the first pickle is, in little-endian order: 0x1950a86a20f9469cfc6c.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

const PROTOCOL: i64 = 1001;

/// Whether a file begins with a pickle of the magic number.
pub(super) fn is_magic(head: &[u8]) -> bool {
    head.first() == Some(&0x80) && head.windows(MAGIC.len()).any(|window| window == MAGIC)
}

pub(super) fn read(mut input: Input<'_>, budget: &mut Budget<'_>) -> Result<Content, WeightsError> {
    let path = input.path;
    let context = Context {
        path,
        format: Format::TorchLegacy,
        place: "byte",
    };
    let mut machine = Machine::new(BufReader::new(&mut input.source), context);
    let magic = machine.run()?;
    if !machine.is_long(magic, &MAGIC) {
        return Err(machine.fail("the magic number of torch", "another value"));
    }
    let protocol = machine.run()?;
    if machine.int(protocol) != Some(PROTOCOL) {
        return Err(machine.fail(&format!("protocol {PROTOCOL}"), "another value"));
    }
    let about = machine.run()?;
    if machine.is_big_endian(about) {
        return Err(WeightsError::unsupported(
            path,
            "a file of a big-endian machine",
            "save the weights as safetensors there",
        ));
    }
    let object = machine.run()?;
    let (entries, skipped) = flatten(&machine, object, budget)?;
    let keys = machine.run()?;
    let keys = match machine.texts(keys) {
        Some(keys) => keys,
        None => return Err(machine.fail("a list of the keys of storages", "another value")),
    };

    let storages = machine.storages().to_vec();
    let mut at = machine.position();
    drop(machine);
    let mut place: HashMap<&str, (u64, usize)> = HashMap::new();
    let by_key: HashMap<&str, _> = storages.iter().map(|s| (&*s.key, s)).collect();
    for key in &keys {
        let fail = |expected: String, found: String| {
            let at = format!("storage {} at byte {at}", printable(key));
            WeightsError::malformed(path, Format::TorchLegacy, at, expected, found)
        };
        let Some(&storage) = by_key.get(&**key) else {
            return Err(fail(
                "a storage that a tensor uses".to_owned(),
                "another key".to_owned(),
            ));
        };
        let expected = || format!("{} {}", storage.len, storage.element.name);
        let left = input.len.saturating_sub(at);
        let bytes = storage
            .bytes()
            .filter(|&n| (n as u64).saturating_add(8) <= left);
        let Some(bytes) = bytes else {
            return Err(fail(
                expected(),
                format!("{left} bytes to the end of the file"),
            ));
        };
        let mut length = [0; 8];
        length.copy_from_slice(&input.bytes(at, 8)?);
        let length = u64::from_le_bytes(length);
        if length != storage.len as u64 {
            return Err(fail(expected(), format!("{length}")));
        }
        place.insert(&storage.key, (at + 8, bytes));
        at += 8 + bytes as u64;
    }
    if let Some(lost) = storages
        .iter()
        .find(|storage| !place.contains_key(&*storage.key))
    {
        let at = format!("storage {}", printable(&lost.key));
        let found = format!("{} others", place.len());
        return Err(WeightsError::malformed(
            path,
            Format::TorchLegacy,
            at,
            "its key in the list of storages",
            found,
        ));
    }
    let tensors = assemble(entries, &storages, budget, |storage| {
        let (at, bytes) = place.get(&*storage.key).copied().unwrap_or_default();
        input.bytes(at, bytes)
    })?;
    Ok(Content {
        format: Format::TorchLegacy,
        tensors,
        skipped,
    })
}
