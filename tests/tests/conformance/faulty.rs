//! Methods with one fault each: the law it breaks must see it, or the law proves nothing.

use ndarray::{Array1, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Family, Features, Fitted, Labels, Law, LearnerNeed, MethodInfo, Needs, Outputs,
    Prediction, Predictor, Sample, Trace, TransferError, TransferModel, TransferProblem, What,
    transfer_method,
};
use translearn_learners::Ridge;
use translearn_tests::laws::breaches;

use crate::registry;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Fault {
    /// Moves target rows, whatever the source looks like.
    MovesTarget,
    /// Weighs rows by their place.
    WeighsByPlace,
    /// Reports weights that are not those of one sample.
    ReportsWeights,
    /// Prefers class 0.
    PrefersClassZero,
    /// Computes with the number of threads.
    CountsThreads,
    /// Forgets a part of itself when saved.
    Forgets,
    /// Centres the rows to be predicted on their own mean.
    CentresBatch,
    /// Inverts a Gram matrix of more columns than rows.
    NeedsTallData,
    /// Divides by the standard deviation of a column.
    DividesByDeviation,
    /// Predicts the last class whether it occurs or not.
    PredictsLastClass,
}

#[derive(Debug, Serialize, Deserialize)]
struct FaultyModel {
    predictor: Box<dyn Predictor>,
    fault: Fault,
    scale: Array1<f64>,
    #[serde(skip)]
    offset: f64,
}

impl FaultyModel {
    fn predict_moved(&self, rows: &Features, by: f64) -> Result<Prediction, TransferError> {
        let mut x = rows.dense()?.into_owned() + by + self.offset;
        if self.fault == Fault::CentresBatch {
            x -= &x.mean_axis(Axis(0)).unwrap();
        }
        if self.fault == Fault::DividesByDeviation {
            x /= &self.scale;
        }
        let mut prediction = self.predictor.predict(&x.into())?;
        if let (Fault::PredictsLastClass, Labels::Classes(codes), Some(scores)) =
            (self.fault, &mut prediction.labels, &prediction.scores)
        {
            codes.fill(scores.matrix().ncols() - 1);
        }
        Ok(prediction)
    }
}

#[typetag::serde]
impl TransferModel for FaultyModel {
    fn predict(&self, target: &Features) -> Result<Prediction, TransferError> {
        self.predict_moved(
            target,
            if self.fault == Fault::MovesTarget {
                0.5
            } else {
                0.0
            },
        )
    }

    fn predict_source(&self, source: &Features) -> Result<Prediction, TransferError> {
        self.predict_moved(source, 0.0)
    }
}

fn fit(
    fault: Fault,
    learner: &BaseLearner,
    problem: &TransferProblem,
    seed: u64,
) -> Result<Fitted, TransferError> {
    let source = problem.source()?;
    let (n, d) = (source.features.n_rows(), source.features.n_columns());
    let weights = Array1::from_shape_fn(n, |row| match (fault, &*source.labels) {
        (Fault::WeighsByPlace, _) => 1.0 + row as f64,
        (Fault::CountsThreads, _) => 1.0 + (row % 2 * rayon::current_num_threads()) as f64,
        (Fault::PrefersClassZero, Labels::Classes(codes)) if codes[row] == 0 => 3.0,
        _ => 1.0,
    });
    let x = source.features.dense()?;
    if fault == Fault::NeedsTallData && d > n {
        return Err(TransferError::TooFewRows {
            what: "the source".into(),
            rows: n,
            needed: d,
        });
    }
    let sample = Sample::new(&source.features, &source.labels, problem.n_classes())?;
    let predictor = learner.fit_boxed(&sample.with_weights(&weights)?, seed)?;
    let offset = if fault == Fault::Forgets { 0.3 } else { 0.0 };
    let reported = Array1::from_shape_fn(n, |row| if row == 0 { 1.5 } else { 1.0 });
    let trace = Trace {
        source_weights: (fault == Fault::ReportsWeights).then_some(reported),
        ..Trace::default()
    };
    let model = FaultyModel {
        predictor,
        fault,
        scale: x.std_axis(Axis(0), 0.0),
        offset,
    };
    Ok(Fitted {
        model: Box::new(model),
        trace,
    })
}

macro_rules! faulty {
    ($params:ident, $info:ident) => {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct $params {
            #[serde(skip, default = "ridge")]
            learner: BaseLearner,
        }

        impl Default for $params {
            fn default() -> Self {
                Self { learner: ridge() }
            }
        }

        static $info: MethodInfo = MethodInfo {
            name: stringify!($params),
            title: "Faulty",
            family: Family::Feature,
            what: What::Nothing,
            needs: Needs {
                target_labels: false,
                same_features: true,
                outputs: Outputs::Both,
                sparse: false,
                images: false,
                learner: LearnerNeed::Weighted,
            },
            parameters: &[],
            exemptions: &[],
            reference: "",
        };

        transfer_method!($params, $info, |method, problem, seed| {
            fit(Fault::$params, &method.learner, problem, seed)
        });
    };
}

fn ridge() -> BaseLearner {
    Ridge::params().into()
}

faulty!(MovesTarget, MOVES_TARGET);
faulty!(WeighsByPlace, WEIGHS_BY_PLACE);
faulty!(ReportsWeights, REPORTS_WEIGHTS);
faulty!(PrefersClassZero, PREFERS_CLASS_ZERO);
faulty!(CountsThreads, COUNTS_THREADS);
faulty!(Forgets, FORGETS);
faulty!(CentresBatch, CENTRES_BATCH);
faulty!(NeedsTallData, NEEDS_TALL_DATA);
faulty!(DividesByDeviation, DIVIDES_BY_DEVIATION);
faulty!(PredictsLastClass, PREDICTS_LAST_CLASS);

#[test]
fn every_law_sees_its_fault() {
    let registry = registry()
        .with::<MovesTarget>()
        .with::<WeighsByPlace>()
        .with::<ReportsWeights>()
        .with::<PrefersClassZero>()
        .with::<CountsThreads>()
        .with::<Forgets>()
        .with::<CentresBatch>()
        .with::<NeedsTallData>()
        .with::<DividesByDeviation>()
        .with::<PredictsLastClass>();
    let faults = [
        ("MovesTarget", Law::IdenticalDomains),
        ("ReportsWeights", Law::IdenticalDomains),
        ("PredictsLastClass", Law::IdenticalDomains),
        ("WeighsByPlace", Law::RowPermutation),
        ("PrefersClassZero", Law::LabelRenaming),
        ("CountsThreads", Law::SeedDeterminism),
        ("Forgets", Law::SaveLoad),
        ("CentresBatch", Law::SingleRow),
        ("NeedsTallData", Law::WideData),
        ("DividesByDeviation", Law::ConstantColumn),
        ("PredictsLastClass", Law::MissingClass),
    ];
    for (name, law) in faults {
        let found = breaches(law, &registry, registry.method(name).unwrap());
        assert!(!found.is_empty(), "{law:?} does not see {name}");
    }
    // And only the fault is seen: the same method without it keeps every law.
    for (name, law) in [
        ("Forgets", Law::WideData),
        ("MovesTarget", Law::SeedDeterminism),
        ("CountsThreads", Law::SaveLoad),
    ] {
        assert_eq!(
            breaches(law, &registry, registry.method(name).unwrap()),
            Vec::<String>::new()
        );
    }
}
