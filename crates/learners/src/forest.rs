//! Random forests.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, FitSample, HonorsSampleWeights, Labels, LearnerInfo, Outputs, ParamInfo, ParamRange,
    Prediction, Predictor, Sample, TransferError, check_prediction_rows, seed, setters,
};

use crate::{
    linfa_border::linfa_border,
    resampled::draw,
    rows::map_rows,
    tree::{Criterion, SortedFeatures, TREE_PARAMETERS, Tree, TreeParams, prediction},
};

/// A random forest, for classes or real values; see [`ForestParams`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    n_columns: usize,
    n_outputs: usize,
    classes: bool,
    trees: Vec<Tree>,
}

/// The mean of many trees, each grown on a bootstrap sample with a few features drawn for every split.
///
/// When to use: tables of mixed features, little time for tuning.
///
/// A tree draws as many rows as have a positive weight, with replacement and in proportion to weight, and is grown as in
/// [`TreeParams`] with the number of times a row was drawn as its weight. Probabilities (or values) of the trees are
/// averaged.
///
/// | parameter | default | range | |
/// |---|---|---|---|
/// | `n_trees` | 100 | integer ≥ 1 | number of trees |
/// | `criterion` | `"gini"` | `"gini"`, `"entropy"` | impurity for classes; real values use the variance |
/// | `max_depth` | `null` | integer ≥ 1 or `null` | most splits from root to leaf; `null`: no limit |
/// | `min_samples_leaf` | 1 | integer ≥ 1 | least number of rows (not weight) in a leaf |
/// | `max_features` | `null` | integer ≥ 1 or `null` | features drawn per split; `null`: ⌊√d⌋ for classes, all for real values |
///
/// Weights: a row of weight 0 is absent, exactly. A row of weight 2 is drawn as often as the row twice, so it is the row
/// twice in distribution but for the number of draws, which counts rows. Only ratios of weights matter. Classes that do
/// not occur get probability 0. Trees have seeds derived from the seed of the fit, so the forest does not depend on the
/// number of threads. Sparse features are made dense for the fit; prediction takes sparse rows as they are.
///
/// Cost: O(n_trees · m n log n) per level for m features per split, in parallel over trees.
///
/// ```
/// use ndarray::{Array1, Array2};
/// use translearn_core::{Features, FitSample, Labels, Predictor, Sample};
/// use translearn_learners::Forest;
///
/// // Four clusters on a line, of alternating class.
/// let x = Features::from(Array2::from_shape_fn((40, 1), |(i, _)| (i / 10 * 10) as f64 + (i % 10) as f64 / 10.0));
/// let y = Labels::from(Array1::from_shape_fn(40, |i| i / 10 % 2));
/// let forest = Forest::params().n_trees(20).fit_sample(&Sample::new(&x, &y, 2)?, 7)?;
/// assert_eq!(forest.predict(&x)?.labels, y);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Errors
/// As [`TreeParams`].
///
/// Source: Breiman, "Random forests", 2001, doi:10.1023/A:1010933404324. Where we differ: trees vote
/// with probabilities, not with labels, and weights steer the bootstrap, both as in scikit-learn 1.9.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForestParams {
    n_trees: usize,
    criterion: Criterion,
    max_depth: Option<usize>,
    min_samples_leaf: usize,
    max_features: Option<usize>,
}

impl Default for ForestParams {
    fn default() -> Self {
        let TreeParams {
            criterion,
            max_depth,
            min_samples_leaf,
            max_features,
        } = TreeParams::default();
        Self {
            n_trees: 100,
            criterion,
            max_depth,
            min_samples_leaf,
            max_features,
        }
    }
}

impl Forest {
    /// Parameters of a random forest, at their defaults.
    pub fn params() -> ForestParams {
        ForestParams::default()
    }
}

setters!(ForestParams {
    /// Number of trees.
    n_trees: usize,
    /// Impurity for classes.
    criterion: Criterion,
    /// Most splits from root to leaf.
    max_depth: Some(usize),
    /// Least number of rows in a leaf.
    min_samples_leaf: usize,
    /// Features drawn for each split; more than there are means all.
    max_features: Some(usize),
});

impl ForestParams {
    fn tree(&self, n_columns: usize, classes: bool) -> TreeParams {
        // Also where all are looked at they are drawn: nodes of a few rows have many equally good splits, and always
        // taking the lowest feature would make the trees alike.
        let drawn = if classes {
            n_columns.isqrt().max(1)
        } else {
            n_columns
        };
        TreeParams {
            criterion: self.criterion,
            max_depth: self.max_depth,
            min_samples_leaf: self.min_samples_leaf,
            max_features: Some(self.max_features.unwrap_or(drawn)),
        }
    }
}

impl FitSample for ForestParams {
    type Model = Forest;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "forest",
        title: "Random forest",
        honors_weights: true,
        sparse: false,
        images: false,
        outputs: Outputs::Both,
        probabilities: true,
        parameters: &[
            ParamInfo {
                name: "n_trees",
                default: "100",
                range: ParamRange::Integer {
                    low: 1,
                    high: u64::MAX,
                },
                doc: "Number of trees.",
            },
            TREE_PARAMETERS[0],
            TREE_PARAMETERS[1],
            TREE_PARAMETERS[2],
            ParamInfo {
                doc: "Features drawn by seed for each split; null: the square root for classes, all for real values.",
                ..TREE_PARAMETERS[3]
            },
        ],
        reference: "Breiman 2001, doi:10.1023/A:1010933404324",
    };

    fn fit_checked(&self, sample: &Sample<'_>, seed: u64) -> Result<Forest, TransferError> {
        let sorted = SortedFeatures::new(sample.features())?;
        let classes = matches!(sample.labels(), Labels::Classes(_));
        let params = self.tree(sorted.n_columns(), classes);
        let grow = |tree: usize| {
            let seed_of = |part| seed::derive(seed, &[part, &tree.to_string()]);
            let mut counts = vec![0.0; sample.n_rows()];
            draw(sample, seed_of("bootstrap"))?
                .into_iter()
                .for_each(|row| counts[row] += 1.0);
            Ok(params.grow(
                &sorted,
                sample.labels(),
                sample.n_classes(),
                &counts,
                seed_of("features"),
            ))
        };
        let trees = (0..self.n_trees)
            .into_par_iter()
            .map(grow)
            .collect::<Result<_, TransferError>>()?;
        let n_outputs = if classes { sample.n_classes() } else { 1 };
        Ok(Forest {
            n_columns: sorted.n_columns(),
            n_outputs,
            classes,
            trees,
        })
    }
}

