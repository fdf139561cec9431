//! Images contrasted with images seen before: the keys that a second network makes of them, and the loss.

use std::cell::RefCell;
use std::collections::VecDeque;

use tch::{Kind, Tensor};

use super::domains::features;
use super::recipe::{Recipe, Seen};
use super::tuning::Regulariser;
use crate::freeze::covers;
use crate::train::{Group, Losses};
use crate::{DeepError, InputShape, Network, Pass, Sequence, Weight};

/// The mean over rows of `− 1/|P| Σ_{k ∈ P} log softmax(scores)_k`, with the places `P` of a row that are true in `positive`;
/// both are `[n, m]`.
///
/// ```
/// use tch::Tensor;
/// use translearn_deep::methods::contrast;
///
/// let scores = Tensor::from_slice2(&[[0.0_f64, 0.0, 0.0, 0.0]]);
/// let positive = Tensor::from_slice2(&[[true, true, false, false]]);
/// // All alike: a quarter each.
/// assert!((contrast(&scores, &positive)?.double_value(&[]) - 4.0_f64.ln()).abs() < 1e-12);
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
///
/// # Errors
/// [`DeepError::Torch`] for other shapes. A row without a true place has no value.
pub fn contrast(scores: &Tensor, positive: &Tensor) -> Result<Tensor, DeepError> {
    let chances = scores.f_log_softmax(1, scores.kind())?;
    let counted = positive.f_to_kind(scores.kind())?;
    let sums =
        chances
            .f_mul(&counted)?
            .f_sum_dim_intlist([1_i64].as_slice(), false, scores.kind())?;
    let counts = counted.f_sum_dim_intlist([1_i64].as_slice(), false, scores.kind())?;
    Ok(sums.f_div(&counts)?.f_mean(scores.kind())?.f_neg()?)
}

/// What a key is made of, a row each: normalised features with a one behind, and the normalised projection.
struct Encoded {
    features: Tensor,
    projection: Tensor,
}

/// How keys are made and what they weigh.
pub(super) struct Settings {
    /// Keys kept of each class.
    pub(super) most: usize,
    /// Share of the second network's weights that stays in a step.
    pub(super) momentum: f64,
    pub(super) temperature: f64,
    /// Width of the projection.
    pub(super) projection: i64,
    /// Weight of each contrast.
    pub(super) lambda: f64,
}

/// A second network, and the keys it made of images seen before.
pub(super) struct Keys {
    layer: String,
    /// The head's weights and bias in the network that learns.
    head: (Weight, Option<Weight>),
    projector: Network,
    second: Network,
    second_projector: Network,
    /// The network that learns, tensor by tensor as the second.
    learning: Vec<Tensor>,
    /// The last keys of each class.
    kept: RefCell<Vec<VecDeque<Encoded>>>,
    settings: Settings,
}

impl Keys {
    /// A second network that is the first one now.
    pub(super) fn new(
        recipe: &Recipe,
        network: &Network,
        settings: Settings,
    ) -> Result<Self, DeepError> {
        let layer = recipe.layer(None).to_owned();
        let width = recipe.width_of(network, &layer)?;
        let head = head_of(network, width)?;
        let project = || {
            let (input, seed) = (InputShape::Rows { width }, recipe.seed(&["projector"]));
            Network::build("projector", input, recipe.device(), seed, |scope| {
                Ok(Sequence::new().then(scope.linear("fc", width, settings.projection)?))
            })
        };
        let (projector, second_projector) = (project()?, project()?);
        let second = recipe.network()?;
        let learning = network
            .base()
            .chain(projector.base())
            .map(|(_, parameter)| parameter.tensor.shallow_clone())
            .collect();
        Ok(Self {
            layer,
            head,
            projector,
            second,
            second_projector,
            learning,
            kept: RefCell::default(),
            settings,
        })
    }

    /// Moves the second network towards the first.
    fn follow(&self) -> Result<(), DeepError> {
        let second = self.second.base().chain(self.second_projector.base());
        tch::no_grad(|| {
            for ((_, parameter), now) in second.zip(&self.learning) {
                let mut then = parameter.tensor.shallow_clone();
                let moved = then
                    .f_mul_scalar(self.settings.momentum)?
                    .f_add(&now.f_mul_scalar(1.0 - self.settings.momentum)?)?;
                then.f_copy_(&moved)?;
            }
            Ok(())
        })
    }

    /// The keys of images.
    fn keys_of(&self, images: &Tensor) -> Result<Encoded, DeepError> {
        tch::no_grad(|| {
            let taken = self.second.outputs_of(images, &[&self.layer])?;
            encode(
                &features(taken.into_iter().next(), &self.layer)?,
                &self.second_projector,
            )
        })
    }

    /// `[k, width + 1]`: weights and bias of the head, normalised by class.
    fn head(&self, width: i64, pass: &Pass) -> Result<Tensor, DeepError> {
        let weights = pass.value(&self.head.0);
        let weights = matrix(weights, width)?;
        let bias = match &self.head.1 {
            Some(bias) => pass.value(bias).f_view([-1, 1])?,
            None => Tensor::f_zeros([weights.size()[0], 1], (weights.kind(), weights.device()))?,
        };
        normalised(&Tensor::f_cat(&[weights, bias], 1)?)
    }
}

