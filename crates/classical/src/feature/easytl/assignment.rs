//! The linear programme of EasyTL: every row to one class, every class at least one row, at the least cost.

use ndarray::{Array2, Axis};

/// An optimal assignment with the prices that prove it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Assignment {
    /// The class of each row.
    pub(super) classes: Vec<usize>,
    /// What each class pays for a row: row `j` is in a class of least `cost_jc - price_c`.
    pub(super) prices: Vec<f64>,
}

/// Solves `min Σ cost_jc m_jc` over `m ≥ 0`, `Σ_c m_jc = 1`, `Σ_j m_jc ≥ 1`, for `costs` of `n x C` with `n ≥ C`.
///
/// It is a problem of transport, whose optima lie at assignments. Every row begins in its nearest class, which is
/// optimal but for the classes that are empty. Each of these in turn gets a row by the cheapest chain of moves from a
/// class that has rows to spare; an assignment that was optimal stays so. The prices solve the dual `max Σ_j min_c
/// (cost_jc - p_c) + Σ_c p_c` over `p ≥ 0`.
pub(super) fn assign(costs: &Array2<f64>) -> Assignment {
    let n_classes = costs.ncols();
    let mut classes: Vec<usize> = costs.outer_iter().map(|row| least(row.iter())).collect();
    let mut counts = vec![0; n_classes];
    classes.iter().for_each(|&class| counts[class] += 1);
    // Sums along a chain are off by some roundings of the largest cost; what is below is no gain.
    let rounding = 1e-12 * costs.fold(0.0_f64, |largest, cost| largest.max(cost.abs()));
    for empty in 0..n_classes {
        if counts[empty] > 0 {
            continue;
        }
        let moves = Moves::of(costs, &classes);
        let spare: Vec<bool> = counts.iter().map(|&count| count > 1).collect();
        let mut to = empty;
        for (from, row) in moves.cheapest_chain(&spare, empty, rounding) {
            classes[row] = to;
            to = from;
        }
        counts[to] -= 1;
        counts[empty] += 1;
    }
    let prices = Moves::of(costs, &classes).prices(rounding);
    Assignment { classes, prices }
}

fn least<'a>(values: impl Iterator<Item = &'a f64>) -> usize {
    let mut best = (0, f64::INFINITY);
    for (at, &value) in values.enumerate() {
        if value < best.1 {
            best = (at, value);
        }
    }
    best.0
}

/// What the cheapest row of one class costs more in another.
struct Moves {
    /// `C x C`, from row to column; infinite from a class without rows.
    costs: Array2<f64>,
    rows: Array2<usize>,
}

impl Moves {
    fn of(costs: &Array2<f64>, classes: &[usize]) -> Self {
        let n_classes = costs.ncols();
        let mut moves = Self {
            costs: Array2::from_elem((n_classes, n_classes), f64::INFINITY),
            rows: Array2::zeros((n_classes, n_classes)),
        };
        for (row, &from) in classes.iter().enumerate() {
            for to in 0..n_classes {
                let more = costs[[row, to]] - costs[[row, from]];
                if to != from && more < moves.costs[[from, to]] {
                    moves.costs[[from, to]] = more;
                    moves.rows[[from, to]] = row;
                }
            }
        }
        moves
    }

    /// The moves `(from, row)` of the cheapest chain from any of the classes in `spare` to `end`, the last move first.
    fn cheapest_chain(&self, spare: &[bool], end: usize, rounding: f64) -> Vec<(usize, usize)> {
        let n_classes = spare.len();
        let mut cost: Vec<f64> = spare
            .iter()
            .map(|&spare| if spare { 0.0 } else { f64::INFINITY })
            .collect();
        let mut before = vec![None; n_classes];
        // Bellman and Ford: a chain passes no class twice, for an optimal assignment has no circle of moves with a gain.
        for _ in 1..n_classes {
            for ((from, to), &more) in self.costs.indexed_iter() {
                if cost[from] + more < cost[to] - rounding {
                    cost[to] = cost[from] + more;
                    before[to] = Some(from);
                }
            }
        }
        let mut chain = Vec::new();
        let mut to = end;
        while let Some(from) = before[to] {
            chain.push((from, self.rows[[from, to]]));
            to = from;
        }
        chain
    }

    /// Prices `p ≥ 0` with `p_b - p_a` at most the cost of a move from `a` to `b`, which is what makes them optimal; 0
    /// for each class that needs none. Where more than one price will do, the mean of the extreme solutions, one from
    /// each class that pays and one from those that do not: so no row lies on the boundary between two classes, unless
    /// it must.
    fn prices(&self, rounding: f64) -> Vec<f64> {
        let chains = self.cheapest_chains();
        // A row is kept only by a price of at least what it would gain elsewhere.
        let lowest = |class: usize| chains.row(class).fold(0.0_f64, |low, &cost| low.max(-cost));
        let (paying, free): (Vec<usize>, Vec<usize>) =
            (0..chains.nrows()).partition(|&class| lowest(class) > rounding);
        // All that do not pay stand at one price, as if they were one class.
        let cheapest = |costs: &mut dyn Iterator<Item = f64>| costs.fold(f64::INFINITY, f64::min);
        let to_free = |class: usize| cheapest(&mut free.iter().map(|&to| chains[[class, to]]));
        let from_free =
            |class: usize| cheapest(&mut free.iter().map(|&from| chains[[from, class]]));
        let mut prices = vec![0.0; chains.nrows()];
        for &class in &paying {
            let extremes = paying.iter().map(|&from| {
                let out = to_free(from);
                chains[[from, class]].min(out + from_free(class)) - out
            });
            let sum = from_free(class) + extremes.sum::<f64>();
            prices[class] = sum / (paying.len() + 1) as f64;
        }
        prices
    }

