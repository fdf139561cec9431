//! Growing a tree from the root down, exact and greedy.

use rayon::prelude::*;
use translearn_core::seed::{self, Rng};

use super::{
    model::Node,
    sorted::SortedFeatures,
    split::{self, ClassImpurity, Classes, Criterion, Entry, Split, Values},
};

/// Entries of a node beyond which its features are scanned in parallel; below, handing out the work costs more.
const PARALLEL_ENTRIES: usize = 1 << 14;

/// Where growth stops, and how many features a split may choose from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_depth: usize,
    pub(crate) min_samples_leaf: usize,
    /// `None`: all, in ascending order.
    pub(crate) max_features: Option<usize>,
}

/// A grown tree: nodes, the leaves' values, and the leaf each row fell into (0 for rows of weight 0).
pub(crate) struct Grown {
    pub(crate) nodes: Vec<Node>,
    pub(crate) leaves: Vec<Vec<f64>>,
    pub(crate) leaf_of_row: Vec<u32>,
}

/// A tree for classes; weights must not be negative, rows of weight 0 do not exist for it.
pub(super) fn grow_classes(
    sorted: &SortedFeatures,
    codes: &[usize],
    n_classes: usize,
    weights: &[f64],
    measure: ClassImpurity,
    limits: Limits,
    seed: u64,
) -> Grown {
    Grower::new(
        sorted,
        weights,
        Classes::new(codes, weights, n_classes, measure),
        limits,
        seed,
    )
    .grow()
}

/// A tree for real values.
pub(crate) fn grow_values(
    sorted: &SortedFeatures,
    values: &[f64],
    weights: &[f64],
    limits: Limits,
    seed: u64,
) -> Grown {
    Grower::new(sorted, weights, Values::new(values, weights), limits, seed).grow()
}

/// Rows `start..end` of the grower, waiting to be split.
struct Open<N> {
    index: usize,
    start: usize,
    end: usize,
    depth: usize,
    totals: N,
}

struct Grower<'a, C: Criterion> {
    sorted: &'a SortedFeatures,
    criterion: C,
    limits: Limits,
    /// The rows, those of a node next to each other.
    rows: Vec<u32>,
    /// The same rows in the order of each feature, kept in step; empty when only some features are looked at per node,
    /// for then sorting those is cheaper than carrying all along.
    kept: Vec<Vec<Entry>>,
    goes_left: Vec<bool>,
    features: Vec<usize>,
    rng: Rng,
    grown: Grown,
}

impl<'a, C: Criterion> Grower<'a, C> {
    fn new(
        sorted: &'a SortedFeatures,
        weights: &[f64],
        criterion: C,
        limits: Limits,
        seed: u64,
    ) -> Self {
        let present = |&row: &u32| weights[row as usize] > 0.0;
        let rows: Vec<u32> = (0..sorted.n_rows() as u32).filter(present).collect();
        let kept = if limits
            .max_features
            .is_some_and(|most| most < sorted.n_columns())
        {
            Vec::new()
        } else {
            let entries = |feature| {
                let column = sorted.column(feature);
                let order = column.order.iter().copied().filter(present);
                order
                    .map(|row| split::entry(column.ranks[row as usize], row))
                    .collect()
            };
            (0..sorted.n_columns())
                .into_par_iter()
                .map(entries)
                .collect()
        };
        Self {
            sorted,
            criterion,
            limits,
            rows,
            kept,
            goes_left: vec![false; sorted.n_rows()],
            features: (0..sorted.n_columns()).collect(),
            rng: seed::rng(seed),
            grown: Grown {
                nodes: Vec::new(),
                leaves: Vec::new(),
                leaf_of_row: vec![0; sorted.n_rows()],
            },
        }
    }

    fn grow(mut self) -> Grown {
        self.grown.nodes.push(Node::Leaf { value: 0 });
        let mut open: Vec<_> = self.settle(0, 0, self.rows.len(), 0).into_iter().collect();
        while let Some(node) = open.pop() {
            let Some(split) = self.best_split(&node) else {
                self.leaf(&node);
                continue;
            };
            let middle = self.partition_rows(&node, split);
            let left = self.grown.nodes.len();
            self.grown
                .nodes
                .extend([Node::Leaf { value: 0 }, Node::Leaf { value: 0 }]);
            self.grown.nodes[node.index] = Node::Split {
                feature: split.feature as u32,
                threshold: self
                    .sorted
                    .column(split.feature)
                    .threshold(split.below, split.above),
                left: left as u32,
            };
            let before = open.len();
            open.extend(self.settle(left + 1, middle, node.end, node.depth + 1));
            open.extend(self.settle(left, node.start, middle, node.depth + 1));
            if open.len() > before {
                self.partition_kept(&node, split.feature, middle);
            }
        }
        self.grown
    }

    /// The node as one to split, or `None` once it has been made a leaf.
    fn settle(
        &mut self,
        index: usize,
        start: usize,
        end: usize,
        depth: usize,
    ) -> Option<Open<C::Node>> {
        let node = Open {
            index,
            start,
            end,
            depth,
            totals: self.criterion.node(&self.rows[start..end]),
        };
        let done = depth >= self.limits.max_depth
            || end - start < 2 * self.limits.min_samples_leaf
            || self.criterion.impurity(&node.totals) <= 0.0;
        if done {
            self.leaf(&node);
            return None;
        }
        Some(node)
    }

