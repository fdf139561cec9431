//! What can go wrong in deep transfer.

use std::path::{Path, PathBuf};

use tch::{Kind, TchError};
use translearn_assets::AssetError;
use translearn_core::TransferError;
use translearn_weights::WeightsError;

/// Why deep code could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeepError {
    /// The device has not the memory for it.
    #[error(
        "{device} is out of memory{}: {message}; a smaller batch, or the CPU, may serve",
        batch.map_or_else(String::new, |n| format!(" with batches of {n}"))
    )]
    OutOfMemory {
        /// The device.
        device: String,
        /// Rows of a batch, where there are batches.
        batch: Option<usize>,
        /// libtorch's own words.
        message: String,
    },
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(String),
    /// A device that is not there.
    #[error("there is no device `{asked}`: {reason}")]
    NoDevice {
        /// What was asked for.
        asked: String,
        /// Why it is not there, and what is.
        reason: String,
    },
    /// Input of a shape the network does not take.
    #[error("{network} takes {expected}, but the input is {found:?}")]
    InputShape {
        /// The network, or what else takes it.
        network: String,
        /// What it takes, in words.
        expected: String,
        /// The shape that came.
        found: Vec<i64>,
    },
    /// Input of another kind than the network's.
    #[error("{network} takes {expected:?} numbers, but the input is {found:?}")]
    InputKind {
        /// The network.
        network: String,
        /// The kind of its parameters.
        expected: Kind,
        /// The kind that came.
        found: Kind,
    },
    /// A name that stands for nothing.
    #[error("there is no {what} `{name}`{}", hint.as_ref().map_or_else(String::new, |hint| format!("; did you mean `{hint}`?")))]
    Unknown {
        /// What kind of thing was named.
        what: &'static str,
        /// The name.
        name: String,
        /// The nearest name there is.
        hint: Option<String>,
    },
    /// An argument outside its range.
    #[error("`{name}` is {value}, but has to be {range}")]
    InvalidParameter {
        /// The argument.
        name: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        range: String,
    },
    /// A file that could not be read or written.
    #[error("`{}` could not be {action}", path.display())]
    Io {
        /// What was tried: read, written, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// An image with other channels than a network takes.
    #[error(
        "the network takes {expected} channels, but the image has {found}; grey images and RGB are converted, others are not"
    )]
    Channels {
        /// Channels of the network.
        expected: usize,
        /// Channels of the image.
        found: usize,
    },
    /// An image that could not be had.
    #[error("image {index}: {source}")]
    Image {
        /// Its place, from 0.
        index: usize,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file that holds nothing a network can use.
    #[error("the file does not belong to {network}: none of its tensors fits.\n{report}")]
    NothingLoaded {
        /// The network.
        network: String,
        /// What was looked for and what is there.
        report: String,
    },
    /// A file that does not hold the whole of a network.
    #[error("the file holds only a part of {network}.\n{report}")]
    PartlyLoaded {
        /// The network.
        network: String,
        /// What fits and what does not.
        report: String,
    },
    /// Published weights of another network.
    #[error("the weights `{weights}` belong to `{theirs}`, not to `{asked}`")]
    OtherBackbone {
        /// The weights.
        weights: String,
        /// The backbone they belong to.
        theirs: String,
        /// The backbone that was named.
        asked: &'static str,
    },
    /// A network in which there is nothing of the kind that is to be adapted.
    #[error("{network} cannot be adapted: it has no {wanted}")]
    NothingToAdapt {
        /// The network.
        network: String,
        /// What was looked for.
        wanted: &'static str,
    },
    /// A second adapter of the same kind on one layer.
    #[error("there is a tensor `{tensor}` already; a layer takes one adapter of each kind")]
    AdaptedTwice {
        /// The tensor that would be there twice.
        tensor: String,
    },
    /// Prompts behind a layer that gives no tokens.
    #[error(
        "prompts stand among tokens, [n, tokens, width], but the output of `{layer}` is {found:?}"
    )]
    NotTokens {
        /// The layer.
        layer: String,
        /// The shape of its output.
        found: Vec<i64>,
    },
    /// Adapters that change outputs and not weights.
    #[error("`{adapter}` adapters stand behind layers and cannot be merged into weights")]
    NotMergeable {
        /// Their kind.
        adapter: &'static str,
    },
    /// Something that has to wait until the adapters are out of the weights.
    #[error("the adapters are merged into the weights; unmerge them before {before}")]
    Merged {
        /// What is to happen.
        before: &'static str,
    },
    /// What was learned in another adaptation.
    #[error("the file belongs to another adaptation of {network}.\n{report}")]
    OtherAdapter {
        /// The network.
        network: String,
        /// What fits and what does not.
        report: String,
    },
    /// A file of weights that could not be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Features that are not finite.
    #[error(
        "the features of image {index} at `{layer}` are not finite; the weights may not belong to the network"
    )]
    NotFinite {
        /// The image, from 0.
        index: usize,
        /// The layer.
        layer: String,
    },
    /// Examples without labels, where labels are learned from.
    #[error("the batch has no labels, which the loss needs")]
    NoLabels,
    /// Two lists that should be of one length.
    #[error("{left} are {left_len}, but {right} are {right_len}")]
    Lengths {
        /// The first.
        left: &'static str,
        /// Its length.
        left_len: i64,
        /// The second.
        right: &'static str,
        /// Its length.
        right_len: i64,
    },
    /// A training whose numbers are no longer finite. No model was touched by that step.
    #[error(
        "the {loss} is {value} at step {step}; {}; a smaller learning rate, `clip_norm` or a warm-up may help",
        checkpoint.as_ref().map_or_else(
            || "nothing was saved".to_owned(),
            |path| format!("the last good state is in `{}`", path.display())
        )
    )]
    Diverged {
        /// The step, from 1.
        step: u64,
        /// The loss, or `gradient`.
        loss: String,
        /// What it was.
        value: f64,
        /// The last checkpoint.
        checkpoint: Option<PathBuf>,
    },
    /// A checkpoint that cannot be gone on from.
    #[error("the checkpoint `{}` cannot be used: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file that could not be fetched.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// What the classical side refused.
    #[error(transparent)]
    Transfer(#[from] TransferError),
}

