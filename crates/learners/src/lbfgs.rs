//! L-BFGS: minimises a smooth function from its values and gradients.

use std::collections::VecDeque;

/// Limited-memory BFGS with a strong Wolfe line search, for smooth functions without constraints.
///
/// Each iteration steps along `-H g`, where `H` approximates the inverse Hessian from the last `memory` steps (two-loop
/// recursion). The line search accepts a step by the strong Wolfe conditions or, once differences of function values
/// drown in rounding, by their form in slopes alone (Hager and Zhang's approximate Wolfe conditions), so that the
/// gradient can be driven to the limit of the arithmetic.
///
/// Cost: one or two evaluations and `4 · memory · n` multiplications an iteration, `2 · memory · n` numbers of memory.
///
/// Sources: Nocedal and Wright, *Numerical Optimization*, 2nd ed., algorithms 3.5 and 7.5, doi:10.1007/978-0-387-40065-5;
/// Hager and Zhang, SIAM J. Optim. 16(1), 2005, doi:10.1137/030601880.
///
/// ```
/// use translearn_learners::lbfgs::Lbfgs;
///
/// // (x - 1)² + 10 (y + 2)²
/// let minimum = Lbfgs::default().minimize(vec![0.0, 0.0], |x, gradient| {
///     gradient[0] = 2.0 * (x[0] - 1.0);
///     gradient[1] = 20.0 * (x[1] + 2.0);
///     (x[0] - 1.0).powi(2) + 10.0 * (x[1] + 2.0).powi(2)
/// });
/// assert!(minimum.converged);
/// assert!((minimum.point[0] - 1.0).abs() < 1e-8 && (minimum.point[1] + 2.0).abs() < 1e-8);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Lbfgs {
    /// How many past steps the inverse Hessian is built from (default 10).
    pub memory: usize,
    /// Iterations after which to give up (default 1000).
    pub max_iterations: usize,
    /// The largest absolute entry of the gradient at which to stop (default 1e-8).
    pub tolerance: f64,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self {
            memory: 10,
            max_iterations: 1000,
            tolerance: 1e-8,
        }
    }
}

/// Where the iteration ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Minimum {
    /// The point.
    pub point: Vec<f64>,
    /// The function there.
    pub value: f64,
    /// The largest absolute entry of the gradient there: the certificate of optimality.
    pub gradient_norm: f64,
    /// Iterations done.
    pub iterations: usize,
    /// Evaluations of the function.
    pub evaluations: usize,
    /// Whether the gradient is within the tolerance. False after `max_iterations`, or when no step in the direction of
    /// descent lowers the function in floating point.
    pub converged: bool,
}

/// A past step `s`, the change of gradient `y` along it, and `1 / sᵀy`.
struct Correction {
    step: Vec<f64>,
    change: Vec<f64>,
    rho: f64,
}

/// A point on the line: how far along, the function and its slope there.
#[derive(Clone, Copy)]
struct OnLine {
    at: f64,
    value: f64,
    slope: f64,
}

/// Sufficient decrease and curvature (Nocedal and Wright's values for quasi-Newton methods).
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// Relative rise of the function that may be rounding.
const ROUNDING: f64 = 1e-14;
/// Evaluations after which a line search gives up.
const MAX_TRIALS: usize = 50;

