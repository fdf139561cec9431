//! Fetching from a real HTTP server on the loopback, with everything that can go wrong on the way.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;
use translearn_assets::{AssetError, Cache, Manifest, Place, Progress, Sha256};

const BODY: &[u8] = b"twelve bytes";

/// A server that answers every request with the same bytes and closes the connection.
struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    fn answering(response: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file.bin", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                let response = response.clone();
                thread::spawn(move || answer(stream.unwrap(), &response));
            }
        });
        Self { url, requests }
    }

    fn serving(body: &[u8]) -> Self {
        Self::answering(with_length(body.len(), body))
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, response: &[u8]) {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(n) if n > 0 => request.extend_from_slice(&piece[..n]),
            _ => return,
        }
    }
    // The client hangs up early when it has seen enough; that is no failure of the server.
    let _ = stream.write_all(response);
}

fn with_length(length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn without_length(body: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", body].concat()
}

fn manifest(url: Option<&str>, bytes: &[u8]) -> Manifest {
    let url = url
        .map(|url| format!("url = \"{url}\"\n"))
        .unwrap_or_default();
    let text = format!(
        "name = \"a-set\"\ntitle = \"A set\"\nlicence = \"CC0\"\nhomepage = \"https://example.org\"\n\
         [[file]]\npath = \"sub/file.bin\"\n{url}sha256 = \"{}\"\nbytes = {}\n",
        Sha256::of(bytes),
        bytes.len()
    );
    Manifest::parse(&text, "a-set.toml").unwrap()
}

fn put(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("a-set/sub/file.bin");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// Every file below a folder, memos aside.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            if !path.ends_with(".verified") {
                found.extend(files(&path));
            }
        } else {
            found.push(path);
        }
    }
    found
}

/// What a failing server leads to; nothing may be left behind.
fn failure(response: Vec<u8>) -> AssetError {
    let server = Server::answering(response);
    let folder = TempDir::new().unwrap();
    let error = Cache::at(folder.path())
        .fetch(&manifest(Some(&server.url), BODY), "sub/file.bin")
        .unwrap_err();
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    assert!(error.to_string().contains(&server.url), "{error}");
    error
}

#[test]
fn a_file_is_downloaded_once_with_progress() {
    let body: Vec<u8> = (0..300_000_u32).map(|i| (i % 253) as u8).collect();
    let server = Server::serving(&body);
    let manifest = manifest(Some(&server.url), &body);
    let folder = TempDir::new().unwrap();
    let cache = Cache::at(folder.path().join("new"));
    assert_eq!(
        cache.place(&manifest, "sub/file.bin").unwrap(),
        Place::Online(server.url.clone())
    );

    let mut seen = Vec::new();
    let path = cache
        .fetch_with(&manifest, "sub/file.bin", &mut |p| seen.push(p))
        .unwrap();
    assert_eq!(path, folder.path().join("new/a-set/sub/file.bin"));
    assert_eq!(fs::read(&path).unwrap(), body);
    assert_eq!(
        seen.first(),
        Some(&Progress {
            received: 0,
            total: 300_000
        })
    );
    assert_eq!(
        seen.last(),
        Some(&Progress {
            received: 300_000,
            total: 300_000
        })
    );
    assert!(seen.is_sorted_by_key(|p| p.received));
    assert_eq!(
        cache.place(&manifest, "sub/file.bin").unwrap(),
        Place::Cache(path.clone())
    );

    assert_eq!(cache.fetch(&manifest, "sub/file.bin").unwrap(), path);
    assert_eq!(server.requests(), 1);
    assert_eq!(files(folder.path()), [path]);
}

#[test]
fn a_body_without_length_serves_too() {
    let server = Server::answering(without_length(BODY));
    let folder = TempDir::new().unwrap();
    let path = Cache::at(folder.path())
        .fetch(&manifest(Some(&server.url), BODY), "sub/file.bin")
        .unwrap();
    assert_eq!(fs::read(path).unwrap(), BODY);
}

