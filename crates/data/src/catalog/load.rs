//! The `[load]` table of a manifest: which parts a set has, and how each is read.

use ndarray::ArrayView1;
use serde::Deserialize;
use translearn_core::{Features, Image, ImageRows, TransferError};

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
    /// What is in several domains, a clause.
    pub(super) shared_rows: Option<String>,
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
    /// How its rows of numbers are images, where they are.
    pub pixels: Option<PixelRows>,
    pub(super) read: Reader,
}

impl Part {
    /// Whether its rows are images: files, which [`Set::images`](super::Set::images) opens as they stand, or rows of
    /// [pixels](Part::pixels).
    pub fn holds_images(&self) -> bool {
        matches!(self.read, Reader::Images { .. }) || self.pixels.is_some()
    }

    /// Whether its rows are the nodes of a network, which may have several classes or none: see
    /// [`Set::graph`](super::Set::graph).
    pub fn holds_nodes(&self) -> bool {
        matches!(self.read, Reader::Graph { .. })
    }
}

/// Rows of numbers that are grey images of one size, row by row from the top.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PixelRows {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// The number that stands for white; 0 stands for black.
    pub white: f64,
}

impl PixelRows {
    /// Each row as an image of one channel: `255 x / white`, rounded.
    ///
    /// ```
    /// use ndarray::array;
    /// use translearn_core::Features;
    /// use translearn_data::catalog::PixelRows;
    ///
    /// let pixels = PixelRows { height: 1, width: 3, white: 1.0 };
    /// let images = pixels.images(&Features::from(array![[0.0, 0.5, 1.0]]))?;
    /// assert_eq!(images.get(0).map(|image| image.pixels()), Some(&[0, 128, 255][..]));
    /// # Ok::<(), translearn_core::TransferError>(())
    /// ```
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] for rows of another length, [`TransferError::Unsupported`] for a value that is no
    /// brightness between black and white, and those of [`Features::dense`].
    pub fn images(&self, rows: &Features) -> Result<ImageRows, TransferError> {
        let x = rows.dense()?;
        if x.ncols() != self.height * self.width {
            return Err(TransferError::FeatureMismatch {
                left: format!("an image of {} x {} pixels", self.height, self.width),
                left_features: self.height * self.width,
                right: "a row of the set".to_owned(),
                right_features: x.ncols(),
            });
        }
        let image = |(row, values): (usize, ArrayView1<'_, f64>)| {
            let pixel = |(column, &value): (usize, &f64)| {
                if (0.0..=self.white).contains(&value) {
                    return Ok((255.0 * value / self.white).round() as u8);
                }
                Err(TransferError::Unsupported {
                    method: "an image".to_owned(),
                    needs: format!("brightness from 0 to {}", self.white),
                    has: format!("{value} in row {row}, column {column}"),
                })
            };
            let pixels = values.iter().enumerate().map(pixel);
            Image::new(
                self.height,
                self.width,
                1,
                pixels.collect::<Result<_, _>>()?,
            )
        };
        x.outer_iter().enumerate().map(image).collect()
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
