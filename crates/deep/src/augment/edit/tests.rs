use serde_json::Value;
use tch::Tensor;

use super::{Adjustment, Edit, Window};

fn tensor(record: &Value) -> Tensor {
    let shape: Vec<i64> = serde_json::from_value(record["shape"].clone()).unwrap();
    let values: Vec<f32> = serde_json::from_value(record["values"].clone()).unwrap();
    Tensor::from_slice(&values).view(shape.as_slice())
}

fn window(top: i64, left: i64, height: i64, width: i64) -> Window {
    Window {
        top,
        left,
        height,
        width,
    }
}

fn resized(window: Window, size: i64) -> Edit {
    Edit::ResizedCrop { window, size }
}

fn padded(padding: i64, top: i64, left: i64, size: i64) -> Edit {
    Edit::PaddedCrop {
        padding,
        window: window(top, left, size, size),
    }
}

/// What was done in `fixtures/augment_torchvision.py`.
fn edits() -> Vec<(&'static str, &'static str, Edit)> {
    use Adjustment::{Brightness, Contrast, Saturation};
    let adjust = |factors: &[(Adjustment, f64)]| Edit::Adjust(factors.to_vec());
    let rotate = |degrees| Edit::Rotate { degrees };
    let (b, c, s) = ((Brightness, 1.4), (Contrast, 0.6), (Saturation, 0.2));
    vec![
        (
            "resized crop, smaller",
            "colour",
            resized(window(1, 0, 8, 10), 4),
        ),
        (
            "resized crop, larger",
            "colour",
            resized(window(5, 7, 3, 4), 7),
        ),
        (
            "resized crop, both",
            "colour",
            resized(window(0, 2, 9, 3), 5),
        ),
        (
            "resized crop, as it is",
            "grey",
            resized(window(2, 3, 5, 5), 5),
        ),
        ("padded crop", "colour", padded(2, 0, 9, 6)),
        ("padded crop of the whole", "grey", padded(4, 5, 1, 8)),
        ("flip", "colour", Edit::Flip),
        ("brightness", "colour", adjust(&[b])),
        ("contrast", "colour", adjust(&[(Contrast, 0.3)])),
        ("contrast of grey", "grey", adjust(&[(Contrast, 1.7)])),
        ("saturation", "colour", adjust(&[(Saturation, 1.9)])),
        ("saturation of grey", "grey", adjust(&[(Saturation, 1.9)])),
        ("jitter bcs", "colour", adjust(&[b, c, s])),
        ("jitter scb", "colour", adjust(&[s, c, b])),
        ("rotation", "colour", rotate(23.7)),
        ("rotation back", "colour", rotate(-9.7)),
        ("quarter turn", "grey", rotate(90.0)),
        ("half turn", "colour", rotate(180.0)),
        ("no turn", "colour", rotate(0.0)),
        ("erased", "colour", Edit::Erase(window(2, 5, 4, 3))),
        ("gray", "colour", Edit::Gray),
        ("gray of grey", "grey", Edit::Gray),
    ]
}
#[test]
fn pixels_are_those_of_torchvision() {
    let text = include_str!("../../../tests/fixtures/augment_torchvision.json");
    let records: Value = serde_json::from_str(text).unwrap();
    let edits = edits();
    assert_eq!(records["edits"].as_object().unwrap().len(), edits.len());
    let mut farthest = 0.0;
    for (name, input, edit) in edits {
        let x = tensor(&records[input]);
        let before = x.copy();
        let expected = tensor(&records["edits"][name]);
        let found = edit.apply(&x).unwrap();
        assert_eq!(found.size(), expected.size(), "{name}");
        let apart = (found - expected).abs().max().double_value(&[]);
        assert!(apart < 1e-5, "{name}: {apart}");
        assert_eq!(x, before, "{name} changed its input");
        farthest = f64::max(farthest, apart);
    }
    println!("at most {farthest:.1e} apart");
}
