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
mod network;
mod optim;
mod overrides;
mod pretrained;
pub mod train;

pub use adapters::AdapterSpec;
pub use augment::{Augment, Augmentation, mixup};
pub use cache::{FeatureCache, FeatureKey};
pub use device::{
    CUDA_LIB, CudaStatus, Precision, autocast_bf16, best_device, channels_last, cuda, device,
};
pub use error::DeepError;
pub use extract::Extractor;
pub use freeze::Freeze;
pub use images::Transform;
pub use init::Init;
pub use layers::Sequence;
pub use losses::{knowledge_distillation, one_hot, soft_cross_entropy};
pub use network::{InputShape, Layer, Named, Network, Parameter, Parameters, Pass, Role, Scope};
pub use optim::{Optimizer, OptimizerState};
pub use overrides::Weight;
pub use pretrained::{Pretrained, RANDOM};
