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

/// The options of several files, in their order, by which all get the same columns: with `one_based` and `n_features` where
/// they are not said.
///
/// | option | where a file's options do not say it |
/// |---|---|
/// | `one_based` | as another's options say, `false` where these differ; where none says it, indices count from 1 unless one of any file is 0 |
/// | `n_features` | the largest that another's options say; where none says it, as many as the largest index of all files needs |
///
/// [`common_options`](super::common_options) asks for files of any format.
///
/// ```
/// use std::path::Path;
/// use translearn_data::read::{ReadOptions, svmlight};
///
/// // The second file alone would count from 1.
/// let (old, new) = (b"-1 0:0.5 3:1\n", b"+1 1:3\n");
/// let open = ReadOptions::default();
/// let files = [(Path::new("old.svm"), &old[..], &open), (Path::new("new.svm"), &new[..], &open)];
/// let common = svmlight::common_options(&files)?;
/// assert_eq!((common[1].one_based, common[1].n_features), (Some(false), Some(4)));
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// # Errors
/// As [`parse`] for lines that cannot be read.
pub fn common_options(
    files: &[(&Path, &[u8], &ReadOptions)],
) -> Result<Vec<ReadOptions>, DataError> {
    let indices = (files.iter())
        .map(|(path, bytes, _)| Ok(Lines::parse(path, bytes)?.indices))
        .collect::<Result<Vec<_>, DataError>>()?;
    let options = || files.iter().map(|(_, _, options)| *options);
    // `false` is the least.
    let said = options().filter_map(|options| options.one_based).min();
    let one_based = said.unwrap_or_else(|| !indices.iter().any(|of_file| of_file.contains(&0)));
    let needed = |(of_file, options): (&Vec<usize>, &ReadOptions)| {
        let from_zero = !options.one_based.unwrap_or(one_based);
        let largest = of_file.iter().max()?;
        Some(largest.saturating_add(usize::from(from_zero)))
    };
    let said = options().filter_map(|options| options.n_features).max();
    let n_features = said.unwrap_or_else(|| {
        let needed = indices.iter().zip(options()).filter_map(needed).max();
        // Beyond, the file with the index says so.
        needed.unwrap_or(0).min(MOST_FEATURES)
    });
    let common = |options: &ReadOptions| ReadOptions {
        one_based: Some(options.one_based.unwrap_or(one_based)),
        n_features: Some(options.n_features.unwrap_or(n_features)),
        ..options.clone()
    };
    Ok(options().map(common).collect())
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
        let agreed = |texts: [&str; 2], options: [&ReadOptions; 2]| {
            let file = |at: usize| (Path::new("t.svm"), texts[at].as_bytes(), options[at]);
            common_options(&[file(0), file(1)]).unwrap()
        };
        let open = ReadOptions::default();
        for (one, other) in [
            ("1 0:1 2:1", "1 1:1"),
            ("1 1:1", "1 1:1 7:2"),
            ("1 3:1", "1 0:4"),
            ("1", "-1"),
        ] {
            let options = agreed([one, other], [&open; 2]);
            let both = read(&format!("{one}\n{other}"), &ReadOptions::default())
                .unwrap()
                .0;
            for (row, text) in [one, other].into_iter().enumerate() {
                let x = read(text, &options[row]).unwrap().0;
                assert_eq!(x.to_dense().row(0), both.to_dense().row(row), "{text}");
            }
        }
    }

    /// What one file's options leave open is as the other's say, and no option that is said is changed.
    #[test]
    fn what_is_said_of_one_file_counts_for_all() {
        let said = |one_based: Option<bool>, n_features: Option<usize>| ReadOptions {
            one_based,
            n_features,
            label: Some("kept".to_owned()),
            ..ReadOptions::default()
        };
        let (zero, one) = (Some(false), Some(true));
        for (options, expected) in [
            ([(zero, Some(9)), (zero, Some(9))], [(zero, 9), (zero, 9)]),
            ([(None, Some(9)), (None, Some(9))], [(one, 9), (one, 9)]),
            ([(zero, Some(9)), (None, None)], [(zero, 9), (zero, 9)]),
            ([(one, None), (zero, None)], [(one, 4), (zero, 4)]),
            ([(zero, None), (one, None)], [(zero, 3), (one, 3)]),
            ([(None, Some(7)), (one, Some(9))], [(one, 7), (one, 9)]),
        ] {
            let [old, new] = options.map(|(one_based, n_features)| said(one_based, n_features));
            let files = [
                (Path::new("old.svm"), &b"1 2:1"[..], &old),
                (Path::new("new.svm"), &b"1 3:1"[..], &new),
            ];
            let expected = expected.map(|(base, n_features)| said(base, Some(n_features)));
            assert_eq!(common_options(&files).unwrap(), expected, "{options:?}");
        }
        assert!(common_options(&[]).unwrap().is_empty());
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
