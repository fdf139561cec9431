//! Several result folders of one plan as one.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Store, StoreError, finished, in_order, plan_differences, read_plan, to_value};
use crate::TrialRecord;
use crate::plan::PlanFile;

/// The fields of a trial that may differ between two runs of it.
const FREE: [&str; 3] = ["fit_seconds", "predict_seconds", "peak_rss_bytes"];

/// The trials of one or more result folders.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The plan of all folders.
    pub plan: PlanFile,
    /// The finished trials, in the order of the plan.
    pub records: Vec<TrialRecord>,
    /// The folder each trial was found in first, by identifier.
    places: BTreeMap<String, PathBuf>,
}

/// Reads result folders of one plan and joins them by trial. A trial that two of them hold must be the same in both, wall
/// times and memory aside.
///
/// # Errors
/// [`StoreError::NoResults`] for a folder without `plan.json`; [`StoreError::OtherPlan`] when two plans differ;
/// [`StoreError::Conflict`]; [`StoreError::Damaged`]; [`StoreError::Io`].
pub fn merge(folders: &[PathBuf]) -> Result<Merged, StoreError> {
    let mut plan: Option<Value> = None;
    let mut all: BTreeMap<String, TrialRecord> = BTreeMap::new();
    let mut places: BTreeMap<String, PathBuf> = BTreeMap::new();
    for folder in folders {
        let there = read_plan(folder)?.ok_or_else(|| StoreError::NoResults {
            folder: folder.clone(),
        })?;
        let differences = plan
            .as_ref()
            .map(|plan| plan_differences(&there, plan))
            .unwrap_or_default();
        if !differences.is_empty() {
            return Err(StoreError::OtherPlan {
                folder: folder.clone(),
                differences,
            });
        }
        plan = Some(there);
        for (id, record) in finished(folder)? {
            match all.get(&id) {
                None => {
                    places.insert(id.clone(), folder.clone());
                    all.insert(id, record);
                }
                Some(before) => {
                    let fields = differing_fields(before, &record, folder)?;
                    if !fields.is_empty() {
                        let what =
                            format!("{}, {}, seed {}", record.task, record.method, record.seed);
                        let first = places.remove(&id).unwrap_or_default();
                        return Err(StoreError::Conflict {
                            trial: id,
                            what,
                            first,
                            second: folder.clone(),
                            fields,
                        });
                    }
                }
            }
        }
    }
    let first = folders.first().map_or(Path::new(""), PathBuf::as_path);
    let plan = plan.ok_or_else(|| StoreError::NoResults {
        folder: first.to_owned(),
    })?;
    let plan: PlanFile = serde_json::from_value(plan).map_err(|error| StoreError::Damaged {
        path: first.join("plan.json"),
        reason: error.to_string(),
    })?;
    let records = in_order(all, &plan.trials);
    Ok(Merged {
        plan,
        records,
        places,
    })
}

impl Merged {
    /// Makes `folder` a result folder of these trials, predictions included; `folder` may be one of those merged.
    ///
    /// # Errors
    /// As [`Store::open`] and [`Store::put`].
    pub fn store(&self, folder: &Path) -> Result<Store, StoreError> {
        let store = Store::open(folder, &self.plan, false)?;
        let there = store.finished()?;
        for record in self
            .records
            .iter()
            .filter(|record| !there.contains_key(&record.trial))
        {
            let place = self
                .places
                .get(&record.trial)
                .map_or(Path::new(""), PathBuf::as_path);
            let path = place
                .join("predictions")
                .join(format!("{}.csv", record.trial));
            let predictions = match fs::read_to_string(&path) {
                Ok(text) => Some(text),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(StoreError::io("read", &path)(error)),
            };
            store.put(record, predictions.as_deref())?;
        }
        Ok(store)
    }
}

fn differing_fields(
    a: &TrialRecord,
    b: &TrialRecord,
    folder: &Path,
) -> Result<Vec<String>, StoreError> {
    let (Value::Object(a), Value::Object(b)) = (to_value(a, folder)?, to_value(b, folder)?) else {
        return Ok(Vec::new());
    };
    let differs = |(key, value): (&String, &Value)| {
        (!FREE.contains(&key.as_str()) && b.get(key) != Some(value)).then(|| key.clone())
    };
    Ok(a.iter().filter_map(differs).collect())
}
