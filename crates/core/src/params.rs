//! Parameters as data: one table states name, default, range and meaning; validation, documentation and the command line
//! all read it, so they cannot drift apart.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{TransferError, nearest_name};

/// Parameters by name, in the order they were given.
pub type ParamMap = Map<String, Value>;

/// One parameter of a method or learner.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ParamInfo {
    /// Its name in specs and builders.
    pub name: &'static str,
    /// Its default, as JSON text.
    pub default: &'static str,
    /// The values it may take.
    pub range: ParamRange,
    /// What it does, in one sentence.
    pub doc: &'static str,
}

/// The values a parameter may take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParamRange {
    /// A real number in `[low, high]`; infinite bounds are open.
    Real {
        /// Least value.
        low: f64,
        /// Greatest value.
        high: f64,
    },
    /// A real number greater than 0.
    Positive,
    /// An integer in `[low, high]`.
    Integer {
        /// Least value.
        low: u64,
        /// Greatest value.
        high: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A text that is not empty: a name or a file.
    Text,
    /// As [`ParamRange::Text`], or `null` for "choose".
    TextOrAuto,
    /// What names the weights of a network: published ones, a file, or `"random"` for none. A runner looks for the file
    /// beside its specification.
    Weights,
    /// As [`ParamRange::Weights`], or `null` for "choose".
    WeightsOrAuto,
    /// As [`ParamRange::Positive`], or `null` for "choose from the data".
    PositiveOrAuto,
    /// As [`ParamRange::Integer`], or `null` for "choose from the data" or "no limit".
    IntegerOrAuto {
        /// Least value.
        low: u64,
        /// Greatest value.
        high: u64,
    },
}

impl ParamRange {
    /// Whether `null` is a value: "choose", "choose from the data" or "no limit".
    pub fn admits_null(self) -> bool {
        self.admits(&Value::Null)
    }

    /// Whether its values name weights, which may be files.
    pub fn names_weights(self) -> bool {
        matches!(self, Self::Weights | Self::WeightsOrAuto)
    }

    /// The range in words for a value outside it; for a slip of the pen with the word that was meant.
    fn describe_to(self, value: &Value) -> String {
        let nearest = match (self, value.as_str()) {
            (Self::Choice(words), Some(given)) => nearest_name(given, words.iter().copied()),
            _ => None,
        };
        let hint = nearest.map_or_else(String::new, |word| format!("; did you mean `{word}`?"));
        format!("{self}{hint}")
    }

    fn admits(self, value: &Value) -> bool {
        match self {
            Self::Real { low, high } => value.as_f64().is_some_and(|v| (low..=high).contains(&v)),
            Self::Positive => value.as_f64().is_some_and(|v| v > 0.0 && v.is_finite()),
            Self::Integer { low, high } => {
                value.as_u64().is_some_and(|v| (low..=high).contains(&v))
            }
            Self::Choice(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Flag => value.is_boolean(),
            Self::Text | Self::Weights => value.as_str().is_some_and(|text| !text.is_empty()),
            Self::TextOrAuto | Self::WeightsOrAuto => value.is_null() || Self::Text.admits(value),
            Self::PositiveOrAuto => value.is_null() || Self::Positive.admits(value),
            Self::IntegerOrAuto { low, high } => {
                value.is_null() || Self::Integer { low, high }.admits(value)
            }
        }
    }
}

impl std::fmt::Display for ParamRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let integers = |f: &mut std::fmt::Formatter<'_>, low: u64, high: u64| match high {
            u64::MAX => write!(f, "integer ≥ {low}"),
            _ => write!(f, "integer in [{low}, {high}]"),
        };
        match *self {
            Self::Real { low, high } if high == f64::INFINITY => write!(f, "[{low}, ∞)"),
            Self::Real { low, high } => write!(f, "[{low}, {high}]"),
            Self::Positive => write!(f, "(0, ∞)"),
            Self::Integer { low, high } => integers(f, low, high),
            Self::Choice(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                write!(f, "{}", quoted.join(" | "))
            }
            Self::Flag => write!(f, "true | false"),
            Self::Text => write!(f, "text"),
            Self::TextOrAuto => write!(f, "text or null"),
            Self::Weights => write!(f, "weights"),
            Self::WeightsOrAuto => write!(f, "weights or null"),
            Self::PositiveOrAuto => write!(f, "(0, ∞) or null"),
            Self::IntegerOrAuto { low, high } => {
                integers(f, low, high)?;
                write!(f, " or null")
            }
        }
    }
}