impl Regulariser for Keys {
    fn groups(&self, recipe: &Recipe, pretrained_rate: f64) -> Result<Vec<Group>, DeepError> {
        Ok(vec![recipe.group(
            "projector",
            &self.projector,
            |_| true,
            pretrained_rate,
        )?])
    }

    fn pass(&self, pass: Pass) -> Result<Pass, DeepError> {
        Ok(pass.tap([&*self.layer]))
    }

    fn add(&self, losses: Losses, seen: &Seen, pass: &mut Pass) -> Result<Losses, DeepError> {
        let taken = features(pass.taken(&self.layer), &self.layer)?;
        let width = taken.size().last().copied().unwrap_or(0);
        let query = encode(&taken, &self.projector)?;
        let Settings {
            temperature,
            lambda,
            most,
            ..
        } = self.settings;
        self.follow()?;
        let own = self.keys_of(&seen.images)?;
        let classes = seen.targets.f_argmax(1, false)?;
        let mut kept = self.kept.borrow_mut();
        kept.resize_with(seen.targets.size()[1] as usize, VecDeque::new);

        // [n, 1 + m]: an image's own place, then the keys that were kept, with what makes them its own class.
        let with_own = |own: &Tensor, others: Option<Tensor>| -> Result<Tensor, DeepError> {
            let own = own.f_unsqueeze(1)?;
            match others {
                None => Ok(own),
                Some(others) => Ok(Tensor::f_cat(&[own, others], 1)?),
            }
        };
        let stack = |of: fn(&Encoded) -> &Tensor| -> Result<Option<Tensor>, DeepError> {
            let rows: Vec<&Tensor> = kept.iter().flatten().map(of).collect();
            match rows.is_empty() {
                true => Ok(None),
                false => Ok(Some(Tensor::f_stack(&rows, 0)?.f_tr()?)),
            }
        };
        let class_of_kept: Vec<i64> = (0..)
            .zip(&*kept)
            .flat_map(|(class, keys)| vec![class; keys.len()])
            .collect();
        let class_of_kept = Tensor::f_from_slice(&class_of_kept)?.f_to_device(classes.device())?;
        let same = classes.f_unsqueeze(1)?.f_eq_tensor(&class_of_kept)?;
        let positive = with_own(&classes.f_ones_like()?.f_to_kind(Kind::Bool)?, Some(same))?;

        let times = |rows: &Tensor, keys: Option<Tensor>| -> Result<Option<Tensor>, DeepError> {
            Ok(keys.map(|keys| rows.f_matmul(&keys)).transpose()?)
        };
        let dot = |a: &Tensor, b: &Tensor| -> Result<Tensor, DeepError> {
            Ok(a.f_mul(b)?
                .f_sum_dim_intlist([1_i64].as_slice(), false, a.kind())?)
        };
        let in_projection = with_own(
            &dot(&query.projection, &own.projection)?,
            times(&query.projection, stack(|key| &key.projection)?)?,
        )?;
        let of_class = self.head(width, pass)?.f_index_select(0, &classes)?;
        let at_head = with_own(
            &dot(&of_class, &query.features)?,
            times(&of_class, stack(|key| &key.features)?)?,
        )?;
        let loss = |scores: Tensor| contrast(&scores.f_div_scalar(temperature)?, &positive);
        let losses = losses.with("contrast", lambda, loss(in_projection)?).with(
            "contrast at head",
            lambda,
            loss(at_head)?,
        );

        let classes = Vec::<i64>::try_from(&classes.f_to_device(tch::Device::Cpu)?)?;
        for (row, class) in (0..).zip(classes) {
            let keys = &mut kept[class as usize];
            if keys.len() == most {
                keys.pop_front();
            }
            keys.push_back(Encoded {
                features: own.features.f_get(row)?,
                projection: own.projection.f_get(row)?,
            });
        }
        Ok(losses)
    }
}

fn encode(features: &Tensor, projector: &Network) -> Result<Encoded, DeepError> {
    let projection = projector.forward(features, &mut Pass::eval())?;
    let one = Tensor::f_ones(
        [features.size()[0], 1],
        (features.kind(), features.device()),
    )?;
    Ok(Encoded {
        features: normalised(&Tensor::f_cat(&[features, &one], 1)?)?,
        projection: normalised(&projection)?,
    })
}

/// Rows of length 1; a row of zeros stays.
fn normalised(rows: &Tensor) -> Result<Tensor, DeepError> {
    let squares = rows
        .f_square()?
        .f_sum_dim_intlist([1_i64].as_slice(), true, rows.kind())?;
    Ok(rows.f_div(&squares.f_sqrt()?.f_clamp_min(1e-12)?)?)
}

