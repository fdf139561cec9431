#![doc = include_str!("../README.md")]

mod check;
mod class_proportions;
mod cost;
mod emd;
mod gaussian;
mod line;
mod map;
mod partial;
mod plan;
mod regularized;
mod sinkhorn;
mod sliced;

pub use class_proportions::{ClassProportions, ProportionedPlans};
pub use cost::{CostScale, GroundCost, cost_matrix};
pub use emd::{ExactPlan, emd};
pub use gaussian::{Barycentre, Gaussian, GaussianBarycentre, LinearMap};
pub use line::{LinePlan, transport_on_line};
pub use map::{barycentric_map, map_out_of_sample};
pub use partial::{PartialPlan, partial_emd};
pub use plan::SparsePlan;
pub use regularized::{GroupLasso, Laplace, LpL1, LpL1Plan, RegularizedPlan};
pub use sinkhorn::{EntropicPlan, Sinkhorn, Status};
pub use sliced::{random_directions, sliced_wasserstein};
