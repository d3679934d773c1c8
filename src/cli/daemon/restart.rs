//! `ig daemon restart`: a new daemon that finds everything the old one knew.

use std::process::ExitCode;

use super::start::{self, Started};
use super::stop;
use crate::cli::Outcome;

/// Stop the daemon if it runs, and start a new one
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    #[allow(clippy::unused_self, reason = "every command runs from its arguments")]
    pub(crate) fn run(self) -> Outcome {
        stop::stop()?;
        let (Started::Now(pid) | Started::Before(pid)) = start::start()?;
        super::print(format_args!("the daemon is running (pid {pid})"));
        Ok(ExitCode::SUCCESS)
    }
}
