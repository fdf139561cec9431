//! The source's risk where the target's rows lie.

use std::sync::Arc;

use ndarray::Array1;
use translearn_classical::instance::LogisticRatioParams;
use translearn_core::selection::{Candidate, ScorerInfo, ScorerNeeds, TargetScorer};
use translearn_core::{
    Features, Outputs, SourceWeighter, TransferError, effective_sample_size, mean_one, seed,
    setters,
};

use crate::row_losses::row_losses;

/// Importance-weighted validation: the loss on source rows, each weighted by how much likelier it is in the target.
///
/// *When.* P(X) differs, P(Y | X) does not, and the target lies within the source. The source rows should be predicted
/// by models that have not seen them ([`Candidate::with_source_prediction`]). If the classes mean something else in the
/// target, the score does not see it, for it sees no target row's answer.
///
/// # Formula
///
/// $$-\frac{\sum_i w(x_i)\, \ell\bigl(y_i, f(x_i)\bigr)}{\sum_i w(x_i)}, \qquad w(x) \approx \frac{p_T(x)}{p_S(x)}$$
///
/// over the labelled source rows, with whether the class is wrong, or the squared error, as loss `ℓ`.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `weighter` | [`LogisticRatio`](translearn_classical::LogisticRatio) | a [`SourceWeighter`] | what estimates `w`, from the rows as they are |
///
/// # Shapes and cost
///
/// One estimate of the ratio.
///
/// # Errors
///
/// Those of the weighter; [`TransferError::InvalidWeight`] where all weights are 0.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::SourceOnly;
/// use translearn_core::{Labels, Prediction, TransferMethod, TransferProblem};
/// use translearn_core::selection::{Candidate, TargetScorer};
/// use translearn_diagnostics::selection::ImportanceWeighted;
///
/// let x = array![[-4.0], [-3.0], [-2.0], [-1.0], [1.0], [2.0], [3.0], [4.0]];
/// let source = DatasetBase::new(x, array![0, 0, 0, 0, 1, 1, 1, 1]);
/// let target = DatasetBase::from(array![[-0.5], [2.0], [2.5]]);
/// let problem = TransferProblem::new(&source, &target)?;
/// let model = SourceOnly::params().fit(&problem, 0)?.model;
/// let score = |classes: [usize; 8]| {
///     let prediction = Prediction { labels: Labels::Classes(classes.to_vec().into()), scores: None };
///     ImportanceWeighted::default().score(&Candidate::new(&*model, &problem)?.with_source_prediction(prediction)?, 0)
/// };
/// // An error on the right costs more than one on the left: the target is there.
/// let left = score([0, 1, 0, 0, 1, 1, 1, 1])?;
/// let right = score([0, 0, 0, 0, 1, 1, 0, 1])?;
/// assert!(left.value() > right.value());
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Sugiyama, Krauledat, Müller, *Covariate shift adaptation by importance weighted cross validation*, JMLR 8, 2007.
///
/// *Where we differ.* The sum of the weights takes the place of the number of rows, as an estimated ratio has another
/// scale than the true one.
#[derive(Debug, Clone)]
pub struct ImportanceWeighted {
    weighter: Ratio,
}

/// Deep embedded validation: the importance-weighted risk with the weights, whose mean is known, as control variate.
///
/// *When.* As [`ImportanceWeighted`], where few rows carry most of the weight. The ratio is that of the features which
/// the model makes of the rows, where it makes any ([`Candidate::with_representation`]).
///
/// # Formula
///
/// $$\hat R = \overline{w \ell} + \eta\, \bar w - \eta, \qquad \eta = -\frac{\operatorname{Cov}(w \ell, w)}{\operatorname{Var}(w)}, \qquad
///   \text{score} = -\hat R$$
///
/// with weights, losses and rows as in [`ImportanceWeighted`], the weights as they were estimated. Where the mean of
/// true weights, 1, is met, nothing is corrected; `R̂` may lie outside the range of the loss. The variance that is left
/// is `(1 − ρ²) Var(w ℓ) / n` with the correlation `ρ` of `wℓ` and `w`: see [`Dev::risk`]. That is so for many rows;
/// of few, what is stated is too small.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `weighter` | [`LogisticRatio`](translearn_classical::LogisticRatio) | a [`SourceWeighter`] | what estimates `w`, from what the model makes of the rows |
///
/// # Shapes and cost
///
/// As [`ImportanceWeighted`].
///
/// # Errors
///
/// As [`ImportanceWeighted`], and [`TransferError::TooFewRows`] below three source rows.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::SourceOnly;
/// use translearn_core::{TransferMethod, TransferProblem};
/// use translearn_core::selection::Candidate;
/// use translearn_diagnostics::selection::Dev;
///
/// let source = DatasetBase::new(array![[-2.0], [-1.0], [1.0], [2.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[-0.5], [2.0], [2.5]]);
/// let problem = TransferProblem::new(&source, &target)?;
/// let model = SourceOnly::params().fit(&problem, 0)?.model;
/// let risk = Dev::default().risk(&Candidate::new(&*model, &problem)?, 0)?;
/// assert_eq!((risk.risk, risk.standard_error), (0.0, 0.0)); // no row is wrong
/// assert!(risk.effective_sample_size < 4.0);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// You, Wang, Long, Jordan, *Towards accurate model selection in deep unsupervised domain adaptation*, ICML 2019.
///
/// *Where we differ.* The loss is whether a class is wrong; the authors' code takes the cross-entropy, which one sure
/// row with a large weight decides, and skada splits the source anew whenever it is asked unless it is given a seed.
#[derive(Debug, Clone)]
pub struct Dev {
    weighter: Ratio,
}

