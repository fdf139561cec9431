//! The worker's side.

use std::io::{self, BufRead, Write};
use std::panic;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use translearn_core::Registry;

use super::{Job, REPLY, execute, memory};
use crate::prepare::TaskCache;

/// Answers jobs until the input ends.
pub(crate) fn serve(registry: &Registry) -> ExitCode {
    memory::volunteer_for_the_end();
    // A step of a network frees and takes blocks of megabytes; without this each of them is cleared by the system.
    #[cfg(feature = "deep")]
    if let Err(error) = translearn_deep::keep_memory() {
        return refuse(&error.to_string());
    }
    // Where a trial panicked goes into its record. Nobody would read the backtrace, and it takes longer than most trials.
    panic::set_hook(Box::new(|info| {
        *last_panic() = info.location().map(ToString::to_string);
    }));
    let (sender, jobs) = mpsc::channel();
    // Reads while a trial runs: when the run that started this worker is gone, nobody waits for the trial any more.
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
        std::process::exit(0);
    });
    let mut cache = TaskCache::default();
    for line in jobs {
        let job: Job = match serde_json::from_str(&line) {
            Ok(job) => job,
            Err(error) => return refuse(&format!("not a job: {error}")),
        };
        let mut reply = execute(&job, registry, &mut cache);
        if let (true, Some(place)) = (reply.panicked, last_panic().take()) {
            reply.record.error = reply.record.error.map(|error| format!("{error} ({place})"));
        }
        let reply_line = match serde_json::to_string(&reply) {
            Ok(line) => line,
            Err(error) => return refuse(&format!("a reply that is no JSON: {error}")),
        };
        // The empty line ends whatever the trial itself has printed.
        let written = {
            let mut output = io::stdout().lock();
            writeln!(output, "\n{REPLY}{reply_line}").and_then(|()| output.flush())
        };
        if written.is_err() {
            return ExitCode::FAILURE;
        }
        if reply.panicked {
            break;
        }
    }
    ExitCode::SUCCESS
}

/// Where the last panic of any thread was.
fn last_panic() -> MutexGuard<'static, Option<String>> {
    static PLACE: Mutex<Option<String>> = Mutex::new(None);
    PLACE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::print_stderr, reason = "the run shows what its workers say")]
fn refuse(reason: &str) -> ExitCode {
    eprintln!("worker: {reason}");
    ExitCode::FAILURE
}
