//! Which tensors of a file a network can use.

use std::fmt;

use indexmap::IndexMap;

use crate::{RawTensor, StateDict};

/// A tensor of the right name and another shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misshapen {
    /// Its name in the network.
    pub name: String,
    /// Shape in the network.
    pub expected: Vec<usize>,
    /// Shape in the file.
    pub found: Vec<usize>,
}

/// The tensors a network expects beside those of a file.
///
/// When more names are found after a prefix such as `module.` or `model.` is taken from the names of the file, it is
/// taken, and [`Match::stripped`] says so. Written out, a match is a table of what does not fit.
///
/// ```
/// use translearn_weights::{Match, RawTensor, StateDict};
///
/// let tensor = |n: usize| RawTensor::from_f32(vec![n], &vec![0.0; n]);
/// let file = StateDict::from_tensors("x.pt", [
///     ("module.conv.bias".to_owned(), tensor(3)?),
///     ("module.fc.bias".to_owned(), tensor(10)?),
/// ])?;
/// let expected = [("conv.bias".to_owned(), vec![3]), ("fc.bias".to_owned(), vec![5])];
/// let found = Match::new(expected, &file);
/// assert_eq!(found.loaded, ["conv.bias"]);
/// assert_eq!(
///     found.to_string(),
///     "1 of 2 tensors fit, 1 of another shape (prefix `module.` stripped)\n  other shape  fc.bias: expected 5, found 10\n",
/// );
/// # Ok::<(), translearn_weights::WeightsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Match {
    /// Names, as the network has them, of the tensors that fit.
    pub loaded: Vec<String>,
    /// Names that the network expects and the file has not.
    pub missing: Vec<String>,
    /// Names that only the file has, as they stand there.
    pub unexpected: Vec<String>,
    /// Tensors of another shape.
    pub misshapen: Vec<Misshapen>,
    /// The prefix that was taken from the names of the file.
    pub stripped: Option<String>,
}

impl Match {
    /// Compares names and shapes.
    pub fn new(expected: impl IntoIterator<Item = (String, Vec<usize>)>, file: &StateDict) -> Self {
        let mut expected: IndexMap<String, Vec<usize>> = expected.into_iter().collect();
        let mut found = Self {
            stripped: common_prefix(&expected, file),
            ..Self::default()
        };
        let prefix = found.stripped.clone().unwrap_or_default();
        for (name, shape) in &expected {
            match file.get(&format!("{prefix}{name}")) {
                None => found.missing.push(name.clone()),
                Some(tensor) if tensor.shape() == shape.as_slice() => {
                    found.loaded.push(name.clone());
                }
                Some(tensor) => found.misshapen.push(Misshapen {
                    name: name.clone(),
                    expected: shape.clone(),
                    found: tensor.shape().to_vec(),
                }),
            }
        }
        expected.sort_unstable_keys();
        let is_expected = |name: &&str| {
            name.strip_prefix(prefix.as_str())
                .is_some_and(|name| expected.contains_key(name))
        };
        let rest = file.names().filter(|name| !is_expected(name));
        found.unexpected = rest.map(str::to_owned).collect();
        found
    }

    /// Whether every tensor that the network expects is there in its shape.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.misshapen.is_empty()
    }

    /// How many tensors the network expects.
    pub fn expected(&self) -> usize {
        self.loaded.len() + self.missing.len() + self.misshapen.len()
    }

    /// What the tensor `name` of the network is called in the file.
    pub fn name_in_file(&self, name: &str) -> String {
        format!("{}{name}", self.stripped.as_deref().unwrap_or_default())
    }

    /// The tensors that fit, by their names in the network, from the file that was compared.
    pub fn tensors<'a>(
        &'a self,
        file: &'a StateDict,
    ) -> impl Iterator<Item = (&'a str, &'a RawTensor)> {
        self.loaded
            .iter()
            .filter_map(|name| Some((name.as_str(), file.get(&self.name_in_file(name))?)))
    }
}

/// Dots in a prefix, at most.
const DEEPEST: usize = 4;

/// The prefix, up to a dot, without which most names of the file are expected ones: the shortest of those, and none
/// when as many are without stripping.
fn common_prefix(expected: &IndexMap<String, Vec<usize>>, file: &StateDict) -> Option<String> {
    let mut counts: IndexMap<&str, usize> = IndexMap::from([("", 0)]);
    for name in file.names() {
        let starts = name.match_indices('.').take(DEEPEST).map(|(at, _)| at + 1);
        for start in std::iter::once(0).chain(starts) {
            let (prefix, rest) = name.split_at(start);
            if expected.contains_key(rest) {
                *counts.entry(prefix).or_default() += 1;
            }
        }
    }
    let best = counts.into_iter().reduce(|best, next| {
        let better = next.1 > best.1 || next.1 == best.1 && next.0.len() < best.0.len();
        if better { next } else { best }
    });
    best.map(|(prefix, _)| prefix.to_owned())
        .filter(|prefix| !prefix.is_empty())
}