/// What weighs source rows.
type Ratio = Arc<dyn SourceWeighter>;

fn logistic_ratio() -> Ratio {
    Arc::new(LogisticRatioParams::default())
}

impl Default for ImportanceWeighted {
    fn default() -> Self {
        Self {
            weighter: logistic_ratio(),
        }
    }
}

impl Default for Dev {
    fn default() -> Self {
        Self {
            weighter: logistic_ratio(),
        }
    }
}

setters!(ImportanceWeighted {
    /// Sets what weighs source rows.
    weighter: Arc<dyn SourceWeighter>,
});

setters!(Dev {
    /// Sets what weighs source rows.
    weighter: Arc<dyn SourceWeighter>,
});

const NEEDS: ScorerNeeds = ScorerNeeds {
    outputs: Outputs::Both,
    probabilities: false,
    held_out: true,
    method: false,
};

static IMPORTANCE_WEIGHTED: ScorerInfo = ScorerInfo {
    name: "importance-weighted",
    title: "Importance-weighted validation",
    needs: NEEDS,
    reference: "Sugiyama, Krauledat, Müller. Covariate shift adaptation by importance weighted cross validation. JMLR 8, 2007",
};

static DEV: ScorerInfo = ScorerInfo {
    name: "dev",
    title: "Deep embedded validation",
    needs: NEEDS,
    reference: "You, Wang, Long, Jordan. Towards accurate model selection in deep unsupervised domain adaptation. ICML 2019",
};

impl TargetScorer for ImportanceWeighted {
    fn info(&self) -> &'static ScorerInfo {
        &IMPORTANCE_WEIGHTED
    }

    fn score_checked(&self, candidate: &Candidate<'_>, seed: u64) -> Result<f64, TransferError> {
        let rows = [&*candidate.source().features, candidate.target()];
        let weights = mean_one(&weights(&*self.weighter, candidate, rows, seed)?)?;
        Ok(
            -weights.dot(&source_losses(candidate, IMPORTANCE_WEIGHTED.name)?)
                / weights.len() as f64,
        )
    }
}

impl TargetScorer for Dev {
    fn info(&self) -> &'static ScorerInfo {
        &DEV
    }

    fn score_checked(&self, candidate: &Candidate<'_>, seed: u64) -> Result<f64, TransferError> {
        Ok(-self.risk(candidate, seed)?.risk)
    }
}

/// An estimate of the risk on the target, from source rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Risk {
    /// The estimate.
    pub risk: f64,
    /// Its standard error if the weights are the true ones.
    pub standard_error: f64,
    /// Effective number of source rows, `(Σw)² / Σw²`: how many carry the estimate.
    pub effective_sample_size: f64,
}

impl Dev {
    /// The estimate of the target's risk, whose negative is the score, and how far it can be trusted.
    ///
    /// # Errors
    /// See the type.
    pub fn risk(&self, candidate: &Candidate<'_>, seed: u64) -> Result<Risk, TransferError> {
        let losses = source_losses(candidate, DEV.name)?;
        let weights = weights(&*self.weighter, candidate, candidate.represented(), seed)?;
        if losses.len() < 3 {
            return Err(TransferError::TooFewRows {
                what: "the labelled source, for a variance around a line,".to_owned(),
                rows: losses.len(),
                needed: 3,
            });
        }
        // Refuses what is no weight, and weights that are all 0, under which nothing would be wrong.
        translearn_core::mean_one(&weights)?;
        Ok(controlled(&weights, &losses))
    }
}

fn source_losses(candidate: &Candidate<'_>, owner: &str) -> Result<Array1<f64>, TransferError> {
    row_losses(
        &candidate.source().labels,
        &candidate.source_prediction().labels,
        owner,
    )
}

/// A weight for each source row, from the rows of both domains.
fn weights(
    weighter: &dyn SourceWeighter,
    candidate: &Candidate<'_>,
    [source, target]: [&Features; 2],
    seed: u64,
) -> Result<Array1<f64>, TransferError> {
    let labels = candidate.source().labels.clone().into_owned();
    let problem = candidate.problem(source, labels, target)?;
    Ok(weighter
        .source_weights(&problem, seed::derive(seed, &["importance"]))?
        .weights)
}

/// The mean of `weights * losses`, corrected by how far the mean weight is from 1.
pub(super) fn controlled(weights: &Array1<f64>, losses: &Array1<f64>) -> Risk {
    let n = weights.len() as f64;
    let weighted = weights * losses;
    let (mean, mean_weight) = (weighted.sum() / n, weights.sum() / n);
    let (from_mean, from_weight) = (&weighted - mean, weights - mean_weight);
    let covariance = |a: &Array1<f64>, b: &Array1<f64>| a.dot(b) / (n - 1.0);
    let variance = covariance(&from_weight, &from_weight);
    // Weights that are all alike correct nothing.
    let slope = if variance > 0.0 {
        covariance(&from_mean, &from_weight) / variance
    } else {
        0.0
    };
    let left = from_mean - slope * from_weight;
    Risk {
        risk: mean - slope * (mean_weight - 1.0),
        standard_error: (left.dot(&left) / (n - 2.0) / n).sqrt(),
        effective_sample_size: effective_sample_size(weights),
    }
}
