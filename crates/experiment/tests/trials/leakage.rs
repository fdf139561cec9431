//! What the fit sees and what it does not: labels and rows that score a method never reach the problem.

use std::fmt::Write;
use std::path::Path;

use ndarray::{Array1, array};
use tempfile::TempDir;
use translearn_core::{Labels, TransferProblem};
use translearn_experiment::plan::{Trial, plan};
use translearn_experiment::prepare::{PrepareError, PreparedTask, TaskCache, check};
use translearn_experiment::spec::Spec;

/// A folder of files and the trials of a task over them.
struct Case {
    folder: TempDir,
}

impl Case {
    fn new(files: &[(&str, String)]) -> Self {
        let case = Self {
            folder: TempDir::new().unwrap(),
        };
        files.iter().for_each(|(name, text)| case.write(name, text));
        case
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn trials(&self, task: &str) -> Vec<Trial> {
        let text = format!(
            "schema = 1\nname = 'case'\nseeds = 3\n[[task]]\nname = 't'\n{task}\n\
             [[method]]\nuse = 'coral'\nlearner = {{ use = 'knn' }}\n[[method]]\nuse = 'sa'\nlearner = {{ use = 'knn' }}\n"
        );
        let registry = translearn_classical::registry();
        let spec = Spec::parse(&text, &self.folder.path().join("case.toml"), &registry).unwrap();
        plan(&spec, &registry).unwrap().trials
    }

    fn prepare(&self, task: &str) -> Result<PreparedTask, PrepareError> {
        PreparedTask::of(&self.trials(task)[0])
    }
}

/// Rows of two classes, the second shifted; `start` makes the rows of each file different.
fn rows(n: usize, start: usize, label: impl Fn(usize) -> String) -> String {
    let mut text = "a,b,y\n".to_owned();
    for i in 0..n {
        let x = ((start + 7 * i) % 23) as f64 / 4.0;
        writeln!(text, "{x},{},{}", (i * i + start) % 11, label(i)).unwrap();
    }
    text
}

fn class(i: usize) -> String {
    ["cat", "dog"][i % 2].to_owned()
}

const FILES: &str =
    "source = { file = 'old.csv', label = 'y' }\ntarget = { file = 'new.csv', label = 'y' }\n";
const WITH_TEST: &str = "source = { file = 'old.csv', label = 'y' }\ntarget = { file = 'new.csv', label = 'y', test = 'held.csv' }\n";
const STEPS: &str = "preprocess = ['l2-rows', 'zscore-per-domain']\n";

#[test]
fn labels_that_score_change_nothing_in_the_problem() {
    let case = Case::new(&[
        ("old.csv", rows(12, 0, class)),
        ("new.csv", rows(10, 5, class)),
    ]);
    let task = format!("{FILES}{STEPS}");
    let before = case.prepare(&task).unwrap();
    case.write("new.csv", &rows(10, 5, |i| class(i / 5)));
    let after = case.prepare(&task).unwrap();
    assert_eq!(
        before.vectors().unwrap().problem,
        after.vectors().unwrap().problem
    );
    assert_eq!(
        before.vectors().unwrap().test,
        after.vectors().unwrap().test
    );
    assert_ne!(before.test_labels, after.test_labels);
    assert!(
        before
            .vectors()
            .unwrap()
            .problem
            .target_labelled()
            .is_none()
    );
    assert_eq!(before.test_rows, (0..10).collect::<Vec<_>>());
}

#[test]
fn the_values_of_scored_rows_change_nothing_in_a_regression_problem() {
    let number = |i: usize| (i * 3 % 7).to_string();
    let case = Case::new(&[
        ("old.csv", rows(12, 0, number)),
        ("new.csv", rows(10, 5, number)),
    ]);
    let task = format!("output = 'regression'\nlabelled = {{ count = 4 }}\n{FILES}{STEPS}");
    let before = case.prepare(&task).unwrap();
    let labelled = before.vectors().unwrap().problem.target_task().rows.clone();
    assert_eq!(labelled.len(), 4);
    case.write(
        "new.csv",
        &rows(10, 5, |i| {
            if labelled.contains(&i) {
                number(i)
            } else {
                (1000 * i).to_string()
            }
        }),
    );
    let after = case.prepare(&task).unwrap();
    assert_eq!(
        before.vectors().unwrap().problem,
        after.vectors().unwrap().problem
    );
    assert_ne!(before.test_labels, after.test_labels);
}

#[test]
fn the_problem_knows_the_labels_of_the_drawn_rows_and_no_other() {
    let case = Case::new(&[
        ("old.csv", rows(12, 0, class)),
        ("new.csv", rows(10, 5, class)),
    ]);
    let prepared = case
        .prepare(&format!("labelled = {{ per_class = 2 }}\n{FILES}"))
        .unwrap();
    let task = prepared.vectors().unwrap().problem.target_task();
    assert_eq!(task.rows.len(), 4);
    let truth = Labels::Classes((0..10).map(|i| i % 2).collect());
    assert_eq!(task.labels, truth.select(&task.rows));
    // Every row is either known or scored.
    let mut all = [task.rows.clone(), prepared.test_rows.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
    assert_eq!(prepared.test_labels, truth.select(&prepared.test_rows));
    assert_eq!(
        *prepared.vectors().unwrap().test.dense().unwrap(),
        *prepared
            .vectors()
            .unwrap()
            .problem
            .target_unlabelled()
            .dense()
            .unwrap()
    );
    assert_eq!(
        (
            prepared.n_source(),
            prepared.n_target(),
            prepared.n_labelled(),
            prepared.n_test()
        ),
        (12, 10, 4, 6)
    );
}

#[test]
fn the_fit_never_sees_the_test_part() {
    let held = |shift: usize| rows(6, 11 + shift, class);
    let case = Case::new(&[
        ("old.csv", rows(12, 0, class)),
        ("new.csv", rows(10, 5, class)),
        ("held.csv", held(0)),
    ]);
    let task = format!("labelled = {{ per_class = 1 }}\n{WITH_TEST}{STEPS}");
    let before = case.prepare(&task).unwrap();
    assert_eq!((before.n_target(), before.n_test()), (10, 6));
    case.write(
        "held.csv",
        &held(4)
            .replace("cat", "bird")
            .replace("dog", "cat")
            .replace("bird", "dog"),
    );
    let after = case.prepare(&task).unwrap();
    assert_eq!(
        before.vectors().unwrap().problem,
        after.vectors().unwrap().problem
    );
    assert_ne!(
        before.vectors().unwrap().test,
        after.vectors().unwrap().test
    );
    assert_ne!(before.test_labels, after.test_labels);
}

#[test]
fn a_test_part_is_scaled_by_the_statistics_of_the_targets_fit() {
    let case = Case::new(&[
        ("old.csv", "a,y\n0,p\n2,q\n".into()),
        ("new.csv", "a,y\n10,p\n30,q\n".into()),
        ("held.csv", "a,y\n40,p\n".into()),
    ]);
    let prepared = case
        .prepare(&format!("{WITH_TEST}preprocess = ['zscore-per-domain']"))
        .unwrap();
    assert_eq!(
        *prepared
            .vectors()
            .unwrap()
            .problem
            .target_features()
            .dense()
            .unwrap(),
        array![[-1.0], [1.0]]
    );
    assert_eq!(
        *prepared
            .vectors()
            .unwrap()
            .problem
            .source()
            .unwrap()
            .features
            .dense()
            .unwrap(),
        array![[-1.0], [1.0]]
    );
    assert_eq!(
        *prepared.vectors().unwrap().test.dense().unwrap(),
        array![[2.0]]
    );
    let pooled = case
        .prepare(&format!("{WITH_TEST}preprocess = ['zscore']"))
        .unwrap();
    assert_eq!(
        *pooled.vectors().unwrap().test.dense().unwrap(),
        array![[39.0]]
    );
}

#[test]
fn missing_values_are_filled_from_the_source() {
    let case = Case::new(&[
        ("old.csv", "a,c,y\n1,red,p\n3,blue,q\n,red,p\n".into()),
        ("new.csv", "a,c,y\n,blue,p\n7,green,q\n".into()),
    ]);
    let prepared = case.prepare(FILES).unwrap();
    assert_eq!(
        *prepared.vectors().unwrap().test.dense().unwrap(),
        array![[2.0, 1.0, 0.0], [7.0, 0.0, 0.0]]
    );
    let both = case
        .prepare(&format!(
            "{FILES}table = {{ fit_on = 'both', categories = 'ordinal' }}"
        ))
        .unwrap();
    assert_eq!(
        *both.vectors().unwrap().test.dense().unwrap(),
        array![[11.0 / 3.0, 0.0], [7.0, 1.0]]
    );
}

#[test]
fn all_methods_see_the_same_draw_and_seeds_different_ones() {
    let case = Case::new(&[
        ("old.csv", rows(40, 0, class)),
        ("new.csv", rows(30, 5, class)),
    ]);
    let trials = case.trials(&format!(
        "labelled = {{ per_class = 3 }}\nsource_sample = {{ count = 20 }}\n{FILES}"
    ));
    let mut cache = TaskCache::default();
    let problems: Vec<(u64, TransferProblem)> = trials
        .iter()
        .map(|trial| {
            (
                trial.seed,
                cache.get(trial).unwrap().vectors().unwrap().problem.clone(),
            )
        })
        .collect();
    for (seed, problem) in &problems {
        for (other_seed, other) in &problems {
            assert_eq!(
                seed == other_seed,
                problem == other,
                "seeds {seed} and {other_seed}"
            );
        }
        assert_eq!(problem.source().unwrap().labels.len(), 20);
    }
    // The cache gives what a fresh start gives.
    for (trial, (_, problem)) in trials.iter().zip(&problems) {
        assert_eq!(
            &PreparedTask::of(trial).unwrap().vectors().unwrap().problem,
            problem
        );
    }
}

#[test]
fn the_cache_notices_another_task() {
    let case = Case::new(&[
        ("old.csv", rows(12, 0, class)),
        ("new.csv", rows(10, 5, class)),
    ]);
    let mut cache = TaskCache::default();
    let mut get = |task: &str| cache.get(&case.trials(task)[0]).unwrap();
    let plain = get(FILES);
    assert!(std::sync::Arc::ptr_eq(&plain, &get(FILES)));
    let scaled = get(&format!("{FILES}preprocess = ['zscore']"));
    assert_ne!(
        plain.vectors().unwrap().problem,
        scaled.vectors().unwrap().problem
    );
    let labelled = get(&format!("{FILES}labelled = {{ count = 2 }}"));
    assert_eq!(labelled.n_labelled(), 2);
}

#[test]
fn classes_are_shared_grouped_and_counted_from_the_file() {
    let letters = |i: usize| ["b", "a", "x", "c"][i % 4].to_owned();
    let case = Case::new(&[
        ("old.csv", rows(8, 0, letters)),
        ("new.csv", rows(8, 5, letters)),
    ]);
    let task = format!("classes = {{ vowel = ['a'], consonant = ['b', 'c'] }}\n{FILES}");
    let prepared = case.prepare(&task).unwrap();
    assert_eq!(prepared.class_names(), ["consonant", "vowel"]);
    assert_eq!(prepared.test_rows, [0, 1, 3, 4, 5, 7]);
    assert_eq!(
        prepared.test_labels,
        Labels::Classes(array![0, 1, 0, 0, 1, 0])
    );
    assert_eq!(prepared.n_source(), 6);
}

#[test]
fn several_sources_stay_apart() {
    let case = Case::new(&[
        ("old.csv", rows(12, 0, class)),
        ("older.csv", rows(8, 3, class)),
        ("new.csv", rows(10, 5, class)),
    ]);
    let task = "source = [{ file = 'old.csv', label = 'y' }, { file = 'older.csv', label = 'y' }]\n\
                target = { file = 'new.csv', label = 'y' }\npreprocess = ['zscore-per-domain']";
    let prepared = case.prepare(task).unwrap();
    let sources = prepared.vectors().unwrap().problem.sources();
    assert_eq!(
        sources
            .iter()
            .map(|(_, task)| task.rows.len())
            .collect::<Vec<_>>(),
        [12, 8]
    );
    for (domain, _) in sources {
        let means = domain
            .features
            .dense()
            .unwrap()
            .mean_axis(ndarray::Axis(0))
            .unwrap();
        assert!(
            means.iter().all(|mean| mean.abs() < 1e-12),
            "{}: {means}",
            domain.name
        );
    }
}

#[test]
fn texts_become_vectors_of_the_source_vocabulary() {
    let case = Case::new(&[
        ("old/ham/1", "see you at nine".into()),
        ("old/spam/1", "cheap cheap watches".into()),
        ("new/ham/1", "see the new watches".into()),
        ("new/spam/1", "cheap".into()),
    ]);
    let task = "kind = 'text'\nsource = { file = 'old' }\ntarget = { file = 'new' }\ntext = { weighting = 'counts' }";
    let prepared = case.prepare(task).unwrap();
    assert_eq!(prepared.class_names(), ["ham", "spam"]);
    // at, cheap, nine, see, watches, you
    let expected = array![
        [0.0, 0.0, 0.0, 1.0, 1.0, 0.0],
        [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    ];
    assert_eq!(*prepared.vectors().unwrap().test.dense().unwrap(), expected);
}

#[test]
fn labels_are_only_needed_where_they_are_used() {
    let case = Case::new(&[
        ("old.csv", rows(6, 0, class)),
        ("new.csv", "a,b\n1,2\n3,4\n".into()),
        ("held.csv", "a,b\n1,2\n".into()),
    ]);
    let unlabelled = "source = { file = 'old.csv', label = 'y' }\ntarget = { file = 'new.csv' }\n";
    let error = case.prepare(unlabelled).unwrap_err().to_string();
    assert!(
        error.contains("target new.csv has no labels, which are needed to score"),
        "{error}"
    );
    let error = case
        .prepare(&format!("labelled = {{ count = 1 }}\n{unlabelled}"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("to draw `labelled` from"), "{error}");
    let no_source =
        "source = { file = 'new.csv' }\ntarget = { file = 'old.csv', label = 'y', drop = [] }\n";
    let error = case.prepare(no_source).unwrap_err().to_string();
    assert!(
        error.contains("source new.csv has no labels, which are needed to learn from"),
        "{error}"
    );
}

#[test]
fn data_that_make_no_task_are_named() {
    let case = Case::new(&[
        ("old.csv", rows(6, 0, class)),
        ("new.csv", rows(4, 3, class)),
        ("numbers.csv", rows(4, 3, |i| i.to_string())),
        ("wide.csv", "a,b,z,y\n1,2,3,cat\n".into()),
    ]);
    let error = |task: &str| case.prepare(task).unwrap_err().to_string();
    let message = error(&format!("labelled = {{ count = 5 }}\n{FILES}"));
    assert!(
        message.contains("`labelled` asks for Count(5) of 4 rows"),
        "{message}"
    );
    let message = error(&format!("labelled = {{ per_class = 9 }}\n{FILES}"));
    assert!(message.contains("no row is left to be scored"), "{message}");
    let message = error(
        "source = { file = 'old.csv', label = 'yy' }\ntarget = { file = 'new.csv', label = 'y' }",
    );
    assert!(
        message.starts_with("source old.csv: ")
            && message.contains("no column `yy`; did you mean `y`?"),
        "{message}"
    );
    let numbers = "source = { file = 'numbers.csv', label = 'y' }\ntarget = { file = 'numbers.csv', label = 'y' }\n";
    assert!(
        error(numbers).contains("say `output = \"classification\"`"),
        "{}",
        error(numbers)
    );
    let message = error(
        "source = { file = 'old.csv', label = 'y' }\ntarget = { file = 'wide.csv', label = 'y' }",
    );
    assert!(message.contains('z'), "{message}");
    let message = error(&format!("output = 'regression'\n{FILES}"));
    assert!(message.contains("cat"), "{message}");
}

/// A set of the catalogue, where this machine has it.
#[test]
fn a_set_loads_with_the_shape_of_its_protocol() {
    let task = "source = { set = 'office-caltech10-surf', domain = 'webcam' }\n\
                target = { set = 'office-caltech10-surf', domain = 'dslr' }\n\
                preprocess = ['l1-rows', 'zscore-per-domain']";
    let case = Case::new(&[]);
    match case.prepare(task) {
        Ok(prepared) => {
            assert_eq!(
                (
                    prepared.n_source(),
                    prepared.n_target(),
                    prepared
                        .vectors()
                        .unwrap()
                        .problem
                        .target_features()
                        .n_columns()
                ),
                (295, 157, 800)
            );
            let Labels::Classes(codes) = &prepared.test_labels else {
                panic!("classes")
            };
            let counts = codes
                .iter()
                .fold(Array1::<usize>::zeros(10), |mut counts, &code| {
                    counts[code] += 1;
                    counts
                });
            assert!(counts.iter().all(|&count| count > 0), "{counts}");
        }
        Err(error) => eprintln!("skipped: office-caltech10-surf is not here ({error})"),
    }
}

#[test]
fn paths_are_relative_to_the_specification() {
    let case = Case::new(&[
        ("deep/er/old.csv", rows(6, 0, class)),
        ("deep/er/new.csv", rows(4, 3, class)),
    ]);
    let registry = translearn_classical::registry();
    let text = format!(
        "schema = 1\nname = 'x'\n[[task]]\nname = 't'\n{FILES}\n[[method]]\nuse = 'coral'\n"
    );
    let file = case.folder.path().join("deep/er/x.toml");
    let spec = Spec::parse(&text, &file, &registry).unwrap();
    let trial = plan(&spec, &registry).unwrap().trials.remove(0);
    assert_eq!(PreparedTask::of(&trial).unwrap().n_source(), 6);
    assert_eq!(Path::new(&trial.base), file.parent().unwrap());
}

#[test]
fn unusable_data_are_errors_of_the_specification() {
    let case = Case::new(&[
        ("old.csv", rows(6, 0, class)),
        ("new.csv", rows(4, 3, class)),
    ]);
    let registry = translearn_classical::registry();
    let text = format!(
        "schema = 1\nname = 'x'\n[[task]]\nname = 'good'\n{FILES}[[task]]\nname = 'bad'\nlabelled = {{ count = 9 }}\n{FILES}\
         [[method]]\nuse = 'coral'\n"
    );
    let spec = Spec::parse(&text, &case.folder.path().join("x.toml"), &registry).unwrap();
    let plan = plan(&spec, &registry).unwrap();
    let error = check(&plan, &plan.trials).unwrap_err();
    assert_eq!(error.line, Some(7));
    assert!(
        error
            .to_string()
            .contains("task `bad`: `labelled` asks for Count(9) of 4 rows"),
        "{error}"
    );
    check(
        &plan,
        plan.trials.iter().filter(|trial| trial.task.name == "good"),
    )
    .unwrap();
}
