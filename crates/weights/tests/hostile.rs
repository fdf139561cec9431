//! Pickles that want to run code, take all memory or lead the reader astray; cuts and flipped bytes. Each ends in a typed
//! error or in tensors of the size they claim.
#![expect(
    clippy::unwrap_used,
    reason = "a test, whose helpers clippy does not know as such"
)]

use std::path::Path;

use proptest::prelude::*;
use translearn_weights::{StateDict, WeightsError};

const MAGIC: &[u8] =
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";

/// A legacy file whose object is this pickle, without storages.
fn legacy(pickle: &[u8]) -> Vec<u8> {
    [MAGIC, b"\x80\x02", pickle, b"\x80\x02]."].concat()
}

fn error(pickle: &[u8]) -> WeightsError {
    StateDict::from_bytes(&legacy(pickle), "evil.th").unwrap_err()
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name),
    )
    .unwrap()
}

#[test]
fn pickles_that_would_run_code_are_refused_by_name() {
    for (pickle, global) in [
        (&b"cos\nsystem\nX\x02\x00\x00\x00ls\x85R."[..], "os.system"),
        (b"cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.", "posix.system"),
        (
            b"\x8c\x08builtins\x8c\x04eval\x93X\x02\x00\x00\x0011\x85R.",
            "builtins.eval",
        ),
        (
            b"c__builtin__\nexec\nX\x01\x00\x00\x001\x85R.",
            "__builtin__.exec",
        ),
        (b"}(X\x01\x00\x00\x00ac\ntorch\nload\nu.", ".torch"),
        (
            b"}(X\x01\x00\x00\x00actorch.hub\nload\nu.",
            "torch.hub.load",
        ),
        (
            b"ctorch.nn.modules.linear\nLinear\n)\x81}b.",
            "torch.nn.modules.linear.Linear",
        ),
        (b"c__torch__\nModule\n)\x81}b.", "__torch__.Module"),
        (b"cos\n\x1b[31msystem\n.", "os.\\u{1b}[31msystem"),
    ] {
        match error(pickle) {
            WeightsError::Refused {
                global: found,
                path,
            } => {
                assert_eq!(found, global);
                assert_eq!(path, Path::new("evil.th"));
            }
            other => panic!("{global}: {other}"),
        }
    }
}

