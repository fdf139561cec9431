//! One iteration on the potentials themselves: slow, and safe from overflow for any regularisation.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;
use translearn_core::exponential::exp;

use super::problem::{BLOCK, Potentials, Problem};

/// Updates `f` from `g`, then `g` from `f`.
pub(super) fn iterate(problem: &Problem<'_>, epsilon: f64, potentials: &mut Potentials) {
    let Potentials { f, g } = potentials;
    let weighted = exponents(g, problem.log_b(), epsilon);
    let damping = problem.row_damping(epsilon);
    f.par_iter_mut().enumerate().for_each(|(i, f)| {
        let costs = problem.row(i);
        let (largest, sum) = pulp::Arch::new().dispatch(
            #[inline(always)]
            || sum_of_row(costs, &weighted, 1.0 / epsilon),
        );
        *f = -damping * epsilon * (largest + sum.ln());
    });
    let weighted = exponents(f, problem.log_a(), epsilon);
    let damping = problem.column_damping(epsilon);
    let largest = column_maxima(problem.cost(), &weighted, epsilon);
    let sums = column_sums(problem.cost(), &weighted, &largest, epsilon);
    for (g, (largest, sum)) in g.iter_mut().zip(largest.iter().zip(&sums)) {
        *g = -damping * epsilon * (largest + sum.ln());
    }
}

/// `potential / ε + ln mass`.
fn exponents(potentials: &[f64], log_masses: &[f64], epsilon: f64) -> Vec<f64> {
    let both = potentials.iter().zip(log_masses);
    both.map(|(potential, mass)| potential / epsilon + mass)
        .collect()
}

/// `max_j x_j` and `Σ_j exp(x_j - max)` for `x_j = weighted_j - cost_j / ε`.
#[inline(always)]
fn sum_of_row(costs: &[f64], weighted: &[f64], inverse: f64) -> (f64, f64) {
    const LANES: usize = 16;
    let mut largest = [f64::NEG_INFINITY; LANES];
    for (costs, weighted) in costs.chunks(LANES).zip(weighted.chunks(LANES)) {
        for (largest, (cost, weight)) in largest.iter_mut().zip(costs.iter().zip(weighted)) {
            let x = weight - cost * inverse;
            *largest = if x > *largest { x } else { *largest };
        }
    }
    let largest = largest.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let mut sums = [0.0; LANES];
    let (chunks, weights) = (costs.chunks_exact(LANES), weighted.chunks_exact(LANES));
    let rest = chunks.remainder().iter().zip(weights.remainder());
    let rest: f64 = rest
        .map(|(cost, weight)| exp(weight - cost * inverse - largest))
        .sum();
    for (costs, weighted) in chunks.zip(weights) {
        for lane in 0..LANES {
            sums[lane] += exp(weighted[lane] - costs[lane] * inverse - largest);
        }
    }
    (largest, sums.iter().sum::<f64>() + rest)
}

fn column_maxima(cost: ArrayView2<'_, f64>, weighted: &[f64], epsilon: f64) -> Vec<f64> {
    let inverse = 1.0 / epsilon;
    fold_blocks(cost, f64::NEG_INFINITY, |i, costs, maxima| {
        let weight = weighted[i];
        for (largest, cost) in maxima.iter_mut().zip(costs) {
            let x = weight - cost * inverse;
            *largest = if x > *largest { x } else { *largest };
        }
    })
    .into_iter()
    .reduce(|mut all, block| {
        for (largest, x) in all.iter_mut().zip(block) {
            *largest = largest.max(x);
        }
        all
    })
    .unwrap_or_default()
}

fn column_sums(
    cost: ArrayView2<'_, f64>,
    weighted: &[f64],
    largest: &[f64],
    epsilon: f64,
) -> Vec<f64> {
    let inverse = 1.0 / epsilon;
    fold_blocks(cost, 0.0, |i, costs, sums| {
        let weight = weighted[i];
        for (sum, (cost, largest)) in sums.iter_mut().zip(costs.iter().zip(largest)) {
            *sum += exp(weight - cost * inverse - largest);
        }
    })
    .into_iter()
    .reduce(|mut all, block| {
        for (sum, x) in all.iter_mut().zip(block) {
            *sum += x;
        }
        all
    })
    .unwrap_or_default()
}

/// A row of results per block of rows, in the order of the blocks, which depends on the shape alone.
fn fold_blocks(
    cost: ArrayView2<'_, f64>,
    start: f64,
    add_row: impl Fn(usize, &[f64], &mut [f64]) + Sync,
) -> Vec<Vec<f64>> {
    let blocks = cost.axis_chunks_iter(Axis(0), BLOCK).into_par_iter();
    let fold = |(block, rows): (usize, ArrayView2<'_, f64>)| {
        let mut out = vec![start; cost.ncols()];
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for (i, row) in rows.rows().into_iter().enumerate() {
                    add_row(
                        block * BLOCK + i,
                        row.to_slice().unwrap_or_default(),
                        &mut out,
                    );
                }
            },
        );
        out
    };
    blocks.enumerate().map(fold).collect()
}
