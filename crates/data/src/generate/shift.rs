//! Label shift and concept shift.

use ndarray::{Array1, Array2, ArrayView1};
use serde::{Deserialize, Serialize};
use translearn_core::LabelSpace;
use translearn_core::seed::Rng;

use super::normal::{cumulative, density, integrate};
use super::{Generated, check, check_flip, check_size, flipped, streams};
use crate::DataError;

/// The classes' shares change, the classes stay.
///
/// Class k of K is drawn with probability p_k in the source and q_k in the target, then x ~ N(s e_k, I) in d ≥ K
/// dimensions with s = `separation`. The density ratio of a source row is q_k / p_k of its class. The target's optimal rule
/// is argmax_k (ln q_k + s x_k); its accuracy Σ_k q_k ∫ φ(t − s) Π_{j≠k} Φ(t + ln(q_k/q_j)/s) dt is integrated numerically.
///
/// | field | meaning | default | range |
/// |---|---|---|---|
/// | `n_source`, `n_target` | rows | 500 | ≥ 1 |
/// | `n_features` | d | 2 | ≥ K |
/// | `source_shares`, `target_shares` | p and q, in any unit | 1 : 1 and 1 : 4 | > 0 for p, ≥ 0 for q, same length ≥ 2 |
/// | `separation` | s | 1.5 | > 0 |
///
/// ```
/// use translearn_data::generate::LabelShift;
///
/// let domains = LabelShift::default().generate(7)?;
/// let weights = domains.source_weights.unwrap();
/// assert!(weights.iter().all(|&w| w == 0.4 || w == 1.6));
/// # Ok::<(), translearn_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelShift {
    /// Rows of the source.
    pub n_source: usize,
    /// Rows of the target.
    pub n_target: usize,
    /// Dimensions.
    pub n_features: usize,
    /// Shares of the classes in the source, in any unit.
    pub source_shares: Vec<f64>,
    /// Shares of the classes in the target, in any unit.
    pub target_shares: Vec<f64>,
    /// Distance of each class's mean from the origin.
    pub separation: f64,
}

impl Default for LabelShift {
    fn default() -> Self {
        Self {
            n_source: 500,
            n_target: 500,
            n_features: 2,
            source_shares: vec![1.0, 1.0],
            target_shares: vec![1.0, 4.0],
            separation: 1.5,
        }
    }
}

impl LabelShift {
    /// Draws both domains.
    ///
    /// # Errors
    /// [`DataError::InvalidOption`] for a parameter outside its range.
    pub fn generate(&self, seed: u64) -> Result<Generated, DataError> {
        check_size(self.n_source, self.n_target, self.n_features)?;
        let n_classes = self.source_shares.len();
        let shown = |shares: &[f64]| format!("{shares:?}");
        check(
            n_classes >= 2 && self.source_shares.iter().all(|&p| p > 0.0 && p.is_finite()),
            "source_shares",
            shown(&self.source_shares),
            "at least two numbers above 0",
        )?;
        check(
            self.target_shares.len() == n_classes
                && self
                    .target_shares
                    .iter()
                    .all(|&q| q >= 0.0 && q.is_finite())
                && self.target_shares.iter().any(|&q| q > 0.0),
            "target_shares",
            shown(&self.target_shares),
            &format!("{n_classes} numbers of at least 0, not all 0"),
        )?;
        let expected = format!("at least {n_classes}, the number of classes");
        check(
            self.n_features >= n_classes,
            "n_features",
            self.n_features,
            &expected,
        )?;
        let fits = self.separation > 0.0 && self.separation.is_finite();
        check(fits, "separation", self.separation, "a number above 0")?;

        let (p, q) = (
            normalised(&self.source_shares),
            normalised(&self.target_shares),
        );
        let (mut source, mut target) = streams(seed, "label-shift");
        let (xs, ys) = self.draw(&mut source, self.n_source, &p);
        let (xt, yt) = self.draw(&mut target, self.n_target, &q);
        let weights = ys.iter().map(|&class| q[class] / p[class]).collect();
        let optimum = xt
            .rows()
            .into_iter()
            .map(|x| self.class(x, &q))
            .collect::<Array1<usize>>();
        Ok(Generated {
            source: (xs.into(), ys.into()),
            target: (xt.into(), yt.into()),
            space: LabelSpace::numbered(n_classes),
            target_optimum: optimum.into(),
            target_score: Some(self.accuracy(&q)),
            source_weights: Some(weights),
        })
    }

    fn draw(&self, rng: &mut Rng, rows: usize, shares: &[f64]) -> (Array2<f64>, Array1<usize>) {
        let mut x = Array2::zeros((rows, self.n_features));
        let mut y = Array1::zeros(rows);
        for (mut row, label) in x.rows_mut().into_iter().zip(&mut y) {
            let mut left = rng.uniform();
            // The last class with a share takes what rounding leaves over.
            let class = shares.iter().position(|&share| {
                left -= share;
                left < 0.0
            });
            *label = class
                .or(shares.iter().rposition(|&share| share > 0.0))
                .unwrap_or_default();
            row.mapv_inplace(|_| rng.normal());
            row[*label] += self.separation;
        }
        (x, y)
    }