impl Lbfgs {
    /// Minimises from `start`. `function(x, gradient)` returns the value at `x` and writes all of the gradient.
    ///
    /// The last bit of the result depends on `function` alone; nothing here runs in parallel or draws at random.
    pub fn minimize(
        &self,
        start: Vec<f64>,
        mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
    ) -> Minimum {
        let n = start.len();
        let mut point = start;
        let mut gradient = vec![0.0; n];
        let mut value = function(&point, &mut gradient);
        let (mut iterations, mut evaluations) = (0, 1);
        let mut corrections: VecDeque<Correction> = VecDeque::with_capacity(self.memory);
        let mut trial = vec![0.0; n];
        let mut trial_gradient = vec![0.0; n];
        let mut direction = vec![0.0; n];
        while max_abs(&gradient) > self.tolerance && iterations < self.max_iterations {
            direct(&corrections, &gradient, &mut direction);
            let mut slope = dot(&gradient, &direction);
            if slope >= 0.0 || !slope.is_finite() {
                corrections.clear();
                direct(&corrections, &gradient, &mut direction);
                slope = dot(&gradient, &direction);
            }
            let first = if corrections.is_empty() {
                1.0 / max_abs(&gradient).max(1.0)
            } else {
                1.0
            };
            let origin = OnLine {
                at: 0.0,
                value,
                slope,
            };
            let found = search(origin, first, |step| {
                for i in 0..n {
                    trial[i] = point[i] + step * direction[i];
                }
                evaluations += 1;
                let value = function(&trial, &mut trial_gradient);
                OnLine {
                    at: step,
                    value,
                    slope: dot(&trial_gradient, &direction),
                }
            });
            let Some(next) = found else {
                if corrections.is_empty() {
                    break;
                }
                // Old curvature may mislead; try once more along the plain gradient.
                corrections.clear();
                continue;
            };
            iterations += 1;
            self.remember(&mut corrections, &point, &trial, &gradient, &trial_gradient);
            std::mem::swap(&mut point, &mut trial);
            std::mem::swap(&mut gradient, &mut trial_gradient);
            value = next.value;
        }
        let gradient_norm = max_abs(&gradient);
        Minimum {
            point,
            value,
            gradient_norm,
            iterations,
            evaluations,
            converged: gradient_norm <= self.tolerance,
        }
    }

    fn remember(
        &self,
        corrections: &mut VecDeque<Correction>,
        point: &[f64],
        next: &[f64],
        gradient: &[f64],
        next_gradient: &[f64],
    ) {
        if self.memory == 0 {
            return;
        }
        let oldest = if corrections.len() == self.memory {
            corrections.pop_front()
        } else {
            None
        };
        let (mut step, mut change) =
            oldest.map_or_else(Default::default, |old| (old.step, old.change));
        step.clear();
        step.extend(next.iter().zip(point).map(|(b, a)| b - a));
        change.clear();
        change.extend(next_gradient.iter().zip(gradient).map(|(b, a)| b - a));
        let curvature = dot(&step, &change);
        // A pair without positive curvature, possible only through rounding after the line search, would spoil H.
        if curvature > f64::EPSILON * dot(&change, &change).sqrt() * dot(&step, &step).sqrt() {
            corrections.push_back(Correction {
                step,
                change,
                rho: 1.0 / curvature,
            });
        }
    }
}

/// `direction = -H g` by the two-loop recursion.
fn direct(corrections: &VecDeque<Correction>, gradient: &[f64], direction: &mut [f64]) {
    direction.copy_from_slice(gradient);
    let mut alphas = vec![0.0; corrections.len()];
    for (correction, alpha) in corrections.iter().zip(&mut alphas).rev() {
        *alpha = correction.rho * dot(&correction.step, direction);
        add_scaled(direction, -*alpha, &correction.change);
    }
    let scale = corrections.back().map_or(1.0, |last| {
        1.0 / (last.rho * dot(&last.change, &last.change))
    });
    direction.iter_mut().for_each(|entry| *entry *= scale);
    for (correction, alpha) in corrections.iter().zip(&alphas) {
        let beta = correction.rho * dot(&correction.change, direction);
        add_scaled(direction, alpha - beta, &correction.step);
    }
    direction.iter_mut().for_each(|entry| *entry = -*entry);
}

/// A step that meets the strong Wolfe conditions, or `None` when rounding leaves none to find. The last evaluation is
/// the step returned.
fn search(origin: OnLine, first: f64, mut evaluate: impl FnMut(f64) -> OnLine) -> Option<OnLine> {
    let slack = ROUNDING * origin.value.abs();
    // `low` decreases enough and still slopes down; a step worth taking lies between it and `high`.
    let (mut low, mut high): (OnLine, Option<OnLine>) = (origin, None);
    let mut step = first;
    for _ in 0..MAX_TRIALS {
        let point = evaluate(step);
        let decreases = point.value <= origin.value + DECREASE * step * origin.slope;
        // Slopes still tell where values differ by rounding only.
        let flat = point.value <= origin.value + slack
            && point.slope <= (2.0 * DECREASE - 1.0) * origin.slope;
        if !(point.value.is_finite() && (decreases || flat)) {
            high = Some(point);
        } else if point.slope.abs() <= -CURVATURE * origin.slope {
            return Some(point);
        } else if point.slope > 0.0 {
            high = Some(point);
        } else {
            low = point;
        }
        step = match high {
            None => 3.0 * low.at.max(step),
            Some(high) => between(low, high),
        };
        if step == low.at || high.is_some_and(|high| step == high.at) || !step.is_finite() {
            return None;
        }
    }
    None
}

