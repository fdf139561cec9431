//! What adapters are asked for.

use serde::{Deserialize, Serialize};

use super::{Adapter, Maker, bottleneck, ia3, low_rank, prompt, targets};
use crate::{DeepError, Network};

/// A kind of adaptation with its parameters, as it stands in specs: `{ use = "lora", rank = 4 }`.
///
/// ```
/// use translearn_deep::AdapterSpec;
///
/// let spec: AdapterSpec = serde_json::from_str(r#"{"use": "lora", "rank": 4}"#)?;
/// let AdapterSpec::Lora(lora) = &spec else { unreachable!() };
/// assert_eq!((lora.rank, lora.alpha), (4, 16.0));
/// assert!(serde_json::from_str::<AdapterSpec>(r#"{"use": "lora", "ranks": 4}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "use", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AdapterSpec {
    /// `W + s B A`: a product of low rank beside each weight (Hu and others 2022).
    Lora(LowRank),
    /// `m (W + s B A) / ‖W + s B A‖`: length and direction of each row learned apart (Liu and others 2024).
    Dora(LowRank),
    /// `l ⊙ (W x + b)`: a factor for each output (Liu and others 2022).
    Ia3(Ia3),
    /// Only biases learn (Ben Zaken and others 2022).
    Bitfit(Bitfit),
    /// `y + U σ(D y)` behind layers (Houlsby and others 2019).
    Bottleneck(Bottleneck),
    /// Learned tokens among those of a vision transformer (Jia and others 2022).
    Prompt(Prompt),
}

/// Low-rank adaptation of weights, for [`AdapterSpec::Lora`] and [`AdapterSpec::Dora`].
///
/// With `lora` a layer computes with `W + s B A`, where `W` is frozen, `B` is `[out, r]` and begins at zero, `A` is
/// `[r, in]` and begins uniform within `1 / √in`. The scale `s` is `α / r`, or `α / √r` where the rank is to be raised
/// without the updates growing weaker (Kalajdzievski 2023). A fresh adapter changes no bit of what the network gives.
///
/// With `dora` row `i` of the weight becomes `mᵢ vᵢ / ‖vᵢ‖` with `V = W + s B A`, where `m` is learned and begins as
/// the lengths of the rows of `W`. Its authors find that it learns more like full fine-tuning, above all at low ranks.
/// No gradient flows through `‖vᵢ‖`, the variant of section 4.3, which saves memory.
///
/// A convolution's weight is taken as the matrix `[out, in / groups · height · width]`. For one group that is what PEFT
/// has: a convolution of `r` channels, followed by one of a single pixel. `loralib` cuts its product otherwise and
/// differs; so does PEFT for more groups, where the matrix here is used as it is. The projection of queries, keys and
/// values in [`SelfAttention`](crate::layers::SelfAttention) is one matrix `[3 width, width]` and gets one product, so
/// that the three share `A`.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `rank` | 8 | 1, 2, … | `r` |
/// | `alpha` | 16 | (0, ∞) | `α` |
/// | `scaling` | `standard` | | `α / r`, or with `rank-stabilised` `α / √r` |
/// | `targets` | none | | layers; none stands for all linear and convolution layers but the head |
/// | `train-head` | true | | whether the head learns as a whole, unless it has an adapter |
///
/// A target stands for the layer and those below it; `*` is any one part of a name.
///
/// *Learned*: `r (in + out)` numbers a layer, and `out` more with `dora`, named `lora_A`, `lora_B`, `magnitude`. *Cost*
/// of a pass: the effective weights, `r · in · out` a layer whatever the size of the batch; none when merged. Under
/// bf16 autocast `B A` is rounded to bf16, which merged weights are not.
///
/// Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang, Chen. LoRA: Low-Rank Adaptation of Large Language Models. ICLR 2022.
/// doi:10.48550/arXiv.2106.09685.
/// Kalajdzievski. A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA. 2023. doi:10.48550/arXiv.2312.03732.
/// Liu, Wang, Yin, Molchanov, Wang, Cheng, Chen. DoRA: Weight-Decomposed Low-Rank Adaptation. ICML 2024.
/// doi:10.48550/arXiv.2402.09353
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LowRank {
    /// Rank `r` of the product, at least 1.
    pub rank: i64,
    /// `α`, positive.
    pub alpha: f64,
    /// How the product is scaled.
    pub scaling: RankScaling,
    /// Layers to adapt; none stands for all linear and convolution layers but the head.
    pub targets: Vec<String>,
    /// Whether the head learns as a whole.
    pub train_head: bool,
}

