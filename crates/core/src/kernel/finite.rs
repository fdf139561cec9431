//! Finite maps: vectors whose inner products are a kernel, or come near it.

use std::f64::consts::TAU;

use ndarray::{Array1, Array2, s};
use serde::{Deserialize, Serialize};

use super::{ResolvedKernel, check};
use crate::linalg::{eigh, lost_in_rounding, matmul};
use crate::{Features, TransferError, check_prediction_rows, seed};

/// A map `φ` of rows to `m` numbers with `φ(x)ᵀ φ(y) ≈ k(x, y)`, so that what is linear in `φ` costs O(n m) memory where
/// the kernel matrix would cost O(n²).
///
/// * [`KernelMap::nystroem`], for any kernel: `φ(x) = Λ^{-1/2} Uᵀ k(L, x)` with `m` rows `L` of the data and `k(L, L) = U Λ
///   Uᵀ`. On the span of `L` the kernel is met exactly; with all rows as `L`, everywhere on the data. Directions whose
///   eigenvalue is lost in rounding (`m ε` of the largest) are left out. (Williams, Seeger, NIPS 2000.)
/// * [`KernelMap::fourier`], for the Gaussian kernel: `φ_j(x) = √(2/m) cos(w_jᵀ x + b_j)` with `w_j ~ N(0, 2γ I)` and
///   `b_j` uniform on `[0, 2π)`, of which the kernel is the expectation. The error falls as `1/√m`. (Rahimi, Recht, NIPS
///   2007.)
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, kernel::{KernelMap, ResolvedKernel}};
///
/// let x = Features::from(array![[0.0], [1.0], [3.0]]);
/// let kernel = ResolvedKernel::Rbf { gamma: 0.25 };
/// let map = KernelMap::nystroem(kernel, &x, 3, 0)?;
/// let phi = map.map(&x)?;
/// assert!((phi.row(0).dot(&phi.row(1)) - (-0.25_f64).exp()).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelMap(Form);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    Nystroem {
        kernel: ResolvedKernel,
        landmarks: Features,
        /// `U Λ^{-1/2}`.
        root: Array2<f64>,
    },
    Fourier {
        /// A column for each `w`.
        frequencies: Array2<f64>,
        phases: Array1<f64>,
    },
}

impl KernelMap {
    /// Nyström's map, from `m` of the rows drawn without replacement; from all of them where there are no more.
    ///
    /// Costs O(m² d + m³).
    ///
    /// # Errors
    /// [`TransferError::InvalidParameter`] for `m` of 0, [`TransferError::Empty`] without rows, and as
    /// [`ResolvedKernel::gram`].
    pub fn nystroem(
        kernel: ResolvedKernel,
        rows: &Features,
        m: usize,
        seed: u64,
    ) -> Result<Self, TransferError> {
        check_width(m)?;
        if rows.n_rows() == 0 {
            return Err(TransferError::Empty {
                what: "the sample of landmarks".to_owned(),
                needed: 1,
            });
        }
        // By value, so that no landmark changes when rows change places.
        let order = rows.rows_by_value();
        let mut chosen = seed::rng(seed).choose(order.len(), m);
        chosen.sort_unstable();
        let chosen: Vec<usize> = chosen.into_iter().map(|place| order[place]).collect();
        let landmarks = rows.select_rows(&chosen);
        let eigen = eigh(&kernel.gram(&landmarks)?)?;
        let first = lost_in_rounding(&eigen.values, chosen.len());
        let scale = eigen.values.slice(s![first..]).mapv(|v| v.sqrt().recip());
        Ok(Self(Form::Nystroem {
            kernel,
            landmarks,
            root: (&eigen.vectors.slice(s![.., first..]) * &scale)
                .as_standard_layout()
                .into_owned(),
        }))
    }

