//! `ig prune`: drops the oldest runs of a project when they are too many. The runner calls it, at
//! most once a minute, and does not wait for it.

use std::path::PathBuf;
use std::process::ExitCode;

use super::Outcome;
use crate::prune;

/// Drop runs that are too many or too old
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(crate) struct Args {
    /// The folder of all runs
    runs: PathBuf,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        prune::prune(&self.runs)?;
        let strangers = prune::strangers(&self.runs);
        if strangers > 0 {
            let runs = if strangers == 1 { "1 run was" } else { &format!("{strangers} runs were") };
            eprintln!(
                "ig: {runs} not made by ig on this machine; remove by hand what you do not want"
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}
