//! k nearest neighbours.

use ndarray::{Array1, Array2, ArrayView1};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, FitSample, HonorsSampleWeights, Labels, LearnerInfo, Outputs, ParamInfo, ParamRange,
    Prediction, Predictor, Sample, TransferError, check_prediction_rows, distance, setters,
};

use crate::{classes::Rows, linfa_border::linfa_border};

/// A k-nearest-neighbours model: the training rows; see [`KnnParams`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Knn {
    k: usize,
    n_classes: usize,
    features: Features,
    labels: Labels,
    weights: Array1<f64>,
}

/// Predicts from the `k` training rows nearest in Euclidean distance: a weighted vote for classes, a weighted mean for
/// real values.
///
/// When to use: few rows, a meaningful distance; with `k = 1` it is the yardstick of feature-based transfer (the tables of
/// JDA and its kin).
///
/// ```text
/// p(c | x) = Σ_{i ∈ N(x), yᵢ = c} wᵢ / Σ_{i ∈ N(x)} wᵢ        ŷ(x) = Σ_{i ∈ N(x)} wᵢ yᵢ / Σ_{i ∈ N(x)} wᵢ
/// ```
///
/// | parameter | default | range | |
/// |---|---|---|---|
/// | `k` | 5 | integer ≥ 1 | number of neighbours |
///
/// Ties in distance are exact and go to the lowest row, ties in the vote to the lowest class. A row of weight 0 is no
/// neighbour. A row of weight 2 votes twice but stands in one of the `k` places, so it is the row twice for `k = 1` only.
///
/// Dense or sparse rows, `n x d`, as they are. Cost: the fit keeps a copy of the rows; a prediction of m rows takes
/// O(m n d) by blocked products, without an index structure.
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, FitSample, Labels, Predictor, Sample};
/// use translearn_learners::Knn;
///
/// let x = Features::from(array![[0.0], [1.0], [2.0], [9.0]]);
/// let y = Labels::from(array![0, 0, 1, 1]);
/// let weights = array![1.0, 1.0, 8.0, 1.0];
/// let sample = Sample::new(&x, &y, 2)?.with_weights(&weights)?;
/// let model = Knn::params().k(3).fit_sample(&sample, 0)?;
/// // Rows 0, 1, 2 are nearest to 0.5: two votes of weight 1 against one of weight 8.
/// let predicted = model.predict(&Features::from(array![[0.5]]))?;
/// assert_eq!(predicted.labels, Labels::from(array![1]));
/// assert_eq!(predicted.scores.unwrap().matrix(), array![[0.2, 0.8]]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Errors
/// [`TransferError::TooFewRows`] when fewer than `k` rows have a positive weight: a smaller neighbourhood than was asked
/// for would be another method. [`TransferError::InvalidParameter`] for `k = 0`.
///
/// Source: Cover & Hart, "Nearest neighbor pattern classification", 1967, doi:10.1109/TIT.1967.1053964. Where we differ:
/// scikit-learn's has no sample weights, and its order among equal distances is not defined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnnParams {
    k: usize,
}

impl Default for KnnParams {
    fn default() -> Self {
        Self { k: 5 }
    }
}

impl Knn {
    /// Parameters of k nearest neighbours, at their defaults.
    pub fn params() -> KnnParams {
        KnnParams::default()
    }
}

setters!(KnnParams {
    /// Number of neighbours.
    k: usize,
});

impl FitSample for KnnParams {
    type Model = Knn;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "knn",
        title: "k nearest neighbours",
        honors_weights: true,
        sparse: true,
        images: false,
        outputs: Outputs::Both,
        probabilities: true,
        parameters: &[ParamInfo {
            name: "k",
            default: "5",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Number of neighbours.",
        }],
        reference: "Cover & Hart 1967, doi:10.1109/TIT.1967.1053964",
    };

    fn fit_checked(&self, sample: &Sample<'_>, _seed: u64) -> Result<Knn, TransferError> {
        let rows = Rows::of(sample);
        if rows.indices.len() < self.k {
            return Err(TransferError::TooFewRows {
                what: format!(
                    "the training sample (rows of positive weight, `k` = {})",
                    self.k
                ),
                rows: rows.indices.len(),
                needed: self.k,
            });
        }
        Ok(Knn {
            k: self.k,
            n_classes: sample.n_classes(),
            labels: sample.labels().select(&rows.indices),
            features: rows.features.into_owned(),
            weights: rows.weights,
        })
    }
}

impl HonorsSampleWeights for KnnParams {}

