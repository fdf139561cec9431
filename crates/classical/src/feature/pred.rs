//! The source model's prediction as a feature.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, CarriesLabels, Family, Features, Fitted, Labels, MethodInfo, Needs,
    Outputs, Prediction, Predictor, Sample, Trace, TransferError, TransferModel, TransferProblem,
    What, seed::derive, setters, transfer_method,
};

use super::{logistic, map_needs};
use crate::baseline::target_rows;

/// Parameters of the source prediction as a feature (PRED): a model of the source alone, whose outputs join the features
/// of the target's own model.
///
/// *Setting.* Labels in the source and for some target rows. *When.* The source's answer is a good summary of what it
/// knows: far fewer columns to learn from a few target labels than the source's rows are.
///
/// # Formula
///
/// With `g` fitted on the labelled source rows, the learner is fitted once more, on the labelled target rows alone, over
///
/// $$x \mapsto (x, g(x))$$
///
/// where `g(x)` holds the scores of the classes (probabilities, or decision values where the learner has no
/// probabilities, or the indicator of the predicted class where it has no scores), or the predicted value of a regressor.
///
/// # Parameters
///
/// None. The learner is the same on both stages.
///
/// # Shapes and cost
///
/// A fit on `n_s x d` and one on `n_t x (d + k)`, with `k` classes (1 for real labels). Sparse rows stay sparse.
///
/// # Errors
///
/// [`TransferError::Unsupported`] without target labels; those of the learner, on either stage.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Pred;
/// use translearn_core::FitTransfer;
/// use translearn_learners::Ridge;
///
/// // Source: y = x₁ + x₂. The target answers the double of that, which two rows are enough to tell.
/// let source = DatasetBase::new(
///     array![[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]],
///     array![1.0, 1.0, 2.0, 3.0],
/// );
/// let target = DatasetBase::new(array![[0.0, 0.0], [1.0, 1.0]], array![0.0, 4.0]);
/// let model = Pred::params().learner(Ridge::params().lambda(1e-9)).fit_transfer(&source, &target)?;
/// let predicted = model.predict(&array![[2.0, 2.0]])?;
/// assert!((predicted[0] - 8.0).abs() < 1e-6);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Daumé III, *Frustratingly Easy Domain Adaptation*, ACL 2007, arXiv:0907.1815: one of the baselines there.
///
/// *Where we differ.* The paper and ADAPT append the predicted label; scores say more, and a class code is no quantity when
/// there are more than two.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PredParams {
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for PredParams {
    fn default() -> Self {
        Self {
            learner: logistic(),
        }
    }
}

