//! Images: pixels in their place, sizes, broken files, and the real sets.
#![cfg(feature = "image")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

use std::fs;
use std::path::Path;

use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use ndarray::Array2;
use proptest::prelude::*;
use translearn_data::folder::FolderParams;
use translearn_data::image::{Color, ImageParams, Images, read};
use translearn_data::{DataError, RawFeatures, RawLabels, RawSample};

fn colour(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([10 * x as u8, 20 * y as u8, 7]))
}

fn matrix(sample: RawSample) -> (Array2<f64>, Option<RawLabels>) {
    match sample.features {
        RawFeatures::Matrix(x) => (x.dense().unwrap().into_owned(), sample.labels),
        other => panic!("{other:?}"),
    }
}

fn folder_with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn pixels_are_in_row_order_with_channels_side_by_side() {
    let png = encoded(&colour(3, 2), ImageFormat::Png);
    let root = folder_with(&[
        ("a/1.png", &png),
        ("b/2.PNG", &png),
        ("b/notes.txt", b"no image"),
    ]);
    let (x, labels) = matrix(
        read(
            root.path(),
            &FolderParams::default(),
            &ImageParams::default(),
        )
        .unwrap(),
    );
    assert_eq!(x.dim(), (2, 18));
    for (y, x_at) in [(0, 0), (0, 2), (1, 1)] {
        let start = (y * 3 + x_at) * 3;
        let expected = [
            10.0 * x_at as f64 / 255.0,
            20.0 * y as f64 / 255.0,
            7.0 / 255.0,
        ];
        assert_eq!(x.row(1).to_vec()[start..start + 3], expected);
    }
    assert_eq!(labels, Some(RawLabels::Names(vec!["a".into(), "b".into()])));
    let grey = ImageParams {
        color: Color::Grey,
        ..ImageParams::default()
    };
    let (x, _) = matrix(read(root.path(), &FolderParams::default(), &grey).unwrap());
    for (i, &value) in x.row(0).iter().enumerate() {
        let (r, g) = (10.0 * (i % 3) as f64, 20.0 * (i / 3) as f64);
        let luma = 0.2126 * r + 0.7152 * g + 0.0722 * 7.0;
        assert!((value * 255.0 - luma).abs() <= 1.0, "{value} for {luma}");
    }
}

#[test]
fn images_of_different_sizes_need_a_size() {
    let (small, large) = (
        encoded(&colour(3, 2), ImageFormat::Png),
        encoded(&colour(8, 8), ImageFormat::Jpeg),
    );
    // The content decides: the JPEG is named .png.
    let root = folder_with(&[("a/1.png", &small), ("a/2.png", &large)]);
    let open = || Images::open(root.path(), &FolderParams::default()).unwrap();
    let error = open()
        .read(&ImageParams::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`a/1.png` is 3 x 2") && error.contains("`a/2.png` is 8 x 8"),
        "{error}"
    );
    let sized = ImageParams {
        size: Some((4, 5)),
        color: Color::Grey,
        ..ImageParams::default()
    };
    let (x, _) = matrix(open().read(&sized).unwrap());
    assert_eq!(x.dim(), (2, 20));
    let item = open().get(0, &sized).unwrap();
    assert_eq!(
        (item.width, item.height, item.channels, item.pixels.len()),
        (4, 5, 1, 20)
    );
    for size in [(0, 5), (5, 1_000_000)] {
        let error = open()
            .get(
                0,
                &ImageParams {
                    size: Some(size),
                    ..sized
                },
            )
            .unwrap_err();
        assert!(matches!(error, DataError::InvalidOption { .. }), "{error}");
    }
}

#[test]
fn resizing_an_even_image_keeps_it_even() {
    let even = GrayImage::from_pixel(9, 7, Luma([93]));
    let root = tempfile::tempdir().unwrap();
    even.save(root.path().join("even.png")).unwrap();
    let images = Images::open(root.path(), &FolderParams::default()).unwrap();
    for size in [(3, 3), (20, 1), (9, 8)] {
        let params = ImageParams {
            color: Color::Grey,
            size: Some(size),
            ..ImageParams::default()
        };
        let item = images.get(0, &params).unwrap();
        assert!(
            item.pixels.iter().all(|&p| p == 93),
            "{size:?}: {:?}",
            item.pixels
        );
        assert_eq!(item.label, None);
    }
}

