//! Splits of the pooled rows into a source and a target of the same sizes.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use translearn_core::{
    Features, TransferError, check_dense_memory, check_same_features, linalg::matmul, seed,
};

use crate::transferability::middle_ranks;

/// Two samples that are compared, in the order of the values of their rows.
pub(crate) struct Pair {
    pub(crate) source: Features,
    pub(crate) target: Features,
}

impl Pair {
    /// Samples with the same columns and at least two rows each.
    pub(crate) fn new(source: &Features, target: &Features) -> Result<Self, TransferError> {
        check_same_features("the source", source, "the target", target)?;
        for (sample, name) in [(source, "the source"), (target, "the target")] {
            sample.check_vectors(name)?;
            sample.check_finite(name)?;
            if sample.n_rows() < 2 {
                return Err(TransferError::TooFewRows {
                    what: format!("{name}, for a two-sample test,"),
                    rows: sample.n_rows(),
                    needed: 2,
                });
            }
        }
        let ordered = |sample: &Features| sample.select_rows(&sample.rows_by_value());
        Ok(Self {
            source: ordered(source),
            target: ordered(target),
        })
    }

    pub(crate) fn sizes(&self) -> Sizes {
        Sizes {
            source: self.source.n_rows(),
            target: self.target.n_rows(),
        }
    }

    /// The rows of the source, then those of the target.
    pub(crate) fn pooled(&self) -> Result<Features, TransferError> {
        self.source.stack(&self.target)
    }
}

/// Rows of both samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) source: usize,
    pub(crate) target: usize,
}

impl Sizes {
    pub(super) fn total(self) -> usize {
        self.source + self.target
    }

    /// Refuses a matrix over all pairs of rows that exceeds the memory limit.
    pub(crate) fn check_memory(self, what: &str) -> Result<(), TransferError> {
        check_dense_memory(what, self.total(), self.total(), 1)
    }

    /// The rows that stand for the source in one relabelling.
    pub(super) fn relabelled(self, seed: u64, number: usize) -> Vec<usize> {
        let mut rng = seed::rng(seed::derive(seed, &[&number.to_string()]));
        rng.choose(self.total(), self.source)
    }
}

/// `(1 + #{T_b ≥ T}) / (1 + B)`. Sums in another order differ in the last bits; equal splits count as equal, so `scale`
/// says how large the numbers are that were summed.
pub(super) fn p_value(observed: f64, relabelled: &[f64], scale: f64) -> f64 {
    let bound = observed - 1e-12 * scale;
    let as_large = relabelled.iter().filter(|&&value| value >= bound).count();
    (1 + as_large) as f64 / (1 + relabelled.len()) as f64
}

/// The unbiased squared distance between two samples in the space of a kernel, on the samples and on their relabellings.
pub(super) struct Split {
    /// `Σ_{i≠i'} k(s_i, s_i') / (m (m−1)) + Σ_{j≠j'} k(t_j, t_j') / (n (n−1)) − 2 Σ k(s_i, t_j) / (m n)`.
    pub(super) observed: f64,
    pub(super) relabelled: Vec<f64>,
    /// The variance of the pooled rows in that space: the mean of `k(x, x)` less that of `k(x, x')` over other rows.
    pub(super) variance: f64,
    /// The mean of `|k|`.
    pub(super) scale: f64,
}

/// Relabellings that go through a matrix product together.
const TOGETHER: usize = 128;

