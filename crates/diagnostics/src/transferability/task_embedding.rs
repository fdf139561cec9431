//! Tasks as vectors of what matters to them.

use ndarray::{Array1, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{BaseLearner, Features, Labels, Sample, Scores, TransferError};

use super::{check_rows, classes_of};

/// A task by how much its classifier would notice of a change in each feature, as in Task2Vec.
///
/// *When.* To ask which of many tasks on the same features are near each other, without rows of one in the other: an
/// embedding is a number for each feature. The features have to be those of one extractor.
///
/// # Formula
///
/// The diagonal of the Fisher information of the weights of a linear classifier with softmax, summed over the classes, which
/// has a closed form:
///
/// $$F_k = \frac1n \sum_i x_{ik}^2 \Bigl(1 - \sum_c p_c(x_i)^2\Bigr)$$
///
/// Two tasks are apart by one less the cosine of what each has of the information of both,
///
/// $$d(F, G) = 1 - \cos\Bigl(\frac{F}{F + G},\, \frac{G}{F + G}\Bigr)$$
///
/// over the features that matter to either. It is symmetric, 0 for a task and itself or where one has the same multiple of the
/// other's information everywhere, 1 where they share no feature, and no metric.
///
/// # Shapes and cost
///
/// One fit, and O(n (d + C)).
///
/// # Errors
///
/// [`TransferError::LengthMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below two rows, [`TransferError::TooFewClasses`] for a single class,
/// [`TransferError::Unsupported`] for a learner without probabilities, [`TransferError::FeatureMismatch`] for embeddings of
/// other numbers of features, and those of the learner.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, Labels};
/// use translearn_diagnostics::transferability::TaskEmbedding;
/// use translearn_learners::Logistic;
///
/// let labels = Labels::Classes(array![0, 1, 0, 1]);
/// let first = Features::from(array![[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0]]);
/// let second = Features::from(array![[0.0, 1.0], [0.0, 2.0], [0.0, 3.0], [0.0, 4.0]]);
/// let of = |features: &Features| TaskEmbedding::new(features, &labels, Logistic::params(), 0);
/// assert_eq!(of(&first)?.distance(&of(&first)?)?, 0.0);
/// assert_eq!(of(&first)?.distance(&of(&second)?)?, 1.0);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Achille, Lam, Tewari, Ravichandran, Maji, Fowlkes, Soatto, Perona, *Task2Vec: task embedding for meta-learning*, ICCV
/// 2019, doi:10.1109/ICCV.2019.00653.
///
/// *Where we differ.* The paper takes the information of the filters of a network, estimated by a noisy training, and adds a
/// distance from the trivial task to make its distance asymmetric; here it is that of the classifier, exact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskEmbedding {
    /// The information of each feature.
    pub fisher: Array1<f64>,
}

impl TaskEmbedding {
    /// The embedding of a task by a learner with probabilities; the seed is the learner's.
    ///
    /// # Errors
    /// See the type.
    pub fn new(
        features: &Features,
        labels: &Labels,
        learner: impl Into<BaseLearner>,
        seed: u64,
    ) -> Result<Self, TransferError> {
        check_rows(features, labels)?;
        let (classes, n_classes) = classes_of(labels)?;
        let learner = learner.into();
        let classes = Labels::Classes(classes.into());
        let model = learner.fit_boxed(&Sample::new(features, &classes, n_classes)?, seed)?;
        let Some(Scores::Probabilities(probabilities)) = model.predict(features)?.scores else {
            return Err(TransferError::Unsupported {
                method: "the embedding of a task".to_owned(),
                needs: "a learner with probabilities".to_owned(),
                has: format!("`{}`", learner.info().name),
            });
        };
        // What is left of a certain answer is nothing, but for rounding.
        let doubt = probabilities.map_axis(Axis(1), |p| (1.0 - p.dot(&p)).max(0.0));
        let squares = features.dense()?.mapv(|v| v * v);
        Ok(Self {
            fisher: doubt.dot(&squares) / features.n_rows() as f64,
        })
    }

    /// How far two tasks are apart, between 0 and 1.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`].
    pub fn distance(&self, other: &Self) -> Result<f64, TransferError> {
        let (f, g) = (&self.fisher, &other.fisher);
        if f.len() != g.len() {
            return Err(TransferError::FeatureMismatch {
                left: "an embedding".to_owned(),
                left_features: f.len(),
                right: "the other".to_owned(),
                right_features: g.len(),
            });
        }
        let (mut across, mut own, mut others) = (0.0, 0.0, 0.0);
        for (f, g) in f.iter().zip(g).filter(|(f, g)| *f + *g > 0.0) {
            let (share, rest) = (f / (f + g), g / (f + g));
            across += share * rest;
            own += share * share;
            others += rest * rest;
        }
        let lengths: f64 = own * others;
        if lengths == 0.0 {
            // One task has no doubt anywhere: near nothing but another such.
            return Ok(if own == others { 0.0 } else { 1.0 });
        }
        Ok((1.0 - across / lengths.sqrt()).clamp(0.0, 1.0))
    }
}
