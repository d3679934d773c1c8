//! `ig sweep`: processes that units left behind. Only what is proven to be one is shown: it was started
//! with the id of a unit whose record says that it has ended, or is in the cgroup made for that unit.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::{Outcome, ps, table};
use crate::error::Error;
use crate::os::{self, Identity};
use crate::paths;
use crate::record::{Folder, scope};
use crate::stop;
use crate::wire::unit::Unit;

/// List processes that ended units left behind, and stop those asked for
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stop those of this unit (id or name), or the one with this pid
    #[arg(long, value_name = "ID|PID")]
    stop: Vec<String>,
    /// Stop all of them
    #[arg(long, conflicts_with = "stop")]
    all: bool,
    /// Of units of every project, not of this one alone
    #[arg(long)]
    everywhere: bool,
    /// How long they may take to end by themselves
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    grace: Duration,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A process that outlived its unit.
struct Orphan {
    process: Identity,
    unit: Unit,
    /// We run below it: ending it would end the hand that does.
    around_us: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let orphans = find(self.everywhere);
        if !self.all && self.stop.is_empty() {
            self.list(&orphans);
            return Ok(ExitCode::SUCCESS);
        }
        for word in &self.stop {
            if !orphans.iter().any(|orphan| orphan.is_called(word)) {
                let shown = crate::neutral::line(word);
                return Err(Error::new(format!("no unit called `{shown}` left anything behind"))
                    .next("ig sweep"));
            }
        }
        let chosen =
            |orphan: &&Orphan| self.all || self.stop.iter().any(|word| orphan.is_called(word));
        let (around, chosen): (Vec<&Orphan>, Vec<&Orphan>) =
            orphans.iter().filter(chosen).partition(|orphan| orphan.around_us);
        for orphan in around {
            eprintln!("ig: pid {} is around this very command, and stays", orphan.process.pid);
        }
        let count = chosen.len();
        let processes = chosen.iter().map(|orphan| orphan.process.clone()).collect();
        let left = stop::end(processes, self.grace);
        for orphan in &chosen {
            stop::cgroup::remove(&orphan.unit);
        }
        eprintln!("stopped {} of {count}", count - left.len());
        if left.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let pids: Vec<String> = left.iter().map(|process| process.pid.to_string()).collect();
        Err(Error::new("some could not be stopped")
            .at(format!("still there: pid {}", pids.join(", "))))
    }

    fn list(&self, orphans: &[Orphan]) {
        if self.json {
            let facts: Vec<_> = orphans.iter().map(Orphan::json).collect();
            println!("{:#}", json!({"schema": 1, "orphans": facts}));
        } else if orphans.is_empty() {
            eprintln!("nothing was left behind");
        } else {
            let rows: Vec<Vec<String>> = orphans.iter().map(Orphan::row).collect();
            for line in table::lines(&["PID", "COMMAND", "UNIT", "NAME", "ITS END"], &rows) {
                println!("{line}");
            }
            eprintln!("stop them with ig sweep --stop ID, or ig sweep --all");
        }
    }
}

fn find(everywhere: bool) -> Vec<Orphan> {
    let around = above(std::process::id());
    let mut orphans: Vec<Orphan> = Vec::new();
    for (process, unit) in marked(everywhere).into_iter().chain(confined(everywhere)) {
        let known = orphans.iter().any(|orphan| orphan.process == process);
        if process.pid != std::process::id() && !known {
            let around_us = around.contains(&process.pid);
            orphans.push(Orphan { process, unit, around_us });
        }
    }
    orphans
}

/// Who bears the id of an ended unit.
fn marked(everywhere: bool) -> Vec<(Identity, Unit)> {
    let here = paths::current_project();
    let mut found = Vec::new();
    for (process, id) in os::bearing("IDLERGEAR_RUN_ID") {
        let project = os::variable(process.pid, "IDLERGEAR_PROJECT").map(PathBuf::from);
        if !everywhere && project != here {
            continue;
        }
        let folder = Folder::of(&id, project.as_deref());
        let unit = folder.and_then(|folder| folder.observe().ok());
        let is_it = |unit: &Unit| unit.status.is_terminal() && unit.id.as_str() == id;
        found.extend(unit.filter(is_it).map(|unit| (process, unit)));
    }
    found
}

/// Who is in the cgroup of an ended unit.
fn confined(everywhere: bool) -> Vec<(Identity, Unit)> {
    let units = if everywhere { scope::everywhere() } else { scope::here() };
    let ended = units.into_iter().filter(|unit| unit.status.is_terminal());
    let with = |unit: Unit| {
        let members = stop::cgroup::members(&unit);
        members.into_iter().map(move |process| (process, unit.clone()))
    };
    ended.flat_map(with).collect()
}

/// `pid` and all its ancestors.
fn above(pid: u32) -> Vec<u32> {
    std::iter::successors(Some(pid), |pid| os::parent(*pid).filter(|parent| *parent > 0)).collect()
}

impl Orphan {
    fn is_called(&self, word: &str) -> bool {
        let id = word.strip_prefix("run_").unwrap_or(word);
        self.unit.id.as_str() == id
            || self.unit.name == word
            || self.process.pid.to_string() == word
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.process.pid.to_string(),
            os::command_line(self.process.pid),
            self.unit.id.to_string(),
            self.unit.name.clone(),
            ps::state(&self.unit) + if self.around_us { ", around this shell" } else { "" },
        ]
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "pid": self.process.pid, "command": os::command_line(self.process.pid),
            "unit": self.unit.id, "name": self.unit.name, "status": self.unit.status,
            "ended_at": self.unit.ended_at, "around_us": self.around_us,
        })
    }
}
