//! Gradual self-training.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, Features, Fitted, Labelled, MethodInfo, ParamInfo,
    ParamRange, PlainModel, Trace, TransferError, TransferProblem, What, seed::derive, setters,
    transfer_method,
};
use translearn_transport::barycentric_map;

use super::logistic;
use super::pseudo_labels::{NEEDS, fit_rows, known_rows, stacked, surest};
use crate::feature::{OptimalTransportParams, shared_images};

/// Parameters of gradual self-training: a model learns from its own answers for rows a little nearer to the target, then
/// from those for rows nearer still, until it has come there.
///
/// *Setting.* Classes in the source; the target may have some. Sources without any label are domains on the way from the
/// source to the target, in the order in which the problem lists them; there need not be any. *When.* The target is too far
/// for the source's model, but the way there is gradual: on each part of it the model that comes from the part before is
/// mostly right.
///
/// # Steps
///
/// 1. Fit the learner on the labelled source rows and, where there are any, the labelled target rows.
/// 2. For each domain on the way, and at last the target's rows without label: answer its rows; of the rows that are given
///    a class keep the surest `⌈p · (rows given that class)⌉`, for each class by itself; fit the learner on these, with the
///    answers as their labels, and on the labelled target rows. The source's rows are left behind. A domain that would
///    leave one class only is passed over.
///
/// Where the problem has no domains on the way, `N − 1` are made: of each target row `x'` and the source rows that an
/// optimal plan sends there,
///
/// $$x_t = \Bigl(1 - \tfrac{t}{N}\Bigr) \frac{\sum_i P_{ij}\, x_i}{\sum_i P_{ij}} + \tfrac{t}{N}\, x'_j, \qquad t = 1 \dots N - 1$$
///
/// with the exact plan `P` for squared Euclidean distances and equal masses; rows that are the same get the same image.
///
/// The series `taken` of the trace has the number of answers learned from in each domain.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_steps` | 5 | integer ≥ 1 | steps `N` to the target where the problem has no domains on the way |
/// | `portion` | 0.9 | [0, 1] | share `p` of the answers for each class that is learned from |
///
/// # Cost
///
/// A fit of the learner and a prediction a domain; without domains on the way also an exact plan, 8 n_s n_t bytes.
///
/// # Errors
///
/// [`TransferError::Unsupported`] for real-valued labels, [`TransferError::DenseTooLarge`] for sparse rows that are moved,
/// and what the learner makes of the rows.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::{SourceOnly, instance::GradualSelfTraining};
/// use translearn_core::FitTransfer;
/// use translearn_learners::Ncm;
///
/// // The target is the source moved by 3; the source's border lies at 2, the target's at 5.
/// let source = DatasetBase::new(array![[0.0], [1.0], [3.0], [4.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[3.0], [4.0], [6.0], [7.0]]);
/// let alone = SourceOnly::params().learner(Ncm::params()).fit_transfer(&source, &target)?;
/// assert_eq!(alone.predict(&array![[4.0]])?, array![1]);
/// let model = GradualSelfTraining::params().learner(Ncm::params()).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(&array![[4.0], [6.0]])?, array![0, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Kumar, Ma, Liang, *Understanding Self-Training for Gradual Domain Adaptation*, ICML 2020, arXiv:2002.11361; domains made
/// by optimal transport as in He, Wang, Li, Zhao, *Gradual Domain Adaptation: Theory and Algorithms*, arXiv:2310.13852.
///
/// *Where we differ.* The first paper drops the least sure tenth of all answers, here that of each class, so that no class
/// is lost for being the harder one. The second has a row for every pair of the plan, in the space of an encoder; here one
/// for every target row, between features as they are, so that all rows weigh the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GradualSelfTrainingParams {
    n_steps: usize,
    portion: f64,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for GradualSelfTrainingParams {
    fn default() -> Self {
        Self {
            n_steps: 5,
            portion: 0.9,
            learner: logistic(),
        }
    }
}

