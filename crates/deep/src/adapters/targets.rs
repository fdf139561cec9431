//! Which layers get an adapter.

use tch::{Kind, Tensor};

use crate::freeze::{any_covers, covers};
use crate::{DeepError, Network, Parameter, Role, Weight};

/// A linear or convolution layer: its matrix, its bias where there is one.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) layer: String,
    pub(super) weight: Weight,
    pub(super) bias: Option<Weight>,
}

/// The linear and convolution layers that are named, or all but the head.
pub(super) fn matrices(network: &Network, targets: &[String]) -> Result<Vec<Target>, DeepError> {
    let candidates: Vec<Target> = network
        .base()
        .filter_map(|(name, parameter)| target(network, name, parameter))
        .collect();
    let known = || candidates.iter().map(|target| target.layer.as_str());
    if let Some(unmatched) = targets
        .iter()
        .find(|pattern| !known().any(|layer| covers(pattern, layer)))
    {
        let what = "linear or convolution layer";
        return Err(DeepError::unknown(what, unmatched, known()));
    }
    let head = network.head();
    let chosen: Vec<Target> = candidates
        .into_iter()
        .filter(|target| match targets {
            [] => target.layer != head,
            named => any_covers(named, &target.layer),
        })
        .collect();
    if chosen.is_empty() {
        return Err(nothing(network, "linear or convolution layer but the head"));
    }
    Ok(chosen)
}

/// The layer of a tensor, when that is the matrix of a layer that is computed with.
fn target(network: &Network, name: &str, parameter: &Parameter) -> Option<Target> {
    let (layer, _) = name.rsplit_once('.')?;
    let is_matrix = parameter.role == Role::Weight && [2, 4].contains(&parameter.tensor.dim());
    // Inception's second classifier has tensors, but no layer.
    let is_layer = network.layers().iter().any(|known| known == layer);
    if !(is_matrix && is_layer) {
        return None;
    }
    let outputs = parameter.tensor.size()[0];
    let bias = network.base().find(|(other, p)| {
        let together = other.rsplit_once('.').is_some_and(|(of, _)| of == layer);
        together && is_bias(other) && p.tensor.size() == [outputs]
    });
    let weight = |name: &str, p: &Parameter| Weight::new(name, p.tensor.shallow_clone());
    Some(Target {
        layer: layer.to_owned(),
        weight: weight(name, parameter),
        bias: bias.map(|(name, p)| weight(name, p)),
    })
}

/// Whether a tensor is the summand of a layer: `bias`, `in_proj_bias`, Keras's `beta`.
pub(super) fn is_bias(name: &str) -> bool {
    name.ends_with("bias") || name.ends_with(".beta")
}

/// Refuses a network without biases.
pub(super) fn check_biases(network: &Network) -> Result<(), DeepError> {
    if network.base().any(|(name, _)| is_bias(name)) {
        return Ok(());
    }
    Err(nothing(network, "bias"))
}

/// The layers that are named in full, with their outputs for one blank input.
pub(super) fn outputs(
    network: &Network,
    targets: &[String],
) -> Result<Vec<(String, Tensor)>, DeepError> {
    let known = || network.layers().iter().map(String::as_str);
    let parts = |name: &str| name.split('.').count();
    let whole =
        |pattern: &str, layer: &str| covers(pattern, layer) && parts(pattern) == parts(layer);
    if let Some(unmatched) = targets
        .iter()
        .find(|pattern| !known().any(|layer| whole(pattern, layer)))
    {
        return Err(DeepError::unknown("layer", unmatched, known()));
    }
    let chosen: Vec<&str> = known()
        .filter(|layer| targets.iter().any(|pattern| whole(pattern, layer)))
        .collect();
    let blank = Tensor::f_zeros(network.input().batch(1), (Kind::Float, network.device()))?;
    let outputs = network.outputs_of(&blank, &chosen)?;
    let names = chosen.into_iter().map(str::to_owned);
    Ok(names.zip(outputs).collect())
}

pub(super) fn nothing(network: &Network, wanted: &'static str) -> DeepError {
    DeepError::NothingToAdapt {
        network: network.name().to_owned(),
        wanted,
    }
}
