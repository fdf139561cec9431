//! From a `[[method]]` to a [`MethodSpec`], checked against the registry.

use std::path::Path;

use serde_json::{Map, Value};
use toml::de::DeValue;
use translearn_core::params::check_params;
use translearn_core::{BaseLearner, ParamInfo, Registry, TransferError, nearest_name};

use super::curve::{self, Sweep};
use super::section::{Entry, Section, describe};
use super::{
    GridPoint, LearnerSpec, MethodSpec, SelectBy, SpecError, SpecProblem, TaskSpec, weights,
};

/// Default number of folds.
const FOLDS: usize = 5;
/// More points than this in one grid are a slip of the pen.
const GRID_LIMIT: usize = 10_000;

/// Parameters as given, each with its line.
type Params = Vec<(String, Value, usize)>;

/// Parameters as given, and the one that is swept, whose values stand there like those of a grid.
struct Given {
    params: Params,
    sweep: Option<Sweep>,
}

impl MethodSpec {
    pub(super) fn parse(
        mut section: Section<'_>,
        registry: &Registry,
        tasks: &[TaskSpec],
    ) -> Result<Vec<Self>, SpecError> {
        let use_ = section.optional_at::<String>("use")?;
        if let Some((name, _)) = &use_ {
            section.place = format!("method `{name}`");
        }
        let place = section.place.clone();
        let name = section.optional_at::<String>("name")?;
        let learner = section.section("learner", &format!("the learner of {place}"))?;
        let select = section.optional_at::<SelectBy>("select")?;
        let folds = section.optional_at::<usize>("folds")?;
        let gate = section.optional::<bool>("gate")?.unwrap_or_default();
        let served = section.optional_at::<Vec<String>>("tasks")?;

        // Without a known method there is no telling which of the other keys are parameters.
        let (use_, line) = use_.ok_or_else(|| section.missing("use"))?;
        let entries = section.rest();
        let refuse = |line, error| {
            section.error_at(
                line,
                SpecProblem::Method {
                    place: place.clone(),
                    error,
                },
            )
        };
        let info = registry
            .method(&use_)
            .map_err(|error| refuse(line, error))?
            .info;
        let Given {
            params: given,
            sweep,
        } = read_params(&section, entries, info.parameters, &place)?;
        let served = served
            .map(|(names, line)| check_tasks(&section, names, line, tasks))
            .transpose()?;

        let (learner, sweep_of_learner) = learner
            .map(|learner| parse_learner(learner, registry))
            .transpose()?
            .unzip();
        let sweep = curve::only_sweep(&section, sweep, sweep_of_learner.flatten())?;
        let learner_line = learner
            .as_ref()
            .map_or(section.line, |learner| learner.line);
        let at = |params: Map<String, Value>, learner: Option<LearnerSpec>| {
            GridPoint {
                params,
                learner,
                varying: Map::new(),
            }
            .build(registry, &use_, Path::new(""))
            .map_err(|error| refuse(learner_line, error))
        };
        let first = |given: &Params| -> Map<String, Value> {
            given
                .iter()
                .map(|(name, value, _)| (name.clone(), first_of(value)))
                .collect()
        };
        let concrete = learner.as_ref().map(|learner| LearnerSpec {
            use_: learner.use_.clone(),
            params: first(&learner.params),
        });
        let built = at(first(&given), concrete.clone())?;
        let params = resolve(built.params(), &given, |one| {
            Ok(at(one, concrete.clone())?.params())
        })?;
        let learner = match (learner, built.learner()) {
            (None, built) => built.map(|learner| LearnerSpec {
                use_: learner.info().name.to_owned(),
                params: learner.params(),
            }),
            (Some(learner), _) => Some(learner.resolve(registry, &section)?),
        };

        let mut method = Self {
            name: if gate {
                format!("{use_} (gated)")
            } else {
                use_.clone()
            },
            use_,
            learner,
            params,
            select: None,
            folds: 0,
            gate,
            tasks: served,
            curve: None,
            line: section.line,
        };
        let points = grid_size(&method);
        if points.is_none_or(|points| points > GRID_LIMIT) {
            let reason = format!("its grid has more than {GRID_LIMIT} points; shorten its lists");
            return Err(section.invalid("use", section.line, reason));
        }
        let is_swept = |name: &str| sweep.as_ref().is_some_and(|sweep| sweep.parameter == name);
        let has_grid = method
            .flat_params()
            .iter()
            .any(|(name, value)| value.is_array() && !is_swept(name));
        let idle = select
            .as_ref()
            .map(|s| ("select", s.1))
            .or(folds.map(|f| ("folds", f.1)));
        if let (false, Some((key, line))) = (has_grid, idle) {
            return Err(section.invalid(
                key,
                line,
                "decides a grid, and no parameter has a list of values",
            ));
        }
        if has_grid {
            let select = select.map_or(SelectBy::SourceCv, |(select, _)| select);
            method.select = Some(select);
            method.folds = match (select, folds) {
                (by, None) if !by.uses_folds() => 0,
                (by, Some((_, line))) if !by.uses_folds() => {
                    let message = format!("`{}` needs none", by.name());
                    return Err(section.invalid("folds", line, message));
                }
                (_, Some((folds, line))) if folds < 2 => {
                    return Err(section.invalid(
                        "folds",
                        line,
                        format!("expected at least 2, found {folds}"),
                    ));
                }
                (_, folds) => folds.map_or(FOLDS, |(folds, _)| folds),
            };
        }
        if let Some((name, line)) = name {
            if name.trim().is_empty() || name.contains(char::is_control) {
                return Err(section.invalid("name", line, "expected a name in one line"));
            }
            method.name = name;
        }
        if method.select == Some(SelectBy::Oracle) && !method.name.to_lowercase().contains("oracle")
        {
            method.name.push_str(" (oracle)");
        }
        Ok(match sweep {
            None => vec![method],
            Some(sweep) => sweep.expand(&method),
        })
    }
}

