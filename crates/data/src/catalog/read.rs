//! From the parts of a set to a sample.

use std::path::Path;
#[cfg(feature = "image")]
use std::path::PathBuf;

use translearn_assets::Cache;

use super::load::{Only, Part, Reader};
use super::set::{Select, Set};
#[cfg(any(feature = "audio", feature = "image"))]
use crate::folder::FolderParams;
use crate::read::{self, ReadOptions, Variables, delimited, table_sample};
use crate::{Cells, DataError, RawFeatures, RawLabels, RawSample, Table, text};

impl Set {
    /// The rows that `select` names, fetched and read.
    ///
    /// # Errors
    /// Those of [`Set::select`], [`Set::fetch`] and the readers.
    pub fn load(&self, select: &Select, cache: &Cache) -> Result<RawSample, DataError> {
        let parts = self
            .select(select)?
            .into_iter()
            .map(|part| self.load_part(part, cache));
        let mut samples = parts.collect::<Result<Vec<_>, _>>()?.into_iter();
        let first = samples
            .next()
            .ok_or_else(|| self.unsupported("a set without rows", "use another"))?;
        samples.try_fold(first, |above, below| self.stack(above, below))
    }

    fn load_part(&self, part: &Part, cache: &Cache) -> Result<RawSample, DataError> {
        match &part.read {
            Reader::File { file, options } => {
                // The labels of an idx file lie in a file beside it.
                if let Some(beside) = options
                    .label
                    .as_deref()
                    .filter(|label| self.manifest().file(label).is_ok())
                {
                    self.fetch(cache, beside)?;
                }
                read::file(&self.fetch(cache, file)?, options)
            }
            Reader::Table {
                file,
                options,
                only,
            } => {
                let path = self.fetch(cache, file)?;
                self.table(
                    &path,
                    delimited::read(&path, options)?,
                    options,
                    only.as_ref(),
                )
            }
            Reader::Texts { file, folder } => text::read(&self.fetch(cache, file)?, folder),
            #[cfg(feature = "image")]
            Reader::Images {
                file,
                folder,
                options,
            } => self
                .open_images(file.as_deref(), folder, cache)?
                .read(options),
            #[cfg(not(feature = "image"))]
            Reader::Images { .. } => Err(self.unsupported(
                "a set of images",
                "build translearn-data with its feature `image`",
            )),
            #[cfg(feature = "audio")]
            Reader::Sounds { file, options } => {
                crate::audio::read(&self.fetch(cache, file)?, &FolderParams::default(), options)
            }
            #[cfg(not(feature = "audio"))]
            Reader::Sounds { .. } => Err(self.unsupported(
                "a set of sounds",
                "build translearn-data with its feature `audio`",
            )),
            Reader::Tasks { .. } => Ok(RawSample::from(&self.read_tasks(&part.read, cache)?)),
            Reader::Graph { .. } => {
                let graph = self.read_graph(part, cache)?;
                let labels = graph.labels();
                Ok(RawSample {
                    features: RawFeatures::Matrix(graph.features.into()),
                    labels,
                })
            }
        }
    }

    /// The images that `select` names as they stand, to be decoded one by one: a list for each part, in the order of
    /// [`Set::load`]'s rows.
    ///
    /// # Errors
    /// [`DataError::Unsupported`] for a set that holds no images, and those of [`Set::select`] and [`Set::fetch`].
    #[cfg(feature = "image")]
    pub fn images(
        &self,
        select: &Select,
        cache: &Cache,
    ) -> Result<Vec<crate::image::Images>, DataError> {
        let open = |part: &Part| match &part.read {
            Reader::Images { file, folder, .. } => self.open_images(file.as_deref(), folder, cache),
            _ => Err(self.unsupported("a set of vectors, texts or sounds", "use it as it is")),
        };
        self.select(select)?.into_iter().map(open).collect()
    }

    #[cfg(feature = "image")]
    fn open_images(
        &self,
        file: Option<&str>,
        folder: &FolderParams,
        cache: &Cache,
    ) -> Result<crate::image::Images, DataError> {
        let path = match file {
            Some(file) => self.fetch(cache, file)?,
            None => self.fetch_folder(&folder.under, cache)?,
        };
        crate::image::Images::open(&path, folder)
    }

    /// The set's own folder, once every file below `under` is there.
    #[cfg(feature = "image")]
    fn fetch_folder(&self, under: &str, cache: &Cache) -> Result<PathBuf, DataError> {
        let mut folder: Option<PathBuf> = None;
        let prefix = format!("{under}/");
        for file in self
            .manifest()
            .files
            .iter()
            .filter(|file| file.path.starts_with(&prefix))
        {
            let path = self.fetch(cache, &file.path)?;
            // As many parts up as the path in the set has.
            let root = path
                .ancestors()
                .nth(file.path.split('/').count())
                .unwrap_or(&path);
            match &folder {
                None => folder = Some(root.to_owned()),
                Some(folder) if folder == root => (),
                Some(folder) => {
                    return Err(DataError::Mismatch {
                        path: self.name().into(),
                        left: format!("some of its files are in `{}`", folder.display()),
                        right: format!("`{}` is not", path.display()),
                        advice: "complete the one folder or empty it".to_owned(),
                    });
                }
            }
        }
        folder.ok_or_else(|| {
            self.unsupported(&format!("no file below `{under}`"), "correct the manifest")
        })
    }

