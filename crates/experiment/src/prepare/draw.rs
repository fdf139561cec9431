//! Drawing rows by seed, classes alike.

use std::cmp::Reverse;

use translearn_core::{Labels, seed};

use super::PrepareError;
use crate::spec::Draw;

/// The rows drawn, ascending, or what is wrong with the draw called `what`.
pub(crate) fn draw_rows(
    what: &'static str,
    wanted: Draw,
    labels: &Labels,
    seed: u64,
) -> Result<Vec<usize>, PrepareError> {
    draw(labels, wanted, seed).map_err(|reason| PrepareError::Draw {
        what,
        draw: wanted,
        rows: labels.len(),
        reason,
    })
}

/// The rows drawn, ascending. The same seed draws `{ per_class = 3 }` as a subset of `{ per_class = 5 }`; so does
/// `count` where there are no classes.
fn draw(labels: &Labels, wanted: Draw, seed: u64) -> Result<Vec<usize>, &'static str> {
    let groups = groups(labels);
    let n = labels.len();
    let shares = match wanted {
        Draw::PerClass(_) if matches!(labels, Labels::Values(_)) => {
            return Err("regression has no classes; use `count` or `fraction`");
        }
        Draw::PerClass(k) => groups.iter().map(|rows| k.min(rows.len())).collect(),
        Draw::Count(k) if k > n => return Err("there are not so many"),
        Draw::Count(k) => shares(&groups, k),
        Draw::Fraction(fraction) => shares(
            &groups,
            ((fraction * n as f64).round() as usize).clamp(1.min(n), n),
        ),
    };
    let mut drawn = Vec::new();
    for (class, (rows, share)) in groups.iter().zip(shares).enumerate() {
        let order = seed::rng(seed::derive(seed, &[&class.to_string()])).permutation(rows.len());
        drawn.extend(order[..share].iter().map(|&index| rows[index]));
    }
    drawn.sort_unstable();
    if drawn.is_empty() {
        Err("there is none")
    } else {
        Ok(drawn)
    }
}

/// The rows of each class; all rows of real-valued labels.
fn groups(labels: &Labels) -> Vec<Vec<usize>> {
    match labels {
        Labels::Values(values) => vec![(0..values.len()).collect()],
        Labels::Classes(codes) => {
            let mut groups = vec![Vec::new(); labels.n_codes()];
            for (row, &code) in codes.indexed_iter() {
                groups[code].push(row);
            }
            groups
        }
    }
}

/// `k` rows over the groups in proportion to their sizes: what is left after rounding down goes to the largest
/// remainders, the first of equals first.
fn shares(groups: &[Vec<usize>], k: usize) -> Vec<usize> {
    let n: usize = groups.iter().map(Vec::len).sum();
    if n == 0 {
        return vec![0; groups.len()];
    }
    let mut shares: Vec<usize> = groups.iter().map(|rows| rows.len() * k / n).collect();
    let mut by_remainder: Vec<usize> = (0..groups.len()).collect();
    by_remainder.sort_by_key(|&group| Reverse(groups[group].len() * k % n));
    let left = k - shares.iter().sum::<usize>();
    for &group in &by_remainder[..left] {
        shares[group] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(labels: &Labels, rows: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; labels.n_codes()];
        for &code in labels.select(rows).classes("test").unwrap() {
            counts[code] += 1;
        }
        counts
    }

    #[test]
    fn shares_are_kept() {
        let labels = Labels::Classes([vec![0; 50], vec![1; 30], vec![2; 20]].concat().into());
        assert_eq!(
            counts(&labels, &draw(&labels, Draw::Count(10), 1).unwrap()),
            [5, 3, 2]
        );
        assert_eq!(
            counts(&labels, &draw(&labels, Draw::Fraction(0.04), 1).unwrap()),
            [2, 1, 1]
        );
        assert_eq!(
            counts(&labels, &draw(&labels, Draw::PerClass(25), 1).unwrap()),
            [25, 25, 20]
        );
        assert_eq!(draw(&labels, Draw::Fraction(0.001), 1).unwrap().len(), 1);
        assert!(draw(&labels, Draw::Count(101), 1).is_err());
        let values = Labels::Values(ndarray::Array1::zeros(4));
        assert!(draw(&values, Draw::PerClass(1), 1).is_err());
        assert_eq!(draw(&values, Draw::Count(4), 1).unwrap(), [0, 1, 2, 3]);
    }

    proptest! {
        #[test]
        fn draws_are_nested_and_hold_no_row_twice(
            codes in prop::collection::vec(0..4_usize, 1..60), k in 1..6_usize, seed: u64,
        ) {
            let labels = Labels::Classes(codes.into());
            let (small, large) = (draw(&labels, Draw::PerClass(k), seed).unwrap(), draw(&labels, Draw::PerClass(k + 2), seed).unwrap());
            prop_assert!(small.is_sorted_by(|a, b| a < b));
            prop_assert!(small.iter().all(|row| large.contains(row)));
            let count = k.min(labels.len());
            prop_assert_eq!(draw(&labels, Draw::Count(count), seed).unwrap().len(), count);
            prop_assert_eq!(draw(&labels, Draw::PerClass(k), seed).unwrap(), small);
        }
    }

    #[test]
    fn every_row_is_drawn_equally_often() {
        let labels = Labels::Classes(ndarray::array![0, 0, 0, 0, 1, 1]);
        let mut counts = [0_u32; 6];
        for seed in 0..6000 {
            for row in draw(&labels, Draw::PerClass(1), seed).unwrap() {
                counts[row] += 1;
            }
        }
        // Expected 1500 and 3000; four standard deviations are 134 and 155.
        for (row, &count) in counts.iter().enumerate() {
            let expected = if row < 4 { 1500 } else { 3000 };
            assert!(count.abs_diff(expected) < 160, "{counts:?}");
        }
    }
}
