//! Specifications: whatever the text, a specification or an error with a message and a line that exists.

use std::path::Path;
use std::sync::LazyLock;

use translearn_core::Registry;
use translearn_experiment::spec::Spec;

static REGISTRY: LazyLock<Registry> = LazyLock::new(translearn_classical::registry);

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Spec::parse(text, Path::new("fuzz.toml"), &REGISTRY) {
        Ok(spec) => {
            // What was understood can be written down and read again, and names nothing twice.
            let json = serde_json::to_string(&spec).expect("a specification is plain data");
            let again: Spec = serde_json::from_str(&json).expect("and is read back");
            assert_eq!(serde_json::to_string(&again).expect("again"), json);
            assert!(!spec.seeds.is_empty() && !spec.tasks.is_empty() && !spec.methods.is_empty());
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.starts_with("`fuzz.toml`"), "{message}");
            let lines = 1 + text.bytes().filter(|&byte| byte == b'\n').count();
            assert!(
                error.line.is_none_or(|line| (1..=lines).contains(&line)),
                "{message}"
            );
        }
    }
}
