//! Co-tuning.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};
use translearn_core::{
    BaseLearner, Family, MethodInfo, ParamRange, What, setters, transfer_method,
};

use super::declare::{
    EXEMPTIONS, NEEDS, PRETRAINED, PRETRAINED_RATE, TARGET_WEIGHT, network, parameter, real,
    regularised,
};
use super::model::logits;
use super::old_head::OldHead;
use super::recipe::{Recipe, Seen};
use super::tuning::Regulariser;
use crate::train::{Group, Losses};
use crate::{DeepError, Pass, soft_cross_entropy};

/// Co-tuning: fine-tuning of both heads, the new one on the labels and the published one on what each label is to it.
///
/// *Setting and when.* As `fine-tune` with `strategy = "all"`, where the published classes say something of the new ones: a
/// class here is much like a few classes there. All of the network is tuned then, its head too, instead of being thrown away.
///
/// ```text
/// p(s | y) = mean over the source's images of class y of softmax(o₀(x) / T)_s
/// minimise  (what fine-tune minimises)  +  lambda · 1/n Σᵢ H(Σ_y q_iy p(· | y), softmax o(xᵢ))
/// ```
///
/// with the logits `o₀` of the network as it was published, `o` of the old head above the layers that learn, and the shares
/// `q` of the classes that the learner trains on (one-hot but for smoothing and mixup). `p` is [`class_relationship`], found
/// before training on images that are not augmented. With `lambda` 0 the model is that of `fine-tune`, bit for bit.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | `network` | `network` | the network and its training; its `rate` is that of the new head |
/// | `weights` | `null` | published weights, a file, `"random"`, null | where it starts, with their own classifier of any number of classes; null: the published weights of the backbone |
/// | `lambda` | 2.3 | ≥ 0 | weight of the old head |
/// | `temperature` | 1 | > 0 | `T`, which calibrates the published classifier; 1: as it is |
/// | `pretrained_rate` | 0.1 | > 0 | factor of the rate for what was loaded, the old head among it |
/// | `target_weight` | 1 | ≥ 0 | weight of the loss on labelled target rows |
///
/// The fitted model predicts the new classes; the old head is not kept.
///
/// *Cost.* That of `fine-tune`, and a forward pass over the source before.
///
/// # Errors
/// As `fine-tune`; [`TransferError::Backend`](translearn_core::TransferError::Backend) for weights without a classifier.
///
/// *Where we differ.* The relationship is the paper's direct estimate. Its other one, by a classifier from old to new classes,
/// and the calibration on images that the weights were trained with, which are not at hand here, are left out.
///
/// Source: You, Kou, Long, Wang, *Co-Tuning for Transfer Learning*, NeurIPS 2020; `lambda` is that of the authors' library.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoTuningParams {
    #[serde(skip, default = "network")]
    learner: BaseLearner,
    weights: Option<String>,
    lambda: f64,
    temperature: f64,
    pretrained_rate: f64,
    target_weight: f64,
}

impl Default for CoTuningParams {
    fn default() -> Self {
        Self {
            learner: network(),
            weights: None,
            lambda: 2.3,
            temperature: 1.0,
            pretrained_rate: 0.1,
            target_weight: 1.0,
        }
    }
}

regularised!(CoTuningParams);

setters!(CoTuningParams {
    /// Sets the weight of the old head.
    lambda: f64,
    /// Sets what calibrates the published classifier.
    temperature: f64,
});

static INFO: MethodInfo = MethodInfo {
    name: "co-tuning",
    title: "Co-tuning",
    family: Family::Parameter,
    what: What::Parameters,
    needs: NEEDS,
    parameters: &[
        PRETRAINED,
        parameter(
            "lambda",
            "2.3",
            real(f64::INFINITY),
            "Weight of the old head.",
        ),
        parameter(
            "temperature",
            "1.0",
            ParamRange::Positive,
            "What calibrates the published classifier.",
        ),
        PRETRAINED_RATE,
        TARGET_WEIGHT,
    ],
    exemptions: EXEMPTIONS,
    reference: "You, Kou, Long, Wang. Co-Tuning for Transfer Learning. NeurIPS 2020",
};

transfer_method!(CoTuningParams, INFO, |method, problem, seed| {
    method.regularised().fit(problem, seed, |tuning, network| {
        if method.lambda == 0.0 {
            return Ok(None);
        }
        let (recipe, source) = (tuning.recipe, &tuning.domains.source);
        let original = recipe.original()?;
        let examples = recipe.unlabelled(&source.images)?;
        let published = logits(&original, &examples, recipe.params.batch_size)?;
        Ok(Some(BothHeads {
            relationship: class_relationship(
                &published,
                &source.labels,
                problem.n_classes(),
                method.temperature,
            )?,
            head: OldHead::of(network, &original)?,
            lambda: method.lambda,
        }))
    })
});

struct BothHeads {
    head: OldHead,
    /// Shares of the old classes for each new one.
    relationship: Tensor,
    lambda: f64,
}

impl Regulariser for BothHeads {
    fn groups(&self, recipe: &Recipe, pretrained_rate: f64) -> Result<Vec<Group>, DeepError> {
        Ok(vec![self.head.group(recipe, pretrained_rate)?])
    }

    fn pass(&self, pass: Pass) -> Result<Pass, DeepError> {
        self.head.widen(pass)
    }