/// A learner as given.
struct GivenLearner {
    use_: String,
    params: Params,
    line: usize,
}

impl GivenLearner {
    fn resolve(self, registry: &Registry, section: &Section<'_>) -> Result<LearnerSpec, SpecError> {
        let build = |params| -> Result<BaseLearner, SpecError> {
            registry
                .learner(&self.use_)
                .and_then(|entry| entry.build(params))
                .map_err(|error| {
                    section.error_at(
                        self.line,
                        SpecProblem::Method {
                            place: section.place.clone(),
                            error,
                        },
                    )
                })
        };
        let first = self
            .params
            .iter()
            .map(|(name, value, _)| (name.clone(), first_of(value)))
            .collect();
        let params = resolve(build(first)?.params(), &self.params, |one| {
            Ok(build(one)?.params())
        })?;
        Ok(LearnerSpec {
            use_: self.use_.clone(),
            params,
        })
    }
}

fn parse_learner(
    mut section: Section<'_>,
    registry: &Registry,
) -> Result<(GivenLearner, Option<Sweep>), SpecError> {
    let (use_, line) = section.required_at::<String>("use")?;
    let place = section.place.clone();
    let entry = registry.learner(&use_).map_err(|error| {
        section.error_at(
            line,
            SpecProblem::Method {
                place: place.clone(),
                error,
            },
        )
    })?;
    let entries = section.rest();
    let Given { params, sweep } = read_params(&section, entries, entry.info.parameters, &place)?;
    let learner = GivenLearner {
        use_,
        params,
        line: section.line,
    };
    Ok((learner, sweep.map(Sweep::of_learner)))
}

/// Reads parameters and checks each value, of a grid too, against its range.
fn read_params(
    section: &Section<'_>,
    entries: Vec<Entry<'_>>,
    known: &'static [ParamInfo],
    place: &str,
) -> Result<Given, SpecError> {
    let mut given = Vec::new();
    let mut sweep = None;
    for mut entry in entries {
        let Some(info) = known.iter().find(|info| info.name == entry.key) else {
            return Err(section.unknown(&entry, known.iter().map(|info| info.name)));
        };
        if let Some(found) = Sweep::take(section, &mut entry)? {
            sweep = curve::only_sweep(section, sweep, Some(found))?;
        }
        let value = json(entry.value.get_ref())
            .map_err(|reason| section.invalid(&entry.key, entry.line, reason))?;
        let value = match value {
            Value::Array(values) if values.is_empty() => {
                return Err(section.invalid(
                    &entry.key,
                    entry.line,
                    "a grid needs at least one value",
                ));
            }
            Value::Array(values) => {
                Value::Array(values.into_iter().map(|value| auto(info, value)).collect())
            }
            value => auto(info, value),
        };
        for one in values(&value) {
            let params = Map::from_iter([(entry.key.clone(), one.clone())]);
            let checked = check_params(place, known, &params)
                .and_then(|()| weights::check(info, one, section.base()));
            checked.map_err(|error| {
                section.error_at(
                    entry.line,
                    SpecProblem::Method {
                        place: place.to_owned(),
                        error,
                    },
                )
            })?;
        }
        given.push((entry.key, value, entry.line));
    }
    Ok(Given {
        params: given,
        sweep,
    })
}

