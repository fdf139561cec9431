#![doc = include_str!("../README.md")]

mod boosting;
mod class_weight;
mod classes;
mod forest;
mod gaussian_nb;
mod knn;
pub mod lbfgs;
mod linear;
mod linear_svm;
mod linfa_adapter;
mod linfa_border;
mod logistic;
mod ncm;
pub mod registry;
mod resampled;
mod ridge;
mod rows;
mod svm;
mod tree;

pub use boosting::{Boosting, BoostingParams};
pub use class_weight::ClassWeight;
pub use classes::PresentClasses;
pub use forest::{Forest, ForestParams};
pub use gaussian_nb::{GaussianNb, GaussianNbParams};
pub use knn::{Knn, KnnParams};
pub use linear_svm::{LinearSvm, LinearSvmParams};
pub use linfa_adapter::{Linfa, LinfaModel, LinfaTree};
pub use logistic::{Logistic, LogisticParams};
pub use ncm::{Ncm, NcmMetric, NcmParams};
pub use resampled::Resampled;
pub use ridge::{Ridge, RidgeParams};
pub use svm::{Machine, Svm, SvmKernel, SvmParams};
pub use tree::{Criterion, Stump, StumpParams, Tree, TreeNode, TreeParams};
