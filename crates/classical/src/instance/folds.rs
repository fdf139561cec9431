//! Folds that depend on the values of the rows alone, so that no fold changes when rows change places.

use translearn_core::Features;

/// The fold of each row, one of `n_folds`: the rows of a group, in the order of their values, take turns. So every fold
/// gets its share of every group and of every region of the data.
pub(super) fn folds(
    features: &Features,
    group: impl Fn(usize) -> usize,
    n_folds: usize,
) -> Vec<usize> {
    let mut fold_of = vec![0; features.n_rows()];
    let mut next: Vec<usize> = Vec::new();
    for row in features.rows_by_value() {
        let group = group(row);
        if next.len() <= group {
            next.resize(group + 1, 0);
        }
        fold_of[row] = next[group];
        next[group] = (next[group] + 1) % n_folds;
    }
    fold_of
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;
    use translearn_core::seed;

    use super::*;

    proptest! {
        #[test]
        fn folds_follow_their_rows(n in 1usize..30, n_folds in 2usize..6, seed in 0u64..1000) {
            let mut rng = seed::rng(seed);
            let x = Array2::from_shape_simple_fn((n, 2), || rng.normal());
            let order = rng.permutation(n);
            let group = |row: usize| usize::from(x[[row, 0]] > 0.0);
            let original = folds(&Features::from(x.clone()), group, n_folds);
            let shuffled = Features::from(x.select(ndarray::Axis(0), &order));
            let moved = folds(&shuffled, |row| group(order[row]), n_folds);
            for (row, &from) in order.iter().enumerate() {
                prop_assert_eq!(moved[row], original[from]);
            }
            // Within a group no two folds differ by more than a row.
            for wanted in 0..2 {
                let size = |fold: usize| (0..n).filter(|&i| group(i) == wanted && original[i] == fold).count();
                let sizes: Vec<usize> = (0..n_folds).map(size).collect();
                prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            }
        }
    }
}
