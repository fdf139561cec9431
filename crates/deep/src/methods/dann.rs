//! Domain-adversarial training.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};
use translearn_core::{
    BaseLearner, Family, MethodInfo, ParamRange, What, setters, transfer_method,
};

use super::declare::{
    EXEMPTIONS, NEEDS, TARGET_WEIGHT, WEIGHTS, network, network_builder, parameter, real,
};
use super::domains::{Both, Comparison, Domains, train};
use super::learner::NetworkParams;
use super::recipe::Recipe;
use crate::layers::Activation;
use crate::train::ramp;
use crate::{DeepError, InputShape, Network, RANDOM, Sequence, cross_entropy, reverse_gradient};

/// Domain-adversarial neural network: features from which a second network cannot tell the domains apart.
///
/// *When.* No or few target labels, images of the same classes in both domains, and enough target images to show what the
/// target looks like. Where the classes occur in other shares in the target than in the source, aligning the domains moves
/// images to wrong classes (Zhao and others 2019): compare with `source-only`.
///
/// ```text
/// minimise over f, c and maximise over d, with features f at `layer` and classifier c:
///   mean_S H(y, c(f(x)))  +  target_weight · mean_{T labelled} H(y, c(f(x)))  −  λ_p mean_{S, T} H(domain, d(f(x)))
/// λ_p = lambda (2 / (1 + e^(−gamma p)) − 1),  p: the share of the training that is done
/// ```
///
/// in one step for all three: the gradient of the domain loss comes back to `f` times `−λ_p`
/// ([`reverse_gradient`]), while `d` (two layers of `hidden` units) learns at the learner's rate. With `lambda` 0 the target
/// is not looked at and the model is `source-only`'s, bit for bit.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | `network` | `network` | the network and its training; `schedule = "dann"` is the paper's |
/// | `weights` | `"random"` | published weights, a file, `"random"` | where the network starts |
/// | `lambda` | 1 | ≥ 0 | greatest weight of the adversary |
/// | `gamma` | 10 | ≥ 0 | how soon it is reached |
/// | `layer` | `null` | a layer or null | where the domains are compared; null: the backbone's features |
/// | `hidden` | 128 | integer ≥ 1 | width of the adversary |
/// | `target_weight` | 1 | ≥ 0 | weight of the loss on labelled target rows |
///
/// An epoch is a round over the source; the target's rows come again when they are used up. Results are those after the
/// last epoch: nothing is chosen by looking at the target.
///
/// *Cost.* Twice that of the learner, and the adversary's.
///
/// *Where we differ.* Source and target are normalised each by its own batch statistics; the paper has none. The
/// adversary has a second hidden layer.
///
/// Source: Ganin, Ustinova, Ajakan, Germain, Larochelle, Laviolette, Marchand, Lempitsky, *Domain-Adversarial Training of
/// Neural Networks*, JMLR 17(59), 2016.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DannParams {
    #[serde(skip, default = "network")]
    learner: BaseLearner,
    weights: String,
    lambda: f64,
    gamma: f64,
    layer: Option<String>,
    hidden: i64,
    target_weight: f64,
}

impl Default for DannParams {
    fn default() -> Self {
        Self {
            learner: network(),
            weights: RANDOM.to_owned(),
            lambda: 1.0,
            gamma: 10.0,
            layer: None,
            hidden: 128,
            target_weight: 1.0,
        }
    }
}

network_builder!(DannParams);

setters!(DannParams {
    /// Sets the greatest weight of the adversary.
    lambda: f64,
    /// Sets where the network starts.
    weights: impl Into<String>,
});

impl DannParams {
    /// Sets where the domains are compared.
    #[must_use]
    pub fn layer(mut self, layer: impl Into<String>) -> Self {
        self.layer = Some(layer.into());
        self
    }
}

static INFO: MethodInfo = MethodInfo {
    name: "dann",
    title: "Domain-adversarial neural network (DANN)",
    family: Family::Feature,
    what: What::Features,
    needs: NEEDS,
    parameters: &[
        WEIGHTS,
        parameter(
            "lambda",
            "1.0",
            real(f64::INFINITY),
            "Greatest weight of the adversary.",
        ),
        parameter(
            "gamma",
            "10.0",
            real(f64::INFINITY),
            "How soon it is reached.",
        ),
        parameter(
            "layer",
            "null",
            ParamRange::TextOrAuto,
            "Where the domains are compared; null: the backbone's features.",
        ),
        parameter(
            "hidden",
            "128",
            ParamRange::Integer {
                low: 1,
                high: 65_536,
            },
            "Width of the adversary.",
        ),
        TARGET_WEIGHT,
    ],
    exemptions: EXEMPTIONS,
    reference: "Ganin, Ustinova, Ajakan, Germain, Larochelle, Laviolette, Marchand, Lempitsky. Domain-Adversarial Training of Neural Networks. JMLR 17(59), 2016",
};

