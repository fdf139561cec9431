use tch::{Device, Kind, Tensor};
use translearn_core::seed::{self, Rng};

use super::{Augment, Augmentation};
use crate::DeepError;

fn ramp(channels: i64, height: i64, width: i64) -> Tensor {
    let n = channels * height * width;
    let values: Vec<f32> = (0..n).map(|i| (i * 37 % 101) as f32 / 101.0).collect();
    Tensor::from_slice(&values).view([channels, height, width])
}

fn everything() -> Augmentation {
    Augmentation::new(vec![
        Augment::random_resized_crop(20),
        Augment::horizontal_flip(),
        Augment::ColorJitter {
            brightness: 0.3,
            contrast: 0.3,
            saturation: 0.3,
        },
        Augment::Rotation { degrees: 30.0 },
        Augment::RandomCrop {
            size: 16,
            padding: 0,
        },
        Augment::gray_scale(),
        Augment::random_erasing(),
    ])
    .unwrap()
}

#[test]
fn the_seed_decides_and_what_comes_later_changes_nothing_before() {
    let x = ramp(3, 30, 25);
    let before = x.copy();
    let apply = |augmentation: &Augmentation, rng: &mut Rng| augmentation.apply(&x, rng).unwrap();
    let all = everything();
    let mut different = 0;
    for seed in 0..10 {
        let whole = apply(&all, &mut seed::rng(seed));
        assert_eq!(whole, apply(&all, &mut seed::rng(seed)));
        different += i32::from(whole != apply(&all, &mut seed::rng(seed + 100)));
        for kept in 0..all.steps().len() {
            let [first, rest] = [&all.steps()[..kept], &all.steps()[kept..]]
                .map(|steps| Augmentation::new(steps.to_vec()).unwrap());
            let mut rng = seed::rng(seed);
            let halfway = apply(&first, &mut rng);
            assert_eq!(rest.apply(&halfway, &mut rng).unwrap(), whole);
        }
    }
    assert_eq!(different, 10);
    assert_eq!(x, before);
}

#[test]
fn presets_give_images_of_their_size() {
    for name in Augmentation::PRESETS {
        let preset = Augmentation::preset(name, 24).unwrap();
        assert_eq!(preset.takes_any_size(), name == "imagenet");
        let x = if preset.takes_any_size() {
            ramp(3, 40, 31)
        } else {
            ramp(3, 24, 24)
        };
        for seed in 0..5 {
            let y = preset.apply(&x, &mut seed::rng(seed)).unwrap();
            assert_eq!(
                (y.size(), y.kind()),
                (vec![3, 24, 24], Kind::Float),
                "{name}"
            );
            let (low, high) = (y.min().double_value(&[]), y.max().double_value(&[]));
            assert!(low >= 0.0 && high <= 1.0 + 1e-6, "{name}: {low} {high}");
        }
    }
    let x = ramp(1, 24, 24);
    let same = Augmentation::preset("none", 24).unwrap();
    assert_eq!(same.apply(&x, &mut seed::rng(0)).unwrap(), x);
    // A digit is never mirrored.
    let digits = Augmentation::preset("digits", 28).unwrap();
    let mirrors = |step: &Augment| matches!(step, Augment::HorizontalFlip { .. });
    assert!(!digits.steps().iter().any(mirrors));
    let error = Augmentation::preset("imagnet", 24).unwrap_err().to_string();
    assert!(
        error.contains("`imagnet`") && error.contains("`imagenet`"),
        "{error}"
    );
    assert!(Augmentation::preset("cifar", 0).is_err());
}

#[test]
fn specifications_are_read_with_torchvisions_defaults() {
    let text = r#"[
        {"use": "random-resized-crop", "size": 20},
        {"use": "horizontal-flip"},
        {"use": "color-jitter", "contrast": 0.5},
        {"use": "rotation", "degrees": 5},
        {"use": "random-crop", "size": 16},
        {"use": "gray-scale"},
        {"use": "random-erasing"}
    ]"#;
    let read: Augmentation = serde_json::from_str(text).unwrap();
    let expected = [
        Augment::RandomResizedCrop {
            size: 20,
            scale: (0.08, 1.0),
            ratio: (0.75, 4.0 / 3.0),
        },
        Augment::HorizontalFlip { p: 0.5 },
        Augment::ColorJitter {
            brightness: 0.0,
            contrast: 0.5,
            saturation: 0.0,
        },
        Augment::Rotation { degrees: 5.0 },
        Augment::RandomCrop {
            size: 16,
            padding: 0,
        },
        Augment::GrayScale { p: 0.1 },
        Augment::RandomErasing {
            p: 0.5,
            scale: (0.02, 0.33),
            ratio: (0.3, 3.3),
        },
    ];
    assert_eq!(read.steps(), expected);
    let written = serde_json::to_string(&read).unwrap();
    assert_eq!(
        serde_json::from_str::<Augmentation>(&written).unwrap(),
        read
    );
    for wrong in [
        r#"[{"use": "rotation"}]"#,
        r#"[{"use": "rotation", "degrees": 5, "fill": 1}]"#,
        r#"[{"use": "rotate", "degrees": 5}]"#,
    ] {
        assert!(
            serde_json::from_str::<Augmentation>(wrong).is_err(),
            "{wrong}"
        );
    }
    // Read, but out of range: refused when used.
    let wrong: Augmentation =
        serde_json::from_str(r#"[{"use": "horizontal-flip", "p": 2}]"#).unwrap();
    assert!(wrong.check().is_err());
    assert!(wrong.apply(&ramp(1, 2, 2), &mut seed::rng(0)).is_err());
}

