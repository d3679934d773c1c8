//! Background units through the command line, from the files alone: no daemon runs here.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

#[path = "units/limits.rs"]
mod limits;
#[path = "units/names.rs"]
mod names;
#[path = "units/ports.rs"]
mod ports;
#[path = "units/restart.rs"]
mod restart;
#[path = "units/seed.rs"]
mod seed;
#[path = "units/stop.rs"]
mod stop;
mod support;

use std::process::{Command, Output};

use serde_json::Value;
use support::{Sandbox, stdout, succeed};

/// A project in which nobody starts a daemon.
struct World(Sandbox);

impl World {
    fn new() -> Self {
        Self(Sandbox::with_project())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.0.command("ig");
        command.args(args).env("IDLERGEAR_NO_DAEMON", "1");
        command
    }

    fn ig(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        succeed(&self.ig(args), args)
    }

    /// Starts a unit; returns its id.
    fn start(&self, args: &[&str]) -> String {
        self.ok(&[&["start"], args].concat()).trim().to_owned()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    fn unit(&self, id: &str) -> Value {
        self.json(&["run", "status", id, "--json"])
    }

    fn names(&self, args: &[&str]) -> Vec<String> {
        let listing = self.json(args);
        let name = |unit: &Value| unit["name"].as_str().unwrap().to_owned();
        listing["units"].as_array().unwrap().iter().map(name).collect()
    }

    /// Waits for the end of `id`; its exit code as `ig wait` tells it.
    fn end_of(&self, id: &str) -> i32 {
        self.ig(&["wait", id, "--until", "exit"]).status.code().unwrap()
    }
}

impl Drop for World {
    /// Whatever a failed test leaves behind.
    fn drop(&mut self) {
        let listing = stdout(&self.ig(&["ps", "--json"]));
        let listing: Value = serde_json::from_str(&listing).unwrap_or_default();
        for unit in listing["units"].as_array().into_iter().flatten() {
            self.ig(&["stop", "--force", unit["id"].as_str().unwrap_or_default()]);
        }
        self.ig(&["sweep", "--all", "--grace", "0s"]);
    }
}

fn pid(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}
