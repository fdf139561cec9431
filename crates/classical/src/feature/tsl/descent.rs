//! Descent over subspaces.

use std::collections::VecDeque;

use ndarray::Array2;
use translearn_core::{
    TransferError,
    linalg::{matmul, orthonormalize},
};

/// How long a descent goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_iterations: usize,
    /// The norm of the gradient at which it ends.
    pub(super) tolerance: f64,
}

/// Where a descent ended and how it got there; both series begin with the start.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Descent {
    /// Orthonormal columns.
    pub(super) subspace: Array2<f64>,
    pub(super) values: Vec<f64>,
    pub(super) gradient_norms: Vec<f64>,
}

impl Descent {
    /// The value at the end.
    pub(super) fn value(&self) -> f64 {
        self.values.last().copied().unwrap_or(f64::INFINITY)
    }
}

/// Pairs of steps and changes of the gradient that are kept to estimate the curvature.
const MEMORY: usize = 10;
/// Share of what the slope promises that a step has to bring.
const SUFFICIENT: f64 = 1e-4;
/// Halvings of a step after which there is none.
const HALVINGS: usize = 50;
/// Doublings of a step along which the objective falls ever faster.
const DOUBLINGS: usize = 30;

/// What a function is at some columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evaluated {
    pub(super) value: f64,
    /// Differences of values that are taken for rounding.
    pub(super) rounding: f64,
    /// By each entry of the columns.
    pub(super) derivative: Array2<f64>,
}

/// A subspace with the value and the gradient there, the part of it that turns the subspace.
struct Point {
    subspace: Array2<f64>,
    value: f64,
    rounding: f64,
    gradient: Array2<f64>,
    norm: f64,
}

/// Makes a function of orthonormal columns small that depends on the subspace they span alone, by the quasi-Newton
/// method with limited memory. The value never rises but for rounding.
pub(super) fn descend(
    function: impl Fn(&Array2<f64>) -> Result<Evaluated, TransferError>,
    start: Array2<f64>,
    limits: Limits,
) -> Result<Descent, TransferError> {
    let point = |subspace: Array2<f64>| {
        let Evaluated {
            value,
            rounding,
            derivative,
        } = function(&subspace)?;
        let gradient = tangent(&subspace, &derivative)?;
        let norm = inner(&gradient, &gradient).sqrt();
        Ok::<_, TransferError>(Point {
            subspace,
            value,
            rounding,
            gradient,
            norm,
        })
    };
    let mut at = point(start)?;
    let (mut values, mut gradient_norms) = (vec![at.value], vec![at.norm]);
    let mut memory: VecDeque<(Array2<f64>, Array2<f64>)> = VecDeque::with_capacity(MEMORY);
    while values.len() <= limits.max_iterations && at.norm > limits.tolerance {
        let mut direction = quasi_newton(&at.gradient, &memory);
        if inner(&direction, &at.gradient) >= 0.0 {
            memory.clear();
            direction = quasi_newton(&at.gradient, &memory);
        }
        let Some((next, length)) = step(&at, &direction, &point)? else {
            if memory.is_empty() {
                break;
            }
            memory.clear();
            continue;
        };
        // Tangents of the old subspace are carried over to the new one by projection.
        let carry = |old: &Array2<f64>| tangent(&next.subspace, old);
        let moved = carry(&(direction * length))?;
        let change = &next.gradient - &carry(&at.gradient)?;
        for (step, change) in &mut memory {
            (*step, *change) = (carry(step)?, carry(change)?);
        }
        if inner(&moved, &change) > 0.0 {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back((moved, change));
        }
        values.push(next.value);
        gradient_norms.push(next.norm);
        at = next;
    }
    Ok(Descent {
        subspace: at.subspace,
        values,
        gradient_norms,
    })
}

/// The step along a direction, halved until it brings enough, and its length. Where what it promises is less than
/// rounding leaves of values, the gradient has to become shorter instead. Where the objective falls ever faster, as it
/// does beside a saddle, of which pairs in memory say nothing, the step is doubled as long as that brings more.
fn step(
    at: &Point,
    direction: &Array2<f64>,
    point: &impl Fn(Array2<f64>) -> Result<Point, TransferError>,
) -> Result<Option<(Point, f64)>, TransferError> {
    let slope = inner(direction, &at.gradient);
    let mut length = 1.0;
    for _ in 0..HALVINGS {
        let next = point(orthonormalize(&(&at.subspace + &(direction * length)))?)?;
        let promised = -length * slope;
        let rise = next.value - at.value;
        if rise <= -SUFFICIENT * promised
            || (promised <= at.rounding && rise <= at.rounding && next.norm < at.norm)
        {
            let mut found = (next, length);
            for _ in 0..DOUBLINGS {
                let (reached, length) = (&found.0, 2.0 * found.1);
                if inner(direction, &reached.gradient) >= slope {
                    break;
                }
                let further = point(orthonormalize(&(&at.subspace + &(direction * length)))?)?;
                if further.value >= reached.value {
                    break;
                }
                found = (further, length);
            }
            return Ok(Some(found));
        }
        length *= 0.5;
    }
    Ok(None)
}

/// The part of a matrix that is orthogonal to a subspace: `(I - U Uᵀ) D`.
fn tangent(subspace: &Array2<f64>, matrix: &Array2<f64>) -> Result<Array2<f64>, TransferError> {
    let along = matmul(&subspace.t(), matrix)?;
    Ok(matrix - &matmul(subspace, &along)?)
}

fn inner(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    (a * b).sum()
}

/// Minus the gradient times the inverse of the curvature that the pairs in memory show; no longer than 1 before there
/// are any.
fn quasi_newton(
    gradient: &Array2<f64>,
    memory: &VecDeque<(Array2<f64>, Array2<f64>)>,
) -> Array2<f64> {
    let mut direction = -gradient;
    let mut shares = Vec::with_capacity(memory.len());
    for (step, change) in memory.iter().rev() {
        let share = inner(step, &direction) / inner(step, change);
        direction.scaled_add(-share, change);
        shares.push(share);
    }
    direction *= match memory.back() {
        Some((step, change)) => inner(step, change) / inner(change, change),
        None => inner(gradient, gradient).sqrt().max(1.0).recip(),
    };
    for ((step, change), share) in memory.iter().zip(shares.iter().rev()) {
        let back = inner(change, &direction) / inner(step, change);
        direction.scaled_add(share - back, step);
    }
    direction
}
