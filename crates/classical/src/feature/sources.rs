//! Which source rows are from, for maps that tell sources apart.

use translearn_core::TransferError;

/// Refuses rows of a source that is not named, where there are several.
pub(super) fn check_only_source(method: &str, n_sources: usize) -> Result<(), TransferError> {
    if n_sources <= 1 {
        return Ok(());
    }
    Err(TransferError::Unsupported {
        method: method.to_owned(),
        needs: "to know which source the rows are from (`map_source_at`)".to_owned(),
        has: format!("{n_sources} sources"),
    })
}

/// Refuses a source that the fit did not have.
pub(super) fn check_source(index: usize, n_sources: usize) -> Result<(), TransferError> {
    if index < n_sources {
        return Ok(());
    }
    Err(TransferError::InvalidParameter {
        name: "index".to_owned(),
        value: index.to_string(),
        range: format!("the {n_sources} sources of the fit, from 0"),
    })
}
