//! Source rows that are matched to the target together.

use std::borrow::Cow;

use ndarray::Array1;
use translearn_core::{
    Features, TransferError, TransferProblem, check_dense_memory,
    kernel::{Kernel, ResolvedKernel},
};

use super::product::kernel_product;
use super::{Bounds, KmmParams, MeanKernel, MeanSolver, QuadraticProgram, frank_wolfe};
use crate::instance::folds::folds;

/// Source rows that are matched to the target by themselves.
pub(super) struct Block<'a> {
    kernel: &'a ResolvedKernel,
    rows: Cow<'a, Features>,
    linear: Array1<f64>,
    bounds: Bounds,
}

impl Block<'_> {
    /// Its quadratic program, with the kernel matrix in memory.
    pub(super) fn program(&self) -> Result<QuadraticProgram, TransferError> {
        let n = self.rows.n_rows();
        let what =
            "the kernel matrix of kmm (`block_size` makes it smaller, `frank-wolfe` needs none)";
        check_dense_memory(what, n, n, 1)?;
        Ok(QuadraticProgram {
            quadratic: self.kernel.gram(&self.rows)?,
            linear: self.linear.clone(),
            bounds: self.bounds,
        })
    }
}

impl KmmParams {
    /// The kernel, its width fixed over both domains.
    pub(super) fn resolved(
        &self,
        problem: &TransferProblem,
        source: &Features,
    ) -> Result<ResolvedKernel, TransferError> {
        let kernel = match self.kernel {
            MeanKernel::Rbf => Kernel::Rbf { gamma: self.gamma },
            MeanKernel::Laplacian => Kernel::Laplacian { gamma: self.gamma },
            MeanKernel::Linear => Kernel::Linear,
        };
        kernel.resolve(&[source, problem.target_features()])
    }

    /// Some source rows, brought before the target.
    pub(super) fn block<'a>(
        &self,
        kernel: &'a ResolvedKernel,
        rows: Cow<'a, Features>,
        problem: &TransferProblem,
    ) -> Result<Block<'a>, TransferError> {
        let target = problem.target_features();
        let n = rows.n_rows() as f64;
        let share = Array1::from_elem(target.n_rows(), n / target.n_rows() as f64);
        let epsilon = self.epsilon.unwrap_or((n.sqrt() - 1.0) / n.sqrt());
        Ok(Block {
            kernel,
            linear: kernel_product(kernel, &rows, target, &share)?,
            rows,
            bounds: Bounds {
                upper: self.bound,
                sum: ((n * (1.0 - epsilon)).max(0.0), n * (1.0 + epsilon)),
            },
        })
    }

    /// The source rows of each block.
    pub(super) fn blocks(&self, source: &Features) -> Vec<Vec<usize>> {
        let n = source.n_rows();
        let n_blocks = n.div_ceil(self.block_size.unwrap_or(n).max(1));
        let mut blocks = vec![Vec::new(); n_blocks];
        for (row, block) in folds(source, |_| 0, n_blocks).into_iter().enumerate() {
            blocks[block].push(row);
        }
        blocks
    }

    /// The weights of a block, the objective, and what the solver has left.
    pub(super) fn solve(
        &self,
        block: &Block<'_>,
    ) -> Result<(Array1<f64>, f64, f64), TransferError> {
        match self.solver {
            MeanSolver::ActiveSet => {
                let solution = block.program()?.solve(self.tolerance.unwrap_or(1e-7))?;
                Ok((solution.weights, solution.objective, solution.violation))
            }
            MeanSolver::FrankWolfe => {
                let product =
                    |v: &Array1<f64>| kernel_product(block.kernel, &block.rows, &block.rows, v);
                let tolerance = self.tolerance.unwrap_or(1e-4);
                let certified = frank_wolfe(product, &block.linear, block.bounds, tolerance)?;
                Ok((certified.weights, certified.objective, certified.gap))
            }
        }
    }
}
