//! Which of two predictions the rows around a row speak for.

use ndarray::{Array2, ArrayView1, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, Labels, TransferError, TransferProblem,
    distance::nearest_others,
    kernel::ResolvedKernel,
    linalg::{column_means, eigh_largest, gram, matmul},
    seed, setters,
};

use crate::check::check_count;
use crate::row_order::by_value_and_label;

/// The gain of a method over a baseline as the neighbours of disputed target rows see it, without their labels.
///
/// *When.* Few target rows have a label and many have none. Rows that lie close together mostly share a class, so that of
/// two predictions the one that fits the rows around it is the likelier. The vote errs where they do not: noise, classes that
/// lie across the groups of rows. It says nothing of rows on which both are wrong together.
///
/// # Formula
///
/// A target row is *disputed* where method and baseline predict different classes. All others vote: those with a label for
/// it, those without for the class that both predict. With `Aᵢ` votes for the method's class and `Bᵢ` for the baseline's among the
/// `k` nearest other target rows of a disputed row `i`,
///
/// $$v = \frac1n \sum_{i \text{ disputed}} \frac{A_i - B_i}{A_i + B_i + 1}$$
///
/// over the `n` rows without a label: between minus and plus the share that is disputed. The distance is Euclidean in the
/// first `p` principal components of the target rows.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_components` | 10 | integer ≥ 1 | `p`; rows of no more columns stay as they are |
/// | `n_neighbors` | 20 | integer ≥ 1 | `k`; at most all others |
/// | `n_rows` | 2000 | integer ≥ 2 | of more target rows so many are drawn; those with a label are kept, up to half of it |
///
/// # Shapes and cost
///
/// For n drawn rows of d columns O(n d min(n, d) + min(n, d)³ + n² p), once for all methods; O(n k) for each. The rows and
/// min(n, d)² numbers are held; sparse rows become dense where they have no more columns than there are rows.
///
/// # Errors
///
/// [`TransferError::InvalidParameter`], [`TransferError::LengthMismatch`] for predictions of other rows, and those of the
/// decomposition where numbers are too large.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::{Array1, Array2};
/// use translearn_core::{Labels, TransferProblem};
/// use translearn_diagnostics::negative::NeighbourVote;
///
/// // Two groups of target rows, apart from each other.
/// let x = Array2::from_shape_fn((20, 1), |(row, _)| row as f64 + if row < 10 { 0.0 } else { 50.0 });
/// let source = DatasetBase::new(x.clone(), Array1::from_shape_fn(20, |row| usize::from(row >= 10)));
/// let problem = TransferProblem::new(&source, &DatasetBase::from(x))?;
/// // The method parts the groups, the baseline cuts through one of them.
/// let cut = |at: usize| Labels::Classes(Array1::from_shape_fn(20, |row| usize::from(row >= at)));
/// let vote = NeighbourVote::default().n_neighbors(9).measure(&problem, &cut(8), &cut(10), 0)?;
/// // Both disputed rows have eight votes for the method, and none against.
/// assert!((vote.unwrap_or(0.0) - 2.0 * (8.0 / 9.0) / 20.0).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// The idea that a classification is the better the fewer close rows it parts is that of Blum, Chawla, *Learning from labeled
/// and unlabeled data using graph mincuts*, ICML 2001; that two predictions are weighed by it is ours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NeighbourVote {
    n_components: usize,
    n_neighbors: usize,
    n_rows: usize,
}

impl Default for NeighbourVote {
    fn default() -> Self {
        Self {
            n_components: 10,
            n_neighbors: 20,
            n_rows: 2000,
        }
    }
}

setters!(NeighbourVote {
    /// Sets the number of principal components.
    n_components: usize,
    /// Sets the number of neighbours.
    n_neighbors: usize,
    /// Sets how many rows are drawn of more.
    n_rows: usize,
});

/// Target rows with their neighbours: those who vote on any two predictions.
#[derive(Debug)]
pub(crate) struct Electorate {
    voters: Vec<Voter>,
    /// The numbers of each voter's neighbours among the voters, a row each.
    neighbours: Array2<usize>,
    /// How many of them have no label.
    n_unlabelled: usize,
    /// How many target rows have none: predictions are theirs.
    n_predicted: usize,
}

/// A target row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voter {
    /// Its class.
    Labelled(usize),
    /// Its place among the rows without a label.
    Unlabelled(usize),
}

impl NeighbourVote {
    /// The vote on two predictions of the target rows without a label, in their order. `None` where there is nothing to vote
    /// on or nobody to vote: values, images, no row without a label, a single row. The seed draws the rows.
    ///
    /// # Errors
    /// See the type.
    pub fn measure(
        &self,
        problem: &TransferProblem,
        baseline: &Labels,
        method: &Labels,
        seed: u64,
    ) -> Result<Option<f64>, TransferError> {
        let electorate = self.electorate(problem, seed)?;
        electorate
            .map(|electorate| electorate.vote(baseline, method))
            .transpose()
    }

