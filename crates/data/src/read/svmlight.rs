//! The text format of SVMlight and LIBSVM.

use std::path::Path;

use sprs::CompressedStorage;
use translearn_core::{Csr, DENSE_LIMIT_BYTES};

use super::ReadOptions;
use super::sparse::Compressed;
use crate::{DataError, Position};

const FORMAT: &str = "svmlight";

/// What is learned from rows holds a number for each feature: beyond so many, one dense row is above the limit of memory.
const MOST_FEATURES: usize = (DENSE_LIMIT_BYTES / 8) as usize;

/// Reads an svmlight file, see [`parse`].
///
/// # Errors
/// As [`parse`], and [`DataError::Io`].
pub fn read(path: &Path, options: &ReadOptions) -> Result<(Csr, Vec<f64>), DataError> {
    parse(path, &super::load_inflated(path)?, options)
}

/// Parses lines of `label index:value index:value … # comment` into rows and labels.
///
/// | option | default |
/// |---|---|
/// | `one_based` | indices count from 1, unless an index 0 stands in the file; of several files see [`common_options`] |
/// | `n_features` | the largest index; of several files see [`common_options`] |
///
/// Indices may stand in any order. `qid:n`, the query of ranking data, is skipped.
///
/// ```
/// use std::path::Path;
/// use translearn_data::read::{ReadOptions, svmlight};
///
/// let (x, y) = svmlight::parse(Path::new("t.svm"), b"-1 2:0.5 # a row\n+1 1:3 3:4\n", &ReadOptions::default())?;
/// assert_eq!((x.shape(), x.get(0, 1)), ((2, 3), Some(&0.5)));
/// assert_eq!(y, [-1.0, 1.0]);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Malformed`] with the line for what is no number, an index twice, or an index outside `n_features` or above
/// 2²⁷; [`DataError::InvalidOption`] for more features than that;
/// [`DataError::Empty`] without rows.
pub fn parse(
    path: &Path,
    bytes: &[u8],
    options: &ReadOptions,
) -> Result<(Csr, Vec<f64>), DataError> {
    let Lines {
        labels,
        lines,
        starts,
        mut indices,
        values,
    } = Lines::parse(path, bytes)?;
    let line_of = |at: usize| lines[starts.partition_point(|&start| start <= at) - 1];
    let fail = |at: usize, expected: String, found: String| {
        DataError::malformed(path, FORMAT, Position::Line(line_of(at)), expected, found)
    };
    let zero = indices.iter().position(|&index| index == 0);
    let one_based = options.one_based.unwrap_or(zero.is_none());
    if one_based {
        if let Some(at) = zero {
            return Err(fail(
                at,
                "indices from 1 (or say `one_based = false`)".to_owned(),
                "the index 0".to_owned(),
            ));
        }
        indices.iter_mut().for_each(|index| *index -= 1);
    }
    let largest = indices
        .iter()
        .enumerate()
        .max_by_key(|&(_, &index)| index)
        .map(|(at, &index)| (at, index));
    if let Some((at, index)) = largest.filter(|&(_, index)| index >= MOST_FEATURES) {
        return Err(fail(
            at,
            format!("at most {MOST_FEATURES} features, of which a dense row fills a gibibyte"),
            format!("the index {}", index.saturating_add(usize::from(one_based))),
        ));
    }
    let needed = largest.map_or(0, |(_, index)| index + 1);
    let n_features = options.n_features.unwrap_or(needed);
    if n_features > MOST_FEATURES {
        return Err(DataError::InvalidOption {
            name: "n_features".to_owned(),
            value: n_features.to_string(),
            expected: format!("at most {MOST_FEATURES}"),
        });
    }
    if let Some((at, _)) = largest.filter(|_| n_features < needed) {
        return Err(fail(
            at,
            format!("at most {n_features} features, as `n_features` says"),
            needed.to_string(),
        ));
    }
    if let Some(at) = duplicate(&starts, &indices) {
        return Err(fail(
            at,
            "each index once a line".to_owned(),
            "an index twice".to_owned(),
        ));
    }
    let shape = (labels.len(), n_features);
    let matrix = Compressed {
        storage: CompressedStorage::CSR,
        shape,
        starts,
        indices,
        values,
    }
    .check(path, FORMAT, "features")?;
    Ok((matrix, labels))
}

