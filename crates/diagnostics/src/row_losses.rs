//! What an answer costs, row by row.

use ndarray::Array1;
use translearn_core::{Labels, TransferError};

/// The loss of each row: 1 for a wrong class and 0 for the right one, or the squared error. `owner` is who asks.
pub(crate) fn row_losses(
    truth: &Labels,
    answers: &Labels,
    owner: &str,
) -> Result<Array1<f64>, TransferError> {
    Ok(match truth {
        Labels::Classes(truth) => {
            let pairs = truth.iter().zip(answers.classes(owner)?);
            pairs.map(|(a, b)| f64::from(u8::from(a != b))).collect()
        }
        Labels::Values(truth) => (truth - answers.values(owner)?).mapv(|error| error * error),
    })
}
