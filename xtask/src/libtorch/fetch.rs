//! `cargo xtask libtorch fetch`: the wheels by pip, verified, unpacked.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use translearn_assets::Sha256;

use super::find::{FETCH, inspect};
use super::tools;
use super::unpack::{PREFIX, Staging, temporary};
use super::wheels::{VERSION, Variant, Wheel};
use crate::workspace::check;

/// Whether the table of wheels is for this platform.
pub(crate) fn is_supported() -> bool {
    cfg!(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_env = "gnu"
    ))
}

/// What to do where it is not.
pub(crate) fn unsupported() -> String {
    format!(
        "libtorch is not provisioned automatically on this platform ({} {}): install libtorch {VERSION} and set LIBTORCH \
         to its folder",
        std::env::consts::ARCH,
        std::env::consts::OS
    )
}

/// Brings libtorch into `root`, unless it is there. Programs are linked against the CPU variant, so the CUDA variant comes
/// with it.
pub(crate) fn fetch(root: &Path, cuda: bool) -> Result<()> {
    if !is_supported() {
        bail!(unsupported());
    }
    let wanted: &[Variant] = if cuda {
        &[Variant::Cpu, Variant::Cuda]
    } else {
        &[Variant::Cpu]
    };
    fs::create_dir_all(root).with_context(|| format!("cannot create `{}`", root.display()))?;
    // Held until this ends: a second fetch waits, and then finds the work done.
    let lock = File::create(root.join(".lock"))
        .with_context(|| format!("cannot create a file in `{}`", root.display()))?;
    lock.lock()
        .with_context(|| format!("cannot lock `{}`", root.display()))?;
    clear(root)?;
    let mut missing = wanted.to_vec();
    missing.retain(|variant| inspect(&root.join(variant.folder())).is_err());
    if missing.is_empty() {
        return Ok(());
    }

    let python = tools::python();
    tools::pip(&python)?;
    let wheels = wheels(&missing);
    let needed = needed_space(&missing);
    if let Some(available) = tools::free_space(root) {
        demand_space(root, needed, available)?;
    }
    eprintln!(
        "fetching libtorch {VERSION} into `{}`: {} to download, {} unpacked; this happens once",
        root.display(),
        tools::size(wheels.iter().map(|wheel| wheel.bytes).sum()),
        tools::size(missing.iter().map(|variant| variant.unpacked_bytes()).sum()),
    );
    assemble(root, &missing, &wheels, &|wheel, folder| {
        check(&mut download(&python, wheel, folder)).with_context(|| {
            format!(
                "`{}` could not be downloaded, for the reason above; set pip up to reach its registry, or set LIBTORCH \
                 to a folder with libtorch {VERSION}",
                wheel.requirement()
            )
        })
    })
}

/// The wheels of several variants, each once.
fn wheels(variants: &[Variant]) -> Vec<&'static Wheel> {
    let is_cuda = variants.contains(&Variant::Cuda);
    let widest = if is_cuda { Variant::Cuda } else { Variant::Cpu };
    widest.wheels().collect()
}

/// Wheel after wheel, so that only one of them is on the disk at a time; no folder has its name before all are in it.
fn assemble(
    root: &Path,
    variants: &[Variant],
    wheels: &[&Wheel],
    obtain: &dyn Fn(&Wheel, &Path) -> Result<()>,
) -> Result<()> {
    let stagings = variants
        .iter()
        .map(|&variant| Staging::begin(root, variant))
        .collect::<Result<Vec<_>>>()?;
    for wheel in wheels {
        let folder = temporary(root)?;
        obtain(wheel, folder.path())?;
        let path = folder.path().join(wheel.file);
        verify(&path, wheel)?;
        eprintln!("unpacking {}", wheel.file);
        for staging in &stagings {
            staging.add(&path, wheel.name())?;
        }
    }
    for staging in stagings {
        staging.publish(root)?;
    }
    Ok(())
}

