//! Rules of the house that no compiler holds: which crate may depend on which, how long a file may be, what must not stand
//! in one.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap()
}

/// What each crate may depend on within the workspace. Arrows point one way; a crate that is not here has no place yet.
const ARROWS: &[(&str, &[&str])] = &[
    ("translearn-core", &[]),
    ("translearn-assets", &[]),
    ("translearn-data", &["translearn-core", "translearn-assets"]),
    ("translearn-weights", &["translearn-assets"]),
    ("translearn-learners", &["translearn-core"]),
    ("translearn-transport", &["translearn-core"]),
    (
        "translearn-classical",
        &[
            "translearn-core",
            "translearn-learners",
            "translearn-transport",
        ],
    ),
    (
        "translearn-deep",
        &[
            "translearn-core",
            "translearn-transport",
            "translearn-assets",
            "translearn-weights",
        ],
    ),
    (
        "translearn-diagnostics",
        &[
            "translearn-core",
            "translearn-learners",
            "translearn-transport",
            "translearn-classical",
        ],
    ),
    (
        "translearn-experiment",
        &[
            "translearn-core",
            "translearn-data",
            "translearn-learners",
            "translearn-classical",
            "translearn-diagnostics",
            "translearn-deep",
            "translearn-weights",
        ],
    ),
    // The facade, the tests and the benches see everything.
    ("translearn", EVERYTHING),
    ("translearn-tests", EVERYTHING),
    ("translearn-benches", EVERYTHING),
    ("xtask", &["translearn-assets"]),
];

const EVERYTHING: &[&str] = &[
    "translearn-core",
    "translearn-assets",
    "translearn-data",
    "translearn-learners",
    "translearn-transport",
    "translearn-classical",
    "translearn-deep",
    "translearn-diagnostics",
    "translearn-experiment",
    "translearn-weights",
];

/// Crates from outside that only some may name, with the reason.
const ONLY: &[(&str, &[&str], &str)] = &[
    (
        "tch",
        &["translearn-deep"],
        "without libtorch everything else must build",
    ),
    (
        "clap",
        &["translearn-experiment", "xtask"],
        "libraries have no command line",
    ),
    (
        "indicatif",
        &["translearn-deep", "translearn-experiment", "xtask"],
        "libraries show no progress bars, save the one a caller hands to a training",
    ),
    (
        "minijinja",
        &["translearn-experiment"],
        "only experiments write reports",
    ),
    (
        "plotters",
        &["translearn-experiment"],
        "only experiments write reports",
    ),
    (
        "anyhow",
        &["translearn-experiment", "xtask", "translearn-benches"],
        "libraries have typed errors",
    ),
    (
        "faer",
        &["translearn-core"],
        "decompositions sit behind `core::linalg`",
    ),
    ("ureq", &["translearn-assets"], "one place downloads"),
    (
        "csv",
        &["translearn-data", "translearn-experiment"],
        "only `data` reads data files",
    ),
    (
        "parquet",
        &["translearn-data"],
        "only `data` reads data files",
    ),
    (
        "hdf5-reader",
        &["translearn-data", "translearn-weights"],
        "data and weights are read in one place each",
    ),
    (
        "ndarray-npy",
        &["translearn-data", "translearn-deep", "translearn-benches"],
        "only `data` reads data files; `deep` keeps its features",
    ),
    (
        "image",
        &["translearn-data"],
        "only `data` reads data files",
    ),
    (
        "hound",
        &["translearn-data"],
        "only `data` reads data files",
    ),
    (
        "zip",
        &["translearn-data", "translearn-weights", "xtask"],
        "archives hold data, weights or libtorch",
    ),
    ("tar", &["translearn-data"], "only `data` reads data files"),
];

/// What a package needs to be built: doc examples and tests may need more.
fn needed(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|of| of.kind != DependencyKind::Development)
        .map(|of| of.name.as_str())
}

