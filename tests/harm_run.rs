//! Do no harm: a command under a runner, and what it leaves behind, fare as they would without one.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

#[path = "harm_run/keeper.rs"]
mod keeper;
#[path = "harm_run/limits.rs"]
mod limits;
#[path = "harm_run/lost.rs"]
mod lost;
#[path = "harm_run/masks.rs"]
mod masks;
mod support;
#[path = "harm_run/truth.rs"]
mod truth;

use std::process::{Command, Output};

use idlergear::os::{self, Identity};
use rustix::process::Signal;
use serde_json::Value;
use support::{Sandbox, stdout, succeed, wait_until};

/// A project in which nobody starts a daemon, and in which nothing lives on after the test.
struct World(Sandbox);

impl World {
    fn new() -> Self {
        Self(Sandbox::with_project())
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = self.0.command(program);
        command.args(args).env("IDLERGEAR_NO_DAEMON", "1");
        command
    }

    fn ig(&self, args: &[&str]) -> Output {
        self.command("ig", args).output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        succeed(&self.ig(args), args)
    }

    fn bash(&self, script: &str) -> Output {
        self.command("bash", &["-c", script]).output().unwrap()
    }

    /// The unit called `name` as it stands.
    fn unit(&self, name: &str) -> Value {
        serde_json::from_str(&self.ok(&["run", "status", name, "--json"])).unwrap()
    }

    /// The process that wrote its pid into this file.
    fn process_in(&self, file: &str) -> Identity {
        let path = self.0.project().join(file);
        let read = || std::fs::read_to_string(&path).ok()?.trim().parse::<u32>().ok();
        wait_until(file, || read().is_some());
        Identity::of(read().unwrap()).expect("it lives")
    }
}

impl Drop for World {
    /// Whoever was started in this world carries it in the environment.
    fn drop(&mut self) {
        let mark = format!("HOME={}", self.0.home().display());
        for process in os::started_with(&mark, 0) {
            os::signal(&process, Signal::KILL);
        }
    }
}

/// A process of a record, by the name of its field.
fn process(unit: &Value, field: &str) -> Identity {
    serde_json::from_value(unit[field].clone()).unwrap_or_else(|_| panic!("no {field} in {unit:#}"))
}

fn end(process: &Identity) {
    os::signal(process, Signal::KILL);
    wait_until("it is gone", || !process.is_alive());
}