#[test]
fn large_images_are_shrunk_to_the_shorter_side_and_small_ones_stay() {
    // Rows of pixels of one brightness each, so that shrinking by two takes the mean of neighbours in the middle.
    let striped = |width, height| GrayImage::from_fn(width, height, |_, y| Luma([(4 * y) as u8]));
    let root = tempfile::tempdir().unwrap();
    for (name, width, height) in [("tall", 20, 50), ("small", 10, 50), ("wide", 33, 20)] {
        let path = root.path().join(format!("{name}.png"));
        striped(width, height).save(path).unwrap();
    }
    let images = Images::open(root.path(), &FolderParams::default()).unwrap();
    let params = ImageParams {
        color: Color::Grey,
        shorter_side: Some(10),
        ..ImageParams::default()
    };
    let sizes: Vec<_> = images
        .iter(&params)
        .map(|item| item.map(|item| (item.name, item.width, item.height)))
        .collect::<Result<_, _>>()
        .unwrap();
    let expected = [("small", 10, 50), ("tall", 10, 25), ("wide", 17, 10)]
        .map(|(name, width, height)| (format!("{name}.png"), width, height));
    assert_eq!(sizes, expected);
    let tall = images.get(1, &params).unwrap();
    for y in 2..23_u32 {
        // Rows 2y and 2y + 1 have brightness 8y and 8y + 4; the triangle filter is symmetric about their middle.
        let value = tall.pixels[(y * 10) as usize];
        assert!(value.abs_diff((8 * y + 2) as u8) <= 1, "{value} in {y}");
    }
    for params in [
        ImageParams {
            shorter_side: Some(0),
            ..params
        },
        ImageParams {
            size: Some((3, 3)),
            ..params
        },
    ] {
        let error = images.get(0, &params).unwrap_err();
        assert!(matches!(error, DataError::InvalidOption { .. }), "{error}");
    }
}

#[test]
fn a_look_at_the_ends_of_a_file_finds_what_is_broken() {
    let png = encoded(&colour(12, 12), ImageFormat::Png);
    let jpeg = encoded(&colour(12, 12), ImageFormat::Jpeg);
    let files: [(&str, &[u8]); 6] = [
        ("1.png", &png),
        ("2.jpg", &jpeg),
        ("3.png", &png[..png.len() - 14]),
        ("4.jpg", &jpeg[..jpeg.len() - 4]),
        ("5.png", b"no image"),
        ("6.png", &png[..12]),
    ];
    let root = folder_with(&files);
    let images = Images::open(root.path(), &FolderParams::default()).unwrap();
    for index in 0..files.len() {
        let (checked, decoded) = (
            images.check(index),
            images.get(index, &ImageParams::default()),
        );
        assert_eq!(checked.is_ok(), index < 2, "{checked:?}");
        assert_eq!(checked.is_ok(), decoded.is_ok());
        if let Err(error) = checked {
            assert!(matches!(error, DataError::Decode { .. }), "{error}");
            assert!(error.to_string().contains(files[index].0), "{error}");
        }
    }
}

