//! What names weights: one text for published ones, a file, or none at all.

use std::path::{Path, PathBuf};

use crate::pretrained::{self, Pretrained};

/// First values in place of weights: what the layout of a network alone is worth, as a control.
pub const RANDOM: &str = "random";

/// Where weights come from, by the one text that names them in specs and methods.
///
/// | text | weights |
/// |---|---|
/// | `"random"` ([`RANDOM`]) | none: first values are drawn |
/// | `id` in [`pretrained`] | published ones, from any of the files that hold them |
/// | `id/file` | published ones, from this one of their files |
/// | anything else | a file, relative to a folder |
///
/// ```
/// use translearn_weights::Source;
///
/// let published = Source::find("cifar10-resnet20/resnet20.safetensors", "".as_ref());
/// assert!(matches!(published, Some(Source::Published(_, Some(file))) if file == "resnet20.safetensors"));
/// assert_eq!(Source::find("random", "".as_ref()), Some(Source::Random));
/// assert_eq!(Source::find("no-such-file.pt", "".as_ref()), None);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Nowhere: first values are drawn.
    Random,
    /// Published weights; one of their files by name, where one is named.
    Published(&'static Pretrained, Option<String>),
    /// A file.
    File(PathBuf),
}

impl Source {
    /// What `name` stands for; `None` when it is neither known nor a file. Files are relative to `base`.
    pub fn find(name: &str, base: &Path) -> Option<Self> {
        if name == RANDOM {
            return Some(Self::Random);
        }
        if let Some((published, file)) = published(name) {
            return Some(Self::Published(published, file));
        }
        let file = base.join(name);
        file.is_file().then_some(Self::File(file))
    }

    /// The names that stand for something wherever files lie: for the message about one that stands for nothing.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        let published = pretrained::all().iter();
        published.map(|weights| weights.id.as_str()).chain([RANDOM])
    }
}

fn published(name: &str) -> Option<(&'static Pretrained, Option<String>)> {
    if let Ok(published) = pretrained::get(name) {
        return Some((published, None));
    }
    let (id, file) = name.split_once('/')?;
    let published = pretrained::get(id).ok()?;
    let known = published.files.iter().any(|known| known == file);
    known.then(|| (published, Some(file.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_in_its_folder_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own.pt");
        std::fs::write(&own, "tensors").unwrap();
        let here = Source::find("own.pt", folder.path());
        assert_eq!(here, Some(Source::File(own.clone())));
        assert_eq!(Source::find("own.pt", Path::new("/nowhere")), None);
        let absolute = Source::find(own.to_str().unwrap(), Path::new("/nowhere"));
        assert_eq!(absolute, Some(Source::File(own)));
        // A folder is no file, and an empty name would be the folder.
        assert_eq!(Source::find("", folder.path()), None);
    }

    #[test]
    fn a_published_name_goes_before_a_file_and_only_its_own_files_belong_to_it() {
        let folder = tempfile::tempdir().unwrap();
        for name in Source::names() {
            std::fs::write(folder.path().join(name), "tensors").unwrap();
            let found = Source::find(name, folder.path());
            assert!(!matches!(found, None | Some(Source::File(_))), "{name}");
        }
        let elsewhere = folder.path().join("other");
        assert_eq!(Source::find("cifar10-resnet20/mnist.pt", &elsewhere), None);
    }
}
