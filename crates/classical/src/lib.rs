//! placeholder
pub mod baseline;
pub mod feature;
pub mod instance;
mod registry;

pub use baseline::{PooledParams, SourceOnlyParams, TargetOnlyParams};
pub use feature::{CoralParams, JdaParams, SubspaceAlignmentParams, TcaParams};
pub use registry::{methods, registry};
