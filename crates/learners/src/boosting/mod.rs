//! Gradient boosting of regression trees.

mod loss;
#[cfg(test)]
mod tests;

use loss::{Loss, logistic, softmax};
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, FitSample, HonorsSampleWeights, Labels, LearnerInfo, Outputs, ParamInfo, ParamRange,
    Prediction, Predictor, Sample, TransferError, check_prediction_rows, setters,
};

use crate::{
    classes::{ClassRows, PresentClasses, Rows},
    linfa_border::linfa_border,
    rows::map_rows,
    tree::{Limits, SortedFeatures, Tree, grow_values},
};

/// Shares of classes are kept this far from 0 and 1 where boosting starts (2⁻²³, as in scikit-learn).
const LEAST_SHARE: f64 = f32::EPSILON as f64;

/// A gradient boosting model, for classes or real values; see [`BoostingParams`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Boosting {
    n_columns: usize,
    /// The classes that occur; none for real values.
    present: Option<PresentClasses>,
    /// What boosting starts from, one entry per output.
    start: Vec<f64>,
    /// One tree per output and round, the leaves scaled by the learning rate.
    rounds: Vec<Vec<Tree>>,
}

/// Gradient boosting: small regression trees, each fitted to what the others have left over.
///
/// When to use: the strongest learner here on most tables, at some cost in time.
///
/// With the loss L (multinomial or, for two classes, binomial deviance; squared error for real values), F₀ its best
/// constant and m = 1 … `n_rounds`,
///
/// ```text
/// rᵢ = −∂L(yᵢ, F(xᵢ))/∂F              a tree is fitted to rᵢ with weights wᵢ
/// v  = Σ wᵢ rᵢ / Σ wᵢ hᵢ   per leaf   one Newton step, hᵢ = ∂²L/∂F²; times (K − 1)/K for K > 2 classes
/// F ← F + learning_rate · v
/// ```
///
/// K > 2 classes have K trees per round, two classes and real values one.
///
/// | parameter | default | range | |
/// |---|---|---|---|
/// | `n_rounds` | 100 | integer ≥ 1 | number of rounds |
/// | `learning_rate` | 0.1 | (0, ∞) | by how much a step is shortened |
/// | `max_depth` | 3 | integer ≥ 1 | most splits from root to leaf of a tree |
/// | `min_samples_leaf` | 1 | integer ≥ 1 | least number of rows (not weight) in a leaf |
///
/// Weights: a row of weight 0 is absent, a row of weight 2 is that row twice (apart from `min_samples_leaf`), and only
/// ratios matter. Classes that do not occur get probability 0; a single class is predicted everywhere. Nothing is drawn,
/// so the seed is not used. Sparse features are made dense for the fit; prediction takes sparse rows as they are.
///
/// Cost: features are sorted once, O(d n log n); then O(`max_depth` · d n) per tree, in parallel over features and classes.
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, FitSample, Labels, Predictor, Sample};
/// use translearn_learners::Boosting;
///
/// let x = Features::from(array![[1.0], [2.0], [3.0], [4.0]]);
/// let y = Labels::from(array![0.0, 0.0, 8.0, 8.0]);
/// let sample = Sample::new(&x, &y, 0)?;
/// let model = Boosting::params().n_rounds(2).learning_rate(0.5).fit_sample(&sample, 0)?;
/// // From the mean 4, half of what is left in each round: 4 + 2 + 1.
/// let predicted = model.predict(&Features::from(array![[9.0]]))?;
/// assert_eq!(predicted.labels, Labels::from(array![7.0]));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Errors
/// [`TransferError::InvalidParameter`] and [`TransferError::DenseTooLarge`].
///
/// Source: Friedman, "Greedy function approximation: a gradient boosting machine", 2001, doi:10.1214/aos/1013203451
/// (algorithms 3, 5 and 6). Where we differ: no subsampling of rows or features; trees differ from scikit-learn's where splits are
/// equally good, see [`TreeParams`](crate::TreeParams).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoostingParams {
    n_rounds: usize,
    learning_rate: f64,
    max_depth: usize,
    min_samples_leaf: usize,
}

impl Default for BoostingParams {
    fn default() -> Self {
        Self {
            n_rounds: 100,
            learning_rate: 0.1,
            max_depth: 3,
            min_samples_leaf: 1,
        }
    }
}

impl Boosting {
    /// Parameters of gradient boosting, at their defaults.
    pub fn params() -> BoostingParams {
        BoostingParams::default()
    }
}

setters!(BoostingParams {
    /// Number of rounds.
    n_rounds: usize,
    /// By how much a step is shortened.
    learning_rate: f64,
    /// Most splits from root to leaf of a tree.
    max_depth: usize,
    /// Least number of rows in a leaf.
    min_samples_leaf: usize,
});

impl BoostingParams {
    /// Runs the rounds from `start`; returns the trees of each.
    fn boost(
        &self,
        rows: &Rows<'_>,
        loss: &Loss<'_>,
        start: &[f64],
    ) -> Result<Vec<Vec<Tree>>, TransferError> {
        if start.is_empty() {
            return Ok(Vec::new());
        }
        let sorted = SortedFeatures::new(&rows.features)?;
        let weights = relative(rows);
        let limits = Limits {
            max_depth: self.max_depth,
            min_samples_leaf: self.min_samples_leaf,
            max_features: None,
        };
        let mut scores: Vec<Vec<f64>> = start
            .iter()
            .map(|&score| vec![score; weights.len()])
            .collect();
        let mut rounds = Vec::with_capacity(self.n_rounds.min(1 << 16));
        for _ in 0..self.n_rounds {
            let residuals = loss.residuals(&scores);
            let trees = scores
                .par_iter_mut()
                .zip(&residuals)
                .map(|(scores, residuals)| {
                    let mut grown = grow_values(&sorted, residuals, &weights, limits, 0);
                    loss.newton_leaves(residuals, &weights, &grown.leaf_of_row, &mut grown.leaves);
                    grown
                        .leaves
                        .iter_mut()
                        .flatten()
                        .for_each(|value| *value *= self.learning_rate);
                    for (score, &leaf) in scores.iter_mut().zip(&grown.leaf_of_row) {
                        *score += grown.leaves[leaf as usize][0];
                    }
                    Tree::new(grown, sorted.n_columns(), None)
                })
                .collect();
            rounds.push(trees);
        }
        Ok(rounds)
    }
}

