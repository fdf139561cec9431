//! Trees on the same rows under one weighting after another: sorted once.

use ndarray::Array1;
use translearn_core::{FitSample, Predictor, Refit, Sample, TransferError, params};

use super::{SortedFeatures, Stump, StumpParams, Tree, TreeParams};

/// A sample whose features are sorted, and the tree to grow on it.
pub(super) struct SortedSample<'a, P> {
    owner: &'a P,
    tree: TreeParams,
    sorted: SortedFeatures,
    sample: Sample<'a>,
}

impl<'a, P: FitSample> SortedSample<'a, P> {
    pub(super) fn new(
        owner: &'a P,
        tree: TreeParams,
        sample: &Sample<'a>,
    ) -> Result<Self, TransferError> {
        params::validate(P::INFO.name, P::INFO.parameters, owner)?;
        Ok(Self {
            owner,
            tree,
            sorted: SortedFeatures::new(sample.features())?,
            sample: *sample,
        })
    }
}

/// The model a grown tree is for.
pub(super) trait FromTree: FitSample {
    fn model(&self, tree: Tree) -> Self::Model;
}

impl FromTree for TreeParams {
    fn model(&self, tree: Tree) -> Tree {
        tree
    }
}

impl FromTree for StumpParams {
    fn model(&self, tree: Tree) -> Stump {
        Stump(tree)
    }
}

impl<P: FromTree> Refit for SortedSample<'_, P> {
    fn fit_weighted(
        &self,
        weights: &Array1<f64>,
        seed: u64,
    ) -> Result<Box<dyn Predictor>, TransferError> {
        let sample = self.sample.with_weights(weights)?;
        let tree = self.tree.grow(
            &self.sorted,
            sample.labels(),
            sample.n_classes(),
            &weights.to_vec(),
            seed,
        );
        Ok(Box::new(self.owner.model(tree)))
    }
}
