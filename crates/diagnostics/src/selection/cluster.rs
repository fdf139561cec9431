//! Whether the classes a model gives are clusters.

use translearn_core::selection::{Candidate, ScorerInfo, ScorerNeeds, TargetScorer};
use translearn_core::{Outputs, TransferError};

use crate::silhouette;

/// The class-cluster score: the silhouette of target rows with the classes that the model gives them.
///
/// *When.* Classes that are clusters of the target's features, and borders that the methods move; the features should
/// be those the model sees, [`Candidate::with_representation`]. Candidates with representations of their own can score
/// high by pulling any rows together.
///
/// # Formula
///
/// $$\frac1n \sum_i \frac{b_i - a_i}{\max(a_i, b_i)}$$
///
/// with the mean Euclidean distance `a` of a row to the others of its class, and the least, over the other classes, of
/// its mean distance to their rows, `b`; 0 for a row alone in its class. Between −1 and 1.
///
/// # Shapes and cost
///
/// O(n² d) for n target rows and d columns; memory O(n d). Sparse rows are used as they are.
///
/// # Errors
///
/// [`TransferError::Unsupported`] for values, [`TransferError::NotVectors`] for images without a representation, and
/// [`TransferError::TooFewClasses`] where all rows have one.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::SourceOnly;
/// use translearn_core::{TransferMethod, TransferProblem};
/// use translearn_core::selection::{Candidate, TargetScorer};
/// use translearn_diagnostics::selection::ClassCluster;
///
/// let source = DatasetBase::new(array![[-1.0], [1.0]], array![0, 1]);
/// let target = DatasetBase::from(array![[-3.0], [-2.0], [2.0], [3.0]]);
/// let problem = TransferProblem::new(&source, &target)?;
/// let model = SourceOnly::params().fit(&problem, 0)?.model;
/// // The outer rows are 1 and 5.5 away, the inner ones 1 and 4.5.
/// let score = ClassCluster.score(&Candidate::new(&*model, &problem)?, 0)?.value().unwrap_or(0.0);
/// assert!((score - (4.5 / 5.5 + 3.5 / 4.5) / 2.0).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Rousseeuw, *Silhouettes: a graphical aid to the interpretation and validation of cluster analysis*, Journal of
/// Computational and Applied Mathematics 20, 1987, doi:10.1016/0377-0427(87)90125-7; as a score of adaptation:
/// Musgrave, Belongie, Lim, arXiv:2208.07360.
///
/// *Where we differ.* pytorch-adapt compares the model's classes with those of k-means by the adjusted mutual
/// information, which k-means draws at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassCluster;

static INFO: ScorerInfo = ScorerInfo {
    name: "class-cluster",
    title: "Class clusters",
    needs: ScorerNeeds {
        outputs: Outputs::Classification,
        probabilities: false,
        held_out: false,
        method: false,
    },
    reference: "Rousseeuw. Silhouettes: a graphical aid to the interpretation and validation of cluster analysis. Journal of Computational and Applied Mathematics 20, 1987. doi:10.1016/0377-0427(87)90125-7",
};

impl TargetScorer for ClassCluster {
    fn info(&self) -> &'static ScorerInfo {
        &INFO
    }

    fn score_checked(&self, candidate: &Candidate<'_>, _seed: u64) -> Result<f64, TransferError> {
        let [_, rows] = candidate.represented();
        rows.check_vectors("the target's features")?;
        let classes = candidate.target_prediction().labels.classes(INFO.name)?;
        silhouette::of_features(rows, classes)
    }
}
