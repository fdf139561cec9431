//! Iterations on scalings of a kernel that has absorbed the potentials.

use ndarray::{Array2, Axis};
use rayon::prelude::*;
use translearn_core::exponential::exp;

use super::problem::{BLOCK, Potentials, Problem};

/// Scalings stay between `1 / LARGEST_SCALING` and this. What the kernel rounds to 0 is below 1e-304, so that even
/// scaled up twice it cannot be seen in a sum, none of which is below `1 / LARGEST_SCALING`.
const LARGEST_SCALING: f64 = 1e50;
/// Exponents that matter are below this: the logarithm of one over the least mass. Those of two masses of 0 may be
/// above and are cut, so that 0 times the entry is 0.
const HIGHEST: f64 = 600.0;
/// Partial sums, for the vector units; always the same ones, so that the order of addition is fixed.
const LANES: usize = 16;
/// Rows that go into the column sums together.
const TOGETHER: usize = 4;

/// `K_ij = exp((f_i + g_j - C_ij) / ε)` with scalings `u` and `v`: the plan is `a_i u_i K_ij v_j b_j`.
pub(super) struct Scaled {
    kernel: Array2<f64>,
    u: Vec<f64>,
    v: Vec<f64>,
    next_u: Vec<f64>,
    /// Sums over the columns, one row for each block of rows.
    partial: Array2<f64>,
}

/// How the scalings of one side follow from sums.
struct Update<'a> {
    damping: f64,
    potentials: &'a [f64],
    epsilon: f64,
}

impl Update<'_> {
    /// `1 / sum` where masses are met exactly; otherwise its power, after what the damping takes from the potential
    /// that the kernel has absorbed.
    #[inline(always)]
    fn scaling(&self, at: usize, sum: f64) -> f64 {
        if self.damping == 1.0 {
            return 1.0 / sum;
        }
        let absorbed = self.potentials[at] / self.epsilon;
        ((self.damping - 1.0) * absorbed - self.damping * sum.ln()).exp()
    }
}

impl Scaled {
    /// Room for a problem of `n x m`.
    pub(super) fn new(n: usize, m: usize) -> Self {
        Self {
            kernel: Array2::zeros((n, m)),
            u: vec![1.0; n],
            v: vec![1.0; m],
            next_u: vec![1.0; n],
            partial: Array2::zeros((n.div_ceil(BLOCK), m)),
        }
    }

