//! One text for one value, and its hash.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// JSON without spaces and with the keys of every object in the order of their code points.
///
/// ```
/// use serde_json::json;
/// use translearn_experiment::plan::canonical_json;
///
/// assert_eq!(canonical_json(&json!({"b": [1.0, null], "a": {"z": 1, "y": "ü"}})), r#"{"a":{"y":"ü","z":1},"b":[1.0,null]}"#);
/// ```
pub fn canonical_json(value: &Value) -> String {
    sorted(value).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            entries
                .into_iter()
                .map(|(key, value)| (key.clone(), sorted(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// The first 16 hexadecimal digits of SHA-256 over the canonical JSON.
pub(super) fn short_hash(value: &Value) -> String {
    let mut hash = hex(Sha256::digest(canonical_json(value)));
    hash.truncate(16);
    hash
}

pub(crate) fn hex(digest: impl AsRef<[u8]>) -> String {
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
