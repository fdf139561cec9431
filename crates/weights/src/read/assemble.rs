//! Tensors from storages.

use crate::budget::Budget;
use crate::pickle::{Entry, Storage, printable};
use crate::tensor::bytes_of;
use crate::{RawTensor, WeightsError};

/// The tensors of `entries`, in their order. Each storage is fetched once, in the order of the storages, and given up
/// before the next; one that is nothing but its tensor becomes the tensor without a copy.
pub(super) fn assemble(
    entries: Vec<Entry>,
    storages: &[Storage],
    budget: &mut Budget<'_>,
    mut fetch: impl FnMut(&Storage) -> Result<Vec<u8>, WeightsError>,
) -> Result<Vec<(String, RawTensor)>, WeightsError> {
    for Entry { name, tensor } in &entries {
        let bytes = bytes_of(&tensor.view.shape, tensor.element.size);
        let bytes = bytes.map_or(u64::MAX, |n| n as u64);
        budget.spend(bytes, || format!("tensor `{}`", printable(name)))?;
    }
    let mut users = vec![Vec::new(); storages.len()];
    for (i, Entry { tensor, .. }) in entries.iter().enumerate() {
        users[tensor.storage].push(i);
    }
    let mut made: Vec<Option<RawTensor>> = entries.iter().map(|_| None).collect();
    for (storage, users) in storages.iter().zip(users) {
        let Some((&last, others)) = users.split_last() else {
            continue;
        };
        let mut bytes = fetch(storage)?;
        for &i in others {
            made[i] = cut(&entries[i], &bytes)?;
        }
        let Entry { tensor, .. } = &entries[last];
        let whole = tensor.view.offset == 0 && tensor.view.is_contiguous();
        made[last] = match tensor.element.dtype {
            Some(dtype) if whole => {
                bytes.truncate(bytes_of(&tensor.view.shape, dtype.size()).unwrap_or(0));
                Some(RawTensor::new(dtype, tensor.view.shape.clone(), bytes)?)
            }
            _ => cut(&entries[last], &bytes)?,
        };
    }
    let named = entries.into_iter().zip(made);
    Ok(named
        .filter_map(|(entry, tensor)| Some((entry.name, tensor?)))
        .collect())
}

/// A tensor's own copy of its numbers. Its view has been found to lie within the storage when it was read.
fn cut(entry: &Entry, bytes: &[u8]) -> Result<Option<RawTensor>, WeightsError> {
    let tensor = &entry.tensor;
    let Some(dtype) = tensor.element.dtype else {
        return Ok(None);
    };
    let size = tensor.element.size;
    let n = bytes_of(&tensor.view.shape, size).unwrap_or(0);
    let mut data = Vec::with_capacity(n);
    // The offset of a tensor without numbers is anything.
    if n > 0 && tensor.view.is_contiguous() {
        let start = tensor.view.offset * size;
        data.extend_from_slice(&bytes[start..start + n]);
    } else if n > 0 {
        tensor.view.gather(bytes, size, &mut data);
    }
    RawTensor::new(dtype, tensor.view.shape.clone(), data).map(Some)
}
