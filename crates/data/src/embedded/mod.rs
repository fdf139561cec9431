//! Real data that travels inside linfa-datasets: no download, no files.
//!
//! | set | rows | task | domains |
//! |---|---|---|---|
//! | `wine-quality-embedded` | 1599 red wines × 11 | quality 6 or more is `good`, else `bad` | `low-`/`high-` + `alcohol`, `sulfur`, `sulphates` |
//! | `wine-score-embedded` | the same | quality 3 to 8 as a number | the same |
//! | `diabetes-embedded` | 441 patients × 10 | disease progression after a year, 25 to 346 | `low-`/`high-` + `bmi`, `age` |
//! | `iris-embedded` | 150 flowers × 4 | 3 species | `low-`/`high-` + `sepal-width` |
//! | `linnerud-embedded` | 20 men × 3 exercises | weight in pounds | none: too small |
//!
//! Every set also has the domain `all`. The others are made by [`split_by_covariate`]: two shifted domains that differ in
//! one feature, which stays among the features. No row is in both.
//!
//! Sources: Cortez et al., *Modeling wine preferences by data mining from physicochemical properties*, Decision Support
//! Systems 47(4), 2009, doi:10.1016/j.dss.2009.05.016; Efron et al., *Least angle regression*, Annals of Statistics
//! 32(2), 2004, doi:10.1214/009053604000000067; Fisher, Annals of Eugenics 7(2), 1936,
//! doi:10.1111/j.1469-1809.1936.tb02137.x; Tenenhaus, *La régression PLS*, 1998. linfa-datasets reads the first diabetes
//! patient as a header, so 441 of the 442 are there; its names of the blood measurements are replaced by those of the paper.

use std::path::Path;

use crate::{Cells, Column, DataError, RawFeatures, RawLabels, RawSample, Table};
use ndarray::Array2;

/// An embedded set: how to load it and by which features it can be split.
struct Set {
    name: &'static str,
    load: fn() -> RawSample,
    /// Name in the domains, and column.
    covariates: &'static [(&'static str, usize)],
}

const SETS: [Set; 5] = [
    Set {
        name: "wine-quality-embedded",
        load: wine_quality,
        covariates: &WINE_COVARIATES,
    },
    Set {
        name: "wine-score-embedded",
        load: wine_score,
        covariates: &WINE_COVARIATES,
    },
    Set {
        name: "diabetes-embedded",
        load: diabetes,
        covariates: &[("bmi", 2), ("age", 0)],
    },
    Set {
        name: "iris-embedded",
        load: iris,
        covariates: &[("sepal-width", 1)],
    },
    Set {
        name: "linnerud-embedded",
        load: linnerud,
        covariates: &[],
    },
];

const WINE_COVARIATES: [(&str, usize); 3] = [("alcohol", 10), ("sulfur", 6), ("sulphates", 9)];

/// The names of the embedded sets.
pub fn names() -> impl Iterator<Item = &'static str> {
    SETS.iter().map(|set| set.name)
}

/// All rows of a set, as a table with the names of its features.
///
/// # Errors
/// [`DataError::Missing`] for a name that is none of [`names`].
pub fn load(name: &str) -> Result<RawSample, DataError> {
    Ok((find(name)?.load)())
}

/// The domains of a set.
///
/// ```
/// use translearn_data::embedded::domains;
///
/// assert_eq!(domains("iris-embedded")?, ["all", "low-sepal-width", "high-sepal-width"]);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Missing`] for a name that is none of [`names`].
pub fn domains(name: &str) -> Result<Vec<String>, DataError> {
    let sides = find(name)?
        .covariates
        .iter()
        .flat_map(|(covariate, _)| [format!("low-{covariate}"), format!("high-{covariate}")]);
    Ok(std::iter::once("all".to_owned()).chain(sides).collect())
}

/// The rows of one domain of a set, in the order of the set.
///
/// ```
/// use translearn_data::embedded::load_domain;
/// use translearn_data::{RawFeatures, RawLabels};
///
/// let source = load_domain("wine-quality-embedded", "low-alcohol")?;
/// let Some(RawLabels::Names(quality)) = source.labels else { panic!("wine has labels") };
/// assert_eq!(quality.len(), 799);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Missing`] for a set or domain that is not there.
pub fn load_domain(name: &str, domain: &str) -> Result<RawSample, DataError> {
    let set = find(name)?;
    let sample = (set.load)();
    if domain == "all" {
        return Ok(sample);
    }
    let side = |prefix| {
        let covariate = domain.strip_prefix(prefix)?;
        set.covariates
            .iter()
            .find(|(known, _)| *known == covariate)
            .map(|&(_, column)| column)
    };
    let (column, is_low) = match (side("low-"), side("high-")) {
        (Some(column), _) => (column, true),
        (None, Some(column)) => (column, false),
        (None, None) => {
            let known = domains(name)?;
            let known = known.iter().map(String::as_str);
            return Err(DataError::missing(Path::new(name), "domain", domain, known));
        }
    };
    let split = split_by_covariate(numbers(&sample, column).iter().copied())?;
    let mut rows = if is_low { split.low } else { split.high };
    rows.sort_unstable();
    Ok(sample.select(&rows))
}

