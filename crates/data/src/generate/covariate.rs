//! Covariate shift: P(X) moves, P(Y given X) stays.

use ndarray::{Array1, Array2, ArrayView1};
use serde::{Deserialize, Serialize};
use translearn_core::seed::Rng;
use translearn_core::{LabelSpace, Labels};

use super::{Generated, check, check_flip, check_size, flipped, normal_rows, streams};
use crate::DataError;

/// Two classes behind a curved boundary; the target lies elsewhere along it.
///
/// Source x ~ N(0, I), target x ~ N(δ e₁, I) in d ≥ 2 dimensions with δ = `shift`. In both, the class is
/// c(x) = \[x₂ > a (x₁² − 1)\] with a = `curvature`, flipped with probability ε = `flip`. A linear rule that is best for the
/// source is wrong for the target, because the boundary's slope changes with x₁; weighting the source by the density
/// ratio w(x) = exp(δ x₁ − δ²/2) mends it. The optimal rule is c(x), its accuracy 1 − ε.
///
/// | field | meaning | default | range |
/// |---|---|---|---|
/// | `n_source`, `n_target` | rows | 500 | ≥ 1 |
/// | `n_features` | d | 2 | ≥ 2 |
/// | `shift` | δ, in standard deviations | 1.5 | finite |
/// | `curvature` | a | 0.5 | finite |
/// | `flip` | ε | 0.05 | [0, 0.5) |
///
/// ```
/// use translearn_data::generate::CovariateShift;
///
/// let domains = CovariateShift { flip: 0.1, ..CovariateShift::default() }.generate(7)?;
/// assert_eq!(domains.target_score, Some(0.9));
/// # Ok::<(), translearn_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CovariateShift {
    /// Rows of the source.
    pub n_source: usize,
    /// Rows of the target.
    pub n_target: usize,
    /// Dimensions.
    pub n_features: usize,
    /// How far the target's mean is moved along the first axis.
    pub shift: f64,
    /// Curvature of the boundary.
    pub curvature: f64,
    /// Probability with which a label is flipped.
    pub flip: f64,
}

impl Default for CovariateShift {
    fn default() -> Self {
        Self {
            n_source: 500,
            n_target: 500,
            n_features: 2,
            shift: 1.5,
            curvature: 0.5,
            flip: 0.05,
        }
    }
}

impl CovariateShift {
    /// Draws both domains.
    ///
    /// # Errors
    /// [`DataError::InvalidOption`] for a parameter outside its range.
    pub fn generate(&self, seed: u64) -> Result<Generated, DataError> {
        check_size(self.n_source, self.n_target, self.n_features)?;
        check(
            self.n_features >= 2,
            "n_features",
            self.n_features,
            "at least 2",
        )?;
        check(
            self.shift.is_finite(),
            "shift",
            self.shift,
            "a finite number",
        )?;
        check(
            self.curvature.is_finite(),
            "curvature",
            self.curvature,
            "a finite number",
        )?;
        check_flip(self.flip)?;
        let (mut source, mut target) = streams(seed, "covariate-shift");
        let (xs, ys) = self.draw(&mut source, self.n_source, 0.0);
        let (xt, yt) = self.draw(&mut target, self.n_target, self.shift);
        let weights = xs
            .column(0)
            .mapv(|x| (self.shift * x - 0.5 * self.shift * self.shift).exp());
        let optimum = xt
            .rows()
            .into_iter()
            .map(|x| self.class(x))
            .collect::<Array1<usize>>();
        Ok(Generated {
            source: (xs.into(), ys.into()),
            target: (xt.into(), yt.into()),
            space: LabelSpace::numbered(2),
            target_optimum: optimum.into(),
            target_score: Some(1.0 - self.flip),
            source_weights: Some(weights),
        })
    }

    fn class(&self, x: ArrayView1<'_, f64>) -> usize {
        usize::from(x[1] > self.curvature * (x[0] * x[0] - 1.0))
    }

