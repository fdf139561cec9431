//! How much memory a file may ask for.

use std::io::Read;
use std::path::Path;

use crate::WeightsError;

/// 64 MiB and 32 times the size of the file.
///
/// Weights hardly compress; the room is for tensors that share a storage, for archives of pruned networks and for names.
pub(crate) fn allowance(bytes: u64) -> u64 {
    (64_u64 << 20).saturating_add(bytes.saturating_mul(32))
}

/// What a file may still ask for, of its [`allowance`].
pub(crate) struct Budget<'a> {
    path: &'a Path,
    limit: u64,
    left: u64,
}

impl<'a> Budget<'a> {
    pub(crate) fn new(path: &'a Path, bytes: u64) -> Self {
        let limit = allowance(bytes);
        Self {
            path,
            limit,
            left: limit,
        }
    }

    pub(crate) fn path(&self) -> &'a Path {
        self.path
    }

    /// Takes `bytes` for what `what` says, or refuses.
    pub(crate) fn spend(
        &mut self,
        bytes: u64,
        what: impl FnOnce() -> String,
    ) -> Result<(), WeightsError> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(WeightsError::TooLarge {
                path: self.path.to_owned(),
                what: what(),
                needs: bytes.saturating_add(self.limit - self.left),
                limit: self.limit,
                advice: "if the file is genuine, save it again as safetensors, without shared or expanded tensors",
            }),
        }
    }
}

/// `n` bytes, that the caller knows to be there or bounds by a budget; fewer at the end of the file.
///
/// Memory grows with what is read when `n` is large, never with what a header promises.
pub(crate) fn read_up_to(reader: &mut dyn Read, n: u64) -> std::io::Result<Vec<u8>> {
    const AT_ONCE: u64 = 1 << 16;
    let mut out = Vec::with_capacity(n.min(AT_ONCE) as usize);
    reader.take(n).read_to_end(&mut out)?;
    Ok(out)
}

/// Exactly `n` bytes that are known to be there, without a buffer that grows beyond them.
pub(crate) fn read_known(reader: &mut dyn Read, n: usize) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    out.try_reserve_exact(n)
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
    let found = reader.take(n as u64).read_to_end(&mut out)?;
    if found < n {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_shrinks_and_the_refusal_counts_everything() {
        let mut budget = Budget::new(Path::new("a.pt"), 10);
        let limit = (64 << 20) + 320;
        budget.spend(limit - 5, || "a".to_owned()).unwrap();
        let error = budget.spend(6, || "b".to_owned()).unwrap_err();
        assert!(
            matches!(&error, WeightsError::TooLarge { what, needs, limit: l, .. }
                if what == "b" && *needs == limit + 1 && *l == limit),
            "{error}"
        );
        budget.spend(5, || "c".to_owned()).unwrap();
        assert_eq!(allowance(u64::MAX), u64::MAX);
    }

    #[test]
    fn fewer_bytes_than_promised() {
        assert_eq!(read_up_to(&mut &b"abc"[..], u64::MAX).unwrap(), b"abc");
        assert_eq!(read_known(&mut &b"abc"[..], 2).unwrap(), b"ab");
        assert!(read_known(&mut &b"abc"[..], 4).is_err());
    }
}
