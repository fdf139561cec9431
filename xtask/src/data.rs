//! `cargo xtask data`: which data sets there are, where their files stand, and whether they are right.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use translearn_assets::{Cache, Manifest, Place};

use crate::workspace::Workspace;

/// List, fetch and verify data sets.
///
/// The sets are those with a manifest in `crates/data/manifests/`, and pretrained weights with one in
/// `crates/weights/manifests/`. Files are taken from `TRANSLEARN_MIRROR` (a folder
/// with `<set>/<path>`), else from the cache (`TRANSLEARN_CACHE`, else the user's cache folder), else downloaded there.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show every set with size, licence and where its files stand.
    List {
        /// Only these sets.
        sets: Vec<String>,
    },
    /// Bring the files of sets to this machine and verify them.
    Fetch {
        /// The sets; all when none is named.
        sets: Vec<String>,
    },
    /// Compute the checksum of every file that stands here. Exit status 1 when one is damaged.
    Verify {
        /// The sets; all when none is named.
        sets: Vec<String>,
    },
}

/// Runs one of the commands on the manifests of the workspace.
pub(crate) fn run(workspace: &Workspace, command: &Command) -> Result<ExitCode> {
    let all = manifests(workspace)?;
    let cache = Cache::from_env()?;
    let good = match command {
        Command::List { sets } => list(&cache, &choose(all, sets)?)?,
        Command::Fetch { sets } => fetch(&cache, &choose(all, sets)?),
        Command::Verify { sets } => verify(&cache, &choose(all, sets)?),
    };
    Ok(ExitCode::from(u8::from(!good)))
}