    /// Makes the kernel of the potentials, with all scalings 1.
    pub(super) fn fill(&mut self, problem: &Problem<'_>, epsilon: f64, potentials: &Potentials) {
        let inverse = 1.0 / epsilon;
        let Potentials { f, g } = potentials;
        self.kernel
            .axis_iter_mut(Axis(0))
            .into_par_iter()
            .enumerate()
            .for_each(|(i, mut row)| {
                let (costs, f) = (problem.row(i), f[i]);
                let row = row.as_slice_mut().unwrap_or_default();
                pulp::Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        for (entry, (cost, g)) in row.iter_mut().zip(costs.iter().zip(g)) {
                            let exponent = (f + g - cost) * inverse;
                            *entry = exp(if exponent < HIGHEST {
                                exponent
                            } else {
                                HIGHEST
                            });
                        }
                    },
                );
            });
        self.u.fill(1.0);
        self.v.fill(1.0);
    }

    /// One iteration, which reads the kernel once: each block of rows is scaled and goes into the column sums while it
    /// is in the cache. Returns `Σ_i a_i |u_i / u_i' - 1|`, where masses are met exactly the error of the row masses
    /// before the iteration; `None`, with nothing changed, when a scaling leaves its range.
    pub(super) fn iterate(
        &mut self,
        problem: &Problem<'_>,
        epsilon: f64,
        potentials: &Potentials,
    ) -> Option<f64> {
        let weighted: Vec<f64> = self.v.iter().zip(&problem.b).map(|(v, b)| v * b).collect();
        let rows = Update {
            damping: problem.row_damping(epsilon),
            potentials: &potentials.f,
            epsilon,
        };
        self.kernel
            .axis_chunks_iter(Axis(0), BLOCK)
            .into_par_iter()
            .zip(self.next_u.par_chunks_mut(BLOCK))
            .zip(self.partial.axis_iter_mut(Axis(0)))
            .enumerate()
            .for_each(|(block, ((kernel, u), mut sums))| {
                let kernel = kernel.to_slice().unwrap_or_default();
                let sums = sums.as_slice_mut().unwrap_or_default();
                pulp::Arch::new().dispatch(
                    #[inline(always)]
                    || scale_block(kernel, &weighted, block * BLOCK, &rows, &problem.a, u, sums),
                );
            });
        let columns = Update {
            damping: problem.column_damping(epsilon),
            potentials: &potentials.g,
            epsilon,
        };
        let sums = self.partial.sum_axis(Axis(0));
        let v: Vec<f64> = (0..self.v.len())
            .map(|j| columns.scaling(j, sums[j]))
            .collect();
        let in_range = |scaling: &f64| (1.0 / LARGEST_SCALING..=LARGEST_SCALING).contains(scaling);
        if !(self.next_u.iter().all(in_range) && v.iter().all(in_range)) {
            return None;
        }
        let changes = self.u.iter().zip(&self.next_u).zip(&problem.a);
        let error = changes
            .map(|((u, next), a)| a * (u / next - 1.0).abs())
            .sum();
        std::mem::swap(&mut self.u, &mut self.next_u);
        self.v = v;
        Some(error)
    }

    /// Moves the scalings into the potentials; the kernel is that of the potentials before.
    pub(super) fn absorb(&self, epsilon: f64, potentials: &mut Potentials) {
        for (f, u) in potentials.f.iter_mut().zip(&self.u) {
            *f += epsilon * u.ln();
        }
        for (g, v) in potentials.g.iter_mut().zip(&self.v) {
            *g += epsilon * v.ln();
        }
    }

    /// `a_i u_i K_ij v_j b_j`.
    pub(super) fn into_plan(self, problem: &Problem<'_>) -> Array2<f64> {
        let Self {
            mut kernel, u, v, ..
        } = self;
        let weighted: Vec<f64> = v.iter().zip(&problem.b).map(|(v, b)| v * b).collect();
        kernel
            .axis_iter_mut(Axis(0))
            .into_par_iter()
            .enumerate()
            .for_each(|(i, mut row)| {
                let scale = u[i] * problem.a[i];
                for (entry, weight) in row.iter_mut().zip(&weighted) {
                    *entry *= scale * weight;
                }
            });
        kernel
    }
}

#[inline(always)]
fn scale_block(
    kernel: &[f64],
    weighted: &[f64],
    first: usize,
    update: &Update<'_>,
    a: &[f64],
    u: &mut [f64],
    sums: &mut [f64],
) {
    let m = weighted.len();
    sums.fill(0.0);
    let mut start = 0;
    while start < u.len() {
        let together = TOGETHER.min(u.len() - start);
        let mut factors = [0.0; TOGETHER];
        for k in 0..together {
            let i = start + k;
            u[i] = update.scaling(first + i, dot(&kernel[i * m..(i + 1) * m], weighted));
            factors[k] = u[i] * a[first + i];
        }
        if together == TOGETHER {
            let rows = &kernel[start * m..(start + TOGETHER) * m];
            add_rows(sums, rows, factors);
        } else {
            for k in 0..together {
                let row = &kernel[(start + k) * m..(start + k + 1) * m];
                for (sum, entry) in sums.iter_mut().zip(row) {
                    *sum += factors[k] * entry;
                }
            }
        }
        start += together;
    }
}

#[inline(always)]
fn add_rows(sums: &mut [f64], rows: &[f64], factors: [f64; TOGETHER]) {
    let m = sums.len();
    let (first, rest) = rows.split_at(m);
    let (second, rest) = rest.split_at(m);
    let (third, fourth) = rest.split_at(m);
    let [p, q, r, s] = factors;
    let rows = first.iter().zip(second).zip(third).zip(fourth);
    for (sum, (((first, second), third), fourth)) in sums.iter_mut().zip(rows) {
        *sum += (p * first + q * second) + (r * third + s * fourth);
    }
}

#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}
