//! Published weights on real images. The files are taken from the folder that `TRANSLEARN_MIRROR` names; without it these
//! tests say that they are skipped.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(
    clippy::print_stdout,
    reason = "a test says what it skips and where it ran"
)]

use std::env;
use std::path::{Path, PathBuf};

use translearn_core::Image;
use translearn_data::folder::FolderParams;
use translearn_data::image::{ImageParams, Images};
use translearn_deep::{Pretrained, best_device, cuda};

fn mirror() -> Option<PathBuf> {
    let Some(folder) = env::var_os("TRANSLEARN_MIRROR").map(PathBuf::from) else {
        println!("skipped: TRANSLEARN_MIRROR names no folder of weights and images");
        return None;
    };
    // The variable is written for the folder of the workspace.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .map(|above| above.join(&folder))
        .find(|path| path.is_dir())
}

/// The outputs of a layer for all images, with their class folders.
fn outputs(
    weights: &Pretrained,
    layer: &str,
    images: &Images,
) -> (ndarray::Array2<f64>, Vec<String>) {
    println!("device: {:?} ({})", best_device(), cuda());
    let network = weights.build(layer, best_device()).unwrap();
    let params = ImageParams::default();
    let mut names = Vec::new();
    let decoded = images.iter(&params).map(|item| {
        let item = item?;
        names.push(item.label.clone().unwrap_or_default());
        Ok::<Image, Box<dyn std::error::Error + Send + Sync>>(item.try_into()?)
    });
    let extractor = weights.extractor(&network, layer).unwrap();
    let values = extractor
        .batch_size(250)
        .unwrap()
        .extract(decoded, |_| ())
        .unwrap();
    (values, names)
}

/// Columns of a row, the largest first.
fn ranked(row: ndarray::ArrayView1<'_, f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
    order
}

#[test]
fn resnet20_tells_81_percent_of_the_compressed_cifar_images_from_either_file() {
    let Some(mirror) = mirror() else { return };
    let images = Images::open(
        &mirror.join("cifar10-jpeg/cifar10-jpeg-test.tar.gz"),
        &FolderParams::under("test"),
    )
    .unwrap();
    let classes = [
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ];
    let of = |file: &str| {
        let weights =
            Pretrained::find("cifar-resnet20", file, &mirror.join("cifar-resnet")).unwrap();
        outputs(&weights, "linear", &images)
    };
    let (pickled, labels) = of("resnet20-12fca82f.th");
    let right = pickled
        .outer_iter()
        .zip(&labels)
        .filter(|(row, label)| classes[ranked(*row)[0]] == label.as_str())
        .count();
    let accuracy = 100.0 * right as f64 / labels.len() as f64;
    println!("accuracy {accuracy:.2} % of {} images", labels.len());
    assert_eq!(labels.len(), 10_000);
    assert!((accuracy - 81.0).abs() <= 0.2, "{accuracy}");
    assert_eq!(of("resnet20.safetensors").0, pickled);
}

#[test]
fn mobilenet_sees_ants_and_bees() {
    let Some(mirror) = mirror() else { return };
    let images = Images::open(&mirror.join("hymenoptera"), &FolderParams::under("val")).unwrap();
    let file = "mobilenet_v1_0.25_224.safetensors";
    let weights = Pretrained::find(
        "mobilenet-v1-0.25",
        file,
        &mirror.join("mobilenet025-imagenet"),
    )
    .unwrap();
    let (scores, labels) = outputs(&weights, "conv_preds", &images);
    assert_eq!(scores.dim(), (153, 1000));
    let (bee, ant) = (309, 310);
    let seen = scores
        .outer_iter()
        .zip(&labels)
        .filter(|(row, label)| {
            let right = if label.as_str() == "ants" { ant } else { bee };
            ranked(*row)[..5].contains(&right)
        })
        .count();
    println!("the right one of 1000 classes is among the first five for {seen} of 153 images");
    // By chance it would be one image; PyTorch, with the same weights and another decoder and rounding, sees 101.
    assert!((97..=107).contains(&seen), "{seen}");
}
