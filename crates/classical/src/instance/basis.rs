//! The functions that a density ratio is put together from: Gaussians around target rows, and the constant.

use ndarray::{Array2, Axis, s};
use rayon::prelude::*;
use translearn_core::{
    Features, ParamInfo, ParamRange, TransferError, TransferProblem, check_dense_memory,
    distance::squared_distances,
    exponential::exp_scaled,
    kernel::{Kernel, ResolvedKernel},
    seed,
};

/// Number of centres and width, as all methods over this basis have them.
pub(super) const BASIS_PARAMETERS: [ParamInfo; 2] = [
    ParamInfo {
        name: "n_centers",
        default: "100",
        range: ParamRange::Integer {
            low: 1,
            high: u64::MAX,
        },
        doc: "Target rows at which the Gaussians stand; all where there are no more.",
    },
    ParamInfo {
        name: "gamma",
        default: "null",
        range: ParamRange::PositiveOrAuto,
        doc: "Width of the Gaussians; null: chosen on a grid around the median heuristic.",
    },
];

/// The builders of [`BASIS_PARAMETERS`].
macro_rules! basis_builders {
    ($params:ty) => {
        translearn_core::setters!($params {
            /// Sets the number of Gaussians.
            n_centers: usize,
            /// Sets the width of the Gaussians.
            gamma: Some(f64),
        });
    };
}
pub(super) use basis_builders;

/// The grid of widths: the median heuristic times `10^(k/2)` for these `k`. Still narrower Gaussians slip between the
/// rows of the source, so that a ratio of any height costs nothing.
const HALF_DECADES: std::ops::RangeInclusive<i32> = -4..=2;

/// Squared distances of all rows to the centres, from which the functions of any width follow.
#[derive(Debug)]
pub(super) struct Basis {
    /// The distances, and a column of zeros: the constant is the Gaussian of a distance of 0.
    distances: Functions,
    /// The target rows that are centres.
    pub(super) centers: Vec<usize>,
    /// The widths to choose from.
    pub(super) gammas: Vec<f64>,
}

/// The values of the functions, a column each: the Gaussians, then the constant 1.
#[derive(Debug, Clone)]
pub(super) struct Functions {
    /// At the source rows, `n_s x (n_centers + 1)`.
    pub(super) source: Array2<f64>,
    /// At the target rows.
    pub(super) target: Array2<f64>,
}

impl Basis {
    /// Gaussians at `n_centers` target rows drawn by the seed, of the width `gamma` or of all those of the grid.
    pub(super) fn new(
        problem: &TransferProblem,
        n_centers: usize,
        gamma: Option<f64>,
        seed: u64,
    ) -> Result<Self, TransferError> {
        let source = problem.source()?.features;
        let target = problem.target_features();
        let gammas = match gamma {
            Some(gamma) => vec![gamma],
            None => grid(&source, target)?,
        };
        let n_rows = source.n_rows().max(target.n_rows());
        check_dense_memory(
            "the kernel matrix",
            n_rows,
            n_centers.min(target.n_rows()),
            1,
        )?;
        let order = target.rows_by_value();
        let mut drawn = seed::rng(seed::derive(seed, &["centers"])).choose(order.len(), n_centers);
        drawn.sort_unstable();
        let centers: Vec<usize> = drawn.into_iter().map(|place| order[place]).collect();
        let rows = target.select_rows(&centers);
        Ok(Self {
            distances: Functions {
                source: distances_and_zero(&source, &rows)?,
                target: distances_and_zero(target, &rows)?,
            },
            centers,
            gammas,
        })
    }

    /// The functions of one width.
    pub(super) fn functions(&self, gamma: f64) -> Functions {
        self.distances.clone().gaussians(gamma)
    }

    /// As [`functions`](Self::functions), in the memory of the distances.
    pub(super) fn into_functions(self, gamma: f64) -> Functions {
        self.distances.gaussians(gamma)
    }
}

impl Functions {
    fn gaussians(mut self, gamma: f64) -> Self {
        exp_scaled(&mut self.source, -gamma);
        exp_scaled(&mut self.target, -gamma);
        self
    }
}

/// Rows whose distances are found at a time: few enough that they never leave the cache before they are in their place.
const BLOCK: usize = 128;

/// The squared distances of rows to centres, and one more column of zeros.
fn distances_and_zero(rows: &Features, centers: &Features) -> Result<Array2<f64>, TransferError> {
    let k = centers.n_rows();
    let mut distances = Array2::zeros((rows.n_rows(), k + 1));
    distances
        .axis_chunks_iter_mut(Axis(0), BLOCK)
        .into_par_iter()
        .enumerate()
        .try_for_each(|(block, mut distances)| {
            let first = block * BLOCK;
            let some: Vec<usize> = (first..first + distances.nrows()).collect();
            let found = squared_distances(&rows.select_rows(&some), centers)?;
            distances.slice_mut(s![.., ..k]).assign(&found);
            Ok::<(), TransferError>(())
        })?;
    Ok(distances)
}

fn grid(source: &Features, target: &Features) -> Result<Vec<f64>, TransferError> {
    match (Kernel::Rbf { gamma: None }).resolve(&[source, target])? {
        ResolvedKernel::Rbf { gamma } => Ok(HALF_DECADES
            .map(|k| gamma * 10.0_f64.powf(f64::from(k) / 2.0))
            .collect()),
        _ => Ok(Vec::new()),
    }
}
