//! `ig sweep`: processes that units left behind. What is one is decided in [`crate::stop`].

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::{Outcome, ps, table};
use crate::error::Error;
use crate::logs::mask::view;
use crate::stop::{self, Leftover, Why};

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

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let found = stop::leftovers(self.everywhere);
        if !self.all && self.stop.is_empty() {
            self.list(&found);
            return Ok(ExitCode::SUCCESS);
        }
        for word in &self.stop {
            if !found.iter().any(|one| is_called(one, word)) {
                let shown = crate::neutral::line(word);
                return Err(Error::new(format!("no unit called `{shown}` left anything behind"))
                    .next("ig sweep"));
            }
        }
        let chosen =
            |one: &&Leftover| self.all || self.stop.iter().any(|word| is_called(one, word));
        let chosen: Vec<&Leftover> = found.iter().filter(chosen).collect();
        let (skipped, ending): (Vec<&Leftover>, Vec<&Leftover>) =
            chosen.iter().partition(|one| one.spared.is_some());
        for one in skipped {
            let why = one.spared.map(Why::words).unwrap_or_default();
            eprintln!("ig: skipped pid {}: {why}", one.process.pid);
        }
        let count = ending.len();
        let left = stop::end(ending.iter().map(|one| one.process.clone()).collect(), self.grace);
        for one in &ending {
            stop::cgroup::remove(&one.unit);
        }
        eprintln!("stopped {} of {count}", count - left.len());
        if left.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        Err(Error::new("some could not be stopped").at(format!("still there: {}", left.join("; "))))
    }

    fn list(&self, orphans: &[Leftover]) {
        if self.json {
            let facts: Vec<_> = orphans.iter().map(facts).collect();
            println!("{:#}", json!({"schema": 1, "orphans": facts}));
        } else if orphans.is_empty() {
            eprintln!("nothing was left behind");
        } else {
            let rows: Vec<Vec<String>> = orphans.iter().map(row).collect();
            for line in table::lines(&["PID", "COMMAND", "UNIT", "NAME", "ITS END"], &rows) {
                println!("{line}");
            }
            eprintln!("stop them with ig sweep --stop ID, or ig sweep --all");
        }
    }
}

fn is_called(one: &Leftover, word: &str) -> bool {
    let id = word.strip_prefix("run_").unwrap_or(word);
    one.unit.id.as_str() == id || one.unit.name == word || one.process.pid.to_string() == word
}

fn is_around_us(one: &Leftover) -> bool {
    one.spared == Some(Why::Ancestor)
}

fn row(one: &Leftover) -> Vec<String> {
    vec![
        one.process.pid.to_string(),
        view::command_line(one.process.pid),
        one.unit.id.to_string(),
        one.unit.name.clone(),
        ps::state(&one.unit) + if is_around_us(one) { ", around this shell" } else { "" },
    ]
}

fn facts(one: &Leftover) -> serde_json::Value {
    json!({
        "pid": one.process.pid, "command": view::command_line(one.process.pid),
        "unit": one.unit.id, "name": one.unit.name, "status": one.unit.status,
        "ended_at": one.unit.ended_at, "around_us": is_around_us(one),
    })
}