#[test]
fn a_broken_image_is_named_and_the_others_still_come() {
    let png = encoded(&colour(12, 12), ImageFormat::Png);
    let jpeg = encoded(&colour(12, 12), ImageFormat::Jpeg);
    let root = folder_with(&[
        ("a/1.png", &png),
        ("a/2.png", &png[..png.len() / 2]),
        ("a/3.jpg", &jpeg[..20]),
        ("a/4.jpg", b"GIF89a"),
        ("a/5.jpg", b""),
        ("a/6.jpg", &jpeg[..jpeg.len() - 12]),
        ("a/7.jpg", &jpeg),
    ]);
    let images = Images::open(root.path(), &FolderParams::default()).unwrap();
    let outcomes: Vec<_> = images.iter(&ImageParams::default()).collect();
    for (i, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Ok(item) => assert!([0, 6].contains(&i), "{}", item.name),
            Err(DataError::Decode { path, .. }) => {
                assert!((1..6).contains(&i));
                assert!(path.ends_with(format!(
                    "a/{}.{}",
                    i + 1,
                    if i == 1 { "png" } else { "jpg" }
                )));
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(images.read(&ImageParams::default()).is_err());
}

#[test]
fn a_header_that_promises_a_huge_image_is_refused() {
    let mut png = encoded(&colour(2, 2), ImageFormat::Png);
    // Width and height of the IHDR chunk, and its checksum.
    png[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    let mut crc = flate2::Crc::new();
    crc.update(&png[12..29]);
    png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    let root = folder_with(&[("a/1.png", &png)]);
    let images = Images::open(root.path(), &FolderParams::default()).unwrap();
    assert!(matches!(
        images.get(0, &ImageParams::default()),
        Err(DataError::Decode { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn damaged_bytes_never_panic(at in 0_usize..400, value: u8, is_png: bool) {
        let format = if is_png { ImageFormat::Png } else { ImageFormat::Jpeg };
        let mut bytes = encoded(&colour(5, 4), format);
        let at = at % bytes.len();
        bytes[at] = value;
        let root = folder_with(&[("a/1.png", &bytes)]);
        let images = Images::open(root.path(), &FolderParams::default()).unwrap();
        match images.get(0, &ImageParams::default()) {
            Ok(item) => prop_assert_eq!(item.pixels.len(), (item.width * item.height * 3) as usize),
            Err(error) => prop_assert!(matches!(error, DataError::Decode { .. }), "another kind of error"),
        }
    }
}

#[test]
fn real_sets_have_their_shape() {
    let Some(mirror) = std::env::var_os("TRANSLEARN_MIRROR") else {
        eprintln!(
            "skipped: TRANSLEARN_MIRROR is not set, so hymenoptera, cifar10-jpeg and omniglot are not read"
        );
        return;
    };
    let mirror = Path::new(&mirror);
    let counted = |labels: Option<RawLabels>, name: &str| match labels {
        Some(RawLabels::Names(names)) => names.iter().filter(|n| *n == name).count(),
        other => panic!("{other:?}"),
    };
    let tiny = ImageParams {
        color: Color::Grey,
        size: Some((8, 8)),
        ..ImageParams::default()
    };
    for (part, rows, ants) in [("train", 244, 123), ("val", 153, 70)] {
        let sample = read(
            &mirror.join("hymenoptera"),
            &FolderParams::under(part),
            &tiny,
        )
        .unwrap();
        let (x, labels) = matrix(sample);
        assert_eq!(x.dim(), (rows, 64));
        assert!(x.iter().all(|v| (0.0..=1.0).contains(v)));
        assert_eq!(counted(labels, "ants"), ants);
    }
    let cifar = mirror.join("cifar10-jpeg/cifar10-jpeg-test.tar.gz");
    let (x, labels) = matrix(
        read(
            &cifar,
            &FolderParams::under("test"),
            &ImageParams { size: None, ..tiny },
        )
        .unwrap(),
    );
    assert_eq!(x.dim(), (10_000, 1024));
    assert_eq!(counted(labels, "airplane"), 1000);
    let omniglot = mirror.join("omniglot/images_background_small1.zip");
    let images = Images::open(&omniglot, &FolderParams::under("images_background_small1")).unwrap();
    assert_eq!(images.len(), 2720);
    let item = images.get(0, &ImageParams { size: None, ..tiny }).unwrap();
    assert_eq!(
        (item.width, item.height, item.label.as_deref()),
        (105, 105, Some("Balinese/character01"))
    );
    // One bit a pixel: paper and ink, and much more paper.
    assert!(item.pixels.iter().all(|&p| p == 0 || p == 255));
    assert!(item.pixels.iter().filter(|&&p| p == 255).count() > 9000);
    assert_eq!(counted(images.labels().unwrap(), "Latin/character26"), 20);
}