/// Two shifted domains of one sample; see [`split_by_covariate`].
#[derive(Debug, Clone, PartialEq)]
pub struct CovariateSplit {
    /// Rows of the domain in which small values prevail, by increasing value.
    pub low: Vec<usize>,
    /// Rows of the domain in which large values prevail, by increasing value.
    pub high: Vec<usize>,
    /// For each row of the sample, the share of rows around its rank that are in `low`.
    pub share_low: Vec<f64>,
}

/// Splits a sample into two domains that differ in the distribution of one feature and overlap everywhere.
///
/// Rows are ranked by value (equals by row). With u = (rank + ½)/n, the share of rows that go to `low` is 19/20 for
/// u ≤ ¼, 1/20 for u ≥ ¾, and falls linearly between. Going up the ranks, the share is summed and a row goes to `low`
/// whenever the sum has gained a whole: no chance is involved, the same sample always splits the same way, and each
/// domain gets half the rows. P(y|x) is the sample's in both, because labels are not looked at: a covariate shift, with
/// density ratio p_high/p_low = (1 − share)/share between 1/19 and 19 (up to the sampling of the split feature).
///
/// ```
/// use translearn_data::embedded::split_by_covariate;
///
/// let split = split_by_covariate((0..100).map(f64::from))?;
/// assert_eq!((split.low.len(), split.high.len()), (50, 50));
/// assert_eq!(split.low.iter().filter(|&&row| row < 25).count(), 24);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::InvalidOption`] for a value that is NaN or infinite.
pub fn split_by_covariate(
    values: impl IntoIterator<Item = f64>,
) -> Result<CovariateSplit, DataError> {
    let values: Vec<f64> = values.into_iter().collect();
    if let Some(row) = values.iter().position(|value| !value.is_finite()) {
        return Err(DataError::InvalidOption {
            name: format!("covariate in row {row}"),
            value: values[row].to_string(),
            expected: "a finite number".to_owned(),
        });
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]).then(a.cmp(&b)));
    let (mut low, mut high) = (Vec::new(), Vec::new());
    let mut share_low = vec![0.0; values.len()];
    // Starting at one half centres the rounding: the first domain gets round(Σ share) rows.
    let mut sum = 0.5;
    for (rank, &row) in order.iter().enumerate() {
        let u = (rank as f64 + 0.5) / values.len() as f64;
        let share = 0.95 - 0.9 * (2.0 * u - 0.5).clamp(0.0, 1.0);
        share_low[row] = share;
        sum += share;
        if sum >= 1.0 {
            sum -= 1.0;
            low.push(row);
        } else {
            high.push(row);
        }
    }
    Ok(CovariateSplit {
        low,
        high,
        share_low,
    })
}

fn find(name: &str) -> Result<&'static Set, DataError> {
    SETS.iter()
        .find(|set| set.name == name)
        .ok_or_else(|| DataError::missing(Path::new(""), "embedded set", name, names()))
}

fn wine_quality() -> RawSample {
    let wine = linfa_datasets::winequality();
    let quality = |&score: &usize| if score >= 6 { "good" } else { "bad" }.to_owned();
    let labels = RawLabels::Names(wine.targets.iter().map(quality).collect());
    sample(&WINE, &wine.records, labels)
}

fn wine_score() -> RawSample {
    let wine = linfa_datasets::winequality();
    let labels = RawLabels::Numbers(wine.targets.iter().map(|&score| score as f64).collect());
    sample(&WINE, &wine.records, labels)
}

const WINE: [&str; 11] = [
    "fixed acidity",
    "volatile acidity",
    "citric acid",
    "residual sugar",
    "chlorides",
    "free sulfur dioxide",
    "total sulfur dioxide",
    "density",
    "pH",
    "sulphates",
    "alcohol",
];

fn diabetes() -> RawSample {
    let diabetes = linfa_datasets::diabetes();
    let names = [
        "age",
        "sex",
        "bmi",
        "blood pressure",
        "s1",
        "s2",
        "s3",
        "s4",
        "s5",
        "s6",
    ];
    sample(
        &names,
        &diabetes.records,
        RawLabels::Numbers(diabetes.targets.to_vec()),
    )
}

fn iris() -> RawSample {
    let iris = linfa_datasets::iris();
    let names = ["sepal length", "sepal width", "petal length", "petal width"];
    let species = |&code: &usize| ["setosa", "versicolor", "virginica"][code].to_owned();
    sample(
        &names,
        &iris.records,
        RawLabels::Names(iris.targets.iter().map(species).collect()),
    )
}

fn linnerud() -> RawSample {
    let linnerud = linfa_datasets::linnerud();
    let weight = RawLabels::Numbers(linnerud.targets.column(0).to_vec());
    sample(&["chin-ups", "sit-ups", "jumps"], &linnerud.records, weight)
}

fn sample(names: &[&str], records: &Array2<f64>, labels: RawLabels) -> RawSample {
    let columns = names
        .iter()
        .zip(records.columns())
        .map(|(&name, column)| Column {
            name: name.to_owned(),
            cells: Cells::Numbers(column.to_vec()),
        })
        .collect();
    RawSample {
        features: RawFeatures::Table(Table { columns }),
        labels: Some(labels),
    }
}

fn numbers(sample: &RawSample, column: usize) -> &[f64] {
    match &sample.features {
        RawFeatures::Table(table) => match &table.columns[column].cells {
            Cells::Numbers(numbers) => numbers,
            Cells::Categories(_) => &[],
        },
        RawFeatures::Matrix(_) | RawFeatures::Texts(_) => &[],
    }
}

#[cfg(test)]
mod tests;