    /// What the cheapest chain of moves between any two classes costs (Floyd and Warshall).
    fn cheapest_chains(&self) -> Array2<f64> {
        let mut chains = self.costs.clone();
        chains.diag_mut().fill(0.0);
        for middle in 0..chains.nrows() {
            let onward = chains.row(middle).to_owned();
            for mut row in chains.axis_iter_mut(Axis(0)) {
                let first = row[middle];
                row.zip_mut_with(&onward, |cost, more| *cost = cost.min(first + more));
            }
        }
        chains
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;
    use translearn_core::seed;

    fn total(costs: &Array2<f64>, classes: &[usize]) -> f64 {
        classes
            .iter()
            .enumerate()
            .map(|(row, &class)| costs[[row, class]])
            .sum()
    }

    /// The least cost of all assignments that leave no class empty.
    fn by_trying_all(costs: &Array2<f64>) -> f64 {
        let (n, n_classes) = costs.dim();
        (0..n_classes.pow(n as u32))
            .filter_map(|code| {
                let classes: Vec<usize> = (0..n)
                    .map(|row| code / n_classes.pow(row as u32) % n_classes)
                    .collect();
                (0..n_classes)
                    .all(|class| classes.contains(&class))
                    .then(|| total(costs, &classes))
            })
            .fold(f64::INFINITY, f64::min)
    }

    /// Rows near some of the classes, so that others stay empty unless they are paid for.
    fn draw(n: usize, n_classes: usize, crowded: usize, seed: u64) -> Array2<f64> {
        let mut rng = seed::rng(seed);
        Array2::from_shape_fn((n, n_classes), |(_, class)| {
            let near = if class < crowded { 0.0 } else { 2.0 };
            near + rng.uniform()
        })
    }

    /// Feasible on both sides, and no gap between them.
    fn check(costs: &Array2<f64>, solved: &Assignment) -> Result<(), TestCaseError> {
        let Assignment { classes, prices } = solved;
        for class in 0..costs.ncols() {
            prop_assert!(classes.contains(&class), "class {class} is empty");
            prop_assert!(prices[class] >= 0.0);
        }
        let cheapest = |row: usize| {
            (0..costs.ncols())
                .map(|class| costs[[row, class]] - prices[class])
                .fold(f64::INFINITY, f64::min)
        };
        let dual = (0..costs.nrows()).map(cheapest).sum::<f64>() + prices.iter().sum::<f64>();
        let primal = total(costs, classes);
        prop_assert!((primal - dual).abs() < 1e-9, "{primal} against {dual}");
        // Strictly, too: the prices give the classes back, with something to spare.
        for (row, &class) in classes.iter().enumerate() {
            for other in (0..costs.ncols()).filter(|&other| other != class) {
                let margin =
                    costs[[row, other]] - prices[other] - costs[[row, class]] + prices[class];
                prop_assert!(margin > 0.0, "row {row} is on the boundary");
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn small_programmes_are_solved(n in 3usize..7, crowded in 1usize..4, seed in 0u64..10_000) {
            let costs = draw(n, 3, crowded, seed);
            let solved = assign(&costs);
            prop_assert!((total(&costs, &solved.classes) - by_trying_all(&costs)).abs() < 1e-12);
            check(&costs, &solved)?;
        }

        #[test]
        fn the_dual_proves_large_ones(n in 12usize..60, crowded in 1usize..13, seed in 0u64..10_000) {
            let costs = draw(n, 12, crowded, seed);
            check(&costs, &assign(&costs))?;
        }
    }

    #[test]
    fn no_class_pays_where_each_has_a_row() {
        let costs = array![[0.0, 1.0], [0.1, 0.5], [3.0, 1.0]];
        let solved = assign(&costs);
        assert_eq!(solved.classes, [0, 0, 1]);
        assert_eq!(solved.prices, [0.0, 0.0]);
    }

    #[test]
    fn the_price_lies_between_the_row_it_buys_and_the_next() {
        // To class 1 the rows cost 4, 2 and 3 more: it buys the second, and would have to pay 3 for the third.
        let costs = array![[0.0, 4.0], [0.0, 2.0], [0.0, 3.0]];
        let solved = assign(&costs);
        assert_eq!(solved.classes, [0, 1, 0]);
        assert_eq!(solved.prices, [0.0, 2.5]);
    }
}