#[test]
fn a_status_other_than_success_is_named() {
    let error = failure(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    assert!(
        matches!(error, AssetError::Status { status: 404, .. }),
        "{error}"
    );
}

#[test]
fn a_body_cut_off_is_never_taken_for_whole() {
    for response in [
        with_length(BODY.len(), &BODY[..5]),
        without_length(&BODY[..5]),
    ] {
        let error = failure(response);
        assert!(
            matches!(
                error,
                AssetError::Size {
                    expected: 12,
                    found: 5,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_body_that_is_too_long_is_not_read_to_its_end() {
    let long = vec![b'x'; 50_000_000];
    let error = failure(without_length(&long));
    assert!(
        matches!(error, AssetError::Size { expected: 12, found, .. } if found > 12 && found < 1_000_000),
        "{error}"
    );
    let error = failure(with_length(long.len(), &long));
    assert!(
        matches!(
            error,
            AssetError::Size {
                expected: 12,
                found: 50_000_000,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn other_bytes_of_the_same_length_are_refused() {
    let error = failure(with_length(12, b"other  bytes"));
    match error {
        AssetError::Checksum {
            expected, found, ..
        } => {
            assert_eq!(expected, Sha256::of(BODY));
            assert_eq!(found, Sha256::of(b"other  bytes"));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_no_http_is_refused() {
    let error = failure(b"220 smtp ready\r\n\r\n".to_vec());
    assert!(matches!(error, AssetError::Connection { .. }), "{error}");
}

#[test]
fn a_refused_connection_is_named() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}/file.bin");
    let folder = TempDir::new().unwrap();
    let error = Cache::at(folder.path())
        .fetch(&manifest(Some(&url), BODY), "sub/file.bin")
        .unwrap_err();
    assert!(matches!(error, AssetError::Connection { .. }), "{error}");
    assert!(error.to_string().contains(&url), "{error}");
}

#[test]
fn many_may_fetch_one_file_at_once() {
    let body = vec![7; 1_000_000];
    let server = Server::serving(&body);
    let manifest = manifest(Some(&server.url), &body);
    let folder = TempDir::new().unwrap();
    // Each has a cache of its own over one folder, as separate processes have.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let path = Cache::at(folder.path())
                    .fetch(&manifest, "sub/file.bin")
                    .unwrap();
                assert_eq!(Sha256::of_file(&path).unwrap(), Sha256::of(&body));
            });
        }
    });
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn a_damaged_copy_in_the_cache_is_fetched_again() {
    let server = Server::serving(BODY);
    let manifest = manifest(Some(&server.url), BODY);
    let folder = TempDir::new().unwrap();
    let cache = Cache::at(folder.path());
    for damaged in [&BODY[..3], b"other  bytes"] {
        put(folder.path(), damaged);
        let path = cache.fetch(&manifest, "sub/file.bin").unwrap();
        assert_eq!(fs::read(path).unwrap(), BODY);
    }
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_mirror_is_used_in_place() {
    let server = Server::serving(BODY);
    let manifest = manifest(Some(&server.url), BODY);
    let (mirror, root) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let copy = put(mirror.path(), BODY);
    let cache = Cache::at(root.path()).with_mirror(mirror.path());
    assert_eq!(cache.fetch(&manifest, "sub/file.bin").unwrap(), copy);
    assert_eq!(
        cache.place(&manifest, "sub/file.bin").unwrap(),
        Place::Mirror(copy)
    );
    assert_eq!((server.requests(), files(root.path()).len()), (0, 0));

    // A mirror that holds something else under the name does not stand in the way of the true file.
    put(mirror.path(), b"something else");
    let path = cache.fetch(&manifest, "sub/file.bin").unwrap();
    assert!(path.starts_with(root.path()));
    assert_eq!(server.requests(), 1);
}

#[test]
fn without_an_address_the_error_says_what_to_do() {
    let manifest = manifest(None, BODY);
    let (mirror, root) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let cache = Cache::at(root.path()).with_mirror(mirror.path());
    let error = cache.fetch(&manifest, "sub/file.bin").unwrap_err();
    assert!(matches!(error, AssetError::NoSource { .. }), "{error}");
    for part in [
        "a-set/sub/file.bin",
        "TRANSLEARN_MIRROR",
        "https://example.org",
    ] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(
        cache.place(&manifest, "sub/file.bin").unwrap(),
        Place::Nowhere
    );

    let copy = put(mirror.path(), b"other  bytes");
    let error = cache.fetch(&manifest, "sub/file.bin").unwrap_err();
    assert!(matches!(error, AssetError::Checksum { .. }), "{error}");
    assert!(
        error.to_string().contains(&copy.display().to_string()),
        "{error}"
    );
}

#[test]
fn a_file_is_not_hashed_again_until_its_length_or_time_changes() {
    let manifest = manifest(None, BODY);
    let (mirror, root) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let cache = Cache::at(root.path()).with_mirror(mirror.path());
    let copy = put(mirror.path(), BODY);
    cache.fetch(&manifest, "sub/file.bin").unwrap();
    let time = fs::metadata(&copy).unwrap().modified().unwrap();

    // Other bytes under the old time: only reading the file could tell, and `verify` does.
    put(mirror.path(), b"other  bytes");
    fs::File::options()
        .write(true)
        .open(&copy)
        .unwrap()
        .set_modified(time)
        .unwrap();
    assert_eq!(cache.fetch(&manifest, "sub/file.bin").unwrap(), copy);
    let error = cache.verify(&manifest, "sub/file.bin").unwrap_err();
    assert!(matches!(error, AssetError::Checksum { .. }), "{error}");

    let later = time + std::time::Duration::from_secs(1);
    fs::File::options()
        .write(true)
        .open(&copy)
        .unwrap()
        .set_modified(later)
        .unwrap();
    let error = cache.fetch(&manifest, "sub/file.bin").unwrap_err();
    assert!(matches!(error, AssetError::Checksum { .. }), "{error}");
}

#[test]
fn verify_lists_the_copies_it_found_right() {
    let manifest = manifest(None, BODY);
    let (mirror, root) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let cache = Cache::at(root.path()).with_mirror(mirror.path());
    assert_eq!(
        cache.verify(&manifest, "sub/file.bin").unwrap(),
        Vec::<PathBuf>::new()
    );
    let copies = [put(mirror.path(), BODY), put(root.path(), BODY)];
    assert_eq!(cache.verify(&manifest, "sub/file.bin").unwrap(), copies);
}

#[test]
fn a_cache_that_cannot_be_written_says_where() {
    let server = Server::serving(BODY);
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Cache::at(file.path())
        .fetch(&manifest(Some(&server.url), BODY), "sub/file.bin")
        .unwrap_err();
    assert!(matches!(error, AssetError::Io { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains(&file.path().display().to_string()),
        "{error}"
    );
}

#[test]
fn a_manifest_changed_in_memory_cannot_lead_out_of_the_cache() {
    let mut manifest = manifest(None, BODY);
    manifest.files[0].path = "../../outside".to_owned();
    let folder = TempDir::new().unwrap();
    let error = Cache::at(folder.path())
        .fetch(&manifest, "../../outside")
        .unwrap_err();
    assert!(matches!(error, AssetError::UnsafePath { .. }), "{error}");
}
