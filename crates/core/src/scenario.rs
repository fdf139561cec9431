//! Which of the four differences of Pan & Yang hold between source and target, each with its evidence.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::{
    Features, LabelSpace, Labelled, Labels, TransferError, TransferProblem,
    distance::{nearest, nearest_others},
    kernel::Kernel,
    seed::{self, Rng},
};

/// Tests use at most this many rows of each domain.
const TEST_ROWS: usize = 200;
const PERMUTATIONS: usize = 999;
/// A test speaks when its p-value is at most this.
const LEVEL: f64 = 0.05;

/// The four differences between a source and a target: by structure where structure decides, by a test with a p-value
/// where only data can.
///
/// | difference | decided by |
/// |---|---|
/// | feature space 𝒳 | number of features |
/// | marginal P(X) | unbiased MMD² (Gaussian kernel, median heuristic), 999 permutations |
/// | label space 𝒴 | the classes |
/// | conditional P(Y given X) | loss of the nearest source label on labelled target rows against the loss of the nearest other source label on source rows, 999 permutations, one-sided |
///
/// Images have no distances, so neither test is for them: both differences are then undecidable. Turned into vectors by
/// a network, they can be tested.
///
/// A test that does not reject shows nothing, and says so. The last test also reacts to target rows far from all source
/// rows, where neighbours mean little; read it beside the second.
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::Array2;
/// use translearn_core::{Finding, Scenario, TransferProblem};
///
/// let x = Array2::from_shape_fn((40, 1), |(i, _)| i as f64);
/// let source = DatasetBase::new(x.clone(), x.column(0).mapv(|v| usize::from(v > 20.0)));
/// let target = DatasetBase::from(x + 100.0);
/// let scenario = Scenario::of(&TransferProblem::new(&source, &target)?, 0)?;
/// assert_eq!(scenario.marginal.finding, Finding::Differs);
/// assert_eq!(scenario.feature_space.finding, Finding::Same);
/// assert_eq!(scenario.conditional.finding, Finding::Undecidable);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// 𝒳 of source and target.
    pub feature_space: Difference,
    /// P(X) of source and target.
    pub marginal: Difference,
    /// 𝒴 of source and target.
    pub label_space: Difference,
    /// P(Y | X) of source and target.
    pub conditional: Difference,
}

/// One difference, whether it was found, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// What was found.
    pub finding: Finding,
    /// What it rests on.
    pub evidence: Evidence,
}

/// What was found about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// There is a difference.
    Differs,
    /// There is none.
    Same,
    /// A test did not show one; there may still be one.
    NotShown,
    /// Nothing at hand can decide it.
    Undecidable,
}

/// What a finding rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The structure of the problem.
    Structure(String),
    /// A permutation test.
    Test {
        /// Its name.
        name: String,
        /// Its statistic.
        statistic: f64,
        /// Its p-value.
        p_value: f64,
        /// Rows used of the source.
        n_source: usize,
        /// Rows used of the target.
        n_target: usize,
    },
    /// The reason why nothing decides.
    Missing(String),
}

impl Scenario {
    /// The scenario of a problem, several sources pooled. The seed draws the rows and the permutations of the tests.
    ///
    /// # Errors
    /// As [`TransferProblem::source`].
    pub fn of(problem: &TransferProblem, seed: u64) -> Result<Self, TransferError> {
        let same_features = problem.check_same_features().is_ok();
        let (marginal, conditional) = if !same_features {
            (
                missing("the domains have no common features to compare"),
                missing("the domains have no common features to find neighbours in"),
            )
        } else if problem.target_features().is_images() {
            let reason = "images have no distances; turn them into vectors first";
            (missing(reason), missing(reason))
        } else {
            (
                marginal(problem, seed::derive(seed, &["marginal"]))?,
                conditional(problem, seed::derive(seed, &["conditional"]))?,
            )
        };
        Ok(Self {
            feature_space: feature_space(problem, same_features),
            marginal,
            label_space: label_space(problem),
            conditional,
        })
    }
}

fn structure(differs: bool, text: String) -> Difference {
    let finding = if differs {
        Finding::Differs
    } else {
        Finding::Same
    };
    Difference {
        finding,
        evidence: Evidence::Structure(text),
    }
}

