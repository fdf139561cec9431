//! What of the wheels makes a libtorch folder, and where it goes.

use std::path::{Component, Path, PathBuf};

use super::wheels::Variant;

/// The libraries of a CPU folder: what a program is linked against, and what those link.
const CPU_LIBRARIES: &[&str] = &[
    "libc10.so",
    "libcudart.so.13",
    "libcupti.so.13",
    "libgomp.so.1",
    "libtorch_cpu.so",
];

/// What a CUDA folder holds besides, as far as programs ask for it by name; it has many more, which these link or load.
const CUDA_LIBRARIES: &[&str] = &["libc10_cuda.so", "libtorch.so", "libtorch_cuda.so"];

/// Libraries without which the wheels of a folder were not what they should be.
pub(crate) fn libraries(variant: Variant) -> impl Iterator<Item = &'static str> {
    let more: &[&str] = match variant {
        Variant::Cpu => &[],
        Variant::Cuda => CUDA_LIBRARIES,
    };
    CPU_LIBRARIES.iter().chain(more).copied()
}

/// Where an entry of a wheel goes within the libtorch folder; nothing for what only Python needs.
///
/// All libraries go into one folder, `lib`: those of torch look beside themselves (`$ORIGIN`) for what they link.
pub(crate) fn place(entry: &Path, package: &str, variant: Variant) -> Option<PathBuf> {
    let parts: Vec<&str> = entry
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect::<Option<_>>()?;
    match parts[..] {
        ["torch", "include", _, ..] => Some(parts[1..].iter().collect()),
        ["torch", "lib", name] | ["nvidia", _, "lib", name] if is_kept(name, variant) => {
            Some(["lib", name].iter().collect())
        }
        // The terms of use travel with what they are about.
        [info, "licenses", name] if info.ends_with(".dist-info") && variant.is_of(package) => {
            Some(["licenses", package, name].iter().collect())
        }
        _ => None,
    }
}

fn is_kept(library: &str, variant: Variant) -> bool {
    match variant {
        Variant::Cpu => CPU_LIBRARIES.contains(&library),
        Variant::Cuda => {
            let is_library = library.ends_with(".so") || library.contains(".so.");
            is_library && library != "libtorch_python.so"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_depends_on_the_variant() {
        // Entry, package, place in a CPU folder, place in a CUDA folder.
        let both = |place| (Some(place), Some(place));
        for (entry, package, (cpu, cuda)) in [
            (
                "torch/include/ATen/ATen.h",
                "torch",
                both("include/ATen/ATen.h"),
            ),
            (
                "torch/lib/libtorch_cpu.so",
                "torch",
                both("lib/libtorch_cpu.so"),
            ),
            ("torch/lib/libgomp.so.1", "torch", both("lib/libgomp.so.1")),
            (
                "nvidia/cu13/lib/libcupti.so.13",
                "nvidia_cuda_cupti",
                both("lib/libcupti.so.13"),
            ),
            (
                "torch/lib/libtorch.so",
                "torch",
                (None, Some("lib/libtorch.so")),
            ),
            (
                "torch/lib/libtorch_cuda.so",
                "torch",
                (None, Some("lib/libtorch_cuda.so")),
            ),
            (
                "torch/lib/libtorch_nvshmem.so",
                "torch",
                (None, Some("lib/libtorch_nvshmem.so")),
            ),
            (
                "nvidia/cudnn/lib/libcudnn.so.9",
                "nvidia_cudnn_cu13",
                (None, Some("lib/libcudnn.so.9")),
            ),
            ("torch/lib/libtorch_python.so", "torch", (None, None)),
            ("torch/lib/libshm/socket.h", "torch", (None, None)),
            ("torch/nn/functional.py", "torch", (None, None)),
            ("torch/include", "torch", (None, None)),
            (
                "nvidia/cu13/include/cuda.h",
                "nvidia_cuda_runtime",
                (None, None),
            ),
            ("/torch/lib/libtorch_cpu.so", "torch", (None, None)),
            ("torch/include/../../escaped.h", "torch", (None, None)),
            (
                "torch-2.11.0.dist-info/licenses/LICENSE",
                "torch",
                both("licenses/torch/LICENSE"),
            ),
            (
                "x.dist-info/licenses/License.txt",
                "nvidia_cublas",
                (None, Some("licenses/nvidia_cublas/License.txt")),
            ),
            ("torch-2.11.0.dist-info/METADATA", "torch", (None, None)),
        ] {
            let path = Path::new(entry);
            let expected = [cpu, cuda].map(|place| place.map(PathBuf::from));
            let found = [Variant::Cpu, Variant::Cuda].map(|variant| place(path, package, variant));
            assert_eq!(found, expected, "{entry}");
        }
    }

    #[test]
    fn what_must_be_there_is_also_kept() {
        for variant in [Variant::Cpu, Variant::Cuda] {
            for library in libraries(variant) {
                assert!(is_kept(library, variant), "{library}");
            }
        }
    }
}
