//! What a learner that was taught by one half of the rows says of the other half.

use translearn_core::{BaseLearner, Features, Labels, Prediction, Sample, Scores, TransferError};

use super::relabel::{Pair, Sizes};
use crate::standardise::standardise;

/// How a learner tells the domains apart on rows that it has not seen.
pub(super) struct HeldOut {
    /// The rows that were held out.
    pub(super) sizes: Sizes,
    /// What is said of them, the source's first; class 1 is the target.
    pub(super) prediction: Prediction,
    /// The rows that taught.
    taught: Sizes,
}

impl HeldOut {
    /// By a learner that is taught by half of each domain; dense columns are standardised by that half.
    pub(super) fn new(
        learner: &BaseLearner,
        pair: &Pair,
        seed: u64,
    ) -> Result<Self, TransferError> {
        let (of_source, of_target) = (
            Halves::new(&pair.source, "the source", seed)?,
            Halves::new(&pair.target, "the target", seed)?,
        );
        let sizes = Sizes {
            source: of_source.held_out.n_rows(),
            target: of_target.held_out.n_rows(),
        };
        let taught = Sizes {
            source: of_source.train.n_rows(),
            target: of_target.train.n_rows(),
        };
        let mut train = of_source.train.stack(&of_target.train)?;
        let mut held_out = of_source.held_out.stack(&of_target.held_out)?;
        standardise(&mut train, &mut held_out);
        let domains = (0..train.n_rows()).map(|row| usize::from(row >= taught.source));
        let domains = Labels::Classes(domains.collect());
        let model = learner.fit_boxed(&Sample::new(&train, &domains, 2)?, seed)?;
        let prediction = model.predict(&held_out)?;
        Ok(Self {
            sizes,
            prediction,
            taught,
        })
    }

    /// The ratio of the target's density to the source's at each row: the odds of the target, in units of those of the rows
    /// that taught.
    pub(super) fn ratios(&self, learner: &BaseLearner) -> Result<Vec<f64>, TransferError> {
        let Some(Scores::Probabilities(probabilities)) = &self.prediction.scores else {
            return Err(TransferError::Unsupported {
                method: "a ratio of densities".to_owned(),
                needs: "a learner with probabilities".to_owned(),
                has: format!("`{}`", learner.info().name),
            });
        };
        let unit = self.taught.source as f64 / self.taught.target as f64;
        let odds = |p: &f64| {
            let p = p.clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY);
            unit * p / (1.0 - p)
        };
        Ok(probabilities.column(1).iter().map(odds).collect())
    }
}

/// Probabilities are held this far from 0 and 1, so that ratios and their logarithms are finite.
pub(super) const LEAST_PROBABILITY: f64 = 1e-12;

/// The rows of a domain that teach, and those that test.
pub(super) struct Halves {
    pub(super) train: Features,
    pub(super) held_out: Features,
    pub(super) train_rows: Vec<usize>,
    pub(super) held_out_rows: Vec<usize>,
}

impl Halves {
    /// Halves drawn by the seed.
    pub(super) fn new(sample: &Features, name: &str, seed: u64) -> Result<Self, TransferError> {
        let n = sample.n_rows();
        if n < 4 {
            return Err(TransferError::TooFewRows {
                what: format!("{name}, of which one half teaches and one half tests,"),
                rows: n,
                needed: 4,
            });
        }
        let mut rng = translearn_core::seed::rng(translearn_core::seed::derive(seed, &[name]));
        let order = rng.permutation(n);
        let (train, held_out) = order.split_at(n / 2);
        Ok(Self {
            train: sample.select_rows(train),
            held_out: sample.select_rows(held_out),
            train_rows: train.to_vec(),
            held_out_rows: held_out.to_vec(),
        })
    }
}
