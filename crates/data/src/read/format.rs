//! Which format a file has, and which options have a part in reading it.

use std::path::Path;

use super::ReadOptions;
use crate::DataError;

/// Formats the dispatcher knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Delimited,
    Parquet,
    Npy,
    Npz,
    Mat,
    Hdf5,
    Svmlight,
    Idx,
}

impl Format {
    /// The format that a file's name tells.
    pub(super) fn by_name(path: &Path) -> Option<Self> {
        Some(match ending(path).as_str() {
            "csv" | "tsv" | "txt" | "data" => Self::Delimited,
            "parquet" | "pq" => Self::Parquet,
            "npy" => Self::Npy,
            "npz" => Self::Npz,
            "mat" => Self::Mat,
            "h5" | "hdf5" | "hdf" => Self::Hdf5,
            "svmlight" | "libsvm" | "svm" => Self::Svmlight,
            "idx" => Self::Idx,
            _ => return None,
        })
    }

    /// The format of a file, by its name and, failing that, by its first bytes.
    pub(super) fn of(path: &Path, bytes: &[u8]) -> Result<Self, DataError> {
        if let Some(format) = Self::by_name(path) {
            return Ok(format);
        }
        Ok(match bytes {
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Self::Npy,
            [b'P', b'A', b'R', b'1', ..] => Self::Parquet,
            [0x89, b'H', b'D', b'F', ..] => Self::Hdf5,
            [b'P', b'K', 3, 4, ..] => Self::Npz,
            _ if bytes.starts_with(b"MATLAB 5.0") || bytes.starts_with(b"MATLAB 7.3") => Self::Mat,
            [0, 0, 8..=14, 1..=8, ..] => Self::Idx,
            _ => {
                return Err(DataError::Unsupported {
                    path: path.to_owned(),
                    found: match ending(path).as_str() {
                        "" => "a file whose name has no ending".to_owned(),
                        ending => format!("a file ending in `.{ending}`"),
                    },
                    advice: "use csv, tsv, parquet, npy, npz, mat, h5, svmlight or idx".to_owned(),
                });
            }
        })
    }

    /// Refuses options that would have no part in what is read.
    pub(super) fn check(self, options: &ReadOptions) -> Result<(), DataError> {
        let is_table = matches!(self, Self::Delimited | Self::Parquet);
        let is_text = self == Self::Delimited;
        let is_svmlight = self == Self::Svmlight;
        let has_arrays = matches!(self, Self::Npz | Self::Mat | Self::Hdf5);
        let is_array = has_arrays || matches!(self, Self::Npy | Self::Idx);
        let (text, svmlight) = (
            "only delimited text has it",
            "only svmlight counts columns by indices",
        );
        let (arrays, turned, columns, first) = (
            "only npz, mat and hdf5 files hold several arrays",
            "only arrays can be turned",
            "only tables have columns with names",
            "the first number of each svmlight line is the label",
        );
        // Name, whether it is given, whether it has a part, and why not.
        let all = [
            ("label", options.label.is_some(), !is_svmlight, first),
            ("features", options.features.is_some(), has_arrays, arrays),
            ("drop", !options.drop.is_empty(), is_table, columns),
            ("transpose", options.transpose, is_array, turned),
            ("delimiter", options.delimiter.is_some(), is_text, text),
            ("header", options.header.is_some(), is_text, text),
            ("missing", options.missing.is_some(), is_text, text),
            (
                "one_based",
                options.one_based.is_some(),
                is_svmlight,
                svmlight,
            ),
            (
                "n_features",
                options.n_features.is_some(),
                is_svmlight,
                svmlight,
            ),
        ];
        match all.into_iter().find(|(_, given, used, _)| *given && !used) {
            Some((name, _, _, why)) => Err(DataError::InvalidOption {
                name: name.to_owned(),
                value: "given".to_owned(),
                expected: format!("nothing for this file: {why}"),
            }),
            None => Ok(()),
        }
    }
}

/// What the name of a file ends in, `.gz` looked through.
fn ending(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_ascii_lowercase())
        .unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.')
        .map_or(String::new(), |(_, ending)| ending.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::file;

    #[test]
    fn options_without_a_part_in_what_is_read_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let table = write("a.csv", b"x,y\n1,2\n");
        let lines = write("a.svm", b"1 1:0.5\n");
        for (path, option, why) in [
            (&table, r#"{ "features": "x" }"#, "`features`"),
            (&table, r#"{ "one_based": true }"#, "only svmlight"),
            (&table, r#"{ "n_features": 3 }"#, "only svmlight"),
            (&table, r#"{ "transpose": true }"#, "only arrays"),
            (&lines, r#"{ "label": "y" }"#, "the first number"),
            (&lines, r#"{ "drop": ["x"] }"#, "only tables"),
            (&lines, r#"{ "delimiter": ";" }"#, "only delimited text"),
            (&lines, r#"{ "header": true }"#, "only delimited text"),
            (&lines, r#"{ "missing": ["?"] }"#, "only delimited text"),
        ] {
            let options: ReadOptions = serde_json::from_str(option).unwrap();
            let error = file(path, &options).unwrap_err().to_string();
            assert!(error.contains(why), "{option}: {error}");
        }
        let used = r#"{ "label": "y", "header": true, "delimiter": "," }"#;
        assert!(file(&table, &serde_json::from_str(used).unwrap()).is_ok());
        let used = r#"{ "one_based": true, "n_features": 3 }"#;
        assert!(file(&lines, &serde_json::from_str(used).unwrap()).is_ok());
    }

    #[test]
    fn a_file_of_no_known_kind_says_what_is_read() {
        for (name, why) in [("a.doc", "a file ending in `.doc`"), ("doc", "no ending")] {
            let error = Format::of(Path::new(name), b"words")
                .unwrap_err()
                .to_string();
            assert!(error.contains(why) && error.contains("svmlight"), "{error}");
        }
    }
}
