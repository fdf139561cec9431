//! Correlation alignment of a layer.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};
use translearn_core::{
    BaseLearner, Family, MethodInfo, ParamRange, What, setters, transfer_method,
};

use super::declare::{
    EXEMPTIONS, NEEDS, TARGET_WEIGHT, WEIGHTS, network, network_builder, parameter, real,
};
use super::domains::{Both, Comparison, Domains, train};
use super::learner::NetworkParams;
use super::recipe::Recipe;
use crate::{DeepError, RANDOM};

/// Deep CORAL: a network whose outputs have the same covariance in both domains.
///
/// *When.* As `dann`, where an adversary is too much: one weight, no second network, and a loss that falls.
///
/// ```text
/// minimise  mean_S H(y, c(x))  +  target_weight · mean_{T labelled} H(y, c(x))  +  lambda / (4 d²) ‖C_S − C_T‖_F²
/// C = (Xᵀ X − (1ᵀX)ᵀ (1ᵀX) / n) / (n − 1)   of the batch's outputs X, n x d, at `layer`
/// ```
///
/// The loss of the task reaches all of the network, and so does that of the covariances. With `lambda` 0 the target is not
/// looked at and the model is `source-only`'s, bit for bit.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | `network` | `network` | the network and its training |
/// | `weights` | `"random"` | published weights, a file, `"random"` | where the network starts |
/// | `lambda` | 1 | ≥ 0 | weight of the covariances |
/// | `layer` | `null` | a layer or null | where they are compared; null: the last layer, as in the paper |
/// | `target_weight` | 1 | ≥ 0 | weight of the loss on labelled target rows |
///
/// *Cost.* Twice that of the learner, and O(n d²) a step.
///
/// Source: Sun, Saenko, *Deep CORAL: Correlation Alignment for Deep Domain Adaptation*, ECCV Workshops 2016,
/// doi:10.1007/978-3-319-49409-8_35.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepCoralParams {
    #[serde(skip, default = "network")]
    learner: BaseLearner,
    weights: String,
    lambda: f64,
    layer: Option<String>,
    target_weight: f64,
}

impl Default for DeepCoralParams {
    fn default() -> Self {
        Self {
            learner: network(),
            weights: RANDOM.to_owned(),
            lambda: 1.0,
            layer: None,
            target_weight: 1.0,
        }
    }
}

network_builder!(DeepCoralParams);

setters!(DeepCoralParams {
    /// Sets the weight of the covariances.
    lambda: f64,
});

static INFO: MethodInfo = MethodInfo {
    name: "deep-coral",
    title: "Deep CORAL",
    family: Family::Feature,
    what: What::Features,
    needs: NEEDS,
    parameters: &[
        WEIGHTS,
        parameter(
            "lambda",
            "1.0",
            real(f64::INFINITY),
            "Weight of the covariances.",
        ),
        parameter(
            "layer",
            "null",
            ParamRange::TextOrAuto,
            "Where they are compared; null: the last layer.",
        ),
        TARGET_WEIGHT,
    ],
    exemptions: EXEMPTIONS,
    reference: "Sun, Saenko. Deep CORAL: Correlation Alignment for Deep Domain Adaptation. ECCV Workshops 2016. doi:10.1007/978-3-319-49409-8_35",
};

transfer_method!(DeepCoralParams, INFO, |method, problem, seed| {
    let params = NetworkParams::of(&method.learner)?;
    let recipe = Recipe::beside_baseline(params, &method.weights, problem, seed)?;
    let domains = Domains::of(problem, INFO.name)?;
    let network = recipe.network()?;
    let layer = match &method.layer {
        Some(layer) => recipe.layer(Some(layer)),
        None => network.head(),
    };
    let loss = |both: Both<'_>| {
        Ok((
            "covariances".to_owned(),
            method.lambda,
            coral_loss(both.source, both.target)?,
        ))
    };
    let comparison = Comparison {
        layer,
        loss: (method.lambda > 0.0).then_some(loss),
        groups: Vec::new(),
        target_weight: method.target_weight,
    };
    train(&recipe, &network, &domains, comparison)?;
    Ok(recipe.fitted(network))
});

