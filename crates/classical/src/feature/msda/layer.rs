//! One layer: the reconstruction of rows from what noise leaves of them, in closed form.

use ndarray::{Array1, Array2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, TransferError,
    linalg::{LinalgError, cholesky, gram, matmul},
    seed,
};

use crate::feature::presence::{Presence, largest};

/// The noise and the penalty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Denoising {
    pub noise: f64,
    pub lambda: f64,
}

/// A fitted layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Layer {
    /// Each reconstructs the same features; their mean counts.
    groups: Vec<Group>,
}

/// Features from which others are reconstructed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Group {
    /// Which columns of the layer below; `None` for all.
    columns: Option<Vec<usize>>,
    /// `Wᵀ` without its last row: a row for each of the columns, a column for each reconstructed feature.
    weights: Array2<f64>,
    /// The weights of the constant.
    offset: Array1<f64>,
}

impl Layer {
    /// Reconstructs all columns from all.
    pub(super) fn of_all(x: &Array2<f64>, denoising: &Denoising) -> Result<Self, TransferError> {
        let x = with_constant(x);
        let scatter = gram(&x);
        // S itself holds the inner products with what is reconstructed: all but the constant.
        let outputs = scatter.slice(s![.., ..x.ncols() - 1]).to_owned();
        let group = denoising.group(None, &scatter, outputs)?;
        Ok(Self {
            groups: vec![group],
        })
    }

    /// Reconstructs the `r` columns that are most often above 0, from random groups of about `r` columns each.
    pub(super) fn of_frequent(
        rows: &Features,
        r: usize,
        denoising: &Denoising,
        seed: u64,
    ) -> Result<Self, TransferError> {
        let x = &*rows.dense()?;
        let counts = Presence::of(rows, 1, |_| 0)?.total();
        let all: Vec<usize> = (0..x.ncols()).collect();
        let frequent = x.select(Axis(1), &largest(&all, r, |column| counts[column]));
        let shuffled = seed::rng(seed::derive(seed, &["groups"])).permutation(x.ncols());
        let size = x.ncols().div_ceil(x.ncols().div_ceil(r));
        let groups = shuffled.chunks(size).map(|columns| {
            let mut columns = columns.to_vec();
            columns.sort_unstable();
            let part = with_constant(&x.select(Axis(1), &columns));
            let outputs = matmul(&part.t(), &frequent)?;
            Ok(denoising.group(Some(columns), &gram(&part), outputs)?)
        });
        Ok(Self {
            groups: groups.collect::<Result<_, TransferError>>()?,
        })
    }

    /// `tanh` of the reconstruction.
    pub(super) fn apply(&self, below: &Array2<f64>) -> Result<Array2<f64>, LinalgError> {
        let mut sum: Option<Array2<f64>> = None;
        for group in &self.groups {
            let part = match &group.columns {
                None => matmul(below, &group.weights)?,
                Some(columns) => matmul(&below.select(Axis(1), columns), &group.weights)?,
            } + &group.offset;
            sum = Some(match sum {
                None => part,
                Some(sum) => sum + part,
            });
        }
        let share = 1.0 / self.groups.len() as f64;
        Ok(sum
            .unwrap_or_default()
            .mapv_into(|value| (share * value).tanh()))
    }
}

impl Denoising {
    /// Solves `(Q + λI) Wᵀ = Pᵀ`, from `S` with the constant last and its products with the features to reconstruct.
    fn group(
        &self,
        columns: Option<Vec<usize>>,
        scatter: &Array2<f64>,
        mut outputs: Array2<f64>,
    ) -> Result<Group, LinalgError> {
        let last = scatter.nrows() - 1;
        let kept = |i: usize| if i == last { 1.0 } else { 1.0 - self.noise };
        let diagonal = |i: usize| {
            let ridge = if i == last { 0.0 } else { self.lambda };
            scatter[[i, i]] * kept(i) + ridge
        };
        // Features may differ in size by orders; with a diagonal of ones the matrix is as well-conditioned as can be.
        let scale = Array1::from_shape_fn(last + 1, |i| diagonal(i).sqrt().recip());
        let q = Array2::from_shape_fn(scatter.dim(), |(i, j)| match i == j {
            true => 1.0,
            false => scatter[[i, j]] * (kept(i) * scale[i]) * (kept(j) * scale[j]),
        });
        for (i, mut row) in outputs.rows_mut().into_iter().enumerate() {
            row *= kept(i) * scale[i];
        }
        let mut weights = cholesky(&q)?.solve(&outputs)?;
        weights *= &scale.insert_axis(Axis(1));
        Ok(Group {
            columns,
            offset: weights.row(last).to_owned(),
            weights: weights.slice(s![..last, ..]).to_owned(),
        })
    }
}

#[expect(clippy::expect_used, reason = "the column has as many rows")]
fn with_constant(x: &Array2<f64>) -> Array2<f64> {
    let ones = Array2::ones((x.nrows(), 1));
    concatenate(Axis(1), &[x.view(), ones.view()]).expect("as many rows")
}
