//! `wait`: until a unit is ready, or has ended. Looks at files and processes; needs no daemon.

use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Outcome;
use super::words::{Word, Words, number, unknown};
use crate::error::{Error, Result, exit};
use crate::record::pieces::newest;
use crate::record::{self, lookup};
use crate::wire::unit::{Logs, Unit};
use crate::{neutral, os, paths, time};

/// How often we look.
const INTERVAL: Duration = Duration::from_millis(50);

/// How long a unit that had ended before we came may be an old run whose successor is on its way.
const SUCCESSOR: Duration = Duration::from_secs(2);

/// How long we wait when nobody says.
const DEFAULT_SECONDS: u64 = 60;

/// How many last lines tell why a unit died.
const LAST_LINES: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Ready,
    Exit,
}

struct Wait {
    who: String,
    until: Until,
    limit: Duration,
    /// RFC 3339, as moments are in records: one form, so that they compare as text.
    began: String,
}

pub(super) fn run(words: Words) -> Outcome {
    let wait = parse(words)?;
    let deadline = Instant::now() + wait.limit;
    let patience = Instant::now() + SUCCESSOR.min(wait.limit);
    loop {
        let unit = wait.find()?;
        if let Some(unit) = &unit
            && let Some(code) = wait.look(unit, Instant::now() >= patience)?
        {
            return Ok(ExitCode::from(code));
        }
        if Instant::now() >= deadline {
            return Err(wait.timed_out(unit.as_ref()));
        }
        sleep(INTERVAL);
    }
}

fn parse(mut words: Words) -> Result<Wait> {
    let mut values = Vec::new();
    while let Some(word) = words.next()? {
        match word {
            Word::Value(value) if values.len() < 3 => values.push(value),
            other => return Err(unknown(&other)),
        }
    }
    let mut values = values.into_iter();
    let who = values.next().ok_or_else(|| {
        Error::usage("wait for whom?").next("ig-agent wait WHO [ready|exit] [SECONDS]")
    })?;
    let (mut until, mut seconds) = (Until::Ready, DEFAULT_SECONDS);
    for value in values {
        match value.as_str() {
            "ready" => until = Until::Ready,
            "exit" => until = Until::Exit,
            other => seconds = number(other, "SECONDS")?,
        }
    }
    Ok(Wait { who, until, limit: Duration::from_secs(seconds), began: time::now() })
}

impl Wait {
    /// The unit as it stands now; none while nobody is called that.
    fn find(&self) -> Result<Option<Unit>> {
        let units = units();
        match lookup::find(&units, &self.who).map(|unit| unit.id.clone()) {
            Ok(id) => Ok(units.into_iter().find(|unit| unit.id == id)),
            Err(error) if error.what().starts_with("nothing here") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The exit code that `unit` lets us end with, if it does.
    fn look(&self, unit: &Unit, patient_enough: bool) -> Result<Option<u8>> {
        if unit.status.is_terminal() {
            let recent = ended_after(unit, &self.began) || unit.id.as_str() == self.who;
            return match self.until {
                _ if !recent && !patient_enough => Ok(None),
                Until::Exit => Ok(Some(code_of(unit))),
                Until::Ready => Err(died(unit)),
            };
        }
        Ok((self.until == Until::Ready && is_ready(unit)).then_some(exit::OK))
    }

    fn timed_out(&self, unit: Option<&Unit>) -> Error {
        let seconds = self.limit.as_secs();
        let problem = match (unit, self.until) {
            (None, _) => {
                format!("nothing called `{}` appeared in {seconds}s", neutral::line(&self.who))
            }
            (Some(unit), Until::Ready) => {
                format!("`{}` ({}) is not ready after {seconds}s", unit.name, unit.id)
            }
            (Some(unit), Until::Exit) => {
                format!("`{}` ({}) still runs after {seconds}s", unit.name, unit.id)
            }
        };
        let next = unit.map_or("ig ps --all".to_owned(), |unit| format!("ig logs {}", unit.id));
        Error::new(problem).next(next).code(exit::TIMED_OUT)
    }
}

/// Every unit of this project and of the user, and whatever lives elsewhere.
fn units() -> Vec<Unit> {
    let project = paths::current_project();
    let mut units = record::list(&paths::runs_dir(None));
    if let Some(project) = project.as_deref() {
        units.extend(record::list(&paths::runs_dir(Some(project))));
    }
    for unit in record::list(&paths::live_dir()) {
        if !units.iter().any(|known| known.id == unit.id) {
            units.push(unit);
        }
    }
    units
}

fn ended_after(unit: &Unit, began: &str) -> bool {
    unit.ended_at.as_deref().is_some_and(|ended| ended >= began)
}

/// It said so, or its processes listen on a port.
fn is_ready(unit: &Unit) -> bool {
    unit.ready || unit.process.as_ref().is_some_and(|process| listens(process.pid))
}

fn listens(pid: u32) -> bool {
    let pids: Vec<u32> = os::tree(pid).into_iter().map(|process| process.pid).collect();
    !os::listening_ports(&pids).is_empty()
}

fn code_of(unit: &Unit) -> u8 {
    let signal = unit.signal.and_then(|n| u8::try_from(n).ok());
    let code = unit.exit_code.and_then(|n| u8::try_from(n).ok());
    match (code, signal) {
        (_, Some(signal)) => exit::SIGNAL_BASE.saturating_add(signal),
        (Some(code), None) => code,
        (None, None) => exit::FAILED,
    }
}

fn died(unit: &Unit) -> Error {
    let cause = match (unit.signal, unit.exit_code) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "killed".to_owned(),
    };
    let mut problem = format!("`{}` ({}) ended before it was ready: {cause}", unit.name, unit.id);
    for line in last_lines(&unit.logs) {
        problem.push_str("\n  | ");
        problem.push_str(&line);
    }
    Error::new(problem).next(format!("ig logs {}", unit.id))
}

/// The end of what it printed, made harmless: this goes to a terminal or to an agent.
fn last_lines(logs: &Logs) -> Vec<String> {
    let files = [&logs.stderr, &logs.output, &logs.stdout];
    let filled = files.into_iter().flatten().map(|path| tail(path)).find(|text| !text.is_empty());
    let text = filled.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    lines[from..].iter().map(|line| neutral::line(line)).collect()
}

fn tail(path: &Path) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let Ok(file) = std::fs::File::open(newest(path).0) else { return String::new() };
    let mut file = &file;
    let length = file.metadata().map_or(0, |meta| meta.len());
    let mut bytes = Vec::new();
    let _ = file.seek(SeekFrom::Start(length.saturating_sub(2048)));
    let _ = file.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}