    /// The random Fourier features of the Gaussian kernel on rows of `d` columns.
    ///
    /// # Errors
    /// [`TransferError::InvalidParameter`] for `m` of 0, and [`TransferError::Unsupported`] for another kernel.
    pub fn fourier(
        kernel: ResolvedKernel,
        d: usize,
        m: usize,
        seed: u64,
    ) -> Result<Self, TransferError> {
        check_width(m)?;
        let ResolvedKernel::Rbf { gamma } = kernel else {
            return Err(TransferError::Unsupported {
                method: "random Fourier features".to_owned(),
                needs: "the Gaussian kernel `rbf`".to_owned(),
                has: format!("{kernel:?}"),
            });
        };
        let deviation = (2.0 * gamma).sqrt();
        let mut rng = seed::rng(seed);
        Ok(Self(Form::Fourier {
            frequencies: Array2::from_shape_simple_fn((d, m), || deviation * rng.normal()),
            phases: Array1::from_shape_simple_fn(m, || TAU * rng.uniform()),
        }))
    }

    /// The number of columns of the rows it takes.
    pub fn n_columns(&self) -> usize {
        match &self.0 {
            Form::Nystroem { landmarks, .. } => landmarks.n_columns(),
            Form::Fourier { frequencies, .. } => frequencies.nrows(),
        }
    }

    /// The number of columns it gives: `m`, less the directions that Nyström's map leaves out.
    pub fn n_features(&self) -> usize {
        match &self.0 {
            Form::Nystroem { root, .. } => root.ncols(),
            Form::Fourier { frequencies, .. } => frequencies.ncols(),
        }
    }

    /// `φ(x)` for each row of `x` (`n x d`): `n x m`. Costs O(n m d), and O(n m²) more for Nyström's map.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] for another width and [`TransferError::NotFinite`].
    pub fn map(&self, x: &Features) -> Result<Array2<f64>, TransferError> {
        check_prediction_rows(x, self.n_columns())?;
        match &self.0 {
            Form::Nystroem {
                kernel,
                landmarks,
                root,
            } => Ok(matmul(&kernel.matrix(x, landmarks)?, root)?),
            Form::Fourier {
                frequencies,
                phases,
            } => {
                let scale = (2.0 / phases.len() as f64).sqrt();
                let mut angles = matmul(&*x.dense()?, frequencies)? + phases;
                angles.par_mapv_inplace(|angle| scale * angle.cos());
                Ok(angles)
            }
        }
    }
}

