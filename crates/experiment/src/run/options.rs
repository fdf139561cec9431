//! How a plan is run; nothing here changes a number.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// How a plan is run. None of it changes a number.
///
/// | field | meaning | default |
/// |---|---|---|
/// | `out` | the result folder | `target/experiments/<name>` |
/// | `shard` | only a part of the trials | all |
/// | `save_predictions` | writes `predictions/<id>.csv`; finished trials without them are run again | false |
/// | `fresh` | deletes the results that stand in the folder | false |
/// | `quiet` | shows no progress | false |
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The result folder; `target/experiments/<name>` by default.
    pub out: Option<PathBuf>,
    /// The part of the trials that is run.
    pub shard: Option<Shard>,
    /// Whether predictions are written.
    pub save_predictions: bool,
    /// Whether results that stand in the folder are deleted.
    pub fresh: bool,
    /// Whether progress is kept to itself.
    pub quiet: bool,
}

/// What runs the trials.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    /// Worker processes; in this process when there are none. Only the command line sets them: any other program, started
    /// again as a worker, would not know that it is one.
    pub(crate) workers: Option<NonZeroUsize>,
    /// The device that workers are told of; without workers, networks compute where the environment says.
    pub(crate) device: Option<String>,
    /// Set from outside to stop the run.
    pub(crate) stop: Arc<AtomicBool>,
    /// Set once data are prepared and trials begin: what comes before writes nothing and need not be stopped in order.
    pub(crate) begun: Arc<AtomicBool>,
}

/// Part `index` of `count`: the trials whose place in the plan, from 0, leaves the remainder `index` when divided by
/// `count`.
///
/// ```
/// use translearn_experiment::Shard;
///
/// let shard: Shard = "1/3".parse()?;
/// assert!(shard.holds(4) && !shard.holds(3));
/// assert_eq!("3/3".parse::<Shard>().unwrap_err(), "a shard is I/N with I from 0 to N - 1, found `3/3`");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// Whether the trial at this place of the plan belongs to it.
    pub fn holds(self, place: usize) -> bool {
        place % self.count == self.index
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if index < count => Ok(Self { index, count }),
            _ => Err(format!(
                "a shard is I/N with I from 0 to N - 1, found `{text}`"
            )),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_part_the_trials() {
        let shards: Vec<Shard> = (0..3)
            .map(|index| format!("{index}/3").parse().unwrap())
            .collect();
        for place in 0..10 {
            assert_eq!(shards.iter().filter(|shard| shard.holds(place)).count(), 1);
        }
        assert_eq!(shards[2].to_string(), "2/3");
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for bad in ["", "1", "1/", "/2", "2/2", "0/0", "-1/2", "1/2/3", "a/b"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
