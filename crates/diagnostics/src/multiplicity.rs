//! P-values of several tests, adjusted so that their number does not make findings.

/// Holm's adjustment: calling what is at most `α` finds anything where nothing is with a chance of at most `α`, however
/// the tests hang together.
///
/// With the p-values in ascending order, `p̃_(i) = max_{j ≤ i} min(1, (m − j + 1) p_(j))`. The order of the answer is that
/// of the question.
///
/// Holm, *A simple sequentially rejective multiple test procedure*, Scandinavian Journal of Statistics 6(2), 1979.
///
/// ```
/// use translearn_diagnostics::multiplicity::holm;
///
/// assert_eq!(holm(&[0.5, 0.01, 0.25]), [0.5, 0.03, 0.5]);
/// ```
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let mut adjusted = vec![0.0; p_values.len()];
    let mut highest = 0.0_f64;
    for (place, &at) in order.iter().enumerate() {
        let tests_left = (order.len() - place) as f64;
        highest = highest.max((tests_left * p_values[at]).min(1.0));
        adjusted[at] = highest;
    }
    adjusted
}

/// The adjustment of Benjamini and Hochberg: of what is called at `α`, an expected share of at most `α` is there by chance,
/// where the tests are independent or lean the same way.
///
/// With the p-values in ascending order, `p̃_(i) = min_{j ≥ i} min(1, m p_(j) / j)`. The order of the answer is that of the
/// question.
///
/// Benjamini, Hochberg, *Controlling the false discovery rate*, Journal of the Royal Statistical Society B 57(1), 1995,
/// doi:10.1111/j.2517-6161.1995.tb02031.x.
///
/// ```
/// use translearn_diagnostics::multiplicity::benjamini_hochberg;
///
/// assert_eq!(benjamini_hochberg(&[0.5, 0.01, 0.25]), [0.5, 0.03, 0.375]);
/// ```
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let mut adjusted = vec![0.0; p_values.len()];
    let mut lowest = 1.0_f64;
    for (place, &at) in order.iter().enumerate().rev() {
        lowest = lowest.min(order.len() as f64 * p_values[at] / (place + 1) as f64);
        adjusted[at] = lowest;
    }
    adjusted
}

fn ascending(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The procedures as their papers tell them: which tests are called at a level.
        #[test]
        fn what_is_called_is_what_the_papers_call(p in prop::collection::vec(0.0_f64..0.2, 1..20), level in 0.001_f64..0.3) {
            let m = p.len() as f64;
            let mut sorted = p.clone();
            sorted.sort_by(f64::total_cmp);
            // Holm steps down while the next one is below its bound; Benjamini and Hochberg take the last that is.
            let down = sorted.iter().enumerate().take_while(|&(i, &p)| p <= level / (m - i as f64)).count();
            let up = sorted.iter().enumerate().filter(|&(i, &p)| p <= level * (i + 1) as f64 / m).map(|(i, _)| i + 1).max();
            let called = |adjusted: Vec<f64>| adjusted.into_iter().filter(|&p| p <= level).count();
            prop_assert_eq!(called(holm(&p)), down);
            prop_assert_eq!(called(benjamini_hochberg(&p)), up.unwrap_or(0));
        }
    }
}