fn missing(reason: &str) -> Difference {
    Difference {
        finding: Finding::Undecidable,
        evidence: Evidence::Missing(reason.to_owned()),
    }
}

fn feature_space(problem: &TransferProblem, same: bool) -> Difference {
    let target = problem.target_domain();
    let widths: Vec<String> = problem
        .sources()
        .iter()
        .map(|(domain, _)| domain)
        .chain([target])
        .map(|domain| match &domain.features {
            Features::Images(_) => format!("{} has images", domain.name),
            vectors => format!("{} has {} features", domain.name, vectors.n_columns()),
        })
        .collect();
    structure(!same, widths.join(", "))
}

fn label_space(problem: &TransferProblem) -> Difference {
    let describe = |space: &LabelSpace| match space {
        LabelSpace::Classes(names) => format!("{} classes", names.len()),
        LabelSpace::Real => "real values".to_owned(),
    };
    let target = problem.label_space();
    match problem
        .sources()
        .iter()
        .find(|(_, task)| task.space != *target)
    {
        None => structure(false, format!("{} on all sides", describe(target))),
        Some((domain, task)) => structure(
            true,
            format!(
                "{} has {} and {} has {}",
                domain.name,
                describe(&task.space),
                problem.target_domain().name,
                describe(target)
            ),
        ),
    }
}

/// At most [`TEST_ROWS`] rows, drawn without replacement, in ascending order.
fn drawn(n: usize, rng: &mut Rng) -> Vec<usize> {
    let mut rows = if n <= TEST_ROWS {
        (0..n).collect()
    } else {
        rng.choose(n, TEST_ROWS)
    };
    rows.sort_unstable();
    rows
}

fn marginal(problem: &TransferProblem, seed: u64) -> Result<Difference, TransferError> {
    let mut rng = seed::rng(seed);
    let mut source = problem.sources()[0].0.features.clone();
    for (domain, _) in &problem.sources()[1..] {
        source = source.stack(&domain.features)?;
    }
    let source = source.select_rows(&drawn(source.n_rows(), &mut rng));
    let target = problem.target_features();
    let target = target.select_rows(&drawn(target.n_rows(), &mut rng));
    let (n_source, n_target) = (source.n_rows(), target.n_rows());
    if n_source < 2 || n_target < 2 {
        return Ok(missing("a two-sample test needs two rows of each domain"));
    }
    let Some(k) = gram(&source.stack(&target)?)? else {
        return Ok(structure(false, "all rows are the same".to_owned()));
    };
    let mut from_source: Vec<bool> = (0..n_source + n_target).map(|row| row < n_source).collect();
    let statistic = unbiased_mmd(&k, &from_source);
    let as_extreme = (0..PERMUTATIONS)
        .filter(|_| {
            rng.shuffle(&mut from_source);
            unbiased_mmd(&k, &from_source) >= statistic
        })
        .count();
    Ok(tested(
        "unbiased MMD²",
        statistic,
        as_extreme,
        n_source,
        n_target,
    ))
}

