//! Fitting the same rows again and again under other weights.

use ndarray::Array1;

use crate::{Learner, Predictor, Sample, TransferError};

/// A learner on fixed rows, to be fitted under one weighting after another; [`Learner::refit`] makes one.
pub trait Refit: Send + Sync {
    /// Fits under these weights, one per row, in place of those the sample came with.
    ///
    /// # Errors
    /// As [`Learner::fit_boxed`] and [`Sample::with_weights`].
    fn fit_weighted(
        &self,
        weights: &Array1<f64>,
        seed: u64,
    ) -> Result<Box<dyn Predictor>, TransferError>;
}

/// Every fit from scratch: what most learners do.
pub(crate) struct FromScratch<'a, L: ?Sized> {
    learner: &'a L,
    sample: Sample<'a>,
}

impl<'a, L: ?Sized> FromScratch<'a, L> {
    pub(crate) fn new(learner: &'a L, sample: &Sample<'a>) -> Self {
        Self {
            learner,
            sample: *sample,
        }
    }
}

impl<L: Learner + ?Sized> Refit for FromScratch<'_, L> {
    fn fit_weighted(
        &self,
        weights: &Array1<f64>,
        seed: u64,
    ) -> Result<Box<dyn Predictor>, TransferError> {
        self.learner
            .fit_boxed(&self.sample.with_weights(weights)?, seed)
    }
}
