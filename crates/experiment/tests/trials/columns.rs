//! The columns of files that count them by indices.

use ndarray::{Array2, array};
use translearn_experiment::plan::plan;
use translearn_experiment::prepare::{PrepareError, PreparedTask};
use translearn_experiment::spec::Spec;

/// The files and the task of a specification, prepared.
fn prepare(files: &[(&str, &str)], task: &str) -> Result<PreparedTask, PrepareError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let registry = translearn_classical::registry();
    let text = format!(
        "schema = 1\nname = 'case'\n[[task]]\nname = 't'\noutput = 'classification'\n{task}\n\
         [[method]]\nuse = 'source-only'\n"
    );
    let spec = Spec::parse(&text, &folder.path().join("case.toml"), &registry).unwrap();
    let trials = plan(&spec, &registry).unwrap().trials;
    PreparedTask::of(&trials[0])
}

/// The first source, the target, and the rows that are scored.
fn matrices(prepared: &PreparedTask) -> [Array2<f64>; 3] {
    let view = prepared.vectors().unwrap();
    let source = &view.problem.sources()[0].0.features;
    [source, view.problem.target_features(), &view.test].map(|x| x.dense().unwrap().into_owned())
}

/// Alone, the target would count from 1: its columns 1 and 4 would be the columns 0 and 3 of the source.
#[test]
fn svmlight_files_of_a_task_agree_on_their_columns() {
    let files = [
        ("old.svm", "1 0:1 3:1\n0 3:2\n"),
        ("new.svm", "1 1:1 4:1\n"),
    ];
    let prepared = prepare(
        &files,
        "source = { file = 'old.svm' }\ntarget = { file = 'new.svm' }",
    );
    let [source, target, scored] = matrices(&prepared.unwrap());
    assert_eq!(
        source,
        array![[1.0, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 2.0, 0.0]]
    );
    assert_eq!(target, array![[0.0, 1.0, 0.0, 0.0, 1.0]]);
    assert_eq!(scored, target);
}

/// Of several sources and a test part any may hold the index 0 or the largest.
#[test]
fn every_part_has_a_say_in_the_columns() {
    let task = "source = [{ file = 'a.svm' }, { file = 'b.svm' }]\n\
                target = { file = 'new.svm', test = 'held.svm' }";
    for [a, b, new, held] in [["0:1", "1:1", "1:1", "3:1"], ["3:1", "1:1", "1:1", "0:1"]] {
        let two = |features: &str| format!("1 {features}\n0 {features}\n");
        let texts = [a, b, new, held].map(two);
        let names = ["a.svm", "b.svm", "new.svm", "held.svm"];
        let files: Vec<(&str, &str)> = names
            .into_iter()
            .zip(texts.iter().map(String::as_str))
            .collect();
        let prepared = prepare(&files, task).unwrap();
        let [source, target, scored] = matrices(&prepared);
        let second = &prepared.vectors().unwrap().problem.sources()[1].0.features;
        assert_eq!(target.row(0).to_vec(), [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(*second.dense().unwrap(), target);
        let at = |x: &Array2<f64>| x.row(0).iter().position(|&value| value == 1.0);
        let index = |text: &str| text.split(':').next().unwrap().parse().ok();
        assert_eq!((at(&source), at(&scored)), (index(a), index(held)));
        assert_eq!((source.ncols(), scored.ncols()), (4, 4));
    }
}

/// A file of another format has no part in it, and options that are said count.
#[test]
fn what_is_said_of_columns_counts() {
    let files = [("old.svm", "1 1:1 3:1\n0 1:3\n"), ("new.svm", "1 1:1\n")];
    let task = |of_source: &str, of_target: &str| {
        format!(
            "source = {{ file = 'old.svm'{of_source} }}\ntarget = {{ file = 'new.svm'{of_target} }}"
        )
    };
    let [source, target, _] =
        matrices(&prepare(&files, &task(", one_based = false", ", n_features = 6")).unwrap());
    assert_eq!((source.ncols(), target.ncols()), (6, 6));
    assert_eq!((source[[0, 1]], target[[0, 1]]), (1.0, 1.0));
    let error = prepare(&files, &task("", ", n_features = 2")).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("old.svm") && said.contains("at most 2 features"),
        "{said}"
    );

    let table = [files[0], ("new.csv", "x,y\n1,1\n")];
    let task = "source = { file = 'old.svm' }\ntarget = { file = 'new.csv', label = 'y' }";
    let said = prepare(&table, task).unwrap_err().to_string();
    assert!(said.contains("the source is a matrix"), "{said}");
}
