use super::*;
use std::fs::File;
use std::io::Write;

const FILES: [(&str, &str); 7] = [
    ("data/train/b/2.txt", "b two"),
    ("data/train/b/1.txt", "b one"),
    ("data/train/a/x.txt", "a x"),
    ("data/train/a/.hidden", "no"),
    ("data/train/a/x.md", "other ending"),
    ("data/train/a/stray", "skipped"),
    ("data/training/a/x.txt", "another folder"),
];

fn on_disk(root: &Path) -> PathBuf {
    let top = root.join("set");
    for (name, text) in FILES {
        let path = top.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    top
}

fn tar_gz(root: &Path) -> PathBuf {
    let path = root.join("set.tar.gz");
    let gz =
        flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gz);
    for (name, text) in FILES {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
    path
}

fn zip(root: &Path) -> PathBuf {
    let path = root.join("set.zip");
    let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
    for (name, text) in FILES {
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    path
}

fn params() -> FolderParams {
    FolderParams {
        under: "./data/train/".to_owned(),
        skip: vec!["a/stray".to_owned()],
        extensions: Vec::new(),
    }
}

#[test]
fn a_folder_and_its_archives_are_the_same() {
    let root = tempfile::tempdir().unwrap();
    for path in [on_disk(root.path()), tar_gz(root.path()), zip(root.path())] {
        let folder = Folder::open(&path, &params()).unwrap();
        let seen: Vec<(&str, String)> = (0..folder.len())
            .map(|i| {
                (
                    folder.name(i),
                    String::from_utf8(folder.bytes(i).unwrap().to_vec()).unwrap(),
                )
            })
            .collect();
        let expected = [
            ("a/x.md", "other ending"),
            ("a/x.txt", "a x"),
            ("b/1.txt", "b one"),
            ("b/2.txt", "b two"),
        ];
        assert_eq!(
            seen,
            expected.map(|(name, text)| (name, text.to_owned())),
            "{path:?}"
        );
        let texts = Folder::open(&path, &params().or_extensions(&["txt"])).unwrap();
        let names = ["a", "b", "b"].map(str::to_owned).to_vec();
        assert_eq!(texts.classes().unwrap(), Some(RawLabels::Names(names)));
    }
}

#[test]
fn truncated_archives_are_refused() {
    let root = tempfile::tempdir().unwrap();
    for path in [tar_gz(root.path()), zip(root.path())] {
        let bytes = fs::read(&path).unwrap();
        for cut in [0, 1, 10, bytes.len() / 3, bytes.len() / 2, bytes.len() - 30] {
            fs::write(&path, &bytes[..cut]).unwrap();
            let error = Folder::open(&path, &params()).unwrap_err();
            assert!(
                matches!(error, DataError::Malformed { .. } | DataError::Empty { .. }),
                "{path:?} cut to {cut}: {error}"
            );
        }
    }
}

#[test]
fn what_is_missing_is_named() {
    let root = tempfile::tempdir().unwrap();
    let path = on_disk(root.path());
    let open = |path: &Path, params| Folder::open(path, &params).unwrap_err();
    assert!(matches!(
        open(&root.path().join("none"), params()),
        DataError::Io { .. }
    ));
    assert!(matches!(
        open(&path, FolderParams::under("data/valid")),
        DataError::Io { .. }
    ));
    let error = open(&path, params().or_extensions(&["wav"]));
    assert!(
        error.to_string().contains("files that end in .wav"),
        "{error}"
    );
    let file = path.join("data/train/a/x.txt");
    assert!(matches!(
        open(&file, FolderParams::default()),
        DataError::Unsupported { .. }
    ));
    fs::write(path.join("data/train/loose.txt"), "in no class").unwrap();
    let error = Folder::open(&path, &params())
        .unwrap()
        .classes()
        .unwrap_err();
    assert!(
        error.to_string().contains("`loose.txt` lies in none"),
        "{error}"
    );
}
