//! What every solver demands of costs and masses.

use ndarray::{Array1, Array2};
use translearn_core::TransferError;

/// Sums of masses that differ by no more than this share count as equal.
const ROUNDING: f64 = 1e-9;

/// Refuses costs and masses that do not fit or are no such.
pub(crate) fn check_problem(
    cost: &Array2<f64>,
    a: &Array1<f64>,
    b: &Array1<f64>,
) -> Result<(), TransferError> {
    let (rows, columns) = cost.dim();
    check_lengths("the cost matrix", rows, "the masses of the rows", a.len())?;
    check_lengths(
        "the transposed cost matrix",
        columns,
        "the masses of the columns",
        b.len(),
    )?;
    check_masses("the masses of the rows", a)?;
    check_masses("the masses of the columns", b)?;
    check_finite("the cost matrix", cost)
}

pub(crate) fn check_lengths(
    left: &str,
    left_len: usize,
    right: &str,
    right_len: usize,
) -> Result<(), TransferError> {
    if left_len == right_len {
        return Ok(());
    }
    Err(TransferError::LengthMismatch {
        left: left.to_owned(),
        left_len,
        right: right.to_owned(),
        right_len,
    })
}

/// Masses have to be finite, at least 0 and not all 0, and so does their sum.
pub(crate) fn check_masses(what: &str, masses: &Array1<f64>) -> Result<(), TransferError> {
    if masses.is_empty() {
        return Err(TransferError::Empty {
            what: what.to_owned(),
            needed: 1,
        });
    }
    let wrong = masses
        .iter()
        .position(|&mass| !(mass >= 0.0 && mass.is_finite()));
    let total = masses.sum();
    // All 0, or so large that the sum overflows: the first row stands for them.
    let row = wrong.or((!(total > 0.0 && total.is_finite())).then_some(0));
    match row {
        None => Ok(()),
        Some(row) => Err(TransferError::InvalidWeight {
            row,
            value: masses[row].to_string(),
        }),
    }
}

pub(crate) fn check_finite(what: &str, table: &Array2<f64>) -> Result<(), TransferError> {
    // All entries first, without looking where: that is several times faster.
    if table
        .iter()
        .fold(true, |finite, value| finite & value.is_finite())
    {
        return Ok(());
    }
    match table.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row, column), value)) => Err(TransferError::NotFinite {
            what: what.to_owned(),
            row,
            column,
            value: value.to_string(),
        }),
    }
}

/// Refuses masses whose sums differ by more than rounding.
pub(crate) fn check_balanced(a: &Array1<f64>, b: &Array1<f64>) -> Result<(), TransferError> {
    let (left_mass, right_mass) = (a.sum(), b.sum());
    if (left_mass - right_mass).abs() <= ROUNDING * left_mass.max(right_mass) {
        return Ok(());
    }
    Err(TransferError::UnequalMass {
        left: "the rows".to_owned(),
        left_mass,
        right: "the columns".to_owned(),
        right_mass,
    })
}

pub(crate) fn check_positive(name: &str, value: f64) -> Result<(), TransferError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(TransferError::InvalidParameter {
        name: name.to_owned(),
        value: value.to_string(),
        range: "(0, ∞)".to_owned(),
    })
}