#[test]
fn dependencies_point_one_way() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    let metadata = metadata();
    assert!(
        metadata.packages.len() >= 8,
        "{} packages",
        metadata.packages.len()
    );
    for package in &metadata.packages {
        let Some(allowed) = arrows.get(package.name.as_str()) else {
            wrong.push(format!("`{}` has no place in ARROWS", package.name));
            continue;
        };
        for name in
            needed(package).filter(|name| arrows.contains_key(name) && !allowed.contains(name))
        {
            wrong.push(format!("`{}` must not depend on `{name}`", package.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_some_crates_name_these() {
    let mut wrong = Vec::new();
    for package in &metadata().packages {
        for &(name, may, why) in ONLY {
            if needed(package).any(|needed| needed == name) && !may.contains(&package.name.as_str())
            {
                wrong.push(format!("`{}` names `{name}`: {why}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Manifests aside, only `data` (and `assets`, for its cache) touches files below `classical` and its kin.
#[test]
fn the_crates_of_methods_open_no_files() {
    let opens = ["std::fs", "fs::File", "File::open"];
    let mut wrong = Vec::new();
    for name in ["core", "learners", "transport", "classical", "diagnostics"] {
        for (path, text) in texts(&root().join("crates").join(name).join("src")) {
            if let Some(what) = opens.iter().find(|what| text.contains(*what)) {
                wrong.push(format!("{} has `{what}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_crate_says_what_it_is() {
    let mut wrong = Vec::new();
    for package in &metadata().packages {
        let folder = package.manifest_path.parent().unwrap();
        let mut demand = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("`{}` has no {what}", package.name));
            }
        };
        demand(
            package
                .description
                .as_ref()
                .is_some_and(|text| text.len() > 20),
            "description of some length",
        );
        demand(
            package.license.as_deref() == Some("MIT OR Apache-2.0"),
            "licence `MIT OR Apache-2.0`",
        );
        demand(package.repository.is_some(), "repository");
        let is_published = package.publish.is_none();
        if is_published {
            let readme = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
            demand(
                readme.lines().filter(|line| !line.is_empty()).count() >= 5,
                "README.md of five lines or more",
            );
            demand(package.readme.is_some(), "`readme` in its manifest");
            demand(
                !package.keywords.is_empty() && !package.categories.is_empty(),
                "keywords and categories",
            );
        }
        // The lints of the workspace hold for every crate.
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        demand(
            manifest.contains("[lints]\nworkspace = true"),
            "`[lints] workspace = true`",
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_data_set_has_licence_and_checksums() {
    let mut n_sets = 0;
    let folders = ["crates/data/manifests", "crates/weights/manifests"];
    for (path, text) in folders
        .iter()
        .flat_map(|folder| texts(&root().join(folder)))
    {
        let name = path.display();
        let manifest: toml::Table =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            manifest["licence"]
                .as_str()
                .is_some_and(|licence| licence.len() > 2),
            "{name}: licence"
        );
        let files = manifest["file"].as_array().unwrap();
        assert!(!files.is_empty(), "{name}: no file");
        for file in files {
            let sha256 = file["sha256"].as_str().unwrap_or_default();
            let is_sum = sha256.len() == 64
                && sha256
                    .chars()
                    .all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
            assert!(is_sum, "{name}: {}: sha256 {sha256:?}", file["path"]);
        }
        n_sets += 1;
    }
    assert!(n_sets >= 20, "{n_sets} manifests");
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = texts(&root())
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|&(_, lines)| lines > 600)
        .map(|(path, lines)| format!("{}: {lines} lines; split it before 600", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn what_must_not_stand_in_the_code() {
    // In two parts, or this file would find itself.
    let forbidden = [
        (["thread", "_rng"], "randomness comes from a seed"),
        (["from_", "entropy"], "randomness comes from a seed"),
        (["Os", "Rng"], "randomness comes from a seed"),
        (["rand::", "random"], "randomness comes from a seed"),
        (["to", "do!("], "nothing unfinished lands"),
        (["unimple", "mented!("], "nothing unfinished lands"),
        (["#[ig", "nore"], "a test that does not run proves nothing"),
        (["should_", "panic"], "errors are values"),
    ];
    let mut wrong = Vec::new();
    for (path, text) in texts(&root()) {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        for (parts, why) in forbidden {
            if let Some(line) = text.lines().position(|line| line.contains(&parts.concat())) {
                wrong.push(format!(
                    "{}:{}: `{}`: {why}",
                    path.display(),
                    line + 1,
                    parts.concat()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_path_of_one_machine() {
    // A folder below one of these stands for someone's machine; the word alone, as in documentation, does not.
    let roots = [
        ["/wo", "rk/"],
        ["/tm", "p/"],
        ["/ho", "me/"],
        ["/ro", "ot/"],
        ["/Us", "ers/"],
    ]
    .map(|parts| parts.concat());
    let mut wrong = Vec::new();
    for (path, text) in texts(&root()) {
        for (number, line) in text.lines().enumerate() {
            let found = roots.iter().find(|root| {
                line.match_indices(root.as_str()).any(|(at, _)| {
                    // Within a longer path, such as one of a web address, it is another thing.
                    let before = line[..at].chars().next_back();
                    // One letter is nobody.
                    let named = line[at + root.len()..]
                        .chars()
                        .take_while(|c| c.is_alphanumeric())
                        .count()
                        > 1;
                    named && before.is_none_or(|c| !(c.is_alphanumeric() || "._-/*}".contains(c)))
                })
            });
            if let Some(found) = found {
                wrong.push(format!("{}:{}: {found}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_changelog_has_a_place_for_what_comes() {
    let text = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let section = text
        .split("\n## ")
        .find(|section| section.starts_with("[Unreleased]") || section.starts_with("Unreleased"));
    assert!(
        section.is_some_and(|section| section.lines().count() > 2),
        "no `## Unreleased` with something in it"
    );
}

#[test]
fn licences_are_there() {
    for name in [
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
    ] {
        let text = fs::read_to_string(root().join(name)).unwrap_or_default();
        assert!(text.len() > 500, "{name} is missing or empty");
    }
}

/// All text files of a folder that git knows or does not ignore, with their text.
fn texts(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut paths = tracked(folder).unwrap_or_else(|| walk(folder));
    paths.sort();
    let read = |path: PathBuf| Some((path.clone(), fs::read_to_string(path).ok()?));
    paths.into_iter().filter_map(read).collect()
}

/// What git lists; nothing where there is no git or no repository, as in a published archive.
fn tracked(folder: &Path) -> Option<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Some(Vec::new());
    }
    let arguments = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .output()
        .ok()?;
    let names = String::from_utf8(output.stdout)
        .ok()
        .filter(|_| output.status.success())?;
    let paths: Vec<PathBuf> = names
        .split_terminator('\0')
        .map(|name| folder.join(name))
        .collect();
    (!paths.is_empty()).then_some(paths)
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "target" && name != ".git" {
            paths.extend(walk(&path));
        } else if path.is_file() {
            paths.push(path);
        }
    }
    paths
}
