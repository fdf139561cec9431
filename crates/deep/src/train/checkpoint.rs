//! The state of a training in one file.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};
use tch::{Kind, Tensor};

use crate::DeepError;

/// Counters of a training: with the tensors all that the steps to come depend on. Random numbers need no state: they are
/// derived from the seed and the step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Counters {
    /// Steps taken.
    pub(super) step: u64,
    /// Whether early stopping has ended it.
    pub(super) stopped: bool,
    /// Epochs since the best one.
    pub(super) stale: u64,
    /// Score and epoch (from 1) of the best one.
    pub(super) best: Option<(f64, u64)>,
    /// Sums of the losses over the steps of this epoch, and of all together.
    pub(super) sums: Vec<(String, f64)>,
    pub(super) total: f64,
    /// The epochs that have ended.
    pub(super) history: Vec<Epoch>,
}

/// An epoch of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: u64,
    /// Mean of the weighted sum of the losses over its steps.
    pub loss: f64,
    /// Mean of each loss.
    pub losses: Vec<(String, f64)>,
    /// Metrics on the validation rows after it.
    #[serde(deserialize_with = "or_nan")]
    pub metrics: Vec<(String, f64)>,
}

/// JSON has no number for one that is not finite.
fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, f64)>, D::Error> {
    let numbers = Vec::<(String, Option<f64>)>::deserialize(deserializer)?.into_iter();
    Ok(numbers
        .map(|(name, number)| (name, number.unwrap_or(f64::NAN)))
        .collect())
}

#[derive(Serialize, Deserialize)]
struct Header {
    /// What the training is: a file of another one is refused.
    training: String,
    counters: Counters,
}

/// The name under which the header stands among the tensors.
const HEADER: &str = "training.json";

/// Writes counters and tensors to a file, whole or not at all: killed at any moment, there is the old file or the new one.
pub(super) fn save(
    path: &Path,
    training: &str,
    counters: &Counters,
    tensors: &[(String, Tensor)],
) -> Result<(), DeepError> {
    let io = |action| DeepError::io(action, path);
    let header = Header {
        training: training.to_owned(),
        counters: counters.clone(),
    };
    let text = serde_json::to_vec(&header).map_err(|error| io("written")(error.into()))?;
    let header = (HEADER.to_owned(), Tensor::f_from_slice(&text)?);
    std::fs::create_dir_all(folder_of(path)).map_err(io("made a folder for"))?;
    let on_cpu = tensors
        .iter()
        .map(|(name, tensor)| {
            Ok((
                name.clone(),
                tensor
                    .f_detach()?
                    .f_to_device(tch::Device::Cpu)?
                    .f_contiguous()?,
            ))
        })
        .collect::<Result<Vec<_>, DeepError>>()?;
    let all: Vec<(String, Tensor)> = std::iter::once(header).chain(on_cpu).collect();
    // Always of this name, so that a process that is killed here leaves one such file and not one each time.
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    Tensor::write_safetensors(&all, &partial)?;
    File::open(&partial)
        .and_then(|written| written.sync_all())
        .map_err(io("written"))?;
    std::fs::rename(&partial, path).map_err(io("put in place"))
}

/// Where a file lies; a bare name lies in the current folder.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// What a file holds.
pub(super) type Saved = (Counters, Vec<(String, Tensor)>);

/// Reads what [`save`] wrote; `None` when there is no file.
pub(super) fn load(path: &Path, training: &str) -> Result<Option<Saved>, DeepError> {
    if !path.exists() {
        return Ok(None);
    }
    let refuse = |reason: String| DeepError::Checkpoint {
        path: path.to_owned(),
        reason,
    };
    let mut tensors = Tensor::read_safetensors(path)
        .map_err(|error| refuse(format!("it cannot be read: {error}")))?;
    let at = tensors.iter().position(|(name, _)| name == HEADER);
    let Some(at) = at else {
        return Err(refuse("it holds weights, but no training".to_owned()));
    };
    let (_, header) = tensors.swap_remove(at);
    let bytes = Vec::<u8>::try_from(header.f_to_kind(Kind::Uint8)?.f_flatten(0, -1)?)
        .map_err(|error| refuse(error.to_string()))?;
    let header: Header =
        serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
    if header.training != training {
        return Err(refuse(format!(
            "it belongs to the training {}, this is {training}; name another file, or delete it",
            header.training
        )));
    }
    Ok(Some((header.counters, tensors)))
}

/// Where and how often a training is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The file.
    pub path: PathBuf,
    /// Steps from one time to the next; at the end, when it is stopped, and after epochs that count it is saved anyway.
    pub every: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_survive_and_other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below").join("a.safetensors");
        assert!(load(&path, "a").unwrap().is_none());
        let values = Tensor::from_slice(&[f32::MIN_POSITIVE / 2.0, -0.0, 1.0 + f32::EPSILON]);
        let counters = Counters {
            step: 3,
            best: Some((0.1 + 0.2, 2)),
            history: vec![Epoch {
                epoch: 1,
                loss: 0.5,
                losses: Vec::new(),
                metrics: vec![("auroc".to_owned(), f64::NAN)],
            }],
            ..Counters::default()
        };
        save(
            &path,
            "a",
            &counters,
            &[("x".to_owned(), values.shallow_clone())],
        )
        .unwrap();
        let (found, tensors) = load(&path, "a").unwrap().unwrap();
        // A metric that has no value does not make the file useless.
        assert!(found.history[0].metrics[0].1.is_nan());
        let without = |counters: &Counters| Counters {
            history: Vec::new(),
            ..counters.clone()
        };
        assert_eq!(without(&found), without(&counters));
        let bits = |t: &Tensor| -> Vec<u32> {
            Vec::<f32>::try_from(t)
                .unwrap()
                .iter()
                .map(|v| v.to_bits())
                .collect()
        };
        assert_eq!(
            (tensors[0].0.as_str(), bits(&tensors[0].1)),
            ("x", bits(&values))
        );
        let error = load(&path, "b").unwrap_err().to_string();
        assert!(
            error.contains("belongs to the training a, this is b"),
            "{error}"
        );
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 2]).unwrap();
        assert!(matches!(
            load(&path, "a"),
            Err(DeepError::Checkpoint { .. })
        ));
        Tensor::write_safetensors(&[("x", &values)], &path).unwrap();
        let error = load(&path, "a").unwrap_err().to_string();
        assert!(error.contains("no training"), "{error}");
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
    }
}