/// The pip command for one wheel: it gets the same file whatever Python runs it, from whatever registry pip is set up for.
fn download(python: &Path, wheel: &Wheel, folder: &Path) -> Command {
    let mut command = Command::new(python);
    command
        .args(["-m", "pip", "download", "--disable-pip-version-check"])
        // What is big and used once needs no second copy, and what was damaged must not come from one.
        .args(["--no-cache-dir", "--no-deps", "--only-binary", ":all:"])
        .args(["--implementation", "cp", "--python-version", "3.11"])
        .args(["--abi", "cp311"]);
    for platform in wheel.platforms() {
        command.args(["--platform", platform]);
    }
    command.arg("--dest").arg(folder).arg(wheel.requirement());
    // Standard output is for results, such as a plan that is piped on. Files that are not complete yet lie where there is
    // space for them and where they are cleared away.
    command.stdout(io::stderr()).env("TMPDIR", folder);
    command
}

/// Refuses a file that is not, byte for byte, the one in the table.
fn verify(path: &Path, wheel: &Wheel) -> Result<()> {
    let again = format!("and was removed; run `{FETCH}` again");
    let Ok(metadata) = fs::metadata(path) else {
        bail!(
            "pip brought another file than `{}`: it is not the one to trust, {again}",
            wheel.file
        );
    };
    if metadata.len() != wheel.bytes {
        bail!(
            "`{}` has {} bytes, and should have {}: the download was cut off or changed, {again}",
            wheel.file,
            metadata.len(),
            wheel.bytes
        );
    }
    let found = Sha256::of_file(path)
        .with_context(|| format!("cannot read `{}`", path.display()))?
        .to_string();
    if found != wheel.sha256 {
        bail!(
            "`{}` has the SHA-256 {found}, and should have {}: the download was damaged or changed, {again}",
            wheel.file,
            wheel.sha256
        );
    }
    Ok(())
}

/// Removes what interrupted fetches left. Only under the lock, or it would be the work of another one.
fn clear(root: &Path) -> Result<()> {
    let entries =
        fs::read_dir(root).with_context(|| format!("cannot list `{}`", root.display()))?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            fs::remove_dir_all(entry.path())
                .with_context(|| format!("cannot remove `{}`", entry.path().display()))?;
        }
    }
    Ok(())
}

/// At its widest: everything unpacked, the biggest wheel, and pip's own copy of it.
pub(crate) fn needed_space(variants: &[Variant]) -> u64 {
    let unpacked: u64 = variants
        .iter()
        .map(|variant| variant.unpacked_bytes())
        .sum();
    let biggest = wheels(variants).iter().map(|wheel| wheel.bytes).max();
    unpacked + 2 * biggest.unwrap_or(0)
}

