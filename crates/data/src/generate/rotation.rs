//! Rotations: the target is turned about its centre.

use std::f64::consts::PI;

use ndarray::{Array1, Array2, ArrayView1};
use serde::{Deserialize, Serialize};
use translearn_core::LabelSpace;
use translearn_core::seed::Rng;

use super::normal::{cumulative, density, integrate};
use super::{Generated, check, check_size, streams};
use crate::DataError;

/// Classes around a circle, turned about its centre in the target.
///
/// Class k of K, all equally likely, is N(r (cos(2πk/K), sin(2πk/K)), I) in the plane, r = `radius`; the target's rows are
/// turned by `angle` degrees. The target's optimal rule is the nearest turned mean. Its accuracy is Φ(r) for K = 2 and
/// ∫₀^∞ φ(x − r) (2 Φ(x tan(π/K)) − 1) dx for more classes, integrated numerically. Once the angle nears 180/K, the
/// nearest class after alignment is as likely the wrong one: no unsupervised method can know.
///
/// | field | meaning | default | range |
/// |---|---|---|---|
/// | `n_source`, `n_target` | rows | 500 | ≥ 1 |
/// | `n_classes` | K | 3 | ≥ 2 |
/// | `radius` | r | 3 | ≥ 0 |
/// | `angle` | of the turn, in degrees | 40 | finite |
///
/// ```
/// use translearn_data::generate::RotatedGaussians;
///
/// let domains = RotatedGaussians { n_classes: 2, radius: 1.0, ..RotatedGaussians::default() }.generate(7)?;
/// assert!((domains.target_score.unwrap() - 0.8413447460685429).abs() < 1e-12);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RotatedGaussians {
    /// Rows of the source.
    pub n_source: usize,
    /// Rows of the target.
    pub n_target: usize,
    /// Number of classes.
    pub n_classes: usize,
    /// Distance of each mean from the centre, in standard deviations.
    pub radius: f64,
    /// How far the target is turned, in degrees.
    pub angle: f64,
}

impl Default for RotatedGaussians {
    fn default() -> Self {
        Self {
            n_source: 500,
            n_target: 500,
            n_classes: 3,
            radius: 3.0,
            angle: 40.0,
        }
    }
}

impl RotatedGaussians {
    /// Draws both domains.
    ///
    /// # Errors
    /// [`DataError::InvalidOption`] for a parameter outside its range.
    pub fn generate(&self, seed: u64) -> Result<Generated, DataError> {
        check_size(self.n_source, self.n_target, 2)?;
        check(
            self.n_classes >= 2,
            "n_classes",
            self.n_classes,
            "at least 2",
        )?;
        let fits = self.radius >= 0.0 && self.radius.is_finite();
        check(fits, "radius", self.radius, "a number of at least 0")?;
        check(
            self.angle.is_finite(),
            "angle",
            self.angle,
            "finite degrees",
        )?;
        let (mut source, mut target) = streams(seed, "rotated-gaussians");
        let (xs, ys) = self.draw(&mut source, self.n_source);
        let (unturned, yt) = self.draw(&mut target, self.n_target);
        let optimum = unturned
            .rows()
            .into_iter()
            .map(|x| self.class(x))
            .collect::<Array1<usize>>();
        Ok(Generated {
            source: (xs.into(), ys.into()),
            target: (turned(&unturned, self.angle).into(), yt.into()),
            space: LabelSpace::numbered(self.n_classes),
            target_optimum: optimum.into(),
            target_score: Some(self.accuracy()),
            source_weights: None,
        })
    }

    fn mean(&self, class: usize) -> [f64; 2] {
        let (sin, cos) = (2.0 * PI * class as f64 / self.n_classes as f64).sin_cos();
        [self.radius * cos, self.radius * sin]
    }

    fn draw(&self, rng: &mut Rng, rows: usize) -> (Array2<f64>, Array1<usize>) {
        let mut x = Array2::zeros((rows, 2));
        let mut y = Array1::zeros(rows);
        for (mut row, label) in x.rows_mut().into_iter().zip(&mut y) {
            *label = rng.below(self.n_classes);
            let [a, b] = self.mean(*label);
            row[0] = a + rng.normal();
            row[1] = b + rng.normal();
        }
        (x, y)
    }

    fn class(&self, x: ArrayView1<'_, f64>) -> usize {
        let likeness = |class: usize| {
            let [a, b] = self.mean(class);
            a * x[0] + b * x[1]
        };
        (1..self.n_classes).fold(0, |best, class| {
            if likeness(class) > likeness(best) {
                class
            } else {
                best
            }
        })
    }

    fn accuracy(&self) -> f64 {
        if self.n_classes == 2 {
            return cumulative(self.radius);
        }
        let slope = (PI / self.n_classes as f64).tan();
        let inside = |x: f64| density(x - self.radius) * (2.0 * cumulative(slope * x) - 1.0);
        integrate((self.radius - 9.0).max(0.0), self.radius + 9.0, inside)
    }
}

