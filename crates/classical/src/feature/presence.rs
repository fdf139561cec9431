//! In how many rows features occur, and what that says about the rows: how pivots and domain-independent features are chosen.

use ndarray::{Array1, Array2, Axis};
use translearn_core::{Features, TransferError};

/// In how many rows of each group each feature occurs, that is, is above 0 (`n_groups x d`); and the sizes of the groups.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Presence {
    pub counts: Array2<f64>,
    pub sizes: Array1<f64>,
}

impl Presence {
    /// `group` says which group a row is in.
    pub(super) fn of(
        rows: &Features,
        n_groups: usize,
        group: impl Fn(usize) -> usize,
    ) -> Result<Self, TransferError> {
        let mut counts = Array2::zeros((n_groups, rows.n_columns()));
        for_each_present(rows, |row, column| counts[[group(row), column]] += 1.0)?;
        let mut sizes = Array1::zeros(n_groups);
        (0..rows.n_rows()).for_each(|row| sizes[group(row)] += 1.0);
        Ok(Self { counts, sizes })
    }

    /// Features that occur in at least `least` rows of every group.
    pub(super) fn in_every_group(&self, least: usize) -> Vec<usize> {
        let often = |&column: &usize| {
            self.counts
                .column(column)
                .iter()
                .all(|&n| n >= least as f64)
        };
        (0..self.counts.ncols()).filter(often).collect()
    }

    /// In how many rows of all groups together each feature occurs.
    pub(super) fn total(&self) -> Array1<f64> {
        self.counts.sum_axis(Axis(0))
    }

    /// The mutual information, in nats, of the occurrence of each feature and the group of a row.
    pub(super) fn mutual_information(&self) -> Array1<f64> {
        let n = self.sizes.sum();
        let term = |joint: f64, occurrence: f64, size: f64| match joint > 0.0 {
            true => joint / n * (joint * n / (occurrence * size)).ln(),
            false => 0.0,
        };
        let information = |counts: ndarray::ArrayView1<'_, f64>| -> f64 {
            let total = counts.sum();
            let groups = counts.iter().zip(&self.sizes);
            groups
                .map(|(&count, &size)| {
                    term(count, total, size) + term(size - count, n - total, size)
                })
                .sum()
        };
        self.counts.columns().into_iter().map(information).collect()
    }
}

/// Every row and feature whose value is above 0, row by row.
pub(super) fn for_each_present(
    rows: &Features,
    mut visit: impl FnMut(usize, usize),
) -> Result<(), TransferError> {
    if let Features::Sparse(sparse) = rows {
        let present = sparse.iter().filter(|(value, _)| **value > 0.0);
        present.for_each(|(_, (row, column))| visit(row, column));
        return Ok(());
    }
    let dense = rows.dense()?;
    let present = dense.indexed_iter().filter(|(_, value)| **value > 0.0);
    present.for_each(|((row, column), _)| visit(row, column));
    Ok(())
}

/// The `k` of the `candidates` with the largest `score`, the first on ties, in ascending order.
pub(super) fn largest(candidates: &[usize], k: usize, score: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut order = candidates.to_vec();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
    order.truncate(k);
    order.sort_unstable();
    order
}

/// Which of `d` features serve as pivots: `k` of the candidates, where nothing is asked for a tenth of all (1 to 500). At
/// least one feature has to be left over, so a single feature is none.
///
/// # Errors
/// [`TransferError::InvalidParameter`] in the name of `parameter` when there are not as many.
pub(super) fn choose(
    parameter: &str,
    asked: Option<usize>,
    d: usize,
    candidates: &[usize],
    score: impl Fn(usize) -> f64,
) -> Result<Vec<usize>, TransferError> {
    if asked.is_none() && d == 1 {
        return Ok(Vec::new());
    }
    let most = candidates.len().min(d.saturating_sub(1));
    let k = asked.unwrap_or_else(|| (d / 10).clamp(1, 500).min(most));
    if k == 0 || k > most {
        return Err(TransferError::InvalidParameter {
            name: parameter.to_owned(),
            value: k.to_string(),
            range: format!(
                "integer in [1, {most}] ({} of {d} features occur in `min_count` rows of both domains)",
                candidates.len()
            ),
        });
    }
    Ok(largest(candidates, k, score))
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;
    use translearn_core::seed;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// From the definition, with the probability of every pair of values counted out.
        #[test]
        fn mutual_information_is_that_of_the_joint_distribution(
            n in 1usize..20, groups in 1usize..4, sparse: bool, seed in 0u64..500,
        ) {
            let mut rng = seed::rng(seed);
            let x = Array2::from_shape_simple_fn((n, 3), || rng.normal());
            let group: Vec<usize> = (0..n).map(|_| rng.below(groups)).collect();
            let mut rows = Features::from(x.clone());
            if sparse {
                rows = Features::Sparse(rows.to_sparse().unwrap().into_owned());
            }
            let presence = Presence::of(&rows, groups, |row| group[row]).unwrap();
            let share = |keep: &dyn Fn(usize) -> bool| (0..n).filter(|&row| keep(row)).count() as f64 / n as f64;
            for column in 0..3 {
                let occurs = |row: usize| x[[row, column]] > 0.0;
                let mut expected = 0.0;
                for value in [false, true] {
                    for g in 0..groups {
                        let joint = share(&|row| occurs(row) == value && group[row] == g);
                        let product = share(&|row| occurs(row) == value) * share(&|row| group[row] == g);
                        if joint > 0.0 {
                            expected += joint * (joint / product).ln();
                        }
                    }
                }
                let ours = presence.mutual_information()[column];
                prop_assert!((ours - expected).abs() < 1e-12, "{ours} and {expected}");
            }
        }
    }

    #[test]
    fn features_are_chosen_by_score_and_then_by_place() {
        let presence = Presence {
            counts: array![[3.0, 2.0, 9.0, 4.0], [5.0, 2.0, 0.0, 4.0]],
            sizes: array![10.0, 10.0],
        };
        let candidates = presence.in_every_group(2);
        assert_eq!(candidates, [0, 1, 3]);
        let total = presence.total();
        let choose = |asked| choose("n_pivots", asked, 4, &candidates, |column| total[column]);
        assert_eq!(choose(Some(1)).unwrap(), [0]);
        assert_eq!(choose(Some(2)).unwrap(), [0, 3]);
        assert_eq!(choose(None).unwrap(), [0]);
        assert!(
            super::choose("n_pivots", None, 1, &[0], |_| 1.0)
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            choose(Some(4)).unwrap_err().to_string(),
            "`n_pivots` = 4 is outside integer in [1, 3] (3 of 4 features occur in `min_count` rows of both domains)"
        );
    }
}
