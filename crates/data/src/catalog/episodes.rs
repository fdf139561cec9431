//! One-shot runs: a few images to learn from, and as many to recognise.

use std::collections::BTreeMap;

use translearn_assets::Cache;

use super::set::Set;
use crate::folder::{Folder, FolderParams};
use crate::image::{Color, ImageItem, ImageParams, Images};
use crate::{DataError, Position};

/// One run: each test image shows the class of one training image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// One image per class, grey.
    pub training: Vec<ImageItem>,
    /// Images to be recognised, grey.
    pub test: Vec<ImageItem>,
    /// Which training image shows the class of each test image.
    pub answers: Vec<usize>,
}

impl Set {
    /// The one-shot runs of the set, in order.
    ///
    /// # Errors
    /// Those of [`Set::fetch`] and the image reader; [`DataError::Unsupported`] for a set without runs;
    /// [`DataError::Malformed`] when a run is not what its list of answers says.
    pub fn episodes(&self, cache: &Cache) -> Result<Vec<Episode>, DataError> {
        let declared = self
            .load
            .episodes
            .as_ref()
            .ok_or_else(|| self.unsupported("no one-shot runs", "use `load`"))?;
        let path = self.fetch(cache, &declared.file)?;
        let fail = |name: &str, expected: String, found: String| {
            DataError::malformed(
                &path,
                "one-shot runs",
                Position::Part(name.into()),
                expected,
                found,
            )
        };
        let grey = ImageParams {
            color: Color::Grey,
            ..ImageParams::default()
        };
        let mut images: BTreeMap<String, ImageItem> =
            Images::open(&path, &FolderParams::default())?
                .iter(&grey)
                .map(|item| item.map(|item| (item.name.clone(), item)))
                .collect::<Result<_, _>>()?;

        let lists = FolderParams {
            extensions: vec!["txt".to_owned()],
            ..FolderParams::default()
        };
        let lists = Folder::open(&path, &lists)?;
        if lists.len() != declared.runs {
            return Err(fail(
                "class_labels.txt",
                format!("{} runs", declared.runs),
                lists.len().to_string(),
            ));
        }
        (0..lists.len())
            .map(|run| {
                let name = lists.name(run);
                let bytes = lists.bytes(run)?;
                let text = String::from_utf8_lossy(&bytes);
                let pairs: Vec<(&str, &str)> = text
                    .lines()
                    .filter_map(|line| line.trim().split_once(' '))
                    .collect();
                if pairs.len() != declared.ways {
                    return Err(fail(
                        name,
                        format!("{} pairs of images", declared.ways),
                        pairs.len().to_string(),
                    ));
                }
                let mut shown: Vec<&str> = pairs.iter().map(|&(_, training)| training).collect();
                shown.sort_unstable();
                shown.dedup();
                let answers = pairs
                    .iter()
                    .filter_map(|&(_, training)| shown.binary_search(&training).ok())
                    .collect();
                let mut take = |image: &str| {
                    images.remove(image).ok_or_else(|| {
                        fail(
                            name,
                            "images of the archive, each once".to_owned(),
                            format!("`{image}`"),
                        )
                    })
                };
                Ok(Episode {
                    training: shown
                        .iter()
                        .map(|&image| take(image))
                        .collect::<Result<_, _>>()?,
                    test: pairs
                        .iter()
                        .map(|&(test, _)| take(test))
                        .collect::<Result<_, _>>()?,
                    answers,
                })
            })
            .collect()
    }
}