fn demand_space(root: &Path, needed: u64, available: u64) -> Result<()> {
    if available < needed {
        bail!(
            "libtorch {VERSION} needs {needed} bytes in `{}` while it is unpacked, and {available} are free; make room, or \
             set LIBTORCH to a folder with libtorch {VERSION}",
            root.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::unpack::tests::{entries, names, wheel};
    use super::*;

    const CPU: &[Variant] = &[Variant::Cpu];

    /// A wheel of torch with these bytes, in the table.
    fn listed(bytes: &[u8]) -> Wheel {
        Wheel {
            file: "torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl",
            bytes: bytes.len() as u64,
            sha256: Box::leak(Sha256::of(bytes).to_string().into_boxed_str()),
        }
    }

    fn whole() -> Vec<u8> {
        wheel(entries().iter().map(String::as_str))
    }

    /// Assembles from `brought` what the table says of `listed`.
    fn assembled(root: &Path, variants: &[Variant], listed: &Wheel, brought: &[u8]) -> Result<()> {
        assemble(root, variants, &[listed], &|wheel, folder| {
            fs::write(folder.join(wheel.file), brought).map_err(Into::into)
        })
    }

    #[test]
    fn both_variants_come_from_one_download() {
        let root = tempfile::tempdir().unwrap();
        let bytes = whole();
        let variants = [Variant::Cpu, Variant::Cuda];
        assembled(root.path(), &variants, &listed(&bytes), &bytes).unwrap();
        assert_eq!(names(root.path()), ["2.11.0-cpu", "2.11.0-cuda"]);
    }

    #[test]
    fn a_damaged_wheel_is_removed_and_told_with_both_sides() {
        let bytes = whole();
        let listed = listed(&bytes);
        let mut changed = bytes.clone();
        changed[100] ^= 1;
        let sum = Sha256::of(&changed).to_string();
        let length = bytes.len().to_string();
        for (brought, expected) in [
            (&bytes[..100], ["100 bytes", length.as_str()]),
            (&changed, [sum.as_str(), listed.sha256]),
        ] {
            let root = tempfile::tempdir().unwrap();
            let error = assembled(root.path(), CPU, &listed, brought)
                .unwrap_err()
                .to_string();
            let parts = [
                listed.file,
                "and was removed; run `cargo xtask libtorch fetch` again",
            ];
            for part in expected.into_iter().chain(parts) {
                assert!(error.contains(part), "{part}: {error}");
            }
            assert_eq!(names(root.path()), [""; 0]);
        }
    }

    #[test]
    fn a_fetch_that_breaks_off_leaves_no_folder() {
        let root = tempfile::tempdir().unwrap();
        let bytes = whole();
        let first = listed(&bytes);
        let second = Wheel {
            file: "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
            bytes: 1,
            sha256: "",
        };
        let error = assemble(root.path(), CPU, &[&first, &second], &|wheel, folder| {
            if wheel.name() != "torch" {
                bail!("no network");
            }
            fs::write(folder.join(wheel.file), &bytes).map_err(Into::into)
        })
        .unwrap_err();
        assert_eq!(error.to_string(), "no network");
        assert_eq!(names(root.path()), [""; 0]);
    }

    #[test]
    fn what_a_killed_fetch_left_is_cleared_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        for name in [".partial-x1y2z3/lib", "2.11.0-cpu/lib"] {
            fs::create_dir_all(root.path().join(name)).unwrap();
        }
        clear(root.path()).unwrap();
        assert_eq!(names(root.path()), ["2.11.0-cpu"]);
    }

    #[test]
    fn pip_is_asked_for_one_file_whatever_python_runs_it() {
        let wheel = Variant::Cpu.wheels().nth(2).unwrap();
        let command = download(Path::new("python3"), wheel, Path::new("folder"));
        let arguments: Vec<_> = command
            .get_args()
            .map(|argument| argument.to_str().unwrap())
            .collect();
        let expected = "-m pip download --disable-pip-version-check --no-cache-dir --no-deps --only-binary :all: \
             --implementation cp --python-version 3.11 --abi cp311 --platform manylinux2014_x86_64 \
             --platform manylinux_2_17_x86_64 --dest folder nvidia_cuda_runtime==13.0.96";
        assert_eq!(arguments.join(" "), expected);
    }

    #[test]
    fn each_wheel_of_two_variants_is_fetched_once() {
        let names = |variants: &[Variant]| -> Vec<&str> {
            wheels(variants).iter().map(|wheel| wheel.name()).collect()
        };
        let cuda = names(&[Variant::Cuda]);
        assert_eq!(names(&[Variant::Cpu, Variant::Cuda]), cuda);
        assert_eq!(cuda.iter().filter(|name| **name == "torch").count(), 1);
        assert_eq!(names(CPU), cuda[..3]);
    }

    #[test]
    fn a_full_disk_is_told_before_the_download() {
        let root = Path::new("target/libtorch");
        let needed = needed_space(CPU);
        assert!(needed > 1_500_000_000, "{needed}");
        demand_space(root, needed, needed).unwrap();
        let error = demand_space(root, needed, 12_345).unwrap_err().to_string();
        for part in [needed.to_string().as_str(), "12345", "target/libtorch"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
