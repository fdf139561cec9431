//! Self-training.

use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, Fitted, MethodInfo, PlainModel, Trace, TransferError,
    TransferProblem, What, seed::derive, setters, transfer_method,
};

use super::logistic;
use super::pseudo_labels::{
    N_ROUNDS, NEEDS, PORTION, THRESHOLD, fit_rows, known_rows, stacked, surest,
};

/// Parameters of class-balanced self-training: target rows on which the model is sure of its answer become training
/// rows with that answer, more of them from round to round.
///
/// *Setting.* Classes in the source; the target may have some. *When.* The target is near enough that the surest
/// answers are right, and far enough that its own rows would move the border. Where the surest answers are wrong, it
/// makes them surer.
///
/// # Steps
///
/// 1. Fit the learner on the labelled source rows and, where there are any, the labelled target rows.
/// 2. For rounds `t = 1 … N`: answer the target rows without label. Of the rows that are given a class, take the `⌈p t
///    / N · (rows given that class)⌉` with the largest confidence, for each class by itself, but none below
///    `threshold`. Fit the learner on the rows of 1 and the rows taken, with the answers as their labels.
///
/// Rows are taken anew in every round, so that an answer may be revised. The confidence is the probability of the
/// answer; of decision values, the logistic function of each class's value, scaled to sum 1; without scores all rows
/// are alike. Rows as sure as the last one taken (to 1e-9) are taken too.
///
/// The series `taken` of the trace has the number of rows taken in each round.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_rounds` | 5 | integer ≥ 1 | rounds `N` |
/// | `portion` | 0.5 | [0, 1] | share `p` of the rows of each class taken in the last round; 0 is no self-training |
/// | `threshold` | 0 | [0, 1] | the least confidence of a row that is taken |
///
/// # Cost
///
/// `N + 1` fits of the learner on up to `n_s + n_t` rows, `N` predictions of the target.
///
/// # Errors
///
/// [`TransferError::Unsupported`] for real-valued labels, and what the learner makes of the rows.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::{SourceOnly, instance::SelfTraining};
/// use translearn_core::FitTransfer;
/// use translearn_learners::Ncm;
///
/// // The target is the source moved by 2; the source's border lies at 0.5.
/// let source = DatasetBase::new(array![[-2.0], [-1.0], [2.0], [3.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[0.0], [0.4], [0.8], [1.0], [4.0], [5.0]]);
/// let alone = SourceOnly::params().learner(Ncm::params()).fit_transfer(&source, &target)?;
/// assert_eq!(alone.predict(&array![[0.9]])?, array![1]);
/// let model = SelfTraining::params().portion(1.0).learner(Ncm::params()).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(&array![[0.9]])?, array![0]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Zou, Yu, Vijaya Kumar, Wang, *Unsupervised Domain Adaptation for Semantic Segmentation via Class-Balanced
/// Self-Training*, ECCV 2018, doi:10.1007/978-3-030-01219-9_18, without its networks and its prior of image positions.
///
/// *Where we differ.* The paper's portion starts at 0.2 and rises by 0.05 a round to 0.5; here it rises evenly from the
/// first round. Confidences are compared within a class, where the paper scales them by the bound of each class: the
/// same rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelfTrainingParams {
    n_rounds: usize,
    portion: f64,
    threshold: f64,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for SelfTrainingParams {
    fn default() -> Self {
        Self {
            n_rounds: 5,
            portion: 0.5,
            threshold: 0.0,
            learner: logistic(),
        }
    }
}

