//! Projections of rows onto vectors in the span of the rows of a fit, for problems whose solutions lie in that span.

use ndarray::{Array1, Array2, ArrayView2, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, ParamInfo, ParamRange, TransferError,
    kernel::{Kernel, ResolvedKernel},
    linalg::{eigh, matmul, svd_thin},
};

use super::components::normalized;

/// The inner product in whose feature space directions are sought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpanKernel {
    /// `xᵀy`: the directions are vectors of features.
    #[default]
    Linear,
    /// The Gaussian kernel `exp(-γ‖x - y‖²)`.
    Rbf,
}

/// The parameter that says which, with its default as JSON text.
pub(super) const fn kernel_parameter(default: &'static str) -> ParamInfo {
    ParamInfo {
        name: "kernel",
        default,
        range: ParamRange::Choice(&["linear", "rbf"]),
        doc: "The inner product: of the rows themselves, or the Gaussian kernel.",
    }
}

/// Eigenvalues below this share of the largest are taken for rounding.
const ROUNDING: f64 = 1e-10;

/// How many eigenvalues, largest first, are more than rounding beside the first; the first in any case.
pub(super) fn above_rounding(values: &Array1<f64>) -> usize {
    let largest = values.first().copied().unwrap_or(0.0);
    let above = values
        .iter()
        .take_while(|&&value| value > ROUNDING * largest);
    above.count().max(1)
}

/// From rows to their inner products with some vectors in the span of the rows of a fit.
///
/// At first the vectors are an orthonormal basis: inner products of the coordinates in it are those of the kernel, so a
/// norm in the kernel's feature space is the Euclidean norm of coordinates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Projection {
    normalize: bool,
    span: Span,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Span {
    /// `X V`; at first with the right singular vectors `V` of the rows of the fit (`d x r`).
    Linear { vectors: Array2<f64> },
    /// `K(X, rows of the fit) V`; at first with `V = U diag(s)^{-1/2}` of `K = U diag(s) Uᵀ` among these (`n x r`).
    Kernel {
        kernel: ResolvedKernel,
        rows: Features,
        vectors: Array2<f64>,
    },
}

impl Projection {
    /// Onto a basis of the span of `rows`; and their coordinates in it (`n x r`).
    pub(super) fn onto_span(
        rows: &Features,
        kernel: SpanKernel,
        gamma: Option<f64>,
        normalize: bool,
    ) -> Result<(Self, Array2<f64>), TransferError> {
        let rows = normalized(rows, normalize)?.into_owned();
        let (span, coordinates) = match kernel {
            SpanKernel::Linear => {
                let svd = svd_thin(&rows)?;
                let right = svd.v.slice(s![.., ..svd.rank().max(1)]);
                let vectors = right.as_standard_layout().into_owned();
                let coordinates = matmul(&rows, &vectors)?;
                (Span::Linear { vectors }, coordinates)
            }
            SpanKernel::Rbf => {
                let rows = Features::Dense(rows);
                let kernel = Kernel::Rbf { gamma }.resolve(&[&rows])?;
                let gram = kernel.gram(&rows)?;
                let (values, left) = eigh(&gram)?.largest(gram.nrows())?;
                let rank = above_rounding(&values);
                let (values, left) = (values.slice(s![..rank]), left.slice(s![.., ..rank]));
                let vectors = &left / &values.mapv(f64::sqrt);
                let coordinates = matmul(&gram, &vectors)?;
                let span = Span::Kernel {
                    kernel,
                    rows,
                    vectors,
                };
                (span, coordinates)
            }
        };
        Ok((Self { normalize, span }, coordinates))
    }

    /// Onto other vectors, given by their coordinates in those of this one (`r x k`).
    pub(super) fn onto(mut self, coordinates: &ArrayView2<'_, f64>) -> Result<Self, TransferError> {
        let vectors = match &mut self.span {
            Span::Linear { vectors } | Span::Kernel { vectors, .. } => vectors,
        };
        *vectors = matmul(vectors, coordinates)?;
        Ok(self)
    }

    /// The inner products of rows with each vector (`n x r`).
    pub(super) fn project(&self, rows: &Features) -> Result<Array2<f64>, TransferError> {
        let width = match &self.span {
            Span::Linear { vectors } => vectors.nrows(),
            Span::Kernel { rows, .. } => rows.n_columns(),
        };
        translearn_core::check_prediction_rows(rows, width)?;
        let x = normalized(rows, self.normalize)?;
        Ok(match &self.span {
            Span::Linear { vectors } => matmul(&*x, vectors)?,
            Span::Kernel {
                kernel,
                rows,
                vectors,
            } => {
                let x = Features::Dense(x.into_owned());
                matmul(&kernel.matrix(&x, rows)?, vectors)?
            }
        })
    }
}

/// Refuses more components than the rank, of which `rank_of` says what it is that of.
pub(super) fn check_components(k: usize, rank: usize, rank_of: &str) -> Result<(), TransferError> {
    if (1..=rank).contains(&k) {
        return Ok(());
    }
    Err(TransferError::InvalidParameter {
        name: "n_components".to_owned(),
        value: k.to_string(),
        range: format!("integer in [1, {rank}] ({rank_of})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use translearn_core::seed;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Inner products of coordinates are those of the kernel, for rows of the fit and, with one of them, for new
        /// rows.
        #[test]
        fn coordinates_keep_inner_products(
            n in 3usize..9, d in 1usize..12, rbf: bool, normalize: bool, seed in 0u64..500,
        ) {
            let mut rng = seed::rng(seed);
            let mut draw = |n| Features::from(Array2::from_shape_simple_fn((n, d), || rng.normal()));
            let (rows, new) = (draw(n), draw(4));
            let form = if rbf { SpanKernel::Rbf } else { SpanKernel::Linear };
            let (map, of_fit) = Projection::onto_span(&rows, form, Some(0.7), normalize).unwrap();
            let of_new = map.project(&new).unwrap();
            let unit = |x: &Features| Features::Dense(normalized(x, normalize).unwrap().into_owned());
            let (rows, new) = (unit(&rows), unit(&new));
            let kernel = if rbf { Kernel::Rbf { gamma: Some(0.7) } } else { Kernel::Linear }.resolve(&[]).unwrap();
            for (ours, theirs) in [
                (of_fit.dot(&of_fit.t()), kernel.gram(&rows).unwrap()),
                (of_new.dot(&of_fit.t()), kernel.matrix(&new, &rows).unwrap()),
            ] {
                let worst = (&ours - &theirs).fold(0.0_f64, |worst, v| worst.max(v.abs()));
                // A direction left out for rounding holds 1e-5 of a coordinate at most.
                prop_assert!(worst < 1e-4, "{worst:e}");
            }
            let again = map.project(&rows).unwrap();
            let worst = (&again - &of_fit).fold(0.0_f64, |worst, v| worst.max(v.abs()));
            prop_assert!(worst < 1e-9, "{worst:e}");
        }
    }
}
