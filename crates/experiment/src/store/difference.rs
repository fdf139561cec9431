//! Where two JSON documents differ, in words.

use serde_json::Value;

/// Differences named at most.
const LIMIT: usize = 6;

/// What differs between `old` and `new`, as `path: old here, new there`; empty when nothing does.
pub(super) fn differences(old: &Value, new: &Value) -> Vec<String> {
    let mut all = Vec::new();
    compare(old, new, String::new(), &mut all);
    if all.len() > LIMIT {
        let more = all.len() - LIMIT;
        all.truncate(LIMIT);
        all.push(format!("and {more} more"));
    }
    all
}

fn compare(old: &Value, new: &Value, path: String, all: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, old) in a {
                compare(
                    old,
                    b.get(key).unwrap_or(&Value::Null),
                    join(&path, key),
                    all,
                );
            }
            for (key, new) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                compare(&Value::Null, new, join(&path, key), all);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (old, new)) in a.iter().zip(b).enumerate() {
                compare(old, new, format!("{path}[{index}]"), all);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            all.push(format!(
                "{path}: {} entries in the folder, {} now",
                a.len(),
                b.len()
            ));
        }
        _ if old == new => {}
        _ => all.push(format!(
            "{path}: {} in the folder, {} now",
            short(old),
            short(new)
        )),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn short(value: &Value) -> String {
    const WIDTH: usize = 60;
    let text = match value {
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() <= WIDTH {
        return text;
    }
    text.chars().take(WIDTH).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_and_both_sides_are_named() {
        let old =
            json!({"name": "a", "seeds": [0, 1], "versions": {"translearn": "0.1.0"}, "gone": 1});
        let new = json!({"name": "a", "seeds": [0, 1, 2], "versions": {"translearn": "0.2.0"}, "come": true});
        assert_eq!(
            differences(&old, &new),
            [
                "seeds: 2 entries in the folder, 3 now",
                "versions.translearn: \"0.1.0\" in the folder, \"0.2.0\" now",
                "gone: 1 in the folder, none now",
                "come: none in the folder, true now",
            ]
        );
    }

    #[test]
    fn the_same_document_has_none_and_many_are_cut() {
        let document = json!({"a": [1, {"b": 2.5}]});
        assert!(differences(&document, &document).is_empty());
        let old = json!((0..20).collect::<Vec<_>>());
        let new = json!((1..21).collect::<Vec<_>>());
        let all = differences(&old, &new);
        assert_eq!((all.len(), all[LIMIT].as_str()), (LIMIT + 1, "and 14 more"));
        assert_eq!(all[0], "[0]: 0 in the folder, 1 now");
    }
}
