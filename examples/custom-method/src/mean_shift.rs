//! The method: everything a transfer method needs stands in this file.

use ndarray::{Array1, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, LearnerNeed,
    MethodInfo, Needs, Outputs, ParamInfo, ParamRange, TransferError, TransferProblem, What,
    check_prediction_rows, fit_aligned, transfer_method,
};
use translearn_learners::Logistic;

/// Parameters of mean-shift alignment: moves the source by a share of the distance between the two domain means, then
/// fits any learner on it.
///
/// *Setting.* Labels in the source, none needed in the target. *When.* The same sensor with another offset.
///
/// $$x_S \mapsto x_S + s\,(\bar x_T - \bar x_S), \qquad x_T \mapsto x_T$$
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `strength` | 1 | [0, 1] | share `s` of the distance |
///
/// Source `n_s x d`, target `n_t x d`; O((n_s + n_t) d).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeanShiftParams {
    strength: f64,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

fn logistic() -> BaseLearner {
    Logistic::params().into()
}

impl Default for MeanShiftParams {
    fn default() -> Self {
        Self {
            strength: 1.0,
            learner: logistic(),
        }
    }
}

/// What the library tells users about the method, and checks for it.
static INFO: MethodInfo = MethodInfo {
    name: "mean-shift",
    title: "Mean-shift alignment",
    family: Family::Feature,
    what: What::Features,
    needs: Needs {
        target_labels: false,
        same_features: true,
        outputs: Outputs::Both,
        sparse: false,
        images: false,
        learner: LearnerNeed::Any,
    },
    parameters: &[ParamInfo {
        name: "strength",
        default: "1.0",
        range: ParamRange::Real {
            low: 0.0,
            high: 1.0,
        },
        doc: "Share of the distance between the means that the source is moved.",
    }],
    exemptions: &[],
    reference: "This example, 2025.",
};

/// The fitted map: what is added to source rows.
#[derive(Debug, Serialize, Deserialize)]
struct MeanShift {
    shift: Array1<f64>,
}

#[typetag::serde(name = "mean-shift")]
impl DomainMap for MeanShift {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        check_prediction_rows(source, self.shift.len())?;
        Ok((&*source.dense()? + &self.shift).into())
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        check_prediction_rows(target, self.shift.len())?;
        Ok(target.clone())
    }
}

impl FitAlign for MeanShiftParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        let mean = |x: &Features| -> Result<Array1<f64>, TransferError> {
            // A problem has at least one row on either side.
            Ok(x.dense()?.mean_axis(Axis(0)).unwrap_or_default())
        };
        let shift =
            (mean(problem.target_features())? - mean(&problem.source()?.features)?) * self.strength;
        Ok(MeanShift { shift }.into())
    }
}

transfer_method!(MeanShiftParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

/// With or without target labels.
impl<T> AcceptsTarget<T> for MeanShiftParams {}
