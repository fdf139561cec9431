//! Mixup: training on mixtures of two rows and their targets.

use rand_distr::{Beta, Distribution};
use tch::Tensor;
use translearn_core::seed::Rng;

use crate::DeepError;

/// Each row mixed with another one of the batch, and their targets likewise:
/// `x̃ᵢ = λ xᵢ + (1 - λ) xⱼ`, `t̃ᵢ = λ tᵢ + (1 - λ) tⱼ`.
///
/// One `λ ~ Beta(α, α)` is drawn for the batch; `j` comes from a random permutation of its rows.
///
/// *When*: classification by a network that fits its training rows without effort. The loss has to take targets that
/// are probabilities: [`soft_cross_entropy`](crate::soft_cross_entropy).
///
/// `x` is `[n, ...]`, after augmentation and normalisation; `targets` is `[n, k]`, see [`one_hot`](crate::one_hot).
/// `alpha` is in `[0.001, 1000]`; usual are 0.1 to 0.4 on ImageNet and 1 (`λ` uniform) on CIFAR; the smaller, the
/// nearer to no mixing. A row may be its own partner. Costs one pass over the batch.
///
/// # Errors
/// [`DeepError::InvalidParameter`], [`DeepError::InputShape`] when rows and targets are not as many.
///
/// ```
/// use tch::{Device, Kind, Tensor};
/// use translearn_core::seed;
/// use translearn_deep::{mixup, one_hot};
///
/// let x = Tensor::from_slice(&[0f32, 1.0, 2.0, 3.0]).view([4, 1]);
/// let targets = one_hot(&Tensor::from_slice(&[0i64, 1, 2, 3]), 4, 0.0)?;
/// let (mixed, mixed_targets) = mixup(&x, &targets, 0.4, &mut seed::rng(1))?;
/// // Value and class are the same number here, so the mean class of a target is the value.
/// let classes = Tensor::arange(4, (Kind::Float, Device::Cpu)).view([4, 1]);
/// assert!(mixed_targets.matmul(&classes).allclose(&mixed, 1e-6, 1e-6, false));
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
///
/// Source: Zhang and others, *mixup: Beyond empirical risk minimization*, ICLR 2018, arXiv:1710.09412; as in the
/// authors' code, one `λ` and one permutation serve the whole batch.
pub fn mixup(
    x: &Tensor,
    targets: &Tensor,
    alpha: f64,
    rng: &mut Rng,
) -> Result<(Tensor, Tensor), DeepError> {
    let rows = x.size().first().copied().unwrap_or(0);
    let shape = targets.size();
    if shape.len() != 2 || shape[0] != rows {
        return Err(DeepError::InputShape {
            network: "mixup".to_owned(),
            expected: format!("targets [{rows}, k] for {rows} rows"),
            found: shape,
        });
    }
    let share = beta(alpha, rng)?;
    let order: Vec<i64> = rng
        .permutation(rows as usize)
        .into_iter()
        .map(|row| row as i64)
        .collect();
    let order = Tensor::f_from_slice(&order)?;
    let mix = |own: &Tensor| -> Result<Tensor, DeepError> {
        let other = own.f_index_select(0, &order.f_to_device(own.device())?)?;
        // λ x + (1 - λ) x is not x in floating point, but this is.
        Ok(other.f_lerp(own, share)?)
    };
    Ok((mix(x)?, mix(targets)?))
}

/// A draw from the symmetric beta distribution.
fn beta(alpha: f64, rng: &mut Rng) -> Result<f64, DeepError> {
    let refused = || DeepError::InvalidParameter {
        name: "alpha",
        value: alpha.to_string(),
        range: "in [0.001, 1000]".to_owned(),
    };
    // Far beyond, the sampler's own numbers overflow.
    if !(0.001..=1000.0).contains(&alpha) {
        return Err(refused());
    }
    let distribution = Beta::new(alpha, alpha).map_err(|_| refused())?;
    Ok(distribution.sample(rng))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};
    use translearn_core::seed;

    #[test]
    fn shares_have_the_moments_of_the_beta_distribution() {
        let n = 200_000;
        for alpha in [0.001, 0.2, 1.0, 3.0, 1000.0] {
            let mut rng = seed::rng(1);
            let draws: Vec<f64> = (0..n).map(|_| beta(alpha, &mut rng).unwrap()).collect();
            assert!(draws.iter().all(|share| (0.0..=1.0).contains(share)));
            let raw = |k: i32| -> f64 {
                (0..k)
                    .map(|i| (alpha + f64::from(i)) / (2.0 * alpha + f64::from(i)))
                    .product()
            };
            for k in 1..=4 {
                let found = draws.iter().map(|share| share.powi(k)).sum::<f64>() / f64::from(n);
                let deviation = ((raw(2 * k) - raw(k).powi(2)) / f64::from(n)).sqrt();
                let error = (found - raw(k)).abs();
                assert!(
                    error < 4.0 * deviation,
                    "alpha {alpha}, moment {k}: {error}"
                );
            }
        }
    }

    #[test]
    fn rows_and_targets_are_mixed_alike() {
        let (n, k) = (6, 5);
        // Powers of two, so that a mixture says what went into it.
        let x = Tensor::from_slice(&[1f64, 2.0, 4.0, 8.0, 16.0, 32.0]).view([n, 1, 1]);
        let targets = Tensor::eye(n, (Kind::Double, Device::Cpu)).narrow(1, 0, k);
        let (mixed, soft) = mixup(&x, &targets, 0.7, &mut seed::rng(3)).unwrap();
        assert_eq!((mixed.size(), soft.size()), (vec![n, 1, 1], vec![n, k]));
        let mut rng = seed::rng(3);
        let share = beta(0.7, &mut rng).unwrap();
        let order = rng.permutation(n as usize);
        assert!(share > 0.0 && share < 1.0);
        let mut moved = 0;
        for i in 0..n {
            let j = order[i as usize] as i64;
            moved += i64::from(i != j);
            let naive = |t: &Tensor| share * t.get(i) + (1.0 - share) * t.get(j);
            assert!(naive(&x).allclose(&mixed.get(i), 1e-12, 1e-12, false));
            assert!(naive(&targets).allclose(&soft.get(i), 1e-12, 1e-12, false));
        }
        assert!(moved > 0, "{order:?}");
        assert_eq!(
            mixup(&x, &targets, 0.7, &mut seed::rng(3)).unwrap(),
            (mixed, soft)
        );
    }

    #[test]
    fn a_row_mixed_with_itself_keeps_its_bits() {
        let x = Tensor::from_slice(&[0.1f32, 0.7, 1e-9]).view([1, 3]);
        let target = Tensor::ones([1, 2], (Kind::Float, Device::Cpu));
        for seed in 0..20 {
            let (mixed, soft) = mixup(&x, &target, 1.0, &mut seed::rng(seed)).unwrap();
            assert_eq!((&mixed, &soft), (&x, &target));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let x = Tensor::zeros([3, 2], (Kind::Float, Device::Cpu));
        for alpha in [0.0, 1e-9, 1e9, -1.0, f64::NAN, f64::INFINITY] {
            let error = mixup(&x, &x, alpha, &mut seed::rng(0)).unwrap_err();
            assert!(
                matches!(error, DeepError::InvalidParameter { name: "alpha", .. }),
                "{error}"
            );
        }
        let error = mixup(&x, &x.narrow(0, 0, 2), 1.0, &mut seed::rng(0)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("[3, k]") && text.contains("[2, 2]"), "{text}");
    }
}