    fn draw(&self, rng: &mut Rng, rows: usize, shift: f64) -> (Array2<f64>, Array1<usize>) {
        let mut x = Array2::zeros((rows, self.n_features));
        let mut y = Array1::zeros(rows);
        for (mut row, label) in x.rows_mut().into_iter().zip(&mut y) {
            row.mapv_inplace(|_| rng.normal());
            row[0] += shift;
            *label = flipped(rng, self.class(row.view()), self.flip);
        }
        (x, y)
    }
}

/// The toy regression of importance weighting: a line through the wrong part of sinc.
///
/// Source x₁ ~ N(1, ½²), target x₁ ~ N(2, ¼²), further columns standard normal in both; y = sinc(x₁) + N(0, σ²) with
/// sinc(x) = sin(πx)/(πx) and σ = `noise`. The optimal rule is sinc(x₁), its mean squared error σ². The density ratio is
/// that of the two normals, 2 exp(−8 (x₁ − 2)² + 2 (x₁ − 1)²).
///
/// | field | meaning | default | range |
/// |---|---|---|---|
/// | `n_source`, `n_target` | rows | 500 | ≥ 1 |
/// | `n_features` | columns; all but the first are noise | 1 | ≥ 1 |
/// | `noise` | σ | 0.25 | ≥ 0 |
///
/// ```
/// use translearn_data::generate::CovariateShiftRegression;
///
/// let domains = CovariateShiftRegression::default().generate(7)?;
/// assert_eq!(domains.target_score, Some(0.0625));
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// Source: Sugiyama et al., *Direct importance estimation for covariate shift adaptation*, Annals of the Institute of
/// Statistical Mathematics 60, 2008, doi:10.1007/s10463-008-0197-x, whose P(X) and function these are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CovariateShiftRegression {
    /// Rows of the source.
    pub n_source: usize,
    /// Rows of the target.
    pub n_target: usize,
    /// Columns; all but the first are noise.
    pub n_features: usize,
    /// Standard deviation of the noise on the labels.
    pub noise: f64,
}

impl Default for CovariateShiftRegression {
    fn default() -> Self {
        Self {
            n_source: 500,
            n_target: 500,
            n_features: 1,
            noise: 0.25,
        }
    }
}

impl CovariateShiftRegression {
    /// Draws both domains.
    ///
    /// # Errors
    /// [`DataError::InvalidOption`] for a parameter outside its range.
    pub fn generate(&self, seed: u64) -> Result<Generated, DataError> {
        check_size(self.n_source, self.n_target, self.n_features)?;
        check(
            self.n_features >= 1,
            "n_features",
            self.n_features,
            "at least 1",
        )?;
        let fits = self.noise.is_finite() && self.noise >= 0.0;
        check(fits, "noise", self.noise, "a number of at least 0")?;
        let (mut source, mut target) = streams(seed, "covariate-shift-regression");
        let (xs, ys) = self.draw(&mut source, self.n_source, 1.0, 0.5);
        let (xt, yt) = self.draw(&mut target, self.n_target, 2.0, 0.25);
        let ratio = |x: f64| 2.0 * (2.0 * (x - 1.0).powi(2) - 8.0 * (x - 2.0).powi(2)).exp();
        Ok(Generated {
            target_optimum: Labels::Values(xt.column(0).mapv(sinc)),
            source_weights: Some(xs.column(0).mapv(ratio)),
            source: (xs.into(), ys.into()),
            target: (xt.into(), yt.into()),
            space: LabelSpace::Real,
            target_score: Some(self.noise * self.noise),
        })
    }

    fn draw(
        &self,
        rng: &mut Rng,
        rows: usize,
        mean: f64,
        deviation: f64,
    ) -> (Array2<f64>, Array1<f64>) {
        // The last column is the noise of the labels.
        let drawn = normal_rows(rng, rows, self.n_features + 1);
        let mut x = drawn.slice(ndarray::s![.., ..self.n_features]).to_owned();
        x.column_mut(0).mapv_inplace(|z| mean + deviation * z);
        let y = x.column(0).mapv(sinc) + self.noise * &drawn.column(self.n_features);
        (x, y)
    }
}

fn sinc(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    if angle == 0.0 {
        1.0
    } else {
        angle.sin() / angle
    }
}
