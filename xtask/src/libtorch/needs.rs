//! Which commands need libtorch. The one place that knows, so that nothing else fetches or builds it.

use std::fs;

use toml::Table;

use crate::workspace::Workspace;

/// Methods and learners over libtorch, one a line. A test of the deep crate holds the list to its registry.
const NAMES: &str = include_str!("../../../crates/deep/names.txt");

/// The package that links libtorch.
const DEEP_PACKAGE: &str = "translearn-deep";

/// The feature that takes it in.
const DEEP_FEATURE: &str = "deep";

/// Whether the experiment runner needs libtorch for these arguments. Methods and learners over libtorch are known to a
/// runner with libtorch alone, so their specifications are run and planned by it. Features of a network are computed when
/// a specification is run; its plan computes nothing, but the commands of a plan name the program that is to run them.
pub(crate) fn experiment(workspace: &Workspace, arguments: &[String]) -> bool {
    let command = arguments.first().map(String::as_str);
    let computes = command == Some("run") || arguments.iter().any(|word| word == "--commands");
    arguments.iter().any(|argument| {
        let named = format!("xtask/experiments/{argument}.toml");
        let texts = [
            fs::read_to_string(argument),
            fs::read_to_string(workspace.root().join(named)),
        ];
        // As the runner looks for it: a file, else one of ours. What is no specification is told by the runner.
        let text = texts.into_iter().find_map(Result::ok);
        text.and_then(|text| text.parse::<Table>().ok())
            .is_some_and(|specification| {
                names_any(&specification, &names())
                    || (computes && computes_features(&specification))
            })
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

fn tables<'s>(specification: &'s Table, key: &str) -> impl Iterator<Item = &'s Table> {
    let list = specification.get(key).and_then(|value| value.as_array());
    list.into_iter()
        .flatten()
        .filter_map(|value| value.as_table())
}

/// Whether a specification computes features with a network.
fn computes_features(specification: &Table) -> bool {
    let has_backbone = |table: &Table| {
        let features = table.get("features").and_then(|value| value.as_table());
        features.is_some_and(|features| features.contains_key("backbone"))
    };
    has_backbone(specification) || tables(specification, "task").any(has_backbone)
}

/// Whether a specification uses one of these methods or learners.
fn names_any(specification: &Table, deep: &[&str]) -> bool {
    let uses_deep = |table: &Table| {
        let name = table.get("use").and_then(|value| value.as_str());
        name.is_some_and(|name| deep.contains(&name))
    };
    tables(specification, "method").any(|method| {
        let learner = method.get("learner").and_then(|value| value.as_table());
        uses_deep(method) || learner.is_some_and(uses_deep)
    })
}

/// Whether `cargo test` with these arguments builds on libtorch; without any, the whole workspace is tested.
pub(crate) fn test(arguments: &[String]) -> bool {
    // What follows `--` is for the tests.
    let arguments = arguments.iter().take_while(|word| *word != "--");
    let words: Vec<&str> = arguments.flat_map(|word| word.splitn(2, '=')).collect();
    let names_all = |word: &&str| {
        let value = word.strip_prefix("-p").unwrap_or(word);
        [DEEP_PACKAGE, "--workspace", "--all", "--all-features"].contains(&value)
    };
    // `--features a,b` and `-Fa`, of this package or of another: `translearn-experiment/deep`.
    let names_deep = |list: &str| {
        let mut features = list.split([',', ' ']);
        features.any(|feature| feature.rsplit('/').next() == Some(DEEP_FEATURE))
    };
    let mut features = words.windows(2);
    words.is_empty()
        || words.iter().any(names_all)
        || features.any(|pair| ["--features", "-F"].contains(&pair[0]) && names_deep(pair[1]))
        || words
            .iter()
            .any(|word| word.strip_prefix("-F").is_some_and(names_deep))
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

    fn features(text: &str) -> bool {
        computes_features(&text.parse().unwrap())
    }

    fn names_one(text: &str, deep: &[&str]) -> bool {
        names_any(&text.parse().unwrap(), deep)
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
        assert!(!features(SHALLOW));
        let top = format!("features = {{ backbone = \"resnet18\" }}\n{SHALLOW}");
        assert!(features(&top));
        let task =
            format!("{SHALLOW}\n[[task]]\nname = \"b\"\nfeatures = {{ backbone = \"resnet18\" }}");
        assert!(features(&task));
        let other = format!("features = {{ layer = \"pool\" }}\n{SHALLOW}");
        assert!(!features(&other));
        // The name of a file, or of columns.
        let file = format!("{SHALLOW}\n[[task]]\nfeatures = \"backbone\"");
        assert!(!features(&file));
    }

    #[test]
    fn methods_that_train_networks_need_it() {
        assert!(names_one(SHALLOW, &["dan", "coral"]));
        assert!(!names_one(SHALLOW, &["dan"]));
    }

    #[test]
    fn learners_that_train_networks_need_it() {
        assert!(names_one(SHALLOW, &["network", "logistic"]));
        assert!(!names_one(SHALLOW, &["network"]));
    }

    #[test]
    fn the_names_are_those_of_the_deep_crate() {
        for name in ["network", "fine-tune", "dann", "deep-coral"] {
            assert!(names().contains(&name), "{name}");
            assert!(names_one(&SHALLOW.replace("coral", name), &names()));
        }
        assert!(!names_one(SHALLOW, &names()));
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
    fn what_is_no_method_names_none() {
        let odd = "task = 1\nmethod = { use = \"dan\" }";
        assert!(!names_one(odd, &["dan"]) && !features(odd));
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
        fs::write(ours.join("trained.toml"), SHALLOW.replace("coral", "dann")).unwrap();
        fs::write(ours.join("broken.toml"), "features = { backbone = ").unwrap();
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
        assert!(needs(&["run", "trained"]) && needs(&["plan", "trained"]));
        assert!(!needs(&["run", "shallow"]) && !needs(&["run", "broken"]));
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
            "-p translearn-experiment --features deep",
            "-p translearn-experiment --features=serde,deep --lib",
            "-Fdeep -p translearn",
            "--features translearn-experiment/deep",
            "-p translearn --all-features",
        ] {
            assert!(test(&words(line)), "{line}");
        }
        for line in [
            "-p translearn-core",
            "some_filter",
            "--release",
            "-p xtask -- --workspace",
            "-p translearn-deeper",
            "-p translearn-experiment --features deeper deep",
            "-p xtask -- --features deep",
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