fn check_width(m: usize) -> Result<(), TransferError> {
    check("n_features", m >= 1, m, "integer ≥ 1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel;
    use crate::linalg::solve;
    use proptest::prelude::*;

    fn random(rows: usize, columns: usize, seed: u64) -> Features {
        let mut rng = seed::rng(seed);
        Array2::from_shape_simple_fn((rows, columns), || rng.normal()).into()
    }

    fn largest(x: &Array2<f64>) -> f64 {
        x.fold(0.0, |most, v| v.abs().max(most))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// `φ(x)ᵀ φ(y) = k(x, L) k(L, L)⁻¹ k(L, y)`.
        #[test]
        fn nystroem_is_the_projection_on_the_landmarks(n in 3_usize..30, m in 1_usize..12, seed: u64) {
            let (x, y) = (random(n, 3, seed), random(7, 3, !seed));
            for name in Kernel::NAMES {
                let kernel = name.parse::<Kernel>().unwrap().with_gamma(Some(0.4)).resolve(&[&x]).unwrap();
                let map = KernelMap::nystroem(kernel, &x, m, seed).unwrap();
                let mut chosen = seed::rng(seed).choose(n, m);
                chosen.sort_unstable();
                let order = x.rows_by_value();
                let landmarks = x.select_rows(&order).select_rows(&chosen);
                let gram = kernel.gram(&landmarks).unwrap();
                // Where the matrix has no inverse the formula says nothing.
                let values = eigh(&gram).unwrap().values;
                if values[0] < 1e-6 * values[values.len() - 1] {
                    continue;
                }
                let inverse = solve(&gram, &kernel.matrix(&landmarks, &y).unwrap()).unwrap();
                let expected = kernel.matrix(&x, &landmarks).unwrap().dot(&inverse);
                let difference = map.map(&x).unwrap().dot(&map.map(&y).unwrap().t()) - &expected;
                prop_assert!(largest(&difference) < 1e-8 * (1.0 + largest(&expected)), "{name}: {difference}");
            }
        }

        #[test]
        fn the_order_of_the_rows_changes_nothing(n in 3_usize..30, m in 1_usize..12, seed: u64) {
            let x = random(n, 3, seed);
            let shuffled = x.select_rows(&seed::rng(!seed).permutation(n));
            let kernel = ResolvedKernel::Rbf { gamma: 0.4 };
            let map = |x: &Features| KernelMap::nystroem(kernel, x, m, seed).unwrap();
            prop_assert_eq!(map(&x), map(&shuffled));
        }

        #[test]
        fn all_rows_as_landmarks_give_the_kernel(n in 1_usize..25, seed: u64) {
            let x = random(n, 3, seed);
            let kernel = ResolvedKernel::Rbf { gamma: 0.3 };
            let phi = KernelMap::nystroem(kernel, &x, n + 5, seed).unwrap().map(&x).unwrap();
            prop_assert!(largest(&(phi.dot(&phi.t()) - kernel.gram(&x).unwrap())) < 1e-12);
        }
    }

    /// Each product is a mean of `m` independent draws in [-2, 2] around the kernel, of variance below 1.
    #[test]
    fn the_kernel_is_the_expectation_of_the_fourier_features() {
        let x = random(9, 4, 3);
        let m = 40_000;
        let map = KernelMap::fourier(ResolvedKernel::Rbf { gamma: 0.2 }, 4, m, 8).unwrap();
        assert_eq!((map.n_columns(), map.n_features()), (4, m));
        let phi = map.map(&x).unwrap();
        let kernel = ResolvedKernel::Rbf { gamma: 0.2 }.gram(&x).unwrap();
        let error = largest(&(phi.dot(&phi.t()) - kernel));
        assert!(error < 4.0 / (m as f64).sqrt(), "{error}");
        let entry = |row: usize, column: usize| phi[[row, column]] * (m as f64 / 2.0).sqrt();
        assert!((0..9).all(|row| (0..m).all(|column| entry(row, column).abs() <= 1.0 + 1e-12)));
    }

    #[test]
    fn directions_that_are_not_there_are_left_out() {
        let x = Features::from(ndarray::array![[1.0, 2.0], [1.0, 2.0], [0.0, 1.0]]);
        let map = KernelMap::nystroem(ResolvedKernel::Rbf { gamma: 1.0 }, &x, 3, 0).unwrap();
        assert_eq!(map.n_features(), 2);
        let zeros = Features::from(Array2::zeros((3, 2)));
        let map = KernelMap::nystroem(ResolvedKernel::Linear, &zeros, 2, 0).unwrap();
        assert_eq!(map.map(&zeros).unwrap().dim(), (3, 0));
    }

    #[test]
    fn what_cannot_be_mapped_says_why() {
        let x = random(3, 2, 1);
        let kernel = ResolvedKernel::Rbf { gamma: 1.0 };
        let error = KernelMap::nystroem(kernel, &x, 0, 0).unwrap_err();
        assert_eq!(error.to_string(), "`n_features` = 0 is outside integer ≥ 1");
        let none = x.select_rows(&[]);
        assert!(matches!(
            KernelMap::nystroem(kernel, &none, 2, 0),
            Err(TransferError::Empty { .. })
        ));
        assert!(matches!(
            KernelMap::fourier(ResolvedKernel::Cosine, 2, 3, 0),
            Err(TransferError::Unsupported { .. })
        ));
        for map in [
            KernelMap::nystroem(kernel, &x, 2, 0).unwrap(),
            KernelMap::fourier(kernel, 2, 3, 0).unwrap(),
        ] {
            let error = map.map(&random(2, 3, 1)).unwrap_err();
            assert!(matches!(error, TransferError::FeatureMismatch { .. }));
            let text = serde_json::to_string(&map).unwrap();
            assert_eq!(serde_json::from_str::<KernelMap>(&text).unwrap(), map);
        }
    }
}