setters!(GradualSelfTrainingParams {
    /// Sets the number of steps to the target where the problem has no domains on the way.
    n_steps: usize,
    /// Sets the share of the answers for each class that is learned from.
    portion: f64,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl GradualSelfTrainingParams {
    fn train(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let n_classes = problem.n_classes();
        let source = problem.source()?;
        let known = problem.target_labelled();
        let with_known = |rows: Labelled<'_>| match &known {
            Some(known) => stacked(&rows, &known.features, &known.labels),
            None => Ok(Labelled {
                features: Cow::Owned(rows.features.into_owned()),
                labels: Cow::Owned(rows.labels.into_owned()),
            }),
        };
        // The seed of the learner inside every other method, so that no domain gives the baseline.
        let seed = derive(seed, &["learner"]);
        let mut model = fit_rows(&self.learner, &known_rows(problem)?, n_classes, seed)?;
        let mut counts = Vec::new();
        for domain in self.way(problem, &source)? {
            let answers = model.predict(&domain)?;
            let taken = surest(&answers, n_classes, self.portion, 0.0, INFO.name)?;
            let rows = with_known(Labelled {
                features: Cow::Owned(domain.select_rows(&taken)),
                labels: Cow::Owned(answers.labels.select(&taken)),
            })?;
            let labels = rows.labels.classes(INFO.name)?;
            if labels.iter().all(|&label| label == labels[0]) {
                counts.push(0.0);
                continue;
            }
            counts.push(taken.len() as f64);
            model = fit_rows(&self.learner, &rows, n_classes, seed)?;
        }
        Ok(Fitted {
            model: Box::new(PlainModel::new(model)),
            trace: Trace {
                source_weights: None,
                series: [("taken".to_owned(), counts)].into(),
            },
        })
    }

    /// The domains on the way and the target.
    fn way<'a>(
        &self,
        problem: &'a TransferProblem,
        source: &Labelled<'_>,
    ) -> Result<Vec<Cow<'a, Features>>, TransferError> {
        let target = problem.target_unlabelled();
        if target.n_rows() == 0 {
            return Ok(Vec::new());
        }
        let unlabelled = problem
            .sources()
            .iter()
            .filter(|(_, task)| task.rows.is_empty());
        let mut way: Vec<Cow<'a, Features>> = unlabelled
            .map(|(domain, _)| Cow::Borrowed(&domain.features))
            .collect();
        if way.is_empty() && self.n_steps > 1 {
            let (origin, end) = (origins(source, &target)?, target.dense()?);
            way.extend((1..self.n_steps).map(|step| {
                let share = step as f64 / self.n_steps as f64;
                Cow::Owned(Features::from(&origin * (1.0 - share) + &*end * share))
            }));
        }
        way.push(target);
        Ok(way)
    }
}

/// Where an optimal plan takes each target row from: the mean of the source rows that are sent there.
fn origins(source: &Labelled<'_>, target: &Features) -> Result<Array2<f64>, TransferError> {
    let plan =
        OptimalTransportParams::default().transport(&source.features, &source.labels, target)?;
    let backwards = plan.t().as_standard_layout().into_owned();
    let (from, to) = (target.dense()?.into_owned(), source.features.dense()?);
    shared_images(target, barycentric_map(&backwards, &from, &to)?)
}

crate::method_name!(GradualSelfTraining => GradualSelfTrainingParams, "Gradual self-training");

transfer_method!(GradualSelfTrainingParams, INFO, |method, problem, seed| {
    method.train(problem, seed)
});

impl<TT> AcceptsTarget<TT> for GradualSelfTrainingParams {}

static INFO: MethodInfo = MethodInfo {
    name: "gradual-self-training",
    title: "Gradual self-training",
    family: Family::Instance,
    what: What::Instances,
    needs: NEEDS,
    parameters: &[
        ParamInfo {
            name: "n_steps",
            default: "5",
            range: ParamRange::Integer {
                low: 1,
                high: 100_000,
            },
            doc: "Steps to the target where the problem has no domains on the way.",
        },
        ParamInfo {
            name: "portion",
            default: "0.9",
            range: ParamRange::Real {
                low: 0.0,
                high: 1.0,
            },
            doc: "Share of the answers for each class, the surest first, that is learned from.",
        },
    ],
    exemptions: &[],
    reference: "Kumar, Ma, Liang. Understanding Self-Training for Gradual Domain Adaptation. ICML 2020. arXiv:2002.11361",
};
