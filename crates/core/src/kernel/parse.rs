//! Kernels read from words and from tables.

use std::fmt;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Kernel;
use crate::{TransferError, nearest_name};

impl FromStr for Kernel {
    type Err = TransferError;

    /// The kernel of that name with default parameters.
    fn from_str(name: &str) -> Result<Self, TransferError> {
        match name {
            "linear" => Ok(Self::Linear),
            "rbf" => Ok(Self::Rbf { gamma: None }),
            "polynomial" => Ok(Self::Polynomial {
                degree: 3,
                gamma: None,
                coef0: 1.0,
            }),
            "laplacian" => Ok(Self::Laplacian { gamma: None }),
            "cosine" => Ok(Self::Cosine),
            _ => Err(TransferError::UnknownName {
                kind: "kernel".to_owned(),
                name: name.to_owned(),
                nearest: nearest_name(name, Self::NAMES),
                known: Self::NAMES.map(str::to_owned).to_vec(),
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Kernel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrTable)
    }
}

struct WordOrTable;

impl<'de> Visitor<'de> for WordOrTable {
    type Value = Kernel;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the name of a kernel ({}), alone or with its parameters",
            Kernel::NAMES.join(", ")
        )
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Kernel, E> {
        name.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Kernel, A::Error> {
        Ok(
            match Parameters::deserialize(MapAccessDeserializer::new(map))? {
                Parameters::Linear {} => Kernel::Linear,
                Parameters::Rbf { gamma } => Kernel::Rbf { gamma },
                Parameters::Polynomial {
                    degree,
                    gamma,
                    coef0,
                } => Kernel::Polynomial {
                    degree,
                    gamma,
                    coef0,
                },
                Parameters::Laplacian { gamma } => Kernel::Laplacian { gamma },
                Parameters::Cosine {} => Kernel::Cosine,
            },
        )
    }
}

/// [`Kernel`] as a table, every parameter optional.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Parameters {
    Linear {},
    Rbf {
        #[serde(default)]
        gamma: Option<f64>,
    },
    Polynomial {
        #[serde(default = "default_degree")]
        degree: u32,
        #[serde(default)]
        gamma: Option<f64>,
        #[serde(default = "default_coef0")]
        coef0: f64,
    },
    Laplacian {
        #[serde(default)]
        gamma: Option<f64>,
    },
    Cosine {},
}

fn default_degree() -> u32 {
    3
}

fn default_coef0() -> f64 {
    1.0
}
