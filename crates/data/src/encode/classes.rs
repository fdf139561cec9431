//! Class names to codes, the same for source and target.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{LabelSpace, Labels};

use super::{natural_order, number_name};
use crate::{DataError, RawLabels};

/// The classes of all parts of a task, and the code of each.
///
/// Numbers become names (`3.0` is class `3`), so a part with names and a part with numbers agree. The classes stand in
/// natural order: by value when all of them are numbers, else by code point. A class may be missing from any part:
/// [`ClassMap::absent`] tells which.
///
/// ```
/// use ndarray::array;
/// use translearn_core::Labels;
/// use translearn_data::RawLabels;
/// use translearn_data::encode::ClassMap;
///
/// let source = RawLabels::Numbers(vec![10.0, 2.0]);
/// let target = RawLabels::Names(vec!["2".into(), "3".into()]);
/// let map = ClassMap::fit([&source, &target])?;
/// assert_eq!(map.names(), ["2", "3", "10"]);
/// assert_eq!(map.encode(&source)?, Labels::from(array![2, 0]));
/// assert_eq!(map.absent(&source), ["3"]);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct ClassMap {
    names: Vec<String>,
    codes: BTreeMap<String, usize>,
}

impl From<Vec<String>> for ClassMap {
    /// The classes in the order given.
    fn from(names: Vec<String>) -> Self {
        let codes = names
            .iter()
            .enumerate()
            .map(|(code, name)| (name.clone(), code))
            .collect();
        Self { names, codes }
    }
}

impl From<ClassMap> for Vec<String> {
    fn from(map: ClassMap) -> Self {
        map.names
    }
}

impl ClassMap {
    /// Collects the classes of all `parts`: sources, target and test part.
    ///
    /// # Errors
    /// [`DataError::Unsupported`] for a label that is NaN or infinite, [`DataError::Empty`] without labels.
    pub fn fit<'a>(parts: impl IntoIterator<Item = &'a RawLabels>) -> Result<Self, DataError> {
        let mut seen = BTreeSet::new();
        for part in parts {
            seen.extend(names(part)?);
        }
        if seen.is_empty() {
            return Err(DataError::empty(
                "labels",
                "name the column or file that holds them",
            ));
        }
        Ok(natural_order(seen.into_iter().collect()).into())
    }

    /// The class names; the code of a class is its position.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The label space.
    pub fn space(&self) -> LabelSpace {
        LabelSpace::Classes(self.names.clone())
    }

    /// The codes of `labels`.
    ///
    /// # Errors
    /// [`DataError::Missing`] for a label that stood in no part of the fit, [`DataError::Unsupported`] for NaN.
    pub fn encode(&self, labels: &RawLabels) -> Result<Labels, DataError> {
        let code = |name: String| match self.codes.get(&name) {
            Some(&code) => Ok(code),
            None => {
                let known = self.names.iter().map(String::as_str);
                Err(DataError::missing(Path::new(""), "class", &name, known))
            }
        };
        let codes = names(labels)?
            .into_iter()
            .map(code)
            .collect::<Result<Array1<usize>, _>>()?;
        Ok(Labels::Classes(codes))
    }

    /// The classes that no row of `labels` has, in order.
    pub fn absent(&self, labels: &RawLabels) -> Vec<&str> {
        let present: BTreeSet<String> = names(labels).unwrap_or_default().into_iter().collect();
        self.names
            .iter()
            .filter(|name| !present.contains(*name))
            .map(String::as_str)
            .collect()
    }
}

/// New classes made of the labels in a file; rows of all other labels are dropped.
///
/// ```
/// use translearn_data::RawLabels;
/// use translearn_data::encode::Grouping;
///
/// let grouping: Grouping = toml::from_str("rec = ['rec.autos', 'rec.sport']\ntalk = ['talk.politics.guns']")?;
/// let labels = ["rec.autos", "sci.med", "talk.politics.guns", "rec.sport"].map(str::to_owned).to_vec();
/// let (kept, labels) = grouping.apply(&RawLabels::Names(labels))?;
/// assert_eq!(kept, [0, 2, 3]);
/// assert_eq!(labels, RawLabels::Names(vec!["rec".into(), "talk".into(), "rec".into()]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grouping {
    groups: BTreeMap<String, Vec<String>>,
}

impl From<BTreeMap<String, Vec<String>>> for Grouping {
    /// From new class to the labels it is made of.
    fn from(groups: BTreeMap<String, Vec<String>>) -> Self {
        Self { groups }
    }
}

impl Grouping {
    /// The rows that are kept, and the new class of each.
    ///
    /// # Errors
    /// [`DataError::Missing`] for a label of the grouping that no row has, [`DataError::InvalidOption`] for a label in
    /// two groups.
    pub fn apply(&self, labels: &RawLabels) -> Result<(Vec<usize>, RawLabels), DataError> {
        let mut group_of: BTreeMap<&str, &str> = BTreeMap::new();
        for (group, members) in &self.groups {
            for member in members {
                if let Some(other) = group_of.insert(member, group) {
                    return Err(DataError::InvalidOption {
                        name: "classes".to_owned(),
                        value: format!("`{member}` in `{other}` and in `{group}`"),
                        expected: "each label once".to_owned(),
                    });
                }
            }
        }
        let names = names(labels)?;
        let present: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        if let Some(&label) = group_of.keys().find(|label| !present.contains(*label)) {
            return Err(DataError::missing(Path::new(""), "label", label, present));
        }
        let (kept, groups) = names
            .iter()
            .enumerate()
            .filter_map(|(row, name)| Some((row, (*group_of.get(name.as_str())?).to_owned())))
            .unzip();
        Ok((kept, RawLabels::Names(groups)))
    }
}

