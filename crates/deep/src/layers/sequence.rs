//! Layers one after the other, and layers from a function.

use std::fmt;

use tch::Tensor;

use crate::{DeepError, Layer, Named, Pass};

/// Layers one after the other.
#[derive(Debug, Default)]
pub struct Sequence(Vec<Named>);

impl Sequence {
    /// No layer: what comes in goes out.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another layer at the end.
    #[must_use]
    pub fn then(mut self, layer: Named) -> Self {
        self.0.push(layer);
        self
    }

    /// Adds a layer at the end.
    pub fn push(&mut self, layer: Named) {
        self.0.push(layer);
    }

    /// Number of layers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no layer.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Layer for Sequence {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let mut layers = self.0.iter();
        let Some(first) = layers.next() else {
            return Ok(x.shallow_clone());
        };
        let y = first.forward(x, pass)?;
        layers.try_fold(y, |y, layer| layer.consume(y, pass))
    }

    fn consume(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        self.0.iter().try_fold(x, |y, layer| layer.consume(y, pass))
    }
}

/// A layer from a function of the input and the pass: for what occurs in one network only.
pub struct Func<F>(pub F);

impl<F> fmt::Debug for Func<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Func")
    }
}

impl<F> Layer for Func<F>
where
    F: Fn(&Tensor, &mut Pass) -> Result<Tensor, DeepError> + Send,
{
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        (self.0)(x, pass)
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::layers::{Activation, ConvParams, Dropout, Residual};
    use crate::{InputShape, Network};

    const INPUT: InputShape = InputShape::Image {
        channels: 3,
        size: 6,
        least: 1,
    };

    fn images() -> Tensor {
        let n = 2 * 3 * 6 * 6;
        let values: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin()).collect();
        Tensor::from_slice(&values).view([2, 3, 6, 6])
    }

    /// Every way in which an activation comes to its input.
    fn network() -> Network {
        Network::build("tiny", INPUT, Device::Cpu, 3, |scope| {
            let relu = |name: &str| scope.enter(name).layer(Activation::Relu);
            let body = scope.enter("body");
            let branch = Sequence::new()
                .then(relu("relu2"))
                .then(scope.conv2d("conv2", 4, 4, ConvParams::square(1))?)
                .then(scope.batch_norm("bn2", 4)?);
            Ok(Sequence::new()
                .then(relu("relu0"))
                .then(
                    body.layer(
                        Sequence::new()
                            .then(body.conv2d("conv", 3, 4, ConvParams::square(3))?)
                            .then(body.batch_norm("bn", 4)?),
                    ),
                )
                .then(scope.enter("drop").layer(Dropout { p: 0.5 }))
                .then(scope.enter("relu1").layer(Activation::Relu6))
                .then(scope.enter("block").layer(Residual::new(branch)))
                .then(scope.enter("sigmoid").layer(Activation::Sigmoid))
                .then(relu("relu3")))
        })
        .unwrap()
    }

    /// The same, each step in memory of its own; named as the layers.
    fn naive(network: &Network, x: &Tensor) -> Vec<(&'static str, Tensor)> {
        let get = |name: &str| &network.parameters()[name].tensor;
        let norm = |x: &Tensor, name: &str| {
            let get = |part: &str| get(&format!("{name}.{part}")).shallow_clone();
            x.batch_norm(
                Some(get("weight")),
                Some(get("bias")),
                Some(get("running_mean")),
                Some(get("running_var")),
                false,
                0.1,
                1e-5,
                true,
            )
        };
        let relu0 = x.relu();
        let conv = relu0.conv2d(get("body.conv.weight"), None::<Tensor>, 1, 0, 1, 1);
        let bn = norm(&conv, "body.bn");
        let relu1 = bn.clamp(0.0, 6.0);
        let relu2 = relu1.relu();
        let conv2 = relu2.conv2d(get("conv2.weight"), None::<Tensor>, 1, 0, 1, 1);
        let bn2 = norm(&conv2, "bn2");
        let block = &relu1 + &bn2;
        let sigmoid = block.sigmoid();
        let relu3 = sigmoid.relu();
        vec![
            ("relu0", relu0),
            ("body.conv", conv),
            ("body.bn", bn),
            ("relu1", relu1),
            ("relu2", relu2),
            ("bn2", bn2),
            ("block", block),
            ("sigmoid", sigmoid),
            ("relu3", relu3),
        ]
    }

    #[test]
    fn layers_overwrite_nothing_that_is_seen() {
        let network = network();
        let x = images();
        let before = x.copy();
        let expected = tch::no_grad(|| naive(&network, &x));
        assert!(
            expected[2].1.min().double_value(&[]) < 0.0,
            "there is something to overwrite"
        );
        let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        let together = network.outputs_of(&x, &names).unwrap();
        for ((name, expected), together) in expected.iter().zip(&together) {
            assert_eq!(together, expected, "{name} among all");
            let alone = &network.outputs_of(&x, &[name]).unwrap()[0];
            assert_eq!(alone, expected, "{name} alone");
            assert_eq!(x, before, "the images, with {name}");
        }
    }

    #[test]
    fn gradients_are_those_of_layers_that_overwrite_nothing() {
        let gradients = |forward: fn(&Network, &Tensor) -> Tensor| {
            let network = network();
            let y = forward(&network, &images());
            (&y * &y).sum(Kind::Float).backward();
            ["body.conv.weight", "body.bn.bias", "conv2.weight"]
                .map(|name| network.parameters()[name].tensor.grad())
        };
        let ours = gradients(|network, x| network.forward(x, &mut Pass::eval()).unwrap());
        let expected = gradients(|network, x| {
            let mut steps = naive(network, x);
            steps.pop().unwrap().1
        });
        for (found, expected) in ours.iter().zip(&expected) {
            assert!(expected.abs().max().double_value(&[]) > 1e-4);
            assert_eq!(found, expected);
        }
    }
}
