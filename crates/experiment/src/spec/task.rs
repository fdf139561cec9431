//! Tasks: a source, a target, what is labelled and how it becomes numbers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use translearn_core::LabelSpace;
use translearn_core::metrics::Metric;
use translearn_data::encode::{Grouping, TableParams};
use translearn_data::folder::FolderParams;
use translearn_data::generate::Generator;
use translearn_data::preprocess::Step;
use translearn_data::read::ReadOptions;
use translearn_data::text::TextParams;

use super::is_none_or_default;

/// A task: where its source and target come from, which target labels the fit may see, and the way to numbers.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `name` | its name | required |
/// | `source` | a part of the data, or a list of them | required |
/// | `target` | a part of the data; with `test_split` or `test` a part of it is kept for scoring | required |
/// | `kind` | `"vectors"`, `"text"` or `"images"` | `"vectors"` |
/// | `output` | `"classification"` or `"regression"` | what the data says, else what the metrics say |
/// | `classes` | new classes made of the labels, for both sides | the labels |
/// | `corrupt_source` | `{ labels = 0.5 }`: this share of the source's labels is dealt out anew among its rows, by seed | none |
/// | `labelled` | labelled target rows, drawn by seed: `{ per_class = 3 }`, `{ fraction = 0.01 }`, `{ count = 20 }` | none |
/// | `source_sample` | the source rows taken, drawn by seed in the same ways | all |
/// | `target_sample` | the target rows there are, drawn by seed without a look at their labels: `{ count = 2000 }`, `{ fraction = 0.1 }` | all |
/// | `preprocess` | steps, in place of the specification's | the specification's |
/// | `text` | [`TextParams`], for `kind = "text"` | their defaults |
/// | `features` | [`FeaturesSpec`], for `kind = "images"`: the network that turns them into vectors | the specification's, if it has any |
/// | `image_side` | for `kind = "images"`: images of a longer shorter side are shrunk to it when they are decoded for methods that take images as they are, at least 16 and what their networks take (341 for `inception-v3` and `xception`, 8/7 of `image_size` for most others) | 256 |
/// | `group` | a name, or a list of them: tasks of one group are summed up together where gates are audited | none |
/// | `at` | where the task stands on the curve over tasks: a number | none |
/// | `table` | [`TableParams`], for tables with categories or missing values | their defaults |
///
/// A part is `{ set = …, domain = …, split = … }` or `{ file = …, label = … }` with the keys of [`ReadOptions`] (of
/// [`FolderParams`] for `kind = "text"` and `kind = "images"`), and may have `classes` of its own. Or it is drawn:
/// `{ generate = { kind = "concept-shift", … }, draw = 0 }` is what a [`Generator`] draws for this side with the seed `draw`,
/// whatever the seed of a trial.
///
/// A task of images is given to methods that take images (and whose learner does) as it is, decoded and neither
/// preprocessed nor made into vectors; to all others as the vectors of `features`. Without `features` the others are
/// `unsupported`, unless the set is made of rows of pixels (`usps`, `mnist-t10k`, `mnist-usps`), which are vectors, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Its name.
    pub name: String,
    /// What it is made of.
    #[serde(default, skip_serializing_if = "is_none_or_default")]
    pub kind: Kind,
    /// What is predicted; `None` while only the files can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// The sources.
    pub source: Vec<Part>,
    /// The target: the rows the fit sees.
    pub target: Part,
    /// The part that is scored and that the fit never sees; `None` when the target's own unlabelled rows are scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Part>,
    /// What is done to the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrupt_source: Option<Corruption>,
    /// Labelled target rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labelled: Option<Draw>,
    /// Source rows taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_sample: Option<Draw>,
    /// Target rows taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_sample: Option<Draw>,
    /// Preprocessing, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preprocess: Vec<Step>,
    /// How texts become vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextParams>,
    /// How images become vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<FeaturesSpec>,
    /// What a longer shorter side of an image is shrunk to.
    #[serde(default = "default_side", skip_serializing_if = "is_default_side")]
    pub image_side: u32,
    /// How tables become vectors.
    #[serde(default, skip_serializing_if = "is_none_or_default")]
    pub table: TableParams,
    /// What it is summed up with where gates are audited.
    #[serde(default, rename = "group", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Where it stands on the curve over tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<f64>,
    /// Its line in the specification.
    #[serde(skip)]
    pub line: usize,
}

/// The usual size of images before a network crops them.
fn default_side() -> u32 {
    TaskSpec::IMAGE_SIDE
}

fn is_default_side(side: &u32) -> bool {
    *side == TaskSpec::IMAGE_SIDE
}

impl TaskSpec {
    /// Default of `image_side`: so many images of 256 x 256 fit into memory, and networks that are trained on crops of 224
    /// start from this size. A specification with a network that takes more has to say so: larger images cost memory in
    /// proportion to their area, and are others for the other methods, too.
    pub const IMAGE_SIDE: u32 = 256;

