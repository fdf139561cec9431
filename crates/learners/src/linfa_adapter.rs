//! linfa's learners as ours.

use std::{fmt::Debug, marker::PhantomData};

use linfa::{
    dataset::DatasetBase,
    traits::{Fit, Predict},
};
use linfa_trees::{DecisionTree, DecisionTreeParams};
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use translearn_core::{
    Features, HonorsSampleWeights, Labels, Learner, LearnerInfo, Outputs, Prediction, Predictor,
    Sample, TransferError, check_prediction_rows, params::write_params,
};

use crate::classes::Rows;

/// A model fitted by a linfa learner, as a [`Predictor`] that can be saved; what [`Linfa`] needs to know about it.
///
/// Models are saved by type name, and a name cannot be given to linfa's types from outside, so each wants a type of its
/// own around it, some ten lines: see the example at [`Linfa`].
pub trait LinfaModel: Predictor + Sized + 'static {
    /// What linfa's `fit` returns.
    type Fitted;

    /// What there is to know about the learner.
    const INFO: &'static LearnerInfo;

    /// The fitted model, with the sample it was fitted on.
    fn wrap(fitted: Self::Fitted, sample: &Sample<'_>) -> Self;
}

/// A linfa classifier `P` as a [`Learner`], with `M` for its model and `E` for the errors of its fit.
///
/// When to use: to compare transfer methods over a learner this crate does not have. Rows are made dense; weights are
/// scaled to mean 1 (linfa's tree has thresholds in units of weight) and cast to f32, linfa's type; rows of weight 0 are
/// left out.
///
/// Most of linfa's learners drop weights silently. So `Linfa<P, M>` has no [`HonorsSampleWeights`] unless it is given
/// for that very pair, as it is for [`LinfaTree`], and a method that reweights does not accept the others:
///
/// ```compile_fail,E0277
/// # use linfa::{dataset::DatasetBase, traits::Fit};
/// # use ndarray::{Array1, Array2, array};
/// # use serde::{Deserialize, Serialize};
/// # use translearn_core::{Features, Labels, LearnerInfo, Outputs, Prediction, Predictor, Reweighted, Sample};
/// # use translearn_core::{SourceWeighter, SourceWeights, TransferError, TransferProblem};
/// # use translearn_learners::{Linfa, LinfaModel, Resampled};
/// # #[derive(Debug, Serialize)]
/// # struct Majority;
/// # impl Fit<Array2<f64>, Array1<usize>, linfa::Error> for Majority {
/// #     type Object = usize;
/// #     fn fit(&self, data: &DatasetBase<Array2<f64>, Array1<usize>>) -> Result<usize, linfa::Error> { Ok(data.targets[0]) }
/// # }
/// # #[derive(Debug, Serialize, Deserialize)]
/// # struct MajorityModel(usize);
/// # #[typetag::serde]
/// # impl Predictor for MajorityModel {
/// #     fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
/// #         Ok(Prediction { labels: Labels::from(Array1::from_elem(features.n_rows(), self.0)), scores: None })
/// #     }
/// # }
/// # impl LinfaModel for MajorityModel {
/// #     type Fitted = usize;
/// #     const INFO: &'static LearnerInfo = &LearnerInfo {
/// #         name: "majority", title: "Majority", honors_weights: false, sparse: false, images: false,
/// #         outputs: Outputs::Classification, probabilities: false, parameters: &[], reference: "",
/// #     };
/// #     fn wrap(fitted: usize, _: &Sample<'_>) -> Self { Self(fitted) }
/// # }
/// # #[derive(Debug)]
/// # struct Even;
/// # impl SourceWeighter for Even {
/// #     fn source_weights(&self, problem: &TransferProblem, _: u64) -> Result<SourceWeights, TransferError> {
/// #         Ok(Array1::ones(problem.source()?.labels.len()).into())
/// #     }
/// # }
/// Reweighted::new(Even, Linfa::<_, MajorityModel>::new(Majority));  // `Majority` ignores weights
/// ```
///
/// [`Resampled`](crate::Resampled) stands in for the weights, approximately. This compiles, with a learner of one's own:
///
/// ```
/// use linfa::{dataset::DatasetBase, traits::Fit};
/// use ndarray::{Array1, Array2, array};
/// use serde::{Deserialize, Serialize};
/// use translearn_core::{Features, Labels, Learner, LearnerInfo, Outputs, Prediction, Predictor, Reweighted, Sample};
/// # use translearn_core::{SourceWeighter, SourceWeights, TransferError, TransferProblem};
/// use translearn_learners::{Linfa, LinfaModel, Resampled};
///
/// #[derive(Debug, Serialize)]
/// struct Majority;
/// impl Fit<Array2<f64>, Array1<usize>, linfa::Error> for Majority {
///     type Object = usize;
///     fn fit(&self, data: &DatasetBase<Array2<f64>, Array1<usize>>) -> Result<usize, linfa::Error> {
///         let ones = data.targets.sum();
///         Ok(usize::from(2 * ones > data.targets.len()))
///     }
/// }
///
/// #[derive(Debug, Serialize, Deserialize)]
/// struct MajorityModel(usize);
/// #[typetag::serde]
/// impl Predictor for MajorityModel {
///     fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
///         Ok(Prediction { labels: Labels::from(Array1::from_elem(features.n_rows(), self.0)), scores: None })
///     }
/// }
/// impl LinfaModel for MajorityModel {
///     type Fitted = usize;
///     const INFO: &'static LearnerInfo = &LearnerInfo {
///         name: "majority", title: "Majority", honors_weights: false, sparse: false, images: false,
///         outputs: Outputs::Classification, probabilities: false, parameters: &[], reference: "",
///     };
///     fn wrap(fitted: usize, _: &Sample<'_>) -> Self { Self(fitted) }
/// }
/// # #[derive(Debug)]
/// # struct Even;
/// # impl SourceWeighter for Even {
/// #     fn source_weights(&self, problem: &TransferProblem, _: u64) -> Result<SourceWeights, TransferError> {
/// #         Ok(Array1::ones(problem.source()?.labels.len()).into())
/// #     }
/// # }
///
/// let x = Features::from(array![[0.0], [1.0], [2.0]]);
/// let y = Labels::from(array![0, 1, 1]);
/// let majority = Linfa::<_, MajorityModel>::new(Majority);
/// let model = majority.fit_boxed(&Sample::new(&x, &y, 2)?, 0)?;
/// assert_eq!(model.predict(&x)?.labels, Labels::from(array![1, 1, 1]));
/// Reweighted::new(Even, Resampled::new(majority));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Linfa<P, M, E = linfa::Error> {
    params: P,
    types: PhantomData<fn() -> (M, E)>,
}

