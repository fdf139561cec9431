//! Where networks compute, and how exactly.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{env, fmt};

use tch::{Cuda, Device};

use crate::{DeepError, gaps};

/// Folders, separated as in `PATH`, in which `libtorch_cuda` of the same version lies.
pub const CUDA_LIB: &str = "TRANSLEARN_CUDA_LIB";

/// The device that networks compute on where none is named, by its name in [`device()`].
pub const DEVICE: &str = "TRANSLEARN_DEVICE";

/// What became of the search for CUDA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CudaStatus {
    /// This many devices.
    Devices(usize),
    /// No library of CUDA was named or none lies there.
    NoLibrary(String),
    /// The library is there but no device answers.
    NoDevice,
}

impl fmt::Display for CudaStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Devices(1) => f.write_str("one CUDA device"),
            Self::Devices(n) => write!(f, "{n} CUDA devices"),
            Self::NoLibrary(reason) => write!(f, "no CUDA: {reason}"),
            Self::NoDevice => f.write_str("CUDA is loaded, but no device answers"),
        }
    }
}

/// Looks for CUDA, once for the process, and loads it where it is.
///
/// The program is linked to the CPU's libtorch alone. `libtorch_cuda` of the same version is loaded from the folders of
/// [`CUDA_LIB`] before the first tensor is made, so one program serves machines with and without a GPU. `cargo xtask`
/// sets the variable; a matching PyTorch's `torch/lib` will do as well.
pub fn cuda() -> &'static CudaStatus {
    static STATUS: OnceLock<CudaStatus> = OnceLock::new();
    STATUS.get_or_init(|| {
        let folders = env::var_os(CUDA_LIB).unwrap_or_default();
        if !Cuda::is_available() {
            let found = env::split_paths(&folders)
                .map(|folder| folder.join("libtorch_cuda.so"))
                .find(|file| file.is_file());
            let loaded = match found {
                Some(file) => load(&file),
                None if folders.is_empty() => Err(format!("{CUDA_LIB} names no folder")),
                None => Err(format!(
                    "no libtorch_cuda.so in {}",
                    PathBuf::from(&folders).display()
                )),
            };
            if let Err(reason) = loaded {
                return CudaStatus::NoLibrary(reason);
            }
        }
        match usize::try_from(Cuda::device_count()) {
            Ok(n) if n > 0 => CudaStatus::Devices(n),
            _ => CudaStatus::NoDevice,
        }
    })
}

fn load(file: &Path) -> Result<(), String> {
    gaps::load(file).map_err(|error| error.to_string())
}

/// The device of this name: `cpu`, `cuda`, `cuda:1`.
///
/// # Errors
/// [`DeepError::NoDevice`], with what there is.
///
/// ```
/// assert_eq!(translearn_deep::device("cpu")?, tch::Device::Cpu);
/// assert!(translearn_deep::device("gpu").is_err());
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
pub fn device(name: &str) -> Result<Device, DeepError> {
    let refuse = |reason: String| DeepError::NoDevice {
        asked: name.to_owned(),
        reason,
    };
    let index = match name.split_once(':') {
        _ if name == "cpu" => return Ok(Device::Cpu),
        None if name == "cuda" => 0,
        Some(("cuda", index)) => index
            .parse()
            .map_err(|_| refuse(format!("`{index}` is not the number of a device")))?,
        _ => return Err(refuse("devices are cpu, cuda, cuda:1, …".to_owned())),
    };
    match cuda() {
        CudaStatus::Devices(n) if index < *n => Ok(Device::Cuda(index)),
        status => Err(refuse(format!("this machine has {status}"))),
    }
}

/// Where networks compute that were not told otherwise: the device named by the environment variable [`DEVICE`], which
/// the experiment runner sets for its workers, else the CPU.
///
/// # Errors
/// As [`device()`].
pub fn default_device() -> Result<Device, DeepError> {
    device_of(env::var_os(DEVICE))
}

fn device_of(variable: Option<OsString>) -> Result<Device, DeepError> {
    variable.map_or(Ok(Device::Cpu), |name| device(&name.to_string_lossy()))
}

/// The best device there is: the first CUDA device, else the CPU.
pub fn best_device() -> Device {
    match cuda() {
        CudaStatus::Devices(_) => Device::Cuda(0),
        _ => Device::Cpu,
    }
}

/// How exactly networks compute. It holds for the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Precision {
    /// CUDA products may round their factors to TF32: faster, 10 bits of mantissa in place of 23. Default: no.
    pub tf32: bool,
    /// Only algorithms that give the same bits every time; an operation that has none fails. Default: no.
    pub deterministic: bool,
}

