//! Term frequency times inverse document frequency.

use serde::{Deserialize, Serialize};
use translearn_core::{Features, TransferError, images_were_refused};

use crate::DataError;
use crate::preprocess::rows::{scale_rows_l2, try_map_stored};

/// Tf-idf for counts that are there already, such as an svmlight file of term counts.
///
/// With n documents of which df(t) hold term t,
///
/// > idf(t) = ln((1 + n) / (1 + df(t))) + 1,
///
/// a cell is tf · idf(t), where tf is the count, or 1 + ln(count) when sublinear; rows are then scaled to Euclidean
/// length 1, and a row of zeros stays. These are scikit-learn's defaults (`smooth_idf`, `norm = "l2"`). Sparse stays sparse,
/// dense stays dense. Cost: one pass over the stored values.
///
/// ```
/// use ndarray::array;
/// use translearn_core::Features;
/// use translearn_data::text::TfidfTransform;
///
/// let counts = Features::from(array![[1.0, 0.0], [1.0, 2.0]]);
/// let tfidf = TfidfTransform::fit(&counts, false)?;
/// assert_eq!(tfidf.idf(), [1.0, (3.0_f64 / 2.0).ln() + 1.0]);
/// assert_eq!(tfidf.transform(&counts)?.dense()?[[0, 0]], 1.0);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// Source: Salton & Buckley, *Term-weighting approaches in automatic text retrieval*, Information Processing &
/// Management 24(5), 1988, doi:10.1016/0306-4573(88)90021-0; smoothing and the added 1 as in scikit-learn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TfidfTransform {
    idf: Vec<f64>,
    sublinear: bool,
}

impl TfidfTransform {
    /// Counts in how many rows of `counts` each column is not zero.
    ///
    /// # Errors
    /// [`TransferError::Empty`] without rows.
    pub fn fit(counts: &Features, sublinear: bool) -> Result<Self, DataError> {
        Self::fit_on(&[counts], sublinear)
    }

    /// The same over the rows of several tables: source and target, say.
    ///
    /// # Errors
    /// [`TransferError::Empty`] without rows, [`TransferError::FeatureMismatch`] for tables of different widths,
    /// [`TransferError::NotVectors`] for images.
    pub fn fit_on(counts: &[&Features], sublinear: bool) -> Result<Self, DataError> {
        let n_rows: usize = counts.iter().map(|part| part.n_rows()).sum();
        let Some((first, others)) = counts.split_first().filter(|_| n_rows > 0) else {
            let what = "the table of term counts".to_owned();
            return Err(TransferError::Empty { what, needed: 1 }.into());
        };
        first.check_vectors("the table of term counts")?;
        for other in others {
            translearn_core::check_same_features("the first table", first, "another table", other)?;
        }
        let mut df = vec![0_u32; first.n_columns()];
        for part in counts {
            match part {
                Features::Dense(x) => {
                    for ((_, column), &value) in x.indexed_iter() {
                        df[column] += u32::from(value != 0.0);
                    }
                }
                Features::Sparse(x) => {
                    for (&value, (_, column)) in x.iter() {
                        df[column] += u32::from(value != 0.0);
                    }
                }
                Features::Images(_) => images_were_refused(),
            }
        }
        Ok(Self::from_frequencies(&df, n_rows, sublinear))
    }

    pub(crate) fn from_frequencies(df: &[u32], n_documents: usize, sublinear: bool) -> Self {
        let n = n_documents as f64;
        let idf = df
            .iter()
            .map(|&df| ((1.0 + n) / (1.0 + f64::from(df))).ln() + 1.0)
            .collect();
        Self { idf, sublinear }
    }

    /// The inverse document frequency of each column.
    pub fn idf(&self) -> &[f64] {
        &self.idf
    }

    /// Weights `counts` and scales its rows.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] for another number of columns; [`TransferError::Unsupported`] for a negative
    /// count when sublinear.
    pub fn transform(&self, counts: &Features) -> Result<Features, DataError> {
        counts.check_vectors("the table of term counts")?;
        if counts.n_columns() != self.idf.len() {
            return Err(TransferError::FeatureMismatch {
                left: "the fitted tf-idf".to_owned(),
                left_features: self.idf.len(),
                right: "the table of term counts".to_owned(),
                right_features: counts.n_columns(),
            }
            .into());
        }
        let mut out = if self.sublinear {
            sublinear(counts)?
        } else {
            counts.clone()
        };
        match &mut out {
            Features::Dense(x) => {
                for mut row in x.rows_mut() {
                    row.iter_mut()
                        .zip(&self.idf)
                        .for_each(|(value, idf)| *value *= idf);
                }
            }
            Features::Sparse(x) => {
                for mut row in x.outer_iterator_mut() {
                    row.iter_mut()
                        .for_each(|(column, value)| *value *= self.idf[column]);
                }
            }
            Features::Images(_) => images_were_refused(),
        }
        scale_rows_l2(&mut out);
        Ok(out)
    }
}

/// 1 + ln(count) for counts above 0; 0 stays 0.
///
/// # Errors
/// [`TransferError::Unsupported`] for a negative count.
pub(crate) fn sublinear(counts: &Features) -> Result<Features, TransferError> {
    try_map_stored(
        counts,
        "sublinear term frequency",
        "counts of at least 0",
        |count| match count {
            0.0 => Some(0.0),
            count if count < 0.0 => None,
            count => Some(1.0 + count.ln()),
        },
    )
}
