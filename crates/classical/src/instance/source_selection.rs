//! Selection of source rows.

use std::borrow::Cow;

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, CarriesLabels, Family, Fitted, Labelled, LearnerNeed, MethodInfo,
    Needs, Outputs, ParamInfo, ParamRange, PlainModel, Sample, Trace, TransferError,
    TransferProblem, What, mean_one, seed::derive, setters, transfer_method,
};

use super::logistic;
use crate::baseline::{pooled_rows, target_rows};

/// Parameters of source selection: source rows that a model of the target contradicts with most confidence are left
/// out.
///
/// *Setting.* Classes in the source and for some target rows. *When.* Enough target labels for a model that is better
/// than guessing, and a source in which some rows have labels that the target would not give them.
///
/// # Steps
///
/// 1. Fit the learner on the labelled target rows; `s_c(x)` is its score for class `c` (probability or decision value).
/// 2. A source row is misleading when the answer differs from its label, by the margin
///    $$m_i = \max_c s_c(x_i) - s_{y_i}(x_i)$$
/// 3. Of the `n_s` source rows, leave out the `⌊max_dropped · n_s⌋` misleading rows with the largest margins, or all
///    where there are fewer. Rows with the margin of the first one that stays (to 1e-9 of the largest) stay too.
/// 4. Fit the learner on the other source rows and the labelled target rows.
///
/// A learner without scores gives every misleading row the same margin. The trace has the weights of the source rows, 0
/// for those left out, scaled to mean 1.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `max_dropped` | 0.5 | [0, 1] | the largest share of source rows that may be left out; 0 is `pooled` |
///
/// # Cost
///
/// One fit on `n_t` rows, one on up to `n_s + n_t`, and a prediction of the source.
///
/// # Errors
///
/// [`TransferError::Unsupported`] without target labels or for real-valued labels, and what the learner makes of the
/// few target rows: most classifiers refuse a single class.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::SourceSelection;
/// use translearn_core::FitTransfer;
///
/// // Two of six source rows have the other label.
/// let source = DatasetBase::new(
///     array![[-3.0], [-2.0], [-1.0], [1.0], [2.0], [3.0]],
///     array![0, 1, 0, 1, 0, 1],
/// );
/// let target = DatasetBase::new(array![[-1.5], [1.5], [2.2]], array![Some(0), Some(1), None]);
/// let model = SourceSelection::params().fit_transfer(&source, &target)?;
/// assert_eq!(model.trace().source_weights, Some(array![1.5, 0.0, 1.5, 1.5, 0.0, 1.5]));
/// assert_eq!(model.predict(&array![[2.0]])?, array![1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Jiang, Zhai, *Instance Weighting for Domain Adaptation in NLP*, ACL 2007 (the removal of misleading source
/// instances).
///
/// *Where we differ.* The paper drops a number of rows, here it is a share. It ranks by the confidence in the answer;
/// with two classes the margin gives the same order, with more it looks at the row's own label as well. All rows that
/// stay have the same weight; [`AuxParams`](super::AuxParams) raises that of the target.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceSelectionParams {
    max_dropped: f64,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for SourceSelectionParams {
    fn default() -> Self {
        Self {
            max_dropped: 0.5,
            learner: logistic(),
        }
    }
}

/// Margins this near each other, relative to the largest, are equal, so that rounding does not choose between rows.
const TIE: f64 = 1e-9;

