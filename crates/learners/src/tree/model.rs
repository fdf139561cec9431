//! A fitted tree.

use ndarray::{Array1, Array2, ArrayView1};
use serde::{Deserialize, Serialize};
use translearn_core::{Features, Prediction, Predictor, TransferError, check_prediction_rows};

use super::grow::Grown;
use crate::rows::map_rows;

/// A node; children stand next to each other, after their parent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Node {
    /// Rows with `x[feature] <= threshold` go to node `left`, the others to `left + 1`.
    Split {
        feature: u32,
        threshold: f64,
        left: u32,
    },
    /// Row `value` of the leaves' values.
    Leaf { value: u32 },
}

/// A fitted decision tree, for classes or real values; see [`TreeParams`](crate::TreeParams).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Tree {
    n_columns: usize,
    classes: bool,
    nodes: Vec<Node>,
    /// One row per leaf: the share of each class, or the mean.
    leaves: Array2<f64>,
}

/// A tree as it is saved; read back only when every index in it stays inside.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    n_columns: usize,
    classes: bool,
    nodes: Vec<Node>,
    leaves: Array2<f64>,
}

impl From<Tree> for Stored {
    fn from(tree: Tree) -> Self {
        let Tree {
            n_columns,
            classes,
            nodes,
            leaves,
        } = tree;
        Self {
            n_columns,
            classes,
            nodes,
            leaves,
        }
    }
}

impl TryFrom<Stored> for Tree {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let Stored {
            n_columns,
            classes,
            nodes,
            leaves,
        } = stored;
        if nodes.is_empty() || (!classes && leaves.ncols() != 1) {
            return Err("a tree needs a root, and one value per leaf for regression".to_owned());
        }
        for (index, node) in nodes.iter().enumerate() {
            let inside = match *node {
                Node::Leaf { value } => (value as usize) < leaves.nrows(),
                Node::Split { feature, left, .. } => {
                    (feature as usize) < n_columns
                        && (left as usize) > index
                        && (left as usize) + 1 < nodes.len()
                }
            };
            if !inside {
                return Err(format!("node {index} of a tree points outside: {node:?}"));
            }
        }
        Ok(Self {
            n_columns,
            classes,
            nodes,
            leaves,
        })
    }
}

/// A node of a tree, as [`Tree::node`] shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TreeNode<'a> {
    /// Rows with `x[feature] <= threshold` go to node `left`, the others to `right`.
    Split {
        /// The column.
        feature: usize,
        /// The largest value that goes left.
        threshold: f64,
        /// Where to.
        left: usize,
        /// Where the others go.
        right: usize,
    },
    /// The share of each class, or the mean.
    Leaf(ArrayView1<'a, f64>),
}

impl Tree {
    /// A tree for `n_classes` classes, or for real values where there are none.
    pub(crate) fn new(grown: Grown, n_columns: usize, n_classes: Option<usize>) -> Self {
        let width = n_classes.unwrap_or(1);
        let n_leaves = grown.leaves.len();
        let leaves = Array2::from_shape_fn((n_leaves, width), |(leaf, output)| {
            grown.leaves[leaf][output]
        });
        Self {
            n_columns,
            classes: n_classes.is_some(),
            nodes: grown.nodes,
            leaves,
        }
    }

    /// Number of splits on the longest way from the root to a leaf.
    pub fn depth(&self) -> usize {
        let mut depths = vec![0; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            if let Node::Split { left, .. } = *node {
                depths[left as usize] = depths[index] + 1;
                depths[left as usize + 1] = depths[index] + 1;
            }
        }
        depths.into_iter().max().unwrap_or(0)
    }

    /// Number of leaves.
    pub fn n_leaves(&self) -> usize {
        self.leaves.nrows()
    }

    /// A node by its number: 0 for the root, the others as [`TreeNode::Split`] names them; none above that.
    pub fn node(&self, number: usize) -> Option<TreeNode<'_>> {
        Some(match *self.nodes.get(number)? {
            Node::Leaf { value } => TreeNode::Leaf(self.leaves.row(value as usize)),
            Node::Split {
                feature,
                threshold,
                left,
            } => TreeNode::Split {
                feature: feature as usize,
                threshold,
                left: left as usize,
                right: left as usize + 1,
            },
        })
    }

    /// Number of columns of the rows that it was fitted on.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Number of values in a leaf.
    pub(crate) fn n_outputs(&self) -> usize {
        self.leaves.ncols()
    }

    /// The values of the leaf that a row falls into.
    pub(crate) fn leaf(&self, row: &[f64]) -> ArrayView1<'_, f64> {
        let mut index = 0;
        loop {
            match self.nodes[index] {
                Node::Leaf { value } => return self.leaves.row(value as usize),
                Node::Split {
                    feature,
                    threshold,
                    left,
                } => {
                    index = left as usize + usize::from(row[feature as usize] > threshold);
                }
            }
        }
    }
}

#[typetag::serde]
impl Predictor for Tree {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        check_prediction_rows(features, self.n_columns)?;
        let values = map_rows(features, self.n_outputs(), |row, out| {
            self.leaf(row)
                .iter()
                .zip(out)
                .for_each(|(value, out)| *out = *value);
        });
        Ok(prediction(values, self.classes))
    }
}

/// Probabilities, or the one column of values.
pub(crate) fn prediction(outputs: Array2<f64>, classes: bool) -> Prediction {
    if classes {
        Prediction::from_probabilities(outputs)
    } else {
        Prediction::from_values(Array1::from_iter(outputs))
    }
}