/// `one_based` and `n_features` by which several files get the same columns, where `options` does not say them: indices count
/// from 1 unless one of any file is 0, and there are as many features as the largest index of all files needs.
///
/// [`common_options`](super::common_options) asks for files of any format.
///
/// ```
/// use std::path::Path;
/// use translearn_data::read::{ReadOptions, svmlight};
///
/// // The second file alone would count from 1.
/// let (old, new) = (b"-1 0:0.5 3:1\n", b"+1 1:3\n");
/// let files = [(Path::new("old.svm"), &old[..]), (Path::new("new.svm"), &new[..])];
/// let common = svmlight::common_options(&files, &ReadOptions::default())?;
/// assert_eq!((common.one_based, common.n_features), (Some(false), Some(4)));
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// # Errors
/// As [`parse`] for lines that cannot be read.
pub fn common_options(
    files: &[(&Path, &[u8])],
    options: &ReadOptions,
) -> Result<ReadOptions, DataError> {
    let (mut has_zero, mut largest) = (false, None);
    for (path, bytes) in files {
        let indices = Lines::parse(path, bytes)?.indices;
        has_zero |= indices.contains(&0);
        largest = largest.max(indices.into_iter().max());
    }
    let one_based = options.one_based.unwrap_or(!has_zero);
    let needed = largest.map_or(0, |index: usize| {
        index.saturating_add(usize::from(!one_based))
    });
    Ok(ReadOptions {
        one_based: Some(one_based),
        // Beyond, the file with the index says so.
        n_features: Some(options.n_features.unwrap_or(needed.min(MOST_FEATURES))),
        ..options.clone()
    })
}

/// The lines of a file, before it is known where indices count from.
struct Lines {
    labels: Vec<f64>,
    /// The number of each row's line.
    lines: Vec<u64>,
    starts: Vec<usize>,
    indices: Vec<usize>,
    values: Vec<f64>,
}

impl Lines {
    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, DataError> {
        let mut labels = Vec::new();
        let mut lines = Vec::new();
        let (mut starts, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
        for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
            let fail = |expected: &str, found: &str| {
                DataError::malformed(path, FORMAT, Position::Line(number), expected, found)
            };
            let content = line.split(|&byte| byte == b'#').next().unwrap_or(line);
            let content = std::str::from_utf8(content)
                .map_err(|error| fail("UTF-8 text before the comment", &error.to_string()))?;
            let mut tokens = content.split_ascii_whitespace();
            let Some(label) = tokens.next() else { continue };
            labels.push(
                label
                    .parse::<f64>()
                    .map_err(|_| fail("one number as label", label))?,
            );
            for token in tokens {
                let (index, value) = token
                    .split_once(':')
                    .ok_or_else(|| fail("index:value", token))?;
                if index == "qid" {
                    continue;
                }
                indices.push(
                    index
                        .parse::<usize>()
                        .map_err(|_| fail("a whole number as index", token))?,
                );
                values.push(
                    value
                        .parse::<f64>()
                        .map_err(|_| fail("a number as value", token))?,
                );
            }
            starts.push(indices.len());
            lines.push(number);
        }
        if labels.is_empty() {
            return Err(DataError::Empty {
                path: path.to_owned(),
                what: "rows".to_owned(),
                advice: "an svmlight file has one row a line: `label index:value …`".to_owned(),
            });
        }
        Ok(Self {
            labels,
            lines,
            starts,
            indices,
            values,
        })
    }
}