impl Split {
    /// Of the kernel matrix of the pooled rows, the source's first.
    ///
    /// With `z` the 0-1 vector of the rows that stand for the source, all three sums follow from `zᵀ K z` and `zᵀ K 1`: one
    /// product `K Z` serves every relabelling.
    pub(super) fn new(
        mut kernel: Array2<f64>,
        sizes: Sizes,
        n_permutations: usize,
        seed: u64,
    ) -> Result<Self, TransferError> {
        let n = sizes.total() as f64;
        let own = kernel.diag().sum() / n;
        kernel.diag_mut().fill(0.0);
        let sums = kernel.sum_axis(Axis(1));
        let total = sums.sum();
        let distances = |members: &Array2<f64>| -> Result<Vec<f64>, TransferError> {
            let within = (&matmul(&kernel, members)? * members).sum_axis(Axis(0));
            let touching = sums.dot(members);
            let distance = |(&within, &touching): (&f64, &f64)| {
                let (m, n) = (sizes.source as f64, sizes.target as f64);
                within / (m * (m - 1.0)) + (total - 2.0 * touching + within) / (n * (n - 1.0))
                    - 2.0 * (touching - within) / (m * n)
            };
            Ok(within.iter().zip(&touching).map(distance).collect())
        };
        let mut first = Array2::zeros((sizes.total(), 1));
        first.slice_mut(s![..sizes.source, ..]).fill(1.0);
        let observed = distances(&first)?[0];
        let blocks: Vec<Vec<f64>> = (0..n_permutations.div_ceil(TOGETHER))
            .into_par_iter()
            .map(|block| {
                let numbers = block * TOGETHER..n_permutations.min((block + 1) * TOGETHER);
                let mut members = Array2::zeros((sizes.total(), numbers.len()));
                for (column, number) in numbers.enumerate() {
                    for row in sizes.relabelled(seed, number) {
                        members[[row, column]] = 1.0;
                    }
                }
                distances(&members)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            observed,
            relabelled: blocks.concat(),
            variance: own - total / (n * (n - 1.0)),
            scale: kernel.iter().map(|v| v.abs()).sum::<f64>() / (n * n),
        })
    }

    pub(super) fn p_value(&self) -> f64 {
        p_value(self.observed, &self.relabelled, self.scale)
    }

    /// The share of the variance that lies between the samples: `(m n / N²) · distance / variance`, cut to `[0, 1]`.
    pub(super) fn share_between(&self, sizes: Sizes) -> f64 {
        let n = sizes.total() as f64;
        let between = sizes.source as f64 * sizes.target as f64 / (n * n) * self.observed;
        if self.variance > 0.0 {
            (between / self.variance).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

/// What `statistic` is on the samples and on relabellings of the pooled rows.
pub(super) fn relabel(
    pooled: ArrayView2<'_, f64>,
    sizes: Sizes,
    n_permutations: usize,
    seed: u64,
    statistic: impl Fn(&Array2<f64>, &Array2<f64>) -> Result<f64, TransferError> + Sync,
) -> Result<(f64, Vec<f64>), TransferError> {
    let of = |source: &[usize]| {
        let mut taken = Array1::from_elem(sizes.total(), false);
        source.iter().for_each(|&row| taken[row] = true);
        let target: Vec<usize> = (0..sizes.total()).filter(|&row| !taken[row]).collect();
        let mut source = source.to_vec();
        source.sort_unstable();
        statistic(
            &pooled.select(Axis(0), &source),
            &pooled.select(Axis(0), &target),
        )
    };
    let observed = of(&(0..sizes.source).collect::<Vec<_>>())?;
    let relabelled = (0..n_permutations)
        .into_par_iter()
        .map(|number| of(&sizes.relabelled(seed, number)))
        .collect::<Result<_, _>>()?;
    Ok((observed, relabelled))
}

/// The area under the curve of scores of the rows, the source's first: how often one of the target is above one of the
/// source, ties half; and how likely an area at least as large is.
pub(super) fn area_test(
    scores: &[f64],
    sizes: Sizes,
    n_permutations: usize,
    seed: u64,
) -> (f64, f64) {
    let ranks = middle_ranks(scores);
    let area = |source: &mut dyn Iterator<Item = usize>| {
        let (m, n) = (sizes.source as f64, sizes.target as f64);
        // Of the sum of all ranks, what the source leaves to the target.
        let total = (m + n) * (m + n + 1.0) / 2.0;
        let of_target = total - source.map(|row| ranks[row]).sum::<f64>();
        (of_target - n * (n + 1.0) / 2.0) / (m * n)
    };
    let observed = area(&mut (0..sizes.source));
    let relabelled: Vec<f64> = (0..n_permutations)
        .map(|number| area(&mut sizes.relabelled(seed, number).into_iter()))
        .collect();
    (observed, p_value(observed, &relabelled, 1.0))
}
