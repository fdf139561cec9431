//! Frank-Wolfe steps for the same program, from products with the kernel matrix alone.

use ndarray::Array1;
use translearn_core::TransferError;

use super::Bounds;

/// A feasible point and how far from the best it can be at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Certified {
    /// `β`.
    pub weights: Array1<f64>,
    /// `½βᵀKβ − κᵀβ`.
    pub objective: f64,
    /// `max_s ∇ᵀ(β − s)` over all feasible `s`, in multiples of `n ‖κ‖_∞`: no feasible point has an objective that is lower
    /// by more.
    pub gap: f64,
}

const ITERATIONS: usize = 100_000;
/// Weights below this are 0; what a step leaves of a weight that it takes away is rounding.
const NOTHING: f64 = 1e-13;

/// `min ½βᵀKβ − κᵀβ` within bounds, to a gap of at most `tolerance`, starting from weights of 1.
///
/// `product` multiplies with `K`; it is asked for vectors with a few entries that are not 0, about `n / upper`, but for
/// the start and the end. A step goes to the best vertex, or shifts weight to it from the worst vertex of the face
/// that holds the point, whichever lowers the objective more.
///
/// # Errors
/// [`TransferError::NotConverged`] with the gap that was left, and those of [`Bounds::check`] and `product`.
pub fn frank_wolfe(
    product: impl Fn(&Array1<f64>) -> Result<Array1<f64>, TransferError>,
    linear: &Array1<f64>,
    bounds: Bounds,
    tolerance: f64,
) -> Result<Certified, TransferError> {
    let n = linear.len();
    bounds.check(n)?;
    let scale = n as f64 * linear.fold(1.0_f64, |a, &b| a.max(b.abs()));
    let mut weights = bounds.project(&Array1::ones(n));
    let mut image = product(&weights)?;
    let (mut exact, mut gap) = (true, f64::INFINITY);
    for _ in 0..ITERATIONS {
        let gradient = &image - linear;
        let best = bounds.lowest(&gradient);
        gap = gradient.dot(&(&weights - &best)) / scale;
        if gap <= tolerance {
            if exact {
                return Ok(Certified {
                    objective: 0.5 * weights.dot(&image) - linear.dot(&weights),
                    gap: gap.max(0.0),
                    weights,
                });
            }
            // The image was summed up over the steps; the certificate is of the point itself.
            image = product(&weights)?;
            exact = true;
            continue;
        }
        let worst = bounds.highest_beside(&gradient, &weights);
        let (at_best, at_worst) = (product(&best)?, product(&worst)?);
        let towards = Step::along(&gradient, &best - &weights, &at_best - &image, 1.0);
        let shift = &best - &worst;
        let room = bounds.room(&weights, &shift);
        let across = Step::along(&gradient, shift, at_best - at_worst, room);
        let step = if across.gain > towards.gain {
            across
        } else {
            towards
        };
        weights.scaled_add(step.length, &step.direction);
        weights.mapv_inplace(|w| {
            if w < NOTHING {
                0.0
            } else {
                w.min(bounds.upper)
            }
        });
        image.scaled_add(step.length, &step.image);
        exact = false;
    }
    Err(TransferError::NotConverged {
        what: "the Frank-Wolfe steps of kmm".to_owned(),
        iterations: ITERATIONS,
        residual: gap,
        tolerance,
    })
}

/// A step to the lowest point of the objective along a direction.
struct Step {
    direction: Array1<f64>,
    image: Array1<f64>,
    length: f64,
    gain: f64,
}

impl Step {
    fn along(
        gradient: &Array1<f64>,
        direction: Array1<f64>,
        image: Array1<f64>,
        room: f64,
    ) -> Self {
        let (slope, curvature) = (gradient.dot(&direction), direction.dot(&image));
        let length = if -slope < room * curvature {
            -slope / curvature
        } else {
            room
        };
        Self {
            gain: -length * (slope + 0.5 * length * curvature),
            direction,
            image,
            length,
        }
    }
}
