//! The disparity discrepancy.

use ndarray::Array1;
use translearn_core::{BaseLearner, Features, Prediction, TransferError, TransferProblem, setters};
use translearn_learners::Logistic;

use super::AdaptationBound;
use super::adversary::{Adversary, Complexity};
use super::hypothesis::{BOUND, refitted, weighs_rows};
use super::terms::Terms;

/// The disparity discrepancy of a hypothesis: how much more often a rival can differ from it on the target than on the source,
/// and the bound of its error that follows.
///
/// **The total is an estimate, which can lie below the true error**: a rival that was fitted stands in for the worst one.
/// [`AdaptationBound::is_bound`] is false for it, with any learner.
///
/// *When.* In place of [`BenDavid`](super::BenDavid) for the hypothesis at hand: only what can differ from it counts, not all
/// pairs of hypotheses, and with any number of classes.
///
/// # Formula
///
/// $$\varepsilon_T(h) \le \varepsilon_S(h) + d_{h,H}(S, T) + \lambda, \qquad
///   d_{h,H} = \sup_{h' \in H} P_T[h' \ne h] - P_S[h' \ne h]$$
///
/// with `λ` and the deviations of samples as for [`BenDavid`](super::BenDavid), the regions being those where a hypothesis
/// differs from `h`: for two classes their dimension is that of H. It is never below 0, for `h' = h`.
///
/// # Steps
///
/// 1. The rival is `learner`, fitted to say what `h` says on the source and another class on the target: the one to which `h`
///    gives the next best score. The domains weigh the same. For two classes the least error of that fit is `1 − d_{h,H}`.
/// 2. What the rival reaches on the rows is at most the supremum: the total is an upper bound only where the fit finds the best
///    rival, for the deviation in each draw of signs, too. The default learner draws all regions that count, those of H, but it
///    lowers another loss than the share of errors and need not find the best.
/// 3. Source error and joint error as for [`BenDavid`](super::BenDavid).
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | logistic regression | a classifier that uses weights | H; what its fit misses makes the total too small |
/// | `complexity` | `rademacher` 20 | as for [`BenDavid`](super::BenDavid) | how rich the regions are |
/// | `confidence` | 0.95 | (0, 1) | of all limits together |
///
/// # Shapes and cost
///
/// Two fits of `learner`, and with `rademacher` two more for each draw.
///
/// # Errors
///
/// As [`BenDavid`](super::BenDavid), and [`TransferError::Unsupported`] for a hypothesis of more than two classes without
/// scores.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::{Array1, Array2};
/// use translearn_core::{Prediction, TransferProblem};
/// use translearn_diagnostics::bounds::{Complexity, DisparityDiscrepancy};
/// use translearn_learners::Stump;
///
/// // Source rows from -1 to 1, target rows from 0 to 2; the hypothesis cuts at 0.
/// let rows = |from: f64| Array2::from_shape_fn((200, 1), |(row, _)| from + row as f64 / 100.0);
/// let class = |x: &Array2<f64>| -> Array1<usize> { x.column(0).mapv(|x| usize::from(x > 0.0)) };
/// let source = rows(-1.0);
/// let problem = TransferProblem::new(
///     &DatasetBase::new(source.clone(), class(&source)), &DatasetBase::from(rows(0.005)))?;
/// let bound = DisparityDiscrepancy::default()
///     .learner(Stump::params())
///     .complexity(Complexity::VcDimension(2))
///     .bound(|rows| Ok(Prediction { labels: class(&*rows.dense()?).into(), scores: None }), &problem, 0)?;
/// // No cut but that of always 0 differs on all of the target, and this on half of the source.
/// assert!((bound.divergence - 0.505).abs() < 1e-12);
/// assert_eq!(bound.total(), None);                             // without target labels λ is not known
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Zhang, Liu, Long, Jordan, *Bridging theory and algorithm for domain adaptation*, ICML 2019.
///
/// *Where we differ.* This is the paper's disparity of 0-1 losses; its margin disparity needs scores whose scale means
/// something, which those of most learners do not. The adversary of the paper's network is trained along with it; here the
/// hypothesis is given.
#[derive(Debug, Clone)]
pub struct DisparityDiscrepancy {
    learner: BaseLearner,
    complexity: Complexity,
    confidence: f64,
}