/// How a product of rank `r` is scaled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RankScaling {
    /// By `α / r`.
    #[default]
    Standard,
    /// By `α / √r`.
    RankStabilised,
}

impl LowRank {
    /// `s`, once the parameters are in range.
    pub(super) fn factor(&self) -> Result<f64, DeepError> {
        at_least_one("rank", self.rank)?;
        if !(self.alpha > 0.0 && self.alpha.is_finite()) {
            return Err(DeepError::InvalidParameter {
                name: "alpha",
                value: self.alpha.to_string(),
                range: "in (0, ∞)".to_owned(),
            });
        }
        let rank = self.rank as f64;
        Ok(match self.scaling {
            RankScaling::Standard => self.alpha / rank,
            RankScaling::RankStabilised => self.alpha / rank.sqrt(),
        })
    }
}

/// A factor for each output of a layer, for [`AdapterSpec::Ia3`].
///
/// Rows of the weight and entries of the bias are multiplied by `l`, which begins at 1, so that a fresh adapter changes
/// no bit. The fewest numbers of all kinds that add any: `out` a layer, named `ia3`.
///
/// The paper rescales keys, values, and the inner activations of a transformer's perceptron. Here the factors stand on
/// the outputs of whichever layers are named, before an activation that follows: for inner activations that is the same
/// only behind a rectifier and while the factors are positive. PEFT's `feedforward_modules`, which scale inputs of a
/// layer, are not offered.
///
/// | parameter | default | meaning |
/// |---|---|---|
/// | `targets` | none | as for [`LowRank`] |
/// | `train-head` | true | as for [`LowRank`] |
///
/// Liu, Tam, Muqeeth, Mohta, Huang, Bansal, Raffel. Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than
/// In-Context Learning. NeurIPS 2022. doi:10.48550/arXiv.2205.05638
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ia3 {
    /// Layers to adapt; none stands for all linear and convolution layers but the head.
    pub targets: Vec<String>,
    /// Whether the head learns as a whole.
    pub train_head: bool,
}

/// Only biases learn, for [`AdapterSpec::Bitfit`]: those of linear and convolution layers and the shifts of
/// normalisation.
///
/// Nothing is added to the network, so there is nothing to merge. Layers of batch normalisation keep their statistics,
/// for their factors are frozen. A network of convolutions without biases learns the shifts of its normalisation alone.
///
/// | parameter | default | meaning |
/// |---|---|---|
/// | `train-head` | true | as for [`LowRank`]; without it the bias of the head learns with the others |
///
/// Ben Zaken, Goldberg, Ravfogel. BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked
/// Language-models. ACL 2022. doi:10.18653/v1/2022.acl-short.1
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bitfit {
    /// Whether the head learns as a whole.
    pub train_head: bool,
}

/// A narrow perceptron behind layers, for [`AdapterSpec::Bottleneck`].
///
/// The output `y` of a layer becomes `y + U σ(D y + d) + u`, where `D` is `[size, width]`, `U` is `[width, size]` and
/// `σ` the Gaussian linear unit. `U` and `u` begin at zero, so that a fresh adapter changes no bit; `D` begins uniform
/// within `1 / √width`, `d` at zero. (The authors draw `D` and `U` with deviation 0.01.)
///
/// The width is found by one pass of a blank input. `[n, c, h, w]` is taken pixel by pixel, everything else by its last
/// axis, as are four axes behind a linear layer, which ConvNeXt has. Behind a layer that is used twice in a pass (the
/// `relu` of a block of ResNet) it acts twice. The authors put adapters behind both halves of each block of a
/// transformer, before the shortcut is added: `encoder.layers.*.self_attention` and `encoder.layers.*.mlp` of ViT.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `size` | 64 | 1, 2, … | width of the perceptron |
/// | `targets` | | at least one | layers by full name, `*` is any one part of a name |
/// | `train-head` | true | | as for [`LowRank`] |
///
/// *Learned*: `2 · size · width + size + width` numbers a layer, named `bottleneck_down`, `bottleneck_down_bias`,
/// `bottleneck_up`, `bottleneck_up_bias`. *Cost* of a pass: two linear layers at each place.
///
/// Houlsby, Giurgiu, Jastrzebski, Morrone, de Laroussilhe, Gesmundo, Attariyan, Gelly. Parameter-Efficient Transfer
/// Learning for NLP. ICML 2019. doi:10.48550/arXiv.1902.00751
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bottleneck {
    /// Width of the perceptron, at least 1.
    #[serde(default = "default_size")]
    pub size: i64,
    /// Layers behind which one stands.
    pub targets: Vec<String>,
    /// Whether the head learns as a whole.
    #[serde(default = "yes")]
    pub train_head: bool,
}