/// The Gaussian kernel matrix with the median heuristic; `None` when no two rows differ.
fn gram(rows: &Features) -> Result<Option<Array2<f64>>, TransferError> {
    match (Kernel::Rbf { gamma: None }).resolve(&[rows]) {
        Ok(kernel) => kernel.gram(rows).map(Some),
        Err(TransferError::Unsupported { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `Σ_{i≠j} k(s_i, s_j) / (n(n-1)) + Σ_{i≠j} k(t_i, t_j) / (m(m-1)) - 2 Σ k(s_i, t_j) / (nm)`.
fn unbiased_mmd(k: &Array2<f64>, from_source: &[bool]) -> f64 {
    let (mut within_source, mut within_target, mut between) = (0.0, 0.0, 0.0);
    for (i, row) in k.outer_iter().enumerate() {
        for (j, &value) in row.iter().enumerate().take(i) {
            match (from_source[i], from_source[j]) {
                (true, true) => within_source += value,
                (false, false) => within_target += value,
                _ => between += value,
            }
        }
    }
    let n = from_source.iter().filter(|&&source| source).count() as f64;
    let m = from_source.len() as f64 - n;
    2.0 * within_source / (n * (n - 1.0)) + 2.0 * within_target / (m * (m - 1.0))
        - 2.0 * between / (n * m)
}

fn tested(
    name: &str,
    statistic: f64,
    as_extreme: usize,
    n_source: usize,
    n_target: usize,
) -> Difference {
    let p_value = (as_extreme + 1) as f64 / (PERMUTATIONS + 1) as f64;
    Difference {
        finding: if p_value <= LEVEL {
            Finding::Differs
        } else {
            Finding::NotShown
        },
        evidence: Evidence::Test {
            name: name.to_owned(),
            statistic,
            p_value,
            n_source,
            n_target,
        },
    }
}

fn conditional(problem: &TransferProblem, seed: u64) -> Result<Difference, TransferError> {
    let Some(target) = problem.target_labelled() else {
        return Ok(missing(
            "P(Y | X) of the target needs labelled target rows; there are none",
        ));
    };
    let Ok(source) = problem.source() else {
        return Ok(missing("no source row has a label"));
    };
    if source.labels.len() < 2 {
        return Ok(missing("the source has a single labelled row"));
    }
    let mut rng = seed::rng(seed);
    let some = |rows: &Labelled<'_>, rng: &mut Rng| {
        let chosen = drawn(rows.labels.len(), rng);
        (
            rows.features.select_rows(&chosen),
            rows.labels.select(&chosen),
        )
    };
    let (source_rows, source_labels) = some(&source, &mut rng);
    let (target_rows, target_labels) = some(&target, &mut rng);
    let own = nearest_others(&source_rows, 1)?.indices;
    let theirs = nearest(&target_rows, &source_rows, 1)?.indices;
    let own = losses(
        &source_labels,
        &source_labels.select(&own.column(0).to_vec()),
    )?;
    let theirs = losses(
        &target_labels,
        &source_labels.select(&theirs.column(0).to_vec()),
    )?;
    let (n_source, n_target) = (own.len(), theirs.len());
    let mut pooled: Vec<f64> = own.iter().chain(&theirs).copied().collect();
    let difference = |losses: &[f64]| {
        let (of_source, of_target) = losses.split_at(n_source);
        of_target.iter().sum::<f64>() / n_target as f64
            - of_source.iter().sum::<f64>() / n_source as f64
    };
    let statistic = difference(&pooled);
    // Sums in another order differ in the last bits; equal splits must count as equal.
    let slack = 1e-12 * (1.0 + statistic.abs());
    let as_extreme = (0..PERMUTATIONS)
        .filter(|_| {
            rng.shuffle(&mut pooled);
            difference(&pooled) >= statistic - slack
        })
        .count();
    Ok(tested(
        "difference of nearest-label losses",
        statistic,
        as_extreme,
        n_source,
        n_target,
    ))
}

/// 0 or 1 for classes, the absolute difference for values.
fn losses(truth: &Labels, guess: &Labels) -> Result<Array1<f64>, TransferError> {
    Ok(match truth {
        Labels::Classes(truth) => {
            let guess = guess.classes("the conditional test")?;
            truth
                .iter()
                .zip(guess)
                .map(|(a, b)| f64::from(u8::from(a != b)))
                .collect()
        }
        Labels::Values(truth) => (truth - guess.values("the conditional test")?).mapv(f64::abs),
    })
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "feature space  {}", self.feature_space)?;
        writeln!(f, "P(X)           {}", self.marginal)?;
        writeln!(f, "label space    {}", self.label_space)?;
        write!(f, "P(Y | X)       {}", self.conditional)
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let finding = match self.finding {
            Finding::Differs => "differs",
            Finding::Same => "same",
            Finding::NotShown => "no difference shown",
            Finding::Undecidable => "undecidable",
        };
        match &self.evidence {
            Evidence::Structure(text) | Evidence::Missing(text) => write!(f, "{finding}: {text}"),
            Evidence::Test {
                name,
                statistic,
                p_value,
                n_source,
                n_target,
            } => write!(
                f,
                "{finding}: {name} = {statistic:.4}, p = {p_value:.3} ({n_source} source and {n_target} target rows)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Domain, Task};

    fn sample(n: usize, shift: f64, flip: bool, seed: u64) -> (Features, Labels) {
        let mut rng = seed::rng(seed);
        let x = Array2::from_shape_simple_fn((n, 2), || shift + rng.normal());
        let y = x.column(0).mapv(|v| usize::from((v > shift) != flip));
        (x.into(), Labels::Classes(y))
    }

    fn problem(shift: f64, flip: bool, n_labelled: usize, seed: u64) -> TransferProblem {
        let space = LabelSpace::numbered(2);
        let (xs, ys) = sample(60, 0.0, false, seed::derive(seed, &["s"]));
        let (xt, yt) = sample(50, shift, flip, seed::derive(seed, &["t"]));
        let domain = |name: &str, features| Domain {
            name: name.into(),
            features,
        };
        let rows: Vec<usize> = (0..n_labelled).collect();
        TransferProblem::from_parts(
            vec![(domain("source", xs), Task::labelled(space.clone(), ys))],
            (
                domain("target", xt),
                Task::partly_labelled(space, rows.clone(), yt.select(&rows)),
            ),
        )
        .unwrap()
    }

    #[test]
    fn the_statistic_is_the_u_statistic() {
        let k = Array2::from_shape_fn((5, 5), |(i, j)| 1.0 / (1.0 + i.abs_diff(j) as f64));
        let from_source = [true, false, true, true, false];
        let (mut within, mut other, mut between) = (0.0, 0.0, 0.0);
        for i in 0..5 {
            for j in 0..5 {
                match (from_source[i], from_source[j]) {
                    (true, true) if i != j => within += k[[i, j]] / 6.0,
                    (false, false) if i != j => other += k[[i, j]] / 2.0,
                    (true, false) => between += k[[i, j]] / 6.0,
                    _ => {}
                }
            }
        }
        let naive: f64 = within + other - 2.0 * between;
        assert!((unbiased_mmd(&k, &from_source) - naive).abs() < 1e-14);
    }

    #[test]
    fn both_tests_hold_their_level_and_have_power() {
        let (mut false_marginal, mut false_conditional) = (0, 0);
        let runs = 60;
        for run in 0..runs {
            let same = Scenario::of(&problem(0.0, false, 30, run), run).unwrap();
            false_marginal += usize::from(same.marginal.finding == Finding::Differs);
            false_conditional += usize::from(same.conditional.finding == Finding::Differs);
        }
        // 5 % of 60 is 3; more than 9 has probability below 0.001.
        assert!(
            false_marginal <= 9 && false_conditional <= 9,
            "{false_marginal}, {false_conditional}"
        );
        let other = Scenario::of(&problem(1.0, false, 0, 1), 1).unwrap();
        assert_eq!(other.marginal.finding, Finding::Differs);
        let flipped = Scenario::of(&problem(0.0, true, 20, 1), 1).unwrap();
        assert_eq!(flipped.conditional.finding, Finding::Differs);
    }

    #[test]
    fn structure_decides_the_spaces() {
        let (xs, ys) = sample(10, 0.0, false, 1);
        let narrow = Features::from(Array2::zeros((10, 1)));
        let problem = TransferProblem::from_parts(
            vec![(
                Domain {
                    name: "wide".into(),
                    features: xs,
                },
                Task::labelled(LabelSpace::numbered(2), ys),
            )],
            (
                Domain {
                    name: "narrow".into(),
                    features: narrow,
                },
                Task::unlabelled(LabelSpace::numbered(3)),
            ),
        )
        .unwrap();
        let scenario = Scenario::of(&problem, 0).unwrap();
        assert_eq!(scenario.feature_space.finding, Finding::Differs);
        assert_eq!(scenario.label_space.finding, Finding::Differs);
        assert_eq!(scenario.marginal.finding, Finding::Undecidable);
        assert!(
            scenario
                .to_string()
                .contains("wide has 2 features, narrow has 1 features"),
            "{scenario}"
        );
    }
}
