//! Co-training.

#[cfg(test)]
mod tests;
mod views;

use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, Features, Fitted, Labelled, Labels, MethodInfo, PlainModel,
    Prediction, Trace, TransferError, TransferProblem, What, seed::derive, setters,
    transfer_method,
};

use super::logistic;
use super::pseudo_labels::{
    N_ROUNDS, NEEDS, PORTION, THRESHOLD, fit_rows, known_rows, stacked, surest,
};
use views::{correlation_ratios, deal};

/// Parameters of co-training: two models, each of its own columns, label target rows for each other.
///
/// *Setting.* Classes in the source; the target may have some. *When.* There are many columns that say much the same
/// about the classes, by errors of their own: a row of which one half of them is sure may be one that the other has yet
/// to learn from. Where all columns go wrong together, the halves make each other surer of it.
///
/// # Steps
///
/// For rounds `t = 1 … N`, with what is known (the labelled source rows and, where there are any, the labelled target
/// rows) and the rows taken in the round before:
///
/// 1. Order the columns by the share of their variance that lies between the classes,
///    $$\eta_j^2 = \frac{\sum_c n_c (m_{cj} - m_j)^2}{\sum_i (x_{ij} - m_j)^2}$$
///    and deal them out to two views as 1, 2, 2, 1, 1, 2, …, so that both views are about as good. Columns with `η² =
///    0`, as those that only target rows have, are in neither until rows are taken that have them.
/// 2. Fit the learner on the columns of each view, and answer the target rows without label.
/// 3. Take, from the answers of each view, the `⌈p t / N · (rows given that class)⌉` with the largest confidence, for
///    each class by itself, but none below `threshold`. A row that both views take for different classes is left out.
///
/// At last fit the learner on all columns of what is known and of the rows taken, with the answers as their labels.
///
/// Rows are taken anew in every round, so that an answer may be revised. Confidences and ties are those of
/// [`SelfTraining`](super::SelfTraining). The series `taken` of the trace has the number of rows taken in each round,
/// and `disputed` that of the rows left out.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_rounds` | 5 | integer ≥ 1 | rounds `N` |
/// | `portion` | 0.5 | [0, 1] | share `p` of the rows of each class that a view takes in the last round; 0 is no co-training |
/// | `threshold` | 0 | [0, 1] | the least confidence of a row that is taken |
///
/// # Cost
///
/// `2 N` fits of the learner on half of the columns of up to `n_s + n_t` rows and as many predictions of the target,
/// and a fit on all columns.
///
/// # Errors
///
/// [`TransferError::Unsupported`] for real-valued labels, or where fewer than two columns differ between the classes;
/// and what the learner makes of the rows.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::{SourceOnly, instance::CoTraining};
/// use translearn_core::FitTransfer;
/// use translearn_learners::Ncm;
///
/// // The target is nearer to the second class in both columns; the border of the source lies at x + y = 1.
/// let source = DatasetBase::new(array![[-2.0, -1.0], [-1.0, -2.0], [2.0, 3.0], [3.0, 2.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[0.0, 0.4], [0.4, 0.0], [3.8, 4.1], [4.0, 4.0], [4.0, 5.0], [5.0, 4.0]]);
/// let alone = SourceOnly::params().learner(Ncm::params()).fit_transfer(&source, &target)?;
/// assert_eq!(alone.predict(&array![[0.7, 0.7]])?, array![1]);
/// let model = CoTraining::params().portion(1.0).learner(Ncm::params()).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(&array![[0.7, 0.7]])?, array![0]);
/// assert_eq!(model.trace().series["disputed"], [0.0; 5]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Blum, Mitchell, *Combining Labeled and Unlabeled Data with Co-Training*, COLT 1998, doi:10.1145/279943.279962; for a
/// shift of domains with views that are found anew in every round as in Chen, Weinberger, Blitzer, *Co-Training for
/// Domain Adaptation*, NIPS 2011.
///
/// *Where we differ.* The first has views that are given with the data, takes a fixed number of rows a round, for good,
/// and multiplies the probabilities of the two models. The second (CODA) finds views and weights of linear models
/// together, in one problem that is not convex, with a constraint that the views be sure of different rows and a
/// penalty on columns whose correlation with the label differs between the domains; here columns are dealt out by
/// correlation alone, the learner is free, and that the views differ is not asked for: it is CODA's frame without its
/// optimisation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoTrainingParams {
    n_rounds: usize,
    portion: f64,
    threshold: f64,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for CoTrainingParams {
    fn default() -> Self {
        Self {
            n_rounds: 5,
            portion: 0.5,
            threshold: 0.0,
            learner: logistic(),
        }
    }
}

