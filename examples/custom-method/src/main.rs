//! The experiment runner with one method more.

mod mean_shift;

use std::process::ExitCode;

use mean_shift::MeanShiftParams;
use translearn_core::Registry;

/// Every method of translearn, and ours.
fn registry() -> Registry {
    translearn_classical::registry().with::<MeanShiftParams>()
}

fn main() -> ExitCode {
    translearn_experiment::main_with(registry())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use translearn_core::Law;
    use translearn_experiment::{RunOptions, Status, plan, run_with, spec::Spec};
    use translearn_tests::laws;

    use super::registry;

    #[test]
    fn it_is_run_against_the_others() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiment.toml");
        let registry = registry();
        let spec = Spec::parse(&std::fs::read_to_string(&file).unwrap(), &file, &registry).unwrap();
        let plan = plan::plan(&spec, &registry).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let out = Some(folder.path().join("results"));
        let summary = run_with(
            &plan,
            &registry,
            &RunOptions {
                out,
                quiet: true,
                ..RunOptions::default()
            },
        )
        .unwrap();

        let ours: Vec<_> = summary
            .records
            .iter()
            .filter(|record| record.use_ == "mean-shift")
            .collect();
        assert_eq!(ours.len(), 2 * 3, "2 tasks, 3 seeds");
        for record in &summary.records {
            assert_eq!(
                record.status,
                Status::Ok,
                "{}: {:?}",
                record.method,
                record.error
            );
        }
        assert!(ours.iter().all(|record| record.params["strength"] == 0.5));
        assert!(summary.records.iter().any(|record| record.use_ == "coral"));
    }

    /// The laws that every method of translearn keeps.
    #[test]
    fn it_keeps_the_laws() {
        let registry = registry();
        let entry = registry.method("mean-shift").unwrap();
        for law in Law::ALL.into_iter().filter(|&law| entry.info.claims(law)) {
            assert_eq!(
                laws::breaches(law, &registry, entry),
                Vec::<String>::new(),
                "{law:?}"
            );
        }
    }

    #[test]
    fn a_value_out_of_range_is_refused() {
        let params = [("strength".to_owned(), 1.5.into())].into_iter().collect();
        let error = registry().build("mean-shift", params, None).unwrap_err();
        assert_eq!(error.to_string(), "`strength` = 1.5 is outside [0, 1]");
    }
}
