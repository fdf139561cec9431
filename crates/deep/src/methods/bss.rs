//! Batch spectral shrinkage.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use translearn_core::{BaseLearner, Family, MethodInfo, What, setters, transfer_method};

use super::declare::{
    EXEMPTIONS, L2_SP, NEEDS, PRETRAINED, PRETRAINED_RATE, TARGET_WEIGHT, at_least, network,
    parameter, real, regularised,
};
use super::domains::features;
use super::recipe::Seen;
use super::tuning::{Regularised, Regulariser};
use crate::train::Losses;
use crate::{DeepError, Pass};

/// Batch spectral shrinkage: fine-tuning that forgets the directions of the features which do not transfer.
///
/// *Setting and when.* As `fine-tune` with `strategy = "all"`, when labelled images are few and some of what the network knows
/// is of no use here: the directions of small singular values, which the authors find to transfer badly. It forgets, where
/// `l2_sp` and `delta` keep; the authors use it beside such a pull, too.
///
/// ```text
/// minimise  (what fine-tune minimises)  +  eta · Σ_{i ≤ k} σ_{−i}²
/// ```
///
/// with the `k` smallest singular values of the features `F`, `[n, d]`, of a batch of the source: [`spectral_shrinkage`]. With
/// `eta` 0 the model is that of `fine-tune`, bit for bit.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | `network` | `network` | the network and its training; its `rate` is that of the head |
/// | `weights` | `null` | published weights, a file, `"random"`, null | where it starts; null: the published weights of the backbone |
/// | `eta` | 0.001 | ≥ 0 | weight of the singular values |
/// | `k` | 1 | integer ≥ 1 | how many; all where the batch has fewer |
/// | `pretrained_rate` | 0.1 | > 0 | factor of the rate for what was loaded |
/// | `l2_sp` | 0 | ≥ 0 | pull towards the first weights, as in `fine-tune` |
/// | `target_weight` | 1 | ≥ 0 | weight of the loss on labelled target rows |
///
/// *Cost.* That of `fine-tune`, and a singular value decomposition of `n x d` numbers a step.
///
/// # Errors
/// As `fine-tune`.
///
/// Source: Chen, Wang, Fu, Long, Wang, *Catastrophic Forgetting Meets Negative Transfer: Batch Spectral Shrinkage for Safe
/// Transfer Learning*, NeurIPS 2019; defaults are the authors'.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BssParams {
    #[serde(skip, default = "network")]
    learner: BaseLearner,
    weights: Option<String>,
    eta: f64,
    k: u64,
    pretrained_rate: f64,
    l2_sp: f64,
    target_weight: f64,
}

impl Default for BssParams {
    fn default() -> Self {
        Self {
            learner: network(),
            weights: None,
            eta: 0.001,
            k: 1,
            pretrained_rate: 0.1,
            l2_sp: 0.0,
            target_weight: 1.0,
        }
    }
}

regularised!(BssParams);

setters!(BssParams {
    /// Sets the weight of the singular values.
    eta: f64,
    /// Sets how many singular values shrink.
    k: u64,
});

static INFO: MethodInfo = MethodInfo {
    name: "bss",
    title: "Batch spectral shrinkage (BSS)",
    family: Family::Parameter,
    what: What::Parameters,
    needs: NEEDS,
    parameters: &[
        PRETRAINED,
        parameter(
            "eta",
            "0.001",
            real(f64::INFINITY),
            "Weight of the singular values.",
        ),
        parameter(
            "k",
            "1",
            at_least(1),
            "How many of the smallest singular values shrink.",
        ),
        PRETRAINED_RATE,
        L2_SP,
        TARGET_WEIGHT,
    ],
    exemptions: EXEMPTIONS,
    reference: "Chen, Wang, Fu, Long, Wang. Catastrophic Forgetting Meets Negative Transfer: Batch Spectral Shrinkage for Safe Transfer Learning. NeurIPS 2019",
};

transfer_method!(BssParams, INFO, |method, problem, seed| {
    let regularised = Regularised {
        l2_sp: method.l2_sp,
        ..method.regularised()
    };
    regularised.fit(problem, seed, |tuning, _| {
        let shrinkage = Shrinkage {
            layer: tuning.recipe.layer(None).to_owned(),
            eta: method.eta,
            k: method.k,
        };
        Ok((method.eta > 0.0).then_some(shrinkage))
    })
});

struct Shrinkage {
    layer: String,
    eta: f64,
    k: u64,
}

impl Regulariser for Shrinkage {
    fn pass(&self, pass: Pass) -> Result<Pass, DeepError> {
        Ok(pass.tap([&*self.layer]))
    }

