//! The logarithm of the maximum evidence.

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;
use translearn_core::{
    Features, Labels, TransferError,
    linalg::{Tridiagonal, gram, lost_in_rounding, matmul, tridiagonalize},
};

use super::{check_rows, classes_of};
use crate::golden_section::golden_section;

/// LogME: how likely the labels are under linear models of the features, with the priors under which they are likeliest; the
/// natural logarithm, per row.
///
/// *When.* To rank features, models or layers for a task of classes or values; it takes a moment where a training takes
/// hours. Not to compare tasks.
///
/// # Formula
///
/// With the features `F`, `n x D`, weights `w ~ N(0, I/α)` and labels `y | w ~ N(F w, I/β)`,
///
/// $$\mathrm{LogME}(y) = \max_{\alpha, \beta > 0} \frac1n \ln \mathcal N\bigl(y;\, 0,\, F F^\top / \alpha + I / \beta\bigr)$$
///
/// for values; for classes the mean over the classes that occur, with `y_i = 1` where row `i` is of the class and 0
/// elsewhere. There is no intercept, as in the paper.
///
/// # Steps
///
/// 1. `FᵀF`, or `FFᵀ` where there are fewer rows than columns, is made tridiagonal, which gives its eigenvalues `σ`; there
///    are no eigenvectors.
/// 2. For a given `t = α/β` the best `β` is `n / S(t)` with `S(t) = ‖y‖² − yᵀF (FᵀF + tI)⁻¹ Fᵀy = t yᵀ(FFᵀ + tI)⁻¹ y`, one
///    pass over the tridiagonal matrix. What is left to be maximised is `−(n/2) ln S(t) + ½ Σ ln(t / (t + σ_k))`: the best of
///    97 values of `t` over 24 decades around the largest `σ`, and the best by golden sections around that value and around
///    each other peak among them.
///
/// # Shapes and cost
///
/// O(n D² + D³) once for n ≥ D, else O(n² D + n³); and O(n D + 130 D) for a class, with 30 D more for each further peak. The
/// time goes into the product `FᵀF` and the one pass over it for each of its columns.
///
/// # Errors
///
/// [`TransferError::LengthMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below two rows, [`TransferError::TooFewClasses`] for a single class,
/// [`TransferError::Unsupported`] for values that are all 0, whose evidence has no bound.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, Labels};
/// use translearn_diagnostics::transferability::log_me;
///
/// let labels = Labels::Classes(array![0, 0, 1, 1]);
/// let telling = Features::from(array![[1.0, 0.1], [1.0, 0.0], [-1.0, 0.1], [-1.0, 0.0]]);
/// let idle = Features::from(array![[1.0, 0.1], [-1.0, 0.0], [1.0, 0.1], [-1.0, 0.0]]);
/// assert!(log_me(&telling, &labels)? > log_me(&idle, &labels)? + 0.05);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// You, Liu, Wang, Long, *LogME: practical assessment of pre-trained models for transfer learning*, ICML 2021.
///
/// *Where we differ.* The authors' code alternates between `α` and `β` eleven times with 1e-5 added to denominators, and
/// counts the `D` weights of a matrix of lower rank without the determinant that belongs to them; here the maximum itself is
/// found. Features that fit labels without a rest make the evidence grow without a bound as `t` falls; `t` stops at 1e-12
/// of the largest `σ`.
pub fn log_me(features: &Features, labels: &Labels) -> Result<f64, TransferError> {
    let outputs = match labels {
        Labels::Classes(_) => {
            check_rows(features, labels)?;
            let (classes, n_classes) = classes_of(labels)?;
            let mut outputs = Array2::zeros((classes.len(), n_classes));
            for (row, &class) in classes.iter().enumerate() {
                outputs[[row, class]] = 1.0;
            }
            outputs
        }
        Labels::Values(values) => {
            check_rows(features, labels)?;
            values.clone().insert_axis(Axis(1))
        }
    };
    let scores = of_outputs(features, &outputs)?;
    Ok(scores.sum() / scores.len() as f64)
}

/// [`log_me`] of each column of `outputs` (`n x K`): for several values a row, or for several labels, 1 where a row has one.
///
/// # Errors
/// As [`log_me`], and [`TransferError::NotFinite`] for the outputs.
pub fn log_me_outputs(
    features: &Features,
    outputs: &Array2<f64>,
) -> Result<Array1<f64>, TransferError> {
    if outputs.ncols() == 0 {
        return Err(TransferError::Empty {
            what: "the target's outputs".to_owned(),
            needed: 1,
        });
    }
    check_rows(features, &Labels::Values(outputs.column(0).to_owned()))?;
    Features::from(outputs.clone()).check_finite("the target's outputs")?;
    of_outputs(features, outputs)
}

