//! Small problems the laws are tried on. No number of rows is a multiple of a block size.

use ndarray::{Array1, Array2, Axis, concatenate};
use translearn_core::{
    Domain, Features, LabelSpace, Labels, Task, TransferError, TransferProblem, seed,
};
use translearn_data::generate::{
    CovariateShift, CovariateShiftRegression, Generated, RotatedGaussians, TwoMoons,
};

use crate::Outcome;

/// Rows with their labels.
pub type Rows = (Features, Labels);

/// A problem with rows of the target that no fit sees.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is drawn.
    pub name: String,
    /// What the fit sees.
    pub problem: TransferProblem,
    /// Further rows of the target.
    pub test: Features,
    /// Their labels.
    pub test_labels: Labels,
}

impl Case {
    /// A case in which the labels of the target rows `known` are known.
    ///
    /// # Errors
    /// As [`TransferProblem::from_parts`].
    pub fn new(
        name: &str,
        space: &LabelSpace,
        source: Rows,
        target: &Rows,
        known: Vec<usize>,
        test: Rows,
    ) -> Result<Self, TransferError> {
        let labels = target.1.select(&known);
        let name = match known.len() {
            0 => name.to_owned(),
            n => format!("{name}, {n} target labels"),
        };
        let problem = TransferProblem::from_parts(
            vec![(
                domain("source", source.0),
                Task::labelled(space.clone(), source.1),
            )],
            (
                domain("target", target.0.clone()),
                Task::partly_labelled(space.clone(), known, labels),
            ),
        )?;
        Ok(Self {
            name,
            problem,
            test: test.0,
            test_labels: test.1,
        })
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        self.test.n_columns()
    }
}

fn domain(name: &str, features: Features) -> Domain {
    Domain {
        name: name.to_owned(),
        features,
    }
}

const N_SOURCE: usize = 67;
const N_TARGET: usize = 43;
const N_TEST: usize = 29;
const N_KNOWN: usize = 12;

/// Problems with classes; with some target labels, or with none.
///
/// # Errors
/// None in practice: the generators' parameters are in range.
pub fn classes(labelled: bool) -> Outcome<Vec<Case>> {
    let (n_source, n_target) = (N_SOURCE, N_TARGET + N_TEST);
    let covariate = CovariateShift {
        n_source,
        n_target,
        n_features: 5,
        shift: 1.0,
        ..CovariateShift::default()
    };
    let rotated = RotatedGaussians {
        n_source,
        n_target,
        angle: 20.0,
        ..RotatedGaussians::default()
    };
    let moons = TwoMoons {
        n_source,
        n_target,
        angle: 20.0,
        ..TwoMoons::default()
    };
    [
        ("covariate shift", covariate.generate(1)?),
        ("rotated Gaussians", rotated.generate(2)?),
        ("two moons", moons.generate(3)?),
    ]
    .into_iter()
    .map(|(name, generated)| Ok(split(name, generated, labelled)?))
    .collect()
}

/// Problems with real labels.
///
/// # Errors
/// As [`classes`].
pub fn values(labelled: bool) -> Outcome<Vec<Case>> {
    let (n_source, n_target) = (N_SOURCE, N_TARGET + N_TEST);
    let shift = CovariateShiftRegression {
        n_source,
        n_target,
        n_features: 3,
        ..CovariateShiftRegression::default()
    };
    Ok(vec![split(
        "covariate shift, real labels",
        shift.generate(4)?,
        labelled,
    )?])
}

/// The first target rows for the fit, the rest to be predicted.
fn split(name: &str, generated: Generated, labelled: bool) -> Result<Case, TransferError> {
    let pick = |rows: std::ops::Range<usize>| {
        let rows: Vec<usize> = rows.collect();
        (
            generated.target.0.select_rows(&rows),
            generated.target.1.select(&rows),
        )
    };
    let (target, test) = (pick(0..N_TARGET), pick(N_TARGET..N_TARGET + N_TEST));
    // Every third row, so that known and unknown rows lie among each other.
    let known = if labelled {
        (0..N_KNOWN).map(|i| 3 * i + 1).collect()
    } else {
        Vec::new()
    };
    Case::new(
        name,
        &generated.space,
        generated.source.clone(),
        &target,
        known,
        test,
    )
}

/// Classes far apart in every column: `n` rows of `d` columns, class `i % n_classes` in row `i`.
///
/// Column `j` of class `c` lies about `8 cos(2π (c + j) / n_classes)`, so that no two classes agree in more than a few
/// columns and any of the learners tells them apart.
pub fn separated(n: usize, d: usize, n_classes: usize, seed: u64) -> Rows {
    let mut rng = seed::rng(seed);
    let codes = Array1::from_shape_fn(n, |row| row % n_classes);
    let turn = std::f64::consts::TAU / n_classes as f64;
    let mut x = Array2::from_shape_simple_fn((n, d), || rng.normal());
    for ((row, column), value) in x.indexed_iter_mut() {
        *value += 8.0 * (turn * (codes[row] + column) as f64 + 0.4).cos();
    }
    (x.into(), codes.into())
}

/// Real labels that are linear in the first column.
pub fn linear(n: usize, d: usize, seed: u64) -> Rows {
    let mut rng = seed::rng(seed);
    let x = Array2::from_shape_simple_fn((n, d), || rng.normal());
    let y: Array1<f64> = x
        .column(0)
        .iter()
        .map(|v| 3.0 * v + 0.1 * rng.normal())
        .collect();
    (x.into(), y.into())
}

/// The same features with one more column of `value`.
///
/// # Errors
/// [`TransferError::DenseTooLarge`], not in practice.
pub fn with_column(features: &Features, value: f64) -> Result<Features, TransferError> {
    let x = features.dense()?;
    let column = Array2::from_elem((x.nrows(), 1), value);
    #[expect(clippy::expect_used, reason = "both have as many rows")]
    Ok(concatenate(Axis(1), &[x.view(), column.view()])
        .expect("as many rows")
        .into())
}
