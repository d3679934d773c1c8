//! `ig ps`, `ig run list`, `ig run status`: what runs and what ran, from the files alone.

use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::Value;

use super::{Outcome, figures, resolve, table};
use crate::kinds::{ROOM, SIGNAL_ROOM};
use crate::logs::mask::view::Veil;
use crate::neutral::{line, words};
use crate::record::gap::size;
use crate::record::now::Look;
use crate::record::{RUNNER_LOST, scope};
use crate::start::kind;
use crate::wire::reply::Units;
use crate::wire::unit::{EndSource, Kind, Unit};
use crate::{ending, os, paths, prune, secure_fs, stop, time};

/// List what runs now in this project
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Every project
    #[arg(long)]
    all: bool,
    /// Only units of this kind
    #[arg(long, value_name = "KIND", value_parser = kind::parse)]
    kind: Option<Kind>,
    /// Only units of this group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let mut units = if self.all { scope::everywhere() } else { scope::here() };
        units.retain(|unit| !unit.status.is_terminal());
        units.retain(|unit| self.kind.is_none_or(|kind| unit.kind == kind));
        units.retain(|unit| self.group.is_none() || unit.terms.group == self.group);
        let when_empty = if self.kind.is_some() || self.group.is_some() {
            "nothing of that sort runs here; see all with `ig ps`"
        } else {
            "nothing runs here; start something with `ig run COMMAND`"
        };
        show(units, self.json, when_empty);
        Ok(ExitCode::SUCCESS)
    }
}

/// List what ran in this project, the newest last
#[derive(Debug, clap::Args)]
pub(crate) struct History {
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl History {
    pub(crate) fn run(self) -> Outcome {
        tell_dropped();
        show(scope::here(), self.json, "no runs here yet; make one with `ig run COMMAND`");
        Ok(ExitCode::SUCCESS)
    }
}

/// What is missing from the beginning of the list.
fn tell_dropped() {
    let (runs, bytes) = prune::dropped(&paths::runs_dir(paths::current_project().as_deref()));
    if runs > 0 {
        let bytes = size(bytes);
        eprintln!(
            "ig: {runs} older runs ({bytes}) were dropped: bounds logs.max_runs, \
                   logs.max_age_days, logs.max_project_bytes (`ig config` shows them)"
        );
    }
}

/// Show what runs and what ran last, or one unit whole
#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    /// Id, name or the first four characters of an id
    id: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(crate) fn run(self) -> Outcome {
        if let Some(id) = &self.id {
            let (mut unit, _) = resolve::find_any(id)?;
            figures::add(std::slice::from_mut(&mut unit));
            Look::default().at(&mut unit);
            Veil::new().over(&mut unit);
            if self.json {
                figures::add_kinds(std::slice::from_mut(&mut unit), ROOM);
                println!("{}", json(&unit));
            } else {
                describe(&unit);
            }
            return Ok(ExitCode::SUCCESS);
        }
        let units = scope::here();
        let last = units.iter().rposition(|unit| unit.status.is_terminal());
        let shown = units
            .iter()
            .enumerate()
            .filter(|(index, unit)| !unit.status.is_terminal() || Some(*index) == last)
            .map(|(_, unit)| unit.clone())
            .collect();
        show(shown, self.json, "no runs here yet; make one with `ig run COMMAND`");
        Ok(ExitCode::SUCCESS)
    }
}

