//! From wheels to a libtorch folder: whole, or not there.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use zip::ZipArchive;

use super::layout::{libraries, place};
use super::wheels::{VERSION, Variant};

/// Folders in the making start with this; what is left of one after a power cut is removed by the next fetch.
pub(crate) const PREFIX: &str = ".partial-";

/// A libtorch folder in the making, under another name beside its place. Dropped without `publish`, it disappears.
pub(crate) struct Staging {
    folder: TempDir,
    variant: Variant,
}

impl Staging {
    /// Begins an empty folder below `root`.
    pub(crate) fn begin(root: &Path, variant: Variant) -> Result<Self> {
        let folder = temporary(root)?;
        Ok(Self { folder, variant })
    }

    /// Adds what a wheel holds for this folder.
    pub(crate) fn add(&self, wheel: &Path, package: &str) -> Result<()> {
        unpack(wheel, package, self.variant, self.folder.path())
            .with_context(|| format!("`{}` could not be unpacked", wheel.display()))
    }

    /// Gives the folder its name, when it is whole.
    pub(crate) fn publish(self, root: &Path) -> Result<PathBuf> {
        let made = self.folder.path();
        for library in libraries(self.variant) {
            if !made.join("lib").join(library).is_file() {
                bail!(
                    "the wheels of libtorch {VERSION} hold no `{library}`; nothing was put in place"
                );
            }
        }
        if self.variant == Variant::Cpu {
            link_libtorch(&made.join("lib"))?;
        }
        // torch-sys compares the version where it finds this file; wheels have none.
        fs::write(made.join("build-version"), format!("{VERSION}\n"))
            .with_context(|| format!("cannot write to `{}`", made.display()))?;
        let target = root.join(self.variant.folder());
        if target.exists() {
            fs::remove_dir_all(&target)
                .with_context(|| format!("cannot replace `{}`", target.display()))?;
        }
        open_to_others(made)?;
        fs::rename(made, &target)
            .with_context(|| format!("cannot put `{}` in place", target.display()))?;
        Ok(target)
    }
}

/// A folder below `root` that disappears with its guard.
pub(crate) fn temporary(root: &Path) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(root)
        .with_context(|| format!("cannot create a folder in `{}`", root.display()))
}

/// torch-sys links `libtorch.so` too. That of the wheel needs `libtorch_cuda.so`, and some linkers record it as needed, so
/// that the program would not start; the same name for `libtorch_cpu.so` adds nothing and needs nothing.
fn link_libtorch(lib: &Path) -> Result<()> {
    let (name, other) = (lib.join("libtorch.so"), "libtorch_cpu.so");
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(other, &name);
    #[cfg(not(unix))]
    let made = fs::copy(lib.join(other), &name);
    made.with_context(|| format!("cannot create `{}`", name.display()))?;
    Ok(())
}

/// Temporary folders are the owner's alone; a folder of libraries is as readable as those beside it.
fn open_to_others(folder: &Path) -> Result<()> {
    let beside = fs::metadata(folder.join("lib")).map(|metadata| metadata.permissions());
    beside
        .and_then(|permissions| fs::set_permissions(folder, permissions))
        .with_context(|| format!("cannot set the permissions of `{}`", folder.display()))
}

