//! `translearn-peerbench CASE FOLDER`: our side of the comparison with the peers.
//!
//! Reads the arrays in FOLDER, then answers one request a line: `{"run": {"tolerance": 1e-6}}` runs once and answers
//! `{"seconds": …}`; `{"save": "PREFIX"}` writes what the last run gave to `PREFIX<name>.npy`. A request that fails is
//! answered `{"error": …}`.
#![expect(clippy::print_stdout, reason = "the answers are the output")]

use std::io::{BufRead, stdin};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use translearn_benches::{Case, Inputs, Run, Settings, prepare};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Request {
    Run(Settings),
    Save(String),
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: translearn-peerbench CASE FOLDER";
    let (name, folder) = (
        arguments.next().context(usage)?,
        arguments.next().context(usage)?,
    );
    let case = prepare(&name, Inputs::read(Path::new(&folder))?)?;
    let mut last = None;
    println!("{}", json!({ "ready": env!("CARGO_PKG_VERSION") }));
    for line in stdin().lock().lines() {
        let answer = serve(&*case, &mut last, &line?)
            .unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
        println!("{answer}");
    }
    Ok(())
}

fn serve(case: &dyn Case, last: &mut Option<Run>, line: &str) -> Result<Value> {
    match serde_json::from_str(line)? {
        Request::Run(settings) => {
            // What the run before gave is freed outside the measured time.
            *last = None;
            let run = case.run(settings)?;
            let seconds = run.elapsed.as_secs_f64();
            *last = Some(run);
            Ok(json!({ "seconds": seconds }))
        }
        Request::Save(prefix) => {
            let run = last.take().context("nothing was run")?;
            for (name, array) in (run.export)()? {
                let path = format!("{prefix}{name}.npy");
                ndarray_npy::write_npy(&path, &array).with_context(|| path.clone())?;
            }
            Ok(json!({ "saved": prefix }))
        }
    }
}
