//! linfa's `Fit` and `PredictInplace` for our learners, written once.

use linfa::dataset::DatasetBase;
use ndarray::{Array1, Array2};
use translearn_core::{Features, FitSample, Predictor, Sample, SourceLabels, TransferError};

/// Fits on a linfa dataset with seed 0. Classes are the codes from 0 to the largest that occurs.
pub(crate) fn fit_dataset<P: FitSample, T: SourceLabels>(
    params: &P,
    dataset: &DatasetBase<Array2<f64>, T>,
) -> Result<P::Model, TransferError> {
    let features = Features::Dense(dataset.records.clone());
    let labels = dataset.targets.to_labels();
    let weights: Array1<f64> = dataset.weights.mapv(f64::from);
    let mut sample = Sample::new(&features, &labels, labels.n_codes())?;
    if !weights.is_empty() {
        sample = sample.with_weights(&weights)?;
    }
    params.fit_sample(&sample, 0)
}

/// Predicts into linfa's target array.
#[expect(
    clippy::panic,
    reason = "linfa's trait has no error path; `Predictor::predict` has"
)]
pub(crate) fn predict_into<T: SourceLabels>(
    model: &dyn Predictor,
    records: &Array2<f64>,
    targets: &mut T,
) {
    let predicted = model
        .predict(&Features::Dense(records.clone()))
        .and_then(|prediction| T::from_labels(&prediction.labels));
    match predicted {
        Ok(labels) => *targets = labels,
        Err(error) => panic!("{error}"),
    }
}

/// `linfa_border!(LogisticParams => Logistic: usize)` lets `Logistic::params().fit(&dataset)?.predict(&x)` work as in
/// linfa, for class labels (`usize`), real labels (`f64`), or both.
///
/// linfa's prediction trait has no room for an error, so rows of another width panic as they do throughout linfa;
/// [`Predictor::predict`] returns the error instead.
macro_rules! linfa_border {
    ($params:ty => $model:ty: $($label:ty),+) => {$(
        impl linfa::traits::Fit<ndarray::Array2<f64>, ndarray::Array1<$label>, translearn_core::TransferError> for $params {
            type Object = $model;

            fn fit(
                &self,
                dataset: &linfa::dataset::DatasetBase<ndarray::Array2<f64>, ndarray::Array1<$label>>,
            ) -> Result<$model, translearn_core::TransferError> {
                $crate::linfa_border::fit_dataset(self, dataset)
            }
        }

        impl linfa::traits::PredictInplace<ndarray::Array2<f64>, ndarray::Array1<$label>> for $model {
            fn predict_inplace<'a>(&'a self, records: &'a ndarray::Array2<f64>, targets: &mut ndarray::Array1<$label>) {
                $crate::linfa_border::predict_into(self, records, targets);
            }

            fn default_target(&self, records: &ndarray::Array2<f64>) -> ndarray::Array1<$label> {
                ndarray::Array1::default(records.nrows())
            }
        }
    )+};
}

pub(crate) use linfa_border;
