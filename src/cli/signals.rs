//! `ig signals`: takes the signals that wait for a session and shows them.
//!
//! A signal counts as told once it was printed: the daemon keeps it until then.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Outcome, session};
use crate::error::{Error, Result};
use crate::wire::client::Client;
use crate::wire::request::{Drainer, Request, SignalDrain};
use crate::wire::signal::{Digest, Signal, Signals};
use crate::{autostart, ending, neutral, paths, time};

/// Show what this session should know, once: units that ended, lines of monitors
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Whose signals; without it those of the AI session we are in, else your own
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only look: they stay
    #[arg(long)]
    peek: bool,
    /// Of every project; a person is else told of this one only
    #[arg(long)]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        if is_closed() {
            return Err(Error::new("standard output is closed, so nothing is marked as told"));
        }
        autostart::ensure()?;
        // A session is one conversation, wherever it works; a person stands in one project.
        let here = self.session.is_none() && paths::session().is_none() && !self.all;
        let session = self.session.clone().unwrap_or_else(session::who_asks);
        let drainer = Drainer { session, project: paths::current_project() };
        let mut client = Client::connect("ig")?;
        let mut wanted =
            SignalDrain { drainer, hold: true, peek: self.peek, limit: 1000, ..Default::default() };
        (wanted.here, wanted.brief) = (here, true);
        let mut shown = 0;
        let elsewhere = loop {
            let page = ask(&mut client, &wanted)?;
            if page.signals.is_empty() {
                break page.elsewhere;
            }
            match self.show(&page.signals, shown == 0) {
                // Nobody reads: not told, so they stay in the queue.
                Err(cause) if cause.kind() == ErrorKind::BrokenPipe => {
                    return Ok(ExitCode::SUCCESS);
                }
                Err(cause) => return Err(unwritten(&cause, shown)),
                Ok(()) => {}
            }
            shown += page.signals.len();
            wanted.after = page.signals.last().map_or(0, |signal| signal.seq);
            if !self.peek {
                wanted.ack = page.signals.iter().map(|signal| signal.seq).collect();
            }
            if !page.more {
                wanted.limit = 0;
            }
        };
        self.close(shown);
        if elsewhere > 0 {
            eprintln!("{elsewhere} of other projects: ig signals --all");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Prints and flushes: what is returned as shown was.
    fn show(&self, signals: &[Signal], is_first: bool) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        for (index, signal) in signals.iter().enumerate() {
            if self.json {
                let before = if is_first && index == 0 { OPEN } else { ",\n" };
                write!(out, "{before}{}", json!(signal))?;
            } else {
                lines(signal).into_iter().try_for_each(|line| writeln!(out, "{line}"))?;
            }
        }
        if self.json {
            // Nothing of a page is left in a buffer: a newline is what flushes it.
            writeln!(out)?;
        }
        out.flush()
    }

    fn close(&self, shown: usize) {
        if self.json {
            let begin = if shown == 0 { OPEN } else { "" };
            let _ = writeln!(std::io::stdout(), "{begin}]}}");
        } else if shown == 0 {
            eprintln!("no signals");
        }
    }
}

/// What is written to a closed descriptor is lost without an error: before `main`, it was opened on
/// `/dev/null`, for reading and writing. Who redirects there themselves has it for writing alone.
fn is_closed() -> bool {
    let out = std::io::stdout();
    let is_null = rustix::fs::fstat(&out).is_ok_and(|out| {
        rustix::fs::stat("/dev/null").is_ok_and(|null| null.st_rdev == out.st_rdev)
    });
    let both = rustix::fs::fcntl_getfl(&out)
        .is_ok_and(|flags| flags & rustix::fs::OFlags::RWMODE == rustix::fs::OFlags::RDWR);
    is_null && both
}

fn unwritten(cause: &std::io::Error, shown: usize) -> Error {
    let what = if shown == 0 { "nothing" } else { "the rest not" };
    Error::new(format!("cannot write: {cause}, so {what} is marked as told"))
}

/// Asks; once more when the daemon went away meanwhile, so that what was printed is acknowledged.
fn ask(client: &mut Client, wanted: &SignalDrain) -> Result<Signals> {
    let request = Request::SignalDrain(wanted.clone());
    client.call(&request).or_else(|_| {
        autostart::ensure()?;
        *client = Client::connect("ig")?;
        client.call(&request)
    })
}

const OPEN: &str = "{\"schema\":1,\"signals\":[\n";

/// A signal for people: a line, and one for each line of a monitor.
fn lines(signal: &Signal) -> Vec<String> {
    let at = time::local_of(&signal.at);
    let name = neutral::line(text(&signal.snapshot, "name").unwrap_or("-"));
    let head = format!("{at}  {name}{}", place(&signal.snapshot));
    if let Some(digest) = &signal.digest {
        return vec![format!("{at}  {}", folded(digest))];
    }
    let Some(event) = &signal.event else { return vec![format!("{head}  {}", end(signal))] };
    if event.closing {
        // The end says the same.
        return Vec::new();
    }
    let suppressed = (event.suppressed > 0)
        .then(|| format!("{head}  [{} lines came too fast]", event.suppressed));
    let said = event.line.lines().map(|line| format!("{head}  {}", neutral::line(line)));
    suppressed.into_iter().chain(said).collect()
}

/// How it ended and where to read on.
fn end(signal: &Signal) -> String {
    let unit = &signal.snapshot;
    let number = |name: &str| unit[name].as_i64().and_then(|number| i32::try_from(number).ok());
    let status = signal.lifecycle.map_or("", |end| end.status.word());
    let how = ending::words(number("exit_code"), number("signal"));
    let how = if how == status { String::new() } else { format!(": {how}") };
    let how = how + ending::over_limit(unit);
    let length = unit["duration_ms"].as_u64().map(std::time::Duration::from_millis);
    let after = length.map(|length| format!(" after {}", time::human(length))).unwrap_or_default();
    let before = if signal.earlier { ", before this session" } else { "" };
    format!("{status}{how}{after}{before}{}", read_on(signal))
}

/// In which project it is, when that is not this one.
fn place(unit: &Value) -> String {
    let here = paths::current_project();
    match text(unit, "project").map(Path::new) {
        project if unit.is_null() || project == here.as_deref() => String::new(),
        None => " outside of projects".to_owned(),
        Some(project) => format!(" in {}", neutral::line(&project.display().to_string())),
    }
}

/// Where its log is, unless it has none: cleared meanwhile, or never written.
fn read_on(signal: &Signal) -> String {
    let logs = signal.snapshot["logs"].as_object();
    let mut paths = logs.into_iter().flat_map(|logs| logs.values().filter_map(Value::as_str));
    let is_there = paths.any(|path| Path::new(path).parent().is_some_and(Path::is_dir));
    if is_there { format!("; ig logs {}", signal.daemon_id) } else { String::new() }
}

fn folded(digest: &Digest) -> String {
    let parts: Vec<String> =
        digest.dropped.iter().map(|(what, count)| format!("{count} {what}")).collect();
    format!("too many waited; dropped: {}", parts.join(", "))
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}
