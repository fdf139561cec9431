//! The two ways to the ridge optimum.

use ndarray::{Array1, Array2, Axis, Zip};
use translearn_core::{
    Csr, TransferError,
    linalg::{cholesky_solve, gram, lstsq, matmul},
};

use crate::linear::{Linear, sparse_times};

/// Weighted means of the targets and, in their place, the centred targets; zeros without an intercept.
fn centre(targets: &mut Array2<f64>, weights: &Array1<f64>, fit_intercept: bool) -> Array1<f64> {
    if !fit_intercept {
        return Array1::zeros(targets.ncols());
    }
    let means = weights.dot(targets) / weights.sum();
    *targets -= &means;
    means
}

/// Decomposes the smaller of `Z'Z + λI` and `ZZ' + λI`, for `Z` the centred rows times the roots of their weights.
pub(crate) fn dense(
    mut x: Array2<f64>,
    mut targets: Array2<f64>,
    weights: &Array1<f64>,
    lambda: f64,
    fit_intercept: bool,
) -> Result<Linear, TransferError> {
    let column_means = centre(&mut x, weights, fit_intercept);
    let target_means = centre(&mut targets, weights, fit_intercept);
    let roots = weights.mapv(f64::sqrt).insert_axis(Axis(1));
    x *= &roots;
    targets *= &roots;
    let with_ridge = |mut gram: Array2<f64>| {
        gram.diag_mut().mapv_inplace(|entry| entry + lambda);
        gram
    };
    let beta = if lambda == 0.0 {
        lstsq(&x, &targets)?
    } else if x.ncols() <= x.nrows() {
        cholesky_solve(&with_ridge(gram(&x)), &matmul(&x.t(), &targets)?)?
    } else {
        matmul(
            &x.t(),
            &cholesky_solve(&with_ridge(gram(&x.t())), &targets)?,
        )?
    };
    let intercepts = target_means - column_means.dot(&beta);
    Ok(Linear {
        coefficients: beta.t().as_standard_layout().into_owned(),
        intercepts,
    })
}

/// Residuals, relative to the right-hand side, at which conjugate gradients stop, and that are still accepted when
/// rounding lets them sink no further.
const TOLERANCE: f64 = 1e-13;
const ACCEPTED: f64 = 1e-9;

/// Conjugate gradients on `(X'AX - s x̄x̄' + λI) β = X'A (y - ȳ)` with `s = Σ aᵢ`, scaled by the diagonal, all outputs
/// side by side.
pub(crate) fn sparse(
    x: &Csr,
    mut targets: Array2<f64>,
    weights: &Array1<f64>,
    lambda: f64,
    fit_intercept: bool,
) -> Result<Linear, TransferError> {
    let columns = x.transpose_view().to_csr();
    let total = weights.sum();
    let target_means = centre(&mut targets, weights, fit_intercept);
    let by_column = weights.view().insert_axis(Axis(1));
    let column_means = match fit_intercept {
        true => sparse_times(&columns, &by_column.to_owned()).remove_axis(Axis(1)) / total,
        false => Array1::zeros(x.cols()),
    };
    let squares = columns.outer_iterator().map(|column| {
        column
            .iter()
            .map(|(row, x)| weights[row] * x * x)
            .sum::<f64>()
    });
    let diagonal: Array1<f64> = squares
        .zip(&column_means)
        .map(|(square, mean)| (square - total * mean * mean).max(0.0) + lambda)
        .collect();

    let apply = |v: &Array2<f64>| {
        let mut rows = sparse_times(x, v) - column_means.dot(v);
        rows *= &by_column;
        let mut product = sparse_times(&columns, &rows);
        product.scaled_add(lambda, v);
        if fit_intercept {
            let sums = rows.sum_axis(Axis(0));
            Zip::from(product.rows_mut())
                .and(&column_means)
                .for_each(|mut row, &mean| row.scaled_add(-mean, &sums));
        }
        product
    };
    let by_diagonal = diagonal.view().insert_axis(Axis(1));
    let column_dots = |a: &Array2<f64>, b: &Array2<f64>| (a * b).sum_axis(Axis(0));

    let mut residual = sparse_times(&columns, &(&targets * &by_column));
    let mut beta = Array2::zeros(residual.dim());
    let sizes = column_dots(&residual, &residual).mapv(f64::sqrt);
    let relative = |residual: &Array2<f64>| {
        let norms = column_dots(residual, residual).mapv(f64::sqrt);
        norms
            .iter()
            .zip(&sizes)
            .map(|(norm, size)| if *size > 0.0 { norm / size } else { 0.0 })
            .fold(0.0, f64::max)
    };
    let mut scaled = &residual / &by_diagonal;
    let mut direction = scaled.clone();
    let mut energy = column_dots(&residual, &scaled);
    let mut left = relative(&residual);
    let max_iterations = 100 + 10 * x.cols().min(x.rows());
    let mut iterations = 0;
    while left > TOLERANCE && iterations < max_iterations {
        let product = apply(&direction);
        let curvature = column_dots(&direction, &product);
        let steps = Zip::from(&energy)
            .and(&curvature)
            .map_collect(|e, c| if *c > 0.0 { e / c } else { 0.0 });
        beta += &(&direction * &steps);
        residual -= &(&product * &steps);
        scaled = &residual / &by_diagonal;
        let next = column_dots(&residual, &scaled);
        let turns = Zip::from(&next)
            .and(&energy)
            .map_collect(|n, e| if *e > 0.0 { n / e } else { 0.0 });
        direction = &scaled + &(&direction * &turns);
        energy = next;
        left = relative(&residual);
        iterations += 1;
    }
    if left > ACCEPTED {
        return Err(TransferError::NotConverged {
            what: "ridge regression on sparse rows".to_owned(),
            iterations,
            residual: left,
            tolerance: ACCEPTED,
        });
    }
    let intercepts = target_means - column_means.dot(&beta);
    Ok(Linear {
        coefficients: beta.t().as_standard_layout().into_owned(),
        intercepts,
    })
}
