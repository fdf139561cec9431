//! The layers networks are made of.
//!
//! A layer holds its tensors and knows how to use them; [`Scope`](crate::Scope) gives it its name. Constructors stand on
//! `Scope`, so that a network reads as the list of its layers.

mod activation;
mod attention;
pub(crate) mod block;
mod conv;
mod linear;
mod norm;
mod pool;
mod sequence;

pub use activation::{Activation, Dropout, StochasticDepth};
pub use attention::SelfAttention;
pub use block::Residual;
pub use conv::{Conv2d, ConvParams};
pub use linear::Linear;
pub use norm::{BatchNorm, LayerNorm};
pub use pool::{Flatten, Pool};
pub use sequence::{Func, Sequence};
