//! Subspace shift: the target lies in another subspace.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::LabelSpace;
use translearn_core::seed::{self, Rng};

use super::normal::cumulative;
use super::{Generated, check, check_size, normal_rows, streams};
use crate::DataError;

/// Two classes in a low-dimensional subspace that turns between the domains.
///
/// A latent z ∈ ℝᵏ has first coordinate N(±s/2, 1) by class (equal shares) and standard normal others. In ℝᵈ, d ≥ 2k, a row
/// is x = B z + σ N(0, I). The columns of B are orthonormal: random in the source; in the target each is turned by
/// the angle θ into a direction of its own outside the source's subspace, so all k principal angles are θ. Aligning the
/// subspaces (B_s B_tᵀ) is the right answer, and no weighting of rows is. The target's optimal rule takes the side
/// of the first latent coordinate; its accuracy is Φ(s / (2 √(1 + σ²))).
///
/// | field | meaning | default | range |
/// |---|---|---|---|
/// | `n_source`, `n_target` | rows | 500 | ≥ 1 |
/// | `n_features` | d | 20 | ≥ 2k |
/// | `n_components` | k | 3 | ≥ 1 |
/// | `angle` | θ in degrees | 60 | [0, 90] |
/// | `separation` | s | 4 | ≥ 0 |
/// | `noise` | σ | 0.3 | ≥ 0 |
///
/// ```
/// use translearn_data::generate::SubspaceShift;
///
/// let domains = SubspaceShift { noise: 0.0, separation: 2.0, ..SubspaceShift::default() }.generate(7)?;
/// assert!((domains.target_score.unwrap() - 0.8413447460685429).abs() < 1e-12);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubspaceShift {
    /// Rows of the source.
    pub n_source: usize,
    /// Rows of the target.
    pub n_target: usize,
    /// Dimensions of a row.
    pub n_features: usize,
    /// Dimensions of the subspace.
    pub n_components: usize,
    /// All principal angles between the subspaces, in degrees.
    pub angle: f64,
    /// Distance of the two classes.
    pub separation: f64,
    /// Standard deviation of the noise in every direction.
    pub noise: f64,
}

impl Default for SubspaceShift {
    fn default() -> Self {
        Self {
            n_source: 500,
            n_target: 500,
            n_features: 20,
            n_components: 3,
            angle: 60.0,
            separation: 4.0,
            noise: 0.3,
        }
    }
}

impl SubspaceShift {
    /// Draws both domains.
    ///
    /// # Errors
    /// [`DataError::InvalidOption`] for a parameter outside its range.
    pub fn generate(&self, seed: u64) -> Result<Generated, DataError> {
        check_size(self.n_source, self.n_target, self.n_features)?;
        for (name, value) in [("separation", self.separation), ("noise", self.noise)] {
            check(
                value >= 0.0 && value.is_finite(),
                name,
                value,
                "a number of at least 0",
            )?;
        }
        let (source_basis, target_basis) = self.bases(seed)?;
        let (mut source, mut target) = streams(seed, "subspace-shift");
        let (xs, ys) = self.draw(&mut source, self.n_source, &source_basis);
        let (xt, yt) = self.draw(&mut target, self.n_target, &target_basis);
        let optimum = xt
            .dot(&target_basis.column(0))
            .mapv(|first| usize::from(first > 0.0));
        let spread = (1.0 + self.noise * self.noise).sqrt();
        Ok(Generated {
            source: (xs.into(), ys.into()),
            target: (xt.into(), yt.into()),
            space: LabelSpace::numbered(2),
            target_optimum: optimum.into(),
            target_score: Some(cumulative(self.separation / (2.0 * spread))),
            source_weights: None,
        })
    }

    /// The orthonormal bases (d × k) of source and target that [`SubspaceShift::generate`] uses with this seed.
    ///
    /// # Errors
    /// [`DataError::InvalidOption`] for a parameter outside its range.
    pub fn bases(&self, seed: u64) -> Result<(Array2<f64>, Array2<f64>), DataError> {
        check(
            self.n_components >= 1,
            "n_components",
            self.n_components,
            "at least 1",
        )?;
        let room = self.n_features / 2 >= self.n_components;
        check(
            room,
            "n_features",
            self.n_features,
            "at least twice `n_components`",
        )?;
        check(
            (0.0..=90.0).contains(&self.angle),
            "angle",
            self.angle,
            "degrees in [0, 90]",
        )?;
        let mut rng = seed::rng(seed::derive(seed, &["generate", "subspace-shift", "bases"]));
        let k = self.n_components;
        let frame = random_frame(&mut rng, self.n_features, 2 * k);
        let (inside, outside) = frame.view().split_at(Axis(1), k);
        let (sin, cos) = self.angle.to_radians().sin_cos();
        Ok((inside.to_owned(), &inside * cos + &outside * sin))
    }

    fn draw(
        &self,
        rng: &mut Rng,
        rows: usize,
        basis: &Array2<f64>,
    ) -> (Array2<f64>, Array1<usize>) {
        let mut x = Array2::zeros((rows, self.n_features));
        let mut y = Array1::zeros(rows);
        for (mut row, label) in x.rows_mut().into_iter().zip(&mut y) {
            *label = rng.below(2);
            let mut latent = Array1::from_shape_simple_fn(self.n_components, || rng.normal());
            latent[0] += self.separation * (*label as f64 - 0.5);
            row.assign(&basis.dot(&latent));
            row.mapv_inplace(|value| value + self.noise * rng.normal());
        }
        (x, y)
    }
}

/// `k` random orthonormal columns in ℝᵈ, k ≤ d: Gram–Schmidt on normal vectors, done twice for orthogonality to the last
/// digits.
fn random_frame(rng: &mut Rng, d: usize, k: usize) -> Array2<f64> {
    let mut frame = normal_rows(rng, k, d).reversed_axes();
    for j in 0..k {
        for _ in 0..2 {
            for i in 0..j {
                let overlap = frame.column(i).dot(&frame.column(j));
                let earlier = frame.column(i).to_owned();
                frame.column_mut(j).scaled_add(-overlap, &earlier);
            }
            let length = frame.column(j).dot(&frame.column(j)).sqrt();
            frame.column_mut(j).mapv_inplace(|value| value / length);
        }
    }
    frame
}
