//! Feature maps, and what each of their channels counts for a task.

use indexmap::IndexSet;
use tch::{Kind, Tensor};
use translearn_core::seed;

use super::recipe::Recipe;
use super::tuning::{Phase, Tuning};
use crate::train::{Batch, Examples, Pick};
use crate::{DeepError, Freeze, Layer, Network, Pass, cross_entropy};

/// What the standardised rises of the loss are divided by.
const SOFTENED: f64 = 5.0;

/// A layer whose maps are compared, and the importance of its channels, which sums to 1.
pub(super) struct Map {
    pub(super) layer: String,
    pub(super) importance: Tensor,
}

/// The layers whose maps are compared.
pub(super) struct Maps(Vec<Map>);

impl Maps {
    /// The layers that are named, or the last maps of each size, all channels alike.
    pub(super) fn find(
        recipe: &Recipe,
        network: &Network,
        named: Option<&str>,
    ) -> Result<Self, DeepError> {
        let blank = recipe.blank(network)?;
        let layers = match named {
            Some(names) => distinct(
                names
                    .split_whitespace()
                    .map(|name| recipe.layer(Some(name))),
            )?,
            None => {
                last_maps(network, &blank)?.unwrap_or_else(|| vec![recipe.layer(None).to_owned()])
            }
        };
        let names: Vec<&str> = layers.iter().map(String::as_str).collect();
        let outputs = network.outputs_of(&blank, &names)?;
        let maps = layers.into_iter().zip(outputs).map(|(layer, output)| {
            let n = by_channel(&output)?.size()[1];
            let alike = Tensor::f_full([n], 1.0 / n as f64, (Kind::Float, recipe.device()))?;
            Ok(Map {
                layer,
                importance: alike,
            })
        });
        Ok(Self(maps.collect::<Result<_, DeepError>>()?))
    }

    /// With the importance of each channel for the task, seen by the network `start` with a head that is trained alone on
    /// features that stay.
    pub(super) fn weighed(
        mut self,
        tuning: &Tuning<'_>,
        start: &Network,
        probe_epochs: u64,
        rows: usize,
    ) -> Result<Self, DeepError> {
        let recipe = tuning.recipe;
        let probe = recipe.network()?;
        probe.freeze(&Freeze::AllBut(vec![start.head().to_owned()]))?;
        let phase = Phase {
            name: "importance",
            epochs: probe_epochs,
            new: 1.0,
        };
        tuning.train(&probe, &phase, None)?;
        let source = &tuning.domains.source;
        let examples = recipe.examples(source)?;
        let order = seed::rng(recipe.seed(&["importance"])).permutation(examples.len());
        let picked: Vec<usize> = order.into_iter().take(rows).collect();
        let batches = picked
            .chunks(recipe.params.batch_size)
            .map(|rows| examples.batch(&Pick::plain(rows.iter().copied())))
            .collect::<Result<Vec<_>, _>>()?;
        for map in &mut self.0 {
            map.importance = importance(&probe, map, &batches)?;
        }
        Ok(self)
    }

    pub(super) fn layers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|map| map.layer.as_str())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Map> {
        self.0.iter()
    }
}

/// The layers that are named, each once.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<String>, DeepError> {
    let layers: IndexSet<String> = names.map(str::to_owned).collect();
    if layers.is_empty() {
        return Err(DeepError::InvalidParameter {
            name: "layers",
            value: "blank".to_owned(),
            range: "at least one layer, or null".to_owned(),
        });
    }
    Ok(layers.into_iter().collect())
}