impl Precision {
    /// Sets it for all that follows.
    ///
    /// # Errors
    /// [`DeepError::Torch`].
    pub fn apply(self) -> Result<(), DeepError> {
        gaps::set_tf32(self.tf32)?;
        gaps::set_deterministic(self.deterministic)
    }
}

/// Lets freed memory stay with the process, for the tensors to come, instead of going back to the system.
///
/// A network frees most of what it computes at once. By default glibc hands large blocks back, and the system clears every
/// page again when the next tensor asks for it; on a CPU this takes up to half of the time of a small network. For programs
/// that compute mostly with networks: call it once, before the first. Up to 32 MiB a block is kept, so the process may hold
/// more memory between batches than it needs then; its peak hardly changes. It holds for the process, on Linux with glibc,
/// and does nothing elsewhere, nor for the memory of CUDA devices, which libtorch keeps by itself.
///
/// # Errors
/// [`DeepError::Torch`] when the allocator refuses.
pub fn keep_memory() -> Result<(), DeepError> {
    gaps::keep_memory()
}

/// Runs `work` with bf16 autocast: products and convolutions in bf16, sums and losses in f32. What was set before is
/// set again afterwards.
///
/// # Errors
/// What `work` returns, and [`DeepError::Torch`].
pub fn autocast_bf16<T>(
    device: Device,
    work: impl FnOnce() -> Result<T, DeepError>,
) -> Result<T, DeepError> {
    let before = gaps::set_autocast(device, true)?;
    let done = work();
    gaps::set_autocast(device, before)?;
    done
}

/// The same images with the channels of a pixel next to each other, the order in which convolutions are fastest on most
/// processors.
///
/// # Errors
/// [`DeepError::Torch`] for tensors that are no batch of images.
pub fn channels_last(images: &tch::Tensor) -> Result<tch::Tensor, DeepError> {
    gaps::channels_last(images)
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    use super::*;

    #[test]
    fn devices_that_are_not_there_say_what_is() {
        assert_eq!(device("cpu").unwrap(), Device::Cpu);
        for (name, part) in [
            ("gpu", "cpu, cuda, cuda:1"),
            ("cuda:x", "`x` is not the number"),
            ("cuda:99", "this machine has"),
        ] {
            let error = device(name).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(name), "{error}");
        }
        println!("best device: {:?} ({})", best_device(), cuda());
    }

    #[test]
    fn the_variable_names_the_default() {
        assert_eq!(device_of(None).unwrap(), Device::Cpu);
        assert_eq!(device_of(Some("cpu".into())).unwrap(), Device::Cpu);
        for name in ["", "gpu", "cuda:99"] {
            let error = device_of(Some(name.into())).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn autocast_computes_products_in_bf16_and_ends_with_its_scope() {
        let device = best_device();
        let x = Tensor::randn([4, 4], (Kind::Float, device));
        let inside = autocast_bf16(device, || Ok(x.f_matmul(&x)?)).unwrap();
        assert_eq!(inside.kind(), Kind::BFloat16);
        assert_eq!(x.matmul(&x).kind(), Kind::Float);
        let failed = autocast_bf16(device, || {
            Ok(x.f_matmul(&Tensor::ones([3], (Kind::Float, device)))?)
        });
        assert!(matches!(failed, Err(DeepError::Torch(_))));
        assert_eq!(x.matmul(&x).kind(), Kind::Float, "restored after an error");
    }

    /// Pages that this thread was given so far.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn pages() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        after_name
            .split_whitespace()
            .nth(7)
            .unwrap()
            .parse()
            .unwrap()
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn kept_memory_is_not_asked_for_again() {
        const BLOCK: usize = 10 << 20;
        let blocks = || (0..3).map(|_| vec![1_u8; BLOCK]).collect::<Vec<_>>();
        keep_memory().unwrap();
        drop(blocks());
        let before = pages();
        for _ in 0..10 {
            drop(blocks());
        }
        let asked = pages() - before;
        assert!(asked < (BLOCK / 4096) as u64, "{asked} pages");
    }

    #[test]
    fn channels_last_moves_memory_and_no_value() {
        let x = Tensor::randn([2, 3, 4, 5], (Kind::Float, best_device()));
        let y = channels_last(&x).unwrap();
        assert_eq!(x, y);
        assert_eq!(y.stride(), [60, 1, 15, 3]);
        assert!(channels_last(&Tensor::ones([3], (Kind::Float, Device::Cpu))).is_err());
    }
}
