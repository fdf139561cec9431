//! The median heuristic.

use ndarray::Array2;

use crate::{Features, TransferError, check_same_features, seed};

/// The median heuristic looks at no more rows than this.
pub const MEDIAN_ROWS: usize = 1000;

/// `1 / median` of the positive distances between pairs of pooled rows.
pub(super) fn median_gamma(
    tables: &[&Features],
    distances: impl Fn(&Features) -> Result<Array2<f64>, TransferError>,
) -> Result<f64, TransferError> {
    let sample = pooled_sample(tables)?;
    let distances = distances(&sample)?;
    let mut positive: Vec<f64> = distances
        .indexed_iter()
        .filter(|&((i, j), &distance)| i < j && distance > 0.0)
        .map(|(_, &distance)| distance)
        .collect();
    match median(&mut positive) {
        Some(median) => Ok(1.0 / median),
        None => Err(TransferError::Unsupported {
            method: "the median heuristic".to_owned(),
            needs: "rows that differ, or a `gamma` of your own,".to_owned(),
            has: format!("{} equal rows", sample.n_rows()),
        }),
    }
}

/// At most [`MEDIAN_ROWS`] rows of all tables.
pub(super) fn pooled_sample(tables: &[&Features]) -> Result<Features, TransferError> {
    let rows: usize = tables.iter().map(|x| x.n_rows()).sum();
    let Some((first, rest)) = tables.split_first().filter(|_| rows >= 2) else {
        let what = "the sample of the median heuristic".to_owned();
        return Err(TransferError::TooFewRows {
            what,
            rows,
            needed: 2,
        });
    };
    for other in rest {
        check_same_features("the first table", first, "another table", other)?;
    }
    let mut chosen = seed::rng(seed::derive(0, &["median heuristic"])).choose(rows, MEDIAN_ROWS);
    chosen.sort_unstable();
    let mut start = 0;
    let mut sample: Option<Features> = None;
    for table in tables {
        let end = start + table.n_rows();
        let (from, to) = (
            chosen.partition_point(|&row| row < start),
            chosen.partition_point(|&row| row < end),
        );
        let local: Vec<usize> = chosen[from..to].iter().map(|row| row - start).collect();
        let piece = table.select_rows(&local);
        sample = Some(match sample {
            None => piece,
            Some(above) => above.stack(&piece)?,
        });
        start = end;
    }
    Ok(sample.unwrap_or_else(|| first.select_rows(&[])))
}

/// The middle value, or the mean of the two in the middle; `None` when there is none. The values are left in another order.
///
/// ```
/// use translearn_core::kernel::median;
///
/// assert_eq!(median(&mut [3.0, 1.0, 2.0, 9.0]), Some(2.5));
/// ```
pub fn median(values: &mut [f64]) -> Option<f64> {
    let (middle, odd) = (values.len() / 2, values.len() % 2 == 1);
    if values.is_empty() {
        return None;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if odd {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(0.5 * (lower + upper))
}
