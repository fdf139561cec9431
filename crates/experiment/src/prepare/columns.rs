//! What the files of a task have to agree on before they are read.

use std::path::Path;

use translearn_data::read;

use super::PrepareError;
use crate::spec::{Origin, TaskSpec};

/// The task with options by which all svmlight files among its parts get the same columns.
pub(super) fn with_common_columns(task: &TaskSpec, base: &Path) -> Result<TaskSpec, PrepareError> {
    let mut task = task.clone();
    let mut of_files: Vec<_> = (task.parts_mut())
        .filter_map(|part| match &mut part.from {
            Origin::File { path, options } => Some((base.join(path), options)),
            _ => None,
        })
        .collect();
    let files: Vec<_> = (of_files.iter())
        .map(|(path, options)| (path.as_path(), &**options))
        .collect();
    let common = read::common_options(&files).map_err(PrepareError::data("the files"))?;
    for ((_, options), common) in of_files.iter_mut().zip(common) {
        **options = common;
    }
    Ok(task)
}
