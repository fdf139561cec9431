//! The top of a curve of one peak.

/// Where between two places a function with one peak is largest, and how large: golden sections (Kiefer, 1953), each of which
/// evaluates it once and leaves 0.618 of the width.
pub(crate) fn golden_section(
    of: impl Fn(f64) -> f64,
    (mut low, mut high): (f64, f64),
    n_sections: usize,
) -> (f64, f64) {
    let share = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut left, mut right) = (high - share * (high - low), low + share * (high - low));
    let (mut of_left, mut of_right) = (of(left), of(right));
    for _ in 0..n_sections {
        if of_left > of_right {
            (high, right, of_right) = (right, left, of_left);
            left = high - share * (high - low);
            of_left = of(left);
        } else {
            (low, left, of_left) = (left, right, of_right);
            right = low + share * (high - low);
            of_right = of(right);
        }
    }
    if of_left > of_right {
        (left, of_left)
    } else {
        (right, of_right)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Beside the best of a fine grid, with the peak within the bracket or beyond one end.
        #[test]
        fn no_place_of_a_grid_is_higher(peak in -2.0_f64..3.0, steep in 0.1_f64..5.0) {
            let of = |x: f64| -steep * (x - peak).abs().powf(1.5);
            let (place, value) = golden_section(of, (-1.0, 2.0), 40);
            let grid = (0..=3000).map(|step| of(-1.0 + f64::from(step) / 1000.0));
            prop_assert!(value >= grid.fold(f64::NEG_INFINITY, f64::max) - 1e-6);
            prop_assert!((place - peak.clamp(-1.0, 2.0)).abs() < 1e-6 && value == of(place));
        }
    }
}