    fn table(
        &self,
        path: &Path,
        mut table: Table,
        options: &ReadOptions,
        only: Option<&Only>,
    ) -> Result<RawSample, DataError> {
        let names = &self.load.column_names;
        if !names.is_empty() {
            if names.len() != table.columns.len() {
                return Err(DataError::Mismatch {
                    path: path.to_owned(),
                    left: format!("the manifest names {} columns", names.len()),
                    right: format!("the file has {}", table.columns.len()),
                    advice: "they must be the same".to_owned(),
                });
            }
            for (column, name) in table.columns.iter_mut().zip(names) {
                column.name.clone_from(name);
            }
        }
        if let Some(only) = only {
            table = rows_with(path, table, only)?;
        }
        table_sample(path, table, options)
    }

    fn stack(&self, above: RawSample, below: RawSample) -> Result<RawSample, DataError> {
        let unlike = |left: &str, right: &str| DataError::Mismatch {
            path: self.name().into(),
            left: left.to_owned(),
            right: right.to_owned(),
            advice: "choose one split".to_owned(),
        };
        let features = match (above.features, below.features) {
            (RawFeatures::Matrix(a), RawFeatures::Matrix(b)) => RawFeatures::Matrix(a.stack(&b)?),
            (RawFeatures::Texts(a), RawFeatures::Texts(b)) => RawFeatures::Texts([a, b].concat()),
            _ => return Err(unlike("one split is a matrix or texts", "another is not")),
        };
        let labels = match (above.labels, below.labels) {
            (Some(RawLabels::Names(a)), Some(RawLabels::Names(b))) => {
                Some(RawLabels::Names([a, b].concat()))
            }
            (Some(RawLabels::Numbers(a)), Some(RawLabels::Numbers(b))) => {
                Some(RawLabels::Numbers([a, b].concat()))
            }
            (None, None) => None,
            _ => {
                return Err(unlike(
                    "one split has labels of one kind",
                    "another has not",
                ));
            }
        };
        Ok(RawSample { features, labels })
    }
}

/// The rows of a table with one value in a column, without that column.
fn rows_with(path: &Path, mut table: Table, only: &Only) -> Result<Table, DataError> {
    let at = table
        .columns
        .iter()
        .position(|column| column.name == only.column)
        .ok_or_else(|| {
            DataError::missing(
                path,
                "column",
                &only.column,
                table.columns.iter().map(|column| column.name.as_str()),
            )
        })?;
    let keep: Vec<bool> = match table.columns.remove(at).cells {
        Cells::Numbers(numbers) => numbers
            .iter()
            .map(|number| number.to_string() == only.value)
            .collect(),
        Cells::Categories(cells) => cells
            .iter()
            .map(|cell| cell.as_ref() == Some(&only.value))
            .collect(),
    };
    for column in &mut table.columns {
        let mut kept = keep.iter().copied();
        let mut keep = || kept.next().unwrap_or(false);
        match &mut column.cells {
            Cells::Numbers(numbers) => numbers.retain(|_| keep()),
            Cells::Categories(cells) => cells.retain(|_| keep()),
        }
    }
    Ok(table)
}

/// The arrays of a MAT or npz file.
pub(super) fn variables(path: &Path) -> Result<Variables, DataError> {
    if path.extension().is_some_and(|extension| extension == "npz") {
        read::npz::read(path)
    } else {
        read::mat::read(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_a_column_that_is_then_gone() {
        let parse = |text: &[u8]| {
            delimited::parse(Path::new("t.csv"), text, &ReadOptions::default()).unwrap()
        };
        let only = |column: &str, value: &str| Only {
            column: column.to_owned(),
            value: value.to_owned(),
        };
        let table = parse(b"a,b,c\n1,x,p\n2,y,q\n,x,?\n4,?,r\n");
        let kept = rows_with(Path::new("t.csv"), table.clone(), &only("b", "x")).unwrap();
        let names: Vec<&str> = kept
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(
            kept.columns[1].cells,
            Cells::Categories(vec![Some("p".into()), None])
        );
        let by_number = rows_with(Path::new("t.csv"), table.clone(), &only("a", "2")).unwrap();
        assert_eq!(
            by_number.columns[0].cells,
            Cells::Categories(vec![Some("y".into())])
        );
        let error = rows_with(Path::new("t.csv"), table, &only("d", "x")).unwrap_err();
        assert!(matches!(error, DataError::Missing { .. }), "{error}");
    }
}
