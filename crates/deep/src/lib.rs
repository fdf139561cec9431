#![doc = include_str!("../README.md")]

pub mod backbones;
mod cache;
mod device;
mod error;
mod extract;
mod gaps;
mod images;
mod init;
pub mod layers;
mod load;
mod network;
mod optim;
mod pretrained;

pub use cache::{FeatureCache, FeatureKey};
pub use device::{
    CUDA_LIB, CudaStatus, Precision, autocast_bf16, best_device, channels_last, cuda, device,
    keep_memory,
};
pub use error::DeepError;
pub use extract::Extractor;
pub use images::Transform;
pub use init::Init;
pub use layers::Sequence;
pub use network::{InputShape, Layer, Named, Network, Parameter, Parameters, Pass, Role, Scope};
pub use optim::{Optimizer, OptimizerState};
pub use pretrained::{Pretrained, RANDOM};
