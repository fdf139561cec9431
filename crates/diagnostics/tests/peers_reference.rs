//! Statistics, distances and scores beside those of SciPy, scikit-learn, POT and dcor.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use ndarray::{Array1, Array2, s};
use serde_json::Value;
use translearn_core::{Features, Labels, kernel::Kernel};
use translearn_diagnostics::multiplicity::benjamini_hochberg;
use translearn_diagnostics::shift::{Energy, Marginals, Mmd, MomentDistance, MomentKind};
use translearn_diagnostics::transferability::{
    NLeep, SourceProbabilities, TaskEmbedding, h_score, leave_one_out, leep, log_me,
    log_me_outputs, nce, otdd,
};
use translearn_learners::Logistic;

struct Reference(Value);

impl Reference {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("fixtures/peers_reference.json")).unwrap())
    }

    fn number(&self, name: &str) -> f64 {
        self.0[name].as_f64().unwrap()
    }

    fn vector(&self, name: &str) -> Array1<f64> {
        let values = self.0[name].as_array().unwrap();
        values.iter().map(|value| value.as_f64().unwrap()).collect()
    }

    fn matrix(&self, name: &str) -> Array2<f64> {
        let rows = self.0[name].as_array().unwrap();
        let values = rows.iter().flat_map(|row| row.as_array().unwrap());
        let values: Vec<f64> = values.map(|value| value.as_f64().unwrap()).collect();
        Array2::from_shape_vec((rows.len(), values.len() / rows.len()), values).unwrap()
    }

    fn classes(&self, name: &str) -> Labels {
        Labels::Classes(self.vector(name).mapv(|code| code as usize))
    }

    fn close(&self, ours: f64, name: &str, tolerance: f64) {
        let theirs = self.number(name);
        let scale = 1.0 + theirs.abs();
        assert!(
            (ours - theirs).abs() <= tolerance * scale,
            "{name}: {ours} beside {theirs}"
        );
    }
}

#[test]
fn statistics_of_shift() {
    let reference = Reference::read();
    let (xs, xt) = (reference.matrix("xs"), reference.matrix("xt"));
    let (source, target) = (Features::from(xs.clone()), Features::from(xt.clone()));
    let mmd = Mmd::default().kernel(Kernel::Rbf { gamma: Some(0.3) });
    let found = mmd.n_permutations(9).test(&source, &target, 0).unwrap();
    reference.close(found.statistic, "mmd", 1e-12);
    let found = Energy::default().n_permutations(9);
    let found = found.test(&source, &target, 0).unwrap();
    reference.close(found.statistic, "energy", 1e-12);
    let frechet = MomentDistance::default().kind(MomentKind::Frechet);
    let found = frechet.distance(&source, &target, 0).unwrap();
    reference.close(found, "frechet", 1e-9);
    // On a line every direction is that line.
    let first = |x: &Array2<f64>| Features::from(x.slice(s![.., ..1]).to_owned());
    let sliced = MomentDistance::default().kind(MomentKind::SlicedWasserstein);
    let found = sliced.distance(&first(&xs), &first(&xt), 0).unwrap();
    reference.close(found, "on_line", 1e-12);
}

#[test]
fn tests_of_columns() {
    let reference = Reference::read();
    let (source, target) = (
        Features::from(reference.matrix("xs")),
        Features::from(reference.matrix("xt")),
    );
    let sizes = Marginals::default().test(&source, &target, 0).unwrap();
    for (column, theirs) in sizes
        .columns
        .iter()
        .zip(reference.matrix("ks").outer_iter())
    {
        assert!((column.statistic - theirs[0]).abs() < 1e-12, "{column:?}");
        assert!((column.p_value - theirs[1]).abs() < 1e-10, "{column:?}");
    }
    let p: Vec<f64> = (sizes.columns[..2].iter())
        .map(|column| column.p_value)
        .collect();
    let adjusted = Array1::from(benjamini_hochberg(&p));
    let apart = adjusted - reference.vector("false_discovery");
    assert!(apart.iter().all(|v| v.abs() < 1e-10), "{apart}");
    let categorical = Marginals::default().categorical(vec![2]).n_permutations(9);
    let found = categorical.test(&source, &target, 0).unwrap();
    reference.close(found.columns[2].statistic, "chi_squared", 1e-12);
}

#[test]
fn scores_of_features() {
    let reference = Reference::read();
    let (rows, labels) = (reference.matrix("features"), reference.classes("labels"));
    let features = Features::from(rows.clone());
    // SciPy's optimiser stops within 1e-9 of the evidence; in the flat directions of priors without an end, 1e-7.
    let tolerance = 1e-7;
    reference.close(log_me(&features, &labels).unwrap(), "log_me", tolerance);
    let outputs = log_me_outputs(&features, &reference.matrix("outputs")).unwrap();
    for (ours, theirs) in outputs.iter().zip(reference.vector("log_me_outputs")) {
        assert!((ours - theirs).abs() < tolerance, "{ours} {theirs}");
    }
    let values = Labels::Values(rows.column(0).to_owned());
    let rest = Features::from(rows.slice(s![.., 1..]).to_owned());
    reference.close(log_me(&rest, &values).unwrap(), "log_me_values", tolerance);
    let wide = Features::from(rows.slice(s![..5, ..3]).t().to_owned());
    let values = Labels::Values(rows.slice(s![..3, 0]).to_owned());
    reference.close(log_me(&wide, &values).unwrap(), "log_me_wide", tolerance);
    reference.close(h_score(&features, &labels).unwrap(), "h_score", 1e-10);
    let nearest = leave_one_out(&features, &labels, 1).unwrap();
    reference.close(nearest, "leave_one_out", 1e-12);
    let far = Features::from(reference.matrix("far"));
    let n_leep = NLeep::default().clusters_per_class(1);
    let score = n_leep.score(&far, &reference.classes("of_far"), 0).unwrap();
    // Both stop where a round gains little: scikit-learn at 1e-10 a row, ours at 1e-6.
    reference.close(score, "n_leep", 1e-3);
    let embedding = TaskEmbedding::new(&features, &labels, Logistic::params(), 0).unwrap();
    for (ours, theirs) in embedding.fisher.iter().zip(reference.vector("fisher")) {
        assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
    }
}

#[test]
fn scores_of_predictions() {
    let reference = Reference::read();
    let labels = reference.classes("labels");
    let source = SourceProbabilities::new(reference.matrix("theta")).unwrap();
    reference.close(leep(&source, &labels).unwrap(), "leep", 1e-12);
    reference.close(nce(&source.classes(), &labels).unwrap(), "nce", 1e-12);
}

#[test]
fn distances_of_data_sets() {
    let reference = Reference::read();
    let (features, labels) = (
        Features::from(reference.matrix("features")),
        reference.classes("labels"),
    );
    let (other, of_other) = (
        Features::from(reference.matrix("other")),
        reference.classes("of_other"),
    );
    let distance = otdd((&features, &labels), (&other, &of_other)).unwrap();
    reference.close(distance, "otdd", 1e-9);
    // A set with every row twice is the same distribution.
    let twice = |x: &Features, y: &Labels| {
        let rows: Vec<usize> = (0..x.n_rows()).chain(0..x.n_rows()).collect();
        (x.select_rows(&rows), y.select(&rows))
    };
    let (features, labels) = twice(&features, &labels);
    let distance = otdd((&features, &labels), (&other, &of_other)).unwrap();
    reference.close(distance, "otdd", 1e-9);
}
