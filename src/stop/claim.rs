//! Whether a unit may be stopped.
//!
//! Owned is what ig started: a runner keeps it, or did. Offered is what registered itself and said that
//! it may be stopped. All else is listed and can be sent messages, and is nobody's to end.

use std::os::unix::fs::MetadataExt;

use super::family::is_runner;
use super::look::Look;
use super::{is_between, shell};
use crate::error::{Error, Result};
use crate::record;
use crate::secure_fs;
use crate::wire::unit::Unit;

/// The name of the error for what may not be stopped, here and on the wire.
pub(super) const NOT_OWNED: &str = "not_owned";

/// Why a unit may be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Ig started it.
    Owned,
    /// It offered its own process, and what descends from that.
    Offered,
}

/// Why `unit` may be stopped for the process `asker`, or for us; an error when it may not.
pub fn claim(unit: &Unit, asker: Option<u32>) -> Result<Claim> {
    of(unit, &Look::now(asker))
}

pub(super) fn of(unit: &Unit, look: &Look) -> Result<Claim> {
    if !is_our_record(unit) {
        return Err(refused(unit, "its record belongs to another user"));
    }
    match &unit.runner {
        Some(_) => owned(unit, look).map(|()| Claim::Owned),
        None => offered(unit, look).map(|()| Claim::Offered),
    }
}

/// A runner that lives has to look like one; of one that is gone, what it recorded counts.
fn owned(unit: &Unit, look: &Look) -> Result<()> {
    let runner = unit.runner.as_ref().and_then(|runner| look.processes.find(runner));
    if runner.is_some_and(|runner| !is_runner(runner, unit)) {
        return Err(refused(unit, "the runner that its record names is another program"));
    }
    let process = unit.process.as_ref();
    if process.is_some_and(|process| process.pid <= 1) {
        return Err(refused(unit, "its record names process 1"));
    }
    if runner.is_none() && process.is_none() && !is_between(unit) && look.family(unit).is_empty() {
        return Err(no_process(unit));
    }
    Ok(())
}

fn offered(unit: &Unit, look: &Look) -> Result<()> {
    let Some(process) = unit.process.as_ref().filter(|_| unit.offered) else {
        return Err(match &unit.process {
            Some(_) => refused(unit, "ig did not start it, and it did not offer itself"),
            None => no_process(unit),
        });
    };
    let why = look.spares(process.pid).map(super::Why::words);
    let shell = look.processes.find(process).filter(|process| shell::is_interactive(process));
    let why = why.or_else(|| shell.map(|_| super::Why::Shell.words()));
    why.map_or(Ok(()), |why| Err(refused(unit, &format!("pid {}: {why}", process.pid))))
}

/// Another user's record could name any process of ours. An agent on the wire has none.
fn is_our_record(unit: &Unit) -> bool {
    if unit.logs.events.is_none() {
        return true;
    }
    let record = secure_fs::metadata(&record::folder_of(unit).file("run.json"));
    record.map_or(true, |record| record.uid() == rustix::process::geteuid().as_raw())
}

fn refused(unit: &Unit, why: &str) -> Error {
    let name = crate::neutral::line(&unit.name);
    let error = Error::new(format!("cannot stop `{name}` ({}): {NOT_OWNED}: {why}", unit.id));
    match unit.pid {
        Some(pid) => error.next(format!("end it where it runs (pid {pid})")),
        None => error.next("end it where it runs"),
    }
}

fn no_process(unit: &Unit) -> Error {
    let name = crate::neutral::line(&unit.name);
    Error::new(format!(
        "cannot stop `{name}` ({}): {NOT_OWNED}: it has no process of its own",
        unit.id
    ))
    .next(format!("end it where it runs, then ig run complete {}", unit.id))
}