/// Weights and bias of a head that is one matrix above features of this width.
fn head_of(network: &Network, width: i64) -> Result<(Weight, Option<Weight>), DeepError> {
    let head = network.head();
    let tensors: Vec<(&str, &Tensor)> = network
        .base()
        .filter(|(name, _)| covers(head, name))
        .map(|(name, parameter)| (name, &parameter.tensor))
        .collect();
    let weight = |&(name, tensor): &(&str, &Tensor)| Weight::new(name, tensor.shallow_clone());
    let refused = || DeepError::InvalidParameter {
        name: "backbone",
        value: network.name().to_owned(),
        range: format!(
            "a network whose head `{head}` is one matrix above features of its width, {width} here"
        ),
    };
    match tensors.as_slice() {
        [weights] | [weights, _] => {
            let _fits = matrix(weights.1, width).map_err(|_| refused())?;
            Ok((weight(weights), tensors.get(1).map(weight)))
        }
        _ => Err(refused()),
    }
}

/// `[k, width]` of the weights of a layer without extent: `[k, width]` itself, a convolution `[k, width, 1, 1]`, or Keras's
/// `[1, 1, width, k]`.
fn matrix(weights: &Tensor, width: i64) -> Result<Tensor, DeepError> {
    match weights.size().as_slice() {
        [_, columns] | [_, columns, 1, 1] if *columns == width => Ok(weights.f_view([-1, width])?),
        [1, 1, rows, _] if *rows == width => Ok(weights.f_view([width, -1])?.f_tr()?),
        other => Err(DeepError::InputShape {
            network: "a head".to_owned(),
            expected: format!("weights for features of width {width}"),
            found: other.to_vec(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::backbones;

    #[test]
    fn the_loss_is_that_of_the_formula_and_its_gradient_that_of_finite_differences() {
        let values = [
            [0.3, -1.2, 2.0, 0.1],
            [1.0, 0.4, -0.7, 0.2],
            [0.0, 3.0, 1.0, -2.0],
        ];
        let positive = [
            [true, false, true, false],
            [true, false, false, false],
            [true, true, true, true],
        ];
        let naive = |values: &[[f64; 4]; 3]| {
            let mut total = 0.0;
            for (row, places) in values.iter().zip(&positive) {
                let all: f64 = row.iter().map(|score| score.exp()).sum();
                let chosen: Vec<f64> = row
                    .iter()
                    .zip(places)
                    .filter(|(_, is)| **is)
                    .map(|(score, _)| (score.exp() / all).ln())
                    .collect();
                total -= chosen.iter().sum::<f64>() / chosen.len() as f64;
            }
            total / 3.0
        };
        let scores = Tensor::from_slice2(&values).set_requires_grad(true);
        let loss = contrast(&scores, &Tensor::from_slice2(&positive)).unwrap();
        assert!((loss.double_value(&[]) - naive(&values)).abs() < 1e-12);
        loss.backward();
        for (i, j) in [(0, 1), (1, 0), (2, 3)] {
            let shifted = |by: f64| {
                let mut values = values;
                values[i][j] += by;
                naive(&values)
            };
            let slope = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            let found = scores.grad().double_value(&[i as i64, j as i64]);
            assert!((found - slope).abs() < 1e-9, "{found} for {slope}");
        }
    }

    #[test]
    fn heads_of_every_layout_are_one_matrix() {
        let weights = Tensor::arange(6, (Kind::Float, Device::Cpu));
        let expected = weights.view([2, 3]);
        for (shape, values) in [
            (vec![2, 3], weights.shallow_clone()),
            (vec![2, 3, 1, 1], weights.shallow_clone()),
            (vec![1, 1, 3, 2], expected.tr().contiguous().view([6])),
        ] {
            assert_eq!(
                matrix(&values.view(&*shape), 3).unwrap(),
                expected,
                "{shape:?}"
            );
        }
        assert!(matrix(&weights.view([3, 2]), 3).is_err());
        // What makes the logits is what the contrast takes for the head.
        for (name, side) in [("small-cnn", 16), ("mobilenet-v1-0.25", 32)] {
            let network = backbones::find(name)
                .unwrap()
                .build(3, Device::Cpu, 1)
                .unwrap();
            let mut shape = network.input().batch(2);
            (shape[2], shape[3]) = (side, side);
            let x = Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu))
                .sin()
                .view(&*shape);
            let layer = backbones::find(name).unwrap().feature_layer;
            let below = network
                .outputs_of(&x, &[layer])
                .unwrap()
                .remove(0)
                .flatten(1, -1);
            let (weights, bias) = head_of(&network, below.size()[1]).unwrap();
            let weights = matrix(weights.tensor(), below.size()[1]).unwrap();
            let logits = below.matmul(&weights.tr()) + bias.unwrap().tensor();
            let expected = network.forward(&x, &mut Pass::eval()).unwrap();
            assert!(logits.allclose(&expected, 1e-4, 1e-5, false), "{name}");
        }
        let network = backbones::find("small-cnn")
            .unwrap()
            .build(3, Device::Cpu, 1)
            .unwrap();
        let error = head_of(&network, 7).unwrap_err().to_string();
        assert!(
            error.contains("`fc2`") && error.contains("7 here"),
            "{error}"
        );
    }
}
