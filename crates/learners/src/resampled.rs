//! Sample weights for learners that ignore them, by resampling.

use ndarray::Array1;
use serde_json::{Map, Value};
use translearn_core::{
    HonorsSampleWeights, Learner, LearnerInfo, Outputs, Predictor, Sample, TransferError, seed,
};

use crate::classes::Rows;

/// Fits a learner that ignores weights on rows drawn in proportion to them: an **approximation** of weighted fitting.
///
/// When to use: to put a learner without weights (linfa's SVM, say, through [`Linfa`](crate::Linfa)) under a method that
/// reweights. A learner that uses weights itself is always better: drawing adds variance, most of all when few rows carry
/// most of the weight.
///
/// Where the sample has weights, as many rows as have a positive weight are drawn with replacement, row i with
/// probability wᵢ / Σ w, and the learner is fitted on them without weights; only ratios of weights matter, and a row of
/// weight 2 is drawn as often as two rows of weight 1. Where it has none, the learner is fitted on the sample as it is.
///
/// The model returned is the inner learner's own. Cost: that of the learner, and a copy of the rows drawn, dense or
/// sparse. It is built in code, not by name from a spec; its [`params`](Learner::params) show the learner inside.
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, Labels, Learner, Sample};
/// use translearn_learners::{Knn, Resampled};
///
/// let x = Features::from(array![[0.0], [0.0], [0.0]]);
/// let y = Labels::from(array![0.0, 0.0, 6.0]);
/// let weights = array![0.0, 0.0, 2.0];
/// let sample = Sample::new(&x, &y, 0)?.with_weights(&weights)?;
/// // Only the last row can be drawn.
/// let model = Resampled::new(Knn::params().k(1)).fit_boxed(&sample, 0)?;
/// assert_eq!(model.predict(&x)?.labels, Labels::from(array![6.0, 6.0, 6.0]));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Errors
/// As the learner's fit; note that a class of little weight may not be drawn at all, which a learner may refuse.
///
/// Source: Zadrozny, Langford, Abe, "Cost-sensitive learning by cost-proportionate example weighting", 2003,
/// doi:10.1109/ICDM.2003.1250950 (which goes on to rejection sampling, to avoid the duplicates).
#[derive(Debug, Clone)]
pub struct Resampled<B> {
    learner: B,
}

impl<B: Learner> Resampled<B> {
    /// The learner, with weights made up for by drawing rows.
    pub fn new(learner: B) -> Self {
        Self { learner }
    }
}

impl<B: Learner> Learner for Resampled<B> {
    fn info(&self) -> &'static LearnerInfo {
        &LearnerInfo {
            name: "resampled",
            title: "Weights by resampling (approximate)",
            honors_weights: true,
            sparse: true,
            images: false,
            outputs: Outputs::Both,
            probabilities: false,
            parameters: &[],
            reference: "Zadrozny, Langford, Abe 2003, doi:10.1109/ICDM.2003.1250950",
        }
    }

    /// `{"learner": {"use": name, …}}`: the learner inside with its parameters.
    fn params(&self) -> Map<String, Value> {
        let mut inner = Map::new();
        inner.insert("use".to_owned(), self.learner.info().name.into());
        inner.extend(self.learner.params());
        let mut params = Map::new();
        params.insert("learner".to_owned(), Value::Object(inner));
        params
    }

    fn fit_boxed(
        &self,
        sample: &Sample<'_>,
        seed: u64,
    ) -> Result<Box<dyn Predictor>, TransferError> {
        let inner_seed = seed::derive(seed, &["learner"]);
        if sample.weights().is_none() {
            return self.learner.fit_boxed(sample, inner_seed);
        }
        let drawn = draw(sample, seed::derive(seed, &["resample"]))?;
        let features = sample.features().select_rows(&drawn);
        let labels = sample.labels().select(&drawn);
        self.learner.fit_boxed(
            &Sample::new(&features, &labels, sample.n_classes())?,
            inner_seed,
        )
    }
}

