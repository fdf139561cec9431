//! The rounds in which a machine for one class against the others comes from the source to the target.

use ndarray::{Array1, s};
use translearn_core::{
    BaseLearner, Features, Labels, Prediction, Predictor, Sample, Scores, TransferError,
};

use super::DasvmParams;
use crate::instance::pseudo_labels::largest;

/// What rounding may add to a margin.
const ROUNDING: f64 = 1e-9;

/// The rows of a problem as the machines of all classes share them.
pub(super) struct Rows<'a> {
    pub(super) source: &'a Features,
    pub(super) n_known: usize,
    pub(super) target: &'a Features,
    /// Source rows, target rows of known class, and the other target rows twice: on the other side of the margin, then
    /// on the side of the machine's class.
    pub(super) all: &'a Features,
}

/// A machine that has left the source, and what its rounds were.
pub(super) struct Adapted {
    pub(super) machine: Box<dyn Predictor>,
    pub(super) rounds: Vec<Round>,
}

/// The rows that a round's machine was fitted on, and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Round {
    /// Source rows learned from.
    pub(super) source: usize,
    /// Target rows learned from with the side they were given.
    pub(super) taken: usize,
    /// Those among them that the machine puts on the other side.
    pub(super) released: usize,
    /// Target rows that the machine puts on the side of its class.
    pub(super) inside: usize,
}

/// A target row that is learned from: the side it was given, and how many rounds ago.
#[derive(Debug, Clone, Copy)]
struct SemiLabelled {
    inside: bool,
    age: usize,
}

/// What a machine says must change before the next one.
struct Change {
    /// Target rows to learn from, outside and inside of the class.
    enter: [Vec<usize>; 2],
    /// Target rows whose side was another.
    release: Vec<usize>,
    /// Source rows to forget.
    leave: Vec<usize>,
}

/// Which rows are learned from.
struct Stock<'a> {
    method: &'a DasvmParams,
    n_known: usize,
    source: Vec<bool>,
    target: Vec<Option<SemiLabelled>>,
}

impl DasvmParams {
    /// Leads a machine from the source to the target; `known` says which source rows, then which target rows of known
    /// class, are of its class.
    pub(super) fn adapt(
        &self,
        learner: &BaseLearner,
        rows: &Rows<'_>,
        known: &[bool],
        seed: u64,
    ) -> Result<Adapted, TransferError> {
        let n_target = rows.target.n_rows();
        let sides = [false, true]
            .into_iter()
            .flat_map(|side| vec![side; n_target]);
        let sides: Vec<bool> = known.iter().copied().chain(sides).collect();
        let labels = Labels::Classes(sides.iter().map(|&inside| usize::from(inside)).collect());
        let refit = learner.refit(&Sample::new(rows.all, &labels, 2)?)?;
        let of_both_sides = |weights: &Array1<f64>| {
            let has = |wanted| {
                sides
                    .iter()
                    .zip(weights)
                    .any(|(&side, &weight)| side == wanted && weight > 0.0)
            };
            has(false) && has(true)
        };
        let mut stock = Stock {
            method: self,
            n_known: rows.n_known,
            source: vec![true; rows.source.n_rows()],
            target: vec![None; n_target],
        };
        let mut machine = refit.fit_weighted(&stock.weights(0), seed)?;
        let mut rounds = Vec::new();
        if n_target == 0 {
            return Ok(Adapted { machine, rounds });
        }
        for round in 1..=self.max_rounds {
            let of_target = margins(&machine.predict(rows.target)?);
            let change = stock.change(&margins(&machine.predict(rows.source)?), &of_target);
            rounds.push(stock.round(&of_target, &change));
            if stock.settled(&change) {
                break;
            }
            stock.apply(change);
            let weights = stock.weights(round);
            if !of_both_sides(&weights) {
                break;
            }
            machine = refit.fit_weighted(&weights, seed)?;
        }
        stock.leave_source(&margins(&machine.predict(rows.target)?));
        let weights = stock.weights(usize::MAX);
        if of_both_sides(&weights) {
            machine = refit.fit_weighted(&weights, seed)?;
        }
        Ok(Adapted { machine, rounds })
    }

    /// How far the weights have come after some rounds, from 0 to 1.
    fn growth(&self, rounds: usize) -> f64 {
        (rounds as f64 / self.growth_rounds as f64).min(1.0).powi(2)
    }
}

