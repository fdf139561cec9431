//! The least-squares fit of a density ratio and its leave-one-out error, both in closed form.

use ndarray::{Array1, Array2, Axis};
use translearn_core::{
    TransferError,
    linalg::{cholesky, gram},
};

/// `min ½αᵀHα − hᵀα + ½ Σ_l λ_l α_l²`, with `H = a/n_t Σ_j φ(x'_j)φ(x'_j)ᵀ + (1−a)/n_s Σ_i φ(x_i)φ(x_i)ᵀ` and
/// `h = 1/n_t Σ_j φ(x'_j)`.
#[derive(Debug)]
pub(super) struct SquaredLoss {
    source: Side,
    target: Side,
    mean: Array1<f64>,
}

/// A sample's part of `H`.
#[derive(Debug)]
struct Side {
    /// `φ`, one row per example.
    functions: Array2<f64>,
    /// The sample's share of the denominator times `1/n Σ φφᵀ`.
    second_moment: Array2<f64>,
    share: f64,
}

impl Side {
    fn new(functions: Array2<f64>, share: f64) -> Self {
        let second_moment = gram(&functions) * (share / functions.nrows() as f64);
        Self {
            functions,
            second_moment,
            share,
        }
    }
}

impl SquaredLoss {
    /// The loss of functions at the source and at the target rows, for the `alpha`-relative ratio.
    pub(super) fn new(source: Array2<f64>, target: Array2<f64>, alpha: f64) -> Self {
        let mean = target.sum_axis(Axis(0)) / target.nrows() as f64;
        Self {
            source: Side::new(source, 1.0 - alpha),
            target: Side::new(target, alpha),
            mean,
        }
    }

    /// The coefficients under a penalty per function.
    pub(super) fn coefficients(&self, penalty: &Array1<f64>) -> Result<Array1<f64>, TransferError> {
        let matrix =
            &self.source.second_moment + &self.target.second_moment + Array2::from_diag(penalty);
        Ok(cholesky(&matrix)?.solve_vector(&self.mean)?)
    }

    /// `½ [a E_t r² + (1−a) E_s r²] − E_t r` with `r = max(0, φᵀα)`, at each row by the coefficients that are fitted
    /// without that row.
    pub(super) fn leave_one_out(&self, penalty: &Array1<f64>) -> Result<f64, TransferError> {
        let penalty = Array2::from_diag(penalty);
        let (source, target) = (&self.source, &self.target);
        let on_source = self.without_each(source, &(&target.second_moment + &penalty), false)?;
        let on_target = self.without_each(target, &(&source.second_moment + &penalty), true)?;
        let square = |r: f64| 0.5 * r.max(0.0).powi(2);
        let of_source = on_source.mapv(|r| source.share * square(r)).mean();
        let of_target = on_target
            .mapv(|r| target.share * square(r) - r.max(0.0))
            .mean();
        Ok(of_source.unwrap_or(0.0) + of_target.unwrap_or(0.0))
    }

    /// The fit at each row of a sample without that row. Without row φ of n, `H` is `n/(n−1) (B − share/n φφᵀ)` with
    /// `B = M + (n−1)/n · rest`, so the formula of Sherman and Morrison gives the value from one factor for all rows.
    fn without_each(
        &self,
        side: &Side,
        rest: &Array2<f64>,
        in_mean: bool,
    ) -> Result<Array1<f64>, TransferError> {
        let rows = &side.functions;
        let n = rows.nrows() as f64;
        let kept = (n - 1.0) / n;
        let factor = cholesky(&(&side.second_moment + &(rest * kept)))?;
        let solved = factor.solve(&rows.t())?;
        let fitted = rows.dot(&factor.solve_vector(&self.mean)?);
        let leverage = (rows * &solved.t()).sum_axis(Axis(1));
        let value = |(&fitted, &leverage): (&f64, &f64)| {
            let numerator = match in_mean {
                true => (n * fitted - leverage) / (n - 1.0),
                false => fitted,
            };
            kept * numerator / (1.0 - side.share * leverage / n)
        };
        Ok(fitted.iter().zip(&leverage).map(value).collect())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;
    use translearn_core::{linalg::solve, seed};

    use super::*;

    /// The coefficients from sums over rows, some of them left out.
    fn naive(
        source: &Array2<f64>,
        target: &Array2<f64>,
        alpha: f64,
        penalty: &Array1<f64>,
        without: (Option<usize>, Option<usize>),
    ) -> Array1<f64> {
        let k = penalty.len();
        let (mut matrix, mut mean) = (Array2::from_diag(penalty), Array1::<f64>::zeros(k));
        for (rows, share, skip, is_target) in [
            (source, 1.0 - alpha, without.0, false),
            (target, alpha, without.1, true),
        ] {
            let kept: Vec<usize> = (0..rows.nrows()).filter(|&i| Some(i) != skip).collect();
            for &i in &kept {
                for a in 0..k {
                    for b in 0..k {
                        matrix[[a, b]] += share * rows[[i, a]] * rows[[i, b]] / kept.len() as f64;
                    }
                    if is_target {
                        mean[a] += rows[[i, a]] / kept.len() as f64;
                    }
                }
            }
        }
        solve(&matrix, &mean.insert_axis(Axis(1)))
            .unwrap()
            .column(0)
            .to_owned()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_is_left_out_is_as_if_it_had_never_been(
            n_source in 2usize..12, n_target in 2usize..12, k in 1usize..5, alpha in prop_oneof![Just(0.0), 0.0f64..1.0],
            lambda in 0.01f64..2.0, seed in 0u64..1000,
        ) {
            let mut rng = seed::rng(seed);
            let mut draw = |n: usize| Array2::from_shape_simple_fn((n, k), || rng.uniform() - 0.2);
            let (source, target) = (draw(n_source), draw(n_target));
            let penalty = Array1::from_shape_fn(k, |l| lambda * (1.0 + l as f64));
            let loss = SquaredLoss::new(source.clone(), target.clone(), alpha);
            let all = naive(&source, &target, alpha, &penalty, (None, None));
            let ours = loss.coefficients(&penalty).unwrap();
            prop_assert!((&ours - &all).iter().all(|v| v.abs() < 1e-9));
            // The refits one by one.
            let mut error = 0.0;
            for i in 0..n_source {
                let r = source.row(i).dot(&naive(&source, &target, alpha, &penalty, (Some(i), None))).max(0.0);
                error += (1.0 - alpha) * 0.5 * r * r / n_source as f64;
            }
            for j in 0..n_target {
                let r = target.row(j).dot(&naive(&source, &target, alpha, &penalty, (None, Some(j)))).max(0.0);
                error += (alpha * 0.5 * r * r - r) / n_target as f64;
            }
            let closed = loss.leave_one_out(&penalty).unwrap();
            prop_assert!((closed - error).abs() < 1e-9 * (1.0 + error.abs()), "{closed} against {error}");
        }
    }
}
