//! Sequential minimal optimisation on one two-class problem, step by step as libsvm does it.
//!
//! An asymmetric or indefinite "kernel" matrix has no objective that the iteration minimises, so its result is what the
//! iteration makes of it: the order of working sets, the rounding of the matrix to single precision, shrinking and which
//! of `Q[i][j]` and `Q[j][i]` is read where are therefore libsvm's (Fan, Chen and Lin, JMLR 6, 2005, 1889-1918; Chang
//! and Lin, ACM TIST 2(3), 2011, §4, doi:10.1145/1961189.1961199). On a proper kernel only the optimum matters.

use ndarray::ArrayView2;
use translearn_core::TransferError;

/// Stands for a quadratic coefficient that is not positive.
const TAU: f64 = 1e-12;
/// Passes between two attempts at shrinking, or the number of rows if that is less.
const SHRINK_INTERVAL: usize = 1000;
/// Least number of iterations before giving up.
const MAX_ITERATIONS: usize = 10_000_000;

/// `min ½ α'Qα - Σ α` subject to `Σ sign α = 0` and `0 ≤ α ≤ cost`, with `Q[i][j] = sign sign kernel(row i, row j)`.
pub(super) struct Smo<'a> {
    kernel: ArrayView2<'a, f64>,
    tolerance: f64,
    // What follows is in the current order of the variables: shrinking moves those left out behind the active ones.
    /// Where a variable stood at the beginning.
    origin: Vec<usize>,
    rows: Vec<usize>,
    signs: Vec<f64>,
    costs: Vec<f64>,
    alpha: Vec<f64>,
    /// `Qα - 1`; up to date for the active variables only.
    gradient: Vec<f64>,
    /// `Σ cost_j Q_j` over the variables at their cost.
    gradient_of_bound: Vec<f64>,
    diagonal: Vec<f64>,
    /// Rows of `Q`, empty until one is needed.
    q: Vec<Vec<f32>>,
    n_active: usize,
    /// Whether all variables were made active again shortly before the end, which is done once.
    unshrunk: bool,
}

pub(super) struct Solved {
    /// In the order the rows were given.
    pub(super) alpha: Vec<f64>,
    /// Decision values are `Σ sign α kernel - rho`.
    pub(super) rho: f64,
    /// By how much the optimality conditions are violated: at most the tolerance.
    pub(super) violation: f64,
}

/// A working set, or how far the optimality conditions are violated when that is within the tolerance.
enum Selected {
    Pair(usize, usize),
    Optimal { violation: f64 },
}

impl<'a> Smo<'a> {
    /// A problem over some `rows` (and columns) of a kernel matrix; `costs` are positive.
    pub(super) fn new(
        kernel: ArrayView2<'a, f64>,
        rows: Vec<usize>,
        signs: Vec<f64>,
        costs: Vec<f64>,
        tolerance: f64,
    ) -> Self {
        let n = rows.len();
        Self {
            diagonal: rows.iter().map(|&row| kernel[[row, row]]).collect(),
            kernel,
            tolerance,
            origin: (0..n).collect(),
            rows,
            signs,
            costs,
            alpha: vec![0.0; n],
            gradient: vec![-1.0; n],
            gradient_of_bound: vec![0.0; n],
            q: vec![vec![]; n],
            n_active: n,
            unshrunk: false,
        }
    }

    pub(super) fn solve(mut self) -> Result<Solved, TransferError> {
        let n = self.rows.len();
        let interval = n.min(SHRINK_INTERVAL);
        let mut until_shrinking = interval + 1;
        let max_iterations = MAX_ITERATIONS.max(n.saturating_mul(100));
        for _ in 0..max_iterations {
            until_shrinking -= 1;
            if until_shrinking == 0 {
                until_shrinking = interval;
                self.shrink();
            }
            let (i, j) = match self.select() {
                Selected::Pair(i, j) => (i, j),
                Selected::Optimal { .. } => {
                    // Optimal for the active variables; look at all.
                    self.unshrink();
                    match self.select() {
                        Selected::Optimal { violation } => return Ok(self.solved(violation)),
                        Selected::Pair(i, j) => {
                            until_shrinking = 1;
                            (i, j)
                        }
                    }
                }
            };
            self.step(i, j);
        }
        self.unshrink();
        let (up, low) = self.extremes();
        Err(TransferError::NotConverged {
            what: "SVM (scale the features, lower c or raise the tolerance; an indefinite kernel may never converge)"
                .to_owned(),
            iterations: max_iterations,
            residual: up + low,
            tolerance: self.tolerance,
        })
    }

    fn at_cost(&self, i: usize) -> bool {
        self.alpha[i] >= self.costs[i]
    }

    fn at_zero(&self, i: usize) -> bool {
        !self.at_cost(i) && self.alpha[i] <= 0.0
    }

