//! The normal distribution and a quadrature, for expected scores.

use std::f64::consts::PI;

/// Density of the standard normal.
pub(super) fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// Distribution function of the standard normal, by its Taylor series (Marsaglia, *Evaluating the normal distribution*,
/// Journal of Statistical Software 11(4), 2004, doi:10.18637/jss.v011.i04); absolute error below 1e-14.
pub(super) fn cumulative(x: f64) -> f64 {
    if x.abs() > 8.5 {
        return f64::from(u8::from(x > 0.0));
    }
    let (mut term, mut sum, mut k) = (x, x, 1.0);
    while term.abs() > 1e-18 * sum.abs() {
        k += 2.0;
        term *= x * x / k;
        sum += term;
    }
    0.5 + sum * density(x)
}

/// ∫ f over [low, high] by Simpson's rule with 4096 pieces.
pub(super) fn integrate(low: f64, high: f64, f: impl Fn(f64) -> f64) -> f64 {
    const PIECES: usize = 4096;
    let step = (high - low) / PIECES as f64;
    let inner: f64 = (1..PIECES)
        .map(|i| f(low + step * i as f64) * if i % 2 == 1 { 4.0 } else { 2.0 })
        .sum();
    step / 3.0 * (f(low) + inner + f(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_function_is_the_tables() {
        // Values from scipy.stats.norm.cdf.
        for (x, expected) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.96, 0.024_997_895_148_220_435),
            (3.5, 0.999_767_370_920_964_5),
            (-6.0, 9.865_876_450_376_946e-10),
        ] {
            assert!(
                (cumulative(x) - expected).abs() < 1e-14,
                "{x}: {}",
                cumulative(x)
            );
        }
        assert_eq!((cumulative(-40.0), cumulative(40.0)), (0.0, 1.0));
        assert!((integrate(-8.0, 1.0, density) - cumulative(1.0)).abs() < 1e-12);
    }
}
