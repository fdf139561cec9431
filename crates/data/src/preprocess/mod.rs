//! Preprocessing in steps, fitted on the domains without a look at labels or test rows.

mod columns;
pub(crate) mod rows;

use serde::{Deserialize, Serialize};
use translearn_core::{Features, TransferError, check_same_features};

use self::columns::Scaler;
use crate::DataError;
use crate::text::{TfidfTransform, sublinear};

/// One step of preprocessing, spelled in kebab case in a specification (`"zscore-per-domain"`).
///
/// | step | what it does | fitted on |
/// |---|---|---|
/// | `l1-rows` | rows to absolute sum 1; a zero row stays | nothing |
/// | `l2-rows` | rows to Euclidean length 1; a zero row stays | nothing |
/// | `zscore` | columns to mean 0 and population standard deviation 1; a constant column becomes 0 | the sources together |
/// | `zscore-per-domain` | the same | each domain by itself |
/// | `zscore-pooled` | the same | sources and target together |
/// | `minmax` | columns from [smallest, largest] to [0, 1]; a constant column becomes 0 | the sources together |
/// | `binarize` | 1 for values above 0, else 0 | nothing |
/// | `log1p` | ln(1 + x) for values above −1 | nothing |
/// | `sublinear` | 1 + ln(x) for x > 0; 0 stays 0 | nothing |
/// | `tfidf` | [`TfidfTransform`], with rows of length 1 | the sources together |
/// | `tfidf-pooled` | the same | sources and target together |
///
/// `zscore*` and `minmax` move zeros, so sparse features become dense, under
/// [`DENSE_LIMIT_BYTES`](translearn_core::DENSE_LIMIT_BYTES); all other steps keep sparse features sparse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Rows to absolute sum 1.
    L1Rows,
    /// Rows to Euclidean length 1.
    L2Rows,
    /// Columns standardised by the sources' statistics.
    Zscore,
    /// Columns standardised by each domain's own statistics.
    ZscorePerDomain,
    /// Columns standardised by the statistics of all domains together.
    ZscorePooled,
    /// Columns to [0, 1] by the sources' extremes.
    Minmax,
    /// 1 for values above 0, else 0.
    Binarize,
    /// ln(1 + x).
    Log1p,
    /// 1 + ln(x) for x > 0.
    Sublinear,
    /// Tf-idf with the sources' document frequencies.
    Tfidf,
    /// Tf-idf with the document frequencies of all domains together.
    TfidfPooled,
}

/// Steps in order.
///
/// The fit sees the features of the sources and of the target's training rows, and nothing else: no label, and no row of
/// a separate test part, which [`FittedPipeline::transform_target`] later maps with the target's fit. Cost: one pass
/// over the data per step.
///
/// ```
/// use ndarray::array;
/// use translearn_core::Features;
/// use translearn_data::preprocess::{Pipeline, Step};
///
/// let source = Features::from(array![[0.0], [2.0]]);
/// let target = Features::from(array![[10.0], [30.0]]);
/// let pipeline = Pipeline::from(vec![Step::ZscorePerDomain]);
/// let fitted = pipeline.fit(&[&source], &target)?;
/// assert_eq!(fitted.transform_source(0, &source)?.dense()?[[1, 0]], 1.0);
/// assert_eq!(fitted.transform_target(&Features::from(array![[40.0]]))?.dense()?[[0, 0]], 2.0);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pipeline {
    steps: Vec<Step>,
}

impl From<Vec<Step>> for Pipeline {
    fn from(steps: Vec<Step>) -> Self {
        Self { steps }
    }
}

/// What [`Pipeline::fit_transform`] gives: the fit, the sources after it, and the target after it.
pub type FitTransformed = (FittedPipeline, Vec<Features>, Features);

impl Pipeline {
    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Fits every step on what the steps before it make of `sources` and `target`.
    ///
    /// # Errors
    /// [`TransferError::Empty`] for a domain without rows, [`TransferError::NotFinite`] for NaN and infinities,
    /// [`TransferError::FeatureMismatch`] when a step over several domains meets different widths,
    /// [`TransferError::Unsupported`] for values a step is not defined for, [`TransferError::NotVectors`] for images
    /// (which pass where there is no step), [`TransferError::DenseTooLarge`].
    pub fn fit(
        &self,
        sources: &[&Features],
        target: &Features,
    ) -> Result<FittedPipeline, DataError> {
        Ok(self.fit_transform(sources, target)?.0)
    }

    /// [`Pipeline::fit`], with what the steps make of the domains.
    ///
    /// # Errors
    /// Those of [`Pipeline::fit`].
    pub fn fit_transform(
        &self,
        sources: &[&Features],
        target: &Features,
    ) -> Result<FitTransformed, DataError> {
        if sources.is_empty() {
            return Err(empty("the list of sources"));
        }
        let named = || {
            sources
                .iter()
                .map(|&x| ("source", x))
                .chain([("target", target)])
        };
        for (name, x) in named() {
            if x.n_rows() == 0 {
                return Err(empty(name));
            }
            x.check_finite(name)?;
        }
        let mut domains: Vec<Features> = named().map(|(_, x)| x.clone()).collect();
        let mut steps = Vec::with_capacity(self.steps.len());
        for &step in &self.steps {
            let fitted = FittedStep::fit(step, &domains)?;
            for (domain, x) in domains.iter_mut().enumerate() {
                *x = fitted.transform(domain, x)?;
            }
            steps.push(fitted);
        }
        let target = domains.pop().ok_or_else(|| empty("the list of domains"))?;
        let widths = named().map(|(_, x)| x.n_columns()).collect();
        Ok((FittedPipeline { steps, widths }, domains, target))
    }
}

