//! Curves: a parameter of a method that takes several values side by side, or tasks that differ in a number.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Spanned;
use toml::de::DeValue;
use translearn_core::{TransferError, nearest_name};

use super::method::LEARNER;
use super::section::{Entry, Section};
use super::{MethodSpec, SpecError, TaskSpec};

/// What the report draws curves over, and which of them it compares.
///
/// A method with a parameter `{ sweep = [1, 2, 3] }` is a method for each number and a curve of them, unlike a grid, of
/// which one point is chosen. Tasks with `at` are the points of a curve for each method. A specification has one or the
/// other.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `x` | what the numbers `at` of the tasks are, with their unit | required with `at` |
/// | `contrasts` | pairs of curves, or of a curve and a method: their difference at each point, and its slope, with intervals over (task, seed) pairs | none |
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveSpec {
    /// What the numbers of the tasks are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// What is compared with what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contrasts: Vec<(String, String)>,
}

/// Where a method of a sweep stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The name the method was given.
    pub series: String,
    /// The parameter that is swept; a learner's as `learner.<name>`.
    pub parameter: String,
    /// Its value.
    pub at: f64,
}

impl CurveSpec {
    /// Reads the section, and checks it and the points of tasks and methods against each other.
    pub(super) fn parse(
        section: Option<Section<'_>>,
        top: &Section<'_>,
        tasks: &[TaskSpec],
        methods: &[MethodSpec],
    ) -> Result<Self, SpecError> {
        let placed = tasks.iter().find(|task| task.at.is_some());
        let swept = methods.iter().find(|method| method.curve.is_some());
        if let (Some(_), Some(method)) = (placed, swept) {
            let reason =
                "the tasks are the points of the curves already: drop their `at` or the sweep";
            return Err(top.invalid("sweep", method.line, reason));
        }
        let Some(mut section) = section else {
            return match placed {
                None => Ok(Self::default()),
                Some(task) => {
                    let reason = "goes with `[curve]`, whose `x` says what it is";
                    Err(top.invalid("at", task.line, reason))
                }
            };
        };
        let x = section.optional_at::<String>("x")?;
        let contrasts = section.optional_at::<Vec<(String, String)>>("contrasts")?;
        section.finish()?;
        if placed.is_some() && x.is_none() {
            return Err(section.missing("x"));
        }
        if let (None, Some((_, line))) = (placed, &x) {
            let reason = "names the numbers `at` of tasks, and no task has one";
            return Err(section.invalid("x", *line, reason));
        }
        let contrasts = match contrasts {
            None => Vec::new(),
            Some((_, line)) if swept.is_none() => {
                let reason = "compares the curves of sweeps, and no method has one";
                return Err(section.invalid("contrasts", line, reason));
            }
            Some((contrasts, line)) => {
                for (of, against) in &contrasts {
                    check_contrast(of, against, methods)
                        .map_err(|reason| section.invalid("contrasts", line, reason))?;
                }
                contrasts
            }
        };
        Ok(Self {
            x: x.map(|(x, _)| x),
            contrasts,
        })
    }
}

/// The first is a curve; the second a curve over the same parameter, or a method.
fn check_contrast(of: &str, against: &str, methods: &[MethodSpec]) -> Result<(), String> {
    let parameter = |series: &str| {
        let mut points = methods.iter().filter_map(|method| method.curve.as_ref());
        points
            .find(|point| point.series == series)
            .map(|point| point.parameter.as_str())
    };
    let curves = methods
        .iter()
        .filter_map(|method| Some(method.curve.as_ref()?.series.as_str()));
    let levels = methods
        .iter()
        .filter(|method| method.curve.is_none())
        .map(|method| method.name.as_str());
    let unknown = |kind: &str, name: &str, known: Vec<&str>| {
        let known: BTreeSet<&str> = known.into_iter().collect();
        let error = TransferError::UnknownName {
            kind: kind.to_owned(),
            name: name.to_owned(),
            nearest: nearest_name(name, known.iter().copied()),
            known: known.into_iter().map(str::to_owned).collect(),
        };
        error.to_string()
    };
    let Some(first) = parameter(of) else {
        return Err(unknown("curve", of, curves.collect()));
    };
    match parameter(against) {
        Some(second) if second != first => Err(format!(
            "`{of}` is a curve over `{first}` and `{against}` one over `{second}`"
        )),
        None if !levels.clone().any(|name| name == against) => Err(unknown(
            "curve or method",
            against,
            curves.chain(levels).collect(),
        )),
        _ => Ok(()),
    }
}

