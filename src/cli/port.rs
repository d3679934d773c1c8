//! `ig-agent port`: prints a TCP port that is free, and claims it for the calling script.

use std::process::ExitCode;

use super::Outcome;
use crate::error::{Error, Result};
use crate::os::Identity;
use crate::paths;
use crate::port::{Claim, claim, claim_fixed};
use crate::record::Folder;

/// Print a free TCP port, claimed for the calling script
#[derive(Debug, clap::Args)]
#[command(override_usage = "ig-agent port BASE [--fixed] [--pid PID] [--name NAME]")]
pub(crate) struct InScript {
    /// The first port to try
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    base: u16,
    /// That port or none
    #[arg(long)]
    fixed: bool,
    /// The process whose end is the claim's end [default: the caller]
    #[arg(long)]
    pid: Option<u32>,
    /// The name people use [default: the unit's]
    #[arg(long)]
    name: Option<String>,
}

impl InScript {
    pub(crate) fn run(self) -> Outcome {
        let fixed = self.fixed;
        let wish = self.wish()?;
        let port = if fixed {
            claim_fixed(&wish)?
        } else {
            let (port, moved) = claim(&wish)?;
            if let Some(owner) = moved {
                eprintln!("port {} is {owner}; using {port}", wish.base);
            }
            port
        };
        println!("{port}");
        Ok(ExitCode::SUCCESS)
    }

    /// The claim belongs to the unit we run in, and lives as long as the process that asked.
    fn wish(self) -> Result<Claim> {
        let parent = || rustix::process::getppid().and_then(|p| p.as_raw_pid().try_into().ok());
        let pid: Option<u32> = self.pid.or_else(parent);
        let process = pid.and_then(Identity::of).or_else(Identity::own);
        let process = process.ok_or_else(|| Error::new("cannot tell which process asks"))?;
        let project = paths::current_project();
        let unit = paths::var("IDLERGEAR_RUN_ID")
            .and_then(|id| Folder::of(&id, project.as_deref()))
            .and_then(|folder| folder.observe().ok());
        let name = self.name.or_else(|| unit.as_ref().map(|unit| unit.name.clone()));
        Ok(Claim {
            port: self.base,
            base: self.base,
            process,
            unit: unit.map(|unit| unit.id),
            name: name.unwrap_or_default(),
            project,
        })
    }
}
