//! Bottleneck adapters: a narrow perceptron behind a layer.

use tch::Tensor;

use super::spec::at_least_one;
use super::{Adapter, Bottleneck, Maker, targets};
use crate::init::Init;
use crate::{DeepError, Layer, Network, Pass, Weight};

#[derive(Debug, Clone)]
struct Perceptron {
    layer: String,
    /// Whether the second axis is that of the channels, and not the last.
    is_image: bool,
    down: [Weight; 2],
    up: [Weight; 2],
}

pub(super) fn make(
    network: &Network,
    spec: &Bottleneck,
    maker: Maker,
) -> Result<Vec<Box<dyn Adapter>>, DeepError> {
    at_least_one("size", spec.size)?;
    if spec.targets.is_empty() {
        return Err(targets::nothing(network, "layer among `targets`"));
    }
    let mut adapters: Vec<Box<dyn Adapter>> = Vec::new();
    for (layer, output) in targets::outputs(network, &spec.targets)? {
        let shape = output.size();
        let is_image = shape.len() == 4 && !is_linear(network, &layer);
        let width = match shape.as_slice() {
            [_, channels, _, _] if is_image => *channels,
            [_, .., last] => *last,
            _ => return Err(targets::nothing(network, "output with a width")),
        };
        let zero = Init::Constant(0.0);
        let learned = |name: &str, shape: &[i64], init| {
            maker.learned(&format!("{layer}.bottleneck_{name}"), shape, init)
        };
        adapters.push(Box::new(Perceptron {
            is_image,
            down: [
                learned("down", &[spec.size, width], Init::torch_default(width))?,
                learned("down_bias", &[spec.size], zero)?,
            ],
            up: [
                learned("up", &[width, spec.size], zero)?,
                learned("up_bias", &[width], zero)?,
            ],
            layer,
        }));
    }
    Ok(adapters)
}

/// Whether a layer multiplies the last axis by a matrix of its own.
fn is_linear(network: &Network, layer: &str) -> bool {
    network.base().any(|(name, parameter)| {
        let own = name.rsplit_once('.').is_some_and(|(of, _)| of == layer);
        own && parameter.tensor.dim() == 2
    })
}

impl Adapter for Perceptron {
    fn kind(&self) -> &'static str {
        "bottleneck"
    }

    fn tensors(&self) -> Vec<&Weight> {
        self.down.iter().chain(&self.up).collect()
    }

    fn prepare(&self, pass: &mut Pass) -> Result<(), DeepError> {
        pass.put_behind(&self.layer, Box::new(self.clone()));
        Ok(())
    }
}

impl Layer for Perceptron {
    fn forward(&self, y: &Tensor, _: &mut Pass) -> Result<Tensor, DeepError> {
        let rows = if self.is_image {
            y.f_movedim_int(1, -1)?
        } else {
            y.shallow_clone()
        };
        let linear = |x: &Tensor, [weight, bias]: &[Weight; 2]| {
            x.f_linear(weight.tensor(), Some(bias.tensor()))
        };
        let hidden = linear(&rows, &self.down)?.f_gelu("none")?;
        let change = linear(&hidden, &self.up)?;
        let change = if self.is_image {
            change.f_movedim_int(-1, 1)?
        } else {
            change
        };
        Ok(y.f_add(&change)?)
    }
}