impl HonorsSampleWeights for ForestParams {}

#[typetag::serde]
impl Predictor for Forest {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        check_prediction_rows(features, self.n_columns)?;
        let share = 1.0 / self.trees.len() as f64;
        let means = map_rows(features, self.n_outputs, |row, out| {
            for tree in &self.trees {
                out.iter_mut()
                    .zip(tree.leaf(row))
                    .for_each(|(out, value)| *out += share * value);
            }
        });
        Ok(prediction(means, self.classes))
    }
}

linfa_border!(ForestParams => Forest: usize, f64);

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, Axis, array};

    fn table(n: usize) -> (Features, Labels, Array1<f64>) {
        let mut rng = seed::rng(n as u64);
        let x = Array2::from_shape_simple_fn((n, 5), || rng.normal());
        let y = Array1::from_shape_fn(n, |i| {
            usize::from(x[[i, 0]] > 0.0) + usize::from(x[[i, 1]] + x[[i, 2]] > 0.5)
        });
        let w = Array1::from_shape_simple_fn(n, || rng.below(3) as f64);
        (x.into(), y.into(), w)
    }

    #[test]
    fn threads_change_no_bit_and_the_seed_does() {
        let (x, y, w) = table(200);
        let sample = Sample::new(&x, &y, 3).unwrap().with_weights(&w).unwrap();
        let on = |threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                Forest::params()
                    .n_trees(8)
                    .fit_sample(&sample, seed)
                    .unwrap()
            })
        };
        assert_eq!(on(1, 5), on(3, 5));
        assert_ne!(on(1, 5), on(1, 6));
    }

    #[test]
    fn rows_of_weight_zero_are_absent() {
        let (x, y, w) = table(120);
        let present: Vec<usize> = (0..120).filter(|&i| w[i] > 0.0).collect();
        let (fewer, labels, positive) = (
            x.select_rows(&present),
            y.select(&present),
            w.select(Axis(0), &present),
        );
        let params = Forest::params().n_trees(5);
        let with = params
            .fit_sample(
                &Sample::new(&x, &y, 3).unwrap().with_weights(&w).unwrap(),
                0,
            )
            .unwrap();
        let without = params
            .fit_sample(
                &Sample::new(&fewer, &labels, 3)
                    .unwrap()
                    .with_weights(&positive)
                    .unwrap(),
                0,
            )
            .unwrap();
        assert_eq!(with.predict(&x).unwrap(), without.predict(&x).unwrap());
    }

    #[test]
    fn the_forest_is_the_mean_of_its_trees() {
        let (x, y, _) = table(80);
        let values = Labels::from(y.classes("test").unwrap().mapv(|c| c as f64 * 1.5));
        for (labels, n_classes) in [(&y, 4), (&values, 0)] {
            let forest = Forest::params()
                .n_trees(7)
                .fit_sample(&Sample::new(&x, labels, n_classes).unwrap(), 1)
                .unwrap();
            let outputs = |prediction: Prediction| match (prediction.scores, prediction.labels) {
                (Some(scores), _) => scores.matrix().clone(),
                (None, labels) => labels.values("test").unwrap().clone().insert_axis(Axis(1)),
            };
            let found = outputs(forest.predict(&x).unwrap());
            let mut mean = Array2::zeros(found.dim());
            for tree in &forest.trees {
                mean += &outputs(tree.predict(&x).unwrap());
            }
            mean /= 7.0;
            assert!((&mean - &found).iter().all(|d| d.abs() < 1e-12));
            assert!(forest.trees.windows(2).any(|pair| pair[0] != pair[1]));
        }
    }

    #[test]
    fn one_class_sparse_rows_and_saving() {
        let (x, _, _) = table(30);
        let same = Labels::from(Array1::from_elem(30, 2));
        let forest = Forest::params()
            .n_trees(3)
            .fit_sample(&Sample::new(&x, &same, 3).unwrap(), 0)
            .unwrap();
        assert_eq!(forest.predict(&x).unwrap().labels, same);
        let (x, y, _) = table(50);
        let sparse = Features::Sparse(x.to_sparse().unwrap().into_owned());
        let fit = |x| {
            Forest::params()
                .n_trees(3)
                .fit_sample(&Sample::new(x, &y, 3).unwrap(), 0)
                .unwrap()
        };
        assert_eq!(fit(&x), fit(&sparse));
        let model: Box<dyn Predictor> = Box::new(fit(&x));
        let back: Box<dyn Predictor> =
            serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert_eq!(model.predict(&x).unwrap(), back.predict(&sparse).unwrap());
        let wide = model.predict(&Features::from(array![[1.0]]));
        assert!(matches!(wide, Err(TransferError::FeatureMismatch { .. })));
    }
}
