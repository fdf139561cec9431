//! What a split is worth, and the best split along one feature.

/// Splits whose worth differs by less than this share of the node's impurity are ties, decided for the feature looked
/// at first and then the lower threshold. Sums differ by rounding when rows come in another order; this keeps the choice the same.
const TIE: f64 = 1e-10;

/// A row in the order of one feature: the rank of its value in the upper half, the row in the lower.
pub(super) type Entry = u64;

pub(super) fn entry(rank: u32, row: u32) -> Entry {
    u64::from(rank) << 32 | u64::from(row)
}

pub(super) fn row(entry: Entry) -> usize {
    (entry & u64::from(u32::MAX)) as usize
}

fn rank(entry: Entry) -> u32 {
    (entry >> 32) as u32
}

/// A split of a node: rows whose rank along `feature` is at most `below` go left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    pub(super) gain: f64,
    pub(super) feature: usize,
    pub(super) below: u32,
    pub(super) above: u32,
}

/// What is predicted and how impurity is measured.
///
/// All weights of a node are taken relative to its total, so that rows of weight 1e-200 split as rows of weight 1 do.
pub(super) trait Criterion: Sync {
    /// Totals of a node.
    type Node: Send + Sync;
    /// Totals of the rows left of a candidate split.
    type Left;

    fn node(&self, rows: &[u32]) -> Self::Node;
    /// Impurity of the node; 0 when there is nothing to part.
    fn impurity(&self, node: &Self::Node) -> f64;
    /// What a leaf predicts.
    fn value(&self, node: &Self::Node) -> Vec<f64>;
    fn left(&self, node: &Self::Node) -> Self::Left;
    fn push(&self, node: &Self::Node, left: &mut Self::Left, row: usize);
    /// By how much the split lowers the impurity of the node.
    fn gain(&self, node: &Self::Node, left: &Self::Left) -> f64;
}

/// The best split of `entries`, the node's rows in ascending order along `feature`; `None` when no boundary between two
/// different values leaves `min_samples_leaf` rows on both sides.
pub(super) fn best_along<C: Criterion>(
    criterion: &C,
    node: &C::Node,
    feature: usize,
    entries: &[Entry],
    min_samples_leaf: usize,
) -> Option<Split> {
    let tie = tie(criterion, node);
    let mut left = criterion.left(node);
    let mut best: Option<Split> = None;
    for (position, pair) in entries.windows(2).enumerate() {
        criterion.push(node, &mut left, row(pair[0]));
        let (below, above) = (rank(pair[0]), rank(pair[1]));
        let n_left = position + 1;
        if below == above || n_left < min_samples_leaf || entries.len() - n_left < min_samples_leaf
        {
            continue;
        }
        let gain = criterion.gain(node, &left);
        if best.is_none_or(|best| gain > best.gain + tie) {
            best = Some(Split {
                gain,
                feature,
                below,
                above,
            });
        }
    }
    best
}

/// The better of two splits, `a` being of the feature looked at first.
pub(super) fn better<C: Criterion>(
    criterion: &C,
    node: &C::Node,
    a: Option<Split>,
    b: Option<Split>,
) -> Option<Split> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.gain > a.gain + tie(criterion, node) {
            b
        } else {
            a
        }),
        (a, b) => a.or(b),
    }
}

fn tie<C: Criterion>(criterion: &C, node: &C::Node) -> f64 {
    TIE * criterion.impurity(node)
}

/// Impurity of a distribution over classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClassImpurity {
    /// 1 − Σ p².
    Gini,
    /// −Σ p ln p.
    Entropy,
}

/// Classification: leaves hold the share of each class.
pub(super) struct Classes {
    rows: Vec<(f64, u32)>,
    n_classes: usize,
    measure: ClassImpurity,
}

impl Classes {
    pub(super) fn new(
        codes: &[usize],
        weights: &[f64],
        n_classes: usize,
        measure: ClassImpurity,
    ) -> Self {
        let rows = weights
            .iter()
            .zip(codes)
            .map(|(&weight, &code)| (weight, code as u32))
            .collect();
        Self {
            rows,
            n_classes,
            measure,
        }
    }
}

pub(super) struct ClassNode {
    scale: f64,
    shares: Vec<f64>,
    impurity: f64,
}

pub(super) struct ClassLeft {
    total: f64,
    shares: Vec<f64>,
}

impl Criterion for Classes {
    type Node = ClassNode;
    type Left = ClassLeft;

    fn node(&self, rows: &[u32]) -> ClassNode {
        let mut shares = vec![0.0; self.n_classes];
        let heaviest = rows
            .iter()
            .map(|&row| self.rows[row as usize].0)
            .fold(0.0, f64::max);
        for &row in rows {
            let (weight, class) = self.rows[row as usize];
            shares[class as usize] += weight / heaviest;
        }
        let total: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
        let pure = shares.iter().filter(|&&share| share > 0.0).count() < 2;
        let impurity = if pure {
            0.0
        } else {
            self.measure.of(shares.iter().copied())
        };
        ClassNode {
            scale: 1.0 / (total * heaviest),
            shares,
            impurity,
        }
    }

