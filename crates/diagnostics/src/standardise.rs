//! One scale for columns of any.

use ndarray::{Array2, Axis};
use translearn_core::Features;

/// Means and deviations of the training rows taken from both; a column that is constant there is left as it is.
pub(crate) fn standardise(train: &mut Features, held_out: &mut Features) {
    let (Features::Dense(train), Features::Dense(held_out)) = (train, held_out) else {
        return;
    };
    let deviations = (train.std_axis(Axis(0), 0.0)).mapv(|v| if v > 0.0 { v } else { 1.0 });
    let means = train.sum_axis(Axis(0)) / train.nrows() as f64;
    let scaled = |x: &Array2<f64>| (x - &means) / &deviations;
    (*train, *held_out) = (scaled(train), scaled(held_out));
}