/// Refuses a value outside its range, naming parameter, value and range.
///
/// # Errors
/// [`TransferError::InvalidParameter`], or [`TransferError::UnknownParameter`] for a name that is not in `known`.
pub fn check_params(
    owner: &str,
    known: &[ParamInfo],
    given: &Map<String, Value>,
) -> Result<(), TransferError> {
    for (name, value) in given {
        let Some(info) = known.iter().find(|info| info.name == name) else {
            return Err(TransferError::UnknownParameter {
                owner: owner.to_owned(),
                name: name.clone(),
                nearest: nearest_name(name, known.iter().map(|info| info.name)),
                known: known.iter().map(|info| info.name.to_owned()).collect(),
            });
        };
        if !info.range.admits(value) {
            return Err(TransferError::InvalidParameter {
                name: name.clone(),
                value: value.to_string(),
                range: info.range.describe_to(value),
            });
        }
    }
    Ok(())
}

/// Reads `P` from given parameters after checking them against the table; what is not given keeps its default.
///
/// # Errors
/// As [`check_params`].
pub fn read_params<P: DeserializeOwned>(
    owner: &str,
    known: &[ParamInfo],
    given: Map<String, Value>,
) -> Result<P, TransferError> {
    check_params(owner, known, &given)?;
    serde_json::from_value(Value::Object(given)).map_err(|error| TransferError::InvalidParameter {
        name: owner.to_owned(),
        value: "the parameters given".to_owned(),
        range: error.to_string(),
    })
}

/// The parameters of `params` as a JSON object, in the order of its fields.
pub fn write_params<P: Serialize>(params: &P) -> Map<String, Value> {
    match serde_json::to_value(params) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Checks a parameter struct that was filled by hand against its own table.
///
/// # Errors
/// As [`check_params`]. A value that JSON cannot hold (NaN, infinity) is written as `null` and refused like any other
/// value outside the range.
pub fn validate<P: Serialize>(
    owner: &str,
    known: &[ParamInfo],
    params: &P,
) -> Result<(), TransferError> {
    check_params(owner, known, &write_params(params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    const TABLE: &[ParamInfo] = &[
        ParamInfo {
            name: "lambda",
            default: "1.0",
            range: ParamRange::Positive,
            doc: "Ridge.",
        },
        ParamInfo {
            name: "k",
            default: "5",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Size.",
        },
        ParamInfo {
            name: "kernel",
            default: "\"linear\"",
            range: ParamRange::Choice(&["linear", "rbf"]),
            doc: "Kernel.",
        },
    ];

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Params {
        lambda: f64,
        k: usize,
        kernel: String,
    }

    impl Default for Params {
        fn default() -> Self {
            Self {
                lambda: 1.0,
                k: 5,
                kernel: "linear".into(),
            }
        }
    }

    fn given(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_not_given_keeps_its_default() {
        let params: Params = read_params("demo", TABLE, given(r#"{"k": 7}"#)).unwrap();
        assert_eq!(
            params,
            Params {
                k: 7,
                ..Params::default()
            }
        );
    }

    #[test]
    fn errors_name_parameter_value_and_range() {
        let read = |text| {
            read_params::<Params>("demo", TABLE, given(text))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(read(r#"{"lambda": -1}"#), "`lambda` = -1 is outside (0, ∞)");
        assert_eq!(read(r#"{"k": 0}"#), "`k` = 0 is outside integer ≥ 1");
        assert_eq!(
            read(r#"{"kernel": "cubic"}"#),
            "`kernel` = \"cubic\" is outside \"linear\" | \"rbf\""
        );
        assert_eq!(
            read(r#"{"kernel": "liner"}"#),
            "`kernel` = \"liner\" is outside \"linear\" | \"rbf\"; did you mean `linear`?"
        );
        assert_eq!(
            read(r#"{"lamda": 1}"#),
            "`demo` has no parameter `lamda`; did you mean `lambda`?"
        );
    }

    #[test]
    fn a_value_that_is_not_a_number_is_refused() {
        let params = Params {
            lambda: f64::NAN,
            ..Params::default()
        };
        assert!(validate("demo", TABLE, &params).is_err());
    }
}
