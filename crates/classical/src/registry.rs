//! The methods that can be named in a spec: one line each.

use translearn_core::{MethodEntry, Registry};

use crate::{baseline, feature, instance};

/// Every method of this crate, family by family.
pub fn methods() -> Vec<MethodEntry> {
    [baseline::methods(), instance::methods(), feature::methods()].concat()
}

/// Every method of this crate and every learner of `translearn-learners`.
///
/// ```
/// let registry = translearn_classical::registry();
/// assert_eq!(registry.method("coral")?.info.title, "Correlation alignment");
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn registry() -> Registry {
    Registry::new(methods(), translearn_learners::registry::learners())
}