/// The last layer with maps of each height and width, from input to output; `None` where there are fewer than two sizes.
fn last_maps(network: &Network, blank: &Tensor) -> Result<Option<Vec<String>>, DeepError> {
    let mut pass = Pass::eval().tap(network.layers());
    let _output = tch::no_grad(|| network.forward(blank, &mut pass))?;
    let mut last: Vec<(Vec<i64>, &String)> = Vec::new();
    for layer in network.layers() {
        let Some(output) = pass.taken(layer) else {
            continue;
        };
        let shape = output.size();
        let [_, _, height, width] = shape.as_slice() else {
            continue;
        };
        if height * width > 1 {
            let size = vec![*height, *width];
            last.retain(|(other, _)| *other != size);
            last.push((size, layer));
        }
    }
    let layers = last.into_iter().map(|(_, layer)| layer.clone()).collect();
    Ok(Some(layers).filter(|layers: &Vec<String>| layers.len() > 1))
}

/// An output as `[n, channels, places]`: images by pixels, tokens by place, vectors as channels of one place.
fn by_channel(output: &Tensor) -> Result<Tensor, DeepError> {
    Ok(match output.dim() {
        0 | 1 => {
            return Err(DeepError::unknown(
                "channels in",
                "an output of one axis",
                [],
            ));
        }
        2 => output.f_unsqueeze(2)?,
        3 => output.f_transpose(1, 2)?,
        _ => output.f_flatten(2, -1)?,
    })
}

/// `1/(2n) Σᵢ c/p Σ_j w_j ‖F_ij − G_ij‖²` of two outputs `F` and `G` of a layer with `c` channels of `p` places: `[n, c, h, w]`,
/// `[n, p, c]` or `[n, c]`. `importance` are the `w`, `[c]`. A layer of [`DeltaParams`](super::DeltaParams).
///
/// ```
/// use tch::Tensor;
/// use translearn_deep::methods::feature_map_distance;
///
/// let now = Tensor::from_slice2(&[[1.0, 0.0], [0.0, 2.0]]);
/// let weights = Tensor::from_slice(&[0.25, 0.75]);
/// // Half the mean over two rows of 2 · (0.25 · 1) and 2 · (0.75 · 4).
/// let distance = feature_map_distance(&now, &now.zeros_like(), &weights)?;
/// assert_eq!(distance.double_value(&[]), 1.625);
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
///
/// # Errors
/// [`DeepError::InputShape`] for outputs of other shapes or another number of channels, [`DeepError::Unknown`] for outputs of
/// fewer than two axes.
pub fn feature_map_distance(
    now: &Tensor,
    then: &Tensor,
    importance: &Tensor,
) -> Result<Tensor, DeepError> {
    let other = |expected: String, found: &Tensor| DeepError::InputShape {
        network: "feature_map_distance".to_owned(),
        expected,
        found: found.size(),
    };
    if now.size() != then.size() {
        return Err(other(format!("two outputs {:?}", now.size()), then));
    }
    let difference = by_channel(&now.f_sub(then)?)?;
    let shape = difference.size();
    let (rows, channels, places) = (shape[0], shape[1], shape[2]);
    if importance.size() != [channels] {
        return Err(other(format!("importance [{channels}]"), importance));
    }
    let squares =
        difference
            .f_square()?
            .f_sum_dim_intlist([0_i64, 2].as_slice(), false, None::<Kind>)?;
    let factor = channels as f64 / (2.0 * (rows * places).max(1) as f64);
    Ok(squares
        .f_mul(importance)?
        .f_sum(squares.kind())?
        .f_mul_scalar(factor)?)
}

/// `softmax(z / 5)` of the rises of the mean loss when one channel after the other is zero, standardised over the layer.
fn importance(network: &Network, map: &Map, batches: &[Batch]) -> Result<Tensor, DeepError> {
    let channels = map.importance.size()[0];
    let rises = (0..channels)
        .map(|channel| loss_without(network, &map.layer, channel, batches))
        .collect::<Result<Vec<_>, _>>()?;
    weights_of(&Tensor::f_from_slice(&rises)?.f_to_device(network.device())?)
}

