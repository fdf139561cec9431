//! The codes themselves.

use ndarray::{Array2, ArrayView1};
use translearn_core::{Features, FitSample, Labels, Sample, TransferError};
use translearn_learners::{Tree, TreeNode, TreeParams};

use super::CodeLength;

/// What the codes are about.
pub(super) struct Coded<'a> {
    pub(super) rows: Array2<f64>,
    pub(super) classes: Vec<usize>,
    pub(super) n_classes: usize,
    pub(super) source: &'a Tree,
    pub(super) source_weight: f64,
    pub(super) grows: TreeParams,
}

impl Coded<'_> {
    /// The shortest code of some rows with a tree of their own.
    pub(super) fn alone(&self, rows: &[usize]) -> Result<CodeLength, TransferError> {
        let leaf = self.leaf(rows);
        let pure = rows
            .windows(2)
            .all(|pair| self.classes[pair[0]] == self.classes[pair[1]]);
        if pure {
            return Ok(leaf);
        }
        let features = Features::from(self.rows.select(ndarray::Axis(0), rows));
        let labels = Labels::Classes(rows.iter().map(|&row| self.classes[row]).collect());
        let sample = Sample::new(&features, &labels, self.n_classes)?;
        Ok(self.cut_back(&self.grows.fit_sample(&sample, 0)?, 0, rows))
    }

    /// The shortest code along a grown tree.
    fn cut_back(&self, tree: &Tree, number: usize, rows: &[usize]) -> CodeLength {
        let leaf = self.leaf(rows);
        let Some(TreeNode::Split {
            feature,
            threshold,
            left,
            right,
        }) = tree.node(number)
        else {
            return leaf;
        };
        let mut values: Vec<f64> = rows.iter().map(|&row| self.rows[[row, feature]]).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        if values.len() < 2 {
            return leaf;
        }
        let (below, above) = self.part(rows, feature, threshold);
        let cut = (self.rows.ncols() as f64).log2() + ((values.len() - 1) as f64).log2();
        let split = self
            .cut_back(tree, left, &below)
            .and(self.cut_back(tree, right, &above));
        leaf.or(split.behind(1.0 + cut))
    }

    /// The shortest code of some rows along the source's tree, which is left after so many splits more.
    pub(super) fn given_source(
        &self,
        rows: &[usize],
        number: usize,
        splits_left: usize,
    ) -> Result<CodeLength, TransferError> {
        let alone = self.alone(rows)?;
        let same = match self.source.node(number) {
            Some(TreeNode::Leaf(shares)) => self.labels(rows, Some(shares)),
            // Of no rows, no split is as short as a leaf.
            Some(TreeNode::Split {
                feature,
                threshold,
                left,
                right,
            }) if splits_left > 0 && !rows.is_empty() => {
                let (below, above) = self.part(rows, feature, threshold);
                let below = self.given_source(&below, left, splits_left - 1)?;
                below.and(self.given_source(&above, right, splits_left - 1)?)
            }
            _ => alone,
        };
        Ok(same.or(alone).behind(1.0))
    }

    fn part(&self, rows: &[usize], feature: usize, threshold: f64) -> (Vec<usize>, Vec<usize>) {
        rows.iter()
            .partition(|&&row| self.rows[[row, feature]] <= threshold)
    }

    fn leaf(&self, rows: &[usize]) -> CodeLength {
        self.labels(rows, None).behind(1.0)
    }

    /// The labels of a leaf, one after the other by what was seen before, beginning with what the source expects.
    pub(super) fn labels(
        &self,
        rows: &[usize],
        expected: Option<ArrayView1<'_, f64>>,
    ) -> CodeLength {
        let mut seen: Vec<f64> = (0..self.n_classes)
            .map(|class| 1.0 + expected.map_or(0.0, |shares| self.source_weight * shares[class]))
            .collect();
        let mut all: f64 = seen.iter().sum();
        let mut label_bits = 0.0;
        for &row in rows {
            let class = self.classes[row];
            label_bits -= (seen[class] / all).log2();
            seen[class] += 1.0;
            all += 1.0;
        }
        CodeLength {
            tree_bits: 0.0,
            label_bits,
        }
    }
}
