//! The likelihood of a mixture, made as large as it gets: the shares of given densities that explain a sample best. KLIEP
//! and the maximum-likelihood estimate of a shifted class distribution are this one problem.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use translearn_core::{
    TransferError,
    linalg::{cholesky, gram},
};

/// Shares of the densities, none below 0, with sum 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mixture {
    /// `u`.
    pub(super) shares: Array1<f64>,
    /// `(1/n) Σ_j ln (A u)_j`.
    pub(super) log_likelihood: f64,
    /// No shares have a log-likelihood larger than this one by more than the gap (Lindsay's bound): 0 at an optimum.
    pub(super) gap: f64,
}

const ROUNDS: usize = 300;
const HALVINGS: usize = 40;
/// Keeps the Hessian of densities that hardly differ solvable; relative to the mean of its diagonal.
const DAMPING: f64 = 1e-10;

/// `max (1/n) Σ_j ln (A u)_j` over `u ≥ 0`, `Σu = 1`, to a gap of at most `tolerance`.
///
/// `densities` is `A`, `n x k`, with no entry below 0; `start` has to give every row a density above 0. Newton steps on
/// the shares that are above 0 or want to be; each solves its quadratic model under `u ≥ 0` by active sets. (A factor on
/// all of `u` is best where `Σu = 1`, so `-(1/n) Σ ln (A u) + Σu` over `u ≥ 0` is the same problem without the sum.)
///
/// # Errors
/// [`TransferError::NotConverged`] with the gap that was left.
pub(super) fn fit_mixture(
    densities: &Array2<f64>,
    start: Array1<f64>,
    tolerance: f64,
) -> Result<Mixture, TransferError> {
    let n = densities.nrows() as f64;
    let mut shares = &start / start.sum();
    let mut mixed = densities.dot(&shares);
    let mut gap = f64::INFINITY;
    for _ in 0..ROUNDS {
        let slope = slopes(densities, &mixed);
        gap = slope.fold(f64::NEG_INFINITY, |a, &b| a.max(b)) - 1.0;
        if gap <= tolerance {
            return Ok(Mixture {
                log_likelihood: mean_log(&mixed),
                shares,
                gap,
            });
        }
        let moving: Vec<usize> = (0..shares.len())
            .filter(|&l| shares[l] > 0.0 || slope[l] > 1.0)
            .collect();
        let relative = densities.select(Axis(1), &moving) / mixed.view().insert_axis(Axis(1));
        let mut hessian = gram(&relative) / n;
        let damping = DAMPING * hessian.diag().sum() / moving.len() as f64;
        hessian.diag_mut().mapv_inplace(|v| v + damping);
        let from = shares.select(Axis(0), &moving);
        let uphill = slope.select(Axis(0), &moving) - 1.0;
        let best = nonnegative_minimum(&hessian, &(hessian.dot(&from) + uphill), &from)?;
        let mut step = Array1::zeros(shares.len());
        for (&l, change) in moving.iter().zip(&best - &from) {
            step[l] = change;
        }
        let Some(next) = shortened(densities, &shares, &mixed, &step) else {
            break;
        };
        shares = &next / next.sum();
        mixed = densities.dot(&shares);
    }
    Err(TransferError::NotConverged {
        what: "the likelihood of a mixture".to_owned(),
        iterations: ROUNDS,
        residual: gap,
        tolerance,
    })
}

/// How fast the mean log-likelihood grows with each density's part: `(1/n) Σ_j A_jl / (A u)_j`.
fn slopes(densities: &Array2<f64>, mixed: &Array1<f64>) -> Array1<f64> {
    let mut sums = Array1::zeros(densities.ncols());
    for (row, &mixed) in densities.outer_iter().zip(mixed) {
        sums.zip_mut_with(&row, |sum, density| *sum += density / mixed);
    }
    sums / densities.nrows() as f64
}

/// A start near the optimum with few shares above 0: from `start`, steps towards the one density along which the likelihood
/// grows fastest, each as long as it grows, for as long as a step halves the gap and `tolerance` is not met. Such a step costs
/// one product with `densities`, a Newton step as many as shares may move. Of densities that are alike the first grows and
/// not the others: where the shares themselves are the answer, another start is better.
pub(super) fn steps_towards_one(
    densities: &Array2<f64>,
    start: &Array1<f64>,
    tolerance: f64,
) -> Array1<f64> {
    let mut shares = start / start.sum();
    let mut mixed = densities.dot(&shares);
    let mut gap = f64::INFINITY;
    loop {
        let slope = slopes(densities, &mixed);
        let best = (0..slope.len()).reduce(|a, b| if slope[b] > slope[a] { b } else { a });
        let Some(best) = best.filter(|&l| slope[l].is_finite() && slope[l] - 1.0 <= 0.5 * gap)
        else {
            return shares;
        };
        gap = slope[best] - 1.0;
        if gap <= tolerance {
            return shares;
        }
        let towards = densities.column(best);
        let length = growing_for(&mixed, towards);
        shares *= 1.0 - length;
        shares[best] += length;
        mixed = mixed * (1.0 - length) + &towards * length;
    }
}

