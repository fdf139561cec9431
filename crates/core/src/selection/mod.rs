//! Which of several fitted models serves the target best, where no target label says so: what a scorer is, and what it
//! may look at.
//!
//! The scorers themselves are in `translearn-diagnostics`; the trait is here, so that whatever fits models can be given
//! one.

mod candidate;
mod collapse;
#[cfg(test)]
mod tests;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

pub use candidate::Candidate;
pub use collapse::Collapse;

use crate::{Outputs, TransferError};

/// What there is to know about a scorer before it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ScorerInfo {
    /// Its name in specs.
    pub name: &'static str,
    /// Its name in prose.
    pub title: &'static str,
    /// What it needs of a candidate.
    pub needs: ScorerNeeds,
    /// The source: authors, title, year, DOI.
    pub reference: &'static str,
}

/// What a scorer needs of a candidate. A mismatch is an error before any work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ScorerNeeds {
    /// The kinds of labels it serves.
    pub outputs: Outputs,
    /// Probabilities of the classes of target rows.
    pub probabilities: bool,
    /// Predictions of source rows by models that have not seen them ([`Candidate::with_source_prediction`]): of others
    /// it says too much good. Nothing can check it.
    pub held_out: bool,
    /// The method that fitted the model ([`Candidate::with_method`]), to be fitted again.
    pub method: bool,
}

impl ScorerInfo {
    /// Refuses a candidate that lacks what the scorer needs.
    ///
    /// # Errors
    /// [`TransferError::Unsupported`] that names both sides.
    pub fn check(&self, candidate: &Candidate<'_>) -> Result<(), TransferError> {
        let labels = &candidate.source().labels;
        crate::learner::check_outputs(self.name, self.needs.outputs, labels)?;
        if self.needs.probabilities {
            candidate.probabilities(self.name)?;
        }
        if self.needs.method {
            candidate.method(self.name)?;
        }
        Ok(())
    }
}

/// Scores a fitted model for the target without the target's labels.
///
/// Pure: the same candidate and seed give the same score, however often it is asked and on any number of threads.
/// Scores of one scorer can be compared over models of one problem, and nothing else.
pub trait TargetScorer: Debug + Send + Sync {
    /// What the scorer declares.
    fn info(&self) -> &'static ScorerInfo;

    /// The score, larger for better, of a candidate that [`ScorerInfo::check`] has accepted and that has not collapsed.
    /// Call [`TargetScorer::score`] instead.
    ///
    /// # Errors
    /// [`TransferError`].
    fn score_checked(&self, candidate: &Candidate<'_>, seed: u64) -> Result<f64, TransferError>;

    /// Checks what is needed, looks for a collapse, then scores.
    ///
    /// # Errors
    /// [`TransferError`] for a candidate that lacks what the scorer needs, and what scoring meets.
    fn score(&self, candidate: &Candidate<'_>, seed: u64) -> Result<TargetScore, TransferError> {
        self.info().check(candidate)?;
        match Collapse::of(candidate) {
            Some(collapse) => Ok(TargetScore::Collapsed(collapse)),
            None => Ok(TargetScore::Value(self.score_checked(candidate, seed)?)),
        }
    }
}

/// What a scorer says of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetScore {
    /// A score; larger is better.
    Value(f64),
    /// No score, for a model that must not be chosen whatever its score would be.
    Collapsed(Collapse),
}

impl TargetScore {
    /// The score, where there is one.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            Self::Collapsed(_) => None,
        }
    }

    /// The place of the largest score, the first of equals; `None` where all have collapsed. NaN is no score.
    ///
    /// ```
    /// use translearn_core::selection::{Collapse, TargetScore};
    ///
    /// let collapsed = TargetScore::Collapsed(Collapse::FewClasses { effective: 1.0, of_source: 2.0 });
    /// let scores = [TargetScore::Value(-2.0), collapsed, TargetScore::Value(-1.0)];
    /// assert_eq!(TargetScore::best(&scores), Some(2));
    /// assert_eq!(TargetScore::best(&[collapsed]), None);
    /// ```
    pub fn best(scores: &[Self]) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (place, score) in scores.iter().enumerate() {
            if let Some(value) = score.value()
                && !value.is_nan()
                && best.is_none_or(|(_, highest)| value > highest)
            {
                best = Some((place, value));
            }
        }
        best.map(|(place, _)| place)
    }
}