    fn impurity(&self, node: &ClassNode) -> f64 {
        if node.scale.is_finite() {
            node.impurity
        } else {
            0.0
        }
    }

    fn value(&self, node: &ClassNode) -> Vec<f64> {
        node.shares.clone()
    }

    fn left(&self, _: &ClassNode) -> ClassLeft {
        ClassLeft {
            total: 0.0,
            shares: vec![0.0; self.n_classes],
        }
    }

    #[inline]
    fn push(&self, node: &ClassNode, left: &mut ClassLeft, row: usize) {
        let (weight, class) = self.rows[row];
        let share = weight * node.scale;
        left.total += share;
        left.shares[class as usize] += share;
    }

    #[inline]
    fn gain(&self, node: &ClassNode, left: &ClassLeft) -> f64 {
        let right = 1.0 - left.total;
        if right <= 0.0 {
            return 0.0;
        }
        match self.measure {
            // impurity − left·gini(left) − right·gini(right) with the common terms taken out, so that nothing cancels.
            ClassImpurity::Gini => {
                squared_deviation(&left.shares, &node.shares, left.total) / (left.total * right)
            }
            ClassImpurity::Entropy => {
                let of_left = self
                    .measure
                    .of(left.shares.iter().map(|share| share / left.total));
                let rest = left.shares.iter().zip(&node.shares);
                let of_right = self
                    .measure
                    .of(rest.map(|(share, all)| ((all - share) / right).max(0.0)));
                node.impurity - left.total * of_left - right * of_right
            }
        }
    }
}

impl ClassImpurity {
    fn of(self, shares: impl Iterator<Item = f64>) -> f64 {
        match self {
            Self::Gini => shares.map(|p| p * (1.0 - p)).sum(),
            Self::Entropy => shares.filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum(),
        }
    }
}

/// Σ (left − total · all)², in four partial sums so that the additions overlap.
#[inline]
fn squared_deviation(left: &[f64], all: &[f64], total: f64) -> f64 {
    let mut sums = [0.0; 4];
    let (left_blocks, all_blocks) = (left.chunks_exact(4), all.chunks_exact(4));
    let rest = left_blocks.remainder().iter().zip(all_blocks.remainder());
    for (a, b) in left_blocks.zip(all_blocks) {
        for lane in 0..4 {
            let deviation = a[lane] - total * b[lane];
            sums[lane] += deviation * deviation;
        }
    }
    for (lane, (a, b)) in rest.enumerate() {
        let deviation = a - total * b;
        sums[lane] += deviation * deviation;
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// Regression: leaves hold the mean, the impurity is the variance.
pub(super) struct Values {
    rows: Vec<(f64, f64)>,
}

impl Values {
    pub(super) fn new(values: &[f64], weights: &[f64]) -> Self {
        Self {
            rows: weights
                .iter()
                .copied()
                .zip(values.iter().copied())
                .collect(),
        }
    }
}

pub(super) struct ValueNode {
    scale: f64,
    mean: f64,
    variance: f64,
}

#[derive(Default)]
pub(super) struct ValueLeft {
    total: f64,
    deviation: f64,
}

impl Criterion for Values {
    type Node = ValueNode;
    type Left = ValueLeft;

    fn node(&self, rows: &[u32]) -> ValueNode {
        let rows = || rows.iter().map(|&row| self.rows[row as usize]);
        let heaviest = rows().map(|(weight, _)| weight).fold(0.0, f64::max);
        let total: f64 = rows().map(|(weight, _)| weight / heaviest).sum();
        let first = rows().next().map_or(0.0, |(_, value)| value);
        if rows().all(|(_, value)| value == first) {
            return ValueNode {
                scale: 1.0 / (total * heaviest),
                mean: first,
                variance: 0.0,
            };
        }
        let mean = first
            + rows()
                .map(|(weight, value)| weight / heaviest * (value - first))
                .sum::<f64>()
                / total;
        let squares: f64 = rows()
            .map(|(weight, value)| weight / heaviest * (value - mean).powi(2))
            .sum();
        ValueNode {
            scale: 1.0 / (total * heaviest),
            mean,
            variance: squares / total,
        }
    }

    fn impurity(&self, node: &ValueNode) -> f64 {
        if node.scale.is_finite() {
            node.variance
        } else {
            0.0
        }
    }

    fn value(&self, node: &ValueNode) -> Vec<f64> {
        vec![node.mean]
    }

    fn left(&self, _: &ValueNode) -> ValueLeft {
        ValueLeft::default()
    }

    #[inline]
    fn push(&self, node: &ValueNode, left: &mut ValueLeft, row: usize) {
        let (weight, value) = self.rows[row];
        let share = weight * node.scale;
        left.total += share;
        left.deviation += share * (value - node.mean);
    }

    #[inline]
    fn gain(&self, _: &ValueNode, left: &ValueLeft) -> f64 {
        let right = 1.0 - left.total;
        if right <= 0.0 {
            return 0.0;
        }
        left.deviation * left.deviation / (left.total * right)
    }
}
