//! Parameters that name the weights of a network: published ones, or files beside the specification.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};
use translearn_core::{ParamInfo, Registry, TransferError, nearest_name};
use translearn_weights::Source;

use super::parse_method::values;
use super::{GridPoint, MethodSpec};

/// Refuses weights that are neither published nor a file.
pub(super) fn check(info: &ParamInfo, value: &Value, base: &Path) -> Result<(), TransferError> {
    let name = value.as_str().filter(|_| info.range.names_weights());
    match name {
        Some(name) if Source::find(name, base).is_none() => Err(TransferError::UnknownName {
            kind: "weights or file".to_owned(),
            name: name.to_owned(),
            nearest: nearest_name(name, Source::names()),
            known: Source::names().map(str::to_owned).collect(),
        }),
        _ => Ok(()),
    }
}

impl MethodSpec {
    /// All weights that its parameters and those of its learner name, in grids too.
    ///
    /// Where the choice is left to the method, it is decided by the version of the library.
    pub fn weights(&self, registry: &Registry) -> BTreeSet<String> {
        let tables = tables(registry, &self.use_, self.learner_name());
        let learner = self.learner.as_ref().map(|learner| &learner.params);
        let params = [Some(&self.params), learner];
        let named = params.into_iter().zip(tables).flat_map(|(params, table)| {
            let params = params.into_iter().flatten();
            params.filter(|(name, _)| is_weights(table, name))
        });
        let names = named.flat_map(|(_, value)| values(value));
        names
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    }

    fn learner_name(&self) -> Option<&str> {
        self.learner.as_ref().map(|learner| learner.use_.as_str())
    }
}

impl GridPoint {
    /// With the paths of files of weights in place of their names: what is built is told no folder. Results keep the names,
    /// which are the same wherever the specification lies.
    pub(super) fn with_paths(&self, registry: &Registry, method: &str, base: &Path) -> Self {
        let mut point = self.clone();
        let learner = self.learner.as_ref().map(|learner| learner.use_.as_str());
        let tables = tables(registry, method, learner);
        let learner = point.learner.as_mut().map(|learner| &mut learner.params);
        for (params, table) in [Some(&mut point.params), learner].into_iter().zip(tables) {
            let params = params
                .into_iter()
                .flat_map(|params: &mut Map<_, _>| params.iter_mut());
            for (_, value) in params.filter(|(name, _)| is_weights(table, name)) {
                if let Some(Source::File(path)) = value.as_str().and_then(|n| Source::find(n, base))
                {
                    *value = Value::from(path.to_string_lossy());
                }
            }
        }
        point
    }
}

/// The tables of parameters of a method and its learner.
fn tables(registry: &Registry, method: &str, learner: Option<&str>) -> [&'static [ParamInfo]; 2] {
    let method = registry.method(method);
    let learner = learner.and_then(|learner| registry.learner(learner).ok());
    [
        method.map_or(&[], |entry| entry.info.parameters),
        learner.map_or(&[], |entry| entry.info.parameters),
    ]
}

fn is_weights(table: &[ParamInfo], name: &str) -> bool {
    let mut table = table.iter();
    table.any(|info| info.name == name && info.range.names_weights())
}
