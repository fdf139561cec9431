//! The methods and learners over libtorch, for the experiment runner.

use translearn_core::Registry;

/// The methods and learners over libtorch. Their names stand in `names.txt` beside this crate's manifest too, for those
/// who have to know before libtorch is there.
pub fn registry() -> Registry {
    Registry::new(Vec::new(), Vec::new())
}
