//! Decision trees and stumps: weighted CART.

mod grow;
mod model;
mod refit;
mod sorted;
mod split;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, FitSample, HonorsSampleWeights, Labels, LearnerInfo, Outputs, ParamInfo, ParamRange,
    Prediction, Predictor, Refit, Sample, TransferError, setters,
};

pub(crate) use grow::{Limits, grow_values};
pub(crate) use model::prediction;
pub use model::{Tree, TreeNode};
pub(crate) use sorted::SortedFeatures;

use self::refit::SortedSample;
use crate::linfa_border::linfa_border;

/// How the impurity of a node of a classification tree is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Criterion {
    /// 1 − Σₖ pₖ².
    #[default]
    Gini,
    /// −Σₖ pₖ ln pₖ.
    Entropy,
}

impl From<Criterion> for split::ClassImpurity {
    fn from(criterion: Criterion) -> Self {
        match criterion {
            Criterion::Gini => Self::Gini,
            Criterion::Entropy => Self::Entropy,
        }
    }
}

/// A decision tree for classes or real values, grown on weighted rows.
///
/// When to use: as the learner inside instance transfer and boosting, where weights change from round to round, or alone
/// where the rules must be readable.
///
/// Greedy and exact: a node is split at the midpoint of two neighbouring values of the feature that lowers its impurity
/// most,
///
/// ```text
/// I(node) − W_left/W · I(left) − W_right/W · I(right)
/// ```
///
/// with W the sum of weights, and I the Gini impurity 1 − Σ pₖ² or the entropy −Σ pₖ ln pₖ of the weighted class shares
/// for classes, the weighted variance for real values. Equal gains (to 1e-10 of the node's impurity) go to the lower
/// feature (with `max_features`, to the one drawn first), then the lower threshold. A node stays a leaf when it is pure, at `max_depth`, or when every split would
/// leave fewer than `min_samples_leaf` rows on one side; like scikit-learn's, a node that is not pure is split even when the
/// best gain is 0 (XOR). Leaves answer with weighted class shares or the weighted mean.
///
/// | parameter | default | range | |
/// |---|---|---|---|
/// | `criterion` | `"gini"` | `"gini"`, `"entropy"` | impurity for classes; real values use the variance |
/// | `max_depth` | `null` | integer ≥ 1 or `null` | most splits from root to leaf; `null`: no limit |
/// | `min_samples_leaf` | 1 | integer ≥ 1 | least number of rows (not weight) in a leaf |
/// | `max_features` | `null` | integer ≥ 1 or `null` | features drawn by seed for each split; `null`: all |
///
/// Weights: a row of weight 0 is absent, a row of weight 2 is that row twice (apart from `min_samples_leaf`, which counts
/// rows), and only ratios matter. Sparse features are made dense for the fit; prediction takes sparse rows as they are.
/// Classes that do not occur get probability 0.
///
/// Cost: O(d n log n) to sort once, then O(d n) per level of the tree, in parallel over features; for
/// many trees on the same rows [`Learner::refit`](translearn_core::Learner::refit) sorts once. With `max_features` = m < d it is O(m n log n) per level instead.
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, FitSample, Labels, Predictor, Sample};
/// use translearn_learners::Tree;
///
/// let x = Features::from(array![[1.0], [2.0], [3.0], [4.0]]);
/// let y = Labels::from(array![1.0, 1.0, 5.0, 7.0]);
/// let weights = array![1.0, 1.0, 3.0, 1.0];
/// let sample = Sample::new(&x, &y, 0)?.with_weights(&weights)?;
/// let tree = Tree::params().max_depth(1).fit_sample(&sample, 0)?;
/// // Parted at 2.5; the right leaf is (3·5 + 7) / 4.
/// let predicted = tree.predict(&Features::from(array![[2.4], [2.6]]))?;
/// assert_eq!(predicted.labels, Labels::from(array![1.0, 5.5]));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Errors
/// [`TransferError::InvalidParameter`] for a parameter outside its range, [`TransferError::DenseTooLarge`] for sparse
/// rows that would not fit when dense.
///
/// Source: Breiman, Friedman, Olshen, Stone, *Classification and Regression Trees*, 1984. Where we differ: no pruning;
/// scikit-learn rounds features to f32, takes values closer than 1e-7 for equal and breaks ties by a random order of the
/// features, so trees agree node by node where no two splits are equally good. linfa-trees has a weighted tree too, for
/// classes only, with f32 weights and a sort per node; it is at hand as [`LinfaTree`](crate::LinfaTree).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TreeParams {
    pub(crate) criterion: Criterion,
    pub(crate) max_depth: Option<usize>,
    pub(crate) min_samples_leaf: usize,
    pub(crate) max_features: Option<usize>,
}

impl Default for TreeParams {
    fn default() -> Self {
        Self {
            criterion: Criterion::Gini,
            max_depth: None,
            min_samples_leaf: 1,
            max_features: None,
        }
    }
}

const CRITERION: ParamInfo = ParamInfo {
    name: "criterion",
    default: "\"gini\"",
    range: ParamRange::Choice(&["gini", "entropy"]),
    doc: "Impurity of class distributions; real values always use the variance.",
};
const MIN_SAMPLES_LEAF: ParamInfo = ParamInfo {
    name: "min_samples_leaf",
    default: "1",
    range: ParamRange::Integer {
        low: 1,
        high: u64::MAX,
    },
    doc: "Least number of rows in a leaf.",
};