/// An index that stands twice in its row, by its place in the file.
fn duplicate(starts: &[usize], indices: &[usize]) -> Option<usize> {
    starts.windows(2).find_map(|pair| {
        let row = &indices[pair[0]..pair[1]];
        if row.windows(2).all(|pair| pair[0] < pair[1]) {
            return None;
        }
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by_key(|&at| row[at]);
        order
            .windows(2)
            .find(|two| row[two[0]] == row[two[1]])
            .map(|two| pair[0] + two[1])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str, options: &ReadOptions) -> Result<(Csr, Vec<f64>), DataError> {
        parse(Path::new("t.svm"), text.as_bytes(), options)
    }

    fn message(text: &str) -> String {
        read(text, &ReadOptions::default()).unwrap_err().to_string()
    }

    #[test]
    fn comments_queries_and_disorder() {
        let (x, y) = read(
            "# head\n2 qid:7 3:1 1:5 # tail\r\n\n-1e0\n",
            &ReadOptions::default(),
        )
        .unwrap();
        assert_eq!(
            x.to_dense(),
            ndarray::array![[5.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
        );
        assert_eq!(y, [2.0, -1.0]);
    }

    #[test]
    fn the_base_is_seen_or_said() {
        let one = |one_based| ReadOptions {
            one_based,
            ..ReadOptions::default()
        };
        assert_eq!(read("1 1:1 2:1", &one(None)).unwrap().0.cols(), 2);
        assert_eq!(read("1 0:1 2:1", &one(None)).unwrap().0.cols(), 3);
        assert_eq!(read("1 1:1 2:1", &one(Some(false))).unwrap().0.cols(), 3);
        let error = read("1 1:1\n1 0:1", &one(Some(true)))
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 2: expected indices from 1"), "{error}");
        let wide = ReadOptions {
            n_features: Some(9),
            ..ReadOptions::default()
        };
        assert_eq!(read("1 1:1", &wide).unwrap().0.cols(), 9);
        let error = read("1 1:1\n1 10:1", &wide).unwrap_err().to_string();
        assert!(
            error.contains("line 2: expected at most 9 features") && error.contains("found 10"),
            "{error}"
        );
    }

    /// Both files get the columns that one file with the lines of both would have.
    #[test]
    fn files_agree_on_their_columns() {
        let agreed = |one: &str, other: &str, options: &ReadOptions| {
            let files = [one, other].map(|text| (Path::new("t.svm"), text.as_bytes()));
            common_options(&files, options).unwrap()
        };
        for (one, other) in [
            ("1 0:1 2:1", "1 1:1"),
            ("1 1:1", "1 1:1 7:2"),
            ("1 3:1", "1 0:4"),
            ("1", "-1"),
        ] {
            let options = agreed(one, other, &ReadOptions::default());
            let both = read(&format!("{one}\n{other}"), &ReadOptions::default())
                .unwrap()
                .0;
            for (row, text) in [one, other].into_iter().enumerate() {
                let x = read(text, &options).unwrap().0;
                assert_eq!(x.to_dense().row(0), both.to_dense().row(row), "{text}");
            }
        }
        let said = ReadOptions {
            one_based: Some(false),
            n_features: Some(9),
            ..ReadOptions::default()
        };
        assert_eq!(agreed("1 1:1", "1 2:1", &said), said);
        let no_base = ReadOptions {
            one_based: None,
            ..said
        };
        assert_eq!(agreed("1 1:1", "1 2:1", &no_base).one_based, Some(true));
    }

    #[test]
    fn errors_name_the_line() {
        for (text, why) in [
            (
                "1 1:1\nx 1:1",
                "line 2: expected one number as label, found x",
            ),
            (
                "1 1:1\n1,2 1:1",
                "line 2: expected one number as label, found 1,2",
            ),
            ("1 1", "line 1: expected index:value, found 1"),
            ("1 -1:1", "line 1: expected a whole number as index"),
            ("1 1:one", "line 1: expected a number as value"),
            (
                "1 1:1\n\n1 3:1 2:1 3:4",
                "line 3: expected each index once a line",
            ),
            (
                "1 18446744073709551615:1",
                "line 1: expected at most 134217728 features",
            ),
        ] {
            let error = message(text);
            assert!(error.contains(why), "{error} does not say {why}");
        }
        assert!(matches!(
            read("# nothing\n", &ReadOptions::default()),
            Err(DataError::Empty { .. })
        ));
        assert!(parse(Path::new("t"), b"1 1:\xff", &ReadOptions::default()).is_err());
        assert!(read("1 134217728:1", &ReadOptions::default()).is_ok());
        let too_wide = ReadOptions {
            n_features: Some(134_217_729),
            ..ReadOptions::default()
        };
        let error = read("1 1:1", &too_wide).unwrap_err().to_string();
        assert!(error.contains("`n_features` = 134217729"), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            rows in proptest::collection::vec(
                (-9.0..9.0, proptest::collection::btree_map(0_usize..50, -1e9..1e9, 0..6)), 1..8,
            ),
            one_based in any::<bool>(),
        ) {
            let rows: Vec<(f64, std::collections::BTreeMap<usize, f64>)> = rows;
            let text: String = (rows.iter())
                .map(|(label, cells)| {
                    let cells: String = (cells.iter().rev())
                        .map(|(index, value)| format!(" {}:{value}", index + usize::from(one_based)))
                        .collect();
                    format!("{label}{cells}\n")
                })
                .collect();
            let options = ReadOptions { one_based: Some(one_based), n_features: Some(50), ..ReadOptions::default() };
            let (x, y) = read(&text, &options).unwrap();
            for (row, (label, cells)) in rows.iter().enumerate() {
                prop_assert_eq!(y[row], *label);
                for column in 0..50 {
                    prop_assert_eq!(x.get(row, column), cells.get(&column));
                }
            }
        }
    }
}
