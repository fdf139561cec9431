//! Which commands need libtorch. The one place that knows, so that nothing else fetches or builds it.

use std::fs;

use toml::Table;

use crate::workspace::Workspace;

/// Methods and learners over libtorch, one a line. A test of the deep crate holds the list to its registry.
const NAMES: &str = include_str!("../../../crates/deep/names.txt");

/// The package that links libtorch.
const DEEP_PACKAGE: &str = "translearn-deep";

/// Whether the experiment runner needs libtorch for these arguments: whether it is to run a specification that does. Plans
/// and reports compute nothing, but the commands of a plan name the program that is to run them.
pub(crate) fn experiment(workspace: &Workspace, arguments: &[String]) -> bool {
    let command = arguments.first().map(String::as_str);
    let computes = command == Some("run") || arguments.iter().any(|word| word == "--commands");
    computes
        && arguments.iter().any(|argument| {
            let named = format!("xtask/experiments/{argument}.toml");
            let texts = [
                fs::read_to_string(argument),
                fs::read_to_string(workspace.root().join(named)),
            ];
            // As the runner looks for it: a file, else one of ours. What is no specification is told by the runner.
            texts
                .into_iter()
                .find_map(Result::ok)
                .is_some_and(|text| specification(&text, &names()))
        })
}

fn names() -> Vec<&'static str> {
    NAMES.split_whitespace().collect()
}

/// Whether the experiment runner can tell more with libtorch for these arguments, and does without it too: whether it is
/// to list methods or learners.
pub(crate) fn experiment_lists(arguments: &[String]) -> bool {
    let others = ["specs", "data"];
    arguments.first().is_some_and(|command| command == "list")
        && !arguments.iter().any(|word| others.contains(&word.as_str()))
}

/// Whether a specification computes features with a network or names one of these methods or learners.
fn specification(text: &str, deep: &[&str]) -> bool {
    let Ok(specification) = text.parse::<Table>() else {
        return false;
    };
    let tables = |key: &str| {
        let list = specification.get(key).and_then(|value| value.as_array());
        list.into_iter()
            .flatten()
            .filter_map(|value| value.as_table())
    };
    let has_backbone = |table: &Table| {
        let features = table.get("features").and_then(|value| value.as_table());
        features.is_some_and(|features| features.contains_key("backbone"))
    };
    let uses_deep = |table: &Table| {
        let name = table.get("use").and_then(|value| value.as_str());
        name.is_some_and(|name| deep.contains(&name))
    };
    let is_deep = |method: &Table| {
        let learner = method.get("learner").and_then(|value| value.as_table());
        uses_deep(method) || learner.is_some_and(uses_deep)
    };
    has_backbone(&specification)
        || tables("task").any(has_backbone)
        || tables("method").any(is_deep)
}

/// Whether `cargo test` with these arguments builds on libtorch; without any, the whole workspace is tested.
pub(crate) fn test(arguments: &[String]) -> bool {
    // What follows `--` is for the tests.
    let mut arguments = arguments.iter().take_while(|word| *word != "--").peekable();
    arguments.peek().is_none()
        || arguments.any(|word| {
            let value = word
                .split_once('=')
                .map_or(word.as_str(), |(_, value)| value);
            let value = value.strip_prefix("-p").unwrap_or(value);
            value == DEEP_PACKAGE || value == "--workspace" || value == "--all"
        })
}

