//! How much of a source model, or of features, can serve a target task: scores from the target's labelled rows, without a
//! training.
//!
//! | score | from | best | reads |
//! |---|---|---|---|
//! | [`log_me`], [`log_me_outputs`] | features | large | evidence of a linear model with the best priors, per row |
//! | [`h_score`], [`regularized_h_score`] | features | classes − 1 | variance between class means, in units of the variance |
//! | [`trans_rate`] | features | large | nats that the classes take from the rate of the features |
//! | [`gbc`] | features | 0 | overlap of the classes as normal distributions |
//! | [`parc`] | features | 1 | whether rows that look alike have the same class |
//! | [`leave_one_out`] | features | 1 | accuracy of the nearest other rows, or their R² |
//! | [`LinearProbe`] | features | 1 | accuracy of a linear model on rows it has not seen, or its R² |
//! | [`NLeep`] | features | 0 | [`leep`] given the component of a mixture of normal distributions |
//! | [`leep`] | a source model's probabilities | 0 | log-likelihood of the classes given the source's classes, per row |
//! | [`nce`] | a source model's classes | 0 | the same for the classes that it calls |
//! | [`otdd`] | two data sets | 0 | how far rows and the meaning of their classes have to move |
//! | [`TaskEmbedding`] | two tasks on the same features | 0 | how far apart the features are that matter to each |
//!
//! Scores of one target can be compared over sources, models and layers; scores of different targets cannot. How well a
//! score ranks is told by [`weighted_kendall`]. The order of the rows changes nothing but rounding, nor do the codes of
//! the classes; classes without a row do not count.
//!
//! What a source model says and what the target's labels are have types of their own ([`SourceProbabilities`],
//! [`SourceClasses`]; [`Labels`]), so that they cannot change places, which once cost published comparisons their
//! meaning.

mod features;
mod gaussians;
mod linear_probe;
mod log_me;
mod mixture;
mod n_leep;
mod neighbours;
mod otdd;
mod predictions;
#[cfg(test)]
mod probe_tests;
mod ranking;
mod task_embedding;
#[cfg(test)]
mod tests;

use ndarray::{Array2, Axis};
use translearn_core::{Features, Labels, TransferError};

pub use features::{h_score, regularized_h_score, trans_rate};
pub use gaussians::gbc;
pub use linear_probe::{LinearProbe, ProbeScore};
pub use log_me::{log_me, log_me_outputs};
pub use n_leep::NLeep;
pub use neighbours::{leave_one_out, parc};
pub use otdd::{Dataset, otdd};
pub use predictions::{SourceClasses, SourceProbabilities, leep, nce};
pub(crate) use ranking::middle_ranks;
pub use ranking::weighted_kendall;
pub use task_embedding::TaskEmbedding;

/// Rows of a target with their classes, from 0 without gaps.
struct Classified {
    rows: Array2<f64>,
    classes: Vec<usize>,
    n_classes: usize,
}

impl Classified {
    /// At least two rows of at least two classes.
    fn new(features: &Features, labels: &Labels) -> Result<Self, TransferError> {
        check_rows(features, labels)?;
        let (classes, n_classes) = classes_of(labels)?;
        Ok(Self {
            rows: features.dense()?.into_owned(),
            classes,
            n_classes,
        })
    }

    /// The rows of each class.
    fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.n_classes];
        for (row, &class) in self.classes.iter().enumerate() {
            members[class].push(row);
        }
        members
    }

    /// The rows of a class.
    fn of(&self, members: &[usize]) -> Array2<f64> {
        self.rows.select(Axis(0), members)
    }
}

fn check_rows(features: &Features, labels: &Labels) -> Result<(), TransferError> {
    features.check_vectors("the target's features")?;
    features.check_finite("the target's features")?;
    check_lengths("the target's features", features.n_rows(), labels)?;
    if features.n_rows() < 2 {
        return Err(TransferError::TooFewRows {
            what: "the target, for a score,".to_owned(),
            rows: features.n_rows(),
            needed: 2,
        });
    }
    Ok(())
}

fn check_lengths(what: &str, rows: usize, labels: &Labels) -> Result<(), TransferError> {
    if rows == labels.len() {
        return Ok(());
    }
    Err(TransferError::LengthMismatch {
        left: what.to_owned(),
        left_len: rows,
        right: "the target's labels".to_owned(),
        right_len: labels.len(),
    })
}

/// [`without_gaps`], of at least two classes.
fn classes_of(labels: &Labels) -> Result<(Vec<usize>, usize), TransferError> {
    let (classes, n_classes) = without_gaps(labels)?;
    if n_classes < 2 {
        return Err(TransferError::TooFewClasses {
            what: "the target's labels".to_owned(),
            classes: n_classes,
        });
    }
    Ok((classes, n_classes))
}

/// Codes from 0 in their order, without those that no row has; and how many.
fn without_gaps(labels: &Labels) -> Result<(Vec<usize>, usize), TransferError> {
    let codes = labels.classes("a score over classes")?;
    let mut present = codes.to_vec();
    present.sort_unstable();
    present.dedup();
    let place = |code: &usize| present.partition_point(|other| other < code);
    Ok((codes.iter().map(place).collect(), present.len()))
}
