use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;
use translearn_core::{
    Domain, Features, LabelSpace, Labels, Task, TransferError, TransferProblem, seed,
};

use crate::negative::NeighbourVote;

/// A problem whose target is `features`, of which the rows `known` have a label.
fn problem(features: Features, known: &[usize], labels: &[usize]) -> TransferProblem {
    let space = LabelSpace::numbered(3);
    let domain = |name: &str, features: Features| Domain {
        name: name.into(),
        features,
    };
    let first = features.select_rows(&[0]);
    TransferProblem::from_parts(
        vec![(
            domain("source", first),
            Task::labelled(space.clone(), Labels::Classes(array![0])),
        )],
        (
            domain("target", features),
            Task::partly_labelled(
                space,
                known.to_vec(),
                Labels::Classes(labels.iter().copied().collect()),
            ),
        ),
    )
    .unwrap()
}

/// Rows around three places, far apart or not; two predictions of all of them, and a few labels.
struct Case {
    x: Array2<f64>,
    baseline: Array1<usize>,
    method: Array1<usize>,
    known: Vec<usize>,
    labels: Vec<usize>,
}

impl Case {
    fn new(n: usize, d: usize, n_known: usize, seed: u64) -> Self {
        let mut rng = seed::rng(seed);
        let class = Array1::from_shape_simple_fn(n, || rng.below(3));
        let mut x = Array2::from_shape_simple_fn((n, d), || rng.normal());
        for (mut row, &class) in x.outer_iter_mut().zip(&class) {
            row[class % d] += 2.0;
        }
        let mut with_errors = |share: f64| {
            class.mapv(|class| {
                if rng.uniform() < share {
                    rng.below(3)
                } else {
                    class
                }
            })
        };
        let (baseline, method) = (with_errors(0.4), with_errors(0.3));
        let mut known = rng.choose(n, n_known);
        known.sort_unstable();
        let labels = known.iter().map(|&row| class[row]).collect();
        Self {
            x,
            baseline,
            method,
            known,
            labels,
        }
    }

    fn problem(&self, features: Features) -> TransferProblem {
        problem(features, &self.known, &self.labels)
    }

    /// The predictions of rows without a label.
    fn unlabelled(&self, of: &Array1<usize>) -> Labels {
        let rest = (0..of.len()).filter(|row| !self.known.contains(row));
        Labels::Classes(rest.map(|row| of[row]).collect())
    }

    fn vote(&self, vote: NeighbourVote, features: Features) -> Option<f64> {
        let (baseline, method) = (
            self.unlabelled(&self.baseline),
            self.unlabelled(&self.method),
        );
        vote.measure(&self.problem(features), &baseline, &method, 5)
            .unwrap()
    }

    /// The formula, with the distances of `places`.
    fn naive(&self, places: &Array2<f64>, k: usize) -> f64 {
        let n = places.nrows();
        let label = |row: usize| {
            self.known
                .iter()
                .position(|&known| known == row)
                .map(|at| self.labels[at])
        };
        let mut total = 0.0;
        for i in (0..n).filter(|&i| label(i).is_none() && self.baseline[i] != self.method[i]) {
            let distance = |j: usize| (&places.row(i) - &places.row(j)).mapv(|v| v * v).sum();
            let mut others: Vec<usize> = (0..n).filter(|&j| j != i).collect();
            others.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            let (mut a, mut b) = (0.0, 0.0);
            for &j in others.iter().take(k) {
                let said = match label(j) {
                    Some(class) => class,
                    None if self.baseline[j] == self.method[j] => self.method[j],
                    None => continue,
                };
                a += f64::from(u8::from(said == self.method[i]));
                b += f64::from(u8::from(said == self.baseline[i]));
            }
            total += (a - b) / (a + b + 1.0);
        }
        total / (n - self.known.len()) as f64
    }
}

/// Principal components one after the other: the direction of largest variance by steps of the power method, then taken away.
fn components(x: &Array2<f64>, p: usize) -> Array2<f64> {
    let mut left = x - &x.mean_axis(Axis(0)).unwrap();
    let mut places = Array2::zeros((x.nrows(), p));
    for at in 0..p {
        let scatter = left.t().dot(&left);
        let mut direction = Array1::from_shape_fn(x.ncols(), |column| 1.0 + 0.1 * column as f64);
        for _ in 0..20_000 {
            direction = scatter.dot(&direction);
            direction /= direction.dot(&direction).sqrt();
        }
        let place = left.dot(&direction);
        let outer = place
            .view()
            .insert_axis(Axis(1))
            .dot(&direction.view().insert_axis(Axis(0)));
        left -= &outer;
        places.column_mut(at).assign(&place);
    }
    places
}