/// Labels as real numbers, for regression.
///
/// ```
/// use translearn_data::RawLabels;
/// use translearn_data::encode::real_labels;
///
/// assert_eq!(real_labels(&RawLabels::Numbers(vec![1.5]))?.len(), 1);
/// assert!(real_labels(&RawLabels::Names(vec!["high".into()])).is_err());
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Mismatch`] for a name that is no number, `NotFinite` of the central types for NaN and infinities.
pub fn real_labels(labels: &RawLabels) -> Result<Labels, DataError> {
    let values = match labels {
        RawLabels::Numbers(values) => values.clone(),
        RawLabels::Names(names) => names
            .iter()
            .enumerate()
            .map(|(row, name)| {
                name.trim().parse().map_err(|_| DataError::Mismatch {
                    path: Path::new("").to_owned(),
                    left: "regression needs numbers as labels".to_owned(),
                    right: format!("row {row} has `{name}`"),
                    advice: "name another label column, or treat the task as classification"
                        .to_owned(),
                })
            })
            .collect::<Result<_, _>>()?,
    };
    let labels = Labels::Values(values.into());
    labels.check(&LabelSpace::Real, "the labels")?;
    Ok(labels)
}

fn names(labels: &RawLabels) -> Result<Vec<String>, DataError> {
    match labels {
        RawLabels::Names(names) => Ok(names.clone()),
        RawLabels::Numbers(numbers) => {
            if let Some(row) = numbers.iter().position(|number| !number.is_finite()) {
                return Err(DataError::Unsupported {
                    path: Path::new("").to_owned(),
                    found: format!("class label {} in row {row}", numbers[row]),
                    advice: "drop the rows without label".to_owned(),
                });
            }
            Ok(numbers.iter().copied().map(number_name).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;

    fn text(labels: &[&str]) -> RawLabels {
        RawLabels::Names(labels.iter().map(|&label| label.to_owned()).collect())
    }

    #[test]
    fn the_order_is_natural() {
        let names = |labels: &RawLabels| ClassMap::fit([labels]).unwrap().names().to_vec();
        assert_eq!(
            names(&RawLabels::Numbers(vec![10.0, -1.0, 2.5, 2.0, -0.0, 0.0])),
            ["-1", "0", "2", "2.5", "10"]
        );
        assert_eq!(names(&text(&["10", "9", "x"])), ["10", "9", "x"]);
        assert_eq!(names(&text(&["10", "9", "NaN"])), ["10", "9", "NaN"]);
    }

    #[test]
    fn what_is_unknown_or_missing_is_named() {
        let map = ClassMap::fit([&text(&["cat", "dog"]), &text(&["bird"])]).unwrap();
        assert_eq!(map.names(), ["bird", "cat", "dog"]);
        assert_eq!(map.absent(&text(&["dog"])), ["bird", "cat"]);
        let error = map.encode(&text(&["dgo"])).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("no class `dgo`; did you mean `dog`?"),
            "{error}"
        );
        assert!(ClassMap::fit([&RawLabels::Numbers(vec![1.0, f64::NAN])]).is_err());
        assert!(matches!(
            ClassMap::fit([&text(&[])]),
            Err(DataError::Empty { .. })
        ));
        let again: ClassMap = serde_json::from_str(&serde_json::to_string(&map).unwrap()).unwrap();
        assert_eq!(again, map);
    }

    #[test]
    fn groupings_drop_and_refuse() {
        let groups = |pairs: &[(&str, &[&str])]| {
            let owned = |list: &[&str]| list.iter().map(|&x| x.to_owned()).collect::<Vec<_>>();
            Grouping::from(
                pairs
                    .iter()
                    .map(|&(g, l)| (g.to_owned(), owned(l)))
                    .collect::<BTreeMap<_, _>>(),
            )
        };
        let labels = RawLabels::Numbers(vec![3.0, 1.0, 2.0, 1.0]);
        let (kept, grouped) = groups(&[("odd", &["1", "3"])]).apply(&labels).unwrap();
        assert_eq!(
            (kept, grouped),
            (vec![0, 1, 3], text(&["odd", "odd", "odd"]))
        );
        let error = groups(&[("odd", &["1", "5"])]).apply(&labels).unwrap_err();
        assert!(error.to_string().contains("no label `5`"), "{error}");
        let error = groups(&[("a", &["1"]), ("b", &["1"])])
            .apply(&labels)
            .unwrap_err();
        assert!(matches!(error, DataError::InvalidOption { .. }));
    }

    #[test]
    fn regression_takes_numbers_only() {
        assert_eq!(
            real_labels(&text(&["1.5", " 2"])).unwrap(),
            Labels::from(array![1.5, 2.0])
        );
        assert!(real_labels(&text(&["1.5", ""])).is_err());
        assert!(real_labels(&RawLabels::Numbers(vec![f64::INFINITY])).is_err());
    }

    proptest! {
        #[test]
        fn codes_point_back_to_names(labels in prop::collection::vec("[a-c]{1,2}|[0-9]{1,2}", 1..20)) {
            let raw = RawLabels::Names(labels.clone());
            let map = ClassMap::fit([&raw]).unwrap();
            let codes = map.encode(&raw).unwrap();
            let back: Vec<&String> = codes.classes("test").unwrap().iter().map(|&c| &map.names()[c]).collect();
            prop_assert_eq!(back, labels.iter().collect::<Vec<_>>());
            let mut reversed = labels;
            reversed.reverse();
            prop_assert_eq!(ClassMap::fit([&RawLabels::Names(reversed)]).unwrap(), map);
        }
    }
}
