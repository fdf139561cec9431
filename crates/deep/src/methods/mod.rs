//! Methods of the registry that train networks, and the base learner they wrap.

mod bi_tuning;
mod bss;
mod channels;
mod co_tuning;
mod contrast;
mod dann;
mod declare;
mod deep_coral;
mod delta;
mod domains;
mod fine_tune;
mod layer_transfer;
mod learner;
mod lwf;
mod model;
mod old_head;
mod pretrained;
mod recipe;
mod stoch_norm;
mod tuning;

use translearn_core::{LearnerEntry, MethodEntry, Registry, TransferError};

use crate::DeepError;

pub use bi_tuning::BiTuningParams;
pub use bss::{BssParams, spectral_shrinkage};
pub use channels::feature_map_distance;
pub use co_tuning::{CoTuningParams, class_relationship};
pub use contrast::contrast;
pub use dann::DannParams;
pub use deep_coral::{DeepCoralParams, coral_loss};
pub use delta::DeltaParams;
pub use fine_tune::{FineTuneParams, Strategy};
pub use layer_transfer::{CopiedFrom, LayerTransferParams};
pub use learner::{Decay, Moves, NetworkParams};
pub use lwf::LwfParams;
pub use model::NetworkModel;
pub use pretrained::PretrainedParams;
pub use stoch_norm::StochNormParams;

/// The methods and learners over libtorch, to be joined with those of other crates.
///
/// ```
/// let registry = translearn_deep::registry();
/// assert!(registry.learner("network")?.info.images);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn registry() -> Registry {
    Registry::new(
        vec![
            MethodEntry::of::<PretrainedParams>(),
            MethodEntry::of::<FineTuneParams>(),
            MethodEntry::of::<BssParams>(),
            MethodEntry::of::<DeltaParams>(),
            MethodEntry::of::<LwfParams>(),
            MethodEntry::of::<CoTuningParams>(),
            MethodEntry::of::<StochNormParams>(),
            MethodEntry::of::<BiTuningParams>(),
            MethodEntry::of::<LayerTransferParams>(),
            MethodEntry::of::<DannParams>(),
            MethodEntry::of::<DeepCoralParams>(),
        ],
        vec![LearnerEntry::of::<NetworkParams>()],
    )
}

impl From<DeepError> for TransferError {
    fn from(error: DeepError) -> Self {
        match error {
            DeepError::Transfer(error) => error,
            DeepError::OutOfMemory { .. } => Self::OutOfMemory(error.to_string()),
            other => Self::Backend(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_out_of_memory_is_told_from_what_failed() {
        let words = "CUDA out of memory. Tried to allocate 2.00 GiB";
        let error = TransferError::from(DeepError::torch(words).in_batch(32));
        let TransferError::OutOfMemory(message) = error else {
            panic!("{error:?}")
        };
        assert!(message.contains("with batches of 32"), "{message}");
        let other = TransferError::from(DeepError::torch("shapes cannot be multiplied"));
        assert!(matches!(other, TransferError::Backend(_)), "{other:?}");
    }
}