proptest! {
    #[test]
    fn the_vote_is_its_formula(n in 2_usize..40, d in 1_usize..6, share in 0.0_f64..0.9, k in 1_usize..25, seed: u64) {
        let case = Case::new(n, d, (share * n as f64) as usize, seed);
        let vote = NeighbourVote::default().n_neighbors(k);
        let found = case.vote(vote, case.x.clone().into()).unwrap();
        prop_assert!((found - case.naive(&case.x, k)).abs() < 1e-12);
        // No more than what is disputed.
        let (one, other) = (case.unlabelled(&case.baseline), case.unlabelled(&case.method));
        let disputed = one.classes("test").unwrap().iter().zip(other.classes("test").unwrap()).filter(|(a, b)| a != b).count();
        prop_assert!(found.abs() <= disputed as f64 / one.len() as f64);
    }

    /// The other way round it is the same with the other sign.
    #[test]
    fn nobody_is_favoured(n in 5_usize..40, d in 1_usize..15, n_known in 0_usize..4, seed: u64) {
        let case = Case::new(n, d, n_known, seed);
        let vote = NeighbourVote::default().n_rows(20).n_components(3);
        let found = case.vote(vote, case.x.clone().into());
        let x = case.x.clone();
        let back = Case { baseline: case.method, method: case.baseline, ..case };
        prop_assert_eq!(found.map(|vote| -vote), back.vote(vote, x.into()));
    }

    /// Rows that change places change nothing, also where many are equal, have different labels, or lie equally far away.
    #[test]
    fn the_order_of_rows_changes_nothing(n in 5_usize..60, d in 1_usize..6, n_known in 0_usize..20, k in 1_usize..6, seed: u64) {
        let mut rng = seed::rng(seed);
        let x = Array2::from_shape_simple_fn((n, d), || rng.below(3) as f64);
        // Of equal rows the same is said.
        let said = |of: fn(f64) -> f64| x.map_axis(Axis(1), |row| {
            let sum: f64 = row.iter().enumerate().map(|(column, &v)| of(v) * (column + 1) as f64).sum();
            sum as usize % 3
        });
        let (baseline, method) = (said(|v| v), said(|v| v * v));
        let mut known = rng.choose(n, n_known);
        known.sort_unstable();
        let labels = known.iter().map(|_| rng.below(3)).collect();
        let case = Case { x, baseline, method, known, labels };
        let vote = NeighbourVote::default().n_rows(30).n_components(3).n_neighbors(k);
        let order = rng.permutation(n);
        let labelled = (0..n).filter_map(|at| {
            let known = case.known.iter().position(|&known| known == order[at])?;
            Some((at, case.labels[known]))
        });
        let (known, labels) = labelled.unzip();
        let moved = Case {
            x: case.x.select(Axis(0), &order),
            baseline: case.baseline.select(Axis(0), &order),
            method: case.method.select(Axis(0), &order),
            known,
            labels,
        };
        prop_assert_eq!(case.vote(vote, case.x.clone().into()), moved.vote(vote, moved.x.clone().into()));
    }
}

/// Labels are kept where rows are drawn, up to half of these; the vote is a share of the drawn rows without one.
#[test]
fn of_many_rows_some_are_drawn() {
    for (n_known, voters) in [(6, 6.0), (10, 10.0), (30, 10.0)] {
        let n = 40 + n_known;
        let case = Case {
            x: Array2::from_shape_fn((n, 2), |(row, column)| (row * (column + 1)) as f64),
            baseline: Array1::zeros(n),
            method: Array1::ones(n),
            known: (40..n).collect(),
            labels: vec![1; n_known],
        };
        let vote = NeighbourVote::default().n_rows(20).n_neighbors(19);
        let found = case.vote(vote, case.x.clone().into()).unwrap();
        assert!(
            (found - voters / (voters + 1.0)).abs() < 1e-12,
            "{n_known} {found}"
        );
    }
}

/// More rows than columns, more columns than rows, and sparse rows: all of them the components of the definition.
#[test]
fn many_columns_count_by_their_principal_components() {
    for (n, d, seed) in [(40, 12, 1), (15, 30, 2)] {
        let mut case = Case::new(n, d, 4, seed);
        // Variances that stand apart, which the power method needs.
        for (column, mut values) in case.x.columns_mut().into_iter().enumerate() {
            values *= 0.8_f64.powi(i32::try_from(column).unwrap());
        }
        let vote = NeighbourVote::default().n_components(3).n_neighbors(6);
        let expected = case.naive(&components(&case.x, 3), 6);
        let dense = Features::from(case.x.clone());
        for features in [
            dense.clone(),
            Features::Sparse(dense.to_sparse().unwrap().into_owned()),
        ] {
            let found = case.vote(vote, features).unwrap();
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }
}

#[test]
fn where_nobody_can_vote_there_is_none() {
    let classes = |codes: &[usize]| Labels::Classes(codes.iter().copied().collect());
    let vote = NeighbourVote::default();
    let measure = |problem: &TransferProblem, baseline: &Labels, method: &Labels| {
        vote.measure(problem, baseline, method, 0)
    };
    let x = Features::from(array![[0.0], [1.0], [2.0]]);
    // All rows have a label, and a single row.
    let labelled = problem(x.clone(), &[0, 1, 2], &[0, 1, 2]);
    assert_eq!(
        measure(&labelled, &classes(&[]), &classes(&[])).unwrap(),
        None
    );
    let single = problem(x.select_rows(&[1]), &[], &[]);
    assert_eq!(
        measure(&single, &classes(&[0]), &classes(&[1])).unwrap(),
        None
    );
    // All rows are disputed: nobody votes.
    let free = problem(x.clone(), &[], &[]);
    let found = measure(&free, &classes(&[0, 0, 0]), &classes(&[1, 1, 1])).unwrap();
    assert_eq!(found, Some(0.0));
    // Rows that are all the same, in more columns than are looked at.
    let same = problem(Features::from(Array2::ones((6, 20))), &[0], &[2]);
    let found = measure(
        &same,
        &classes(&[0, 0, 0, 0, 2]),
        &classes(&[0, 0, 0, 0, 0]),
    )
    .unwrap();
    // Four rows for 0, one for 2.
    assert!((found.unwrap() - (4.0 - 1.0) / 6.0 / 5.0).abs() < 1e-12);
    // Predictions of all rows instead of those without a label.
    let some = problem(x, &[0], &[0]);
    let error = measure(&some, &classes(&[0, 0]), &classes(&[0, 1, 1])).unwrap_err();
    assert!(
        matches!(
            error,
            TransferError::LengthMismatch {
                left_len: 2,
                right_len: 3,
                ..
            }
        ),
        "{error}"
    );
}
