//! Column statistics and the affine map they give.

use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};
use translearn_core::{Features, TransferError};

/// Subtracts an offset from each column and divides by a scale; a column without scale becomes 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scaler {
    offset: Vec<f64>,
    /// `None` for a column that was constant in the fit.
    scale: Vec<Option<f64>>,
}

impl Scaler {
    /// Mean 0 and population standard deviation 1 over the rows of all `parts`.
    pub(crate) fn zscore(parts: &[&Array2<f64>]) -> Self {
        Self::by_column(parts, |column, range| {
            let n = column.iter().map(ArrayView1::len).sum::<usize>() as f64;
            let mean = column.iter().map(ArrayView1::sum).sum::<f64>() / n;
            let squares: f64 = column
                .iter()
                .flat_map(|part| part.iter())
                .map(|value| (value - mean) * (value - mean))
                .sum();
            let deviation = (squares / n).sqrt();
            (mean, (range > 0.0 && deviation > 0.0).then_some(deviation))
        })
    }

    /// Smallest value to 0, largest to 1.
    pub(crate) fn minmax(parts: &[&Array2<f64>]) -> Self {
        Self::by_column(parts, |column, range| {
            let values = column.iter().flat_map(|part| part.iter());
            let smallest = values.fold(f64::INFINITY, |smallest, &value| smallest.min(value));
            (smallest, (range > 0.0).then_some(range))
        })
    }

    /// `statistics` gets the pieces of a column and its range; the range decides what is constant, because the
    /// deviation of equal values need not come out as 0 in floating point.
    fn by_column(
        parts: &[&Array2<f64>],
        statistics: impl Fn(&[ArrayView1<'_, f64>], f64) -> (f64, Option<f64>),
    ) -> Self {
        let width = parts.first().map_or(0, |part| part.ncols());
        let (offset, scale) = (0..width)
            .map(|j| {
                let column: Vec<_> = parts.iter().map(|part| part.column(j)).collect();
                let (low, high) = column
                    .iter()
                    .flat_map(|part| part.iter())
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
                        (low.min(value), high.max(value))
                    });
                statistics(&column, high - low)
            })
            .unzip();
        Self { offset, scale }
    }

    pub(crate) fn transform(&self, x: &Features) -> Result<Features, TransferError> {
        let mut out = x.dense()?.into_owned();
        for (mut column, (offset, scale)) in out
            .columns_mut()
            .into_iter()
            .zip(self.offset.iter().zip(&self.scale))
        {
            match scale {
                None => column.fill(0.0),
                Some(scale) => column.mapv_inplace(|value| (value - offset) / scale),
            }
        }
        Ok(out.into())
    }
}
