//! Auxiliary data with a lower weight.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, CarriesLabels, Family, Fitted, MethodInfo, Outputs, ParamInfo,
    ParamRange, PlainModel, Sample, Trace, What, mean_one, seed::derive, setters, transfer_method,
};

use super::{logistic, weighted_learner, weighting_needs};
use crate::baseline::pooled_rows;

/// Parameters of AUX: the learner on source and target together, with the target's loss counted `target_weight` times.
///
/// *Setting.* Labels in the source and for some target rows. *When.* A few target labels, many source labels, and a source
/// that is off but not wrong: the simplest method that is more than pooling.
///
/// # Formula
///
/// $$\min_h\; \sum_{i \in S} \ell(h(x_i), y_i) + \rho \sum_{j \in T} \ell(h(x_j), y_j) + \text{penalty}$$
///
/// with `ρ` = `target_weight`. The weights are scaled to mean 1 over all rows, so that the learner's penalty keeps its
/// meaning.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `target_weight` | 4 | (0, ∞) | weight `C_p / C_a` of a target row relative to a source row |
///
/// # Cost
///
/// One fit of the learner on `n_s + n_t` rows.
///
/// # Errors
///
/// [`TransferError::Unsupported`](translearn_core::TransferError::Unsupported) without target labels or for a learner
/// that ignores weights.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::Aux;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[-2.0], [-1.0], [1.0], [2.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::new(array![[-1.5], [3.0], [2.5]], array![Some(0), Some(1), None]);
/// let model = Aux::params().fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(&array![[2.5]])?, array![1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Wu, Dietterich, *Improving SVM Accuracy by Training on Auxiliary Data Sources*, ICML 2004,
/// doi:10.1145/1015330.1015436. The paper weighs the hinge losses of an SVM; here any learner that uses weights.
///
/// *Also known as* balanced weighting, with the mean losses of both sides weighed `1 − γ` and `γ`: the same fit, by
/// `target_weight` `γ n_s / ((1 − γ) n_t)` for `n_t` labelled target rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuxParams {
    target_weight: f64,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for AuxParams {
    fn default() -> Self {
        Self {
            target_weight: 4.0,
            learner: logistic(),
        }
    }
}

setters!(AuxParams {
    /// Sets the weight of a target row relative to a source row.
    target_weight: f64,
});

weighted_learner!(AuxParams);

crate::method_name!(Aux => AuxParams, "Auxiliary data");

transfer_method!(AuxParams, INFO, |method, problem, seed| {
    let rows = pooled_rows(problem)?;
    let n_source = problem.source()?.labels.len();
    let relative = |row| {
        if row < n_source {
            1.0
        } else {
            method.target_weight
        }
    };
    let weights = mean_one(
        &(0..rows.labels.len())
            .map(relative)
            .collect::<Array1<f64>>(),
    )?;
    let sample = Sample::new(&rows.features, &rows.labels, problem.n_classes())?;
    let sample = sample.with_weights(&weights)?;
    let predictor = method
        .learner
        .fit_boxed(&sample, derive(seed, &["learner"]))?;
    Ok(Fitted {
        model: Box::new(PlainModel::new(predictor)),
        trace: Trace::default(),
    })
});

impl<TT: CarriesLabels> AcceptsTarget<TT> for AuxParams {}

static INFO: MethodInfo = MethodInfo {
    name: "aux",
    title: "Auxiliary data",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(true, Outputs::Both, true),
    parameters: &[ParamInfo {
        name: "target_weight",
        default: "4.0",
        range: ParamRange::Positive,
        doc: "Weight of a target row relative to a source row.",
    }],
    exemptions: &[],
    reference: "Wu, Dietterich. Improving SVM Accuracy by Training on Auxiliary Data Sources. ICML 2004. doi:10.1145/1015330.1015436",
};
