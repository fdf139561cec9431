//! The typed border to linfa: two datasets in, one model out.

use std::marker::PhantomData;

use linfa::{
    dataset::{DatasetBase, Records},
    traits::{Fit, PredictInplace},
};
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::{
    Domain, Features, Fitted, LabelSpace, Labels, Prediction, Task, Trace, TransferError,
    TransferMethod, TransferProblem,
};

/// Fits on a source and a target dataset.
///
/// The type of the target's labels states the setting: `()` for none ([`DatasetBase::from`] records), `Option<L>` for
/// some, `L` for all. A method that cannot serve a setting does not accept its type (see [`AcceptsTarget`]).
pub trait FitTransfer<RS: Records, TS, RT: Records, TT> {
    /// The fitted model.
    type Object;

    /// Fits with an explicit seed.
    ///
    /// # Errors
    /// [`TransferError`].
    fn fit_transfer_seeded(
        &self,
        source: &DatasetBase<RS, TS>,
        target: &DatasetBase<RT, TT>,
        seed: u64,
    ) -> Result<Self::Object, TransferError>;

    /// Fits with seed 0.
    ///
    /// # Errors
    /// [`TransferError`].
    fn fit_transfer(
        &self,
        source: &DatasetBase<RS, TS>,
        target: &DatasetBase<RT, TT>,
    ) -> Result<Self::Object, TransferError> {
        self.fit_transfer_seeded(source, target, 0)
    }
}

/// Marks the kinds of target labels a method can be fitted with at compile time.
pub trait AcceptsTarget<TT> {}

/// Types of target labels that carry labels, for all rows or for some: what a method that needs target labels accepts.
pub trait CarriesLabels {}

impl CarriesLabels for Array1<usize> {}
impl CarriesLabels for Array1<f64> {}
impl CarriesLabels for Array1<Option<usize>> {}
impl CarriesLabels for Array1<Option<f64>> {}

/// Labels of a source: one per row.
pub trait SourceLabels: Clone {
    /// The labels in the form methods use.
    fn to_labels(&self) -> Labels;

    /// Predicted labels back in this form.
    ///
    /// # Errors
    /// [`TransferError::Unsupported`] when the prediction is of the other kind.
    fn from_labels(labels: &Labels) -> Result<Self, TransferError>;
}

impl SourceLabels for Array1<usize> {
    fn to_labels(&self) -> Labels {
        Labels::Classes(self.clone())
    }

    fn from_labels(labels: &Labels) -> Result<Self, TransferError> {
        labels.classes("a classifier").cloned()
    }
}

impl SourceLabels for Array1<f64> {
    fn to_labels(&self) -> Labels {
        Labels::Values(self.clone())
    }

    fn from_labels(labels: &Labels) -> Result<Self, TransferError> {
        labels.values("a regressor").cloned()
    }
}

/// Labels of a target: none, some or all, of the same kind as the source's labels `TS`.
pub trait TargetLabels<TS> {
    /// Rows whose label is known, and those labels; `None` where the type knows no labels.
    fn known(&self) -> Option<(Vec<usize>, TS)>;
}

impl<TS> TargetLabels<TS> for Array1<()> {
    fn known(&self) -> Option<(Vec<usize>, TS)> {
        None
    }
}

impl<L: Clone> TargetLabels<Array1<L>> for Array1<L>
where
    Array1<L>: SourceLabels,
{
    fn known(&self) -> Option<(Vec<usize>, Array1<L>)> {
        Some(((0..self.len()).collect(), self.clone()))
    }
}

impl<L: Clone> TargetLabels<Array1<L>> for Array1<Option<L>>
where
    Array1<L>: SourceLabels,
{
    fn known(&self) -> Option<(Vec<usize>, Array1<L>)> {
        let known = self
            .iter()
            .enumerate()
            .filter_map(|(row, label)| Some((row, label.clone()?)));
        let (rows, labels): (Vec<usize>, Vec<L>) = known.unzip();
        Some((rows, labels.into()))
    }
}

