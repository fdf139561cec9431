//! The `[load]` table of a manifest: which parts a set has, and how each is read.

use serde::Deserialize;

#[cfg(feature = "audio")]
use crate::audio::AudioParams;
use crate::folder::FolderParams;
#[cfg(feature = "image")]
use crate::image::ImageParams;
use crate::read::ReadOptions;

/// Without the reader, what a manifest says to it is left as it is.
#[cfg(not(feature = "audio"))]
type AudioParams = toml::Value;
#[cfg(not(feature = "image"))]
type ImageParams = toml::Value;

/// The `[load]` table of a manifest.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Load {
    pub(super) part: Vec<Part>,
    /// Of a table without header.
    pub(super) column_names: Vec<String>,
    pub(super) attributes: Option<AttributeFiles>,
    pub(super) episodes: Option<EpisodeFile>,
    pub(super) words: Vec<WordFile>,
}

/// Rows that are read together: a domain, a split of it, or the whole set, with the shape they have.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The domain, where the set has several.
    pub domain: Option<String>,
    /// The split (`train`, `test`, …), where the set has a fixed one.
    pub split: Option<String>,
    /// Number of rows.
    pub rows: usize,
    /// Number of features, the label not counted; none for texts.
    pub columns: Option<usize>,
    /// Number of classes; none where the labels are numbers to be predicted. Rows with classes may still have no label in
    /// [`Set::load`](super::Set::load): the nodes of a network may have several classes each, see [`Set::graph`](super::Set::graph).
    pub classes: Option<usize>,
    pub(super) read: Reader,
}

impl Part {
    /// Whether its rows are images, which [`Set::images`](super::Set::images) opens as they stand.
    pub fn holds_images(&self) -> bool {
        matches!(self.read, Reader::Images { .. })
    }
}

/// How the rows of a part are read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Reader {
    /// A file of any format that [`crate::read::file`] knows.
    File {
        file: String,
        #[serde(default)]
        options: ReadOptions,
    },
    /// A delimited text file whose columns get their names from the manifest, or of which only some rows are taken.
    Table {
        file: String,
        #[serde(default)]
        options: ReadOptions,
        only: Option<Only>,
    },
    /// Documents in class folders of an archive.
    Texts { file: String, folder: FolderParams },
    /// Images in class folders of an archive, or of the set's own folder.
    Images {
        file: Option<String>,
        folder: FolderParams,
        options: ImageParams,
    },
    /// Recordings in an archive.
    Sounds { file: String, options: AudioParams },
    /// A pair of MATLAB cell arrays with one task in each cell.
    Tasks {
        file: String,
        features: String,
        label: String,
        tasks: usize,
    },
    /// Nodes with features, edges and classes: three arrays of a MAT or npz file.
    Graph {
        file: String,
        features: String,
        edges: String,
        labels: String,
    },
}

/// Rows with one value in a column, which is then left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Only {
    pub(super) column: String,
    pub(super) value: String,
}

/// The files that describe classes by attributes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttributeFiles {
    pub(super) classes: String,
    pub(super) names: String,
    pub(super) continuous: String,
    pub(super) binary: String,
    pub(super) seen: String,
    pub(super) unseen: String,
}

/// The archive of one-shot runs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EpisodeFile {
    pub(super) file: String,
    pub(super) runs: usize,
    pub(super) ways: usize,
}

/// A file of word vectors, for [`crate::words`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordFile {
    /// Path in the set.
    pub file: String,
    /// Its format.
    pub format: WordFormat,
    /// Number of words.
    pub words: usize,
    /// Length of each vector.
    pub dimension: usize,
}

/// A format of word vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WordFormat {
    /// Text, with or without header.
    Text,
    /// word2vec's binary format.
    Word2vec,
}