#[test]
fn parameters_out_of_range_are_named() {
    let crop = |size, scale, ratio| Augment::RandomResizedCrop { size, scale, ratio };
    let jitter = |brightness, contrast, saturation| Augment::ColorJitter {
        brightness,
        contrast,
        saturation,
    };
    let cases = [
        ("size", crop(0, (0.1, 1.0), (0.5, 2.0))),
        ("size", crop(8193, (0.1, 1.0), (0.5, 2.0))),
        ("scale", crop(8, (0.5, 0.1), (0.5, 2.0))),
        ("scale", crop(8, (0.5, 1.1), (0.5, 2.0))),
        ("scale", crop(8, (f64::NAN, 1.0), (0.5, 2.0))),
        ("ratio", crop(8, (0.1, 1.0), (0.0, 2.0))),
        ("ratio", crop(8, (0.1, 1.0), (0.5, f64::INFINITY))),
        (
            "padding",
            Augment::RandomCrop {
                size: 8,
                padding: -1,
            },
        ),
        ("p", Augment::HorizontalFlip { p: 1.1 }),
        ("p", Augment::GrayScale { p: f64::NAN }),
        ("brightness", jitter(-0.1, 0.0, 0.0)),
        ("contrast", jitter(0.0, f64::INFINITY, 0.0)),
        ("saturation", jitter(0.0, 0.0, -1.0)),
        ("degrees", Augment::Rotation { degrees: 181.0 }),
    ];
    for (parameter, augment) in cases {
        let error = Augmentation::new(vec![augment]).unwrap_err();
        let DeepError::InvalidParameter { name, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(name, parameter, "{augment:?}");
    }
}

#[test]
fn images_that_do_not_fit_are_refused_with_both_sides() {
    let options = (Kind::Float, Device::Cpu);
    let apply = |step: Augment, x: &Tensor| {
        let augmentation = Augmentation::new(vec![step]).unwrap();
        augmentation
            .apply(x, &mut seed::rng(0))
            .unwrap_err()
            .to_string()
    };
    let says = |text: String, words: [&str; 2]| {
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    let flip = Augment::horizontal_flip();
    says(
        apply(flip, &Tensor::zeros([2, 3, 4, 4], options)),
        ["[channels, h, w]", "[2, 3, 4, 4]"],
    );
    says(
        apply(flip, &Tensor::zeros([3, 0, 4], options)),
        ["[channels, h, w]", "[3, 0, 4]"],
    );
    says(
        apply(flip, &Tensor::zeros([3, 4, 4], (Kind::Uint8, Device::Cpu))),
        ["Float", "Uint8"],
    );
    let four = Tensor::zeros([4, 5, 5], options);
    says(
        apply(Augment::GrayScale { p: 1.0 }, &four),
        ["gray-scale", "[4, 5, 5]"],
    );
    let jitter = Augment::ColorJitter {
        brightness: 0.0,
        contrast: 1.0,
        saturation: 0.0,
    };
    says(apply(jitter, &four), ["color-jitter", "[4, 5, 5]"]);
    let crop = Augment::RandomCrop {
        size: 10,
        padding: 2,
    };
    says(apply(crop, &four), ["`size` is 10", "9x9"]);
    // Brightness and geometry do not care about channels; a pixel is an image.
    let mut rng = seed::rng(1);
    for step in [
        Augment::Rotation { degrees: 90.0 },
        Augment::random_erasing(),
        Augment::random_resized_crop(3),
    ] {
        let one = Augmentation::new(vec![step]).unwrap();
        assert!(
            one.apply(&Tensor::ones([4, 1, 1], options), &mut rng)
                .is_ok()
        );
    }
}
