//! `ig clear`: forget the units of this project that have ended, with their logs.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use super::Outcome;
use crate::error::Error;
use crate::os::Identity;
use crate::record::{self, scope};
use crate::secure_fs::made;
use crate::start::name::Names;
use crate::wire::unit::Unit;
use crate::{paths, prune, secure_fs, stop};

/// Forget the units of this project that have ended, with their logs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Say what would be forgotten, and forget nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let ended = scope::here().into_iter().filter(|unit| unit.status.is_terminal());
        let (over, kept): (Vec<Unit>, Vec<Unit>) = ended.partition(is_over);
        let (ended, foreign): (Vec<Unit>, Vec<Unit>) = over.into_iter().partition(is_made_here);
        if self.dry_run {
            println!("would forget {}", count(ended.len()));
        } else if ended.is_empty() || self.yes || is_wanted(ended.len())? {
            let _names = Names::lock();
            let gone = ended.iter().filter(|unit| forget(unit)).count();
            drop_scripts();
            println!("forgot {}", count(gone));
            if gone < ended.len() {
                eprintln!(
                    "kept {}: not all of their files could be removed",
                    count(ended.len() - gone)
                );
            }
        } else {
            println!("forgot nothing");
        }
        if !kept.is_empty() {
            eprintln!("kept {}: processes of theirs live on; see ig sweep", count(kept.len()));
        }
        if !foreign.is_empty() {
            let text = "ig did not make their folders on this machine. Remove them by hand if you \
                        do not want them";
            eprintln!("kept {}: {text}", count(foreign.len()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn count(units: usize) -> String {
    let word = if units == 1 { "unit" } else { "units" };
    format!("{units} ended {word}")
}

/// Deleted logs cannot be recovered: asks on a terminal, and needs `-y` elsewhere.
fn is_wanted(units: usize) -> Result<bool, Error> {
    let what = format!("forget {} with their logs", count(units));
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        let refused = format!("this would {what}, and there is no terminal to ask on");
        return Err(Error::new(refused).next("ig clear -y, or ig clear --dry-run"));
    }
    let failed = |e: std::io::Error| Error::new(format!("cannot ask on the terminal: {e}"));
    let mut terminal = std::io::stderr();
    write!(terminal, "{what}? [y/N] ").and_then(|()| terminal.flush()).map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Nobody writes there any more, and nothing is left that its record would be needed for.
fn is_over(unit: &Unit) -> bool {
    let writes = [&unit.runner, &unit.keeper].into_iter().flatten().any(Identity::is_alive);
    !writes && stop::processes(unit).is_empty()
}

fn is_made_here(unit: &Unit) -> bool {
    made::is(record::folder_of(unit).path())
}

fn forget(unit: &Unit) -> bool {
    prune::remove(record::folder_of(unit).path())
}

/// Scripts that were kept for runs that are gone, and their folder with the last of them.
fn drop_scripts() {
    let runs = paths::runs_dir(paths::current_project().as_deref());
    prune::drop_scripts(&runs);
    let dir = runs.with_file_name("scripts");
    if secure_fs::list(&dir).is_ok_and(|left| left == [".gitignore"])
        && let Ok(Some(made)) = made::Folder::open(&dir)
    {
        let _ = made.remove();
    }
}
