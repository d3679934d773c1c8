//! `ig clear`: forget the units of this project that have ended, with their logs.

use std::fs;
use std::process::ExitCode;

use super::Outcome;
use crate::error::Error;
use crate::os::Identity;
use crate::record::{self, scope};
use crate::start::name::Names;
use crate::wire::unit::Unit;
use crate::{paths, stop};

/// Forget the units of this project that have ended, with their logs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Say what would be forgotten, and forget nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let _names = Names::lock();
        let (ended, kept): (Vec<Unit>, Vec<Unit>) =
            scope::here().into_iter().filter(|unit| unit.status.is_terminal()).partition(is_over);
        for unit in ended.iter().filter(|_| !self.dry_run) {
            forget(unit)?;
        }
        let would = if self.dry_run { "would forget" } else { "forgot" };
        println!("{would} {}", count(ended.len()));
        if !kept.is_empty() {
            eprintln!("kept {}: processes of theirs live on; see ig sweep", count(kept.len()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn count(units: usize) -> String {
    let word = if units == 1 { "unit" } else { "units" };
    format!("{units} ended {word}")
}

/// Nobody writes there any more, and nothing is left that its record would be needed for.
fn is_over(unit: &Unit) -> bool {
    let writes = [&unit.runner, &unit.keeper].into_iter().flatten().any(Identity::is_alive);
    !writes && stop::processes(unit).is_empty()
}

fn forget(unit: &Unit) -> Result<(), Error> {
    let folder = record::folder_of(unit);
    // Only a folder of ours is removed with all that is in it.
    if folder.path().file_name().is_none_or(|name| name != unit.id.as_str()) {
        return Ok(());
    }
    stop::cgroup::remove(unit);
    fs::remove_dir_all(folder.path()).map_err(|e| Error::io("remove", folder.path(), &e))?;
    let link = paths::live_dir().join(unit.id.as_str());
    if fs::read_link(&link).is_ok_and(|target| target == folder.path()) {
        let _ = fs::remove_file(link);
    }
    Ok(())
}