    fn class(&self, x: ArrayView1<'_, f64>, q: &[f64]) -> usize {
        let score = |class: usize| q[class].ln() + self.separation * x[class];
        (1..q.len()).fold(0, |best, class| {
            if score(class) > score(best) {
                class
            } else {
                best
            }
        })
    }

    fn accuracy(&self, q: &[f64]) -> f64 {
        let s = self.separation;
        let right = |class: usize| {
            let others = |t: f64| {
                (0..q.len())
                    .filter(|&other| other != class)
                    .map(|other| cumulative(t + (q[class] / q[other]).ln() / s))
                    .product::<f64>()
            };
            integrate(s - 9.0, s + 9.0, |t| density(t - s) * others(t))
        };
        (0..q.len())
            .filter(|&class| q[class] > 0.0)
            .map(|class| q[class] * right(class))
            .sum()
    }
}

fn normalised(shares: &[f64]) -> Vec<f64> {
    let total: f64 = shares.iter().sum();
    shares.iter().map(|share| share / total).collect()
}

/// The same rows mean something else: the boundary turns.
///
/// x ~ N(0, I) in d ≥ 2 dimensions in both domains. The class is \[x·w > 0\], flipped with probability ε = `flip`, where
/// w = e₁ in the source and cos θ e₁ + sin θ e₂ in the target, θ = `angle` in degrees. No weighting of source rows by x
/// alone can help; the ratio of the joint densities is ((1−ε)/ε)^±1 between the two boundaries and 1 elsewhere, and is
/// given when ε > 0. The target's optimal rule has accuracy 1 − ε; the source's keeps (1 − ε)(1 − θ/180) + ε θ/180 there.
///
/// | field | meaning | default | range |
/// |---|---|---|---|
/// | `n_source`, `n_target` | rows | 500 | ≥ 1 |
/// | `n_features` | d | 2 | ≥ 2 |
/// | `angle` | θ in degrees | 60 | [0, 180] |
/// | `flip` | ε | 0.05 | [0, 0.5) |
///
/// ```
/// use translearn_data::generate::ConceptShift;
///
/// let shift = ConceptShift { flip: 0.0, ..ConceptShift::default() };
/// assert!((shift.source_rule_accuracy() - 2.0 / 3.0).abs() < 1e-12);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConceptShift {
    /// Rows of the source.
    pub n_source: usize,
    /// Rows of the target.
    pub n_target: usize,
    /// Dimensions.
    pub n_features: usize,
    /// How far the boundary turns, in degrees.
    pub angle: f64,
    /// Probability with which a label is flipped.
    pub flip: f64,
}

impl Default for ConceptShift {
    fn default() -> Self {
        Self {
            n_source: 500,
            n_target: 500,
            n_features: 2,
            angle: 60.0,
            flip: 0.05,
        }
    }
}

impl ConceptShift {
    /// The expected accuracy of the source's optimal rule on the target.
    pub fn source_rule_accuracy(&self) -> f64 {
        let turned = self.angle / 180.0;
        (1.0 - self.flip) * (1.0 - turned) + self.flip * turned
    }

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
            (0.0..=180.0).contains(&self.angle),
            "angle",
            self.angle,
            "degrees in [0, 180]",
        )?;
        check_flip(self.flip)?;
        let (mut source, mut target) = streams(seed, "concept-shift");
        let (xs, ys) = self.draw(&mut source, self.n_source, 0.0);
        let (xt, yt) = self.draw(&mut target, self.n_target, self.angle);
        let odds = (1.0 - self.flip) / self.flip;
        let weights = xs.rows().into_iter().zip(&ys).map(|(x, &label)| {
            match (class(x, 0.0) == label, class(x, self.angle) == label) {
                (true, false) => odds.recip(),
                (false, true) => odds,
                (true, true) | (false, false) => 1.0,
            }
        });
        let weights = (self.flip > 0.0).then(|| weights.collect());
        let optimum = xt
            .rows()
            .into_iter()
            .map(|x| class(x, self.angle))
            .collect::<Array1<usize>>();
        Ok(Generated {
            source: (xs.into(), ys.into()),
            target: (xt.into(), yt.into()),
            space: LabelSpace::numbered(2),
            target_optimum: optimum.into(),
            target_score: Some(1.0 - self.flip),
            source_weights: weights,
        })
    }

    fn draw(&self, rng: &mut Rng, rows: usize, angle: f64) -> (Array2<f64>, Array1<usize>) {
        let mut x = Array2::zeros((rows, self.n_features));
        let mut y = Array1::zeros(rows);
        for (mut row, label) in x.rows_mut().into_iter().zip(&mut y) {
            row.mapv_inplace(|_| rng.normal());
            *label = flipped(rng, class(row.view(), angle), self.flip);
        }
        (x, y)
    }
}

fn class(x: ArrayView1<'_, f64>, angle: f64) -> usize {
    let (sin, cos) = angle.to_radians().sin_cos();
    usize::from(x[0] * cos + x[1] * sin > 0.0)
}
