//! Memory of a process, as Linux tells it; unknown elsewhere.

use std::fs;

/// Bytes of resident memory of this process at its highest since [`reset_peak`].
pub(crate) fn peak() -> Option<u64> {
    peak_of("self")
}

/// The same of another process.
pub(crate) fn peak_of_process(id: u32) -> Option<u64> {
    peak_of(&id.to_string())
}

fn peak_of(process: &str) -> Option<u64> {
    parse_peak(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn parse_peak(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Starts the measurement anew. Where the system does not allow it, the peak is that of the whole process.
pub(crate) fn reset_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Makes this process the one that the system ends first when memory runs out: the run that started it goes on.
pub(crate) fn volunteer_for_the_end() {
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
}

/// Whether memory can be measured, and so limited.
pub(crate) fn is_measured() -> bool {
    peak().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_in_bytes() {
        assert_eq!(
            parse_peak("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 1 kB\n"),
            Some(1234 * 1024)
        );
        assert_eq!(parse_peak("Name:\tx\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_grows_with_what_is_used() {
        let before = peak().unwrap();
        let block = vec![1_u8; 64 << 20];
        let after = peak_of_process(std::process::id()).unwrap();
        assert_eq!(
            block.iter().map(|&byte| usize::from(byte)).sum::<usize>(),
            64 << 20
        );
        assert!(after >= before.max(64 << 20), "{before} then {after}");
    }
}
