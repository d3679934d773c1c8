//! The daemon in bad weather: many at once, callers without manners, broken files, a clock that
//! jumps. However it was treated, it answers within a second, and nothing is left behind.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

#[path = "storm/clock.rs"]
mod clock;
#[path = "storm/crowd.rs"]
mod crowd;
#[path = "storm/damage.rs"]
mod damage;
#[path = "storm/race.rs"]
mod race;
#[allow(dead_code, reason = "this file needs only a part of it")]
#[path = "daemon/raw.rs"]
mod raw;
#[path = "storm/returns.rs"]
mod returns;
#[path = "storm/thousand.rs"]
mod thousand;

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use idlergear::os;
use raw::Raw;
use serde_json::{Value, json};
use support::{Sandbox, wait_patiently, wait_until};

/// A child that is killed when the test is over.
struct Killed(Child);

impl Killed {
    fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The daemon answers within a second, has nobody left, and is all that is left.
fn all_is_well(world: &Sandbox) {
    answers(world);
    let mark = format!("HOME={}", world.home().display());
    let daemon = world.daemon_pid();
    assert!(daemon.is_some());
    wait_until("nothing but the daemon is left", || {
        os::started_with(&mark, 0).iter().all(|process| Some(process.pid) == daemon)
    });
    for place in [world.state().join("live"), world.home().join("tmp")] {
        wait_until("nothing lies around", || place.read_dir().unwrap().next().is_none());
    }
}

/// It answers a new caller within a second. A busy machine gets more than one try.
fn answers(world: &Sandbox) {
    wait_patiently("it answers within a second", || {
        let asked = Instant::now();
        Raw::greeted(world).ok("daemon.status", &json!({}));
        asked.elapsed() < Duration::from_secs(1)
    });
}

/// How many units live, as the daemon knows it.
fn living(raw: &mut Raw) -> u64 {
    raw.ok("daemon.status", &json!({}))["units"].as_u64().unwrap()
}

/// Every unit that the daemon knows, ended ones too.
fn units(raw: &mut Raw) -> Vec<Value> {
    let mut asked = json!({ "all": true, "ended": true });
    let mut units = Vec::new();
    loop {
        let mut page = raw.ok("unit.list", &asked);
        let Value::Array(part) = page["units"].take() else { panic!("{page}") };
        units.extend(part);
        if page["next"].is_null() {
            return units;
        }
        asked["after"] = page["next"].take();
    }
}

/// Starts a unit of session `s` in the background; returns its id.
fn start(world: &Sandbox, name: &str, script: &str) -> String {
    let mut command = world.command("ig");
    command.args(["start", name, "--", "bash", "-c", script]).env("IDLERGEAR_SESSION", "s");
    let output = command.output().unwrap();
    support::succeed(&output, &["start", name]).trim().to_owned()
}

/// All signals that wait for session `s`; they are told now.
fn drain(world: &Sandbox) -> Vec<Value> {
    let mut raw = Raw::greeted(world);
    let mut signals = Vec::new();
    loop {
        let mut page =
            raw.ok("signal.drain", &json!({ "session": "s", "project": world.project() }));
        let Value::Array(part) = page["signals"].take() else { panic!("{page}") };
        signals.extend(part);
        if page["more"] != true {
            // Once it answers again, it has noted that the last of them arrived.
            living(&mut raw);
            return signals;
        }
    }
}

/// The names of units whose ends are told in `signals`, sorted.
fn told(signals: &[Value]) -> Vec<String> {
    let ends = signals.iter().filter(|signal| signal["lifecycle"].is_object());
    let mut names: Vec<String> =
        ends.map(|end| end["snapshot"]["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}