transfer_method!(DannParams, INFO, |method, problem, seed| {
    let params = NetworkParams::of(&method.learner)?;
    let recipe = Recipe::beside_baseline(params, &method.weights, problem, seed)?;
    let domains = Domains::of(problem, INFO.name)?;
    let network = recipe.network()?;
    let layer = recipe.layer(method.layer.as_deref());
    let width = recipe.width_of(&network, layer)?;
    let adversary = adversary(
        width,
        method.hidden,
        recipe.device(),
        recipe.seed(&["adversary"]),
    )?;
    let loss = |both: Both<'_>| {
        let lambda = method.lambda * ramp(both.step.progress(), method.gamma);
        let domains = Tensor::f_cat(&[both.source, both.target], 0)?;
        let reversed = reverse_gradient(&domains, lambda)?;
        let logits = adversary.forward(&reversed, &mut both.step.pass("adversary"))?;
        let loss = cross_entropy(&logits, &domain_labels(&both)?)?;
        Ok(("domain".to_owned(), 1.0, loss))
    };
    let comparison = Comparison {
        layer,
        loss: (method.lambda > 0.0).then_some(loss),
        groups: vec![recipe.group("adversary", &adversary, |_| true, 1.0)?],
        target_weight: method.target_weight,
    };
    train(&recipe, &network, &domains, comparison)?;
    Ok(recipe.fitted(network))
});

/// 0 for the rows of the source, 1 for those of the target.
fn domain_labels(both: &Both<'_>) -> Result<Tensor, DeepError> {
    let device = both.source.device();
    let rows =
        |x: &Tensor, domain: i64| Tensor::f_full([x.size()[0]], domain, (Kind::Int64, device));
    Ok(Tensor::f_cat(
        &[rows(both.source, 0)?, rows(both.target, 1)?],
        0,
    )?)
}

/// Two hidden layers, then a decision value for each domain.
fn adversary(width: i64, hidden: i64, device: Device, seed: u64) -> Result<Network, DeepError> {
    Network::build(
        "adversary",
        InputShape::Rows { width },
        device,
        seed,
        |scope| {
            Ok(Sequence::new()
                .then(scope.linear("fc1", width, hidden)?)
                .then(scope.enter("relu1").layer(Activation::Relu))
                .then(scope.linear("fc2", hidden, hidden)?)
                .then(scope.enter("relu2").layer(Activation::Relu))
                .then(scope.linear("fc3", hidden, 2)?))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pass, backbones};

    /// The gradient of the domain loss alone at every tensor of the network, with the features reversed or not.
    fn gradients(lambda: Option<f64>) -> (Vec<(String, Tensor)>, Vec<Tensor>) {
        let network = backbones::find("small-cnn")
            .unwrap()
            .build(3, Device::Cpu, 1)
            .unwrap();
        let adversary = adversary(128, 16, Device::Cpu, 2).unwrap();
        let mut draw = translearn_core::seed::rng(3);
        let values: Vec<f32> = (0..6 * 256).map(|_| draw.normal() as f32).collect();
        let x = Tensor::from_slice(&values).view([6, 1, 16, 16]);
        let mut pass = Pass::train(0).tap(["relu3"]);
        let _outputs = network.forward(&x, &mut pass).unwrap();
        let features = pass.taken("relu3").unwrap();
        let features = match lambda {
            Some(lambda) => reverse_gradient(&features, lambda).unwrap(),
            None => features,
        };
        let logits = adversary.forward(&features, &mut Pass::train(0)).unwrap();
        let domains = Tensor::from_slice(&[0_i64, 0, 0, 1, 1, 1]);
        logits.cross_entropy_for_logits(&domains).backward();
        let of = |network: &Network| -> Vec<(String, Tensor)> {
            let weights = network
                .parameters()
                .iter()
                .filter(|(_, p)| p.role == crate::Role::Weight);
            weights
                .map(|(name, p)| (name.clone(), p.tensor.grad()))
                .collect()
        };
        let adversary = of(&adversary)
            .into_iter()
            .map(|(_, gradient)| gradient)
            .collect();
        (of(&network), adversary)
    }

    #[test]
    fn the_adversary_pulls_every_layer_below_it_the_other_way_and_none_above() {
        let (plain, its_own) = gradients(None);
        let (reversed, its_own_again) = gradients(Some(0.5));
        assert_eq!(
            its_own, its_own_again,
            "the adversary itself learns as ever"
        );
        assert!(
            its_own
                .iter()
                .all(|gradient| gradient.abs().max().double_value(&[]) > 0.0)
        );
        for ((name, plain), (_, reversed)) in plain.iter().zip(&reversed) {
            if name.starts_with("fc2") {
                assert!(!plain.defined() && !reversed.defined(), "{name} is above");
                continue;
            }
            // A convolution's gradient before batch normalisation is small but not zero.
            assert!(
                reversed.abs().max().double_value(&[]) > 0.0,
                "{name} is not reached"
            );
            let sum = (reversed + plain * 0.5).abs().max().double_value(&[]);
            let scale = plain.abs().max().double_value(&[]);
            assert!(sum <= 1e-6 * scale, "{name}: {sum} of {scale}");
        }
        let (still, _) = gradients(Some(0.0));
        for (name, gradient) in still.iter().filter(|(name, _)| !name.starts_with("fc2")) {
            assert_eq!(gradient.abs().max().double_value(&[]), 0.0, "{name}");
        }
    }
}
