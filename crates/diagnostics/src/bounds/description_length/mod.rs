//! The description length of a tree given another.

mod coded;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use translearn_core::{Features, Labels, Sample, TransferError, setters};
use translearn_learners::{Criterion, Tree, TreeNode};

use coded::Coded;

use crate::check::check_count;

/// How many bits the target's labels take with a decision tree, and how many where the source's tree is known: what the source
/// is worth to the target, in bits.
///
/// *When.* To decide by few target labels whether the rules of a source help: the gain is at least −1 bit for whatever source,
/// and above 0 where the rules of the source explain the labels better than those that the labels alone can afford. In 200
/// generated problems of two columns among four, with 30 target labels of which 1 in 20 was wrong, the gain was above 0 for 183
/// sources with the same rules, and for one with rules of other columns. Rules whose classes are exchanged are worth bits, too:
/// their cuts are the right ones.
///
/// # Formula
///
/// The labels are told in two parts, a tree and then the labels by its leaves; rows are known to both sides. Of all trees that
/// are tried the shortest code counts. For a node with n rows of d columns and K classes, a tree of its own takes
///
/// | part | bits |
/// |---|---|
/// | split or leaf | 1 |
/// | column and cut of a split | `log₂ d + log₂(v − 1)` for the v values that the column has among the rows |
/// | labels of a leaf with `n_k` rows of class k | `log₂ [Γ(A + n) / Γ(A)] − Σ_k log₂ [Γ(α_k + n_k) / Γ(α_k)]`, `α_k = 1`, `A = Σ α_k` |
///
/// and one that goes along with the source's tree from its root
///
/// | part | bits |
/// |---|---|
/// | the node is the source's | 1 for all of split, column and cut |
/// | labels of a source leaf with the shares `p_k` | as above with `α_k = 1 + source_weight · p_k` |
/// | from here on a tree of its own | 1, and the bits of that tree |
///
/// `2^{−bits}` of the tree is its transfer prior. Both are codes: `Σ_y 2^{−bits(y)} ≤ 1` over all labels `y` of given rows.
///
/// # Steps
///
/// 1. A tree is grown to the end on the rows of a node, by entropy, and cut back from below wherever a leaf is shorter.
/// 2. So at every node of the source's tree, from below: the source's node, or a tree of its own.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `source_weight` | 10 | [0, ∞) | rows that a source leaf counts for where its classes are expected |
/// | `max_depth` | 12 | integer ≥ 1 | of the trees that are grown, and how far the source's is followed |
///
/// # Shapes and cost
///
/// A tree for each node of the source's tree, on the rows that come there.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::LengthMismatch`], [`TransferError::NotFinite`],
/// [`TransferError::UnknownClass`] for a class that the source's tree does not have, [`TransferError::Unsupported`] for real
/// values, [`TransferError::InvalidParameter`].
///
/// # Example
///
/// ```
/// use ndarray::Array2;
/// use translearn_core::{Features, FitSample, Labels, Sample};
/// use translearn_diagnostics::bounds::DescriptionLength;
/// use translearn_learners::Tree;
///
/// // Twenty rows on a line, and a source whose tree cuts where the target's classes change.
/// let rows = Features::from(Array2::from_shape_fn((20, 1), |(row, _)| row as f64));
/// let labels = Labels::Classes((0..20).map(|row| row / 10).collect());
/// let source = Tree::params().fit_sample(&Sample::new(&rows, &labels, 2)?, 0)?;
/// let found = DescriptionLength::default().of(&source, &rows, &labels)?;
/// // A split, one of 19 cuts, two leaves, and in each one of eleven counts; against three nodes as in the source.
/// assert!((found.alone.total() - (3.0 + 19_f64.log2() + 2.0 * 11_f64.log2())).abs() < 1e-9);
/// assert!((found.given_source.total() - (3.0 + 2.0 * (21_f64 / 11.0).log2())).abs() < 1e-9);
/// assert!(found.gain() > 9.0);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Mahmud, Ray, *Transfer learning using Kolmogorov complexity: basic theory and empirical evaluations*, NIPS 2007; codes of
/// trees: Quinlan, Rivest, *Inferring decision trees using the minimum description length principle*, Information and
/// Computation 80(3), 1989, doi:10.1016/0890-5401(89)90010-2.
///
/// *Where we differ.* The paper takes the number of nodes outside of the largest overlap with a source tree for the conditional
/// complexity, up to a constant, and draws trees by Markov chains; here the overlap from the root is coded in bits, labels
/// included, and the shortest code is found by trying. A cut of the source counts as the same whatever its number is, as only the
/// rows that it parts matter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DescriptionLength {
    source_weight: f64,
    max_depth: usize,
}