    fn leaf(&mut self, node: &Open<C::Node>) {
        let value = self.grown.leaves.len() as u32;
        for &row in &self.rows[node.start..node.end] {
            self.grown.leaf_of_row[row as usize] = value;
        }
        self.grown.leaves.push(self.criterion.value(&node.totals));
        self.grown.nodes[node.index] = Node::Leaf { value };
    }

    /// The best split among all features, or among those drawn for this node and on through the rest, one by one, while
    /// none of those can be split.
    fn best_split(&mut self, node: &Open<C::Node>) -> Option<Split> {
        let n_features = self.features.len();
        let n_drawn = self
            .limits
            .max_features
            .map_or(0, |most| most.min(n_features));
        for place in 0..n_drawn {
            self.draw(place);
        }
        let looked_at = if n_drawn > 0 { n_drawn } else { n_features };
        let mut best = self.best_of(node, &self.features[..looked_at]);
        for place in looked_at..n_features {
            if best.is_some() {
                break;
            }
            self.draw(place);
            best = self.best_along(node, self.features[place]);
        }
        best
    }

    /// Puts one of the features from `place` on, drawn at random, at `place`.
    fn draw(&mut self, place: usize) {
        let other = place + self.rng.below(self.features.len() - place);
        self.features.swap(place, other);
    }

    /// The best split along these features, the first of them on ties.
    fn best_of(&self, node: &Open<C::Node>, features: &[usize]) -> Option<Split> {
        let better = |a, b| split::better(&self.criterion, &node.totals, a, b);
        let along = |&feature: &usize| self.best_along(node, feature);
        if (node.end - node.start) * features.len() < PARALLEL_ENTRIES {
            return features.iter().map(along).fold(None, better);
        }
        // Collected, then compared in order: the choice does not depend on which thread finishes first.
        let splits: Vec<_> = features.par_iter().map(along).collect();
        splits.into_iter().fold(None, better)
    }

    fn best_along(&self, node: &Open<C::Node>, feature: usize) -> Option<Split> {
        let scan = |entries: &[Entry]| {
            split::best_along(
                &self.criterion,
                &node.totals,
                feature,
                entries,
                self.limits.min_samples_leaf,
            )
        };
        if let Some(kept) = self.kept.get(feature) {
            return scan(&kept[node.start..node.end]);
        }
        let ranks = &self.sorted.column(feature).ranks;
        let rows = &self.rows[node.start..node.end];
        let mut entries: Vec<Entry> = rows
            .iter()
            .map(|&row| split::entry(ranks[row as usize], row))
            .collect();
        entries.sort_unstable();
        scan(&entries)
    }

    /// Brings the rows that go left to the front of the node's rows, both sides in their old order, and returns where
    /// the right side starts.
    fn partition_rows(&mut self, node: &Open<C::Node>, split: Split) -> usize {
        let ranks = &self.sorted.column(split.feature).ranks;
        let rows = &mut self.rows[node.start..node.end];
        for &row in rows.iter() {
            self.goes_left[row as usize] = ranks[row as usize] <= split.below;
        }
        let n_left = partition(rows, &mut vec![0; node.end - node.start], |&row| {
            self.goes_left[row as usize]
        });
        node.start + n_left
    }

    /// The same for the rows in the order of each feature. Along the feature of the split they lie right already.
    fn partition_kept(&mut self, node: &Open<C::Node>, split_on: usize, middle: usize) {
        let (start, end) = (node.start, node.end);
        let goes_left = &self.goes_left;
        let one = |scratch: &mut Vec<Entry>, (feature, entries): (usize, &mut Vec<Entry>)| {
            if feature != split_on {
                let n_left = partition(&mut entries[start..end], scratch, |&entry| {
                    goes_left[split::row(entry)]
                });
                debug_assert_eq!(start + n_left, middle);
            }
        };
        let size = end - start;
        if size * self.kept.len() < PARALLEL_ENTRIES {
            let mut scratch = vec![0; size];
            self.kept
                .iter_mut()
                .enumerate()
                .for_each(|pair| one(&mut scratch, pair));
        } else {
            self.kept
                .par_iter_mut()
                .enumerate()
                .for_each_init(|| vec![0; size], one);
        }
    }
}

/// Stable partition; returns how many items went left. Branch-free, for the sides are as good as random.
fn partition<T: Copy>(items: &mut [T], scratch: &mut [T], goes_left: impl Fn(&T) -> bool) -> usize {
    let (mut n_left, mut n_right) = (0, 0);
    for index in 0..items.len() {
        let item = items[index];
        let left = goes_left(&item);
        items[n_left] = item;
        scratch[n_right] = item;
        n_left += usize::from(left);
        n_right += usize::from(!left);
    }
    items[n_left..].copy_from_slice(&scratch[..n_right]);
    n_left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_stable() {
        let mut items = [5, 2, 8, 1, 9, 4, 7];
        assert_eq!(partition(&mut items, &mut [0; 7], |&x| x % 2 == 0), 3);
        assert_eq!(items, [2, 8, 4, 5, 1, 9, 7]);
        assert_eq!(partition(&mut items, &mut [0; 7], |_| true), 7);
        assert_eq!(partition(&mut items, &mut [0; 7], |_| false), 0);
        assert_eq!(items, [2, 8, 4, 5, 1, 9, 7]);
    }
}