setters!(SourceSelectionParams {
    /// Sets the largest share of source rows that may be left out.
    max_dropped: f64,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl SourceSelectionParams {
    fn select(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let n_classes = problem.n_classes();
        let target = target_rows(problem)?;
        let sample = Sample::new(&target.features, &target.labels, n_classes)?;
        let of_target = self.learner.fit_boxed(&sample, derive(seed, &["target"]))?;
        let source = problem.source()?;
        let answers = of_target.predict(&source.features)?;
        let labels = source.labels.classes(INFO.name)?;
        let predicted = answers.labels.classes(INFO.name)?;
        let margin = |row: usize| match &answers.scores {
            Some(scores) => {
                let scores = scores.matrix().row(row);
                scores[predicted[row]] - scores[labels[row]]
            }
            None => 1.0,
        };
        let misleading = (0..labels.len()).filter(|&row| predicted[row] != labels[row]);
        let misleading: Vec<(usize, f64)> = misleading.map(|row| (row, margin(row))).collect();
        let kept = keep(labels.len(), misleading, self.max_dropped);

        let pooled = pooled_rows(problem)?;
        let rows: Vec<usize> = (0..pooled.labels.len())
            .filter(|&row| kept.get(row).is_none_or(|&weight| weight > 0.0))
            .collect();
        let rows = Labelled {
            features: Cow::Owned(pooled.features.select_rows(&rows)),
            labels: Cow::Owned(pooled.labels.select(&rows)),
        };
        let sample = Sample::new(&rows.features, &rows.labels, n_classes)?;
        let predictor = self
            .learner
            .fit_boxed(&sample, derive(seed, &["learner"]))?;
        // Where no row is left there is nothing to scale.
        let source_weights = mean_one(&kept).unwrap_or(kept);
        Ok(Fitted {
            model: Box::new(PlainModel::new(predictor)),
            trace: Trace {
                source_weights: Some(source_weights),
                ..Trace::default()
            },
        })
    }
}

/// 1 for each of `n` rows that stays, 0 for the others.
fn keep(n: usize, mut misleading: Vec<(usize, f64)>, max_dropped: f64) -> Array1<f64> {
    misleading.sort_by(|a, b| b.1.total_cmp(&a.1));
    let budget = (max_dropped * n as f64).floor() as usize;
    let tie = misleading
        .first()
        .map_or(0.0, |(_, largest)| TIE * largest.abs());
    let bound = misleading
        .get(budget)
        .map_or(f64::NEG_INFINITY, |(_, margin)| margin + tie);
    let mut kept = Array1::ones(n);
    for (row, _) in misleading
        .into_iter()
        .take_while(|&(_, margin)| margin > bound)
    {
        kept[row] = 0.0;
    }
    kept
}

crate::method_name!(SourceSelection => SourceSelectionParams, "Source selection");

transfer_method!(SourceSelectionParams, INFO, |method, problem, seed| {
    method.select(problem, seed)
});

impl<TT: CarriesLabels> AcceptsTarget<TT> for SourceSelectionParams {}

static INFO: MethodInfo = MethodInfo {
    name: "source-selection",
    title: "Source selection",
    family: Family::Instance,
    what: What::Instances,
    needs: Needs {
        target_labels: true,
        same_features: true,
        outputs: Outputs::Classification,
        sparse: true,
        images: false,
        learner: LearnerNeed::Any,
    },
    parameters: &[ParamInfo {
        name: "max_dropped",
        default: "0.5",
        range: ParamRange::Real {
            low: 0.0,
            high: 1.0,
        },
        doc: "Largest share of source rows that may be left out.",
    }],
    exemptions: &[],
    reference: "Jiang, Zhai. Instance Weighting for Domain Adaptation in NLP. ACL 2007",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::tests::problem;
    use ndarray::array;
    use proptest::prelude::*;
    use translearn_core::{FitSample, Predictor, Scores, TransferMethod};
    use translearn_learners::Logistic;

    fn probabilities(
        model: &impl Predictor,
        x: &translearn_core::Features,
    ) -> ndarray::Array2<f64> {
        match model.predict(x).unwrap().scores {
            Some(Scores::Probabilities(p)) => p,
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_most_confident_contradictions_are_left_out(seed in 0u64..1000, max_dropped in 0.0..0.6) {
            let problem = problem(40, 30, 8, seed);
            let fitted = SourceSelectionParams::default()
                .max_dropped(max_dropped)
                .fit(&problem, 0)
                .unwrap();
            let (source, target) = (problem.source().unwrap(), problem.target_labelled().unwrap());
            let fit = |x, y| Logistic::params().fit_sample(&Sample::new(x, y, 2).unwrap(), 0).unwrap();
            let p = probabilities(&fit(&target.features, &target.labels), &source.features);
            let labels = source.labels.classes("test").unwrap();
            // One after another, the row whose label is the least likely of those that are below ½.
            let mut left: Vec<usize> = (0..40).collect();
            for _ in 0..(max_dropped * 40.0) as usize {
                let own = |&row: &usize| p[[row, labels[row]]];
                let worst = left.iter().copied().min_by(|a, b| own(a).total_cmp(&own(b))).unwrap();
                if own(&worst) < 0.5 {
                    left.retain(|&row| row != worst);
                }
            }
            let weights = fitted.trace.source_weights.unwrap();
            let kept: Vec<usize> = (0..40).filter(|&row| weights[row] > 0.0).collect();
            prop_assert_eq!(&kept, &left);
            prop_assert!((weights.sum() - 40.0).abs() < 1e-9);
            let x = source.features.select_rows(&left).stack(&target.features).unwrap();
            let y = source.labels.select(&left).join(&target.labels).unwrap();
            let oracle = fit(&x, &y);
            let queries = problem.target_features();
            prop_assert_eq!(
                fitted.model.predict(queries).unwrap(),
                oracle.predict(queries).unwrap()
            );
        }
    }

    #[test]
    fn rows_that_cannot_be_told_from_one_that_stays_stay_too() {
        let misleading = vec![(0, 0.2), (2, 0.9), (3, 0.9), (4, 0.95)];
        let kept = |max_dropped| keep(5, misleading.clone(), max_dropped);
        assert_eq!(kept(0.0), array![1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(kept(0.2), array![1.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(kept(0.4), array![1.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(kept(0.6), array![1.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(kept(1.0), array![0.0, 1.0, 0.0, 0.0, 0.0]);
    }
}
