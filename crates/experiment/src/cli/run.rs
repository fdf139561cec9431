//! `run`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Result;
use clap::Args;
use translearn_core::Registry;

use super::device::{Device, usable};
use super::output::{complain, show};
use super::spec_file::plan_of;
use crate::plan::Plan;
use crate::run::{Engine, RunOptions, Shard, run_by};
use crate::worker;

/// Run the trials of a specification that are not finished yet, then report.
///
/// A run can be stopped or killed at any moment; the same command goes on where it was. Finished trials are skipped,
/// failed ones too: --fresh runs everything again. Results do not depend on --jobs or --shard.
///
/// Exit status: 0 when every trial is ok or unsupported, 1 when some failed or ran out of time, 2 when specification, data
/// or result folder is unusable.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A TOML file, or the name of one in `xtask/experiments/` (see `list specs`).
    spec: String,
    /// The result folder [default: target/experiments/<name>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Worker processes, each with one trial at a time [default: one per core, at most 4].
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Only every N-th trial, from the I-th on; I runs from 0 to N - 1. Give each shard its own --out and join them with
    /// `report`.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Where networks compute: cpu, cuda or cuda:K. The kind is a part of their trials; other methods stay on the CPU.
    #[arg(long, default_value = "cpu", value_parser = usable)]
    device: Device,
    /// Write the predictions of every trial to DIR/predictions/.
    #[arg(long)]
    save_predictions: bool,
    /// Delete the results that stand in the result folder first.
    #[arg(long)]
    fresh: bool,
}

pub(super) fn run(arguments: &Arguments, registry: &Registry) -> Result<ExitCode> {
    let plan = plan_of(&arguments.spec, &arguments.device, registry)?;
    let options = RunOptions {
        out: arguments.out.clone(),
        shard: arguments.shard,
        save_predictions: arguments.save_predictions,
        fresh: arguments.fresh,
        quiet: false,
    };
    let engine = Engine {
        workers: Some(arguments.jobs.unwrap_or_else(default_jobs)),
        device: Some(arguments.device.name().to_owned()),
        ..Engine::default()
    };
    note_limits(&plan);
    stop_on_signal(&engine);
    let summary = run_by(&engine, &plan, registry, &options)?;
    if summary.stopped {
        let done = summary.records.len();
        complain(&format!(
            "stopped: {done} of {} trials are finished in {}; the same command (without --fresh) goes on from there",
            plan.trials.len(),
            summary.folder.display()
        ));
        return Ok(ExitCode::from(130));
    }
    show(&summary.table())?;
    Ok(ExitCode::from(u8::from(!summary.is_good())))
}

/// Small trials gain from workers, large ones from threads within; beyond a few workers memory is at risk.
fn default_jobs() -> NonZeroUsize {
    const MOST: NonZeroUsize = NonZeroUsize::new(4).unwrap();
    std::thread::available_parallelism().map_or(NonZeroUsize::MIN, |cores| cores.min(MOST))
}

fn note_limits(plan: &Plan) {
    if plan.file.spec.memory_limit.is_some() && !worker::memory_is_measured() {
        complain(
            "note: this system does not tell how much memory a process uses; memory_limit has no effect",
        );
    }
}

/// The first signal stops the trials in order, the second at once, as the first does while data are still prepared.
fn stop_on_signal(engine: &Engine) {
    let (stop, begun) = (Arc::clone(&engine.stop), Arc::clone(&engine.begun));
    let handler = move || {
        if stop.swap(true, Ordering::Relaxed) || !begun.load(Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    // Without a handler the signal ends the run at once, which loses nothing that is finished.
    let _ = ctrlc::set_handler(handler);
}
