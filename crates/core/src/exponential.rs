//! The exponential function, many values at a time.
//!
//! Kernels and entropic transport spend most of their time in it.

use ndarray::Array2;
use rayon::prelude::*;

/// Below it the value counts as 0: it would be less than 1e-304.
const LOWEST: f64 = -700.0;

/// Added to a number of magnitude below 2⁵¹, rounds it to a whole number, which then stands in the lowest bits.
const ROUND: f64 = 1.5 * (1_u64 << 52) as f64;
/// `ln 2` in two parts; a whole number of ten bits times the first one is exact.
const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
/// `1 / k!`: the remainder of the series is below 1e-17 for arguments of at most `ln 2 / 2`.
const SERIES: [f64; 14] = [
    1.0,
    1.0,
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

/// Values that one thread takes at a time.
const BLOCK: usize = 4096;

/// `eˣ` for `x` up to 700, within two units of the last place; 0 below -700. Free of branches and calls, so that loops
/// over it use vector instructions; the bits are the same with and without them.
///
/// ```
/// use translearn_core::exponential::exp;
///
/// assert_eq!(exp(0.0), 1.0);
/// assert!((exp(1.0) - std::f64::consts::E).abs() < 1e-15);
/// ```
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    let bounded = if x > LOWEST { x } else { LOWEST };
    let shifted = bounded * std::f64::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = (bounded - whole * LN_2[0]) - whole * LN_2[1];
    let mut series = SERIES[13];
    for k in (0..13).rev() {
        series = series * rest + SERIES[k];
    }
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1.0_f64.to_bits()));
    if x > LOWEST { series * power } else { 0.0 }
}

/// Replaces each `v` by `exp(factor * v)`, for products up to 700.
///
/// ```
/// use ndarray::array;
/// use translearn_core::exponential::exp_scaled;
///
/// let mut distances = array![[0.0, 2.0], [1e6, 0.5]];
/// exp_scaled(&mut distances, -0.5);
/// assert!((distances[[0, 1]] - (-1.0_f64).exp()).abs() < 1e-15);
/// assert_eq!(distances[[1, 0]], 0.0);
/// ```
pub fn exp_scaled(values: &mut Array2<f64>, factor: f64) {
    let block = |values: &mut [f64]| {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || values.iter_mut().for_each(|v| *v = exp(factor * *v)),
        );
    };
    match values.as_slice_memory_order_mut() {
        Some(values) => values.par_chunks_mut(BLOCK).for_each(block),
        None => values.mapv_inplace(|v| exp(factor * v)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_the_standard_library(x in -700.0_f64..700.0) {
            let expected = x.exp();
            prop_assert!((exp(x) - expected).abs() <= 4.5e-16 * expected, "{x}: {} {expected}", exp(x));
        }
    }

    #[test]
    fn the_edges_are_exact() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-701.0), 0.0);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
    }
}
