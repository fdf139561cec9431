//! The part of a registered method that is the same for all.

/// Implements [`TransferMethod`](crate::TransferMethod) and [`RegisteredMethod`](crate::RegisteredMethod) for a parameter
/// struct with a field `learner: BaseLearner`, from its declaration and its fit.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use translearn_core::*;
///
/// #[derive(Debug, Clone, Serialize, Deserialize)]
/// #[serde(default, deny_unknown_fields)]
/// struct SourceOnly {
///     #[serde(skip, default = "learner")]
///     learner: BaseLearner,
/// }
/// # fn learner() -> BaseLearner { unreachable!() }
/// # impl Default for SourceOnly { fn default() -> Self { Self { learner: learner() } } }
///
/// static INFO: MethodInfo = MethodInfo {
///     name: "source-alone",
///     title: "Source alone",
///     family: Family::Baseline,
///     what: What::Nothing,
///     needs: Needs {
///         target_labels: false,
///         same_features: true,
///         outputs: Outputs::Both,
///         sparse: true,
///         images: false,
///         learner: LearnerNeed::Any,
///     },
///     parameters: &[],
///     exemptions: &[],
///     reference: "",
/// };
///
/// transfer_method!(SourceOnly, INFO, |method, problem, seed| {
///     let source = problem.source()?;
///     let sample = Sample::new(&source.features, &source.labels, problem.n_classes())?;
///     let predictor = method.learner.fit_boxed(&sample, seed)?;
///     Ok(Fitted { model: Box::new(PlainModel::new(predictor)), trace: Trace::default() })
/// });
///
/// assert_eq!(MethodEntry::of::<SourceOnly>().info.name, "source-alone");
/// ```
///
/// A method that wraps no learner has no such field and says so:
/// `transfer_method!(Params, INFO, without learner, |method, problem, seed| …)`.
#[macro_export]
macro_rules! transfer_method {
    ($params:ty, $info:path, |$method:ident, $problem:ident, $seed:ident| $fit:expr) => {
        $crate::transfer_method!(
            @implement $params, $info, |$method, $problem, $seed| $fit,
            |method| Some(&method.learner),
            |method, learner| method.learner = learner
        );
    };
    ($params:ty, $info:path, without learner, |$method:ident, $problem:ident, $seed:ident| $fit:expr) => {
        $crate::transfer_method!(
            @implement $params, $info, |$method, $problem, $seed| $fit,
            |_method| None,
            |_method, _learner| ()
        );
    };
    (
        @implement $params:ty, $info:path, |$method:ident, $problem:ident, $seed:ident| $fit:expr,
        |$of:ident| $learner:expr,
        |$to:ident, $given:ident| $set:expr
    ) => {
        impl $crate::TransferMethod for $params {
            fn info(&self) -> &'static $crate::MethodInfo {
                &$info
            }

            fn params(&self) -> $crate::params::ParamMap {
                $crate::params::write_params(self)
            }

            fn learner(&self) -> Option<&$crate::BaseLearner> {
                let $of = self;
                $learner
            }

            fn fit_checked(
                &self,
                $problem: &$crate::TransferProblem,
                $seed: u64,
            ) -> Result<$crate::Fitted, $crate::TransferError> {
                let $method = self;
                $fit
            }
        }

        impl $crate::RegisteredMethod for $params {
            const INFO: &'static $crate::MethodInfo = &$info;

            fn set_learner(&mut self, $given: $crate::BaseLearner) {
                let $to = self;
                $set
            }
        }
    };
}
