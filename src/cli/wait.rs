//! `ig wait`: until a unit is ready, has ended, is idle, or something can be seen of it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{Outcome, resolve};
use crate::error::{Error, ErrorKind};
use crate::r#gen::quote;
use crate::kinds::ROOM;
use crate::logs::mask::view::Veil;
use crate::record::lookup::Asked;
use crate::record::{Folder, scope};
use crate::wait::{Until, Wait, look_until_ready, short};
use crate::wire::unit::Unit;
use crate::{neutral, time};

/// Wait until a unit is ready, has ended, or something can be seen of it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 it is so; 1 the unit ended before; 124 the time ran out; with `exit`, the unit's own."
)]
pub(crate) struct Args {
    /// Id, name or the first four characters of an id; a name may have yet to appear
    id: String,
    /// `ready`, `exit`, `idle:30s`, `port[:N]`, `http:URL`, `match:RE`, `file:PATH` or `exec:CMD`
    #[arg(long, value_name = "WHAT", default_value = "ready", value_parser = Until::parse)]
    until: Until,
    /// How long to wait for it: `90s`, `5m`; a plain number is seconds
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = super::length)]
    timeout: Duration,
    /// Wait for the next unit of that name to start, whatever runs or ran before
    #[arg(long)]
    new: bool,
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
        let here = std::env::current_dir().unwrap_or_default();
        let wait = Wait { until: self.until, limit: self.timeout, here };
        let (code, mut unit) = wait_for(&wait, &self.id, self.new)?;
        super::figures::add(std::slice::from_mut(&mut unit));
        if self.json {
            Veil::new().over(&mut unit);
            super::figures::add_kinds(std::slice::from_mut(&mut unit), ROOM);
            println!("{:#}", json!(unit));
        } else {
            eprintln!("{}", line(&wait.until, &unit));
        }
        Ok(ExitCode::from(code))
    }
}

/// What is there, an old end with its age; else the next that starts.
fn wait_for(wait: &Wait, who: &str, new: bool) -> Result<(u8, Unit), Error> {
    // Looked at first: what starts from here on is new.
    let before = scope::ids();
    if new {
        refuse_id(who)?;
        tell_waiting(wait, who, None);
        return wait.run_for_next(who, &before);
    }
    match resolve::find(who) {
        Ok((unit, folder)) => {
            tell_age(who, &unit);
            wait.run(&folder)
        }
        // What can be nothing but an id will not appear.
        Err(error) if error.kind() == ErrorKind::NotFound && !Asked::of(who).is_id_alone() => {
            tell_waiting(wait, who, Some(&error));
            wait.run_for_next(who, &before)
        }
        Err(error) => Err(error),
    }
}

fn refuse_id(name: &str) -> Result<(), Error> {
    let is_id = scope::find_filed(name).is_ok_and(|(unit, _)| unit.name != name);
    if !is_id && !Asked::of(name).is_id_alone() {
        return Ok(());
    }
    let name = neutral::line(name);
    Err(Error::usage(format!("--new waits for a name, and `{name}` is an id"))
        .next("the name of the unit that is to start"))
}

fn tell_waiting(wait: &Wait, name: &str, missing: Option<&Error>) {
    let why = missing.map(|error| format!("{}; ", error.what())).unwrap_or_default();
    let (name, limit) = (neutral::line(name), short(wait.limit));
    eprintln!("ig: {why}waiting up to {limit} for the next `{name}` to start");
}

/// What ended so lately is what somebody waits for who started it a moment ago.
const JUST_NOW: Duration = Duration::from_secs(1);

/// What ended before we came may not be what was meant.
fn tell_age(who: &str, unit: &Unit) {
    let ended = unit.ended_at.as_deref().filter(|_| unit.status.is_terminal());
    let age = ended.and_then(time::parse).and_then(|at| SystemTime::now().duration_since(at).ok());
    let Some(age) = age.filter(|age| *age >= JUST_NOW) else { return };
    let (name, age) = (neutral::line(&unit.name), time::human(age));
    let is_name = who == unit.name;
    let word = quote::word(&unit.name).ok().filter(|_| is_name);
    let next = word.map(|word| format!("; for the next one: ig wait {word} --new"));
    eprintln!("ig: `{name}` ({}) ended {age} ago{}", unit.id, next.unwrap_or_default());
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