setters!(SelfTrainingParams {
    /// Sets the number of rounds.
    n_rounds: usize,
    /// Sets the share of the rows of each class that is taken in the last round.
    portion: f64,
    /// Sets the least confidence of a row that is taken.
    threshold: f64,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl SelfTrainingParams {
    fn train(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let n_classes = problem.n_classes();
        let known = known_rows(problem)?;
        let unlabelled = problem.target_unlabelled();
        // The seed of the learner inside every other method, so that no round gives the baseline.
        let seed = derive(seed, &["learner"]);
        let mut model = fit_rows(&self.learner, &known, n_classes, seed)?;
        let mut counts = Vec::new();
        let n_rounds = if unlabelled.n_rows() == 0 {
            0
        } else {
            self.n_rounds
        };
        for round in 1..=n_rounds {
            let answers = model.predict(&unlabelled)?;
            let portion = self.portion * round as f64 / self.n_rounds as f64;
            let taken = surest(&answers, n_classes, portion, self.threshold, INFO.name)?;
            counts.push(taken.len() as f64);
            let rows = unlabelled.select_rows(&taken);
            let rows = stacked(&known, &rows, &answers.labels.select(&taken))?;
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
}

crate::method_name!(SelfTraining => SelfTrainingParams, "Class-balanced self-training");

transfer_method!(SelfTrainingParams, INFO, |method, problem, seed| {
    method.train(problem, seed)
});

impl<TT> AcceptsTarget<TT> for SelfTrainingParams {}

static INFO: MethodInfo = MethodInfo {
    name: "self-training",
    title: "Class-balanced self-training",
    family: Family::Instance,
    what: What::Instances,
    needs: NEEDS,
    parameters: &[N_ROUNDS, PORTION, THRESHOLD],
    exemptions: &[],
    reference: "Zou, Yu, Vijaya Kumar, Wang. Unsupervised Domain Adaptation for Semantic Segmentation via Class-Balanced Self-Training. ECCV 2018. doi:10.1007/978-3-030-01219-9_18",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::tests::problem;
    use crate::{Pooled, SourceOnly};
    use proptest::prelude::*;
    use translearn_core::{Features, FitSample, Labels, Predictor, Sample, TransferMethod};
    use translearn_learners::GaussianNb;

    fn fit(x: &Features, y: &Labels) -> impl Predictor + use<> {
        let sample = Sample::new(x, y, 2).unwrap();
        GaussianNb::params().fit_sample(&sample, 0).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_surest_rows_of_each_class_are_learned_from(
            seed in 0u64..1000,
            n_rounds in 1usize..5,
            portion in 0.0..1.0,
            threshold in 0.0..1.0,
            n_known in 0usize..4,
        ) {
            let problem = problem(40, 30, 2 * n_known, seed);
            let method = SelfTrainingParams::default()
                .n_rounds(n_rounds)
                .portion(portion)
                .threshold(threshold)
                .learner(GaussianNb::params());
            let fitted = method.fit(&problem, 0).unwrap();
            let source = problem.source().unwrap();
            let (mut x, mut y) = (source.features.into_owned(), source.labels.into_owned());
            if let Some(known) = problem.target_labelled() {
                x = x.stack(&known.features).unwrap();
                y = y.join(&known.labels).unwrap();
            }
            let free = problem.target_unlabelled();
            let mut model = fit(&x, &y);
            let mut counts = Vec::new();
            for t in 1..=n_rounds {
                let answers = model.predict(&free).unwrap();
                let p = answers.scores.as_ref().unwrap().matrix().clone();
                let said = answers.labels.classes("test").unwrap().clone();
                let sure = |row: usize| p[[row, said[row]]];
                // A row is taken when fewer rows of its class are surer than the class's budget allows.
                let takes = |&row: &usize| {
                    let peers: Vec<usize> = (0..said.len()).filter(|&r| said[r] == said[row]).collect();
                    let surer = peers.iter().filter(|&&r| sure(r) > sure(row) + 1e-9).count();
                    let budget = portion * t as f64 / n_rounds as f64 * peers.len() as f64;
                    (surer as f64) < budget - 1e-9 && sure(row) >= threshold
                };
                let taken: Vec<usize> = (0..said.len()).filter(takes).collect();
                counts.push(taken.len() as f64);
                let rows = x.stack(&free.select_rows(&taken)).unwrap();
                model = fit(&rows, &y.join(&answers.labels.select(&taken)).unwrap());
            }
            prop_assert_eq!(&fitted.trace.series["taken"], &counts);
            let queries = problem.target_features();
            prop_assert_eq!(
                fitted.model.predict(queries).unwrap(),
                model.predict(queries).unwrap()
            );
        }
    }

    #[test]
    fn without_rows_to_take_it_is_the_baseline() {
        let none = problem(40, 30, 0, 2);
        let method = SelfTrainingParams::default().portion(0.0);
        let answers = |fitted: Fitted| fitted.model.predict(none.target_features()).unwrap();
        assert_eq!(
            answers(method.fit(&none, 5).unwrap()),
            answers(SourceOnly::params().fit(&none, 5).unwrap())
        );
        let all = problem(40, 30, 30, 2);
        let fitted = SelfTrainingParams::default().fit(&all, 5).unwrap();
        assert!(fitted.trace.series["taken"].is_empty());
        assert_eq!(
            answers(fitted),
            answers(Pooled::params().fit(&all, 5).unwrap())
        );
    }
}