fn show(mut units: Vec<Unit>, as_json: bool, when_empty: &str) {
    let mut look = Look::default();
    figures::add(&mut units);
    for unit in &mut units {
        look.at(unit);
    }
    Veil::new().over_all(&mut units);
    if as_json {
        figures::add_kinds(&mut units, SIGNAL_ROOM);
        println!("{}", json(&Units { schema: 1, units, next: None }));
    } else if units.is_empty() {
        eprintln!("{when_empty}");
    } else {
        let rows: Vec<Vec<String>> = units.iter().map(row).collect();
        let titles =
            ["ID", "NAME", "STATUS", "PID", "PORTS", "CPU", "MEMORY", "STARTED", "COMMAND"];
        for line in table::lines(&titles, &rows) {
            println!("{line}");
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn row(unit: &Unit) -> Vec<String> {
    let ports: Vec<String> = unit.ports.iter().map(ToString::to_string).collect();
    vec![
        unit.id.to_string(),
        unit.name.clone(),
        if unit.stale { format!("{}, stale", state(unit)) } else { state(unit) },
        unit.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        ports.join(","),
        figures::cpu(unit),
        figures::memory(unit),
        age(unit),
        unit.command.clone(),
    ]
}

/// `running`, `running, busy`, `failed (3)`, `killed (SIGTERM)`.
pub(crate) fn state(unit: &Unit) -> String {
    let lost = if is_lost(unit) { ", runner lost" } else { "" };
    let word = format!("{}{lost}", unit.status.word());
    match (unit.status.is_terminal(), unit.exit_code, unit.signal) {
        (true, Some(code), _) if code != 0 => format!("{word} ({code})"),
        (true, None, Some(signal)) => format!("{word} ({})", ending::signal(signal)),
        (true, ..) => word,
        (false, ..) if unit.presence == crate::wire::unit::Presence::Active => word,
        (false, ..) => format!("{word}, {}", unit.presence.word()),
    }
}

/// Whether its runner was killed.
fn is_lost(unit: &Unit) -> bool {
    unit.metadata.get(RUNNER_LOST).and_then(Value::as_bool) == Some(true)
}

/// Why it did not start, or why nobody can tell all of it.
fn failure(unit: &Unit) -> String {
    let failure = unit.metadata.get("failure").and_then(Value::as_str);
    let text = match (failure, is_lost(unit), unit.end) {
        (Some(failure), ..) => failure,
        (None, true, Some(EndSource::Unknown)) => {
            "its runner was lost (killed): how and when it ended is not known"
        }
        (None, true, Some(_)) => "its runner was lost (killed); its command went on to its end",
        (None, true, None) => "its runner was lost (killed); its command lives on",
        (None, false, _) => "",
    };
    text.to_owned()
}

/// How long ago it started.
pub(crate) fn age(unit: &Unit) -> String {
    let started = time::parse(&unit.started_at).unwrap_or(SystemTime::UNIX_EPOCH);
    let length = SystemTime::now().duration_since(started).unwrap_or_default();
    format!("{} ago", time::human(length))
}

fn commit(unit: &Unit) -> String {
    let dirty = if unit.git.dirty == Some(true) { ", with changes" } else { "" };
    unit.git.commit.as_ref().map(|commit| format!("{commit}{dirty}")).unwrap_or_default()
}

/// Output that is not in the log.
fn missing(bytes: u64, lines: u64) -> String {
    if bytes == 0 { String::new() } else { format!("{lines} lines of output ({})", size(bytes)) }
}

fn dropped_events(unit: &Unit) -> String {
    let (bytes, events) = (unit.logs.dropped_event_bytes, unit.logs.dropped_events);
    if bytes == 0 { String::new() } else { format!("{events} dropped ({})", size(bytes)) }
}

/// By what the limit is held.
fn held(unit: &Unit) -> String {
    let limits = unit.metadata.get("limits");
    let by = limits.and_then(|limits| limits.get("by")?.as_str()).unwrap_or("nothing");
    let free = limits.and_then(|limits| limits.get("not_held")?.get(0)?.as_str());
    let free = free.map(|what| format!("; {what} is not limited")).unwrap_or_default();
    let kills = limits.and_then(|limits| limits.get("oom_kills")?.as_u64());
    let kills = kills.map(|kills| format!("; reached: the kernel killed {kills} of its processes"));
    format!(" (held by {by}{free}{})", kills.unwrap_or_default())
}

fn restarts(unit: &Unit) -> String {
    let policy = unit.terms.restart.as_deref().unwrap_or_default();
    if policy.is_empty() { String::new() } else { format!("{policy}, {} so far", unit.restarts) }
}

fn describe(unit: &Unit) {
    let script = unit.script.path.as_ref().map(|path| path.display().to_string());
    let hash = unit.script.sha256.get(..8).unwrap_or_default();
    let stale = if unit.stale { ", changed since" } else { "" };
    let ports: Vec<String> = unit.ports.iter().map(ToString::to_string).collect();
    let using = [figures::cpu(unit), figures::memory(unit)].join(" cpu, ");
    let logs = [&unit.logs.output, &unit.logs.stdout, &unit.logs.stderr, &unit.logs.events];
    let facts = [
        ("name", unit.name.clone()),
        ("id", unit.id.to_string()),
        ("status", state(unit)),
        ("failure", failure(unit)),
        ("says", words(&unit.description)),
        ("command", unit.command.clone()),
        ("script", script.map(|path| format!("{path} (hash: {hash}){stale}")).unwrap_or_default()),
        ("commit", commit(unit)),
        ("folder", unit.cwd.display().to_string()),
        ("pid", unit.pid.map(|pid| pid.to_string()).unwrap_or_default()),
        ("ports", ports.join(", ")),
        ("uses", if figures::cpu(unit).is_empty() { String::new() } else { using }),
        (
            "limit",
            unit.terms
                .limit
                .as_ref()
                .map(|limit| format!("{limit}{}", held(unit)))
                .unwrap_or_default(),
        ),
        ("group", unit.terms.group.clone().unwrap_or_default()),
        ("restart", restarts(unit)),
        ("started", format!("{} ({})", time::local_of(&unit.started_at), age(unit))),
        ("ended", unit.ended_at.as_deref().map(time::local_of).unwrap_or_default()),
        ("dropped", missing(unit.logs.dropped_bytes, unit.logs.dropped_lines)),
        ("events", dropped_events(unit)),
        ("missed", missing(unit.logs.missed_bytes, unit.logs.missed_lines)),
    ];
    for (what, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        println!("{what:<8} {}", line(value));
    }
    if unit.status.is_terminal() {
        for left in stop::processes(unit) {
            let command = line(&os::command_line(left.pid));
            println!("{:<8} pid {} ({command}) is still running", "left", left.pid);
        }
    }
    for path in logs.into_iter().flatten().filter(|path| secure_fs::exists(path)) {
        println!("{:<8} {}", "log", line(&path.display().to_string()));
    }
}
