//! The rows every table must have: no transfer, only the target's labels, and everything in one pot.

use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, CarriesLabels, Family, Fitted, Labelled, LearnerNeed, MethodEntry,
    MethodInfo, Needs, Outputs, PlainModel, Sample, Trace, TransferError, TransferProblem, What,
    setters, transfer_method,
};
use translearn_learners::Logistic;

/// The baselines.
pub fn methods() -> Vec<MethodEntry> {
    vec![
        MethodEntry::of::<SourceOnlyParams>(),
        MethodEntry::of::<TargetOnlyParams>(),
        MethodEntry::of::<PooledParams>(),
    ]
}

const fn info(
    name: &'static str,
    title: &'static str,
    target_labels: bool,
    same_features: bool,
) -> MethodInfo {
    MethodInfo {
        name,
        title,
        family: Family::Baseline,
        what: What::Nothing,
        needs: Needs {
            target_labels,
            same_features,
            outputs: Outputs::Both,
            sparse: true,
            images: true,
            learner: LearnerNeed::Any,
        },
        parameters: &[],
        exemptions: &[],
        reference: "",
    }
}

static SOURCE_ONLY: MethodInfo = info("source-only", "Source only", false, true);
static TARGET_ONLY: MethodInfo = info("target-only", "Target only", true, false);
static POOLED: MethodInfo = info("pooled", "Source and target pooled", true, true);

macro_rules! baseline {
    ($(#[$doc:meta])* $params:ident, $info:path, |$problem:ident| $rows:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $params {
            #[serde(skip, default = "logistic")]
            learner: BaseLearner,
        }

        impl Default for $params {
            fn default() -> Self {
                Self { learner: logistic() }
            }
        }

        setters!($params {
            /// Sets the base learner.
            learner: impl Into<BaseLearner>,
        });

        transfer_method!($params, $info, |method, $problem, seed| {
            fit_plain(&method.learner, &$rows, $problem, seed)
        });
    };
}

baseline! {
    /// The learner fitted on the labelled source rows, applied to the target as it is: what a method must beat when there
    /// are no target labels.
    ///
    /// ```
    /// use linfa::DatasetBase;
    /// use ndarray::array;
    /// use translearn_classical::SourceOnly;
    /// use translearn_core::FitTransfer;
    /// use translearn_learners::Knn;
    ///
    /// let source = DatasetBase::new(array![[0.0], [1.0]], array![0, 1]);
    /// let target = DatasetBase::from(array![[0.9]]);
    /// let model = SourceOnly::params().learner(Knn::params().k(1)).fit_transfer(&source, &target)?;
    /// assert_eq!(model.predict(target.records())?, array![1]);
    /// # Ok::<(), translearn_core::TransferError>(())
    /// ```
    SourceOnlyParams, SOURCE_ONLY, |problem| problem.source()?
}

baseline! {
    /// The learner fitted on the labelled target rows alone: what a method must beat when there are target labels.
    TargetOnlyParams, TARGET_ONLY, |problem| target_rows(problem)?
}

baseline! {
    /// The learner fitted on labelled source and target rows together, every row with the same weight.
    PooledParams, POOLED, |problem| pooled_rows(problem)?
}

crate::method_name!(SourceOnly => SourceOnlyParams, "Source only");
crate::method_name!(TargetOnly => TargetOnlyParams, "Target only");
crate::method_name!(Pooled => PooledParams, "Source and target pooled");

impl<TT> AcceptsTarget<TT> for SourceOnlyParams {}
impl<TT: CarriesLabels> AcceptsTarget<TT> for TargetOnlyParams {}
impl<TT: CarriesLabels> AcceptsTarget<TT> for PooledParams {}

fn logistic() -> BaseLearner {
    Logistic::params().into()
}

/// The labelled target rows, of which there must be some.
pub(crate) fn target_rows(problem: &TransferProblem) -> Result<Labelled<'_>, TransferError> {
    problem
        .target_labelled()
        .ok_or_else(|| TransferError::Empty {
            what: "the labelled target".to_owned(),
            needed: 1,
        })
}

/// Labelled source rows, then labelled target rows.
pub(crate) fn pooled_rows(problem: &TransferProblem) -> Result<Labelled<'_>, TransferError> {
    let source = problem.source()?;
    let target = target_rows(problem)?;
    Ok(Labelled {
        features: std::borrow::Cow::Owned(source.features.stack(&target.features)?),
        labels: std::borrow::Cow::Owned(source.labels.join(&target.labels)?),
    })
}

fn fit_plain(
    learner: &BaseLearner,
    rows: &Labelled<'_>,
    problem: &TransferProblem,
    seed: u64,
) -> Result<Fitted, TransferError> {
    let sample = Sample::new(&rows.features, &rows.labels, problem.n_classes())?;
    // The seed of the learner inside every other method, so that identical domains give identical models.
    let seed = translearn_core::seed::derive(seed, &["learner"]);
    let predictor = learner.fit_boxed(&sample, seed)?;
    Ok(Fitted {
        model: Box::new(PlainModel::new(predictor)),
        trace: Trace::default(),
    })
}
