//! Writing safetensors.

use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::{StateDict, WeightsError};

impl StateDict {
    /// The tensors as a safetensors file: a header with type, shape and place of each, padded to eight bytes, then the
    /// numbers in the order of the tensors.
    ///
    /// ```
    /// use translearn_weights::{RawTensor, StateDict};
    ///
    /// let bias = RawTensor::from_f32(vec![2], &[0.5, -0.5])?;
    /// let weights = StateDict::from_tensors("made here", [("head.bias".to_owned(), bias)])?;
    /// let read = StateDict::from_bytes(&weights.to_safetensors(), "the same")?;
    /// assert_eq!(read.tensor("head.bias")?, weights.tensor("head.bias")?);
    /// # Ok::<(), translearn_weights::WeightsError>(())
    /// ```
    pub fn to_safetensors(&self) -> Vec<u8> {
        let mut entries = Map::new();
        let mut end = 0;
        for (name, tensor) in self.iter() {
            let begin = end;
            end += tensor.data().len();
            let entry = json!({
                "dtype": tensor.dtype().name(),
                "shape": tensor.shape(),
                "data_offsets": [begin, end],
            });
            entries.insert(name.to_owned(), entry);
        }
        let mut header = Value::Object(entries).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut file = Vec::with_capacity(8 + header.len() + end);
        file.extend((header.len() as u64).to_le_bytes());
        file.extend(header);
        for (_, tensor) in self.iter() {
            file.extend(tensor.data());
        }
        file
    }

    /// Writes the tensors to a safetensors file, whole or not at all.
    ///
    /// # Errors
    /// [`WeightsError::Io`].
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), WeightsError> {
        let path = path.as_ref();
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut file =
            tempfile::NamedTempFile::new_in(folder).map_err(WeightsError::io("create", path))?;
        file.write_all(&self.to_safetensors())
            .and_then(|()| file.as_file().sync_all())
            .map_err(WeightsError::io("write", path))?;
        file.persist(path)
            .map_err(|error| WeightsError::io("put in place", path)(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, RawTensor};

    #[test]
    fn what_is_written_is_read_again_and_stands_as_the_format_says() {
        let tensors = [
            (
                "a.weight",
                RawTensor::new(DType::F16, vec![1, 3], vec![1, 2, 3, 4, 5, 6]).unwrap(),
            ),
            (
                "none",
                RawTensor::new(DType::I64, vec![0], Vec::new()).unwrap(),
            ),
            (
                "é \"quoted\"",
                RawTensor::from_f32(vec![], &[f32::NAN]).unwrap(),
            ),
        ];
        let named = tensors.map(|(name, tensor)| (name.to_owned(), tensor));
        let weights = StateDict::from_tensors("x", named).unwrap();
        let bytes = weights.to_safetensors();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        assert_eq!((header % 8, bytes.len()), (0, 8 + header + 10));
        assert_eq!(bytes[8 + header..8 + header + 6], [1, 2, 3, 4, 5, 6]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        weights.write(&path).unwrap();
        let read = StateDict::read(&path).unwrap();
        assert!(read.iter().eq(weights.iter()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(weights.write(folder.path().join("absent/w")).is_err());
    }
}