    /// All parts: the sources, the target, and the test part where there is one.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.source.iter().chain([&self.target]).chain(&self.test)
    }

    /// All parts, in the same order, to change them.
    pub fn parts_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        let sources = self.source.iter_mut();
        sources.chain([&mut self.target]).chain(&mut self.test)
    }
}

/// What a task is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Rows of numbers or a table of numbers and categories.
    #[default]
    Vectors,
    /// Documents, turned into vectors by [`TextParams`].
    Text,
    /// Images, as they are or turned into vectors by a network: [`FeaturesSpec`].
    Images,
}

impl Kind {
    /// Its name in specifications.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vectors => "vectors",
            Self::Text => "text",
            Self::Images => "images",
        }
    }
}

/// How images become vectors: the output of a layer of a network that does not learn.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `backbone` | the network's name | required |
/// | `weights` | published weights by name, a file relative to the specification's folder, or `"random"`: first values, as a control | required |
/// | `layer` | the layer whose output is taken | the backbone's features, before its classifier |
///
/// Features are kept in the folder `features` of the cache (`TRANSLEARN_CACHE`), under a checksum of network, weights,
/// layer and images; it may be emptied at any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeaturesSpec {
    /// The network's name.
    pub backbone: String,
    /// Where its weights come from.
    pub weights: String,
    /// The layer whose output is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
}

/// What is done to a source, to see what transfer makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corruption {
    /// The share of the labels that is dealt out anew among their rows.
    pub labels: f64,
}

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// Classes.
    Classification,
    /// Real values.
    Regression,
}

impl Output {
    /// Whether a metric measures this.
    pub fn admits(self, metric: Metric) -> bool {
        metric.is_classification() == (self == Self::Classification)
    }

    /// The kind of a label space.
    pub fn of(space: &LabelSpace) -> Self {
        match space {
            LabelSpace::Classes(_) => Self::Classification,
            LabelSpace::Real => Self::Regression,
        }
    }
}

/// Rows from one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Where they come from.
    pub from: Origin,
    /// New classes made of their labels; rows of other labels are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Grouping>,
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A set of the catalogue or one that is embedded.
    Set {
        /// Its name.
        name: String,
        /// The domain, where it has several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<String>,
        /// The split, where it has several; `None` for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        split: Option<String>,
    },
    /// Rows that are drawn.
    Generated {
        /// From what.
        generator: Generator,
        /// Which of its two sides.
        side: Side,
        /// The seed they are drawn with.
        draw: u64,
    },
    /// A file of any format that [`translearn_data::read::file`] knows.
    File {
        /// Relative to the specification's folder.
        path: PathBuf,
        /// How it is read.
        options: ReadOptions,
    },
    /// Documents in class folders, on disk or in an archive.
    Texts {
        /// Relative to the specification's folder.
        path: PathBuf,
        /// Which files are taken.
        folder: FolderParams,
    },
    /// Images in class folders, on disk or in an archive.
    Images {
        /// Relative to the specification's folder.
        path: PathBuf,
        /// Which files are taken.
        folder: FolderParams,
    },
}

/// A side of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Where knowledge comes from.
    Source,
    /// Where it goes.
    Target,
}

impl Side {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

impl Origin {
    /// What it is called in errors.
    pub fn name(&self) -> String {
        match self {
            Self::Set { name, .. } => name.clone(),
            Self::Generated { side, .. } => format!("generated {}", side.name()),
            Self::File { path, .. } | Self::Texts { path, .. } | Self::Images { path, .. } => {
                path.display().to_string()
            }
        }
    }

    /// What a checksum is kept of: the set, or the file and the file beside it that holds the labels of an array.
    pub fn files(&self) -> Vec<String> {
        if let Self::Generated { .. } = self {
            return Vec::new();
        }
        let mut files = vec![self.name()];
        if let Self::File {
            path,
            options: ReadOptions {
                label: Some(label), ..
            },
        } = self
        {
            let name = path.to_string_lossy().to_lowercase();
            let (_, ending) = name
                .trim_end_matches(".gz")
                .rsplit_once('.')
                .unwrap_or_default();
            let tables = [
                "csv", "tsv", "txt", "data", "parquet", "pq", "npz", "mat", "h5", "hdf5", "hdf",
            ];
            if !tables.contains(&ending) {
                files.push(path.with_file_name(label).display().to_string());
            }
        }
        files
    }
}

/// How many rows are drawn. Classes are drawn alike: `count` and `fraction` keep their shares to within a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Draw {
    /// So many of each class, or all of a class that has fewer.
    PerClass(usize),
    /// A fraction of the rows, rounded, at least one.
    Fraction(f64),
    /// So many rows.
    Count(usize),
}
