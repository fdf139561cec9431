//! Ranges that parameters of many diagnostics share.

use translearn_core::TransferError;

/// Refuses a whole number below the least that makes sense.
pub(crate) fn check_count(name: &str, value: usize, least: usize) -> Result<(), TransferError> {
    check(value >= least, name, value, || format!("integer ≥ {least}"))
}

/// Refuses what is no number within `(0, 1)`.
pub(crate) fn check_share(name: &str, value: f64) -> Result<(), TransferError> {
    check(value > 0.0 && value < 1.0, name, value, || {
        "(0, 1)".to_owned()
    })
}

/// Refuses what is no finite number above 0.
pub(crate) fn check_above_zero(name: &str, value: f64) -> Result<(), TransferError> {
    check(value > 0.0 && value.is_finite(), name, value, || {
        "(0, ∞)".to_owned()
    })
}

fn check(
    holds: bool,
    name: &str,
    value: impl ToString,
    range: impl FnOnce() -> String,
) -> Result<(), TransferError> {
    if holds {
        return Ok(());
    }
    Err(TransferError::InvalidParameter {
        name: name.to_owned(),
        value: value.to_string(),
        range: range(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_ranges_are_in_or_out_as_they_are_written() {
        assert!(check_count("k", 2, 2).is_ok());
        let error = check_count("k", 1, 2).unwrap_err().to_string();
        assert_eq!(error, "`k` = 1 is outside integer ≥ 2");
        assert!(check_share("level", 0.5).is_ok());
        assert!(check_above_zero("lambda", f64::MIN_POSITIVE).is_ok());
        for value in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            assert!(check_share("level", value).is_err(), "{value}");
        }
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(check_above_zero("lambda", value).is_err(), "{value}");
        }
    }
}