/// Whether these benches do.
pub(crate) fn bench(names: &[String]) -> bool {
    names.iter().any(|name| name == "deep")
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    const SHALLOW: &str = r#"
        schema = 1
        name = "shallow"
        [[task]]
        name = "a"
        source = { set = "digits", domain = "backbone" }
        [[method]]
        use = "coral"
        learner = { use = "logistic" }
    "#;

    #[test]
    fn features_of_a_network_need_it() {
        assert!(!specification(SHALLOW, &[]));
        let top = format!("features = {{ backbone = \"resnet18\" }}\n{SHALLOW}");
        assert!(specification(&top, &[]));
        let task =
            format!("{SHALLOW}\n[[task]]\nname = \"b\"\nfeatures = {{ backbone = \"resnet18\" }}");
        assert!(specification(&task, &[]));
        let other = format!("features = {{ layer = \"pool\" }}\n{SHALLOW}");
        assert!(!specification(&other, &[]));
        // The name of a file, or of columns.
        let file = format!("{SHALLOW}\n[[task]]\nfeatures = \"backbone\"");
        assert!(!specification(&file, &[]));
    }

    #[test]
    fn methods_that_train_networks_need_it() {
        assert!(specification(SHALLOW, &["dan", "coral"]));
        assert!(!specification(SHALLOW, &["dan"]));
    }

    #[test]
    fn learners_that_train_networks_need_it() {
        assert!(specification(SHALLOW, &["network", "logistic"]));
        assert!(!specification(SHALLOW, &["network"]));
    }

    #[test]
    fn the_names_are_those_of_the_deep_crate() {
        for name in ["network", "fine-tune", "dann", "deep-coral"] {
            assert!(names().contains(&name), "{name}");
            assert!(specification(&SHALLOW.replace("coral", name), &names()));
        }
        assert!(!specification(SHALLOW, &names()));
    }

    #[test]
    fn only_lists_tell_more_with_it() {
        assert!(experiment_lists(&words("list methods --json")));
        assert!(experiment_lists(&words("list")));
        assert!(!experiment_lists(&words("list --json data")));
        assert!(!experiment_lists(&words("run list")));
        assert!(!experiment_lists(&[]));
    }

    #[test]
    fn what_is_no_specification_needs_nothing() {
        assert!(!specification("features = { backbone = ", &[]));
        assert!(!specification(
            "task = 1\nmethod = { use = \"dan\" }",
            &["dan"]
        ));
    }

    #[test]
    fn a_specification_is_found_by_path_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        let workspace = Workspace::at(folder.path().to_owned()).unwrap();
        let ours = folder.path().join("xtask/experiments");
        fs::create_dir_all(&ours).unwrap();
        let deep = "features = { backbone = \"resnet18\" }";
        fs::write(ours.join("deep.toml"), deep).unwrap();
        fs::write(ours.join("shallow.toml"), SHALLOW).unwrap();
        let elsewhere: PathBuf = folder.path().join("other spec.toml");
        fs::write(&elsewhere, deep).unwrap();
        let needs = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            experiment(&workspace, &words)
        };
        assert!(needs(&["run", "deep", "--jobs", "2"]));
        let path = elsewhere.to_str().unwrap();
        assert!(needs(&["run", path]));
        assert!(!needs(&["plan", path]));
        assert!(needs(&["plan", path, "--commands"]));
        assert!(!needs(&["run", "shallow"]));
        assert!(!needs(&["run", "no-such-spec"]));
        assert!(!needs(&["list", "methods"]));
        assert!(!needs(&[]));
    }

    #[test]
    fn the_specifications_here_say_what_they_need() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let workspace = Workspace::at(root).unwrap();
        assert!(!experiment(&workspace, &words("run quickstart")));
    }

    #[test]
    fn tests_need_it_when_they_are_all_or_those_of_the_deep_crate() {
        for line in [
            "",
            "--workspace",
            "--release --all",
            "-p translearn-core -p translearn-deep",
            "-ptranslearn-deep",
            "--package=translearn-deep --lib",
        ] {
            assert!(test(&words(line)), "{line}");
        }
        for line in [
            "-p translearn-core",
            "some_filter",
            "--release",
            "-p xtask -- --workspace",
            "-p translearn-deeper",
        ] {
            assert!(!test(&words(line)), "{line}");
        }
    }

    #[test]
    fn only_deep_benches_need_it() {
        assert!(bench(&words("coral deep")));
        assert!(!bench(&words("coral tree")));
        assert!(!bench(&[]));
    }
}
