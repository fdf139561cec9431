//! From what stands in the files to features and labels: tables to matrices, class names to codes.

mod classes;
mod column;
mod table;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

pub use classes::{ClassMap, Grouping, real_labels};
pub use table::{Categories, MissingCategories, MissingNumbers, TableEncoder, TableParams};

/// Whose rows an encoding is fitted on. Labels are never looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FitOn {
    /// The source alone.
    #[default]
    Source,
    /// Source and target together.
    Both,
}

/// A number as a class or category name: `3` for 3.0, `0.5` for 0.5.
fn number_name(number: f64) -> String {
    // Adding 0 turns -0 into 0, which is the same class.
    (number + 0.0).to_string()
}

/// Names in their natural order, without repetition: by value when all are numbers, else by code point.
fn natural_order(mut names: Vec<String>) -> Vec<String> {
    let number = |name: &str| name.parse::<f64>().ok().filter(|number| !number.is_nan());
    if names.iter().all(|name| number(name).is_some()) {
        let by_value = |a: &String, b: &String| match (number(a), number(b)) {
            (Some(x), Some(y)) => x.total_cmp(&y).then_with(|| a.cmp(b)),
            _ => Ordering::Equal,
        };
        names.sort_unstable_by(by_value);
    } else {
        names.sort_unstable();
    }
    names.dedup();
    names
}
