//! A backbone with the weights it was published with, or a user's own.

use std::path::Path;

use tch::{Device, Tensor};
use translearn_assets::{Cache, Sha256};
use translearn_weights::{Source, StateDict};

pub use translearn_weights::RANDOM;

use crate::backbones::{self, Backbone, Pixels};
use crate::network::copy_of;
use crate::{DeepError, Extractor, InputShape, Network, Transform};

/// A backbone, where its weights come from, and how images have to come to it.
///
/// ```
/// use translearn_deep::Pretrained;
///
/// let untrained = Pretrained::find("cifar-resnet20", "random", "".as_ref())?;
/// assert_eq!(untrained.layer(None), "avgpool");
/// let error = Pretrained::find("cifar-resnet21", "random", "".as_ref()).unwrap_err();
/// assert!(error.to_string().contains("did you mean `cifar-resnet20`?"));
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pretrained {
    backbone: &'static Backbone,
    source: Source,
    transform: Transform,
}

impl Pretrained {
    /// A backbone by name, with `weights` as [`Source`] names them; a file is relative to `base`.
    ///
    /// # Errors
    /// [`DeepError::Unknown`] for a name that is no backbone, and for weights that are neither known nor a file.
    pub fn find(backbone: &str, weights: &str, base: &Path) -> Result<Self, DeepError> {
        let backbone = backbones::find(backbone)?;
        let mut transform = backbone.transform();
        let source = Source::find(weights, base)
            .ok_or_else(|| DeepError::unknown("weights or file", weights, Source::names()))?;
        if let Source::Published(published, _) = &source {
            if published.backbone != backbone.name {
                return Err(DeepError::OtherBackbone {
                    weights: weights.to_owned(),
                    theirs: published.backbone.clone(),
                    asked: backbone.name,
                });
            }
            transform.mean.clone_from(&published.mean);
            transform.std.clone_from(&published.std);
        }
        Ok(Self {
            backbone,
            source,
            transform,
        })
    }

    /// The layer by this or another of its names; the backbone's features where none is named.
    pub fn layer<'a>(&'a self, name: Option<&'a str>) -> &'a str {
        self.backbone
            .layer(name.unwrap_or(self.backbone.feature_layer))
    }

    /// How images have to come to it.
    pub fn transform(&self) -> &Transform {
        &self.transform
    }

    /// What its features depend on, layer and images apart: for [`FeatureKey`](crate::FeatureKey).
    ///
    /// # Errors
    /// [`DeepError::Io`] when the file of weights cannot be read.
    pub fn identity(&self) -> Result<String, DeepError> {
        let weights = match &self.source {
            Source::Random => RANDOM.to_owned(),
            Source::File(path) => Sha256::of_file(path)
                .map_err(|source| DeepError::Io {
                    action: "read",
                    path: path.clone(),
                    source,
                })?
                .to_string(),
            // Every file holds the same weights.
            Source::Published(published, _) => {
                let path = published.files.first().map_or("", String::as_str);
                published.manifest.file(path)?.sha256.to_string()
            }
        };
        Ok(format!(
            "{} {weights} {:?}",
            self.backbone.name, self.transform
        ))
    }

    /// The network with its weights, for features of `layer`.
    ///
    /// A file may lack the classifier or have one for another number of classes, unless the classifier's own output is
    /// wanted.
    ///
    /// # Errors
    /// [`DeepError::Weights`] for a file that cannot be read, [`DeepError::PartlyLoaded`] when a tensor that counts does not
    /// fit.
    pub fn build(&self, layer: &str, device: Device) -> Result<Network, DeepError> {
        let mut network = self.backbone.build(self.backbone.n_classes, device, 0)?;
        if let Some(file) = self.file()? {
            let spared = (layer != network.head()).then(|| network.head().to_owned());
            load_all_but(&mut network, &file, spared.as_deref())?;
        }
        Ok(network)
    }

