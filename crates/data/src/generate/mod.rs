//! Generators of shifted domains whose optimum is known, to test methods and to show what a shift does.
//!
//! Each generator draws a source and a target from densities that are written down in its documentation, so that the best
//! possible prediction, its expected score and, where source rows can be reweighted, the true density ratio are exact and
//! come with the data. The same seed gives the same rows; source and target have their own streams, so the number of
//! rows of one does not change the other.
//!
//! | generator | differs | labels | known |
//! |---|---|---|---|
//! | [`CovariateShift`] | P(X) | 2 classes | optimum, accuracy, density ratio |
//! | [`CovariateShiftRegression`] | P(X) | real | optimum, error, density ratio |
//! | [`LabelShift`] | P(Y) | k classes | optimum, accuracy, class ratio |
//! | [`ConceptShift`] | P(Y given X) | 2 classes | optimum, accuracy |
//! | [`SubspaceShift`] | the subspace of X | 2 classes | optimum, accuracy |
//! | [`RotatedGaussians`] | a rotation of X | k classes | optimum, accuracy |
//! | [`TwoMoons`] | a rotation of X | 2 classes | optimum |

mod covariate;
mod normal;
mod rotation;
mod shift;
mod subspace;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::seed::{self, Rng};
use translearn_core::{Features, LabelSpace, Labels};

pub use covariate::{CovariateShift, CovariateShiftRegression};
pub use rotation::{RotatedGaussians, TwoMoons};
pub use shift::{ConceptShift, LabelShift};
pub use subspace::SubspaceShift;

use crate::DataError;

/// Two domains with what is known about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// Rows and labels of the source.
    pub source: (Features, Labels),
    /// Rows and labels of the target.
    pub target: (Features, Labels),
    /// Classes, or the real line.
    pub space: LabelSpace,
    /// What the optimal rule of the *target* predicts for the target's rows.
    pub target_optimum: Labels,
    /// The expected score of that rule on the target: accuracy for classes, mean squared error for real labels;
    /// `None` where no closed form is known.
    pub target_score: Option<f64>,
    /// p_target(x, y) / p_source(x, y) for each source row, where the source covers the target.
    pub source_weights: Option<Array1<f64>>,
}

/// Any generator, as a specification names it: `{ kind = "covariate-shift", shift = 2.0 }`.
///
/// ```
/// use translearn_data::generate::Generator;
///
/// let generator: Generator = toml::from_str("kind = 'two-moons'\nangle = 30.0")?;
/// let domains = generator.generate(0)?;
/// assert_eq!(domains.source.0.n_columns(), 2);
/// assert!(toml::from_str::<Generator>("kind = 'two-moons'\nangel = 30.0").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Generator {
    /// [`CovariateShift`].
    CovariateShift(CovariateShift),
    /// [`CovariateShiftRegression`].
    CovariateShiftRegression(CovariateShiftRegression),
    /// [`LabelShift`].
    LabelShift(LabelShift),
    /// [`ConceptShift`].
    ConceptShift(ConceptShift),
    /// [`SubspaceShift`].
    SubspaceShift(SubspaceShift),
    /// [`RotatedGaussians`].
    RotatedGaussians(RotatedGaussians),
    /// [`TwoMoons`].
    TwoMoons(TwoMoons),
}

impl Generator {
    /// Draws both domains.
    ///
    /// # Errors
    /// [`DataError::InvalidOption`] for a parameter outside its range.
    pub fn generate(&self, seed: u64) -> Result<Generated, DataError> {
        match self {
            Self::CovariateShift(generator) => generator.generate(seed),
            Self::CovariateShiftRegression(generator) => generator.generate(seed),
            Self::LabelShift(generator) => generator.generate(seed),
            Self::ConceptShift(generator) => generator.generate(seed),
            Self::SubspaceShift(generator) => generator.generate(seed),
            Self::RotatedGaussians(generator) => generator.generate(seed),
            Self::TwoMoons(generator) => generator.generate(seed),
        }
    }
}

/// The streams of source and target.
fn streams(seed: u64, generator: &str) -> (Rng, Rng) {
    let stream = |domain| seed::rng(seed::derive(seed, &["generate", generator, domain]));
    (stream("source"), stream("target"))
}

/// Standard normal rows.
fn normal_rows(rng: &mut Rng, rows: usize, columns: usize) -> Array2<f64> {
    // `from_shape_simple_fn` fills row by row, so fewer rows are a prefix of more rows.
    Array2::from_shape_simple_fn((rows, columns), || rng.normal())
}

/// `class`, or the other of two classes with probability `flip`.
fn flipped(rng: &mut Rng, class: usize, flip: f64) -> usize {
    // The number is drawn in any case, so that `flip` does not change the rows that follow.
    if rng.uniform() < flip {
        1 - class
    } else {
        class
    }
}

/// Refuses a parameter outside its range.
fn check(
    fits: bool,
    name: &str,
    value: impl std::fmt::Display,
    expected: &str,
) -> Result<(), DataError> {
    if fits {
        return Ok(());
    }
    Err(DataError::InvalidOption {
        name: name.to_owned(),
        value: value.to_string(),
        expected: expected.to_owned(),
    })
}

/// Rows and columns of both sides: some, and no more than can be held.
fn check_size(n_source: usize, n_target: usize, n_features: usize) -> Result<(), DataError> {
    /// Numbers that a side may have: 800 MB.
    const MOST: usize = 100_000_000;
    for (name, rows) in [("n_source", n_source), ("n_target", n_target)] {
        check(rows > 0, name, rows, "at least 1")?;
        let fits = rows
            .checked_mul(n_features.max(1))
            .is_some_and(|numbers| numbers <= MOST);
        check(
            fits,
            name,
            rows,
            "at most 100 000 000 numbers, rows times columns",
        )?;
    }
    Ok(())
}

/// A probability with which a label is flipped: below one half, or the flipped label would be the better guess.
fn check_flip(flip: f64) -> Result<(), DataError> {
    check(
        (0.0..0.5).contains(&flip),
        "flip",
        flip,
        "a probability in [0, 0.5)",
    )
}

#[cfg(test)]
mod tests;