/// How far from one mixture towards another the likelihood grows, up to 2⁻²⁰ below.
fn growing_for(mixed: &Array1<f64>, towards: ArrayView1<'_, f64>) -> f64 {
    let change = &towards - mixed;
    let grows_at = |length: f64| {
        let growth = change.iter().zip(mixed);
        growth
            .map(|(change, mixed)| change / (mixed + length * change))
            .sum::<f64>()
            > 0.0
    };
    let (mut length, mut half) = (0.0, 0.5);
    for _ in 0..20 {
        if grows_at(length + half) {
            length += half;
        }
        half *= 0.5;
    }
    length
}

/// The end of the step, halved until the likelihood does not fall; `None` when it does not come to that.
fn shortened(
    densities: &Array2<f64>,
    shares: &Array1<f64>,
    mixed: &Array1<f64>,
    step: &Array1<f64>,
) -> Option<Array1<f64>> {
    let along = densities.dot(step);
    // What the likelihood gains less what the sum grows, from ratios near 1, where logarithms of both would cancel.
    let gain = |length: f64| {
        let ratios = (&along / mixed).mapv(|v| (length * v).ln_1p());
        ratios.mean().unwrap_or(0.0) - length * step.sum()
    };
    let rounding = 1e-15 * (1.0 + mean_log(mixed).abs());
    let mut length = 1.0;
    for _ in 0..HALVINGS {
        // NaN, where a row would have no density, is no gain.
        if gain(length) >= -rounding {
            return Some((shares + &(step * length)).mapv(|v| v.max(0.0)));
        }
        length *= 0.5;
    }
    None
}

fn mean_log(values: &Array1<f64>) -> f64 {
    values.mapv(f64::ln).mean().unwrap_or(0.0)
}