    /// The rows that vote, and their neighbours.
    pub(crate) fn electorate(
        &self,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<Option<Electorate>, TransferError> {
        self.check()?;
        let all = problem.target_features();
        if problem.n_classes() == 0 || matches!(all, Features::Images(_)) {
            return Ok(None);
        }
        let voters = voters(problem)?;
        // Of equal rows those with a label first, so that the order of the file changes nothing.
        let rank = |voter: &Voter| match voter {
            Voter::Labelled(class) => *class,
            Voter::Unlabelled(_) => usize::MAX,
        };
        let ranks = Labels::Classes(voters.iter().map(rank).collect());
        let order = by_value_and_label(all, &ranks);
        let order = self.draw(order, &voters, seed);
        let voters: Vec<Voter> = order.iter().map(|&row| voters[row]).collect();
        let is_unlabelled = |voter: &&Voter| matches!(voter, Voter::Unlabelled(_));
        let n_unlabelled = voters.iter().filter(is_unlabelled).count();
        if n_unlabelled == 0 || voters.len() < 2 {
            return Ok(None);
        }
        let places = self.coordinates(&all.select_rows(&order))?;
        let k = self.n_neighbors.min(voters.len() - 1);
        Ok(Some(Electorate {
            neighbours: nearest_others(&places.into(), k)?.indices,
            voters,
            n_unlabelled,
            n_predicted: all.n_rows() - problem.target_task().rows.len(),
        }))
    }

    /// `n_rows` of the rows, with those that have a label, up to half of it; all rows, where there are no more.
    fn draw(&self, order: Vec<usize>, voters: &[Voter], seed: u64) -> Vec<usize> {
        if order.len() <= self.n_rows {
            return order;
        }
        let mut rng = seed::rng(seed);
        let is_labelled = |row: &usize| matches!(voters[*row], Voter::Labelled(_));
        let (labelled, others): (Vec<usize>, Vec<usize>) = order.into_iter().partition(is_labelled);
        let n_labelled = labelled.len().min(self.n_rows / 2);
        let mut drawn = |rows: &[usize], n: usize| -> Vec<usize> {
            rng.choose(rows.len(), n)
                .into_iter()
                .map(|at| rows[at])
                .collect()
        };
        let mut rows = drawn(&labelled, n_labelled);
        rows.extend(drawn(&others, self.n_rows - n_labelled));
        rows
    }

    /// The first principal components of rows.
    fn coordinates(&self, rows: &Features) -> Result<Array2<f64>, TransferError> {
        let (n, d) = (rows.n_rows(), rows.n_columns());
        if d <= self.n_components {
            return Ok(rows.dense()?.into_owned());
        }
        if d <= n {
            let x = rows.dense()?;
            let x = &*x - &column_means(&*x).unwrap_or_default();
            let (_, directions) = eigh_largest(&gram(&x), self.n_components)?;
            return Ok(matmul(&x, &directions)?);
        }
        // From the products of rows, whose eigenvectors are the components to scale.
        let mut products = ResolvedKernel::Linear.gram(rows)?;
        let means = column_means(&products).unwrap_or_default();
        let mean = means.mean().unwrap_or_default();
        products -= &means;
        products -= &means.insert_axis(Axis(1));
        products += mean;
        let (variances, components) = eigh_largest(&products, self.n_components.min(n))?;
        Ok(components * &variances.mapv(|variance| variance.max(0.0).sqrt()))
    }

    pub(super) fn check(&self) -> Result<(), TransferError> {
        check_count("n_components", self.n_components, 1)?;
        check_count("n_neighbors", self.n_neighbors, 1)?;
        check_count("n_rows", self.n_rows, 2)
    }
}

/// What each target row is, in their order.
fn voters(problem: &TransferProblem) -> Result<Vec<Voter>, TransferError> {
    let task = problem.target_task();
    let classes = task.labels.classes("a vote on classes")?;
    let mut labels = vec![None; problem.target_features().n_rows()];
    for (&row, &class) in task.rows.iter().zip(classes) {
        labels[row] = Some(class);
    }
    let mut place = 0;
    let voter = |label: Option<usize>| match label {
        Some(class) => Voter::Labelled(class),
        None => {
            place += 1;
            Voter::Unlabelled(place - 1)
        }
    };
    Ok(labels.into_iter().map(voter).collect())
}

impl Electorate {
    /// The vote on two predictions of all target rows without a label.
    pub(crate) fn vote<'a>(
        &self,
        baseline: &'a Labels,
        method: &'a Labels,
    ) -> Result<f64, TransferError> {
        let classes = |what: &'static str, labels: &'a Labels| {
            let classes = labels.classes(what)?;
            if classes.len() == self.n_predicted {
                return Ok(classes);
            }
            Err(TransferError::LengthMismatch {
                left: "the target rows without a label".to_owned(),
                left_len: self.n_predicted,
                right: what.to_owned(),
                right_len: classes.len(),
            })
        };
        let baseline = classes("the baseline's prediction", baseline)?;
        let method = classes("the method's prediction", method)?;
        // The class a row votes for; none where it is disputed.
        let ballot = |voter: Voter| match voter {
            Voter::Labelled(class) => Some(class),
            Voter::Unlabelled(place) => {
                (baseline[place] == method[place]).then_some(baseline[place])
            }
        };
        let side = |(&voter, neighbours): (&Voter, ArrayView1<'_, usize>)| {
            let Voter::Unlabelled(place) = voter else {
                return 0.0;
            };
            if baseline[place] == method[place] {
                return 0.0;
            }
            let votes = neighbours.iter().filter_map(|&at| ballot(self.voters[at]));
            let (mut against, mut with) = (0.0, 0.0);
            for class in votes {
                against += f64::from(u8::from(class == baseline[place]));
                with += f64::from(u8::from(class == method[place]));
            }
            (with - against) / (with + against + 1.0)
        };
        let sides = self.voters.iter().zip(self.neighbours.outer_iter());
        Ok(sides.map(side).sum::<f64>() / self.n_unlabelled as f64)
    }
}