/// Weights relative to the heaviest, so that sums over rows of any weight stay in range.
fn relative(rows: &Rows<'_>) -> Vec<f64> {
    let heaviest = rows.weights.iter().copied().fold(0.0, f64::max);
    rows.weights
        .iter()
        .map(|weight| weight / heaviest)
        .collect()
}

impl FitSample for BoostingParams {
    type Model = Boosting;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "boosting",
        title: "Gradient boosting",
        honors_weights: true,
        sparse: false,
        images: false,
        outputs: Outputs::Both,
        probabilities: true,
        parameters: &[
            ParamInfo {
                name: "n_rounds",
                default: "100",
                range: ParamRange::Integer {
                    low: 1,
                    high: u64::MAX,
                },
                doc: "Number of rounds.",
            },
            ParamInfo {
                name: "learning_rate",
                default: "0.1",
                range: ParamRange::Positive,
                doc: "By how much a step is shortened.",
            },
            ParamInfo {
                name: "max_depth",
                default: "3",
                range: ParamRange::Integer {
                    low: 1,
                    high: u64::MAX,
                },
                doc: "Most splits from root to leaf of a tree.",
            },
            ParamInfo {
                name: "min_samples_leaf",
                default: "1",
                range: ParamRange::Integer {
                    low: 1,
                    high: u64::MAX,
                },
                doc: "Least number of rows in a leaf.",
            },
        ],
        reference: "Friedman 2001, doi:10.1214/aos/1013203451",
    };

    fn fit_checked(&self, sample: &Sample<'_>, _seed: u64) -> Result<Boosting, TransferError> {
        let n_columns = sample.features().n_columns();
        match sample.labels() {
            Labels::Values(values) => {
                let rows = Rows::of(sample);
                let values: Vec<f64> = rows.indices.iter().map(|&row| values[row]).collect();
                let start = vec![weighted_mean(&values, &relative(&rows))];
                let rounds = self.boost(&rows, &Loss::Squared { values }, &start)?;
                Ok(Boosting {
                    n_columns,
                    present: None,
                    start,
                    rounds,
                })
            }
            Labels::Classes(_) => {
                let ClassRows {
                    rows,
                    classes,
                    present,
                } = ClassRows::one_or_more(sample, Self::INFO.name)?;
                let n_classes = present.len();
                let logs = log_shares(&classes, &relative(&rows), n_classes);
                let (loss, start) = match logs[..] {
                    [_] => (
                        Loss::Multinomial {
                            classes: &classes,
                            n_classes,
                        },
                        Vec::new(),
                    ),
                    [zero, one] => (Loss::Binomial { classes: &classes }, vec![one - zero]),
                    _ => {
                        let mean = logs.iter().sum::<f64>() / n_classes as f64;
                        let start = logs.iter().map(|log| log - mean).collect();
                        (
                            Loss::Multinomial {
                                classes: &classes,
                                n_classes,
                            },
                            start,
                        )
                    }
                };
                let rounds = self.boost(&rows, &loss, &start)?;
                Ok(Boosting {
                    n_columns,
                    present: Some(present),
                    start,
                    rounds,
                })
            }
        }
    }
}

fn weighted_mean(values: &[f64], weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    values
        .iter()
        .zip(weights)
        .map(|(value, weight)| weight / total * value)
        .sum()
}

/// Logarithms of the weighted class shares.
fn log_shares(classes: &[usize], weights: &[f64], n_classes: usize) -> Vec<f64> {
    let mut shares = vec![0.0; n_classes];
    classes
        .iter()
        .zip(weights)
        .for_each(|(&class, weight)| shares[class] += weight);
    let total: f64 = shares.iter().sum();
    shares
        .into_iter()
        .map(|share| (share / total).clamp(LEAST_SHARE, 1.0 - LEAST_SHARE).ln())
        .collect()
}

impl HonorsSampleWeights for BoostingParams {}

#[typetag::serde]
impl Predictor for Boosting {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        check_prediction_rows(features, self.n_columns)?;
        let scores = map_rows(features, self.start.len(), |row, out| {
            out.copy_from_slice(&self.start);
            for trees in &self.rounds {
                out.iter_mut()
                    .zip(trees)
                    .for_each(|(score, tree)| *score += tree.leaf(row)[0]);
            }
        });
        let Some(present) = &self.present else {
            return Ok(Prediction::from_values(Array1::from_iter(scores)));
        };
        let probabilities = match self.start.len() {
            0 => Array2::ones((features.n_rows(), 1)),
            1 => Array2::from_shape_fn((features.n_rows(), 2), |(row, class)| {
                logistic(if class == 1 {
                    scores[[row, 0]]
                } else {
                    -scores[[row, 0]]
                })
            }),
            _ => {
                let mut scores = scores;
                scores
                    .outer_iter_mut()
                    .for_each(|mut row| row.as_slice_mut().into_iter().for_each(softmax));
                scores
            }
        };
        Ok(Prediction::from_probabilities(
            present.widen_probabilities(&probabilities),
        ))
    }
}

linfa_border!(BoostingParams => Boosting: usize, f64);