/// The parameters a tree shares with the forest, whose defaults are the same.
pub(crate) const TREE_PARAMETERS: [ParamInfo; 4] = [
    CRITERION,
    ParamInfo {
        name: "max_depth",
        default: "null",
        range: ParamRange::IntegerOrAuto {
            low: 1,
            high: u64::MAX,
        },
        doc: "Most splits from root to leaf; null: no limit.",
    },
    MIN_SAMPLES_LEAF,
    ParamInfo {
        name: "max_features",
        default: "null",
        range: ParamRange::IntegerOrAuto {
            low: 1,
            high: u64::MAX,
        },
        doc: "Features drawn by seed for each split; null: all.",
    },
];

impl Tree {
    /// Parameters of a tree, at their defaults.
    pub fn params() -> TreeParams {
        TreeParams::default()
    }
}

setters!(TreeParams {
    /// Impurity for classes.
    criterion: Criterion,
    /// Most splits from root to leaf.
    max_depth: Some(usize),
    /// Least number of rows in a leaf.
    min_samples_leaf: usize,
    /// Features drawn for each split; more than there are means all.
    max_features: Some(usize),
});

impl TreeParams {
    /// Grows on rows that have been checked.
    pub(crate) fn grow(
        &self,
        sorted: &SortedFeatures,
        labels: &Labels,
        n_classes: usize,
        weights: &[f64],
        seed: u64,
    ) -> Tree {
        let limits = Limits {
            max_depth: self.max_depth.unwrap_or(usize::MAX),
            min_samples_leaf: self.min_samples_leaf,
            max_features: self.max_features,
        };
        match labels {
            Labels::Classes(codes) => {
                let codes = codes.to_vec();
                let measure = self.criterion.into();
                let grown =
                    grow::grow_classes(sorted, &codes, n_classes, weights, measure, limits, seed);
                Tree::new(grown, sorted.n_columns(), Some(n_classes))
            }
            Labels::Values(values) => {
                let grown = grow_values(sorted, &values.to_vec(), weights, limits, seed);
                Tree::new(grown, sorted.n_columns(), None)
            }
        }
    }
}

fn weights(sample: &Sample<'_>) -> Vec<f64> {
    sample.weights_or_ones().to_vec()
}

impl FitSample for TreeParams {
    type Model = Tree;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "tree",
        title: "Decision tree",
        honors_weights: true,
        sparse: false,
        images: false,
        outputs: Outputs::Both,
        probabilities: true,
        parameters: &TREE_PARAMETERS,
        reference: "Breiman, Friedman, Olshen, Stone: Classification and Regression Trees, 1984",
    };

    fn fit_checked(&self, sample: &Sample<'_>, seed: u64) -> Result<Tree, TransferError> {
        let sorted = SortedFeatures::new(sample.features())?;
        Ok(self.grow(
            &sorted,
            sample.labels(),
            sample.n_classes(),
            &weights(sample),
            seed,
        ))
    }

    fn refit_sample<'a>(
        &'a self,
        sample: &Sample<'a>,
    ) -> Result<Box<dyn Refit + 'a>, TransferError> {
        Ok(Box::new(SortedSample::new(self, self.clone(), sample)?))
    }
}

impl HonorsSampleWeights for TreeParams {}

linfa_border!(TreeParams => Tree: usize, f64);

/// A tree of one split, the classical weak learner of boosting; fit with [`StumpParams`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stump(Tree);

/// A decision tree of depth 1; everything else is as for [`TreeParams`].
///
/// | parameter | default | range | |
/// |---|---|---|---|
/// | `criterion` | `"gini"` | `"gini"`, `"entropy"` | impurity for classes; real values use the variance |
/// | `min_samples_leaf` | 1 | integer ≥ 1 | least number of rows (not weight) in a leaf |
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, FitSample, Labels, Predictor, Sample};
/// use translearn_learners::Stump;
///
/// let x = Features::from(array![[1.0], [2.0], [3.0], [4.0]]);
/// let y = Labels::from(array![0, 1, 1, 0]);
/// // The heavy last row moves the cut from 1.5 to 3.5.
/// let weights = array![1.0, 1.0, 1.0, 9.0];
/// let sample = Sample::new(&x, &y, 2)?.with_weights(&weights)?;
/// let stump = Stump::params().fit_sample(&sample, 0)?;
/// assert_eq!(stump.predict(&x)?.labels, Labels::from(array![1, 1, 1, 0]));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Errors
/// As [`TreeParams`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StumpParams {
    criterion: Criterion,
    min_samples_leaf: usize,
}

impl Default for StumpParams {
    fn default() -> Self {
        Self {
            criterion: Criterion::Gini,
            min_samples_leaf: 1,
        }
    }
}

impl Stump {
    /// Parameters of a stump, at their defaults.
    pub fn params() -> StumpParams {
        StumpParams::default()
    }
}

setters!(StumpParams {
    /// Impurity for classes.
    criterion: Criterion,
    /// Least number of rows in a leaf.
    min_samples_leaf: usize,
});

impl StumpParams {
    fn tree(&self) -> TreeParams {
        Tree::params()
            .max_depth(1)
            .criterion(self.criterion)
            .min_samples_leaf(self.min_samples_leaf)
    }
}

impl FitSample for StumpParams {
    type Model = Stump;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "stump",
        title: "Decision stump",
        parameters: &[CRITERION, MIN_SAMPLES_LEAF],
        ..*TreeParams::INFO
    };

    fn fit_checked(&self, sample: &Sample<'_>, seed: u64) -> Result<Stump, TransferError> {
        Ok(Stump(self.tree().fit_checked(sample, seed)?))
    }

    fn refit_sample<'a>(
        &'a self,
        sample: &Sample<'a>,
    ) -> Result<Box<dyn Refit + 'a>, TransferError> {
        Ok(Box::new(SortedSample::new(self, self.tree(), sample)?))
    }
}

impl HonorsSampleWeights for StumpParams {}

#[typetag::serde]
impl Predictor for Stump {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        self.0.predict(features)
    }
}

linfa_border!(StumpParams => Stump: usize, f64);