/// TOML has no null: `"auto"` stands for it wherever it is a value.
fn auto(info: &ParamInfo, value: Value) -> Value {
    if value == "auto" && info.range.admits_null() {
        Value::Null
    } else {
        value
    }
}

/// The values of a grid, or the one value.
pub(super) fn values(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        value => std::slice::from_ref(value),
    }
}

fn first_of(value: &Value) -> Value {
    values(value).first().cloned().unwrap_or(Value::Null)
}

/// All parameters in the order of the method's own, each grid in place of its first value. `build` gives the parameters
/// as understood when one of them has another value: `1` for a real parameter is `1.0`.
fn resolve(
    mut built: Map<String, Value>,
    given: &Params,
    build: impl Fn(Map<String, Value>) -> Result<Map<String, Value>, SpecError>,
) -> Result<Map<String, Value>, SpecError> {
    for (name, value, _) in given {
        let Value::Array(values) = value else {
            continue;
        };
        let understood = values
            .iter()
            .map(|value| {
                let params = given.iter().map(|(other, first, _)| {
                    (
                        other.clone(),
                        if other == name {
                            value.clone()
                        } else {
                            first_of(first)
                        },
                    )
                });
                Ok(build(params.collect())?
                    .get(name)
                    .cloned()
                    .unwrap_or_else(|| value.clone()))
            })
            .collect::<Result<_, SpecError>>()?;
        built.insert(name.clone(), Value::Array(understood));
    }
    Ok(built)
}

/// Number of points; none when it is beyond counting.
fn grid_size(method: &MethodSpec) -> Option<usize> {
    method
        .flat_params()
        .values()
        .try_fold(1_usize, |size, value| size.checked_mul(values(value).len()))
}

fn check_tasks(
    section: &Section<'_>,
    names: Vec<String>,
    line: usize,
    tasks: &[TaskSpec],
) -> Result<Vec<String>, SpecError> {
    let known = || tasks.iter().map(|task| task.name.as_str());
    if names.is_empty() {
        return Err(section.invalid("tasks", line, "expected at least one task"));
    }
    for name in &names {
        if !known().any(|task| task == name) {
            let error = TransferError::UnknownName {
                kind: "task".to_owned(),
                name: name.clone(),
                nearest: nearest_name(name, known()),
                known: known().map(str::to_owned).collect(),
            };
            return Err(section.invalid("tasks", line, error));
        }
    }
    Ok(names)
}

fn json(value: &DeValue<'_>) -> Result<Value, String> {
    match value {
        DeValue::String(text) => Ok(Value::from(text.as_ref())),
        DeValue::Boolean(flag) => Ok(Value::from(*flag)),
        DeValue::Integer(digits) => {
            let parsed = i64::from_str_radix(digits.as_str(), digits.radix()).map(Value::from);
            let parsed = parsed
                .or_else(|_| u64::from_str_radix(digits.as_str(), digits.radix()).map(Value::from));
            parsed.map_err(|_| format!("the integer {digits} is too large"))
        }
        DeValue::Float(digits) => match digits.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::from(number)),
            _ => Err(format!("expected a finite number, found {digits}")),
        },
        DeValue::Array(list) => {
            let nested = list
                .iter()
                .any(|value| matches!(value.get_ref(), DeValue::Array(_)));
            if nested {
                return Err(
                    "expected a value or a list of values, found a list of lists".to_owned(),
                );
            }
            list.iter()
                .map(|value| json(value.get_ref()))
                .collect::<Result<_, _>>()
                .map(Value::Array)
        }
        other => Err(format!(
            "expected a value or a list of values, found {}",
            describe(other)
        )),
    }
}

#[cfg(test)]
mod tests {
    use translearn_core::ParamRange;

    use super::*;

    #[test]
    fn auto_is_null_for_every_range_with_null_and_for_no_other() {
        let read = |range| {
            let info = ParamInfo {
                name: "layer",
                default: "null",
                range,
                doc: "",
            };
            auto(&info, Value::from("auto"))
        };
        let (low, high) = (1, 9);
        for range in [
            ParamRange::TextOrAuto,
            ParamRange::WeightsOrAuto,
            ParamRange::PositiveOrAuto,
            ParamRange::IntegerOrAuto { low, high },
        ] {
            assert_eq!(read(range), Value::Null, "{range}");
        }
        for range in [ParamRange::Text, ParamRange::Weights, ParamRange::Positive] {
            assert_eq!(read(range), "auto", "{range}");
        }
    }
}
