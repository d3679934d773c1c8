//! Following logs: over the daemon's restarts, and until the one agent that is followed ends.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::wire::client::Client;
use crate::wire::reply::{Event, LogLine};
use crate::wire::request::{EventSubscribe, Nothing, Request, Scope, Which};
use crate::wire::unit::Unit;

/// How long a daemon that went away may take to come back. It is not started again: somebody may
/// have stopped it on purpose.
const ABSENCE: Duration = Duration::from_secs(30);

/// How far back lines are asked for that came while nobody listened.
const GAP: usize = 1000;

/// Why a stream of events ended.
enum End {
    /// The agent that was followed has ended.
    Agent,
    /// The daemon went, or let us go.
    Connection,
}

/// Shows the last `tail` lines, then every line as it comes.
pub(super) fn follow(
    mut client: Client,
    who: Option<&str>,
    scope: &Scope,
    tail: usize,
    mut show: impl FnMut(&LogLine),
) -> Result<()> {
    let which = |who: &str| Which { id: who.to_owned(), project: scope.project.clone() };
    let unit = who.map(|who| client.call::<Unit>(&Request::UnitGet(which(who)))).transpose()?;
    let mut wanted = EventSubscribe {
        types: Some(["log_event", "agent_unregistered"].map(str::to_owned).to_vec()),
        unit: unit.as_ref().map(|unit| unit.id.to_string()),
        output: true,
        session: None,
        tail,
        scope: scope.clone(),
    };
    let has_ended = unit.is_some_and(|unit| unit.status.is_terminal());
    let mut last: Option<LogLine> = None;
    loop {
        let lines = match history(&mut client, &wanted) {
            Ok(lines) => lines,
            Err(refusal) if still_answers(&mut client) => return Err(refusal),
            Err(_) => {
                client = return_of_the_daemon()?;
                continue;
            }
        };
        let seen = last.as_ref().and_then(|last| lines.iter().rposition(|l| is_same(l, last)));
        for line in lines.into_iter().skip(seen.map_or(0, |at| at + 1)) {
            show(&line);
            last = Some(line);
        }
        if has_ended {
            return Ok(());
        }
        let end = listen(&mut client, wanted.unit.as_deref(), |line| {
            show(&line);
            last = Some(line);
        });
        if let End::Agent = end {
            return Ok(());
        }
        client = return_of_the_daemon()?;
        wanted.tail = GAP;
    }
}

/// Subscribes, and returns the lines from before.
fn history(client: &mut Client, wanted: &EventSubscribe) -> Result<Vec<LogLine>> {
    let answer: Value = client.call(&Request::EventSubscribe(wanted.clone()))?;
    let mut lines = Vec::new();
    for _ in 0..answer["history"].as_u64().unwrap_or(0) {
        if let Some(event) = client.next_event(Some(ABSENCE))? {
            lines.extend(line(&event));
        }
    }
    Ok(lines)
}

/// Whether it was the daemon that said no, rather than that it went away.
fn still_answers(client: &mut Client) -> bool {
    client.call::<Value>(&Request::DaemonStatus(Nothing {})).is_ok()
}

fn line(event: &Event) -> Option<LogLine> {
    let is_line = event.event_type == "log_event";
    is_line.then(|| serde_json::from_value(event.data.clone()).ok()).flatten()
}

/// Output has other times in history than it had when it came.
fn is_same(one: &LogLine, other: &LogLine) -> bool {
    (&one.id, &one.stream, &one.text) == (&other.id, &other.stream, &other.text)
}

fn listen(client: &mut Client, only: Option<&str>, mut take: impl FnMut(LogLine)) -> End {
    while let Ok(Some(event)) = client.next_event(None) {
        let is_end = event.event_type == "agent_unregistered" && only.is_some();
        if is_end && event.data["id"].as_str() == only {
            return End::Agent;
        }
        if event.event_type == "cut_off" {
            eprintln!("ig: lines came faster than they were read; some may be missing here");
        }
        line(&event).into_iter().for_each(&mut take);
    }
    End::Connection
}

fn return_of_the_daemon() -> Result<Client> {
    let deadline = Instant::now() + ABSENCE;
    loop {
        match Client::connect("ig") {
            Ok(client) => return Ok(client),
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(100)),
            Err(error) => {
                return Err(Error::new("the daemon went away")
                    .next("ig daemon start")
                    .at(error.what()));
            }
        }
    }
}
