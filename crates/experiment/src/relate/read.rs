//! The tasks of a set.

use std::borrow::Cow;
use std::collections::BTreeSet;

use translearn_core::{Features, Labelled, Labels, seed};
use translearn_data::catalog::{self, Part, Select, Set};
use translearn_data::encode::{ClassMap, TableEncoder, TableParams, real_labels};
use translearn_data::{DataError, RawFeatures, RawLabels, RawSample, Table, embedded};

use super::RelateError;

/// Tasks over one feature space, with a name each.
#[derive(Debug)]
pub(crate) struct TaskSet {
    /// The set's name.
    pub(crate) name: String,
    /// The names of the tasks.
    pub(crate) names: Vec<String>,
    /// Their rows, no more of each than were asked for.
    pub(crate) tasks: Vec<Labelled<'static>>,
    /// How many rows each has in the set.
    pub(crate) rows: Vec<usize>,
    /// Which rows are in several of them, in words; `None` where none are known to be.
    pub(crate) shared_rows: Option<String>,
}

impl TaskSet {
    /// Reads the tasks of a set of the catalogue, or its domains as tasks. Of a task with more rows than `most_rows` so many
    /// are drawn, always the same.
    ///
    /// Columns of tables become numbers by all domains together, which looks at no label.
    pub(crate) fn read(name: &str, most_rows: usize) -> Result<Self, RelateError> {
        if embedded::names().any(|known| known == name) {
            return Err(RelateError::SharedRows {
                set: name.to_owned(),
                known: known(),
            });
        }
        let set = catalog::set(name)?;
        let domains = set.domains();
        let (names, tasks) = if domains.len() > 1 {
            let names = domains.iter().map(|&domain| domain.to_owned()).collect();
            (names, of_domains(set, &domains)?)
        } else {
            of_tasks(set)?
        };
        let rows: Vec<usize> = tasks.iter().map(|(_, labels)| labels.len()).collect();
        let drawn = tasks.into_iter().zip(&names);
        let drawn = drawn.map(|((features, labels), task)| {
            let n = labels.len();
            if n <= most_rows {
                return Labelled {
                    features: Cow::Owned(features),
                    labels: Cow::Owned(labels),
                };
            }
            let rows = seed::rng(seed::derive(0, &[name, "rows", task])).choose(n, most_rows);
            Labelled {
                features: Cow::Owned(features.select_rows(&rows)),
                labels: Cow::Owned(labels.select(&rows)),
            }
        });
        Ok(Self {
            name: name.to_owned(),
            tasks: drawn.collect(),
            names,
            rows,
            shared_rows: set.shared_rows().map(str::to_owned),
        })
    }
}

/// The sets of several domains with the same columns and a label for each row, by name.
fn known() -> String {
    let several = |set: &&Set| {
        let parts = set.parts();
        let widths: BTreeSet<_> = parts.iter().map(|part| part.columns).collect();
        set.domains().len() > 1 && widths.len() == 1 && !parts.iter().any(Part::holds_nodes)
    };
    let names: Vec<&str> = catalog::sets()
        .iter()
        .filter(several)
        .map(Set::name)
        .collect();
    names.join(", ")
}

type Rows = (Features, Labels);

fn of_tasks(set: &Set) -> Result<(Vec<String>, Vec<Rows>), RelateError> {
    let one_task = || RelateError::OneTask {
        set: set.name().to_owned(),
        known: known(),
    };
    if set.parts().len() != 1 {
        return Err(one_task());
    }
    let tasks = match set.tasks(&catalog::cache()?) {
        Err(DataError::Unsupported { .. }) => return Err(one_task()),
        tasks => tasks?.tasks,
    };
    let names = (1..=tasks.len()).map(|number| number.to_string());
    let rows = |(x, y): (ndarray::Array2<f64>, _)| (x.into(), Labels::Values(y));
    Ok((names.collect(), tasks.into_iter().map(rows).collect()))
}

