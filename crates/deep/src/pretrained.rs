//! A backbone with the weights it was published with, or a user's own.

use std::path::{Path, PathBuf};

use tch::Device;
use translearn_assets::Cache;
use translearn_weights::{StateDict, pretrained};

use crate::backbones::{self, Backbone, Pixels};
use crate::{DeepError, Extractor, InputShape, Network, Transform};

/// First values as a control: what the layout of a network alone is worth.
pub const RANDOM: &str = "random";

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

#[derive(Debug, Clone)]
enum Source {
    Random,
    File(PathBuf),
    Published(&'static pretrained::Pretrained),
}

impl Pretrained {
    /// A backbone by name, with `weights`: the name of published ones, `"random"`, or a file relative to `base`.
    ///
    /// # Errors
    /// [`DeepError::Unknown`] for a name that is no backbone, and for weights that are neither known nor a file.
    pub fn find(backbone: &str, weights: &str, base: &Path) -> Result<Self, DeepError> {
        let backbone = backbones::find(backbone)?;
        let mut transform = backbone.transform();
        let file = base.join(weights);
        let source = if weights == RANDOM {
            Source::Random
        } else if let Ok(published) = pretrained::get(weights) {
            if published.backbone != backbone.name {
                return Err(DeepError::OtherBackbone {
                    weights: weights.to_owned(),
                    theirs: published.backbone.clone(),
                    asked: backbone.name,
                });
            }
            transform.mean.clone_from(&published.mean);
            transform.std.clone_from(&published.std);
            Source::Published(published)
        } else if file.is_file() {
            Source::File(file)
        } else {
            let published = pretrained::all().iter().map(|weights| weights.id.as_str());
            let known = published.chain([RANDOM]);
            return Err(DeepError::unknown("weights or file", weights, known));
        };
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
            Source::File(path) => sum(path)?,
            // Every file holds the same weights.
            Source::Published(published) => {
                let path = published.files.first().map_or("", String::as_str);
                published.manifest.file(path)?.sha256.to_string()
            }
        };
        Ok(format!(
            "{} {weights} {:?}",
            self.backbone.name, self.transform
        ))
    }

    /// The network with its weights.
    ///
    /// A file may lack the classifier or have one for another number of classes: its features do not need it.
    ///
    /// # Errors
    /// [`DeepError::Weights`] for a file that cannot be read, [`DeepError::PartlyLoaded`] when anything but the
    /// classifier does not fit.
    pub fn build(&self, device: Device) -> Result<Network, DeepError> {
        let mut network = self.backbone.build(self.backbone.n_classes, device, 0)?;
        let file = match &self.source {
            Source::Random => return Ok(network),
            Source::File(path) => StateDict::read(path)?,
            Source::Published(published) => published.load(&Cache::from_env()?)?,
        };
        let found = network.load(&file)?;
        let head = network.head().to_owned();
        let names = found
            .missing
            .iter()
            .chain(found.misshapen.iter().map(|tensor| &tensor.name));
        if names.into_iter().any(|name| !name.starts_with(&head)) {
            return Err(DeepError::PartlyLoaded {
                network: network.name().to_owned(),
                report: found.to_string(),
            });
        }
        Ok(network)
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

fn sum(path: &Path) -> Result<String, DeepError> {
    use sha2::{Digest, Sha256};
    let fail = |source| DeepError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    };
    let mut hash = Sha256::new();
    let mut file = std::fs::File::open(path).map_err(fail)?;
    std::io::copy(&mut file, &mut hash).map_err(fail)?;
    Ok(crate::cache::hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
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