#[test]
fn what_breaks_the_machine_says_where() {
    for (pickle, part) in [
        (&b"."[..], "a value on the stack"),
        (b"NN.", "one value at the end"),
        (b"(N.", "one value at the end"),
        (b"t.", "a mark on the stack"),
        (b"((0N\x85.", "one value at the end"),
        (b"(N\x86.", "2 values on the stack"),
        (b"h\x00.", "number 0"),
        (b"j\xff\xff\xff\xff.", "number 4294967295"),
        (b"q\x00.", "a value on the stack"),
        (b"Na.", "a value on the stack"),
        (b"NNa.", "a list to append to"),
        (b"NNNs.", "a dictionary to set in"),
        (b"}(NNNu.", "as many keys as values"),
        (b"NNR.", "a class or function that is known"),
        (b"ccollections\nOrderedDict\nNR.", "a tuple of arguments"),
        (
            b"ccollections\nOrderedDict\nK\x01\x85R.",
            "what a dictionary begins with",
        ),
        (b"NQ.", "a storage: its type, name, device and length"),
        (b")Q.", "found 0 parts"),
        (b"Pabc\n.", "the parts of a storage"),
        (b"ctorch\nFloatStorage\n)R.", "a storage as a persistent id"),
        (
            b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
            "storage, offset, size and stride",
        ),
        (b"NN\x93.", "module and name of a global"),
        (b"Iabc\n.", "an integer of 64 bits"),
        (b"X\x02\x00\x00\x00\xff\xff.", "text in UTF-8"),
        (b"\x80\x01.", "protocol 2 to 5"),
        (b"\x97.", "0x97"),
        (b"i.", "0x69"),
    ] {
        let error = error(pickle);
        assert!(matches!(error, WeightsError::Malformed { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(part) && text.contains("byte "),
            "{text} does not say {part}"
        );
    }
}

/// `_rebuild_tensor_v2` of a storage of `len` floats named `0`.
fn tensor(len: &[u8], offset: &[u8], shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let storage = [
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu",
        len,
        b"tQ",
    ]
    .concat();
    [
        &b"ctorch._utils\n_rebuild_tensor_v2\n("[..],
        &storage,
        offset,
        shape,
        strides,
        b"\x89N",
        b"tR",
    ]
    .concat()
}

/// A legacy file of one tensor over a storage of as many floats as `data` has.
fn file(object: &[u8], len: u64, data: &[u8]) -> Vec<u8> {
    let keys = b"\x80\x02](X\x01\x00\x00\x000e.";
    [
        MAGIC,
        b"\x80\x02",
        object,
        b".",
        keys,
        &len.to_le_bytes(),
        data,
    ]
    .concat()
}

#[test]
fn views_must_lie_within_what_the_file_has() {
    let data = [1.0_f32, 2.0].map(f32::to_le_bytes).concat();
    let read = |object: Vec<u8>, len: u64| StateDict::from_bytes(&file(&object, len, &data), "x");
    let big = b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
    let good = read(tensor(b"K\x02", b"K\x00", b"K\x02\x85", b"K\x01\x85"), 2).unwrap();
    assert_eq!(good.tensor("tensor").unwrap().to_f32().unwrap(), [1.0, 2.0]);
    let empty = read(tensor(b"K\x02", big, b"K\x00\x85", b"K\x01\x85"), 2).unwrap();
    assert!(empty.tensor("tensor").unwrap().is_empty());

    for (object, len, part) in [
        (
            tensor(b"K\x02", b"K\x01", b"K\x02\x85", b"K\x01\x85"),
            2,
            "within the 2 float32 of storage 0",
        ),
        (
            tensor(b"K\x02", big, b"K\x02\x85", b"K\x01\x85"),
            2,
            "within the 2 float32",
        ),
        (
            tensor(
                b"K\x02",
                b"K\x00",
                &[big, &b"\x85"[..]].concat(),
                b"K\x01\x85",
            ),
            2,
            "within the 2 float32",
        ),
        (
            tensor(
                b"K\x02",
                b"K\x00",
                b"K\x02\x85",
                &[big, &b"\x85"[..]].concat(),
            ),
            2,
            "within the 2 float32",
        ),
        (
            tensor(b"K\x02", b"J\xff\xff\xff\xff", b"K\x02\x85", b"K\x01\x85"),
            2,
            "negative",
        ),
        (
            tensor(b"K\x02", b"K\x00", b"J\xff\xff\xff\xff\x85", b"K\x01\x85"),
            2,
            "negative",
        ),
        (
            tensor(b"K\x02", b"K\x00", b"K\x02\x85", b")"),
            2,
            "as many strides as axes",
        ),
        (
            tensor(b"K\x02", b"K\x00", b"N", b")"),
            2,
            "numbers that are",
        ),
        (
            tensor(b"K\x02", b"K\x00", b"K\x02\x85", b"K\x01\x85"),
            3,
            "expected 2 float32, found 3",
        ),
        // More than the file has, and far more than memory has.
        (
            tensor(b"K\x03", b"K\x00", b"K\x03\x85", b"K\x01\x85"),
            3,
            "bytes to the end of the file",
        ),
        (
            tensor(big, b"K\x00", b"K\x02\x85", b"K\x01\x85"),
            2,
            "within the",
        ),
        (
            tensor(b"J\xff\xff\xff\x7f", b"K\x00", b"K\x02\x85", b"K\x01\x85"),
            2,
            "bytes to the end of the file",
        ),
    ] {
        let error = read(object, len).unwrap_err();
        assert!(matches!(error, WeightsError::Malformed { .. }), "{error}");
        assert!(
            error.to_string().contains(part),
            "{error} does not say {part}"
        );
    }

    // One number, shown 2^62 times by strides of 0.
    let shape = [&b"(J\x00\x00\x00\x40J\x00\x00\x00\x40K\x04t"[..]].concat();
    let error = read(tensor(b"K\x02", b"K\x00", &shape, b"(K\x00K\x00K\x00t"), 2).unwrap_err();
    assert!(matches!(error, WeightsError::TooLarge { .. }), "{error}");
    // Torch has at most 64 axes.
    let many = [&b"("[..], &b"K\x01".repeat(65), b"t"].concat();
    let error = read(tensor(b"K\x02", b"K\x00", &many, &many), 2).unwrap_err();
    assert!(error.to_string().contains("at most 64"), "{error}");
}

#[test]
fn depth_circles_and_bombs_cost_nothing() {
    // A million dictionaries within each other, around a tensor and around nothing.
    let around = |core: &[u8]| {
        [
            &b"}K\x00".repeat(1_000_000)[..],
            core,
            &b"s".repeat(1_000_000),
            b".",
        ]
        .concat()
    };
    assert!(matches!(
        error(&around(b"N")),
        WeightsError::NoTensors { .. }
    ));
    let core = tensor(b"K\x00", b"K\x00", b"K\x00\x85", b"K\x01\x85");
    let text = error(&around(&core)).to_string();
    assert!(
        text.contains("at most 32 dictionaries within each other"),
        "{text}"
    );

    // A list that holds itself and a tensor.
    let circle = [&b"]q\x00(h\x00"[..], &core, b"e."].concat();
    let text = error(&circle).to_string();
    assert!(text.contains("at most 32 dictionaries"), "{text}");

    // 2^30 paths to one tensor: lists that hold the one before twice.
    let mut bomb = [b"]", &core[..], b"a"].concat();
    for _ in 0..30 {
        bomb.extend(b"q\x00]h\x00ah\x00a");
        // Only the new list stays on the stack.
        bomb.extend(b"q\x0000h\x00");
    }
    bomb.push(b'.');
    let error = error(&bomb);
    assert!(matches!(error, WeightsError::TooLarge { .. }), "{error}");
}

#[test]
fn lengths_beyond_the_end_reserve_nothing() {
    for pickle in [
        &b"X\xff\xff\xff\x7f"[..],
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x8b\xff\xff\xff\x7f",
        b"\x96\xff\xff\xff\xff\xff\xff\xff\xff",
        b"B\xff\xff\xff\xff",
    ] {
        assert!(matches!(
            error(pickle),
            WeightsError::TooLarge { .. } | WeightsError::Malformed { .. }
        ));
    }
    // Values without end: refused by their number.
    let many = b"N".repeat(5_000_000);
    let error = error(&many);
    assert!(matches!(error, WeightsError::TooLarge { .. }), "{error}");
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    for name in [
        "lone.pt",
        "list.pt",
        "views.th",
        "views.safetensors",
        "varstore.ot",
    ] {
        let whole = fixture(name);
        for n in 0..whole.len() {
            match StateDict::from_bytes(&whole[..n], name) {
                Err(error) => assert!(!error.to_string().is_empty()),
                Ok(dict) => panic!(
                    "{name}: {} tensors in {n} of {} bytes",
                    dict.len(),
                    whole.len()
                ),
            }
        }
    }
}

/// HDF5 keeps free space, so that some cuts lose nothing.
#[test]
fn an_hdf5_file_cut_anywhere_is_an_error_or_whole() {
    let whole = fixture("keras2.h5");
    let all = StateDict::from_bytes(&whole, "x").unwrap();
    for n in (0..whole.len()).step_by(61) {
        if let Ok(dict) = StateDict::from_bytes(&whole[..n], "x") {
            assert!(dict.iter().eq(all.iter()), "{n} of {} bytes", whole.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn flipped_bytes_do_no_harm(
        file in prop::sample::select(vec![
            "views.pt", "views_protocol4.pt", "views.th", "checkpoint.th", "scripted.pt", "varstore.ot",
            "views.safetensors", "keras2.h5", "keras3.h5", "plain.h5",
        ]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = fixture(file);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        match StateDict::from_bytes(&bytes, file) {
            Ok(dict) => for (_, tensor) in dict.iter() {
                prop_assert_eq!(tensor.data().len(), tensor.len() * tensor.dtype().size());
            },
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