impl TransferProblem {
    /// The problem two linfa datasets make.
    ///
    /// Classes are the codes from 0 to the largest that occurs on either side.
    ///
    /// # Errors
    /// As [`TransferProblem::from_parts`]; [`TransferError::LengthMismatch`] when labels and rows differ in number;
    /// [`TransferError::Unsupported`] for datasets that carry weights, which transfer methods compute themselves.
    pub fn new<TS: SourceLabels, TT: TargetLabels<TS>>(
        source: &DatasetBase<Array2<f64>, TS>,
        target: &DatasetBase<Array2<f64>, TT>,
    ) -> Result<Self, TransferError> {
        if !(source.weights.is_empty() && target.weights.is_empty()) {
            return Err(TransferError::Unsupported {
                method: "a transfer problem".to_owned(),
                needs: "datasets without weights (methods compute them)".to_owned(),
                has: "a dataset with weights".to_owned(),
            });
        }
        let labels = source.targets.to_labels();
        let known = target
            .targets
            .known()
            .map(|(rows, known)| (rows, known.to_labels()));
        let target_codes = known.as_ref().map_or(0, |(_, labels)| labels.n_codes());
        let space = match labels {
            Labels::Classes(_) => LabelSpace::numbered(labels.n_codes().max(target_codes)),
            Labels::Values(_) => LabelSpace::Real,
        };
        let target_task = match known {
            None => Task::unlabelled(space.clone()),
            Some((rows, labels)) => Task::partly_labelled(space.clone(), rows, labels),
        };
        let domain = |name: &str, records: &Array2<f64>| Domain {
            name: name.to_owned(),
            features: Features::Dense(records.clone()),
        };
        if labels.len() != source.records.nrows() {
            return Err(TransferError::LengthMismatch {
                left: "source".to_owned(),
                left_len: source.records.nrows(),
                right: "its labels".to_owned(),
                right_len: labels.len(),
            });
        }
        Self::from_parts(
            vec![(
                domain("source", &source.records),
                Task::labelled(space, labels),
            )],
            (domain("target", &target.records), target_task),
        )
    }
}

impl<M, TS, TT> FitTransfer<Array2<f64>, TS, Array2<f64>, TT> for M
where
    M: TransferMethod + AcceptsTarget<TT>,
    TS: SourceLabels,
    TT: TargetLabels<TS>,
{
    type Object = Transferred<TS>;

    fn fit_transfer_seeded(
        &self,
        source: &DatasetBase<Array2<f64>, TS>,
        target: &DatasetBase<Array2<f64>, TT>,
        seed: u64,
    ) -> Result<Transferred<TS>, TransferError> {
        let fitted = self.fit(&TransferProblem::new(source, target)?, seed)?;
        Ok(Transferred {
            fitted,
            labels: PhantomData,
        })
    }
}

/// A fitted transfer model that predicts labels of type `TS` for rows of the target domain.
#[derive(Debug, Serialize, Deserialize)]
pub struct Transferred<TS> {
    fitted: Fitted,
    labels: PhantomData<fn() -> TS>,
}

impl<TS: SourceLabels> Transferred<TS> {
    /// Predicts rows of the target domain.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] for another width, [`TransferError::NotFinite`] for NaN or infinities.
    pub fn predict(&self, records: &Array2<f64>) -> Result<TS, TransferError> {
        TS::from_labels(&self.predict_scores(records)?.labels)
    }

    /// Predicts labels and, where the model has them, scores per class.
    ///
    /// # Errors
    /// As [`Transferred::predict`].
    pub fn predict_scores(&self, records: &Array2<f64>) -> Result<Prediction, TransferError> {
        self.fitted.model.predict(&Features::Dense(records.clone()))
    }

    /// What happened during the fit: source weights, errors per round.
    pub fn trace(&self) -> &Trace {
        &self.fitted.trace
    }

    /// The model with its type erased.
    pub fn into_fitted(self) -> Fitted {
        self.fitted
    }
}

/// linfa's prediction trait, for composition with its other tools. It has no room for an error, so rows of the wrong
/// width panic as they do throughout linfa; [`Transferred::predict`] returns the error instead.
impl<L: Copy + Default> PredictInplace<Array2<f64>, Array1<L>> for Transferred<Array1<L>>
where
    Array1<L>: SourceLabels,
{
    #[expect(
        clippy::panic,
        reason = "linfa's trait has no error path; `predict` has"
    )]
    fn predict_inplace<'a>(&'a self, records: &'a Array2<f64>, labels: &mut Array1<L>) {
        match Transferred::predict(self, records) {
            Ok(predicted) => *labels = predicted,
            Err(error) => panic!("{error}"),
        }
    }

    fn default_target(&self, records: &Array2<f64>) -> Array1<L> {
        Array1::default(records.nrows())
    }
}

/// A method with its source filled in, which leaves linfa's own [`Fit`] on the target: cross-validation and composition
/// work as for any learner.
#[derive(Debug)]
pub struct WithSource<'a, P, RS: Records, TS> {
    params: P,
    source: &'a DatasetBase<RS, TS>,
}

/// Fills in the source of any method.
pub trait FitTransferExt: Sized {
    /// Gives linfa's [`Fit`] back.
    fn with_source<RS: Records, TS>(
        self,
        source: &DatasetBase<RS, TS>,
    ) -> WithSource<'_, Self, RS, TS> {
        WithSource {
            params: self,
            source,
        }
    }
}

impl<M: TransferMethod> FitTransferExt for M {}

impl<P, RS: Records, TS, RT: Records, TT> Fit<RT, TT, TransferError> for WithSource<'_, P, RS, TS>
where
    P: FitTransfer<RS, TS, RT, TT>,
{
    type Object = P::Object;

    fn fit(&self, target: &DatasetBase<RT, TT>) -> Result<Self::Object, TransferError> {
        self.params.fit_transfer(self.source, target)
    }
}
