//! The manifests, without any of the files they describe.

use std::collections::BTreeSet;
use std::path::Path;

use translearn_assets::{AssetError, Cache, Manifest};

use super::load::Reader;
use super::set::MANIFESTS;
use super::*;

#[test]
fn every_manifest_of_the_folder_is_in_the_catalog() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let names: Vec<String> = Manifest::read_folder(&folder)
        .unwrap()
        .into_iter()
        .map(|m| m.name)
        .collect();
    assert_eq!(
        names,
        MANIFESTS.iter().map(|&(name, _)| name).collect::<Vec<_>>()
    );
    assert_eq!(names, sets().iter().map(Set::name).collect::<Vec<_>>());
}

#[test]
fn manifests_hold_together() {
    for set in sets() {
        let name = set.name();
        let listed = |file: &str| {
            set.manifest()
                .file(file)
                .unwrap_or_else(|error| panic!("{error}"))
        };
        set.words().iter().for_each(|words| _ = listed(&words.file));
        let mut seen = BTreeSet::new();
        for part in set.parts() {
            assert!(
                seen.insert((&part.domain, &part.split)),
                "{name}: {part:?} stands twice"
            );
            assert!(part.rows > 0, "{name}: {part:?}");
            match &part.read {
                Reader::File { file, .. }
                | Reader::Table { file, .. }
                | Reader::Texts { file, .. }
                | Reader::Sounds { file, .. }
                | Reader::Images {
                    file: Some(file), ..
                }
                | Reader::Tasks { file, .. }
                | Reader::Graph { file, .. } => _ = listed(file),
                Reader::Images {
                    file: None, folder, ..
                } => {
                    let below = format!("{}/", folder.under);
                    let files = set.manifest().files.iter();
                    assert_eq!(
                        files.filter(|file| file.path.starts_with(&below)).count(),
                        part.rows,
                        "{name}"
                    );
                }
            }
        }
        let holds = !set.parts().is_empty() || !set.words().is_empty();
        assert!(holds, "{name} holds nothing");
        for url in set
            .manifest()
            .files
            .iter()
            .filter_map(|file| file.url.as_deref())
        {
            assert!(url.starts_with("https://"), "{name}: {url}");
        }
    }
}

#[test]
fn a_selection_takes_parts_in_order() {
    let amazon = set("amazon-reviews").unwrap();
    let rows = |select: &Select| {
        amazon
            .select(select)
            .map(|parts| parts.iter().map(|part| part.rows).collect::<Vec<_>>())
    };
    assert_eq!(rows(&Select::domain("dvd")).unwrap(), [2000, 3586]);
    assert_eq!(rows(&Select::domain("dvd").split("test")).unwrap(), [3586]);
    for (select, part) in [
        (Select::all(), "books, dvd, electronics, kitchen"),
        (Select::domain("dvds"), "did you mean `dvd`?"),
        (
            Select::domain("dvd").split("val"),
            "no split `val`; known: train, test",
        ),
    ] {
        let error = rows(&select).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let usps = set("usps").unwrap();
    assert_eq!(usps.select(&Select::all()).unwrap().len(), 2);
    assert!(matches!(
        usps.select(&Select::domain("x")),
        Err(DataError::Missing { .. })
    ));
    let words = set("word-vectors").unwrap();
    assert!(matches!(
        words.select(&Select::all()),
        Err(DataError::Unsupported { .. })
    ));
}

#[test]
fn the_keys_of_an_experiment_select() {
    let select: Select = toml::from_str("domain = \"books\"\nsplit = \"train\"").unwrap();
    assert_eq!(select, Select::domain("books").split("train"));
    assert!(toml::from_str::<Select>("domains = \"books\"").is_err());
}

#[test]
fn a_manifest_with_a_slip_is_refused_by_name() {
    let &(name, text) = MANIFESTS.iter().find(|(name, _)| *name == "usps").unwrap();
    for (from, to, part) in [
        ("rows = 7291", "row = 7291", "unknown field `row`"),
        ("read.file", "read.fill", "unknown variant `fill`"),
        ("label =", "lable =", "unknown field `lable`"),
        ("[load]", "[load]\nparts = 1", "unknown field `parts`"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = Set::parse(&text.replace(from, to), name)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("manifest `usps`") && error.contains(part),
            "{error}"
        );
    }
}

#[test]
fn what_cannot_be_fetched_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let error = set("usps")
        .unwrap()
        .load(&Select::all(), &cache)
        .unwrap_err();
    assert!(error.to_string().contains("TRANSLEARN_MIRROR"), "{error}");
    let DataError::Io { source, .. } = &error else {
        panic!("{error}")
    };
    let source = source
        .get_ref()
        .and_then(|source| source.downcast_ref::<AssetError>());
    assert!(
        matches!(source, Some(AssetError::NoSource { .. })),
        "{error}"
    );
}

#[test]
fn what_a_set_does_not_have_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let usps = set("usps").unwrap();
    for error in [
        usps.tasks(&cache).unwrap_err(),
        usps.graph(&Select::all().split("test"), &cache)
            .unwrap_err(),
        usps.attributes(&cache).unwrap_err(),
        #[cfg(feature = "image")]
        usps.episodes(&cache).unwrap_err(),
    ] {
        assert!(matches!(error, DataError::Unsupported { .. }), "{error}");
    }
}
