//! What a name means: never a unit of another project, never one of two, never one that is about to
//! be gone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

#[path = "harm_names/lookup.rs"]
mod lookup;
#[path = "harm_names/signals.rs"]
mod signals;
#[path = "harm_names/up.rs"]
mod up;
#[path = "harm_names/wait.rs"]
mod wait;

#[path = "daemon/raw.rs"]
#[allow(dead_code, reason = "each test file uses its own part of this")]
mod raw;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use raw::Raw;
use serde_json::{Value, json};
use support::{Sandbox, stdout, succeed};

/// Two projects of one user.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    daemon: bool,
    /// Processes that stand for agents: never our own, which a stop would end.
    sleepers: RefCell<Vec<Child>>,
}

impl World {
    /// Nobody starts a daemon there.
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::with_project();
        std::fs::create_dir_all(sandbox.home().join("other/.idlergear")).unwrap();
        Self { sandbox, daemon: false, sleepers: RefCell::default() }
    }

    pub(crate) fn with_daemon() -> Self {
        let mut world = Self::new();
        world.daemon = true;
        world.ok(&["daemon", "start"]);
        world
    }

    pub(crate) fn here(&self) -> PathBuf {
        self.sandbox.project()
    }

    pub(crate) fn other(&self) -> PathBuf {
        self.sandbox.home().join("other")
    }

    pub(crate) fn command(&self, dir: &Path, args: &[&str]) -> Command {
        let mut command = self.sandbox.command("ig");
        command.args(args).current_dir(dir);
        if !self.daemon {
            command.env("IDLERGEAR_NO_DAEMON", "1");
        }
        command
    }

    pub(crate) fn ig_in(&self, dir: &Path, args: &[&str]) -> Output {
        self.command(dir, args).output().unwrap()
    }

    pub(crate) fn ig(&self, args: &[&str]) -> Output {
        self.ig_in(&self.here(), args)
    }

    pub(crate) fn ok(&self, args: &[&str]) -> String {
        succeed(&self.ig(args), args)
    }

    /// Starts a unit; returns its id.
    pub(crate) fn start_in(&self, dir: &Path, args: &[&str]) -> String {
        let args = [&["start"], args].concat();
        succeed(&self.ig_in(dir, &args), &args).trim().to_owned()
    }

    pub(crate) fn start(&self, args: &[&str]) -> String {
        self.start_in(&self.here(), args)
    }

    /// A second live unit of one name, as runs in several terminals are; returns its id.
    pub(crate) fn twin(&self, name: &str, command: &[&str]) -> String {
        let mut agent = self.sandbox.command("ig-agent");
        agent.args(["run", "--detach", "--no-pty", "--name", name, "--"]).args(command);
        agent.stdin(std::process::Stdio::null());
        if !self.daemon {
            agent.env("IDLERGEAR_NO_DAEMON", "1");
        }
        let mut runner = agent.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut said = std::io::BufReader::new(runner.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        std::thread::spawn(move || runner.wait());
        let unit: Value = serde_json::from_str(&line).unwrap();
        unit["id"].as_str().unwrap().to_owned()
    }

    fn sleeper(&self) -> u32 {
        let child = self.sandbox.command("sleep").arg("600").spawn().unwrap();
        let pid = child.id();
        self.sleepers.borrow_mut().push(child);
        pid
    }

    /// An agent with a record; returns its id.
    pub(crate) fn register(&self, dir: &Path, name: &str) -> String {
        let metadata = json!({ "pid": self.sleeper() }).to_string();
        let args = ["daemon", "register", name, "--metadata", &metadata];
        succeed(&self.ig_in(dir, &args), &args).trim().to_owned()
    }

    /// An agent that the daemon alone knows; returns its id.
    pub(crate) fn register_on_the_wire(&self, dir: &Path, name: &str) -> String {
        let agent = json!({ "name": name, "project": dir, "pid": self.sleeper() });
        let answer = Raw::greeted(&self.sandbox).ok("agent.register", &agent);
        answer["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn status(&self, id: &str) -> String {
        let unit = self.ok(&["run", "status", id, "--json"]);
        let unit: Value = serde_json::from_str(&unit).unwrap();
        unit["status"].as_str().unwrap().to_owned()
    }
}

impl Drop for World {
    /// Whatever a failed test leaves behind.
    fn drop(&mut self) {
        for dir in [self.here(), self.other()] {
            let listing = stdout(&self.ig_in(&dir, &["ps", "--json"]));
            let listing: Value = serde_json::from_str(&listing).unwrap_or_default();
            for unit in listing["units"].as_array().into_iter().flatten() {
                self.ig_in(&dir, &["stop", "--force", unit["id"].as_str().unwrap_or_default()]);
            }
        }
        for sleeper in self.sleepers.borrow_mut().iter_mut() {
            let _ = sleeper.kill();
            let _ = sleeper.wait();
        }
    }
}