/// A parameter that takes several values side by side.
pub(super) struct Sweep {
    /// A learner's as `learner.<name>`.
    pub(super) parameter: String,
    line: usize,
}

impl Sweep {
    /// Puts the values of `{ sweep = [...] }` in the place of the table; `None` for anything but a table.
    pub(super) fn take(
        section: &Section<'_>,
        entry: &mut Entry<'_>,
    ) -> Result<Option<Self>, SpecError> {
        let refuse = |reason: &str| section.invalid(&entry.key, entry.line, reason);
        let DeValue::Table(table) = entry.value.get_ref() else {
            return Ok(None);
        };
        let form =
            "expected a value, a list of values, or `{ sweep = [1, 2, 3] }`, found another table";
        let ("sweep", Some(values)) = (
            table.keys().next().map_or("", |key| key.get_ref().as_ref()),
            table.values().next().filter(|_| table.len() == 1),
        ) else {
            return Err(refuse(form));
        };
        let DeValue::Array(list) = values.get_ref() else {
            return Err(refuse(form));
        };
        let is_number = |value: &Spanned<DeValue<'_>>| {
            matches!(value.get_ref(), DeValue::Integer(_) | DeValue::Float(_))
        };
        if list.len() < 2 || !list.iter().all(is_number) {
            return Err(refuse("a sweep is over two numbers or more"));
        }
        let (span, values) = (values.span(), values.get_ref().clone());
        entry.value = Spanned::new(span, values);
        Ok(Some(Self {
            parameter: entry.key.clone(),
            line: entry.line,
        }))
    }

    /// The sweep of a learner's parameter.
    pub(super) fn of_learner(self) -> Self {
        Self {
            parameter: format!("{LEARNER}{}", self.parameter),
            ..self
        }
    }

    /// A method for each value.
    pub(super) fn expand(&self, method: &MethodSpec) -> Vec<MethodSpec> {
        let of_learner = self.parameter.strip_prefix(LEARNER);
        let values = match (of_learner, &method.learner) {
            (Some(name), Some(learner)) => learner.params.get(name),
            _ => method.params.get(&self.parameter),
        };
        let one = |value: &Value| {
            let mut one = method.clone();
            match (of_learner, &mut one.learner) {
                (Some(name), Some(learner)) => {
                    learner.params.insert(name.to_owned(), value.clone())
                }
                _ => one.params.insert(self.parameter.clone(), value.clone()),
            };
            one.name = format!("{} ({} = {value})", method.name, self.parameter);
            one.curve = Some(CurvePoint {
                series: method.name.clone(),
                parameter: self.parameter.clone(),
                at: value.as_f64().unwrap_or(f64::NAN),
            });
            one
        };
        let values = values.and_then(Value::as_array);
        values.into_iter().flatten().map(one).collect()
    }
}

/// The one sweep of a method.
pub(super) fn only_sweep(
    section: &Section<'_>,
    first: Option<Sweep>,
    second: Option<Sweep>,
) -> Result<Option<Sweep>, SpecError> {
    match (first, second) {
        (Some(first), Some(second)) => {
            let reason = format!(
                "`{}` is swept already: a method has one curve",
                first.parameter
            );
            Err(section.invalid(&second.parameter, second.line, reason))
        }
        (first, second) => Ok(first.or(second)),
    }
}

/// A number that can stand on an axis.
pub(super) fn finite(
    section: &Section<'_>,
    key: &str,
    line: usize,
    value: f64,
) -> Result<f64, SpecError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(section.invalid(
            key,
            line,
            format!("expected a finite number, found {value}"),
        ))
    }
}
