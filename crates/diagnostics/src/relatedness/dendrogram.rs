//! Groups of tasks.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::TransferError;

use super::check_pairs;
use crate::silhouette;

/// Tasks joined in pairs of groups, the nearest first: average linkage.
///
/// *When.* Tasks fall into groups that share a model, as Bakker and Heskes' do, and neither the groups nor their number
/// is known. [`TransferGraph::distances`](super::TransferGraph::distances) makes distances of measured transfer.
///
/// # Formula
///
/// $$d(A, B) = \frac{1}{|A|\,|B|} \sum_{i \in A} \sum_{j \in B} d_{ij}$$
///
/// The two groups of the least distance become one, `n − 1` times; the first of equals, by the numbers of the groups.
/// Heights never fall.
///
/// # Shapes and cost
///
/// Distances `n x n`, of which the mean of both triangles counts and the diagonal is not read. O(n³); for some hundred
/// tasks.
///
/// # Errors
///
/// [`TransferError::LengthMismatch`] for a matrix that is not square, [`TransferError::TooFewRows`] below two tasks,
/// [`TransferError::NotFinite`].
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_diagnostics::relatedness::{Dendrogram, Merge};
///
/// let distances = array![[0.0, 4.0, 1.0], [4.0, 0.0, 6.0], [1.0, 6.0, 0.0]];
/// let tree = Dendrogram::average_linkage(&distances)?;
/// // Tasks 0 and 2 make group 3, which is (4 + 6) / 2 from task 1.
/// assert_eq!(tree.merges()[1], Merge { left: 1, right: 3, height: 5.0, size: 3 });
/// assert_eq!(tree.leaves(), [1, 0, 2]);
/// assert_eq!(tree.cut(2)?, array![0, 1, 0]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Sokal, Michener, *A statistical method for evaluating systematic relationships*, University of Kansas Science
/// Bulletin 38, 1958; the choice of the cut: Rousseeuw, *Silhouettes*, Journal of Computational and Applied Mathematics
/// 20, 1987, doi:10.1016/0377-0427(87)90125-7; groups of tasks: Bakker, Heskes, *Task clustering and gating for
/// Bayesian multitask learning*, JMLR 4, 2003.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dendrogram {
    merges: Vec<Merge>,
}

/// Two groups that become one. Groups below the number of tasks are single tasks; the `k`-th merge makes the group of
/// that number plus `k`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Merge {
    /// The group of the lower number.
    pub left: usize,
    /// The other group.
    pub right: usize,
    /// The distance between them.
    pub height: f64,
    /// The number of tasks in both.
    pub size: usize,
}

/// A group that has not been joined yet.
#[derive(Clone, Copy)]
struct Group {
    number: usize,
    size: f64,
}

impl Dendrogram {
    /// Joins tasks by their distances.
    ///
    /// # Errors
    /// See the type.
    pub fn average_linkage(distances: &Array2<f64>) -> Result<Self, TransferError> {
        check_pairs("the distances", distances, 2)?;
        let n = distances.nrows();
        let mut between = 0.5 * (distances + &distances.t());
        // Each row and column of `between` is a group, or has been joined to another.
        let mut groups: Vec<Option<Group>> = (0..n)
            .map(|number| Some(Group { number, size: 1.0 }))
            .collect();
        let mut merges = Vec::with_capacity(n - 1);
        while let Some((a, b)) = nearest(&between, &groups) {
            let (Some(one), Some(other)) = (groups[a], groups[b]) else {
                break;
            };
            let size = one.size + other.size;
            merges.push(Merge {
                left: one.number.min(other.number),
                right: one.number.max(other.number),
                height: between[[a, b]],
                size: size as usize,
            });
            for k in (0..n).filter(|&k| k != a && k != b) {
                let mean = (one.size * between[[a, k]] + other.size * between[[b, k]]) / size;
                (between[[a, k]], between[[k, a]]) = (mean, mean);
            }
            groups[a] = Some(Group {
                number: n + merges.len() - 1,
                size,
            });
            groups[b] = None;
        }
        Ok(Self { merges })
    }