    fn is_free(&self, i: usize) -> bool {
        !self.at_cost(i) && self.alpha[i] > 0.0
    }

    /// Whether `sign α` can grow.
    fn can_rise(&self, i: usize) -> bool {
        if self.signs[i] > 0.0 {
            !self.at_cost(i)
        } else {
            !self.at_zero(i)
        }
    }

    /// Whether `sign α` can shrink.
    fn can_fall(&self, i: usize) -> bool {
        if self.signs[i] > 0.0 {
            !self.at_zero(i)
        } else {
            !self.at_cost(i)
        }
    }

    /// Computes row `i` of `Q` unless it is there.
    fn load(&mut self, i: usize) {
        if self.q[i].is_empty() {
            let (kernel, sign) = (self.kernel.row(self.rows[i]), self.signs[i]);
            // Rounded to single precision, in memory and in effect, as in libsvm.
            self.q[i] = self
                .rows
                .iter()
                .zip(&self.signs)
                .map(|(&j, s)| (sign * s * kernel[j]) as f32)
                .collect();
        }
    }

    /// A pair by second-order information: `i` violates optimality most, `j` promises the largest decrease with it.
    fn select(&mut self) -> Selected {
        let (mut up, mut first) = (f64::NEG_INFINITY, None);
        for t in 0..self.n_active {
            let violation = -self.signs[t] * self.gradient[t];
            if self.can_rise(t) && violation >= up {
                (up, first) = (violation, Some(t));
            }
        }
        if let Some(i) = first {
            self.load(i);
        }
        let (mut low, mut second, mut best) = (f64::NEG_INFINITY, None, f64::INFINITY);
        for t in (0..self.n_active).filter(|&t| self.can_fall(t)) {
            let violation = self.signs[t] * self.gradient[t];
            low = low.max(violation);
            let distance = up + violation;
            let Some(i) = first.filter(|_| distance > 0.0) else {
                continue;
            };
            let change = -(distance * distance) / self.curvature(i, t);
            if change <= best {
                (best, second) = (change, Some(t));
            }
        }
        match (first, second) {
            (Some(i), Some(j)) if up + low >= self.tolerance => Selected::Pair(i, j),
            _ => Selected::Optimal {
                violation: up + low,
            },
        }
    }

    /// Of the objective along the pair, from the row of `i`; never 0 or less.
    fn curvature(&self, i: usize, j: usize) -> f64 {
        let cross = self.signs[i] * self.signs[j] * f64::from(self.q[i][j]);
        let curvature = self.diagonal[i] + self.diagonal[j] - 2.0 * cross;
        if curvature > 0.0 { curvature } else { TAU }
    }

    /// Moves a pair to its optimum within the box and keeps the gradients up to date.
    fn step(&mut self, i: usize, j: usize) {
        self.load(i);
        self.load(j);
        let (old_i, old_j) = (self.alpha[i], self.alpha[j]);
        let (was_i, was_j) = (self.at_cost(i), self.at_cost(j));
        let (new_i, new_j) = if self.signs[i] != self.signs[j] {
            let delta = (-self.gradient[i] - self.gradient[j]) / self.curvature(i, j);
            clip_difference(
                old_i + delta,
                old_j + delta,
                old_i - old_j,
                self.costs[i],
                self.costs[j],
            )
        } else {
            let delta = (self.gradient[i] - self.gradient[j]) / self.curvature(i, j);
            clip_sum(
                old_i - delta,
                old_j + delta,
                old_i + old_j,
                self.costs[i],
                self.costs[j],
            )
        };
        (self.alpha[i], self.alpha[j]) = (new_i, new_j);
        let (change_i, change_j) = (new_i - old_i, new_j - old_j);
        let active = self.gradient.iter_mut().take(self.n_active);
        for ((gradient, &q_i), &q_j) in active.zip(&self.q[i]).zip(&self.q[j]) {
            *gradient += f64::from(q_i) * change_i + f64::from(q_j) * change_j;
        }
        for (k, was) in [(i, was_i), (j, was_j)] {
            if self.at_cost(k) != was {
                let cost = if was { -self.costs[k] } else { self.costs[k] };
                self.gradient_of_bound
                    .iter_mut()
                    .zip(&self.q[k])
                    .for_each(|(g, &q)| *g += cost * f64::from(q));
            }
        }
    }

    /// The largest `-sign gradient` over variables that can rise and the largest `sign gradient` over those that can
    /// fall; at the optimum they sum to at most 0.
    fn extremes(&self) -> (f64, f64) {
        let (mut up, mut low) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for t in 0..self.n_active {
            let slope = self.signs[t] * self.gradient[t];
            if self.can_rise(t) {
                up = up.max(-slope);
            }
            if self.can_fall(t) {
                low = low.max(slope);
            }
        }
        (up, low)
    }