impl DeepError {
    /// What the system refused, and at which file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// From libtorch's words, without the C++ stack.
    pub(crate) fn torch(message: &str) -> Self {
        let first = message
            .lines()
            .take_while(|line| !line.starts_with("Exception raised from"))
            .collect::<Vec<_>>()
            .join(" ");
        if first.contains("out of memory") || first.contains("can't allocate memory") {
            let device = if first.contains("CUDA") {
                "the GPU"
            } else {
                "the CPU"
            };
            return Self::OutOfMemory {
                device: device.to_owned(),
                batch: None,
                message: first,
            };
        }
        Self::Torch(first)
    }

    /// Adds how many rows the batch had.
    pub(crate) fn in_batch(self, rows: usize) -> Self {
        match self {
            Self::OutOfMemory {
                device, message, ..
            } => Self::OutOfMemory {
                device,
                batch: Some(rows),
                message,
            },
            other => other,
        }
    }

    /// A name among others that it could have been.
    pub(crate) fn unknown<'a>(
        what: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::Unknown {
            what,
            name: name.to_owned(),
            hint: translearn_core::nearest_name(name, known),
        }
    }
}

impl From<TchError> for DeepError {
    fn from(error: TchError) -> Self {
        match error {
            TchError::Torch(message) => Self::torch(&message),
            other => Self::Torch(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_memory_names_the_batch() {
        let error = DeepError::torch(
            "CUDA out of memory. Tried to allocate 2.00 GiB.\nException raised from malloc at c10\nframe #0",
        )
        .in_batch(512);
        let text = error.to_string();
        assert!(
            text.starts_with("the GPU is out of memory with batches of 512: CUDA out of memory"),
            "{text}"
        );
        assert!(!text.contains("frame"), "{text}");
        assert!(matches!(DeepError::torch("a shape"), DeepError::Torch(t) if t == "a shape"));
    }
}