    /// The merges, from the lowest to the highest.
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// The number of tasks.
    pub fn n_tasks(&self) -> usize {
        self.merges.len() + 1
    }

    /// The tasks in an order in which no lines of the drawn tree cross.
    pub fn leaves(&self) -> Vec<usize> {
        let n = self.n_tasks();
        let mut leaves = Vec::with_capacity(n);
        let mut open = vec![n + self.merges.len() - 1];
        while let Some(group) = open.pop() {
            match group.checked_sub(n) {
                None => leaves.push(group),
                Some(merge) => open.extend([self.merges[merge].right, self.merges[merge].left]),
            }
        }
        leaves
    }

    /// The group of each task when the highest merges are undone until there are `n_groups`; numbered by their first
    /// tasks.
    ///
    /// # Errors
    /// [`TransferError::InvalidParameter`] for no group or more than there are tasks.
    pub fn cut(&self, n_groups: usize) -> Result<Array1<usize>, TransferError> {
        let n = self.n_tasks();
        if !(1..=n).contains(&n_groups) {
            return Err(TransferError::InvalidParameter {
                name: "n_groups".to_owned(),
                value: n_groups.to_string(),
                range: format!("integer in [1, {n}]"),
            });
        }
        let mut members: Vec<Vec<usize>> = (0..n).map(|task| vec![task]).collect();
        for merge in &self.merges[..n - n_groups] {
            let joined = [&*members[merge.left], &*members[merge.right]].concat();
            (members[merge.left], members[merge.right]) = (Vec::new(), Vec::new());
            members.push(joined);
        }
        members.retain(|group| !group.is_empty());
        members.sort_by_key(|group| group.iter().copied().min());
        let mut groups = Array1::zeros(n);
        for (number, group) in members.iter().enumerate() {
            group.iter().for_each(|&task| groups[task] = number);
        }
        Ok(groups)
    }

    /// The cut whose groups lie furthest apart for their size, by the mean silhouette of the distances, and that
    /// silhouette: between 2 groups and one less than there are tasks; the fewest of equals.
    ///
    /// # Errors
    /// [`TransferError::LengthMismatch`] for distances of another number of tasks, [`TransferError::TooFewRows`] below
    /// three.
    pub fn best_cut(&self, distances: &Array2<f64>) -> Result<(Array1<usize>, f64), TransferError> {
        check_pairs("the distances", distances, 3)?;
        let n = self.n_tasks();
        if distances.nrows() != n {
            return Err(TransferError::LengthMismatch {
                left: "the tree".to_owned(),
                left_len: n,
                right: "the distances".to_owned(),
                right_len: distances.nrows(),
            });
        }
        let mean = 0.5 * (distances + &distances.t());
        let mut best = (self.cut(2)?, f64::NEG_INFINITY);
        for n_groups in 2..n {
            let groups = self.cut(n_groups)?;
            let score = silhouette::of_distances(&mean, &groups)?;
            if score > best.1 {
                best = (groups, score);
            }
        }
        Ok(best)
    }
}

/// The two groups of the least distance, the first of equals by their numbers.
fn nearest(between: &Array2<f64>, groups: &[Option<Group>]) -> Option<(usize, usize)> {
    let mut best: Option<(f64, [usize; 2], (usize, usize))> = None;
    for a in 0..groups.len() {
        for b in a + 1..groups.len() {
            if let (Some(one), Some(other)) = (groups[a], groups[b]) {
                let numbers = [one.number.min(other.number), one.number.max(other.number)];
                let found = (between[[a, b]], numbers);
                if best.is_none_or(|(distance, of_best, _)| found < (distance, of_best)) {
                    best = Some((found.0, numbers, (a, b)));
                }
            }
        }
    }
    best.map(|(_, _, pair)| pair)
}