#[typetag::serde]
impl Predictor for Knn {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        check_prediction_rows(features, self.features.n_columns())?;
        let neighbours = distance::nearest(features, &self.features, self.k)?.indices;
        // Relative to the heaviest neighbour, so that weights of no size overflow or vanish.
        let weigh = |near: ArrayView1<'_, usize>| -> Vec<(usize, f64)> {
            let heaviest = near.iter().map(|&i| self.weights[i]).fold(0.0, f64::max);
            near.iter()
                .map(|&i| (i, self.weights[i] / heaviest))
                .collect()
        };
        match &self.labels {
            Labels::Classes(codes) => {
                let mut votes = Array2::zeros((features.n_rows(), self.n_classes));
                for (near, mut vote) in neighbours.outer_iter().zip(votes.outer_iter_mut()) {
                    weigh(near)
                        .into_iter()
                        .for_each(|(i, weight)| vote[codes[i]] += weight);
                    vote /= vote.sum();
                }
                Ok(Prediction::from_probabilities(votes))
            }
            Labels::Values(values) => {
                let mean = |near| {
                    let near = weigh(near);
                    let total: f64 = near.iter().map(|&(_, weight)| weight).sum();
                    near.into_iter()
                        .map(|(i, weight)| weight / total * values[i])
                        .sum()
                };
                Ok(Prediction::from_values(
                    neighbours.outer_iter().map(mean).collect(),
                ))
            }
        }
    }
}

linfa_border!(KnnParams => Knn: usize, f64);

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};
    use proptest::prelude::*;
    use translearn_core::seed;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn votes_are_those_of_the_full_sort(seed in 0_u64..10_000, n in 1_usize..40, k in 1_usize..6) {
            prop_assume!(k <= n);
            // Small integers: many rows at the same distance.
            let mut rng = seed::rng(seed);
            let x = Array2::from_shape_simple_fn((n, 2), || rng.below(4) as f64);
            let query = Array2::from_shape_simple_fn((7, 2), || rng.below(4) as f64);
            let y = Array1::from_shape_simple_fn(n, || rng.below(3));
            let w = Array1::from_shape_simple_fn(n, || rng.uniform() + 0.1);
            let values = y.mapv(|c| c as f64 - 0.5);
            let sparse = |x: &Array2<f64>| Features::Sparse(Features::from(x.clone()).to_sparse().unwrap().into_owned());
            for (features, query_features) in [(Features::from(x.clone()), Features::from(query.clone())), (sparse(&x), sparse(&query))] {
                let (codes, reals) = (Labels::from(y.clone()), Labels::from(values.clone()));
                let fit = |labels, n_classes| {
                    let sample = Sample::new(&features, labels, n_classes).unwrap().with_weights(&w).unwrap();
                    Knn::params().k(k).fit_sample(&sample, 0).unwrap().predict(&query_features).unwrap()
                };
                let (classes, means) = (fit(&codes, 4), fit(&reals, 0));
                for (row, q) in query.outer_iter().enumerate() {
                    let mut all: Vec<usize> = (0..n).collect();
                    all.sort_by_key(|&i| (x.row(i).iter().zip(q).map(|(a, b)| ((a - b) * (a - b)) as i64).sum::<i64>(), i));
                    let near = &all[..k];
                    let total: f64 = near.iter().map(|&i| w[i]).sum();
                    for class in 0..4 {
                        let share: f64 = near.iter().filter(|&&i| y[i] == class).map(|&i| w[i] / total).sum();
                        let found = classes.scores.as_ref().unwrap().matrix()[[row, class]];
                        prop_assert!((found - share).abs() < 1e-12);
                    }
                    let mean: f64 = near.iter().map(|&i| w[i] * values[i] / total).sum();
                    prop_assert!((means.labels.values("test").unwrap()[row] - mean).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn rows_of_weight_zero_are_no_neighbours_and_do_not_count() {
        let x = Features::from(array![[0.0], [1.0], [2.0]]);
        let y = Labels::from(array![0, 1, 2]);
        let w = array![0.0, 1.0, 1.0];
        let sample = Sample::new(&x, &y, 3).unwrap().with_weights(&w).unwrap();
        let model = Knn::params().k(1).fit_sample(&sample, 0).unwrap();
        assert_eq!(
            model.predict(&x).unwrap().labels,
            Labels::from(array![1, 1, 2])
        );
        let error = Knn::params().k(3).fit_sample(&sample, 0).unwrap_err();
        assert!(
            matches!(
                error,
                TransferError::TooFewRows {
                    rows: 2,
                    needed: 3,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_saved_model_predicts_the_same() {
        let x = Features::from(array![[0.1, 0.0], [1.0, 0.3], [0.0, 2.0]]);
        let y = Labels::from(array![0, 1, 1]);
        let sample = Sample::new(&x, &y, 3).unwrap();
        for features in [
            x.clone(),
            Features::Sparse(x.to_sparse().unwrap().into_owned()),
        ] {
            let model: Box<dyn Predictor> = Box::new(Knn {
                features,
                ..Knn::params().k(2).fit_sample(&sample, 0).unwrap()
            });
            let back: Box<dyn Predictor> =
                serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
            assert_eq!(model.predict(&x).unwrap(), back.predict(&x).unwrap());
        }
    }

    #[test]
    fn one_class_and_wrong_widths() {
        let x = Features::from(array![[0.0], [1.0]]);
        let y = Labels::from(array![2, 2]);
        let model = Knn::params()
            .k(2)
            .fit_sample(&Sample::new(&x, &y, 3).unwrap(), 0)
            .unwrap();
        assert_eq!(model.predict(&x).unwrap().labels, y);
        let wide = model.predict(&Features::from(array![[0.0, 1.0]]));
        assert!(matches!(wide, Err(TransferError::FeatureMismatch { .. })));
    }
}
