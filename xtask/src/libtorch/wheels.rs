//! Which files libtorch comes from: the one table of versions, sizes and checksums.

/// The libtorch that tch 0.24 is made for; it accepts no other. Change both together.
pub(crate) const VERSION: &str = "2.11.0";

/// What a folder is able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// What programs are linked against.
    Cpu,
    /// The same, with the libraries that a program with an NVIDIA card loads at run time.
    Cuda,
}

impl Variant {
    /// The folder's name below `target/libtorch`.
    pub(crate) fn folder(self) -> String {
        let suffix = match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        };
        format!("{VERSION}-{suffix}")
    }

    /// The wheels it is made of.
    pub(crate) fn wheels(self) -> impl Iterator<Item = &'static Wheel> {
        let more: &[Wheel] = match self {
            Self::Cpu => &[],
            Self::Cuda => CUDA,
        };
        CPU.iter().chain(more)
    }

    /// Whether a package is among them.
    pub(crate) fn is_of(self, package: &str) -> bool {
        self.wheels().any(|wheel| wheel.name() == package)
    }

    /// What the unpacked folder takes on the disk, rounded up.
    pub(crate) fn unpacked_bytes(self) -> u64 {
        match self {
            Self::Cpu => 550_000_000,
            Self::Cuda => 4_000_000_000,
        }
    }
}

/// A file of a Python package registry. Its name says everything pip has to be asked for.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// `name-version-python-abi-platforms.whl`
    pub(crate) file: &'static str,
    /// Its size.
    pub(crate) bytes: u64,
    /// Its SHA-256.
    pub(crate) sha256: &'static str,
}

impl Wheel {
    /// The package, as wheels spell it.
    pub(crate) fn name(&self) -> &'static str {
        self.part(0)
    }

    /// The requirement, for pip.
    pub(crate) fn requirement(&self) -> String {
        format!("{}=={}", self.name(), self.part(1))
    }

    /// The platforms in its name. pip must be told each, as it runs on another one perhaps.
    pub(crate) fn platforms(&self) -> impl Iterator<Item = &'static str> {
        self.part(4).trim_end_matches(".whl").split('.')
    }

    fn part(&self, index: usize) -> &'static str {
        self.file.split('-').nth(index).unwrap_or_default()
    }
}

/// `libtorch_cpu.so` of this wheel links CUDA's runtime and profiling libraries even where there is no card, so these two
/// come along; the CUDA part of the wheel is left in it.
const CPU: &[Wheel] = &[
    Wheel {
        file: "torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        bytes: 530_604_548,
        sha256: "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
    },
    Wheel {
        file: "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
        bytes: 10_715_597,
        sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
    },
    Wheel {
        file: "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 2_243_632,
        sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    },
];

/// What `libtorch_cuda.so` links or loads, in the versions that the wheel of torch (and `cuda-toolkit` 13.0.2, which it
/// names) requires. `nvidia-nvtx`, `cuda-bindings` and `triton`, also required there, serve Python only.
const CUDA: &[Wheel] = &[
    Wheel {
        file: "nvidia_cublas-13.1.0.3-py3-none-manylinux_2_27_x86_64.whl",
        bytes: 423_133_236,
        sha256: "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
    },
    Wheel {
        file: "nvidia_cudnn_cu13-9.19.0.56-py3-none-manylinux_2_27_x86_64.whl",
        bytes: 366_066_321,
        sha256: "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
    },
    Wheel {
        file: "nvidia_cufft-12.0.0.61-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 214_085_489,
        sha256: "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
    },
    Wheel {
        file: "nvidia_cufile-1.15.1.6-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 1_223_672,
        sha256: "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44",
    },
    Wheel {
        file: "nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl",
        bytes: 59_544_258,
        sha256: "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
    },
    Wheel {
        file: "nvidia_cusolver-12.0.4.66-py3-none-manylinux_2_27_x86_64.whl",
        bytes: 200_941_980,
        sha256: "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112",
    },
    Wheel {
        file: "nvidia_cusparse-12.6.3.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 145_942_937,
        sha256: "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
    },
    Wheel {
        file: "nvidia_cusparselt_cu13-0.8.0-py3-none-manylinux2014_x86_64.whl",
        bytes: 169_884_119,
        sha256: "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd",
    },
    Wheel {
        file: "nvidia_nccl_cu13-2.28.9-py3-none-manylinux_2_18_x86_64.whl",
        bytes: 196_493_177,
        sha256: "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42",
    },
    Wheel {
        file: "nvidia_nvjitlink-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        bytes: 40_713_933,
        sha256: "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b",
    },
    Wheel {
        file: "nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        bytes: 90_215_200,
        sha256: "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
    },
    Wheel {
        file: "nvidia_nvshmem_cu13-3.4.5-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 60_412_546,
        sha256: "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use translearn_assets::Sha256;

    use super::*;

    #[test]
    fn every_wheel_has_a_name_pip_can_be_asked_for_and_a_checksum() {
        let mut names = BTreeSet::new();
        for wheel in Variant::Cuda.wheels() {
            assert_eq!(wheel.file.split('-').count(), 5, "{}", wheel.file);
            assert!(wheel.file.ends_with(".whl"), "{}", wheel.file);
            assert!(
                wheel
                    .platforms()
                    .all(|platform| platform.starts_with("manylinux")
                        && platform.ends_with("_x86_64")),
                "{}",
                wheel.file
            );
            assert!(wheel.sha256.parse::<Sha256>().is_ok(), "{}", wheel.file);
            assert!(wheel.bytes > 1_000_000, "{}", wheel.file);
            assert!(names.insert(wheel.name()), "{} twice", wheel.name());
        }
        assert_eq!(names.len(), 15);
        assert_eq!(Variant::Cpu.wheels().count(), 3);
    }

    #[test]
    fn the_version_of_the_torch_wheel_is_that_of_libtorch() {
        let torch = Variant::Cpu.wheels().next().unwrap();
        assert_eq!(torch.requirement(), format!("torch=={VERSION}"));
    }

    #[test]
    fn a_wheel_for_several_platforms_names_each() {
        let wheel = Variant::Cpu.wheels().nth(2).unwrap();
        assert_eq!(wheel.requirement(), "nvidia_cuda_runtime==13.0.96");
        let platforms: Vec<_> = wheel.platforms().collect();
        assert_eq!(platforms, ["manylinux2014_x86_64", "manylinux_2_17_x86_64"]);
    }
}