    fn add(&self, losses: Losses, seen: &Seen, _: &mut Pass) -> Result<Losses, DeepError> {
        let targets = seen.targets.f_matmul(&self.relationship)?;
        let loss = soft_cross_entropy(seen.beside()?, &targets, None)?;
        Ok(losses.with("old head", self.lambda, loss))
    }
}

/// What each of `n_classes` classes is to the classes of a published network: the mean of `softmax(logits / temperature)`,
/// `[n, s]`, over the rows of the class, `[n_classes, s]`. A class without rows has the mean over all of them.
///
/// ```
/// use tch::Tensor;
/// use translearn_deep::methods::class_relationship;
///
/// let logits = Tensor::from_slice(&[0_f32, 0.0, 0.0, 3_f32.ln()]).view([2, 2]);
/// let shares = class_relationship(&logits, &[1, 1], 2, 1.0)?;
/// // (1/2, 1/2) and (1/4, 3/4) are both of class 1.
/// assert!((shares.double_value(&[1, 1]) - 0.625).abs() < 1e-6);
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
///
/// # Errors
/// [`DeepError::Lengths`] for labels of another number than the rows, [`DeepError::InvalidParameter`] for a label that is no
/// class, for no rows, and for a temperature that is not above 0.
pub fn class_relationship(
    logits: &Tensor,
    labels: &[usize],
    n_classes: usize,
    temperature: f64,
) -> Result<Tensor, DeepError> {
    let rows = logits.size().first().copied().unwrap_or(0);
    if rows != labels.len() as i64 {
        return Err(DeepError::Lengths {
            left: "the logits",
            left_len: rows,
            right: "their labels",
            right_len: labels.len() as i64,
        });
    }
    let refuse = |name, value: String, range: String| {
        Err(DeepError::InvalidParameter { name, value, range })
    };
    if labels.is_empty() {
        return refuse("rows", "0".to_owned(), "at least 1".to_owned());
    }
    if let Some(label) = labels.iter().find(|&&label| label >= n_classes) {
        return refuse("labels", label.to_string(), format!("in 0..{n_classes}"));
    }
    if !(temperature > 0.0 && temperature.is_finite()) {
        return refuse(
            "temperature",
            temperature.to_string(),
            "in (0, ∞)".to_owned(),
        );
    }
    let shares = logits
        .f_div_scalar(temperature)?
        .f_softmax(1, Kind::Float)?;
    let over = |rows: &[i64]| -> Result<Tensor, DeepError> {
        let rows = Tensor::f_from_slice(rows)?.f_to_device(shares.device())?;
        let picked = shares.f_index_select(0, &rows)?;
        Ok(picked.f_mean_dim([0_i64].as_slice(), false, Kind::Float)?)
    };
    let all: Vec<i64> = (0..rows).collect();
    let of_class = |class: usize| -> Result<Tensor, DeepError> {
        let own = all.iter().zip(labels).filter(|(_, label)| **label == class);
        let own: Vec<i64> = own.map(|(&row, _)| row).collect();
        over(if own.is_empty() { &all } else { &own })
    };
    let classes = (0..n_classes)
        .map(of_class)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::f_stack(&classes, 0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relationship_is_the_mean_of_the_softened_outputs_of_a_class() {
        let mut rng = translearn_core::seed::rng(1);
        let logits: Vec<Vec<f64>> = (0..7)
            .map(|_| (0..4).map(|_| 2.0 * rng.normal()).collect())
            .collect();
        let labels = [0, 2, 2, 0, 2, 0, 0];
        let tensor = Tensor::from_slice(&logits.concat()).view([7, 4]);
        for temperature in [0.5, 1.0, 3.0] {
            let found = class_relationship(&tensor, &labels, 3, temperature).unwrap();
            assert_eq!(found.size(), [3, 4]);
            let share = |row: &[f64], s: usize| {
                let total: f64 = row.iter().map(|z| (z / temperature).exp()).sum();
                (row[s] / temperature).exp() / total
            };
            for class in 0..3 {
                // Class 1 has no row.
                let own = |row: &usize| class == 1 || labels[*row] == class;
                let rows: Vec<usize> = (0..7).filter(own).collect();
                for s in 0..4 {
                    let sum: f64 = rows.iter().map(|&row| share(&logits[row], s)).sum();
                    let expected = sum / rows.len() as f64;
                    let at = found.double_value(&[class as i64, s as i64]);
                    assert!((at - expected).abs() < 1e-6, "{at} for {expected}");
                }
            }
        }
    }

    #[test]
    fn nonsense_is_refused_with_both_sides() {
        let logits = Tensor::zeros([2, 3], (Kind::Float, tch::Device::Cpu));
        let says = |labels: &[usize], temperature, words: &str| {
            let error = class_relationship(&logits, labels, 2, temperature);
            let error = error.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        says(&[0], 1.0, "2");
        says(&[0, 5], 1.0, "`labels` is 5");
        says(&[0, 1], 0.0, "`temperature` is 0");
        says(&[0, 1], f64::NAN, "`temperature` is NaN");
        let none = Tensor::zeros([0, 3], (Kind::Float, tch::Device::Cpu));
        let error = class_relationship(&none, &[], 2, 1.0).unwrap_err();
        assert!(error.to_string().contains("`rows` is 0"), "{error}");
    }
}