    /// The network with its weights but for the classifier, which is drawn from `seed` for another number of classes: where
    /// fine-tuning starts. With [`RANDOM`] everything is drawn from the seed.
    ///
    /// # Errors
    /// As [`Pretrained::build`].
    pub fn build_for(
        &self,
        n_classes: i64,
        device: Device,
        seed: u64,
    ) -> Result<Network, DeepError> {
        let mut network = self.backbone.build(n_classes, device, seed)?;
        if let Some(file) = self.file()? {
            let head = network.head().to_owned();
            let drawn: Vec<(Tensor, Tensor)> = network
                .parameters()
                .iter()
                .filter(|(name, _)| is_below(name, &head))
                .map(|(_, p)| Ok((p.tensor.shallow_clone(), copy_of(&p.tensor)?)))
                .collect::<Result<_, DeepError>>()?;
            load_all_but(&mut network, &file, Some(&head))?;
            // A head for as many classes as the published one came with it.
            tch::no_grad(|| {
                drawn
                    .into_iter()
                    .try_for_each(|(mut tensor, values)| tensor.f_copy_(&values))
            })?;
        }
        Ok(network)
    }

    /// The network with all its weights, the classifier of this many classes included.
    ///
    /// # Errors
    /// As [`Pretrained::build`]; [`DeepError::PartlyLoaded`] also when the classifier has another number of classes.
    pub fn build_whole(&self, n_classes: i64, device: Device) -> Result<Network, DeepError> {
        let mut network = self.backbone.build(n_classes, device, 0)?;
        if let Some(file) = self.file()? {
            load_all_but(&mut network, &file, None)?;
        }
        Ok(network)
    }

    /// The network with all its weights and as many classes as they came with, whatever their number.
    ///
    /// # Errors
    /// As [`Pretrained::build_whole`]; [`DeepError::PartlyLoaded`] also for a file without a classifier.
    pub fn build_original(&self, device: Device) -> Result<Network, DeepError> {
        let mut network = self.backbone.build(self.backbone.n_classes, device, 0)?;
        let Some(file) = self.file()? else {
            return Ok(network);
        };
        let found = network.load(&file)?;
        let own = found
            .misshapen
            .iter()
            .find(|tensor| is_below(&tensor.name, network.head()))
            .and_then(|tensor| i64::try_from(*tensor.found.first()?).ok());
        if let Some(n_classes) = own {
            network = self.backbone.build(n_classes, device, 0)?;
        }
        load_all_but(&mut network, &file, None)?;
        Ok(network)
    }

    /// The weights; `None` where there are none but first values.
    fn file(&self) -> Result<Option<StateDict>, DeepError> {
        Ok(match &self.source {
            Source::Random => None,
            Source::File(path) => Some(StateDict::read(path)?),
            Source::Published(published, None) => Some(published.load(&Cache::from_env()?)?),
            Source::Published(published, Some(file)) => {
                Some(published.load_file(file, &Cache::from_env()?)?)
            }
        })
    }

    /// An extractor of one of its layers.
    ///
    /// # Errors
    /// As [`Extractor::new`].
    pub fn extractor<'n>(
        &self,
        network: &'n Network,
        layer: &str,
    ) -> Result<Extractor<'n>, DeepError> {
        Extractor::new(network, self.transform.clone(), [layer])
    }
}

/// Loads every tensor; only those of the layer that is spared may be missing or of another shape.
fn load_all_but(
    network: &mut Network,
    file: &StateDict,
    spared: Option<&str>,
) -> Result<(), DeepError> {
    let found = network.load(file)?;
    let misshapen = found.misshapen.iter().map(|tensor| &tensor.name);
    let mut misfits = found.missing.iter().chain(misshapen);
    if misfits.any(|name| !spared.is_some_and(|layer| is_below(name, layer))) {
        return Err(DeepError::PartlyLoaded {
            network: network.name().to_owned(),
            report: found.to_string(),
        });
    }
    Ok(())
}

fn is_below(name: &str, layer: &str) -> bool {
    name.strip_prefix(layer)
        .is_some_and(|rest| rest.starts_with('.'))
}

impl Backbone {
    /// How images come to it unless its weights say otherwise: at the size it was made for, cut from one larger by a
    /// seventh where it was made for ImageNet, with pixels as its published weights take them.
    pub fn transform(&self) -> Transform {
        let (channels, size) = match self.input {
            InputShape::Image { channels, size, .. } => (channels, size),
            // Rows of pixels: a square image of one channel.
            InputShape::Rows { width } => (1, (width as f64).sqrt() as i64),
        };
        let imagenet = Transform::imagenet();
        let (mean, std) = match self.pixels {
            Pixels::ImageNet => (imagenet.mean, imagenet.std),
            Pixels::Centred => (vec![0.5; channels as usize], vec![0.5; channels as usize]),
        };
        Transform {
            // 256 for 224, as torchvision's weights were evaluated.
            resize: Some(if size >= 224 { size * 256 / 224 } else { size }),
            crop: Some(size),
            mean,
            std,
        }
    }
}

