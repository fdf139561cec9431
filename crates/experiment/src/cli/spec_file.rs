//! Where the specification is that is named on the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use translearn_core::{Registry, nearest_name};

use super::device::Device;
use crate::plan::{self, Plan};
use crate::spec::Spec;

/// Reads and expands the specification at a path or of a name, its networks on a device.
pub(super) fn plan_of(spec: &str, device: &Device, registry: &Registry) -> Result<Plan> {
    let path = find(spec)?;
    let plan = plan::plan(&Spec::read(&path, registry)?, registry)?;
    Ok(plan.on_device(device.kind(), registry))
}

/// The file that `spec` names: a path, or the name of a file in `xtask/experiments/`.
pub(super) fn find(spec: &str) -> Result<PathBuf> {
    let path = Path::new(spec);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let looks_like_path = path
        .extension()
        .is_some_and(|extension| extension == "toml")
        || path.components().count() > 1;
    if looks_like_path {
        bail!("there is no file `{spec}`");
    }
    let Some(folder) = folder() else {
        bail!(
            "there is no file `{spec}`, and no folder `xtask/experiments` here or above that could hold a specification of this name"
        );
    };
    let named = folder.join(format!("{spec}.toml"));
    if named.is_file() {
        return Ok(named);
    }
    let known: Vec<String> = named_in(&folder)?.iter().map(|path| name(path)).collect();
    match nearest_name(spec, known.iter().map(String::as_str)) {
        Some(nearest) => bail!("there is no specification `{spec}`; did you mean `{nearest}`?"),
        None => bail!(
            "there is neither a file nor a specification `{spec}`; known: {}",
            known.join(", ")
        ),
    }
}

/// `xtask/experiments` of the workspace that `cargo xtask` names, else of the current folder or one above it.
pub(super) fn folder() -> Option<PathBuf> {
    let below = |root: &Path| Some(root.join("xtask/experiments")).filter(|folder| folder.is_dir());
    if let Some(root) = std::env::var_os("TRANSLEARN_WORKSPACE") {
        return below(Path::new(&root));
    }
    std::env::current_dir().ok()?.ancestors().find_map(below)
}

/// The specifications in a folder, by name.
pub(super) fn named_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    paths.sort_unstable();
    Ok(paths)
}

/// The name of a specification in `xtask/experiments`.
pub(super) fn name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