setters!(CoTrainingParams {
    /// Sets the number of rounds.
    n_rounds: usize,
    /// Sets the share of the rows of each class that a view takes in the last round.
    portion: f64,
    /// Sets the least confidence of a row that is taken.
    threshold: f64,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl CoTrainingParams {
    fn train(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let n_classes = problem.n_classes();
        let known = known_rows(problem)?;
        let unlabelled = problem.target_unlabelled();
        // The seed of the learner inside every other method, so that no round gives the baseline.
        let seed = derive(seed, &["learner"]);
        let mut rows = known.clone();
        let (mut taken, mut disputed) = (Vec::new(), Vec::new());
        let n_rounds = if unlabelled.n_rows() == 0 {
            0
        } else {
            self.n_rounds
        };
        for round in 1..=n_rounds {
            let portion = self.portion * round as f64 / self.n_rounds as f64;
            // The classes that views give each row for sure.
            let mut given = vec![Vec::new(); unlabelled.n_rows()];
            for columns in views(&rows, n_classes)? {
                let answers = self.answers(&rows, &unlabelled, &columns, n_classes, seed)?;
                let classes = answers.labels.classes(INFO.name)?;
                for row in surest(&answers, n_classes, portion, self.threshold, INFO.name)? {
                    given[row].push(classes[row]);
                }
            }
            let sure = (0..given.len()).filter(|&row| !given[row].is_empty());
            let (agreed, apart): (Vec<usize>, Vec<usize>) =
                sure.partition(|&row| given[row].iter().all(|&class| class == given[row][0]));
            taken.push(agreed.len() as f64);
            disputed.push(apart.len() as f64);
            let labels = Labels::Classes(agreed.iter().map(|&row| given[row][0]).collect());
            rows = stacked(&known, &unlabelled.select_rows(&agreed), &labels)?;
        }
        let model = fit_rows(&self.learner, &rows, n_classes, seed)?;
        Ok(Fitted {
            model: Box::new(PlainModel::new(model)),
            trace: Trace {
                source_weights: None,
                series: [
                    ("taken".to_owned(), taken),
                    ("disputed".to_owned(), disputed),
                ]
                .into(),
            },
        })
    }

    /// What the learner makes of `columns` of the target, from the same of the rows.
    fn answers(
        &self,
        rows: &Labelled<'_>,
        target: &Features,
        columns: &[usize],
        n_classes: usize,
        seed: u64,
    ) -> Result<Prediction, TransferError> {
        let view = Labelled {
            features: std::borrow::Cow::Owned(rows.features.select_columns(columns)?),
            labels: rows.labels.clone(),
        };
        let model = fit_rows(&self.learner, &view, n_classes, seed)?;
        model.predict(&target.select_columns(columns)?)
    }
}

/// The columns of the two views.
fn views(rows: &Labelled<'_>, n_classes: usize) -> Result<[Vec<usize>; 2], TransferError> {
    let classes = rows.labels.classes(INFO.name)?;
    let views = deal(&correlation_ratios(&rows.features, classes, n_classes)?);
    let found: usize = views.iter().map(Vec::len).sum();
    if found < 2 {
        return Err(TransferError::Unsupported {
            method: INFO.name.to_owned(),
            needs: "two columns or more that differ between the classes".to_owned(),
            has: found.to_string(),
        });
    }
    Ok(views)
}

crate::method_name!(CoTraining => CoTrainingParams, "Co-training");

transfer_method!(CoTrainingParams, INFO, |method, problem, seed| {
    method.train(problem, seed)
});

impl<TT> AcceptsTarget<TT> for CoTrainingParams {}

static INFO: MethodInfo = MethodInfo {
    name: "co-training",
    title: "Co-training",
    family: Family::Instance,
    what: What::Instances,
    needs: NEEDS,
    parameters: &[N_ROUNDS, PORTION, THRESHOLD],
    exemptions: &[],
    reference: "Blum, Mitchell. Combining Labeled and Unlabeled Data with Co-Training. COLT 1998. doi:10.1145/279943.279962",
};