impl<P, M, E> Linfa<P, M, E> {
    /// A linfa learner with its parameters set.
    pub fn new(params: P) -> Self {
        Self {
            params,
            types: PhantomData,
        }
    }
}

impl<P, M, E> Learner for Linfa<P, M, E>
where
    P: Fit<Array2<f64>, Array1<usize>, E, Object = M::Fitted> + Debug + Serialize + Send + Sync,
    M: LinfaModel,
    E: std::error::Error + From<linfa::Error>,
{
    fn info(&self) -> &'static LearnerInfo {
        M::INFO
    }

    fn params(&self) -> Map<String, Value> {
        write_params(&self.params)
    }

    fn fit_boxed(
        &self,
        sample: &Sample<'_>,
        _seed: u64,
    ) -> Result<Box<dyn Predictor>, TransferError> {
        let codes = sample.labels().classes(M::INFO.name)?;
        let rows = Rows::of(sample);
        let targets: Array1<usize> = rows.indices.iter().map(|&row| codes[row]).collect();
        let mut dataset = DatasetBase::new(rows.features.dense()?.into_owned(), targets);
        if sample.weights().is_some() {
            dataset = dataset.with_weights(mean_one_f32(&rows.weights));
        }
        let fitted = self
            .params
            .fit(&dataset)
            .map_err(|error| TransferError::Linfa(error.to_string()))?;
        Ok(Box::new(M::wrap(fitted, sample)))
    }
}

fn mean_one_f32(weights: &Array1<f64>) -> Array1<f32> {
    let heaviest = weights.iter().copied().fold(0.0, f64::max);
    let relative = weights / heaviest;
    let scale = weights.len() as f64 / relative.sum();
    relative.mapv(|weight| (weight * scale) as f32)
}

/// linfa's decision tree, which does use weights; fit with [`LinfaTree::learner`].
///
/// Our own [`TreeParams`](crate::TreeParams) is the better choice: it also serves real values and gives probabilities,
/// takes weights in f64, sorts once and is many times faster. linfa's also breaks a tie between equally heavy classes of a leaf by the
/// order of a hash map, which differs from run to run, so it is outside this library's promise of equal bits for equal
/// seeds.
///
/// ```
/// use linfa_trees::DecisionTree;
/// use ndarray::array;
/// use translearn_core::{Features, Labels, Learner, Sample};
/// use translearn_learners::LinfaTree;
///
/// let x = Features::from(array![[1.0], [2.0], [3.0], [4.0]]);
/// let y = Labels::from(array![0, 1, 1, 0]);
/// let weights = array![1e-9, 1e-9, 1e-9, 9e-9]; // the heavy last row moves the cut from 1.5 to 3.5
/// let sample = Sample::new(&x, &y, 2)?.with_weights(&weights)?;
/// let stump = LinfaTree::learner(DecisionTree::params().max_depth(Some(1)).min_weight_leaf(0.1));
/// let model = stump.fit_boxed(&sample, 0)?;
/// assert_eq!(model.predict(&x)?.labels, Labels::from(array![1, 1, 1, 0]));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Errors
/// [`TransferError::Linfa`] for parameters linfa refuses, [`TransferError::DenseTooLarge`], and
/// [`TransferError::Unsupported`] for real-valued labels.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LinfaTree {
    n_columns: usize,
    tree: DecisionTree<f64, usize>,
}

