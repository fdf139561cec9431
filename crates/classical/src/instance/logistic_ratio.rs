//! Density ratio by logistic regression.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, FitSample, Labels, MethodInfo, Outputs, ParamInfo,
    ParamRange, Predictor, Sample, Scores, SourceWeighter, SourceWeights, TransferError,
    TransferProblem, What, fit_reweighted, seed::derive, setters, transfer_method,
};
use translearn_learners::Logistic;

use super::ratio::{RATIO_PARAMETERS, ratio_builders};
use super::{logistic, weighted_learner, weighting_needs};

/// Parameters of the logistic density ratio: a logistic regression tells target rows from source rows, and its odds are
/// the weights.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit with weight 1).
/// *When.* P(X) differs, P(Y | X) does not, and a linear classifier sees the difference.
///
/// # Formula
///
/// $$w(x) = \frac{n_s}{n_t} \cdot \frac{P(\text{target} \mid x)}{1 - P(\text{target} \mid x)} \approx \frac{p_T(x)}{p_S(x)}$$
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `c` | 1 | (0, ∞) | inverse penalty of the logistic regression, as in [`Logistic`] |
/// | `flatten` | 1 | [0, 1] | exponent of the weights |
/// | `clip` | `null` | (0, ∞) or `null` | largest weight, in multiples of the mean weight |
///
/// # Cost
///
/// One logistic regression on `n_s + n_t` rows.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::InvalidParameter`].
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::LogisticRatio;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[-2.0], [-1.0], [0.0], [1.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[0.0], [1.0], [2.0]]);
/// let model = LogisticRatio::params().fit_transfer(&source, &target)?;
/// let weights = model.trace().source_weights.clone().unwrap_or_default();
/// assert!(weights[3] > weights[0]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Bickel, Brückner, Scheffer, *Discriminative Learning Under Covariate Shift*, JMLR 10, 2009.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticRatioParams {
    c: f64,
    flatten: f64,
    clip: Option<f64>,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for LogisticRatioParams {
    fn default() -> Self {
        Self {
            c: 1.0,
            flatten: 1.0,
            clip: None,
            learner: logistic(),
        }
    }
}

setters!(LogisticRatioParams {
    /// Sets the inverse penalty of the logistic regression.
    c: f64,
});

ratio_builders!(LogisticRatioParams);
weighted_learner!(LogisticRatioParams);

/// Odds are cut here, so that a domain classifier that is sure gives a large weight and no infinity.
const LARGEST_ODDS: f64 = 1e12;

impl SourceWeighter for LogisticRatioParams {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<SourceWeights, TransferError> {
        let source = problem.source()?;
        let (n_source, n_target) = (source.features.n_rows(), problem.target_features().n_rows());
        let rows = source.features.stack(problem.target_features())?;
        let domain = (0..n_source + n_target).map(|row| usize::from(row >= n_source));
        let domain = Labels::Classes(domain.collect());
        let sample = Sample::new(&rows, &domain, 2)?;
        let classifier = Logistic::params()
            .c(self.c)
            .fit_sample(&sample, derive(seed, &["domain"]))?;
        let prediction = classifier.predict(&source.features)?;
        let ratio = n_source as f64 / n_target as f64;
        let odds = |[from_source, from_target]: [f64; 2]| {
            ratio * (from_target / from_source).min(LARGEST_ODDS)
        };
        let weights: Array1<f64> = match prediction.scores {
            Some(Scores::Probabilities(p)) => {
                p.outer_iter().map(|row| odds([row[0], row[1]])).collect()
            }
            _ => {
                return Err(TransferError::Unsupported {
                    method: "logistic-ratio".to_owned(),
                    needs: "a domain classifier with probabilities".to_owned(),
                    has: "one without".to_owned(),
                });
            }
        };
        Ok(self.tempered(weights).into())
    }
}

crate::method_name!(LogisticRatio => LogisticRatioParams, "Logistic density ratio");

transfer_method!(LogisticRatioParams, INFO, |method, problem, seed| {
    fit_reweighted(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for LogisticRatioParams {}

static INFO: MethodInfo = MethodInfo {
    name: "logistic-ratio",
    title: "Logistic density ratio",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Both, true),
    parameters: &[
        ParamInfo {
            name: "c",
            default: "1.0",
            range: ParamRange::Positive,
            doc: "Inverse penalty of the logistic regression between the domains.",
        },
        RATIO_PARAMETERS[0],
        RATIO_PARAMETERS[1],
    ],
    exemptions: &[],
    reference: "Bickel, Brückner, Scheffer. Discriminative Learning Under Covariate Shift. JMLR 10, 2009",
};