impl Default for DisparityDiscrepancy {
    fn default() -> Self {
        Self {
            learner: Logistic::params().into(),
            complexity: Complexity::Rademacher(20),
            confidence: 0.95,
        }
    }
}

setters!(DisparityDiscrepancy {
    /// Sets the class of hypotheses.
    learner: impl Into<BaseLearner>,
    /// Sets how rich the regions are in which one differs from the given one.
    complexity: Complexity,
    /// Sets the confidence of all limits together.
    confidence: f64,
});

impl DisparityDiscrepancy {
    /// The terms for the error on the target of a hypothesis that has seen no row of the problem, whose sum is an estimate of the
    /// bound; the seed draws signs and halves, and is the learner's. The hypothesis answers rows as `|rows| model.predict(rows)`
    /// does.
    ///
    /// # Errors
    /// See the type.
    pub fn bound(
        &self,
        hypothesis: impl Fn(&Features) -> Result<Prediction, TransferError> + Sync,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<AdaptationBound, TransferError> {
        weighs_rows(&self.learner)?;
        let rivals = Rivals {
            learner: &self.learner,
            hypothesis: &hypothesis,
            n_classes: problem.n_classes(),
        };
        let terms = Terms {
            learner: &self.learner,
            complexity: self.complexity,
            confidence: self.confidence,
        };
        terms.bound(&hypothesis, problem, &rivals, |found| found.max(0.0), seed)
    }
}

/// Where a hypothesis can differ from the given one.
struct Rivals<'a, H> {
    learner: &'a BaseLearner,
    hypothesis: &'a H,
    n_classes: usize,
}

impl<H: Fn(&Features) -> Result<Prediction, TransferError> + Sync> Adversary for Rivals<'_, H> {
    fn region(
        &self,
        rows: &Features,
        wanted: &[bool],
        weights: &Array1<f64>,
        seed: u64,
    ) -> Result<Vec<bool>, TransferError> {
        let said = (self.hypothesis)(rows)?;
        let others = next_best(&said, self.n_classes)?;
        let said = said.labels.classes(BOUND)?;
        let asked: Array1<usize> = (wanted.iter().zip(said).zip(&others))
            .map(|((&wanted, &said), &other)| if wanted { other } else { said })
            .collect();
        if asked.iter().all(|class| *class == asked[0]) {
            // One answer serves all rows: it differs from the hypothesis just where that is wanted.
            return Ok(wanted.to_vec());
        }
        let rival = refitted(self.learner, rows, asked, self.n_classes, weights, seed)?;
        Ok(rival
            .iter()
            .zip(said)
            .map(|(rival, said)| rival != said)
            .collect())
    }
}

/// For each row the class with the best score of those that the hypothesis does not say.
fn next_best(said: &Prediction, n_classes: usize) -> Result<Vec<usize>, TransferError> {
    let codes = said.labels.classes(BOUND)?;
    if n_classes == 2 {
        return Ok(codes.iter().map(|&code| 1 - code.min(1)).collect());
    }
    let Some(scores) = &said.scores else {
        return Err(TransferError::Unsupported {
            method: "the disparity discrepancy of more than two classes".to_owned(),
            needs: "a hypothesis with a score per class".to_owned(),
            has: "classes only".to_owned(),
        });
    };
    let scores = scores.matrix();
    if scores.nrows() != codes.len() {
        return Err(TransferError::LengthMismatch {
            left: "the scores of the hypothesis".to_owned(),
            left_len: scores.nrows(),
            right: "its classes".to_owned(),
            right_len: codes.len(),
        });
    }
    let next = |(row, &code): (usize, &usize)| {
        let scores = scores.row(row);
        let others = (0..scores.len()).filter(|&class| class != code);
        // Of equal scores the lowest class, as in a prediction.
        others.fold(None, |best: Option<usize>, class| match best {
            Some(best) if scores[best] >= scores[class] => Some(best),
            _ => Some(class),
        })
    };
    let next = codes.iter().enumerate().map(|row| next(row).unwrap_or(0));
    Ok(next.collect())
}