/// The importance of channels by the losses without them; what is the same for all of them does not count.
fn weights_of(losses: &Tensor) -> Result<Tensor, DeepError> {
    let centred = losses.f_sub(&losses.f_mean(losses.kind())?)?;
    let deviation = centred
        .f_square()?
        .f_mean(losses.kind())?
        .f_sqrt()?
        .f_clamp_min(f64::from(f32::MIN_POSITIVE))?;
    let standardised = centred.f_div(&deviation)?.f_div_scalar(SOFTENED)?;
    Ok(standardised.f_softmax(0, Kind::Float)?)
}

/// The sum of the losses of rows when a channel of a layer is zero.
fn loss_without(
    network: &Network,
    layer: &str,
    channel: i64,
    batches: &[Batch],
) -> Result<f64, DeepError> {
    tch::no_grad(|| {
        let mut total = 0.0;
        for batch in batches {
            let mut pass = Pass::eval();
            pass.put_behind(layer, Box::new(Without { channel }));
            let logits = network.forward(&batch.x, &mut pass)?;
            let loss = cross_entropy(&logits, batch.labels()?)?;
            total += loss.f_double_value(&[])? * batch.n_rows() as f64;
        }
        Ok(total)
    })
}

/// An output without one of its channels.
#[derive(Debug)]
struct Without {
    channel: i64,
}

