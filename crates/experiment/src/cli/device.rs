//! `--device`.

use std::str::FromStr;

/// Where networks compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Device(String);

impl Device {
    /// As it was named.
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// `cpu` or `cuda`: the same trial on the second card is the same trial.
    pub(super) fn kind(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }
}

/// A device that this program cannot use.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeviceError {
    #[cfg(not(feature = "deep"))]
    #[error(
        "this build has no CUDA; use --device cpu (CUDA comes with the feature `deep`, which `cargo xtask experiment` builds in where a specification has a method for it)"
    )]
    NoCuda,
    #[cfg(feature = "deep")]
    #[error(transparent)]
    Deep(#[from] translearn_deep::DeepError),
    #[error("expected cpu, cuda or cuda:K, found `{0}`")]
    Unknown(String),
}

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let is_cuda = text == "cuda"
            || text
                .strip_prefix("cuda:")
                .is_some_and(|index| index.parse::<u32>().is_ok());
        if text == "cpu" || is_cuda {
            Ok(Self(text.to_owned()))
        } else {
            Err(DeviceError::Unknown(text.to_owned()))
        }
    }
}

/// A device that this program can use.
pub(super) fn usable(text: &str) -> Result<Device, DeviceError> {
    let device: Device = text.parse()?;
    if device.kind() != "cpu" {
        check(text)?;
    }
    Ok(device)
}

#[cfg(not(feature = "deep"))]
fn check(_: &str) -> Result<(), DeviceError> {
    Err(DeviceError::NoCuda)
}

#[cfg(feature = "deep")]
fn check(name: &str) -> Result<(), DeviceError> {
    translearn_deep::device(name)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_knows_the_kind_and_not_the_number() {
        let cuda = Device("cuda:1".to_owned());
        assert_eq!((cuda.name(), cuda.kind()), ("cuda:1", "cuda"));
        let cpu: Device = "cpu".parse().unwrap();
        assert_eq!((cpu.name(), cpu.kind()), ("cpu", "cpu"));
    }

    #[test]
    fn what_is_no_device_is_refused() {
        for bad in ["", "gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cpu:0"] {
            let error = bad.parse::<Device>().unwrap_err().to_string();
            assert!(error.contains("cpu, cuda or cuda:K"), "{bad}: {error}");
            assert!(usable(bad).is_err(), "{bad}");
        }
        // A plan may be made where the device is not.
        assert!("cuda:99".parse::<Device>().is_ok() && usable("cuda:99").is_err());
        assert!(usable("cpu").is_ok());
    }
}