fn of_domains(set: &Set, domains: &[&str]) -> Result<Vec<Rows>, RelateError> {
    let cache = catalog::cache()?;
    let mut parts = Vec::with_capacity(domains.len());
    let mut labels = Vec::with_capacity(domains.len());
    for &domain in domains {
        let sample: RawSample = set.load(&Select::domain(domain), &cache)?;
        parts.push(sample.features);
        labels.push(sample.labels.ok_or_else(|| RelateError::NoLabels {
            set: set.name().to_owned(),
            domain: domain.to_owned(),
            known: known(),
        })?);
    }
    let has_names = labels
        .iter()
        .any(|labels| matches!(labels, RawLabels::Names(_)));
    let has_classes = set.parts().iter().any(|part| part.classes.is_some());
    let labels: Vec<Labels> = if has_names || has_classes {
        let classes = ClassMap::fit(&labels)?;
        let encoded = labels.iter().map(|of| classes.encode(of));
        encoded.collect::<Result<_, _>>()?
    } else {
        labels.iter().map(real_labels).collect::<Result<_, _>>()?
    };
    let features = vectors(set, parts)?;
    if features
        .iter()
        .any(|of| of.n_columns() != features[0].n_columns())
    {
        let widths = domains.iter().zip(&features);
        let widths = widths.map(|(domain, of)| format!("{domain} {}", of.n_columns()));
        return Err(RelateError::OtherColumns {
            set: set.name().to_owned(),
            widths: widths.collect::<Vec<_>>().join(", "),
            known: known(),
        });
    }
    Ok(features.into_iter().zip(labels).collect())
}

/// All parts as numbers in the same columns.
fn vectors(set: &Set, parts: Vec<RawFeatures>) -> Result<Vec<Features>, RelateError> {
    let (mut matrices, mut tables, mut texts) = (Vec::new(), Vec::<Table>::new(), 0);
    for part in parts {
        match part {
            RawFeatures::Matrix(x) => matrices.push(x),
            RawFeatures::Table(table) => tables.push(table),
            RawFeatures::Texts(_) => texts += 1,
        }
    }
    let kinds = [
        (matrices.len(), "matrices"),
        (tables.len(), "tables"),
        (texts, "texts"),
    ];
    let kinds: Vec<&str> = (kinds.iter().filter(|(count, _)| *count > 0))
        .map(|(_, kind)| *kind)
        .collect();
    match kinds[..] {
        ["matrices"] => Ok(matrices),
        ["tables"] => {
            let all: Vec<&Table> = tables.iter().collect();
            let encoder = TableEncoder::fit(&all, &TableParams::default())?;
            let encoded = tables.iter().map(|table| encoder.transform(table));
            Ok(encoded.collect::<Result<_, _>>()?)
        }
        _ => Err(RelateError::NoVectors {
            set: set.name().to_owned(),
            found: kinds.join(" and "),
            known: known(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_without_tasks_to_relate_says_what_has_some() {
        let message = |name: &str| TaskSet::read(name, 10).unwrap_err().to_string();
        assert!(message("schol").contains("did you mean `school`?"));
        let one = message("usps");
        assert!(one.starts_with("`usps` holds one task") && one.contains("office-caltech10-surf"));
        let shared = message("iris-embedded");
        assert!(shared.starts_with("the domains of `iris-embedded` share rows"));
    }

    #[test]
    fn tables_get_one_encoding_and_texts_are_refused() {
        let set = catalog::set("student-performance").unwrap();
        let table = |names: [&str; 2]| {
            RawFeatures::Table(Table {
                columns: vec![translearn_data::Column {
                    name: "colour".to_owned(),
                    cells: translearn_data::Cells::Categories(
                        names.map(|name| Some(name.to_owned())).to_vec(),
                    ),
                }],
            })
        };
        let both = vectors(set, vec![table(["red", "red"]), table(["red", "blue"])]).unwrap();
        assert!(both.iter().all(|x| x.n_columns() == 2));
        let texts = RawFeatures::Texts(vec!["a".to_owned()]);
        let error = vectors(set, vec![table(["red", "red"]), texts])
            .unwrap_err()
            .to_string();
        assert!(error.contains("are tables and texts"), "{error}");
        assert!(error.contains("name a set") && error.contains("wine-quality"));
        assert!(!error.contains("citation"), "{error}");
    }
}