impl Layer for Without {
    fn forward(&self, y: &Tensor, _: &mut Pass) -> Result<Tensor, DeepError> {
        let axis = if y.dim() == 3 { 2 } else { 1 };
        let channel = Tensor::f_from_slice(&[self.channel])?.f_to_device(y.device())?;
        Ok(y.f_index_fill(axis, &channel, 0.0)?)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::backbones;

    fn draw(shape: &[i64], seed: u64) -> Tensor {
        let mut rng = seed::rng(seed);
        let n = shape.iter().product::<i64>();
        let values: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        Tensor::from_slice(&values).view(shape)
    }

    /// The formula, number by number.
    fn naive(now: &Tensor, then: &Tensor, importance: &[f64]) -> f64 {
        let shape = now.size();
        let (n, c, h, w) = (shape[0], shape[1], shape[2], shape[3]);
        let mut total = 0.0;
        for i in 0..n {
            for (j, weight) in (0..c).zip(importance) {
                for place in 0..h * w {
                    let at = [i, j, place / w, place % w];
                    total += weight * (now.double_value(&at) - then.double_value(&at)).powi(2);
                }
            }
        }
        0.5 * total * c as f64 / (h * w) as f64 / n as f64
    }

    #[test]
    fn the_distance_is_that_of_the_formula_and_its_gradient_that_of_finite_differences() {
        let shape = [3, 4, 2, 5];
        let (now, then) = (draw(&shape, 1), draw(&shape, 2));
        let weights = [0.1, 0.2, 0.3, 0.4];
        let importance = Tensor::from_slice(&weights);
        let leaf = now.copy().set_requires_grad(true);
        let loss = feature_map_distance(&leaf, &then, &importance).unwrap();
        assert!((loss.double_value(&[]) - naive(&now, &then, &weights)).abs() < 1e-12);
        loss.backward();
        for at in [[0, 0, 0, 0], [1, 3, 1, 2], [2, 2, 0, 4]] {
            let value = |by: f64| {
                let moved = now.copy();
                let mut entry = moved.get(at[0]).get(at[1]).get(at[2]).get(at[3]);
                let _same = entry.fill_(now.double_value(&at) + by);
                naive(&moved, &then, &weights)
            };
            let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
            let found = leaf.grad().double_value(&at);
            assert!((found - slope).abs() < 1e-8, "{found} for {slope}");
        }
        // Tokens, whose channels stand last, and vectors, of one place.
        let tokens = |x: &Tensor| x.flatten(2, -1).transpose(1, 2);
        let same = feature_map_distance(&tokens(&now), &tokens(&then), &importance).unwrap();
        assert!((same.double_value(&[]) - loss.double_value(&[])).abs() < 1e-12);
        let vectors = |x: &Tensor| x.select(3, 0).select(2, 0);
        let of_one = |x: &Tensor| x.narrow(3, 0, 1).narrow(2, 0, 1);
        let found = feature_map_distance(&vectors(&now), &vectors(&then), &importance).unwrap();
        let expected = naive(&of_one(&now), &of_one(&then), &weights);
        assert!((found.double_value(&[]) - expected).abs() < 1e-12);
    }

    #[test]
    fn other_shapes_are_refused_with_both_sides() {
        let x = draw(&[2, 3, 2, 2], 1);
        let says = |other: &Tensor, weights: i64, words: [&str; 2]| {
            let error = feature_map_distance(&x, other, &draw(&[weights], 2));
            let error = error.unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        };
        says(&draw(&[2, 3, 2, 1], 3), 3, ["[2, 3, 2, 2]", "[2, 3, 2, 1]"]);
        says(&x, 4, ["[3]", "[4]"]);
        assert!(feature_map_distance(&draw(&[3], 1), &draw(&[3], 2), &draw(&[3], 3)).is_err());
    }

    #[test]
    fn a_channel_counts_by_the_loss_without_it() {
        let losses = [0.3, 0.9, 0.5];
        let mean = losses.iter().sum::<f64>() / 3.0;
        let deviation = (losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
        let powers = losses.map(|l| ((l - mean) / deviation / 5.0).exp());
        let found = weights_of(&Tensor::from_slice(&losses)).unwrap();
        for (j, power) in powers.iter().enumerate() {
            let expected = power / powers.iter().sum::<f64>();
            assert!((found.double_value(&[j as i64]) - expected).abs() < 1e-6);
        }
        let alike = weights_of(&Tensor::from_slice(&[2.0, 2.0])).unwrap();
        assert_eq!(alike, Tensor::from_slice(&[0.5_f32, 0.5]));
    }

    #[test]
    fn the_loss_without_a_channel_is_that_of_a_network_that_lacks_it() {
        let network = backbones::find("small-cnn")
            .unwrap()
            .build(3, Device::Cpu, 1)
            .unwrap();
        let batch = |from: u64, rows: i64| Batch {
            x: draw(&[rows, 1, 16, 16], from).to_kind(Kind::Float),
            labels: Some(Tensor::from_slice(&[0_i64, 1, 2, 1]).narrow(0, 0, rows)),
            weights: None,
        };
        let batches = [batch(1, 4), batch(2, 2)];
        let found = loss_without(&network, "relu3", 5, &batches).unwrap();
        // The head does not see the channel either where its column is zero.
        let mut column = network.parameters()["fc2.weight"].tensor.select(1, 5);
        tch::no_grad(|| {
            let _zero = column.zero_();
        });
        let mut expected = 0.0;
        for batch in &batches {
            let logits = network.forward(&batch.x, &mut Pass::eval()).unwrap();
            let loss = logits.log_softmax(1, Kind::Float).gather(
                1,
                &batch.labels().unwrap().unsqueeze(1),
                false,
            );
            expected -= loss.sum(Kind::Double).double_value(&[]);
        }
        assert!((found - expected).abs() < 1e-5, "{found} for {expected}");
    }

    #[test]
    fn the_last_maps_of_each_size_are_compared() {
        for (name, side, expected) in [
            ("small-cnn", 16, Some(vec!["relu1", "relu2", "avgpool"])),
            (
                "resnet18",
                64,
                Some(vec!["relu", "layer1", "layer2", "layer3", "layer4"]),
            ),
            ("mlp", 0, None),
        ] {
            let network = backbones::find(name)
                .unwrap()
                .build(3, Device::Cpu, 1)
                .unwrap();
            let mut shape = network.input().batch(1);
            if let [_, _, height, width] = shape.as_mut_slice() {
                (*height, *width) = (side, side);
            }
            let found =
                last_maps(&network, &Tensor::zeros(&shape, (Kind::Float, Device::Cpu))).unwrap();
            assert_eq!(
                found,
                expected.map(|layers| layers.into_iter().map(str::to_owned).collect()),
                "{name}"
            );
        }
    }
}
