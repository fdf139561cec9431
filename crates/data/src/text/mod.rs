//! Texts: folders and archives of documents, and the vectoriser that turns them into counts or tf-idf.
//!
//! The [`Vectorizer`] agrees with scikit-learn's `TfidfVectorizer` and `CountVectorizer` in vocabulary, order and values,
//! so that published protocols can be repeated; [`TfidfTransform`] does the weighting alone, for counts that come from a
//! file.

mod params;
mod tfidf;
mod vectorizer;

use std::path::Path;

pub use params::{DocumentFrequency, StopWords, TextParams, Weighting};
pub use tfidf::TfidfTransform;
pub(crate) use tfidf::sublinear;
pub use vectorizer::Vectorizer;

use crate::folder::{Folder, FolderParams};
use crate::{DataError, RawFeatures, RawSample};

/// Reads documents that lie as `class/file`, in a folder or an archive, in the order of their names.
///
/// A document is read as UTF-8; bytes that are not valid UTF-8 are read as Latin-1 (ISO 8859-1), each byte one
/// character, so that no document is lost or changed silently into replacement characters. A UTF-8 byte order mark is
/// dropped.
///
/// # Errors
/// Those of [`Folder::open`] and [`Folder::classes`].
///
/// ```
/// use translearn_data::folder::FolderParams;
/// use translearn_data::{RawFeatures, RawLabels, text};
///
/// let root = tempfile::tempdir()?;
/// std::fs::create_dir(root.path().join("greeting"))?;
/// std::fs::write(root.path().join("greeting/1"), [0xA1, b'h', b'o', b'l', b'a'])?;
/// let sample = text::read(root.path(), &FolderParams::default())?;
/// assert_eq!(sample.features, RawFeatures::Texts(vec!["¡hola".to_owned()]));
/// assert_eq!(sample.labels, Some(RawLabels::Names(vec!["greeting".to_owned()])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: &Path, params: &FolderParams) -> Result<RawSample, DataError> {
    let folder = Folder::open(path, params)?;
    let texts = (0..folder.len())
        .map(|index| Ok(decode(&folder.bytes(index)?)))
        .collect::<Result<_, DataError>>()?;
    Ok(RawSample {
        features: RawFeatures::Texts(texts),
        labels: folder.classes()?,
    })
}

fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{FEFF}').to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}