    fn add(&self, losses: Losses, _: &Seen, pass: &mut Pass) -> Result<Losses, DeepError> {
        let features = features(pass.taken(&self.layer), &self.layer)?;
        // The decomposition refuses what is not finite; the loss of the task then says more.
        if features.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            return Ok(losses);
        }
        Ok(losses.with("spectrum", self.eta, spectral_shrinkage(&features, self.k)?))
    }
}

/// The sum of the squares of the `k` smallest singular values of features `[n, d]`, of all where there are fewer, as in
/// [`BssParams`].
///
/// ```
/// use tch::Tensor;
/// use translearn_deep::methods::spectral_shrinkage;
///
/// let features = Tensor::from_slice2(&[[3.0, 0.0, 0.0], [0.0, 0.0, 2.0]]);
/// let smallest = |k| spectral_shrinkage(&features, k).map(|sum| sum.double_value(&[]).round());
/// assert_eq!((smallest(1)?, smallest(2)?, smallest(9)?), (4.0, 13.0, 13.0));
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
///
/// # Errors
/// [`DeepError::Torch`] for anything but a matrix, or numbers that are not finite.
pub fn spectral_shrinkage(features: &Tensor, k: u64) -> Result<Tensor, DeepError> {
    let (_, values, _) = features.f_svd(true, true)?;
    let n = values.size().first().copied().unwrap_or(0);
    let k = i64::try_from(k).unwrap_or(i64::MAX).min(n);
    // They stand from the largest to the smallest.
    Ok(values
        .f_narrow(0, n - k, k)?
        .f_square()?
        .f_sum(values.kind())?)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    fn draw(rows: i64, width: i64, seed: u64) -> Tensor {
        let mut rng = translearn_core::seed::rng(seed);
        let values: Vec<f64> = (0..rows * width).map(|_| rng.normal()).collect();
        Tensor::from_slice(&values).view([rows, width])
    }

    /// The eigenvalues of a symmetric matrix by Jacobi's rotations, from the smallest.
    fn eigenvalues(matrix: &Tensor) -> Vec<f64> {
        let n = matrix.size()[0] as usize;
        let mut a: Vec<Vec<f64>> = (0..n)
            .map(|i| {
                (0..n)
                    .map(|j| matrix.double_value(&[i as i64, j as i64]))
                    .collect()
            })
            .collect();
        for _ in 0..50 {
            for p in 0..n {
                for q in p + 1..n {
                    let angle = 0.5 * (2.0 * a[p][q]).atan2(a[q][q] - a[p][p]);
                    let (sine, cosine) = angle.sin_cos();
                    for row in &mut a {
                        let (x, y) = (row[p], row[q]);
                        (row[p], row[q]) = (cosine * x - sine * y, sine * x + cosine * y);
                    }
                    for column in 0..n {
                        let (x, y) = (a[p][column], a[q][column]);
                        (a[p][column], a[q][column]) =
                            (cosine * x - sine * y, sine * x + cosine * y);
                    }
                }
            }
        }
        let mut values: Vec<f64> = (0..n).map(|i| a[i][i]).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    #[test]
    fn the_loss_is_the_least_eigenvalues_of_the_gram_matrix() {
        for (rows, width) in [(5, 3), (3, 5), (4, 4)] {
            let x = draw(rows, width, 1);
            let gram = if rows < width {
                x.matmul(&x.tr())
            } else {
                x.tr().matmul(&x)
            };
            let values = eigenvalues(&gram);
            for k in 1..=values.len() {
                let expected: f64 = values[..k].iter().sum();
                let found = spectral_shrinkage(&x, k as u64).unwrap().double_value(&[]);
                assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
            }
            // All of them are the squares of the entries.
            let all = spectral_shrinkage(&x, 100).unwrap().double_value(&[]);
            let squares = x.square().sum(Kind::Double).double_value(&[]);
            assert!((all - squares).abs() < 1e-9);
        }
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let x = draw(4, 6, 2).set_requires_grad(true);
        spectral_shrinkage(&x, 2).unwrap().backward();
        let at = x.detach();
        for (i, j) in [(0, 0), (1, 4), (3, 5)] {
            let value = |by: f64| {
                let moved = at.copy();
                let _same = moved.get(i).get(j).fill_(at.double_value(&[i, j]) + by);
                spectral_shrinkage(&moved, 2).unwrap().double_value(&[])
            };
            let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
            let found = x.grad().double_value(&[i, j]);
            assert!((found - slope).abs() < 1e-7, "{found} for {slope}");
        }
    }

    #[test]
    fn equal_singular_values_and_zeros_have_a_finite_gradient() {
        for x in [
            Tensor::eye(3, (Kind::Double, tch::Device::Cpu)),
            Tensor::zeros([3, 4], (Kind::Double, tch::Device::Cpu)),
        ] {
            let x = x.set_requires_grad(true);
            spectral_shrinkage(&x, 2).unwrap().backward();
            assert!(x.grad().isfinite().all().int64_value(&[]) == 1, "{x}");
        }
    }
}
