//! Which images a method is given: those of its rows, in the size that the task says.

use std::fs;
use std::path::Path;

use translearn_core::{Features, Labels};
use translearn_experiment::plan::{Trial, plan};
use translearn_experiment::prepare::{PreparedTask, TaskCache, check};
use translearn_experiment::spec::Spec;

/// Three classes in each of two domains; the first pixel of an image tells class and place: `60 class + i`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for domain in ["old", "new"] {
        for (class, name) in ["a", "b", "c"].iter().enumerate() {
            let classes = folder.path().join(domain).join(name);
            fs::create_dir_all(&classes).unwrap();
            for i in 0..10 {
                let value = (60 * class + i) as u8;
                let image = image::RgbImage::from_pixel(20 + i as u32, 40, image::Rgb([value; 3]));
                image.save(classes.join(format!("{i}.png"))).unwrap();
            }
        }
    }
    folder
}

fn trial(folder: &Path, task: &str) -> Trial {
    let registry = translearn_classical::registry();
    let text = format!(
        "schema = 1\nname = 'x'\nbaselines = false\n[[task]]\nname = 't'\nkind = 'images'\n\
         source = {{ file = 'old' }}\n{task}\n[[method]]\nuse = 'source-only'\n"
    );
    let spec = Spec::parse(&text, &folder.join("x.toml"), &registry).unwrap();
    let plan = plan(&spec, &registry).unwrap();
    check(&plan, &plan.trials).unwrap();
    plan.trials[0].clone()
}

fn values(features: &Features) -> Vec<usize> {
    let images = features.images().unwrap().iter();
    images.map(|image| usize::from(image.pixels()[0])).collect()
}

fn codes(labels: &Labels) -> Vec<usize> {
    labels.classes("test").unwrap().to_vec()
}

#[test]
fn rows_and_labels_go_with_their_images() {
    let folder = folder();
    let task = "target = { file = 'new' }\nlabelled = { per_class = 2 }\nsource_sample = { count = 12 }\n\
                classes = { x = ['a'], y = ['c'] }";
    let prepared = PreparedTask::of(&trial(folder.path(), task)).unwrap();
    let view = prepared.images().unwrap().unwrap();
    let source = view.problem.source().unwrap();
    let classes = |values: &[usize]| -> Vec<usize> {
        values
            .iter()
            .map(|value| usize::from(*value >= 120))
            .collect()
    };
    let found = values(&source.features);
    assert_eq!(found.len(), 12);
    assert_eq!(codes(&source.labels), classes(&found));
    assert!(
        found.iter().all(|value| !(60..120).contains(value)),
        "class b is dropped"
    );
    let target = values(view.problem.target_features());
    let expected: Vec<usize> = (0..10).chain(120..130).collect();
    assert_eq!(target, expected);
    let known = view.problem.target_labelled().unwrap();
    assert_eq!(codes(&known.labels), classes(&values(&known.features)));
    // Scored are the other rows, each where its file says: c begins at row 20.
    let test = values(&view.test);
    assert_eq!(codes(&prepared.test_labels), classes(&test));
    let rows: Vec<usize> = test
        .iter()
        .map(|value| if *value >= 120 { value - 100 } else { *value })
        .collect();
    assert_eq!(prepared.test_rows, rows);
    assert_eq!(
        (
            prepared.n_source(),
            prepared.n_target(),
            prepared.n_labelled(),
            prepared.n_test()
        ),
        (12, 20, 4, 16)
    );
    assert!(prepared.vectors().is_err());
}

#[test]
fn a_test_part_has_its_own_images() {
    let folder = folder();
    let task = "target = { file = 'old', test = 'new' }";
    let prepared = PreparedTask::of(&trial(folder.path(), task)).unwrap();
    let view = prepared.images().unwrap().unwrap();
    assert_eq!(view.test.n_rows(), 30);
    fs::remove_dir_all(folder.path().join("new/c")).unwrap();
    let fewer = PreparedTask::of(&trial(folder.path(), task)).unwrap();
    let fewer = fewer.images().unwrap().unwrap();
    assert_eq!(
        (
            fewer.test.n_rows(),
            fewer.problem.target_features().n_rows()
        ),
        (20, 30)
    );
}

#[test]
fn images_are_shrunk_to_the_side_of_the_task() {
    let folder = folder();
    let shapes = |task: &str| -> Vec<(usize, usize, usize)> {
        let prepared = PreparedTask::of(&trial(folder.path(), task)).unwrap();
        let view = prepared.images().unwrap().unwrap().clone();
        let images = view.test.images().unwrap().clone();
        [0, 4].map(|row| images.get(row).unwrap().shape()).to_vec()
    };
    let target = "target = { file = 'new' }";
    // The shorter side is the width: 20 and 24.
    assert_eq!(shapes(target), [(40, 20, 3), (40, 24, 3)]);
    let small = format!("{target}\nimage_side = 16");
    assert_eq!(shapes(&small), [(32, 16, 3), (27, 16, 3)]);
    let between = format!("{target}\nimage_side = 22");
    assert_eq!(shapes(&between), [(40, 20, 3), (37, 22, 3)]);
}

#[test]
fn trials_of_a_task_share_decoded_images() {
    let folder = folder();
    let mut cache = TaskCache::default();
    let base = trial(
        folder.path(),
        "target = { file = 'new' }\nsource_sample = { count = 12 }",
    );
    let first = cache.get(&base).unwrap();
    let before = first.images().unwrap().unwrap().clone();
    // Decoded once: another seed needs no file any more.
    fs::remove_file(folder.path().join("new/a/0.png")).unwrap();
    let other = Trial { seed: 7, ..base };
    let second = cache.get(&other).unwrap();
    let after = second.images().unwrap().unwrap();
    assert_eq!(before.test, after.test);
    assert_ne!(before.problem, after.problem);
}

#[test]
fn images_that_are_not_drawn_are_not_decoded() {
    let folder = folder();
    let task =
        "target = { file = 'new' }\nsource_sample = { count = 12 }\ntarget_sample = { count = 9 }";
    let trial = trial(folder.path(), task);
    let drawn = PreparedTask::of(&trial).unwrap();
    let before = drawn.images().unwrap().unwrap().clone();
    let source = values(&before.problem.source().unwrap().features);
    let target = values(before.problem.target_features());
    assert_eq!((source.len(), target.len()), (12, 9));
    for (class, name) in ["a", "b", "c"].iter().enumerate() {
        for i in 0..10 {
            for (domain, drawn) in [("old", &source), ("new", &target)] {
                if !drawn.contains(&(60 * class + i)) {
                    let path = folder.path().join(format!("{domain}/{name}/{i}.png"));
                    fs::write(path, "no image").unwrap();
                }
            }
        }
    }
    let again = PreparedTask::of(&trial).unwrap();
    let again = again.images().unwrap().unwrap();
    assert_eq!(again.problem, before.problem);
    // Another seed draws others, and meets what is broken.
    let other = PreparedTask::of(&Trial { seed: 7, ..trial }).unwrap();
    assert!(other.images().is_err());
}
