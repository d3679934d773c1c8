//! Signals: what ends and what monitors write reaches the sessions that should know, once each,
//! whoever is killed meanwhile.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

#[path = "signals/alerts.rs"]
mod alerts;
#[path = "signals/bounds.rs"]
mod bounds;
#[path = "signals/cli.rs"]
mod cli;
#[path = "signals/crash.rs"]
mod crash;
#[path = "signals/drain.rs"]
mod drain;
#[path = "signals/kinds.rs"]
mod kinds;
#[path = "signals/monitors.rs"]
mod monitors;
#[path = "signals/notify.rs"]
mod notify;
#[path = "daemon/raw.rs"]
mod raw;
#[path = "signals/session_ends.rs"]
mod session_ends;
#[path = "signals/session_steps.rs"]
mod session_steps;
#[path = "signals/sessions.rs"]
mod sessions;
#[path = "signals/steps.rs"]
mod steps;
#[path = "signals/units.rs"]
mod units;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use raw::Raw;
use serde_json::{Value, json};
use support::{Sandbox, wait_until};

/// A unit in the background, as `ig start` makes it.
#[derive(Default)]
pub(crate) struct Start<'a> {
    pub(crate) name: &'a str,
    pub(crate) session: Option<&'a str>,
    pub(crate) kind: Option<&'a str>,
    pub(crate) terms: Option<Value>,
    pub(crate) script: &'a str,
}

impl Start<'_> {
    /// Starts it and returns what its runner says of it.
    pub(crate) fn run(&self, world: &Sandbox) -> Value {
        spawn(&mut self.command(world))
    }

    /// Its runner.
    pub(crate) fn command(&self, world: &Sandbox) -> Command {
        let mut command = world.command("ig-agent");
        command.args(["run", "--detach", "--no-pty", &format!("--name={}", self.name)]);
        if let Some(kind) = self.kind {
            command.args(["--kind", kind]);
        }
        if let Some(terms) = &self.terms {
            command.args(["--terms", &terms.to_string()]);
        }
        if let Some(session) = self.session {
            command.env("IDLERGEAR_SESSION", session);
        }
        command.args(["--", "bash", "-c", self.script]);
        command
    }
}

/// Starts a runner, which lives as long as its unit; returns what it says of that.
pub(crate) fn spawn(command: &mut Command) -> Value {
    let mut runner = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(runner.stdout.take().unwrap()).read_line(&mut line).unwrap();
    std::thread::spawn(move || runner.wait());
    serde_json::from_str(&line).unwrap()
}

/// Starts a command that a session owns; returns its id.
pub(crate) fn start(world: &Sandbox, session: &str, name: &str, script: &str) -> String {
    let unit = Start { name, session: Some(session), script, ..Start::default() }.run(world);
    id(&unit)
}

pub(crate) fn id(unit: &Value) -> String {
    unit["id"].as_str().unwrap().to_owned()
}

/// Parameters of a drain.
pub(crate) fn drainer(world: &Sandbox, session: &str) -> Value {
    json!({ "session": session, "project": world.project() })
}

/// Takes what waits for `session` over a connection of its own.
pub(crate) fn drain(world: &Sandbox, session: &str) -> Vec<Value> {
    let mut raw = Raw::greeted(world);
    let mut answer = raw.ok("signal.drain", &drainer(world, session));
    assert_eq!(answer["schema"], 1);
    // Once the daemon answers again, it has noted that the first answer arrived.
    raw.ok("signal.pending", &drainer(world, session));
    let Value::Array(signals) = answer["signals"].take() else { panic!("{answer}") };
    signals
}

/// How many signals wait for `session`.
pub(crate) fn pending(world: &Sandbox, session: &str) -> u64 {
    let answer = Raw::greeted(world).ok("signal.pending", &drainer(world, session));
    answer["count"].as_u64().unwrap()
}

/// Waits until nothing runs any more, as the daemon knows it.
pub(crate) fn wait_for_ends(world: &Sandbox) {
    wait_until("everything has ended", || {
        Raw::greeted(world).ok("daemon.status", &json!({}))["units"] == 0
    });
}

/// Units and statuses of lifecycle signals.
pub(crate) fn ends(signals: &[Value]) -> Vec<(String, String)> {
    let end = |signal: &Value| {
        let status = signal["lifecycle"]["status"].as_str()?;
        Some((signal["snapshot"]["name"].as_str()?.to_owned(), status.to_owned()))
    };
    signals.iter().filter_map(end).collect()
}