impl Stock<'_> {
    fn change(&self, of_source: &Array1<f64>, of_target: &Array1<f64>) -> Change {
        let k = self.method.k;
        let enter = [false, true].map(|inside| {
            let enters = |&row: &usize| {
                self.target[row].is_none()
                    && is_inside(of_target[row]) == inside
                    && of_target[row].abs() <= 1.0 + ROUNDING
            };
            let band = (0..of_target.len()).filter(enters).collect();
            largest(band, |row| of_target[row].abs(), k)
        });
        let none_enters = enter.iter().all(Vec::is_empty);
        let leaving = |inside: bool| {
            let stays = |&row: &usize| self.source[row] && is_inside(of_source[row]) == inside;
            let side = (0..of_source.len()).filter(stays).collect();
            let count = if none_enters {
                k
            } else {
                enter[usize::from(inside)].len()
            };
            largest(side, |row| of_source[row].abs(), count)
        };
        let leave = [leaving(false), leaving(true)].concat();
        let contradicted = |&row: &usize| {
            self.target[row].is_some_and(|of| of.inside != is_inside(of_target[row]))
        };
        Change {
            release: (0..of_target.len()).filter(contradicted).collect(),
            enter,
            leave,
        }
    }

    fn round(&self, of_target: &Array1<f64>, change: &Change) -> Round {
        Round {
            source: self.source.iter().filter(|&&stays| stays).count(),
            taken: self.target.iter().flatten().count(),
            released: change.release.len(),
            inside: of_target
                .iter()
                .filter(|&&margin| is_inside(margin))
                .count(),
        }
    }

    /// Whether the source is gone and next to nothing would change.
    fn settled(&self, change: &Change) -> bool {
        let limit = (self.method.beta * self.target.len() as f64 - ROUNDING).ceil();
        let few = |rows: usize| rows as f64 <= limit.max(0.0);
        !self.source.contains(&true)
            && few(change.enter.iter().map(Vec::len).sum())
            && few(change.release.len())
    }

    fn apply(&mut self, change: Change) {
        self.target.iter_mut().flatten().for_each(|of| of.age += 1);
        change
            .release
            .into_iter()
            .for_each(|row| self.target[row] = None);
        for (rows, inside) in change.enter.into_iter().zip([false, true]) {
            let entered = Some(SemiLabelled { inside, age: 0 });
            rows.into_iter().for_each(|row| self.target[row] = entered);
        }
        change
            .leave
            .into_iter()
            .for_each(|row| self.source[row] = false);
    }

    /// Learns from all target rows, as a machine answers them, and from no source row.
    fn leave_source(&mut self, of_target: &Array1<f64>) {
        self.source.fill(false);
        let answered = of_target.iter().map(|&margin| {
            Some(SemiLabelled {
                inside: is_inside(margin),
                age: usize::MAX,
            })
        });
        self.target = answered.collect();
    }

    /// The weight of each of [`Rows::all`] in the machine after some rounds.
    fn weights(&self, rounds: usize) -> Array1<f64> {
        let (n_source, n_target) = (self.source.len(), self.target.len());
        let first = n_source + self.n_known;
        let rise = 1.0 - self.method.initial_weight;
        let mut weights = Array1::zeros(first + 2 * n_target);
        for (weight, _) in weights
            .iter_mut()
            .zip(&self.source)
            .filter(|&(_, &stays)| stays)
        {
            *weight = 1.0 - rise * self.method.growth(rounds);
        }
        weights.slice_mut(s![n_source..first]).fill(1.0);
        for (row, of) in self.target.iter().enumerate() {
            if let Some(of) = of {
                let place = first + row + if of.inside { n_target } else { 0 };
                weights[place] = self.method.initial_weight + rise * self.method.growth(of.age);
            }
        }
        weights
    }
}

fn is_inside(margin: f64) -> bool {
    margin > 0.0
}

/// How far each row lies on the side of the machine's class: the decision value, the logarithm of the odds, or ±1 where
/// a learner has no scores.
pub(super) fn margins(prediction: &Prediction) -> Array1<f64> {
    let logarithm = |p: f64| p.max(f64::MIN_POSITIVE).ln();
    match (&prediction.scores, &prediction.labels) {
        (Some(Scores::Probabilities(p)), _) => (p.rows().into_iter())
            .map(|row| logarithm(row[1]) - logarithm(row[0]))
            .collect(),
        (Some(Scores::Decision(values)), _) => (values.rows().into_iter())
            .map(|row| (row[1] - row[0]) / 2.0)
            .collect(),
        (None, Labels::Classes(sides)) => sides.mapv(|side| 2.0 * side as f64 - 1.0),
        (None, Labels::Values(values)) => values.clone(),
    }
}
