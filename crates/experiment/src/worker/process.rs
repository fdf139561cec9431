//! The run's side: starts workers, gives them trials, and ends those that run over a limit.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{ARGUMENT, Job, REPLY, Reply, memory};

/// How often limits and the wish to stop are looked at.
const TICK: Duration = Duration::from_millis(20);

/// A worker that a signal ended may have been ended together with the run, which then hears of it within this time.
const GRACE: Duration = Duration::from_millis(300);

/// Lines of a worker's standard error kept to explain its end.
const KEPT_LINES: usize = 20;

/// Tells a process where its networks compute; `translearn_deep::default_device` reads it.
pub(crate) const DEVICE: &str = "TRANSLEARN_DEVICE";

/// How workers are started.
#[derive(Debug, Clone)]
pub(crate) struct Launcher {
    program: PathBuf,
    /// Threads of one worker.
    threads: usize,
    /// Where its networks compute.
    device: Option<String>,
}

impl Launcher {
    /// Workers of the running program.
    pub(crate) fn of_this_program(threads: usize, device: Option<&str>) -> io::Result<Self> {
        // On Linux this is the file that runs, even after a build has put another in its place.
        let running = PathBuf::from("/proc/self/exe");
        let program = if running.exists() {
            running
        } else {
            std::env::current_exe()?
        };
        Ok(Self {
            program,
            threads,
            device: device.map(str::to_owned),
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg(ARGUMENT)
            .env("RAYON_NUM_THREADS", self.threads.to_string())
            .envs(self.device.iter().map(|device| (DEVICE, device)));
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            if let Some(name) = std::env::args_os().next() {
                command.arg0::<OsString>(name);
            }
            // Ctrl-C reaches the run alone, which then ends its workers.
            command.process_group(0);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// What came of a trial that was given to a worker.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was answered.
    Reply(Box<Reply>),
    /// The worker had ended before; the trial did not start.
    Gone,
    /// It ran longer than allowed and was ended.
    Timeout,
    /// It used more memory than allowed and was ended.
    Memory,
    /// The worker ended by itself, was killed, or answered what is no reply; why.
    Died(String),
    /// The run is to stop: the trial was given up.
    Stopped,
}

/// A running worker. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    input: ChildStdin,
    /// Replies, or why one cannot be read.
    replies: Receiver<Result<Reply, String>>,
    errors: Arc<Mutex<VecDeque<String>>>,
    errors_reader: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a worker.
    pub(crate) fn start(launcher: &Launcher) -> io::Result<Self> {
        let mut child = launcher.command().spawn()?;
        let missing = || io::Error::other("a worker without pipes");
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = child.stdout.take().ok_or_else(missing)?;
        let error_output = child.stderr.take().ok_or_else(missing)?;
        let (sender, replies) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(reply) = reply(&line)
                    && sender.send(reply).is_err()
                {
                    return;
                }
            }
        });
        let errors = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&errors);
        let errors_reader = std::thread::spawn(move || {
            for line in BufReader::new(error_output)
                .split(b'\n')
                .map_while(Result::ok)
            {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if !line.is_empty() {
                    kept.push_back(line);
                }
                if kept.len() > KEPT_LINES {
                    kept.pop_front();
                }
            }
        });
        Ok(Self {
            child,
            input,
            replies,
            errors,
            errors_reader: Some(errors_reader),
        })
    }

    /// Has a trial run, within its limits and until `stop` is set. After anything but [`Outcome::Reply`] of a trial that
    /// did not panic the worker is of no use any more.
    pub(crate) fn run(&mut self, job: &Job, stop: &AtomicBool) -> Outcome {
        let line = match serde_json::to_string(job) {
            Ok(line) => line,
            Err(error) => {
                return Outcome::Died(format!("the trial cannot be written as JSON: {error}"));
            }
        };
        self.errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let limit = job
            .trial
            .timeout_seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let start = Instant::now();
        if writeln!(self.input, "{line}")
            .and_then(|()| self.input.flush())
            .is_err()
        {
            return Outcome::Gone;
        }
        loop {
            match self.replies.recv_timeout(TICK) {
                Ok(Ok(reply)) if self.over_limit(job, reply.record.peak_rss_bytes) => {
                    return Outcome::Memory;
                }
                Ok(Ok(reply)) => return Outcome::Reply(Box::new(reply)),
                Ok(Err(unreadable)) => return Outcome::Died(unreadable),
                Err(RecvTimeoutError::Disconnected) => return self.died(stop),
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => {
                    return Outcome::Stopped;
                }
                Err(RecvTimeoutError::Timeout)
                    if limit.is_some_and(|limit| start.elapsed() > limit) =>
                {
                    return Outcome::Timeout;
                }
                Err(RecvTimeoutError::Timeout) => {
                    if job.trial.memory_limit.is_some()
                        && self.over_limit(job, memory::peak_of_process(self.child.id()))
                    {
                        return Outcome::Memory;
                    }
                }
            }
        }
    }

    fn over_limit(&self, job: &Job, peak: Option<u64>) -> bool {
        job.trial
            .memory_limit
            .zip(peak)
            .is_some_and(|(limit, peak)| peak > limit)
    }

    /// The worker has closed its output: it ends, or has ended.
    fn died(&mut self, stop: &AtomicBool) -> Outcome {
        let start = Instant::now();
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if start.elapsed() < GRACE => std::thread::sleep(TICK),
                _ => break None,
            }
        };
        while start.elapsed() < GRACE && signal(status).is_some() && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
        }
        if stop.load(Ordering::Relaxed) {
            return Outcome::Stopped;
        }
        self.end();
        if let Some(reader) = self.errors_reader.take() {
            let _ = reader.join();
        }
        let last_words = self
            .errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .back()
            .cloned();
        let how = match (signal(status), status) {
            (Some(signal), _) => format!("the worker was ended by {}", name(signal)),
            (None, Some(status)) => format!("the worker ended with {status}"),
            (None, None) => "the worker closed its output".to_owned(),
        };
        Outcome::Died(match last_words {
            Some(words) => format!("{how}: {}", beginning(&words)),
            None => how,
        })
    }

    fn end(&mut self) {
        // An error here means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

/// The reply of a line, or why it cannot be read; `None` for what a trial has printed.
fn reply(line: &str) -> Option<Result<Reply, String>> {
    let text = line.strip_prefix(REPLY)?;
    Some(serde_json::from_str(text).map_err(|error| {
        format!(
            "the worker's reply cannot be read: {error}; it begins with: {}",
            beginning(text)
        )
    }))
}

/// As much of a text as a record has room for.
fn beginning(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(unix)]
fn signal(status: Option<ExitStatus>) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    status?.signal()
}

#[cfg(not(unix))]
fn signal(_: Option<ExitStatus>) -> Option<i32> {
    None
}

/// The signals a program usually ends by.
fn name(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL, an illegal instruction",
        6 => "SIGABRT, an abort",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL, perhaps for want of memory",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    format!("signal {signal} ({name})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_no_reply_and_a_reply_that_is_cut_says_so() {
        assert_eq!(reply("{\"record\": null}"), None);
        assert_eq!(reply(""), None);
        let long = format!("{REPLY}{{\"record\": {}", "x".repeat(1000));
        let error = reply(&long).unwrap().unwrap_err();
        assert!(
            error.starts_with("the worker's reply cannot be read: ")
                && error.contains("it begins with: {\"record\": xxx")
                && error.len() < 500,
            "{error}"
        );
    }

    #[cfg(feature = "deep")]
    #[test]
    fn networks_read_the_variable_that_is_set_for_them() {
        assert_eq!(super::DEVICE, translearn_deep::DEVICE);
    }
}