/// A fitted [`Pipeline`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedPipeline {
    steps: Vec<FittedStep>,
    /// Columns of each source, then of the target.
    widths: Vec<usize>,
}

impl FittedPipeline {
    /// Maps rows of the source at `index`.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] for another number of columns than in the fit, [`TransferError::NotFinite`],
    /// and those of the steps; [`DataError::InvalidOption`] when there is no such source.
    pub fn transform_source(&self, index: usize, x: &Features) -> Result<Features, DataError> {
        if index + 1 >= self.widths.len() {
            return Err(DataError::InvalidOption {
                name: "source".to_owned(),
                value: index.to_string(),
                expected: format!("an index below {}", self.widths.len() - 1),
            });
        }
        self.transform(index, "source", x)
    }

    /// Maps rows of the target: those of the fit, or of a test part.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] for another number of columns than in the fit, [`TransferError::NotFinite`],
    /// and those of the steps.
    pub fn transform_target(&self, x: &Features) -> Result<Features, DataError> {
        self.transform(self.widths.len() - 1, "target", x)
    }

    fn transform(&self, domain: usize, name: &str, x: &Features) -> Result<Features, DataError> {
        if x.n_columns() != self.widths[domain] {
            return Err(TransferError::FeatureMismatch {
                left: format!("the {name} of the fit"),
                left_features: self.widths[domain],
                right: format!("the {name} given now"),
                right_features: x.n_columns(),
            }
            .into());
        }
        x.check_finite(name)?;
        self.steps
            .iter()
            .try_fold(x.clone(), |x, step| step.transform(domain, &x))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum FittedStep {
    L1Rows,
    L2Rows,
    Binarize,
    Log1p,
    Sublinear,
    /// One map of the columns for all domains.
    Shared(Scaler),
    /// A map of the columns for each domain, the target last.
    PerDomain(Vec<Scaler>),
    Tfidf(TfidfTransform),
}

impl FittedStep {
    /// `domains` holds the sources, then the target.
    fn fit(step: Step, domains: &[Features]) -> Result<Self, DataError> {
        let all: Vec<&Features> = domains.iter().collect();
        let sources = &all[..all.len() - 1];
        let shared = |parts, fit| -> Result<Self, DataError> {
            same_width(&all)?;
            Ok(Self::Shared(scaler(parts, fit)?))
        };
        match step {
            Step::L1Rows => Ok(Self::L1Rows),
            Step::L2Rows => Ok(Self::L2Rows),
            Step::Binarize => Ok(Self::Binarize),
            Step::Log1p => Ok(Self::Log1p),
            Step::Sublinear => Ok(Self::Sublinear),
            Step::Zscore => shared(sources, Scaler::zscore),
            Step::ZscorePooled => shared(&all, Scaler::zscore),
            Step::Minmax => shared(sources, Scaler::minmax),
            Step::ZscorePerDomain => {
                let each = all.iter().map(|&x| scaler(&[x], Scaler::zscore));
                Ok(Self::PerDomain(each.collect::<Result<_, _>>()?))
            }
            Step::Tfidf => {
                same_width(&all)?;
                Ok(Self::Tfidf(TfidfTransform::fit_on(sources, false)?))
            }
            Step::TfidfPooled => Ok(Self::Tfidf(TfidfTransform::fit_on(&all, false)?)),
        }
    }

    fn transform(&self, domain: usize, x: &Features) -> Result<Features, DataError> {
        Ok(match self {
            Self::L1Rows => scaled(x, rows::scale_rows_l1)?,
            Self::L2Rows => scaled(x, rows::scale_rows_l2)?,
            Self::Binarize => rows::try_map_stored(x, "binarize", "numbers", |value| {
                Some(f64::from(u8::from(value > 0.0)))
            })?,
            Self::Log1p => rows::try_map_stored(x, "log1p", "values above -1", |value| {
                (value > -1.0).then(|| value.ln_1p())
            })?,
            Self::Sublinear => sublinear(x)?,
            Self::Shared(scaler) => scaler.transform(x)?,
            Self::PerDomain(scalers) => scalers[domain].transform(x)?,
            Self::Tfidf(tfidf) => tfidf.transform(x)?,
        })
    }
}

fn scaled(x: &Features, scale: impl Fn(&mut Features)) -> Result<Features, TransferError> {
    x.check_vectors("the rows to scale")?;
    let mut x = x.clone();
    scale(&mut x);
    Ok(x)
}

fn scaler(
    parts: &[&Features],
    fit: fn(&[&ndarray::Array2<f64>]) -> Scaler,
) -> Result<Scaler, TransferError> {
    let dense = parts
        .iter()
        .map(|x| x.dense())
        .collect::<Result<Vec<_>, _>>()?;
    Ok(fit(&dense.iter().map(AsRef::as_ref).collect::<Vec<_>>()))
}

/// A fit shared by domains needs one feature space.
fn same_width(domains: &[&Features]) -> Result<(), TransferError> {
    let Some((target, sources)) = domains.split_last() else {
        return Ok(());
    };
    sources
        .iter()
        .try_for_each(|source| check_same_features("source", source, "target", target))
}

fn empty(what: &str) -> DataError {
    TransferError::Empty {
        what: what.to_owned(),
        needed: 1,
    }
    .into()
}

#[cfg(test)]
mod tests;