/// Lines of each kind that are written out.
const SHOWN: usize = 20;

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} tensors fit",
            self.loaded.len(),
            self.expected()
        )?;
        for (n, what) in [
            (self.misshapen.len(), "of another shape"),
            (self.missing.len(), "missing"),
            (self.unexpected.len(), "unexpected"),
        ] {
            if n > 0 {
                write!(f, ", {n} {what}")?;
            }
        }
        if let Some(prefix) = &self.stripped {
            write!(f, " (prefix `{prefix}` stripped)")?;
        }
        writeln!(f)?;
        let shapes = self.misshapen.iter().map(
            |Misshapen {
                 name,
                 expected,
                 found,
             }| {
                format!("{name}: expected {}, found {}", axes(expected), axes(found))
            },
        );
        list(f, "other shape", shapes)?;
        list(f, "missing", self.missing.iter().cloned())?;
        list(f, "unexpected", self.unexpected.iter().cloned())
    }
}

fn list(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    lines: impl ExactSizeIterator<Item = String>,
) -> fmt::Result {
    let rest = lines.len().saturating_sub(SHOWN);
    for line in lines.take(SHOWN) {
        writeln!(f, "  {what:<11}  {line}")?;
    }
    if rest > 0 {
        writeln!(f, "  {what:<11}  … and {rest} more")?;
    }
    Ok(())
}

fn axes(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "one number".to_owned();
    }
    shape
        .iter()
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join("x")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tensors: &[(&str, &[usize])]) -> StateDict {
        let tensor = |&(name, shape): &(&str, &[usize])| {
            let n = shape.iter().product();
            (
                name.to_owned(),
                RawTensor::from_f32(shape.to_vec(), &vec![0.0; n]).unwrap(),
            )
        };
        StateDict::from_tensors("x", tensors.iter().map(tensor)).unwrap()
    }

    fn found(expected: &[(&str, &[usize])], tensors: &[(&str, &[usize])]) -> Match {
        let expected = expected
            .iter()
            .map(|&(name, shape)| (name.to_owned(), shape.to_vec()));
        Match::new(expected, &file(tensors))
    }

    #[test]
    fn every_name_lands_in_one_place() {
        let found = found(
            &[("a", &[2]), ("b", &[2, 3]), ("c", &[])],
            &[("b", &[3, 2]), ("d", &[1]), ("a", &[2])],
        );
        assert_eq!(
            (found.loaded.as_slice(), found.missing.as_slice()),
            (&["a".to_owned()][..], &["c".to_owned()][..])
        );
        assert_eq!(found.unexpected, ["d"]);
        assert_eq!(found.stripped, None);
        assert!(!found.is_complete());
        assert_eq!(
            found.to_string(),
            "1 of 3 tensors fit, 1 of another shape, 1 missing, 1 unexpected\n  \
             other shape  b: expected 2x3, found 3x2\n  missing      c\n  unexpected   d\n"
        );
    }

    #[test]
    fn a_prefix_is_stripped_only_when_more_names_fit() {
        let expected: &[(&str, &[usize])] = &[("fc.weight", &[1]), ("fc.bias", &[1])];
        let strip = |tensors| found(expected, tensors).stripped;
        assert_eq!(
            strip(&[
                ("model.module.fc.weight", &[1]),
                ("model.module.fc.bias", &[1])
            ])
            .as_deref(),
            Some("model.module.")
        );
        assert_eq!(strip(&[("fc.weight", &[1]), ("ema.fc.weight", &[1])]), None);
        let both = found(
            expected,
            &[
                ("ema.fc.bias", &[1]),
                ("ema.fc.weight", &[1]),
                ("fc.weight", &[1]),
            ],
        );
        assert_eq!(both.stripped.as_deref(), Some("ema."));
        assert_eq!(both.unexpected, ["fc.weight"]);
        assert!(both.is_complete());
        assert_eq!(strip(&[("x.y", &[1])]), None);
        assert_eq!(strip(&[]), None);
    }

    #[test]
    fn the_tensors_that_fit_come_under_the_names_of_the_network() {
        let file = file(&[("module.a", &[2])]);
        let found = Match::new([("a".to_owned(), vec![2])], &file);
        let tensors: Vec<_> = found.tensors(&file).collect();
        assert_eq!(tensors.len(), 1);
        assert_eq!((tensors[0].0, tensors[0].1.shape()), ("a", &[2][..]));
    }

    #[test]
    fn long_lists_are_cut() {
        let many: Vec<(String, Vec<usize>)> = (0..50).map(|i| (format!("n{i}"), vec![1])).collect();
        let text = Match::new(many, &file(&[])).to_string();
        assert!(text.ends_with("missing      … and 30 more\n"), "{text}");
        assert_eq!(text.lines().count(), 22);
    }
}