/// The minimiser of the cubic through both ends, kept off the ends; the middle where the cubic has none.
fn between(low: OnLine, high: OnLine) -> f64 {
    let width = high.at - low.at;
    let middle = low.at + 0.5 * width;
    if !(high.value.is_finite() && high.slope.is_finite()) {
        return low.at + 0.1 * width;
    }
    let d1 = low.slope + high.slope - 3.0 * (high.value - low.value) / width;
    let discriminant = d1 * d1 - low.slope * high.slope;
    if discriminant < 0.0 {
        return middle;
    }
    let d2 = discriminant.sqrt().copysign(width);
    let cubic = high.at - width * (high.slope + d2 - d1) / (high.slope - low.slope + 2.0 * d2);
    if cubic.is_finite() {
        cubic.clamp(low.at + 0.1 * width, low.at + 0.9 * width)
    } else {
        middle
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    ndarray::ArrayView1::from(a).dot(&ndarray::ArrayView1::from(b))
}

fn add_scaled(a: &mut [f64], scale: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += scale * b);
}

fn max_abs(a: &[f64]) -> f64 {
    // `f64::max` would hide NaN.
    a.iter()
        .fold(0.0, |max, x| if x.abs() <= max { max } else { x.abs() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rosenbrock(x: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let mut value = 0.0;
        for i in 0..x.len() - 1 {
            let (a, b) = (1.0 - x[i], x[i + 1] - x[i] * x[i]);
            value += a * a + 100.0 * b * b;
            gradient[i] += -2.0 * a - 400.0 * x[i] * b;
            gradient[i + 1] += 200.0 * b;
        }
        value
    }

    #[test]
    fn rosenbrock_is_minimised_to_the_limit_of_the_arithmetic() {
        let lbfgs = Lbfgs {
            tolerance: 1e-12,
            ..Lbfgs::default()
        };
        let minimum = lbfgs.minimize(vec![-1.2; 10], rosenbrock);
        assert!(minimum.converged, "{minimum:?}");
        assert!(
            minimum.point.iter().all(|x| (x - 1.0).abs() < 1e-10),
            "{minimum:?}"
        );
        assert!(minimum.evaluations < 2 * minimum.iterations, "{minimum:?}");
    }

    #[test]
    fn giving_up_is_said() {
        let lbfgs = Lbfgs {
            max_iterations: 3,
            ..Lbfgs::default()
        };
        let minimum = lbfgs.minimize(vec![-1.2; 10], rosenbrock);
        assert!(
            !minimum.converged && minimum.iterations == 3 && minimum.gradient_norm > 1.0,
            "{minimum:?}"
        );
        let unbounded = Lbfgs::default().minimize(vec![0.0], |x, gradient| {
            gradient[0] = 1.0;
            x[0]
        });
        assert!(!unbounded.converged, "{unbounded:?}");
        let not_finite = Lbfgs::default().minimize(vec![0.0], |_, gradient| {
            gradient[0] = f64::NAN;
            f64::NAN
        });
        assert!(!not_finite.converged, "{not_finite:?}");
    }

    proptest! {
        /// A quadratic's minimum is known.
        #[test]
        fn quadratics(centre in proptest::collection::vec(-5.0..5.0_f64, 1..12), seed in 0.0..1.0_f64) {
            let curvature: Vec<f64> =
                (0..centre.len()).map(|i| 10.0_f64.powf((seed + 0.618 * i as f64).fract() - 0.5)).collect();
            let lbfgs = Lbfgs { tolerance: 1e-10, ..Lbfgs::default() };
            let minimum = lbfgs.minimize(vec![0.0; centre.len()], |x, gradient| {
                (0..x.len()).map(|i| {
                    gradient[i] = curvature[i] * (x[i] - centre[i]);
                    0.5 * gradient[i] * (x[i] - centre[i])
                }).sum()
            });
            prop_assert!(minimum.converged && minimum.iterations <= 60, "{minimum:?}");
            for i in 0..centre.len() {
                prop_assert!((minimum.point[i] - centre[i]).abs() <= 1e-10 / curvature[i] + 1e-12);
            }
        }
    }
}
