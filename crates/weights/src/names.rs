//! Other names for tensors.

use serde::{Deserialize, Serialize};

/// How names in a file become the names a network uses.
///
/// The prefix goes first, from the names that have it; then the first pair of `rename` that fits applies, and no
/// other. A pair whose first part ends in a dot replaces that beginning of a name; another one replaces a name as a whole.
///
/// ```
/// use translearn_weights::Rules;
///
/// let rules = Rules::strip("module.").rename("fc.", "head.").rename("scale", "norm.weight");
/// assert_eq!(rules.apply("module.fc.weight"), "head.weight");
/// assert_eq!(rules.apply("scale"), "norm.weight");
/// assert_eq!(rules.apply("scale.fc.bias"), "scale.fc.bias");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Taken from the beginning of names that have it, for example `module.` as `DataParallel` puts before them.
    pub strip_prefix: Option<String>,
    /// Pairs of old and new.
    pub rename: Vec<(String, String)>,
}

impl Rules {
    /// No change.
    pub fn none() -> Self {
        Self::default()
    }

    /// Takes `prefix` away.
    pub fn strip(prefix: &str) -> Self {
        Self {
            strip_prefix: Some(prefix.to_owned()),
            rename: Vec::new(),
        }
    }

    /// Adds a pair.
    #[must_use]
    pub fn rename(mut self, from: &str, to: &str) -> Self {
        self.rename.push((from.to_owned(), to.to_owned()));
        self
    }

    /// The new name of `name`.
    pub fn apply(&self, name: &str) -> String {
        let stripped = self
            .strip_prefix
            .as_deref()
            .and_then(|prefix| name.strip_prefix(prefix))
            .unwrap_or(name);
        let renamed = self.rename.iter().find_map(|(from, to)| {
            let rest = stripped.strip_prefix(from.as_str())?;
            (from.ends_with('.') || rest.is_empty()).then(|| format!("{to}{rest}"))
        });
        renamed.unwrap_or_else(|| stripped.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pair_that_fits_applies_alone() {
        let rules = Rules::none()
            .rename("a.", "b.")
            .rename("b.", "c.")
            .rename("d", "e");
        for (name, expected) in [
            ("a.x", "b.x"),
            ("b.x", "c.x"),
            ("d", "e"),
            ("d.x", "d.x"),
            ("aa.x", "aa.x"),
        ] {
            assert_eq!(rules.apply(name), expected);
        }
    }

    #[test]
    fn names_without_the_prefix_stay() {
        assert_eq!(Rules::strip("module.").apply("fc.weight"), "fc.weight");
        assert_eq!(Rules::none().apply("module.x"), "module.x");
    }
}
