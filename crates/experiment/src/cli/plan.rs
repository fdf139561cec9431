//! `plan`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use translearn_core::Registry;

use super::device::Device;
use super::output::show;
use super::spec_file::{find, plan_of};
use crate::run::default_folder;

/// Print the trials of a specification, one JSON line each; run nothing.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A TOML file, or the name of one in `xtask/experiments/` (see `list specs`).
    spec: String,
    /// One shell command for each trial instead, to be run anywhere and in any order (`| parallel`, `| xargs -P`). Each
    /// writes to a folder of its own below DIR/shards/; `report DIR/shards/* --out DIR` joins them.
    #[arg(long)]
    commands: bool,
    /// Where networks will compute: cpu, cuda or cuda:K, which need not be here. The kind is a part of their trials.
    #[arg(long, default_value = "cpu")]
    device: Device,
}

pub(super) fn run(arguments: &Arguments, registry: &Registry) -> Result<ExitCode> {
    let plan = plan_of(&arguments.spec, &arguments.device, registry)?;
    let mut text = String::new();
    if arguments.commands {
        let program = std::env::current_exe().context("the path of this program")?;
        let spec = std::path::absolute(find(&arguments.spec)?)?;
        let shards = std::path::absolute(default_folder(plan.experiment()))?.join("shards");
        let (count, device) = (plan.trials.len(), arguments.device.name());
        for index in 0..count {
            let out = shards.join(index.to_string());
            let words = [
                program.to_string_lossy(),
                spec.to_string_lossy(),
                out.to_string_lossy(),
            ];
            let [program, spec, out] = words.map(|word| quote(&word));
            text += &format!(
                "{program} run {spec} --shard {index}/{count} --jobs 1 --device {device} --out {out}\n"
            );
        }
    } else {
        for trial in &plan.trials {
            text += &serde_json::to_string(trial)?;
            text.push('\n');
        }
    }
    show(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// A word as a shell reads it back.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        assert_eq!(quote("/a/b-c_1.toml"), "/a/b-c_1.toml");
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quote(""), "''");
    }
}