/// The `y ≥ 0` with the least `½yᵀHy − cᵀy`, by the active sets of Lawson and Hanson from a feasible start.
pub(super) fn nonnegative_minimum(
    quadratic: &Array2<f64>,
    linear: &Array1<f64>,
    start: &Array1<f64>,
) -> Result<Array1<f64>, TransferError> {
    let mut point = start.clone();
    let mut free: Vec<usize> = (0..point.len()).filter(|&l| point[l] > 0.0).collect();
    let enough = 1e-14 * linear.fold(1.0_f64, |a, &b| a.max(b.abs()));
    for _ in 0..5 * point.len() + 10 {
        if !free.is_empty() {
            let block = quadratic.select(Axis(0), &free).select(Axis(1), &free);
            let minimum = cholesky(&block)?.solve_vector(&linear.select(Axis(0), &free))?;
            let to_zero = |(&l, &goal): (&usize, &f64)| {
                (goal < 0.0).then(|| (point[l] / (point[l] - goal), l))
            };
            let first = free.iter().zip(&minimum).filter_map(to_zero);
            let blocked = first.min_by(|a, b| a.0.total_cmp(&b.0));
            let length = blocked.map_or(1.0, |(length, _)| length);
            for (&l, goal) in free.iter().zip(&minimum) {
                point[l] = (point[l] + length * (goal - point[l])).max(0.0);
            }
            if let Some((length, l)) = blocked {
                point[l] = 0.0;
                free.retain(|&l| point[l] > 0.0);
                if length == 0.0 {
                    // What was let go a moment ago turns back at once: rounding is all that is left.
                    break;
                }
                continue;
            }
        }
        let downhill = linear - &quadratic.dot(&point);
        let held = (0..point.len()).filter(|l| !free.contains(l));
        match held.max_by(|&a, &b| downhill[a].total_cmp(&downhill[b])) {
            Some(l) if downhill[l] > enough => free.push(l),
            _ => break,
        }
    }
    Ok(point)
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;
    use translearn_core::seed;

    use super::*;

    /// Expectation and maximisation in turns, which rises slowly and never falls.
    fn naive(densities: &Array2<f64>, rounds: usize) -> (Array1<f64>, f64) {
        let (n, k) = densities.dim();
        let mut shares = vec![1.0 / k as f64; k];
        for _ in 0..rounds {
            let mut next = vec![0.0; k];
            for row in densities.outer_iter() {
                let total: f64 = (0..k).map(|l| row[l] * shares[l]).sum();
                (0..k).for_each(|l| next[l] += row[l] * shares[l] / total / n as f64);
            }
            shares = next;
        }
        let shares = Array1::from(shares);
        let likelihood = densities.dot(&shares).iter().map(|v| v.ln()).sum::<f64>() / n as f64;
        (shares, likelihood)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn no_shares_are_likelier(n in 1usize..40, k in 1usize..12, sharpness in 0.5f64..30.0, seed in 0u64..1000) {
            let mut rng = seed::rng(seed);
            let densities = Array2::from_shape_simple_fn((n, k), || (-sharpness * rng.uniform()).exp());
            let ours = fit_mixture(&densities, Array1::ones(k), 1e-10).unwrap();
            prop_assert!(ours.shares.iter().all(|&u| u >= 0.0) && (ours.shares.sum() - 1.0).abs() < 1e-12);
            // The conditions of Karush, Kuhn and Tucker, sum by sum.
            for l in 0..k {
                let slope: f64 = (0..n)
                    .map(|j| densities[[j, l]] / (0..k).map(|m| densities[[j, m]] * ours.shares[m]).sum::<f64>())
                    .sum::<f64>() / n as f64;
                prop_assert!(slope <= 1.0 + 1e-9, "{slope}");
                prop_assert!(ours.shares[l] * (1.0 - slope) < 1e-9, "{} at {slope}", ours.shares[l]);
            }
            let (_, likelihood) = naive(&densities, 300);
            prop_assert!(ours.log_likelihood >= likelihood - 1e-9);
            prop_assert!(ours.log_likelihood <= naive(&densities, 30_000).1 + 1e-3);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn steps_towards_one_climb_and_leave_the_optimum_as_it_is(
            n in 1usize..40, k in 1usize..12, sharpness in 0.5f64..30.0, seed in 0u64..1000,
        ) {
            let mut rng = seed::rng(seed);
            let densities = Array2::from_shape_simple_fn((n, k), || (-sharpness * rng.uniform()).exp());
            let start = Array1::from_shape_fn(k, |l| (l + 1) as f64);
            let likelihood = |shares: &Array1<f64>| mean_log(&densities.dot(shares));
            let from = &start / start.sum();
            let shares = steps_towards_one(&densities, &start, 1e-3);
            prop_assert!(shares.iter().all(|&u| u >= 0.0) && (shares.sum() - 1.0).abs() < 1e-12);
            prop_assert!(likelihood(&shares) >= likelihood(&from) - 1e-12);
            // What Newton's steps find from there is what they find from anywhere.
            let near = fit_mixture(&densities, shares, 1e-10).unwrap();
            let far = fit_mixture(&densities, Array1::ones(k), 1e-10).unwrap();
            prop_assert!((near.log_likelihood - far.log_likelihood).abs() < 2e-10);
        }

        #[test]
        fn a_step_ends_where_the_likelihood_turns(n in 1usize..30, seed in 0u64..1000) {
            let mut rng = seed::rng(seed);
            let mut draw = || Array1::from_shape_simple_fn(n, || 0.1 + rng.uniform());
            let (here, there) = (draw(), draw());
            let length = growing_for(&here, there.view());
            let at = |length: f64| mean_log(&(&here * (1.0 - length) + &there * length));
            let best = (0..=1000).map(|i| at(i as f64 / 1000.0)).fold(f64::NEG_INFINITY, f64::max);
            // It ends 2⁻²⁰ before the other at most.
            prop_assert!(at(length) >= best - 1e-5, "{length}");
        }
    }

    #[test]
    fn rows_that_tell_the_densities_apart_are_counted() {
        let densities = array![[2.0, 0.0], [0.0, 1.0], [0.0, 5.0]];
        let fitted = fit_mixture(&densities, Array1::ones(2), 1e-12).unwrap();
        assert!((fitted.shares[0] - 1.0 / 3.0).abs() < 1e-12, "{fitted:?}");
    }

    #[test]
    fn densities_over_thirty_orders_of_magnitude_are_no_obstacle() {
        let mut rng = seed::rng(4);
        let densities = Array2::from_shape_simple_fn((60, 30), || (70.0 * rng.uniform()).exp());
        let fitted = fit_mixture(&densities, Array1::ones(30), 1e-9).unwrap();
        assert!(fitted.gap <= 1e-9);
        assert!(fitted.log_likelihood >= naive(&densities, 1000).1 - 1e-9);
    }
}
