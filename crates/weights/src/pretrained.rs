//! Pretrained weights by name, with all that is needed to use them.
//!
//! Each set of weights has a manifest, a TOML file that travels with this crate. Files are looked for in a mirror
//! (`TRANSLEARN_MIRROR`), in the cache, and at their address where one is known; see [`Cache`]. Only files whose length and
//! SHA-256 are known are listed. Other weights, torchvision's for example, are downloaded by hand and read by path with
//! [`StateDict::read`].
//!
//! ```
//! use translearn_weights::pretrained;
//!
//! let mobilenet = pretrained::get("mobilenet025-imagenet")?;
//! assert_eq!((mobilenet.backbone.as_str(), mobilenet.features), ("mobilenet-v1-0.25", 256));
//! assert_eq!(mobilenet.input, [3, 224, 224]);
//! assert!(pretrained::get("mobilenet").unwrap_err().to_string().contains("mobilenet025-imagenet"));
//! # Ok::<(), translearn_weights::WeightsError>(())
//! ```

use std::path::PathBuf;
use std::sync::LazyLock;

use serde::Deserialize;
use translearn_assets::{Cache, Manifest, Place};

use crate::{Rules, StateDict, WeightsError, keras_to_torch};

/// Names and texts of the manifests.
const MANIFESTS: &[(&str, &str)] = &[
    (
        "cifar-resnet",
        include_str!("../manifests/cifar-resnet.toml"),
    ),
    (
        "mnist-pt-pair",
        include_str!("../manifests/mnist-pt-pair.toml"),
    ),
    (
        "mobilenet025-imagenet",
        include_str!("../manifests/mobilenet025-imagenet.toml"),
    ),
];

static ALL: LazyLock<Vec<Pretrained>> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the manifests are part of the program and read by its tests"
    )]
    let read =
        |&(name, text): &(&str, &str)| parse(text, name).expect("a manifest of the registry");
    MANIFESTS.iter().flat_map(read).collect()
});

/// Pretrained weights: what they are for, what pictures they want, where their files are.
#[derive(Debug, Clone, PartialEq)]
pub struct Pretrained {
    /// The name to ask for.
    pub id: String,
    /// The network they belong to.
    pub backbone: String,
    /// Channels, height and width of the pictures they were trained on.
    pub input: [usize; 3],
    /// Taken from each channel of a picture with values in 0..=1.
    pub mean: Vec<f64>,
    /// What each channel is divided by after that.
    pub std: Vec<f64>,
    /// Length of the features before the last layer.
    pub features: usize,
    /// Classes the last layer tells apart.
    pub classes: usize,
    /// Tensors in each file.
    pub tensors: usize,
    /// Numbers in all tensors together.
    pub numbers: usize,
    /// How they were trained or what they reach, for people.
    pub note: String,
    /// Whether kernels have Keras's layout in the file.
    pub layout: Layout,
    /// How names in the file become those of the backbone.
    pub rules: Rules,
    /// Paths of the files in the manifest: the same weights in each.
    pub files: Vec<String>,
    /// Title, licence, citation, and what is known of each file.
    pub manifest: Manifest,
}

/// The order of the axes of kernels in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// As torch has them.
    #[default]
    Torch,
    /// As Keras has them; changed when the weights are loaded.
    Keras,
}

/// The `[load]` of a manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Load {
    weights: Vec<Entry>,
}

/// A `[[load.weights]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    files: Vec<String>,
    backbone: String,
    input: [usize; 3],
    mean: Vec<f64>,
    std: Vec<f64>,
    features: usize,
    classes: usize,
    tensors: usize,
    numbers: usize,
    note: String,
    #[serde(default)]
    layout: Layout,
    #[serde(default)]
    rules: Rules,
}

/// All pretrained weights that are known.
pub fn all() -> &'static [Pretrained] {
    &ALL
}

/// The pretrained weights called `id`.
///
/// # Errors
/// [`WeightsError::UnknownWeights`] with the names there are.
pub fn get(id: &str) -> Result<&'static Pretrained, WeightsError> {
    ALL.iter()
        .find(|weights| weights.id == id)
        .ok_or_else(|| WeightsError::UnknownWeights {
            id: id.to_owned(),
            known: ALL.iter().map(|weights| weights.id.clone()).collect(),
        })
}

/// Loads the weights called `id` with the cache this machine is set up for ([`Cache::from_env`]).
///
/// # Errors
/// Those of [`get`], [`Cache::from_env`] and [`Pretrained::load`].
pub fn load(id: &str) -> Result<StateDict, WeightsError> {
    get(id)?.load(&Cache::from_env()?)
}