    /// Leaves out variables at a bound that show no sign of leaving it.
    fn shrink(&mut self) {
        let (up, low) = self.extremes();
        if !self.unshrunk && up + low <= 10.0 * self.tolerance {
            self.unshrunk = true;
            self.unshrink();
        }
        let stays_at_bound = |smo: &Self, t: usize| {
            let inward = if smo.at_cost(t) {
                -smo.gradient[t]
            } else {
                smo.gradient[t]
            };
            // At cost a positive sign cannot rise; at zero it cannot fall.
            let limit = if smo.at_cost(t) == (smo.signs[t] > 0.0) {
                up
            } else {
                low
            };
            !smo.is_free(t) && inward > limit
        };
        let mut t = 0;
        while t < self.n_active {
            if stays_at_bound(self, t) {
                self.n_active -= 1;
                while self.n_active > t {
                    if !stays_at_bound(self, self.n_active) {
                        self.swap(t, self.n_active);
                        break;
                    }
                    self.n_active -= 1;
                }
            }
            t += 1;
        }
    }

    /// Makes all variables active, with their gradients.
    fn unshrink(&mut self) {
        let (n, active) = (self.rows.len(), self.n_active);
        if active == n {
            return;
        }
        for t in active..n {
            self.gradient[t] = self.gradient_of_bound[t] - 1.0;
        }
        let free: Vec<usize> = (0..active).filter(|&t| self.is_free(t)).collect();
        // Whichever needs fewer entries of Q. For an asymmetric matrix the two differ, and libsvm's choice counts.
        if free.len() * n > 2 * active * (n - active) {
            for t in active..n {
                self.load(t);
                for &j in &free {
                    self.gradient[t] += self.alpha[j] * f64::from(self.q[t][j]);
                }
            }
        } else {
            for &j in &free {
                self.load(j);
                for t in active..n {
                    self.gradient[t] += self.alpha[j] * f64::from(self.q[j][t]);
                }
            }
        }
        self.n_active = n;
    }

    fn swap(&mut self, i: usize, j: usize) {
        self.origin.swap(i, j);
        self.rows.swap(i, j);
        self.signs.swap(i, j);
        self.costs.swap(i, j);
        self.alpha.swap(i, j);
        self.gradient.swap(i, j);
        self.gradient_of_bound.swap(i, j);
        self.diagonal.swap(i, j);
        self.q.swap(i, j);
        self.q
            .iter_mut()
            .filter(|row| !row.is_empty())
            .for_each(|row| row.swap(i, j));
    }

    fn solved(self, violation: f64) -> Solved {
        let rho = self.rho();
        let mut alpha = vec![0.0; self.alpha.len()];
        self.origin
            .iter()
            .zip(&self.alpha)
            .for_each(|(&at, &value)| alpha[at] = value);
        Solved {
            alpha,
            rho,
            violation: violation.max(0.0),
        }
    }

    /// The mean of `sign gradient` over the free variables; without any, the middle of what the others allow.
    fn rho(&self) -> f64 {
        let (mut above, mut below) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut sum, mut free) = (0.0, 0_u32);
        for t in 0..self.n_active {
            let slope = self.signs[t] * self.gradient[t];
            if self.is_free(t) {
                sum += slope;
                free += 1;
            } else if self.can_rise(t) {
                above = above.min(slope);
            } else {
                below = below.max(slope);
            }
        }
        if free > 0 {
            sum / f64::from(free)
        } else {
            (above + below) / 2.0
        }
    }
}

/// Variables of opposite sign move together; brings them back into the box along `i - j = difference`.
fn clip_difference(
    mut i: f64,
    mut j: f64,
    difference: f64,
    cost_i: f64,
    cost_j: f64,
) -> (f64, f64) {
    if difference > 0.0 {
        if j < 0.0 {
            (i, j) = (difference, 0.0);
        }
    } else if i < 0.0 {
        (i, j) = (0.0, -difference);
    }
    if difference > cost_i - cost_j {
        if i > cost_i {
            (i, j) = (cost_i, cost_i - difference);
        }
    } else if j > cost_j {
        (i, j) = (cost_j + difference, cost_j);
    }
    (i, j)
}

/// Variables of one sign move against each other; brings them back into the box along `i + j = sum`.
fn clip_sum(mut i: f64, mut j: f64, sum: f64, cost_i: f64, cost_j: f64) -> (f64, f64) {
    if sum > cost_i {
        if i > cost_i {
            (i, j) = (cost_i, sum - cost_i);
        }
    } else if j < 0.0 {
        (i, j) = (sum, 0.0);
    }
    if sum > cost_j {
        if j > cost_j {
            (i, j) = (sum - cost_j, cost_j);
        }
    } else if i < 0.0 {
        (i, j) = (0.0, sum);
    }
    (i, j)
}