/// As many rows as have a positive weight, drawn with replacement in proportion to weight.
pub(crate) fn draw(sample: &Sample<'_>, seed: u64) -> Result<Vec<usize>, TransferError> {
    let Rows {
        weights, indices, ..
    } = Rows::of(sample);
    let heaviest = weights.iter().copied().fold(0.0, f64::max);
    let relative: Array1<f64> = weights / heaviest;
    let drawn = seed::rng(seed).weighted_indices(&relative.to_vec(), indices.len());
    let drawn = drawn.ok_or_else(|| TransferError::InvalidWeight {
        row: 0,
        value: heaviest.to_string(),
    })?;
    Ok(drawn.into_iter().map(|at| indices[at]).collect())
}

impl<B> HonorsSampleWeights for Resampled<B> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tree, TreeParams};
    use ndarray::{Array2, array};
    use translearn_core::{Features, FitSample, Labels};

    #[test]
    fn rows_are_drawn_in_proportion_to_their_weights() {
        let n = 30_000;
        let (x, y) = (
            Features::from(Array2::zeros((n, 1))),
            Labels::from(Array1::from_shape_fn(n, |i| i % 3)),
        );
        // A third of the rows each of weight 0, 1 and 2.
        let weights = Array1::from_shape_fn(n, |i| (i % 3) as f64);
        let sample = Sample::new(&x, &y, 3)
            .unwrap()
            .with_weights(&weights)
            .unwrap();
        let mut counts = [0.0; 3];
        draw(&sample, 4)
            .unwrap()
            .into_iter()
            .for_each(|row| counts[row % 3] += 1.0);
        assert_eq!((counts[0], counts.iter().sum::<f64>()), (0.0, 20_000.0));
        // A binomial of 20 000 draws with probability 2/3 has standard deviation 66.7.
        assert!(
            (counts[2] - 40_000.0 / 3.0).abs() < 4.0 * 66.7,
            "{counts:?}"
        );
    }

    #[test]
    fn the_learner_sees_the_rows_drawn_and_its_own_seed() {
        let mut rng = seed::rng(1);
        let x = Features::from(Array2::from_shape_simple_fn((50, 3), || rng.normal()));
        let y = Labels::from(Array1::from_shape_simple_fn(50, || rng.below(2)));
        let weights = Array1::from_shape_simple_fn(50, || rng.uniform());
        let sample = Sample::new(&x, &y, 2)
            .unwrap()
            .with_weights(&weights)
            .unwrap();
        let tree = Tree::params().max_features(1);
        let found = Resampled::new(tree.clone()).fit_boxed(&sample, 9).unwrap();
        let drawn = draw(&sample, seed::derive(9, &["resample"])).unwrap();
        let (rows, labels) = (x.select_rows(&drawn), y.select(&drawn));
        let by_hand = tree
            .fit_sample(
                &Sample::new(&rows, &labels, 2).unwrap(),
                seed::derive(9, &["learner"]),
            )
            .unwrap();
        assert_eq!(found.predict(&x).unwrap(), by_hand.predict(&x).unwrap());
    }

    #[test]
    fn without_weights_nothing_is_drawn() {
        let (x, y) = (
            Features::from(array![[0.0], [1.0], [2.0]]),
            Labels::from(array![0, 1, 2]),
        );
        let sample = Sample::new(&x, &y, 3).unwrap();
        let model = Resampled::new(Tree::params())
            .fit_boxed(&sample, 0)
            .unwrap();
        assert_eq!(model.predict(&x).unwrap().labels, y);
    }

    #[test]
    fn the_learner_inside_is_shown() {
        let params = Resampled::new(TreeParams::default().max_depth(2)).params();
        assert_eq!(params["learner"]["use"], "tree");
        assert_eq!(params["learner"]["max_depth"], 2);
    }
}
