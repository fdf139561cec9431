use std::collections::BTreeMap;

use serde_json::Value;
use translearn_core::seed;

use super::super::edit::{Adjustment, Edit, Window};
use super::Augment;

fn window(top: i64, left: i64, height: i64, width: i64) -> Window {
    Window {
        top,
        left,
        height,
        width,
    }
}

fn draws(augment: Augment, size: [i64; 2], n: usize) -> Vec<Edit> {
    let mut rng = seed::rng(11);
    augment.check().unwrap();
    (0..n)
        .map(|_| augment.draw(size, &mut rng).unwrap())
        .collect()
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}

fn window_of(edit: &Edit) -> Window {
    match edit {
        Edit::ResizedCrop { window, .. } | Edit::Erase(window) => *window,
        Edit::Keep => window(0, 0, 0, 0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn windows_are_drawn_as_torchvision_draws_them() {
    let text = include_str!("../../../tests/fixtures/augment_torchvision.json");
    let records: Value = serde_json::from_str(text).unwrap();
    let [height, width] = [60, 80];
    let tall = Augment::RandomErasing {
        p: 1.0,
        scale: (0.1, 0.9),
        ratio: (1.0, 4.0),
    };
    let Augment::RandomErasing { scale, ratio, .. } = Augment::random_erasing() else {
        panic!("another augmentation");
    };
    let cases = [
        ("random-resized-crop", Augment::random_resized_crop(32)),
        (
            "random-erasing",
            Augment::RandomErasing {
                p: 1.0,
                scale,
                ratio,
            },
        ),
        ("random-erasing, tall", tall),
    ];
    assert_eq!(records["draws"].as_object().unwrap().len(), cases.len());
    for (name, augment) in cases {
        let record = &records["draws"][name];
        let theirs = record["n"].as_f64().unwrap();
        let n = 50_000;
        let windows: Vec<Window> = draws(augment, [height, width], n)
            .iter()
            .map(window_of)
            .collect();
        for w in &windows {
            let fits = w.top >= 0
                && w.left >= 0
                && w.top + w.height <= height
                && w.left + w.width <= width;
            assert!(fits, "{name}: {w:?}");
        }
        let columns: [fn(&Window) -> i64; 4] = [|w| w.top, |w| w.left, |w| w.height, |w| w.width];
        for (i, column) in columns.into_iter().enumerate() {
            let values: Vec<f64> = windows.iter().map(|w| column(w) as f64).collect();
            let (mean, deviation) = mean_and_deviation(&values);
            let expected = record["mean"][i].as_f64().unwrap();
            let spread = record["std"][i].as_f64().unwrap();
            let sigma = spread * (1.0 / n as f64 + 1.0 / theirs).sqrt();
            assert!(
                (mean - expected).abs() < 4.0 * sigma,
                "{name} {i}: {mean} for {expected}"
            );
            assert!(
                (deviation / spread - 1.0).abs() < 0.02,
                "{name} {i}: {deviation} for {spread}"
            );
        }
    }
}

#[test]
fn where_nothing_is_rejected_areas_and_ratios_are_uniform() {
    // At most √(0.5 · 1.9) of a side, so every attempt fits; so large that rounding does not matter.
    let side = 1_000_000;
    let augment = Augment::RandomResizedCrop {
        size: 8,
        scale: (0.1, 0.5),
        ratio: (0.6, 1.9),
    };
    let windows: Vec<Window> = draws(augment, [side, side], 40_000)
        .iter()
        .map(window_of)
        .collect();
    let area = (side * side) as f64;
    let (least, most) = (f64::ln(0.6), f64::ln(1.9));
    let uniform: [Vec<f64>; 4] = [
        windows
            .iter()
            .map(|w| ((w.height * w.width) as f64 / area - 0.1) / 0.4)
            .collect(),
        windows
            .iter()
            .map(|w| ((w.width as f64 / w.height as f64).ln() - least) / (most - least))
            .collect(),
        windows
            .iter()
            .map(|w| w.top as f64 / (side - w.height) as f64)
            .collect(),
        windows
            .iter()
            .map(|w| w.left as f64 / (side - w.width) as f64)
            .collect(),
    ];
    for values in uniform {
        let mut counts = [0.0; 10];
        for value in values {
            assert!((-1e-5..1.0 + 1e-5).contains(&value), "{value}");
            counts[((10.0 * value) as usize).min(9)] += 1.0;
        }
        let chi: f64 = counts.iter().map(|c: &f64| (c - 4e3).powi(2) / 4e3).sum();
        assert!(chi < 27.88, "{counts:?}"); // 0.999 quantile, 9 degrees of freedom
    }
}

#[test]
fn where_no_attempt_fits_the_largest_in_the_middle_is_taken() {
    let crop = |[height, width]: [i64; 2], scale| {
        let augment = Augment::RandomResizedCrop {
            size: 8,
            scale,
            ratio: (0.75, 4.0 / 3.0),
        };
        window_of(&draws(augment, [height, width], 1)[0])
    };
    let usual = (0.08, 1.0);
    assert_eq!(crop([1000, 10], usual), window(493, 0, 13, 10));
    assert_eq!(crop([10, 1000], usual), window(0, 493, 10, 13));
    // Of no area; the whole has a ratio within the range.
    assert_eq!(crop([9, 8], (0.0, 0.0)), window(0, 0, 9, 8));
    // A window has a pixel at least.
    let flat = Augment::RandomResizedCrop {
        size: 8,
        scale: usual,
        ratio: (9.0, 9.0),
    };
    assert_eq!(window_of(&draws(flat, [10, 1], 1)[0]), window(4, 0, 1, 1));
}

#[test]
fn crops_take_every_place_equally_often() {
    let augment = Augment::RandomCrop {
        size: 5,
        padding: 1,
    };
    let mut counts = BTreeMap::new();
    for edit in draws(augment, [4, 5], 20_000) {
        let Edit::PaddedCrop {
            padding: 1,
            window: w,
        } = edit
        else {
            panic!("{edit:?}");
        };
        assert_eq!((w.height, w.width), (5, 5));
        *counts.entry((w.top, w.left)).or_insert(0.0) += 1.0;
    }
    // From 6 rows and 7 columns: 2 x 3 places.
    let all: Vec<_> = counts.keys().copied().collect();
    assert_eq!(all, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    let expected = 20_000.0 / 6.0;
    let chi: f64 = counts
        .values()
        .map(|c: &f64| (c - expected).powi(2) / expected)
        .sum();
    assert!(chi < 20.52, "{counts:?}"); // 0.999 quantile, 5 degrees of freedom
}

#[test]
fn chances_are_kept() {
    let erasing = |p| Augment::RandomErasing {
        p,
        scale: (0.02, 0.33),
        ratio: (0.3, 3.3),
    };
    let chances = [
        (Augment::HorizontalFlip { p: 0.3 }, 0.3),
        (Augment::horizontal_flip(), 0.5),
        (Augment::gray_scale(), 0.1),
        (Augment::GrayScale { p: 1.0 }, 1.0),
        (Augment::HorizontalFlip { p: 0.0 }, 0.0),
        (erasing(0.2), 0.2),
    ];
    let n = 20_000;
    for (augment, p) in chances {
        // So large that a window always fits.
        let done = draws(augment, [500, 500], n)
            .iter()
            .filter(|edit| **edit != Edit::Keep)
            .count() as f64;
        let sigma = (n as f64 * p * (1.0 - p)).sqrt();
        assert!(
            (done - n as f64 * p).abs() <= 4.0 * sigma,
            "{augment:?}: {done}"
        );
    }
}

#[test]
fn colours_are_changed_in_any_order_by_factors_around_one() {
    let jitter = Augment::ColorJitter {
        brightness: 0.4,
        contrast: 2.0,
        saturation: 0.1,
    };
    let n = 30_000;
    let mut orders = BTreeMap::new();
    let mut factors: BTreeMap<Adjustment, Vec<f64>> = BTreeMap::new();
    for edit in draws(jitter, [4, 4], n) {
        let Edit::Adjust(all) = edit else {
            panic!("{edit:?}");
        };
        let order: Vec<Adjustment> = all.iter().map(|&(what, _)| what).collect();
        *orders.entry(order).or_insert(0.0) += 1.0;
        for (what, factor) in all {
            factors.entry(what).or_default().push(factor);
        }
    }
    assert_eq!(orders.len(), 6);
    let chi: f64 = orders.values().map(|c: &f64| (c - 5e3).powi(2) / 5e3).sum();
    assert!(chi < 20.52, "{orders:?}"); // 0.999 quantile, 5 degrees of freedom
    let bounds = [
        (Adjustment::Brightness, 0.6, 1.4),
        (Adjustment::Contrast, 0.0, 3.0),
        (Adjustment::Saturation, 0.9, 1.1),
    ];
    for (what, low, high) in bounds {
        let values = &factors[&what];
        assert_eq!(values.len(), n);
        uniform(values, low, high);
    }
    // What is not to be changed is left out.
    let only = Augment::ColorJitter {
        brightness: 0.0,
        contrast: 0.5,
        saturation: 0.0,
    };
    for edit in draws(only, [4, 4], 20) {
        assert!(
            matches!(&edit, Edit::Adjust(all) if matches!(all[..], [(Adjustment::Contrast, _)]))
        );
    }
}

#[test]
fn angles_are_uniform() {
    let angles: Vec<f64> = draws(Augment::Rotation { degrees: 25.0 }, [4, 4], 20_000)
        .into_iter()
        .map(|edit| match edit {
            Edit::Rotate { degrees } => degrees,
            other => panic!("{other:?}"),
        })
        .collect();
    uniform(&angles, -25.0, 25.0);
}

/// Mean and variance within four deviations of those of the uniform distribution, and every value within the bounds.
fn uniform(values: &[f64], low: f64, high: f64) {
    assert!(values.iter().all(|x| (low..=high).contains(x)));
    let unit: Vec<f64> = values.iter().map(|x| (x - low) / (high - low)).collect();
    let n = values.len() as f64;
    let mean = unit.iter().sum::<f64>() / n;
    assert!((mean - 0.5).abs() < 4.0 * (1.0 / 12.0 / n).sqrt(), "{mean}");
    let square = unit.iter().map(|x| (x - 0.5).powi(2)).sum::<f64>() / n;
    let deviation = ((1.0 / 80.0 - 1.0 / 144.0) / n).sqrt();
    assert!((square - 1.0 / 12.0).abs() < 4.0 * deviation, "{square}");
}