fn unpack(wheel: &Path, package: &str, variant: Variant, folder: &Path) -> Result<()> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(wheel)?))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        // Neither `..` nor an absolute path leads out of the folder.
        let Some(path) = entry.enclosed_name() else {
            bail!(
                "its entry `{}` leads out of the folder; this is no wheel to trust",
                entry.name()
            );
        };
        if entry.is_dir() {
            continue;
        }
        let Some(place) = place(&path, package, variant) else {
            continue;
        };
        let target = folder.join(place);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let copied = File::create(&target).and_then(|mut file| io::copy(&mut entry, &mut file));
        copied.with_context(|| format!("its entry `{}`", entry.name()))?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    /// The bytes of a wheel with these entries; each holds its own name.
    pub(crate) fn wheel<'a>(entries: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for name in entries {
            writer.start_file(name, options).unwrap();
            writer.write_all(name.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    /// The entries a wheel of torch needs for a folder to be whole.
    pub(crate) fn entries() -> Vec<String> {
        let mut entries: Vec<String> = libraries(Variant::Cuda)
            .map(|library| format!("torch/lib/{library}"))
            .collect();
        entries.push("torch/include/torch/csrc/api/include/torch/torch.h".to_owned());
        entries.push("torch/__init__.py".to_owned());
        entries
    }

    /// Names in a folder, sorted.
    pub(crate) fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn staged(root: &Path, bytes: &[u8], variant: Variant) -> Result<PathBuf> {
        let file = root.join("torch.whl");
        fs::write(&file, bytes).unwrap();
        let staging = Staging::begin(root, variant)?;
        let done = staging.add(&file, "torch");
        fs::remove_file(file).unwrap();
        done.and_then(|()| staging.publish(root))
    }

    fn whole() -> Vec<u8> {
        wheel(entries().iter().map(String::as_str))
    }

    #[test]
    fn a_whole_wheel_becomes_a_folder_torch_sys_can_use() {
        let root = tempfile::tempdir().unwrap();
        let folder = staged(root.path(), &whole(), Variant::Cpu).unwrap();
        assert_eq!(names(root.path()), ["2.11.0-cpu"]);
        assert_eq!(names(&folder), ["build-version", "include", "lib"]);
        super::super::find::inspect(&folder).unwrap();
        let read = |path: &str| fs::read_to_string(folder.join(path)).unwrap();
        assert_eq!(read("build-version"), "2.11.0\n");
        assert_eq!(read("lib/libc10.so"), "torch/lib/libc10.so");
        assert_eq!(read("lib/libtorch.so"), "torch/lib/libtorch_cpu.so");
        assert!(!folder.join("lib/libtorch_cuda.so").exists());
    }

    #[test]
    fn a_cuda_folder_has_the_libtorch_that_needs_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = staged(root.path(), &whole(), Variant::Cuda).unwrap();
        let text = fs::read_to_string(folder.join("lib/libtorch.so")).unwrap();
        assert_eq!(text, "torch/lib/libtorch.so");
        assert!(folder.join("lib/libtorch_cuda.so").exists());
    }

    #[test]
    #[cfg(unix)]
    fn the_folder_is_as_readable_as_what_is_in_it() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let folder = staged(root.path(), &whole(), Variant::Cpu).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&folder), mode(&folder.join("lib")));
    }

    #[test]
    fn a_folder_of_ours_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let ours = root.path().join("2.11.0-cpu");
        fs::create_dir(&ours).unwrap();
        fs::write(ours.join("old"), "").unwrap();
        staged(root.path(), &whole(), Variant::Cpu).unwrap();
        assert!(!ours.join("old").exists());
        assert!(ours.join("lib").exists());
    }

    #[test]
    fn what_breaks_off_leaves_nothing() {
        let whole = whole();
        // A changed byte in the content of an entry, found by its checksum.
        let mut changed = whole.clone();
        let name = b"torch/lib/libc10.so";
        let windows = changed.windows(name.len()).enumerate();
        let mut places = windows.filter(|(_, window)| window == name);
        // First the name, then the content, which is the same here.
        let (at, _) = places.nth(1).unwrap();
        changed[at] ^= 1;
        let missing = wheel(["torch/lib/libtorch_cpu.so"]);
        let outside = wheel(["../outside", "torch/lib/libtorch_cpu.so"]);
        for (bytes, reason) in [
            (&changed, "its entry `torch/lib/libc10.so`"),
            (&whole[..whole.len() / 2].to_vec(), "could not be unpacked"),
            (&missing, "hold no `libc10.so`"),
            (&outside, "leads out of the folder"),
        ] {
            let root = tempfile::tempdir().unwrap();
            let error = format!(
                "{:#}",
                staged(root.path(), bytes, Variant::Cpu).unwrap_err()
            );
            assert!(error.contains(reason), "{reason}: {error}");
            assert_eq!(names(root.path()), [""; 0], "{reason}");
            assert!(!root.path().with_file_name("outside").exists());
        }
    }
}
