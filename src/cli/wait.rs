//! `ig wait`: until a unit is ready, has ended, is idle, or something can be seen of it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::Outcome;
use crate::error::Error;
use crate::kinds::ROOM;
use crate::neutral;
use crate::record::{Folder, scope};
use crate::wait::{Until, Wait, look_until_ready};
use crate::wire::unit::Unit;

/// Wait until a unit is ready, has ended, or something can be seen of it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 it is so; 1 the unit ended before; 124 the time ran out; with `exit`, the unit's own."
)]
pub(crate) struct Args {
    /// Id, name or the first four characters of an id
    id: String,
    /// `ready`, `exit`, `idle:30s`, `port[:N]`, `http:URL`, `match:RE`, `file:PATH` or `exec:CMD`
    #[arg(long, value_name = "WHAT", default_value = "ready", value_parser = Until::parse)]
    until: Until,
    /// How long to wait for it
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Wait as scripts say it: `ig-agent wait`
#[derive(Debug, clap::Args)]
#[command(override_usage = "ig-agent wait WHO [ready|exit] [SECONDS]")]
pub(crate) struct InScript {
    /// Id or name; it may have yet to appear
    who: String,
    /// `ready` or `exit`, and how many seconds to wait for it
    #[arg(num_args = 0..=2)]
    words: Vec<String>,
}

impl InScript {
    pub(crate) fn run(self) -> Outcome {
        let mut wait = Wait {
            until: Until::Ready,
            limit: Duration::from_mins(1),
            here: std::env::current_dir().unwrap_or_default(),
        };
        for word in &self.words {
            match word.as_str() {
                "ready" => wait.until = Until::Ready,
                "exit" => wait.until = Until::Exit,
                seconds => wait.limit = Duration::from_secs(number(seconds)?),
            }
        }
        Ok(ExitCode::from(wait.run_for(&self.who)?.0))
    }
}

/// Wait as a runner does: note it when the command is ready
#[derive(Debug, clap::Args)]
pub(crate) struct ForRunner {
    /// The unit's folder
    folder: PathBuf,
}

impl ForRunner {
    pub(crate) fn run(self) -> Outcome {
        look_until_ready(&Folder::at(self.folder))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn number(text: &str) -> Result<u64, Error> {
    let shown = || neutral::line(text);
    text.parse().map_err(|_| Error::usage(format!("SECONDS wants a number, not `{}`", shown())))
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let (_, folder) = scope::find(&self.id)?;
        let here = std::env::current_dir().unwrap_or_default();
        let wait = Wait { until: self.until, limit: self.timeout, here };
        let (code, mut unit) = wait.run(&folder)?;
        super::figures::add(std::slice::from_mut(&mut unit));
        if self.json {
            super::figures::add_kinds(std::slice::from_mut(&mut unit), ROOM);
            println!("{:#}", json!(unit));
        } else {
            eprintln!("{}", line(&wait.until, &unit));
        }
        Ok(ExitCode::from(code))
    }
}

/// `web (b3k9x0a1z) is ready, port 8000`, `web (b3k9x0a1z) has ended: failed (3)`.
fn line(until: &Until, unit: &Unit) -> String {
    let mut line = format!("{} ({}) {}", neutral::line(&unit.name), unit.id, until.so());
    if unit.status.is_terminal() {
        line.push_str(": ");
        line.push_str(&super::ps::state(unit));
    }
    for (index, port) in unit.ports.iter().enumerate() {
        line.push_str(if index == 0 { ", port " } else { ", " });
        line.push_str(&port.to_string());
    }
    line
}