#[cfg(test)]
mod tests {
    use translearn_weights::{RawTensor, pretrained};

    use super::*;

    #[test]
    fn imagenet_sizes_are_those_of_torchvision() {
        let of = |name: &str| backbones::find(name).unwrap().transform();
        assert_eq!(of("resnet18"), Transform::imagenet());
        let cifar = of("cifar-resnet20");
        assert_eq!((cifar.resize, cifar.crop), (Some(32), Some(32)));
    }

    #[test]
    fn what_is_published_belongs_to_a_backbone_here_and_brings_its_pixels() {
        for published in pretrained::all() {
            // The demonstration of file formats has no backbone.
            if published.id.starts_with("mnist-cnn") {
                continue;
            }
            let weights =
                Pretrained::find(&published.backbone, &published.id, Path::new("")).unwrap();
            assert_eq!(weights.transform().mean, published.mean);
            let backbone = weights.backbone;
            assert_eq!(backbone.feature_width, published.features as i64);
            assert_eq!(backbone.n_classes, published.classes as i64);
            let [channels, height, width] = published.input.map(|n| n as i64);
            assert_eq!(height, width);
            assert_eq!(backbone.input.batch(1), [1, channels, height, width]);
        }
    }

    #[test]
    fn a_file_may_lack_the_classifier_unless_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.safetensors");
        let own = backbones::find("cifar-resnet20").unwrap();
        // Fine-tuned to three classes, as a user's own file would be.
        let state = own.build(3, Device::Cpu, 5).unwrap().state().unwrap();
        let tensors = |wanted: &dyn Fn(&str) -> bool| -> Vec<(String, RawTensor)> {
            let all = state.iter().filter(|(name, _)| wanted(name));
            all.map(|(name, tensor)| (name.to_owned(), tensor.clone()))
                .collect()
        };
        let write = |tensors: Vec<(String, RawTensor)>| {
            let state = StateDict::from_tensors("own", tensors).unwrap();
            state.write(&file).unwrap();
        };
        let weights =
            || Pretrained::find("cifar-resnet20", "own.safetensors", folder.path()).unwrap();
        write(tensors(&|_| true));
        let network = weights().build("avgpool", Device::Cpu).unwrap();
        let conv = &network.parameters()["conv1.weight"].tensor;
        let expected = state.tensor("conv1.weight").unwrap().to_f32().unwrap();
        assert_eq!(
            Vec::<f32>::try_from(conv.detach().flatten(0, -1)).unwrap(),
            expected
        );
        let error = weights()
            .build("linear", Device::Cpu)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("linear.bias: expected 10, found 3"),
            "{error}"
        );
        write(tensors(&|name| !name.starts_with("linear")));
        weights().build("avgpool", Device::Cpu).unwrap();
        write(tensors(&|name| name != "layer3.0.bn1.bias"));
        let error = weights()
            .build("avgpool", Device::Cpu)
            .unwrap_err()
            .to_string();
        assert!(error.contains("missing      layer3.0.bn1.bias"), "{error}");
    }

    #[test]
    fn the_head_is_the_classifier_of_every_family() {
        for (name, head) in [
            ("resnet18", "fc"),
            ("cifar-resnet20", "linear"),
            ("alexnet", "classifier.6"),
            ("densenet121", "classifier"),
            ("squeezenet1-1", "classifier.1"),
            ("inception-v3", "fc"),
            ("mobilenet-v1-0.25", "conv_preds"),
            ("mobilenet-v2", "classifier.1"),
            ("efficientnet-b0", "classifier.1"),
            ("convnext-tiny", "classifier.2"),
            ("xception", "fc"),
        ] {
            let backbone = backbones::find(name).unwrap();
            assert_eq!(
                backbone.build(2, Device::Cpu, 0).unwrap().head(),
                head,
                "{name}"
            );
        }
    }

    #[test]
    fn weights_that_are_nowhere_are_refused() {
        let find = |backbone, weights| {
            let error = Pretrained::find(backbone, weights, Path::new("/nowhere")).unwrap_err();
            error.to_string()
        };
        let error = find("resnet18", "randon");
        assert!(error.contains("did you mean `random`"), "{error}");
        let error = find("resnet18", "cifar10-resnet20");
        assert!(
            error.contains("belong to `cifar-resnet20`, not to `resnet18`"),
            "{error}"
        );
    }
}
