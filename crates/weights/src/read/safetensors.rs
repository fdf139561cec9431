//! safetensors: a JSON header with type, shape and place of each tensor, then the bytes.
//!
//! Read here and not by the `safetensors` crate, which wants the whole file in memory before it looks at a tensor.

use std::fmt;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::{Content, Format, Input};
use crate::budget::Budget;
use crate::pickle::printable;
use crate::tensor::bytes_of;
use crate::{DType, RawTensor, Skipped, WeightsError};

/// The longest header that is read; that of 100 000 tensors takes a third of it.
const MAX_HEADER: u64 = 32 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// Names with their entries; one name twice is an error, the notes under `__metadata__` are passed over.
struct Header(IndexMap<String, Info>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with an entry for each tensor")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut entries = IndexMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else if entries.contains_key(&name) {
                        return Err(serde::de::Error::custom(format!(
                            "`{}` twice",
                            printable(&name)
                        )));
                    } else {
                        let info = map.next_value()?;
                        entries.insert(name, info);
                    }
                }
                Ok(Header(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

pub(super) fn read(mut input: Input<'_>, budget: &mut Budget<'_>) -> Result<Content, WeightsError> {
    let path = input.path;
    let fail = |at: &str, expected: String, found: String| {
        WeightsError::malformed(path, Format::Safetensors, at, expected, found)
    };
    // Whoever calls has seen eight bytes and that the header lies within the file.
    let mut length = [0; 8];
    length.copy_from_slice(&input.bytes(0, 8)?);
    let length = u64::from_le_bytes(length);
    let start = length.saturating_add(8);
    if length > MAX_HEADER || start > input.len {
        let expected = format!("a header of at most {MAX_HEADER} bytes that ends within the file");
        return Err(fail(
            "header",
            expected,
            format!("{length} bytes of {}", input.len),
        ));
    }
    let header = input.bytes(8, length as usize)?;
    let Header(entries) = serde_json::from_slice(&header).map_err(|error| {
        fail(
            "header",
            "type, shape and place of each tensor".to_owned(),
            error.to_string(),
        )
    })?;
    drop(header);

    let data = input.len - start;
    check_places(&entries, data, &fail)?;
    let mut tensors = Vec::with_capacity(entries.len());
    let mut skipped = Vec::new();
    for (name, info) in entries {
        let Some(dtype) = DType::from_name(&info.dtype) else {
            let what = format!("a tensor of {}", printable(&info.dtype));
            skipped.push(Skipped { name, what });
            continue;
        };
        let (begin, end) = info.data_offsets;
        let at = || format!("tensor `{}`", printable(&name));
        if bytes_of(&info.shape, dtype.size()) != Some(end - begin) {
            let expected = format!("as many bytes as {dtype} of shape {:?} takes", info.shape);
            return Err(fail(&at(), expected, (end - begin).to_string()));
        }
        budget.spend((end - begin) as u64, at)?;
        let bytes = input.bytes(start + begin as u64, end - begin)?;
        tensors.push((name, RawTensor::new(dtype, info.shape, bytes)?));
    }
    Ok(Content {
        format: Format::Safetensors,
        tensors,
        skipped,
    })
}

/// The tensors must fill what follows the header, one after the other, as the format demands.
fn check_places(
    entries: &IndexMap<String, Info>,
    data: u64,
    fail: &impl Fn(&str, String, String) -> WeightsError,
) -> Result<(), WeightsError> {
    let mut places: Vec<(usize, usize, &str)> = entries
        .iter()
        .map(|(name, info)| (info.data_offsets.0, info.data_offsets.1, name.as_str()))
        .collect();
    places.sort_unstable();
    let mut filled = 0;
    for (begin, end, name) in places {
        if begin != filled || end < begin || end as u64 > data {
            let at = format!("tensor `{}`", printable(name));
            let expected = format!("bytes from {filled} to at most {data}");
            return Err(fail(&at, expected, format!("{begin} to {end}")));
        }
        filled = end;
    }
    if filled as u64 == data {
        Ok(())
    } else {
        Err(fail(
            "the end",
            format!("the last tensor to end at byte {data}"),
            format!("{filled}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StateDict;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [
            &(header.len() as u64).to_le_bytes(),
            header.as_bytes(),
            data,
        ]
        .concat()
    }

    #[test]
    fn tensors_come_in_the_order_of_the_header() {
        let header = r#"{"__metadata__":{"format":"pt"},
            "b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]},
            "a":{"dtype":"I16","shape":[],"data_offsets":[0,2]},
            "c":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[6,7]}}"#;
        let dict = StateDict::from_bytes(&file(header, &[7, 0, 0, 0, 0x80, 0x3f, 9]), "x").unwrap();
        assert_eq!(dict.names().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(dict.get("b").unwrap().to_f32().unwrap(), [1.0]);
        assert_eq!(dict.get("a").unwrap().to_f32().unwrap(), [7.0]);
        assert_eq!(dict.skipped()[0].what, "a tensor of F8_E4M3");
    }

    #[test]
    fn what_breaks_the_rules_says_where() {
        let entry = |rest: &str| format!(r#"{{"a":{{"dtype":"F32",{rest}}}}}"#);
        for (header, part) in [
            (
                entry(r#""shape":[1],"data_offsets":[0,8]"#),
                "tensor `a`: expected bytes from 0 to at most 4, found 0 to 8",
            ),
            (entry(r#""shape":[1],"data_offsets":[4,0]"#), "found 4 to 0"),
            (
                entry(r#""shape":[1],"data_offsets":[0,0]"#),
                "the last tensor to end at byte 4",
            ),
            (
                entry(r#""shape":[2],"data_offsets":[0,4]"#),
                "as F32 of shape [2] takes, found 4",
            ),
            (
                entry(r#""shape":[-1],"data_offsets":[0,4]"#),
                "invalid value: integer `-1`",
            ),
            (
                entry(r#""shape":[18446744073709551615,3],"data_offsets":[0,4]"#),
                "as many bytes",
            ),
            (entry(r#""shape":[1]"#), "missing field `data_offsets`"),
            (r#"{"a":1,"a":2}"#.to_owned(), "invalid type"),
            (
                r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{}}"#.to_owned(),
                "`a` twice",
            ),
            ("{".to_owned(), "EOF"),
            ("{}".to_owned(), "the last tensor to end at byte 4"),
        ] {
            let error = StateDict::from_bytes(&file(&header, &[0; 4]), "x")
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("`x` is not a valid safetensors file"),
                "{error}"
            );
            assert!(error.contains(part), "{header}: {error}");
        }
        assert!(matches!(
            StateDict::from_bytes(&file("{}", &[]), "x").unwrap_err(),
            WeightsError::NoTensors { .. }
        ));
    }

    #[test]
    fn deep_json_does_no_harm() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let of = |header: String| {
            StateDict::from_bytes(&file(&header, &[]), "x")
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            of(format!("{{\"__metadata__\":{deep}}}")),
            "`x` holds no tensors"
        );
        let text = of(format!(
            "{{\"a\":{{\"dtype\":\"U8\",\"shape\":{deep},\"data_offsets\":[0,0]}}}}"
        ));
        assert!(text.contains("invalid type: sequence"), "{text}");
    }
}