/// Learned tokens among those of a vision transformer, for [`AdapterSpec::Prompt`]: the shallow variant of visual
/// prompt tuning.
///
/// Behind the positions, `[n, 1 + patches, width]` becomes `[n, 1 + tokens + patches, width]`: the learned tokens stand
/// after that of the class, have no position, and are the same for every image. They begin uniform within
/// `√(6 / (p + width))`, where `p` is the number of values in a patch. A fresh prompt changes what the network gives:
/// more tokens are attended to.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `tokens` | 10 | 1, 2, … | how many (the paper tries 1 to 200) |
/// | `after` | `encoder.pos_embedding` | | a layer whose output is `[n, tokens, width]`, that of the class first |
/// | `train-head` | true | | as for [`LowRank`] |
///
/// *Learned*: `tokens · width` numbers, named `prompt`. The paper's dropout of prompts is left out.
///
/// Jia, Tang, Chen, Cardie, Belongie, Hariharan, Lim. Visual Prompt Tuning. ECCV 2022. doi:10.1007/978-3-031-19827-4_41
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Prompt {
    /// How many tokens, at least 1.
    pub tokens: i64,
    /// The layer behind which they are put in.
    pub after: String,
    /// Whether the head learns as a whole.
    pub train_head: bool,
}

impl Default for LowRank {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            scaling: RankScaling::Standard,
            targets: Vec::new(),
            train_head: true,
        }
    }
}

impl Default for Ia3 {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            train_head: true,
        }
    }
}

impl Default for Bitfit {
    fn default() -> Self {
        Self { train_head: true }
    }
}

impl Default for Prompt {
    fn default() -> Self {
        Self {
            tokens: 10,
            after: "encoder.pos_embedding".to_owned(),
            train_head: true,
        }
    }
}

impl Bottleneck {
    /// Behind these layers, 64 wide.
    pub fn behind<S: Into<String>>(layers: impl IntoIterator<Item = S>) -> Self {
        Self {
            size: default_size(),
            targets: layers.into_iter().map(Into::into).collect(),
            train_head: true,
        }
    }
}

fn default_size() -> i64 {
    64
}

fn yes() -> bool {
    true
}

/// Refuses a count below 1.
pub(super) fn at_least_one(name: &'static str, count: i64) -> Result<(), DeepError> {
    if count < 1 {
        return Err(DeepError::InvalidParameter {
            name,
            value: count.to_string(),
            range: "at least 1".to_owned(),
        });
    }
    Ok(())
}

impl AdapterSpec {
    pub(super) fn train_head(&self) -> bool {
        match self {
            Self::Lora(spec) | Self::Dora(spec) => spec.train_head,
            Self::Ia3(spec) => spec.train_head,
            Self::Bitfit(spec) => spec.train_head,
            Self::Bottleneck(spec) => spec.train_head,
            Self::Prompt(spec) => spec.train_head,
        }
    }
}

impl Network {
    /// The adapters of a spec, not yet in use.
    pub(super) fn adapters(
        &self,
        spec: &AdapterSpec,
        maker: Maker,
    ) -> Result<Vec<Box<dyn Adapter>>, DeepError> {
        match spec {
            AdapterSpec::Lora(spec) => low_rank::make(self, spec, false, maker),
            AdapterSpec::Dora(spec) => low_rank::make(self, spec, true, maker),
            AdapterSpec::Ia3(spec) => ia3::make(self, spec, maker),
            AdapterSpec::Bitfit(_) => targets::check_biases(self).map(|()| Vec::new()),
            AdapterSpec::Bottleneck(spec) => bottleneck::make(self, spec, maker),
            AdapterSpec::Prompt(spec) => prompt::make(self, spec, maker),
        }
    }
}