/// The score of each column of what was checked.
fn of_outputs(features: &Features, outputs: &Array2<f64>) -> Result<Array1<f64>, TransferError> {
    let zeros = outputs
        .columns()
        .into_iter()
        .position(|y| y.iter().all(|&v| v == 0.0));
    if let Some(column) = zeros {
        return Err(TransferError::Unsupported {
            method: "LogME".to_owned(),
            needs: "outputs that are not all 0, of which any features are right".to_owned(),
            has: format!("only zeros in column {column}"),
        });
    }
    let f = features.dense()?;
    let wide = f.nrows() < f.ncols();
    let reduced = if wide {
        tridiagonalize(&gram(&f.t()), outputs)?
    } else {
        tridiagonalize(&gram(&f), &matmul(&f.t(), outputs)?)?
    };
    let eigenvalues = reduced.eigenvalues()?;
    let first = lost_in_rounding(&eigenvalues, f.nrows().max(f.ncols()));
    let scores: Vec<f64> = (0..outputs.ncols())
        .into_par_iter()
        .map(|column| {
            let y = outputs.column(column);
            let evidence = Evidence {
                n: f.nrows() as f64,
                wide,
                reduced: &reduced,
                sigma: &eigenvalues.as_slice().unwrap_or_default()[first..],
                turned: reduced.turned.column(column).to_owned(),
                square: y.dot(&y),
            };
            evidence.largest() / f.nrows() as f64
        })
        .collect();
    Ok(scores.into())
}

/// The evidence of one output as a function of `t = α/β`.
struct Evidence<'a> {
    n: f64,
    /// Whether the matrix is `FFᵀ` and the column `y`; else `FᵀF` and `Fᵀy`.
    wide: bool,
    reduced: &'a Tridiagonal,
    /// The eigenvalues that are more than rounding, ascending.
    sigma: &'a [f64],
    /// The column in the coordinates of the tridiagonal matrix.
    turned: Array1<f64>,
    /// `‖y‖²`.
    square: f64,
}

impl Evidence<'_> {
    fn at(&self, t: f64) -> f64 {
        // A product of sixteen of at most 1e12 each stays in range, and needs one logarithm.
        let determinant: f64 = (self.sigma.chunks(16))
            .map(|some| some.iter().map(|sigma| 1.0 + sigma / t).product::<f64>())
            .map(f64::ln)
            .sum();
        let form = self.reduced.inverse_form(self.turned.view(), t);
        let rest = if self.wide {
            t * form
        } else {
            self.square - form
        };
        // What is left of a fit without a rest is rounding.
        let rest = rest.max(f64::EPSILON * self.square);
        -0.5 * self.n * ((rest / self.n).ln() + 1.0 + std::f64::consts::TAU.ln())
            - 0.5 * determinant
    }

    fn largest(&self) -> f64 {
        const QUARTER_DECADES: i32 = 48;
        // The last bracket is 3e-7 decades wide, and the evidence flat to the last bit within.
        const SECTIONS: usize = 30;
        let Some(&unit) = self.sigma.last() else {
            // The features say nothing; neither does t.
            return self.at(1.0);
        };
        let of = |logarithm: f64| self.at(unit * 10.0_f64.powf(logarithm));
        let place = |k: i32| f64::from(k.clamp(-QUARTER_DECADES, QUARTER_DECADES)) / 4.0;
        let grid: Vec<(i32, f64)> = (-QUARTER_DECADES..=QUARTER_DECADES)
            .map(|k| (k, of(place(k))))
            .collect();
        let best = (grid.iter()).fold((0, f64::NEG_INFINITY), |best, &next| {
            if next.1 > best.1 { next } else { best }
        });
        // There can be more than one peak, of which the highest need not have the highest value of the grid. Steps that are
        // rounding make none.
        let peaks = grid.windows(3).filter_map(|around| {
            let [(_, before), (k, value), (_, after)] = around else {
                return None;
            };
            let rises = value - before > 1e-12 * value.abs();
            (rises && value >= after && *k != best.0).then_some(*k)
        });
        peaks
            .chain([best.0])
            .map(|k| golden_section(of, (place(k - 1), place(k + 1)), SECTIONS).1)
            .fold(best.1, f64::max)
    }
}