impl LinfaTree {
    /// linfa's decision tree as a [`Learner`].
    pub fn learner(
        params: DecisionTreeParams<f64, usize>,
    ) -> Linfa<DecisionTreeParams<f64, usize>, Self> {
        Linfa::new(params)
    }
}

impl LinfaModel for LinfaTree {
    type Fitted = DecisionTree<f64, usize>;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "linfa-tree",
        title: "linfa's decision tree",
        honors_weights: true,
        sparse: false,
        images: false,
        outputs: Outputs::Classification,
        probabilities: false,
        parameters: &[],
        reference: "https://docs.rs/linfa-trees",
    };

    fn wrap(tree: DecisionTree<f64, usize>, sample: &Sample<'_>) -> Self {
        Self {
            n_columns: sample.features().n_columns(),
            tree,
        }
    }
}

#[typetag::serde]
impl Predictor for LinfaTree {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        check_prediction_rows(features, self.n_columns)?;
        let labels: Array1<usize> = self.tree.predict(features.dense()?.as_ref());
        Ok(Prediction {
            labels: Labels::Classes(labels),
            scores: None,
        })
    }
}

impl HonorsSampleWeights for Linfa<DecisionTreeParams<f64, usize>, LinfaTree> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stump;
    use ndarray::{Axis, array};
    use translearn_core::{FitSample, seed};

    fn table() -> (Features, Array1<usize>, Array1<f64>) {
        let mut rng = seed::rng(3);
        let x = Array2::from_shape_simple_fn((150, 4), || rng.normal());
        let y = Array1::from_shape_fn(150, |i| {
            2 * usize::from(x[[i, 1]] + 0.5 * rng.normal() > 0.2)
        });
        let w = Array1::from_shape_simple_fn(150, || (rng.uniform() - 0.3).max(0.0));
        (x.into(), y, w)
    }

    #[test]
    fn weights_of_any_scale_give_our_own_stump() {
        let (x, y, w) = table();
        let labels = Labels::from(y);
        let learner = LinfaTree::learner(
            DecisionTree::params()
                .max_depth(Some(1))
                .min_weight_leaf(1e-6),
        );
        let mut seen = Vec::new();
        for weights in [&w * 1e-6, &w * 1e6, Array1::ones(150)] {
            let sample = Sample::new(&x, &labels, 3)
                .unwrap()
                .with_weights(&weights)
                .unwrap();
            let linfa = learner.fit_boxed(&sample, 0).unwrap().predict(&x).unwrap();
            let stump = Stump::params().fit_sample(&sample, 0).unwrap();
            let ours = Predictor::predict(&stump, &x).unwrap();
            assert_eq!(linfa.labels, ours.labels);
            seen.push(ours.labels);
        }
        assert_eq!(seen[0], seen[1]);
        assert_ne!(
            seen[1], seen[2],
            "the weights must matter for this test to say anything"
        );
    }

    #[test]
    fn rows_of_weight_zero_are_absent_and_models_can_be_saved() {
        let (x, y, w) = table();
        let labels = Labels::from(y);
        let learner = LinfaTree::learner(DecisionTree::params().max_depth(Some(2)));
        let sample = Sample::new(&x, &labels, 3)
            .unwrap()
            .with_weights(&w)
            .unwrap();
        let present: Vec<usize> = (0..150).filter(|&i| w[i] > 0.0).collect();
        let (fewer, kept, positive) = (
            x.select_rows(&present),
            labels.select(&present),
            w.select(Axis(0), &present),
        );
        let without = Sample::new(&fewer, &kept, 3)
            .unwrap()
            .with_weights(&positive)
            .unwrap();
        let model = learner.fit_boxed(&sample, 0).unwrap();
        let predicted = model.predict(&x).unwrap();
        assert_eq!(
            predicted,
            learner.fit_boxed(&without, 0).unwrap().predict(&x).unwrap()
        );
        let back: Box<dyn Predictor> =
            serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert_eq!(predicted, back.predict(&x).unwrap());
        let wide = model.predict(&Features::from(array![[1.0]]));
        assert!(matches!(wide, Err(TransferError::FeatureMismatch { .. })));
        assert_eq!(learner.params()["max_depth"], 2);
    }

    #[test]
    fn linfas_own_errors_come_through() {
        let (x, labels) = (
            Features::from(array![[0.0], [1.0]]),
            Labels::from(array![0, 1]),
        );
        let sample = Sample::new(&x, &labels, 2).unwrap();
        let refused = LinfaTree::learner(DecisionTree::params().min_impurity_decrease(0.0))
            .fit_boxed(&sample, 0);
        assert!(matches!(refused, Err(TransferError::Linfa(text)) if text.contains("impurity")));
        let values = Labels::from(array![0.0, 1.0]);
        let sample = Sample::new(&x, &values, 0).unwrap();
        let refused = LinfaTree::learner(DecisionTree::params()).fit_boxed(&sample, 0);
        assert!(matches!(refused, Err(TransferError::Unsupported { .. })));
    }
}
