#![doc = include_str!("../README.md")]

pub mod adapters;
mod augment;
pub mod backbones;
mod cache;
mod device;
mod error;
mod extract;
mod freeze;
mod gaps;
mod images;
mod init;
pub mod layers;
mod load;
mod losses;
pub mod methods;
mod network;
mod optim;
mod overrides;
mod pretrained;
pub mod train;

pub use adapters::AdapterSpec;
pub use augment::{Augment, Augmentation, mixup};
pub use cache::{FeatureCache, FeatureKey};
pub use device::{
    CUDA_LIB, CudaStatus, DEVICE, Precision, autocast_bf16, best_device, channels_last, cuda,
    default_device, device, keep_memory,
};
pub use error::DeepError;
pub use extract::Extractor;
pub use freeze::Freeze;
pub use gaps::reverse_gradient;
pub use images::Transform;
pub use init::Init;
pub use layers::Sequence;
pub use losses::{cross_entropy, knowledge_distillation, one_hot, soft_cross_entropy};
pub use methods::registry;
pub use network::{InputShape, Layer, Named, Network, Parameter, Parameters, Pass, Role, Scope};
pub use optim::{Optimizer, OptimizerState};
pub use overrides::Weight;
pub use pretrained::{Pretrained, RANDOM};