/// `‖C_S − C_T‖_F² / (4 d²)` of the covariances of two batches `[n, d]`, as in [`DeepCoralParams`].
///
/// ```
/// use tch::Tensor;
/// use translearn_deep::methods::coral_loss;
///
/// let source = Tensor::from_slice2(&[[0.0, 0.0], [2.0, 0.0]]);
/// let target = Tensor::from_slice2(&[[0.0, 0.0], [0.0, 0.0]]);
/// // Covariances diag(2, 0) and 0: 4 / (4 · 2²).
/// assert_eq!(coral_loss(&source, &target)?.double_value(&[]), 0.25);
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
///
/// # Errors
/// [`DeepError::InvalidParameter`] for batches of fewer than two rows, [`DeepError::Torch`] for other widths.
pub fn coral_loss(source: &Tensor, target: &Tensor) -> Result<Tensor, DeepError> {
    let width = source.size().last().copied().unwrap_or(0) as f64;
    let difference = covariance(source)?.f_sub(&covariance(target)?)?;
    let sum = difference.f_square()?.f_sum(difference.kind())?;
    Ok(sum.f_div_scalar(4.0 * width * width)?)
}

fn covariance(x: &Tensor) -> Result<Tensor, DeepError> {
    let rows = x.size().first().copied().unwrap_or(0);
    if rows < 2 {
        return Err(DeepError::InvalidParameter {
            name: "batch_size",
            value: rows.to_string(),
            range: "at least 2, to have a covariance".to_owned(),
        });
    }
    let centred = x.f_sub(&x.f_mean_dim([0_i64].as_slice(), true, None::<Kind>)?)?;
    Ok(centred
        .f_tr()?
        .f_matmul(&centred)?
        .f_div_scalar((rows - 1) as f64)?)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn draw(rows: i64, width: i64, seed: u64) -> (Tensor, Vec<Vec<f64>>) {
        let mut rng = translearn_core::seed::rng(seed);
        let values: Vec<f64> = (0..rows * width).map(|_| rng.normal()).collect();
        let rows_of = values.chunks(width as usize).map(<[f64]>::to_vec).collect();
        (Tensor::from_slice(&values).view([rows, width]), rows_of)
    }

    /// The formula of the paper, entry by entry.
    fn naive(source: &[Vec<f64>], target: &[Vec<f64>]) -> f64 {
        let entry = |x: &[Vec<f64>], i: usize, j: usize| {
            let n = x.len() as f64;
            let sum = |k: usize| x.iter().map(|row| row[k]).sum::<f64>();
            let product: f64 = x.iter().map(|row| row[i] * row[j]).sum();
            (product - sum(i) * sum(j) / n) / (n - 1.0)
        };
        let d = source[0].len();
        let mut total = 0.0;
        for i in 0..d {
            for j in 0..d {
                total += (entry(source, i, j) - entry(target, i, j)).powi(2);
            }
        }
        total / (4.0 * (d * d) as f64)
    }

    #[test]
    fn the_loss_is_that_of_the_formula_and_its_gradient_that_of_finite_differences() {
        let ((source, s), (target, mut t)) = (draw(7, 3, 1), draw(5, 3, 2));
        let target = target.set_requires_grad(true);
        let loss = coral_loss(&source, &target).unwrap();
        assert!((loss.double_value(&[]) - naive(&s, &t)).abs() < 1e-12);
        loss.backward();
        for (i, j) in [(0, 0), (3, 2), (4, 1)] {
            let at = t[i][j];
            let mut shifted = |by: f64| {
                t[i][j] = at + by;
                let value = naive(&s, &t);
                t[i][j] = at;
                value
            };
            let slope = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            let found = target.grad().double_value(&[i as i64, j as i64]);
            assert!((found - slope).abs() < 1e-8, "{found} for {slope}");
        }
    }

    #[test]
    fn the_loss_reaches_every_block() {
        let network = crate::backbones::find("small-cnn")
            .unwrap()
            .build(3, Device::Cpu, 1)
            .unwrap();
        let outputs = [1, 2].map(|seed| {
            let x = draw(6, 256, seed)
                .0
                .to_kind(Kind::Float)
                .view([6, 1, 16, 16]);
            network.forward(&x, &mut crate::Pass::train(0)).unwrap()
        });
        coral_loss(&outputs[0], &outputs[1]).unwrap().backward();
        for (name, parameter) in network.parameters() {
            // What is added to every row alike changes no covariance: the last bias is not reached, and should not be.
            if parameter.role == crate::Role::Weight && name != "fc2.bias" {
                let largest = parameter.tensor.grad().abs().max().double_value(&[]);
                assert!(largest > 0.0, "{name} is not reached");
            }
        }
    }

    #[test]
    fn one_row_has_no_covariance() {
        let (one, many) = (draw(1, 3, 1).0, draw(4, 3, 2).0);
        assert!(coral_loss(&one, &many).is_err());
        assert!(coral_loss(&many, &draw(4, 2, 3).0).is_err());
    }
}
