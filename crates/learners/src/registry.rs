//! The learners that can be named in a spec.

use translearn_core::LearnerEntry;

/// Every learner of this crate, in the order of its documentation.
///
/// ```
/// use translearn_core::Registry;
///
/// let registry = Registry::new(vec![], translearn_learners::registry::learners());
/// assert!(registry.learner("logistic")?.info.honors_weights);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn learners() -> Vec<LearnerEntry> {
    vec![
        LearnerEntry::of::<crate::LogisticParams>(),
        LearnerEntry::of::<crate::RidgeParams>(),
        LearnerEntry::of::<crate::LinearSvmParams>(),
        LearnerEntry::of::<crate::SvmParams>(),
        LearnerEntry::of::<crate::KnnParams>(),
        LearnerEntry::of::<crate::NcmParams>(),
        LearnerEntry::of::<crate::GaussianNbParams>(),
        LearnerEntry::of::<crate::TreeParams>(),
        LearnerEntry::of::<crate::StumpParams>(),
        LearnerEntry::of::<crate::ForestParams>(),
        LearnerEntry::of::<crate::BoostingParams>(),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn the_tables_state_the_defaults() {
        for entry in learners() {
            let built = entry.build(Map::new()).unwrap();
            let stated: Map<String, Value> = (entry.info.parameters.iter())
                .map(|parameter| {
                    (
                        parameter.name.to_owned(),
                        serde_json::from_str(parameter.default).unwrap(),
                    )
                })
                .collect();
            assert_eq!(built.params(), stated, "{}", entry.info.name);
            assert_eq!(built.info().name, entry.info.name);
        }
    }

    #[test]
    fn every_name_stands_once() {
        let mut names: Vec<&str> = learners().iter().map(|entry| entry.info.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