/// Two interleaved half circles; the target is turned about their centre.
///
/// Moon 0 is the arc (cos t, sin t), moon 1 the arc (1 − cos t, ½ − sin t), t uniform in [0, π], both moved so that the
/// centre (½, ¼) is the origin; each coordinate gets noise N(0, σ²). The target's rows are turned by `angle` degrees. The
/// target's optimal rule compares ∫ exp(−‖x − arc(t)‖² / 2σ²) dt of the two turned arcs, summed over 512 points of each;
/// without noise, the smaller distance. Its accuracy has no closed form.
///
/// | field | meaning | default | range |
/// |---|---|---|---|
/// | `n_source`, `n_target` | rows | 300 | ≥ 1 |
/// | `noise` | σ | 0.1 | ≥ 0 |
/// | `angle` | of the turn, in degrees | 30 | finite |
///
/// ```
/// use translearn_data::generate::TwoMoons;
///
/// let domains = TwoMoons { noise: 0.0, ..TwoMoons::default() }.generate(7)?;
/// assert_eq!(domains.target_optimum, domains.target.1);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwoMoons {
    /// Rows of the source.
    pub n_source: usize,
    /// Rows of the target.
    pub n_target: usize,
    /// Standard deviation of the noise in each coordinate.
    pub noise: f64,
    /// How far the target is turned, in degrees.
    pub angle: f64,
}

impl Default for TwoMoons {
    fn default() -> Self {
        Self {
            n_source: 300,
            n_target: 300,
            noise: 0.1,
            angle: 30.0,
        }
    }
}

impl TwoMoons {
    /// Draws both domains.
    ///
    /// # Errors
    /// [`DataError::InvalidOption`] for a parameter outside its range.
    pub fn generate(&self, seed: u64) -> Result<Generated, DataError> {
        check_size(self.n_source, self.n_target, 2)?;
        let fits = self.noise >= 0.0 && self.noise.is_finite();
        check(fits, "noise", self.noise, "a number of at least 0")?;
        check(
            self.angle.is_finite(),
            "angle",
            self.angle,
            "finite degrees",
        )?;
        let (mut source, mut target) = streams(seed, "two-moons");
        let (xs, ys) = self.draw(&mut source, self.n_source);
        let (unturned, yt) = self.draw(&mut target, self.n_target);
        let optimum = unturned
            .rows()
            .into_iter()
            .map(|x| self.class(x))
            .collect::<Array1<usize>>();
        Ok(Generated {
            source: (xs.into(), ys.into()),
            target: (turned(&unturned, self.angle).into(), yt.into()),
            space: LabelSpace::numbered(2),
            target_optimum: optimum.into(),
            target_score: None,
            source_weights: None,
        })
    }

    fn draw(&self, rng: &mut Rng, rows: usize) -> (Array2<f64>, Array1<usize>) {
        let mut x = Array2::zeros((rows, 2));
        let mut y = Array1::zeros(rows);
        for (mut row, label) in x.rows_mut().into_iter().zip(&mut y) {
            *label = rng.below(2);
            let [a, b] = arc(*label, PI * rng.uniform());
            row[0] = a + self.noise * rng.normal();
            row[1] = b + self.noise * rng.normal();
        }
        (x, y)
    }

    fn class(&self, x: ArrayView1<'_, f64>) -> usize {
        const POINTS: usize = 512;
        let distances = |moon| {
            (0..POINTS).map(move |i| {
                let [a, b] = arc(moon, PI * (i as f64 + 0.5) / POINTS as f64);
                (x[0] - a).powi(2) + (x[1] - b).powi(2)
            })
        };
        let nearest = |moon| distances(moon).fold(f64::INFINITY, f64::min);
        let near = nearest(0).min(nearest(1));
        // Distances are counted from the nearest point, so that far rows do not underflow; without noise only that
        // point counts.
        let likeness = |moon| {
            let scale = 2.0 * self.noise * self.noise;
            distances(moon)
                .map(|distance| {
                    if distance == near {
                        1.0
                    } else {
                        ((near - distance) / scale).exp()
                    }
                })
                .sum::<f64>()
        };
        usize::from(likeness(1) > likeness(0))
    }
}

fn arc(moon: usize, t: f64) -> [f64; 2] {
    let (sin, cos) = t.sin_cos();
    if moon == 0 {
        [cos - 0.5, sin - 0.25]
    } else {
        [0.5 - cos, 0.25 - sin]
    }
}

/// Rows of the plane turned counter-clockwise about the origin.
fn turned(x: &Array2<f64>, degrees: f64) -> Array2<f64> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    x.dot(&ndarray::array![[cos, sin], [-sin, cos]])
}