fn parse(text: &str, origin: &str) -> Result<Vec<Pretrained>, WeightsError> {
    let refuse = |reason: String| WeightsError::Manifest {
        origin: origin.to_owned(),
        reason,
    };
    let manifest = Manifest::parse(text, origin)?;
    if manifest.name != origin {
        return Err(refuse(format!(
            "the file must be named `{}.toml`",
            manifest.name
        )));
    }
    let load: Load = manifest
        .load
        .clone()
        .try_into()
        .map_err(|error| refuse(format!("[load]: {error}")))?;
    let check = |entry: &Entry| {
        let channels = entry.input[0];
        let (mean, std) = (entry.mean.len(), entry.std.len());
        if (mean, std) != (channels, channels) {
            return Err(refuse(format!(
                "{channels} channels, but {mean} means and {std} deviations"
            )));
        }
        if entry.std.iter().any(|&std| std <= 0.0 || !std.is_finite()) {
            return Err(refuse("a deviation that is not positive".to_owned()));
        }
        if entry.files.is_empty() {
            return Err(refuse(format!("`{}` has no file", entry.id)));
        }
        entry
            .files
            .iter()
            .try_for_each(|file| manifest.file(file).map(|_| ()))
            .map_err(WeightsError::from)
    };
    load.weights.iter().try_for_each(check)?;
    let made = |entry: Entry| Pretrained {
        id: entry.id,
        backbone: entry.backbone,
        input: entry.input,
        mean: entry.mean,
        std: entry.std,
        features: entry.features,
        classes: entry.classes,
        tensors: entry.tensors,
        numbers: entry.numbers,
        note: entry.note,
        layout: entry.layout,
        rules: entry.rules,
        files: entry.files,
        manifest: manifest.clone(),
    };
    Ok(load.weights.into_iter().map(made).collect())
}

impl Pretrained {
    /// A verified file of these weights: of those that hold them, the first that is here, else the first that can be
    /// downloaded.
    ///
    /// # Errors
    /// Those of [`Cache::fetch`].
    pub fn fetch(&self, cache: &Cache) -> Result<PathBuf, WeightsError> {
        let (mut here, mut online) = (None, None);
        for path in &self.files {
            match cache.place(&self.manifest, path)? {
                Place::Mirror(_) | Place::Cache(_) => here = here.or(Some(path)),
                Place::Online(_) => online = online.or(Some(path)),
                Place::Nowhere => {}
            }
        }
        // One that is nowhere is asked for as well: the error says where it is described.
        let path = here
            .or(online)
            .or(self.files.first())
            .map_or("", String::as_str);
        Ok(cache.fetch(&self.manifest, path)?)
    }

    /// The weights, in torch's layout and under the names of the backbone.
    ///
    /// # Errors
    /// Those of [`Pretrained::fetch`] and [`StateDict::read`]; [`WeightsError::Manifest`] when the file does not hold as many
    /// tensors and numbers as its manifest says.
    pub fn load(&self, cache: &Cache) -> Result<StateDict, WeightsError> {
        self.finish(StateDict::read(self.fetch(cache)?)?)
    }

    /// [`Pretrained::load`] from one of [`Pretrained::files`].
    ///
    /// # Errors
    /// Those of [`Pretrained::load`].
    pub fn load_file(&self, path: &str, cache: &Cache) -> Result<StateDict, WeightsError> {
        self.finish(StateDict::read(cache.fetch(&self.manifest, path)?)?)
    }

    fn finish(&self, weights: StateDict) -> Result<StateDict, WeightsError> {
        if (weights.len(), weights.numbers()) != (self.tensors, self.numbers) {
            return Err(WeightsError::Manifest {
                origin: self.manifest.name.clone(),
                reason: format!(
                    "it says {} tensors of {} numbers, `{}` has {} of {}",
                    self.tensors,
                    self.numbers,
                    weights.origin().display(),
                    weights.len(),
                    weights.numbers()
                ),
            });
        }
        let weights = match self.layout {
            Layout::Torch => weights,
            Layout::Keras => keras_to_torch(weights)?,
        };
        weights.renamed(&self.rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_is_read_and_says_what_it_must() {
        let mut ids = Vec::new();
        for weights in all() {
            assert!(weights.manifest.licence.len() > 2, "{}", weights.id);
            assert!(
                weights.manifest.citation.is_some() || weights.manifest.homepage.is_some(),
                "{}",
                weights.id
            );
            assert!(
                weights.features > 0 && weights.classes > 1,
                "{}",
                weights.id
            );
            ids.push(weights.id.as_str());
        }
        assert_eq!(
            ids,
            [
                "cifar10-resnet20",
                "mnist-cnn",
                "mnist-cnn-early",
                "mobilenet025-imagenet"
            ]
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let (name, text) = MANIFESTS[2];
        for (from, to, part) in [
            (
                "mean = [0.5, 0.5, 0.5]",
                "mean = [0.5]",
                "3 channels, but 1 means and 3 deviations",
            ),
            (
                "std = [0.5, 0.5, 0.5]",
                "std = [0.5, 0.0, 0.5]",
                "not positive",
            ),
            ("files = [\"", "files = [\"x", "no file `xmobilenet"),
            ("features = 256", "feature = 256", "unknown field `feature`"),
            (
                "name = \"mobilenet025-imagenet\"",
                "name = \"other\"",
                "must be named `other.toml`",
            ),
        ] {
            assert!(text.contains(from), "{from}");
            let error = parse(&text.replace(from, to), name)
                .unwrap_err()
                .to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_nowhere_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let error = get("mnist-cnn")
            .unwrap()
            .load(&cache)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("mnist.safetensors") && error.contains("tracel-ai/burn"),
            "{error}"
        );
        let error = get("mnist-cnn")
            .unwrap()
            .load_file("x", &cache)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("it has mnist.safetensors, mnist.pt"),
            "{error}"
        );
    }
}