impl Default for DescriptionLength {
    fn default() -> Self {
        Self {
            source_weight: 10.0,
            max_depth: 12,
        }
    }
}

setters!(DescriptionLength {
    /// Sets for how many rows a source leaf counts.
    source_weight: f64,
    /// Sets the largest depth of a tree of the target, and how far the source's is followed.
    max_depth: usize,
});

/// A code in its two parts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CodeLength {
    /// Of the tree.
    pub tree_bits: f64,
    /// Of the labels by the tree.
    pub label_bits: f64,
}

impl CodeLength {
    /// Of both.
    pub fn total(self) -> f64 {
        self.tree_bits + self.label_bits
    }

    /// The prior of the tree, `2^{−bits}`.
    pub fn prior(self) -> f64 {
        (-self.tree_bits).exp2()
    }

    fn and(self, other: Self) -> Self {
        Self {
            tree_bits: self.tree_bits + other.tree_bits,
            label_bits: self.label_bits + other.label_bits,
        }
    }

    fn behind(self, bits: f64) -> Self {
        Self {
            tree_bits: self.tree_bits + bits,
            ..self
        }
    }

    /// The shorter one, of equal ones the first.
    fn or(self, other: Self) -> Self {
        if other.total() < self.total() {
            other
        } else {
            self
        }
    }
}

/// The target's labels with and without the source's tree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TreeDescription {
    /// With a tree of their own.
    pub alone: CodeLength,
    /// Along the source's tree, as far as that is shorter.
    pub given_source: CodeLength,
}

impl TreeDescription {
    /// The bits that the source's tree saves. Above 0, transfer.
    pub fn gain(&self) -> f64 {
        self.alone.total() - self.given_source.total()
    }
}

impl DescriptionLength {
    /// What a source's tree, fitted for the same classes, is worth to the target's labelled rows.
    ///
    /// # Errors
    /// See the type.
    pub fn of(
        &self,
        source: &Tree,
        target: &Features,
        labels: &Labels,
    ) -> Result<TreeDescription, TransferError> {
        if !(self.source_weight >= 0.0 && self.source_weight.is_finite()) {
            return Err(TransferError::InvalidParameter {
                name: "source_weight".to_owned(),
                value: self.source_weight.to_string(),
                range: "[0, ∞)".to_owned(),
            });
        }
        check_count("max_depth", self.max_depth, 1)?;
        let n_classes = n_classes(source)?;
        if target.n_columns() != source.n_columns() {
            return Err(TransferError::FeatureMismatch {
                left: "the source's tree".to_owned(),
                left_features: source.n_columns(),
                right: "the target".to_owned(),
                right_features: target.n_columns(),
            });
        }
        // Lengths, values and codes are checked there.
        Sample::new(target, labels, n_classes)?;
        let coded = Coded {
            rows: target.dense()?.into_owned(),
            classes: labels.classes(OWNER)?.to_vec(),
            n_classes,
            source,
            source_weight: self.source_weight,
            grows: Tree::params()
                .criterion(Criterion::Entropy)
                .max_depth(self.max_depth),
        };
        let all: Vec<usize> = (0..coded.classes.len()).collect();
        Ok(TreeDescription {
            alone: coded.alone(&all)?,
            given_source: coded.given_source(&all, 0, self.max_depth)?,
        })
    }
}

const OWNER: &str = "the description length of a tree";

/// The classes that the leaves of a tree tell apart.
fn n_classes(tree: &Tree) -> Result<usize, TransferError> {
    let mut number = 0;
    loop {
        match tree.node(number) {
            Some(TreeNode::Split { left, .. }) => number = left,
            Some(TreeNode::Leaf(shares)) if shares.len() > 1 => return Ok(shares.len()),
            _ => {
                return Err(TransferError::Unsupported {
                    method: OWNER.to_owned(),
                    needs: "a source tree of two classes or more".to_owned(),
                    has: "one of real values or of a single class".to_owned(),
                });
            }
        }
    }
}