/// What the workspace knows, in the order of the names.
fn manifests(workspace: &Workspace) -> Result<Vec<Manifest>> {
    let mut all = Vec::new();
    for folder in ["crates/data/manifests", "crates/weights/manifests"] {
        let folder = workspace.root().join(folder);
        all.extend(
            Manifest::read_folder(&folder)
                .with_context(|| format!("manifests of `{}`", folder.display()))?,
        );
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The manifests of these names, in the order named; all when none is named.
fn choose(all: Vec<Manifest>, names: &[String]) -> Result<Vec<Manifest>> {
    if names.is_empty() {
        return Ok(all);
    }
    names
        .iter()
        .map(
            |name| match all.iter().find(|manifest| manifest.name == *name) {
                Some(manifest) => Ok(manifest.clone()),
                None => {
                    let known: Vec<&str> =
                        all.iter().map(|manifest| manifest.name.as_str()).collect();
                    bail!("there is no set `{name}`; there are {}", known.join(", "))
                }
            },
        )
        .collect()
}

fn list(cache: &Cache, sets: &[Manifest]) -> Result<bool> {
    if let Some(mirror) = cache.mirror() {
        println!("mirror  {}", mirror.display());
    }
    println!("cache   {}\n", cache.root().display());
    let head = ["set", "files", "size", "where", "licence", "title"].map(str::to_owned);
    let mut rows = vec![head];
    for set in sets {
        rows.push([
            set.name.clone(),
            set.files.len().to_string(),
            size(set.bytes()),
            whereabouts(cache, set)?,
            set.licence.clone(),
            set.title.clone(),
        ]);
    }
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    for row in &rows {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    Ok(true)
}

/// Where the files of a set stand, in a few words.
fn whereabouts(cache: &Cache, set: &Manifest) -> Result<String> {
    let mut counts = [
        ("mirror", 0),
        ("cache", 0),
        ("online", 0),
        ("only by mirror", 0),
    ];
    for file in &set.files {
        let place = match cache.place(set, &file.path)? {
            Place::Mirror(_) => 0,
            Place::Cache(_) => 1,
            Place::Online(_) => 2,
            Place::Nowhere => 3,
        };
        counts[place].1 += 1;
    }
    let present: Vec<_> = counts.iter().filter(|(_, count)| *count > 0).collect();
    Ok(match present[..] {
        [(place, _)] => (*place).to_owned(),
        _ => present
            .iter()
            .map(|(place, count)| format!("{count} {place}"))
            .collect::<Vec<_>>()
            .join(", "),
    })
}

fn fetch(cache: &Cache, sets: &[Manifest]) -> bool {
    let mut good = true;
    for set in sets {
        println!(
            "{} ({} files, {})",
            set.name,
            set.files.len(),
            size(set.bytes())
        );
        for file in &set.files {
            match cache.fetch(set, &file.path) {
                Ok(path) => println!("  ok       {}", path.display()),
                Err(error) => {
                    good = false;
                    println!("  failed   {}: {error}", file.path);
                }
            }
        }
    }
    good
}

fn verify(cache: &Cache, sets: &[Manifest]) -> bool {
    let (mut right, mut damaged, mut absent) = (0, 0, 0);
    for set in sets {
        for file in &set.files {
            match cache.verify(set, &file.path) {
                Ok(copies) if copies.is_empty() => absent += 1,
                Ok(copies) => right += copies.len(),
                Err(error) => {
                    damaged += 1;
                    println!("{}/{}: {error}", set.name, file.path);
                }
            }
        }
    }
    println!("{right} files right, {damaged} damaged, {absent} not on this machine");
    damaged == 0
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0);
    format!("{value:.decimals$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const MANIFEST: &str = r#"
        name = "greetings"
        title = "Two words"
        licence = "CC0"
        [[file]]
        path = "hello.txt"
        sha256 = "09ca7e4eaa6e8ae9c7d261167129184883644d07dfba7cbfbc4c8a2e08360d5b"
        bytes = 12
    "#;

    fn greetings() -> Vec<Manifest> {
        vec![Manifest::parse(MANIFEST, "greetings.toml").unwrap()]
    }

    fn mirror(name: &str, text: &str) -> (std::path::PathBuf, Cache) {
        let root = std::env::temp_dir().join(format!("xtask-data-{}-{name}", std::process::id()));
        let mirror = root.join("mirror");
        std::fs::create_dir_all(mirror.join("greetings")).unwrap();
        std::fs::write(mirror.join("greetings/hello.txt"), text).unwrap();
        (
            root.clone(),
            Cache::at(root.join("cache")).with_mirror(mirror),
        )
    }

    #[test]
    fn a_right_file_is_found_and_verified() {
        let (root, cache) = mirror("right", "hello, world");
        assert_eq!(whereabouts(&cache, &greetings()[0]).unwrap(), "mirror");
        assert!(verify(&cache, &greetings()));
        assert!(fetch(&cache, &greetings()));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_damaged_file_is_told() {
        let (root, cache) = mirror("damaged", "hello, World");
        assert!(!verify(&cache, &greetings()));
        assert!(!fetch(&cache, &greetings()));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_missing_file_is_no_damage_but_cannot_be_fetched_without_an_address() {
        let cache =
            Cache::at(std::env::temp_dir().join(format!("xtask-data-{}-none", std::process::id())));
        assert_eq!(
            whereabouts(&cache, &greetings()[0]).unwrap(),
            "only by mirror"
        );
        assert!(verify(&cache, &greetings()));
        assert!(!fetch(&cache, &greetings()));
    }

    #[test]
    fn an_unknown_set_is_refused_with_those_there_are() {
        let error = choose(greetings(), &["greeting".to_owned()])
            .unwrap_err()
            .to_string();
        assert_eq!(error, "there is no set `greeting`; there are greetings");
    }

    #[test]
    fn every_manifest_of_the_workspace_is_readable() {
        let workspace = Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        let all = manifests(&workspace).unwrap();
        for name in ["office-caltech10-surf", "mobilenet025-imagenet"] {
            assert!(all.iter().any(|manifest| manifest.name == name), "{name}");
        }
    }

    #[test]
    fn sizes_are_readable() {
        assert_eq!(size(12), "12 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(3 << 40), "3072.0 GiB");
    }
}
