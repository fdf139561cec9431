//! Both formats, their dialects, and what breaks them.

use super::*;
use std::io::Write;

fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn text(content: &str) -> Result<WordVectors, DataError> {
    let (_folder, path) = file("w.txt", content.as_bytes());
    WordVectors::read_text(&path)
}

fn binary(content: &[u8]) -> Result<WordVectors, DataError> {
    let (_folder, path) = file("w.bin", content);
    WordVectors::read_word2vec(&path)
}

/// `cat` and `dog` in three dimensions, with `end` after each record.
fn record_bytes(head: &str, end: &[u8]) -> Vec<u8> {
    let mut bytes = head.as_bytes().to_vec();
    for (word, vector) in [("cat", [1_f32, 0.0, 0.5]), ("dog", [1.0, 0.25, -0.5])] {
        bytes.extend_from_slice(word.as_bytes());
        bytes.push(b' ');
        bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend_from_slice(end);
    }
    bytes
}

#[test]
fn all_dialects_read_the_same() {
    let want = text("2 3\ncat 1 0 0.5\ndog 1 0.25 -0.5\n").unwrap();
    assert_eq!(want.words(), ["cat", "dog"]);
    assert_eq!(
        want.vectors(),
        ndarray::array![[1.0, 0.0, 0.5], [1.0, 0.25, -0.5]]
    );
    for same in [
        "cat 1 0 0.5\ndog 1 0.25 -0.5",
        "2 3\r\ncat 1.0 0 5e-1 \r\ndog 1 0.25 -0.5 \r\n",
    ] {
        assert_eq!(text(same).unwrap(), want);
    }
    assert_eq!(binary(&record_bytes("2 3\n", b"\n")).unwrap(), want);
    assert_eq!(binary(&record_bytes("2 3\n", b"")).unwrap(), want);

    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(b"cat 1 0 0.5\ndog 1 0.25 -0.5\n").unwrap();
    let (_folder, path) = file("w.txt.gz", &gz.finish().unwrap());
    assert_eq!(WordVectors::read_text(&path).unwrap(), want);
}

#[test]
fn a_word_may_hold_spaces_and_come_twice() {
    let vectors = text("a 1 2\n. . . 3 4\na 5 6\n").unwrap();
    assert_eq!(vectors.words(), ["a", ". . ."]);
    assert_eq!(vectors.get("a").unwrap(), ndarray::array![1.0, 2.0]);
    assert_eq!(vectors.get(". . .").unwrap(), ndarray::array![3.0, 4.0]);
}

#[test]
fn text_that_breaks_the_format_is_refused_by_line() {
    for (content, parts) in [
        ("3 2\na 1 2\nb 1 2\n", ["3 words", "2 whole ones"]),
        ("1 2\na 1 2\nb 1 2\n", ["1 words", "2 whole ones"]),
        ("2 2\na 1 2\nb 1\n", ["line 3", "2 numbers"]),
        ("a 1 2\nb 1 x\n", ["line 2", "`x`"]),
        ("a 1 2\nb 1 nan\n", ["line 2", "NaN"]),
        ("a\nb\n", ["line 1", "0 numbers"]),
        ("1 0\na\n", ["line 2", "1 numbers"]),
        ("1 99999999999\na 1 2\n", ["line 2", "99999999999 numbers"]),
        ("", ["no words", "word vectors"]),
    ] {
        let error = text(content).unwrap_err().to_string();
        assert!(
            parts.iter().all(|part| error.contains(part)),
            "{content:?}: {error}"
        );
    }
}

#[test]
fn every_truncation_of_a_binary_file_is_refused() {
    let whole = record_bytes("2 3\n", b"\n");
    // Without its last byte the file is whole in the other dialect.
    for length in 0..whole.len() - 1 {
        let error = binary(&whole[..length]).unwrap_err();
        assert!(
            matches!(error, DataError::Malformed { .. }),
            "{length}: {error}"
        );
    }
    let error = binary(&record_bytes("9 3\n", b"")).unwrap_err().to_string();
    assert!(
        error.contains("9 words") && error.contains("2 whole ones"),
        "{error}"
    );
}

#[test]
fn binary_files_that_are_none_are_refused() {
    let nan = [b"1 1\na ".as_slice(), &f32::NAN.to_le_bytes()].concat();
    let long = [b"1 1\n".as_slice(), &[b'x'; 70_000]].concat();
    for (bytes, part) in [
        (record_bytes("1 3\n", b"\n"), "more bytes"),
        (
            record_bytes("2 99999999999999999999\n", b""),
            "`words dimension`",
        ),
        (record_bytes("2 4611686018427387905\n", b""), "0 whole ones"),
        (record_bytes("hello\n", b""), "`words dimension`"),
        (b"1 0\na ".to_vec(), "`words dimension`"),
        (nan, "NaN in the vector of `a`"),
        (long, "a longer one"),
    ] {
        let error = binary(&bytes).unwrap_err();
        assert!(matches!(error, DataError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = binary(&[&FASTTEXT_MAGIC[..], &[12, 0, 0, 0]].concat()).unwrap_err();
    assert!(matches!(error, DataError::Unsupported { .. }), "{error}");
}

proptest::proptest! {
    #[test]
    fn what_is_written_is_read(
        values in proptest::collection::vec(proptest::array::uniform3(-1e6_f32..1e6), 1..20),
        header: bool,
        newline: bool,
    ) {
        let mut lines = if header { format!("{} 3\n", values.len()) } else { String::new() };
        let mut bytes = format!("{} 3\n", values.len()).into_bytes();
        for (row, vector) in values.iter().enumerate() {
            lines += &format!("w{row} {} {} {}\n", vector[0], vector[1], vector[2]);
            bytes.extend(format!("w{row} ").into_bytes());
            bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
            bytes.extend(if newline { b"\n".as_slice() } else { b"" });
        }
        let read = text(&lines).unwrap();
        proptest::prop_assert_eq!(read.vectors().iter().copied().collect::<Vec<_>>(), values.concat());
        proptest::prop_assert_eq!(binary(&bytes).unwrap(), read);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, dimension in 0_usize..4) {
        let _ = binary(&bytes);
        let head = format!("2 {dimension}\n").into_bytes();
        let _ = binary(&[head, bytes.clone()].concat());
        let _ = text(&String::from_utf8_lossy(&bytes));
    }
}