setters!(PredParams {
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl PredParams {
    fn fit_stages(&self, problem: &TransferProblem, seed: u64) -> Result<Pred, TransferError> {
        let n_classes = problem.n_classes();
        let source = problem.source()?;
        let sample = Sample::new(&source.features, &source.labels, n_classes)?;
        let source = self.learner.fit_boxed(&sample, derive(seed, &["source"]))?;
        let target = target_rows(problem)?;
        let extended = with_prediction(&target.features, &*source, n_classes)?;
        let sample = Sample::new(&extended, &target.labels, n_classes)?;
        let target = self
            .learner
            .fit_boxed(&sample, derive(seed, &["learner"]))?;
        Ok(Pred {
            source,
            target,
            n_classes,
        })
    }
}

transfer_method!(PredParams, INFO, |method, problem, seed| {
    Ok(Fitted {
        model: Box::new(method.fit_stages(problem, seed)?),
        trace: Trace::default(),
    })
});

impl<TT: CarriesLabels> AcceptsTarget<TT> for PredParams {}

static INFO: MethodInfo = MethodInfo {
    name: "pred",
    title: "Source prediction as a feature (PRED)",
    family: Family::Feature,
    what: What::Features,
    needs: Needs {
        target_labels: true,
        sparse: true,
        ..map_needs(Outputs::Both)
    },
    parameters: &[],
    exemptions: &[],
    reference: "Daumé III. Frustratingly Easy Domain Adaptation. ACL 2007. arXiv:0907.1815",
};

/// A fitted model of the source, and one of the target that is told what the first says.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pred {
    source: Box<dyn Predictor>,
    target: Box<dyn Predictor>,
    n_classes: usize,
}

impl Pred {
    /// Default parameters.
    pub fn params() -> PredParams {
        PredParams::default()
    }
}

#[typetag::serde(name = "pred")]
impl TransferModel for Pred {
    fn predict(&self, target: &Features) -> Result<Prediction, TransferError> {
        let extended = with_prediction(target, &*self.source, self.n_classes)?;
        self.target.predict(&extended)
    }
}

/// `(x, g(x))`.
fn with_prediction(
    rows: &Features,
    source: &dyn Predictor,
    n_classes: usize,
) -> Result<Features, TransferError> {
    let Prediction { labels, scores } = source.predict(rows)?;
    let columns = match (scores, labels) {
        (Some(scores), _) => scores.matrix().clone(),
        (None, Labels::Values(values)) => values.insert_axis(Axis(1)),
        (None, Labels::Classes(codes)) => {
            Array2::from_shape_fn((codes.len(), n_classes), |(row, class)| {
                f64::from(u8::from(codes[row] == class))
            })
        }
    };
    Features::beside(&[rows, &columns.into()])
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, concatenate};
    use proptest::prelude::*;
    use translearn_core::{Domain, LabelSpace, Task, TransferMethod, seed};
    use translearn_learners::{Logistic, Ridge};

    use super::*;

    fn problem(
        space: &LabelSpace,
        source: (&Array2<f64>, &Labels),
        target: (&Array2<f64>, &Labels),
    ) -> TransferProblem {
        let part = |name: &str, (x, y): (&Array2<f64>, &Labels)| {
            let domain = Domain {
                name: name.into(),
                features: x.clone().into(),
            };
            (domain, Task::labelled(space.clone(), y.clone()))
        };
        TransferProblem::from_parts(vec![part("source", source)], part("target", target)).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        /// The two fits written out, for values and for the probabilities of classes.
        #[test]
        fn the_second_fit_sees_the_rows_and_what_the_first_says(classes: bool, d in 1usize..4, seed in 0u64..500) {
            let mut rng = seed::rng(seed);
            let mut draw = |n: usize| {
                let x = Array2::from_shape_simple_fn((n, d), || rng.normal());
                let noisy = |row: ndarray::ArrayView1<'_, f64>, noise: f64| row.sum() + noise;
                let y: Array1<f64> = x.outer_iter().map(|row| noisy(row, rng.normal())).collect();
                let y = match classes {
                    // Both classes occur.
                    true => Labels::Classes(y.iter().enumerate().map(|(i, &v)| if i < 2 { i } else { usize::from(v > 0.0) }).collect()),
                    false => Labels::Values(y),
                };
                (x, y)
            };
            let ((xs, ys), (xt, yt), (new, _)) = (draw(20), draw(9), draw(5));
            let n_classes = if classes { 2 } else { 0 };
            let space = if classes { LabelSpace::numbered(2) } else { LabelSpace::Real };
            let learner: BaseLearner = match classes {
                true => Logistic::params().into(),
                false => Ridge::params().into(),
            };
            let method = PredParams { learner: learner.clone() };
            let fitted = method.fit(&problem(&space, (&xs, &ys), (&xt, &yt)), 3).unwrap();

            let fit = |x: &Array2<f64>, y: &Labels| {
                let x = Features::from(x.clone());
                learner.fit_boxed(&Sample::new(&x, y, n_classes).unwrap(), 0).unwrap()
            };
            let first = fit(&xs, &ys);
            let extend = |x: &Array2<f64>| {
                let said = first.predict(&x.clone().into()).unwrap();
                let said = match (said.scores, said.labels) {
                    (Some(scores), _) => scores.matrix().clone(),
                    (None, labels) => labels.values("the test").unwrap().clone().insert_axis(Axis(1)),
                };
                concatenate(Axis(1), &[x.view(), said.view()]).unwrap()
            };
            let expected = fit(&extend(&xt), &yt).predict(&extend(&new).into()).unwrap();
            prop_assert_eq!(fitted.model.predict(&new.into()).unwrap(), expected);
        }
    }

    /// A learner without scores: the predicted class as an indicator.
    #[derive(Debug, Serialize, Deserialize)]
    struct Sign;

    #[typetag::serde(name = "sign-of-the-first-column")]
    impl Predictor for Sign {
        fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
            let codes = features.dense()?.column(0).mapv(|v| usize::from(v > 0.0));
            Ok(Prediction {
                labels: codes.into(),
                scores: None,
            })
        }
    }

    #[test]
    fn a_class_without_scores_is_an_indicator() {
        let rows = Features::from(ndarray::array![[2.0], [-1.0]]);
        let extended = with_prediction(&rows, &Sign, 3).unwrap();
        let expected = ndarray::array![[2.0, 0.0, 1.0, 0.0], [-1.0, 1.0, 0.0, 0.0]];
        assert_eq!(extended, Features::from(expected));
    }
}
