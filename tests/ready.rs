//! What makes a unit ready is seen without anybody who waits for it, and noted for everybody.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

#[allow(dead_code, reason = "this file needs only a part of it")]
#[path = "daemon/raw.rs"]
mod raw;

use std::process::Command;

use idlergear::os;
use idlergear::record::Folder;
use idlergear::wire::unit::Unit;
use raw::Raw;
use serde_json::json;
use support::{Sandbox, stdout, succeed, tool, wait_until};

/// A project whose unit `u` ends with it.
struct World {
    sandbox: Sandbox,
    folder: Folder,
}

impl World {
    /// With `u` started in `below/`: it goes on when `go` is there, and lives on then.
    fn start(options: &[&str], command: &str) -> Self {
        let sandbox = Sandbox::with_project();
        std::fs::create_dir(sandbox.project().join("below")).unwrap();
        let mut start =
            Self::quiet(&sandbox, &[&["start", "u"], options, &["--", command]].concat());
        start.current_dir(sandbox.project().join("below")).env("MARK", "of u");
        let id = succeed(&start.output().unwrap(), &["start"]).trim().to_owned();
        let folder = Folder::at(sandbox.project().join(".idlergear/runs").join(id));
        Self { sandbox, folder }
    }

    fn quiet(sandbox: &Sandbox, args: &[&str]) -> Command {
        let mut command = sandbox.command("ig");
        command.args(args).env("IDLERGEAR_NO_AUTOSTART", "1");
        command
    }

    fn unit(&self) -> Unit {
        self.folder.observe().unwrap()
    }

    /// Makes `name` beside the unit.
    fn touch(&self, name: &str) {
        self.sandbox.write(&format!("below/{name}"), "");
    }

    /// Who looks whether it is ready.
    fn helper(&self) -> Option<os::Identity> {
        let mark = format!("HOME={}", self.sandbox.home().display());
        os::started_with(&mark, 0).into_iter().find(|process| {
            let ps = Command::new("ps")
                .args(["-o", "command=", "-p", &process.pid.to_string()])
                .output();
            stdout(&ps.unwrap()).contains("look-until-ready")
        })
    }

    fn is_looked_at(&self) -> bool {
        self.helper().is_some()
    }

    fn becomes_ready(&self) {
        wait_until("it is ready", || self.unit().ready);
        wait_until("nobody looks any more", || !self.is_looked_at());
    }

    /// Ends it; nothing is left.
    fn end(&self) {
        Self::quiet(&self.sandbox, &["stop", "u", "--grace", "1s"]).output().unwrap();
        let mark = format!("HOME={}", self.sandbox.home().display());
        let daemon = self.sandbox.daemon_pid();
        wait_until("nothing is left", || {
            os::started_with(&mark, 0).iter().all(|process| Some(process.pid) == daemon)
        });
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = Self::quiet(&self.sandbox, &["stop", "u", "--force"]).output();
    }
}

const GOES_ON: &str = "until [ -e go ]; do sleep 0.02; done; echo 'up: 42'; touch up; sleep 60";

#[test]
fn each_form_is_noted_once_it_is_so() {
    for spec in [
        "match:^up: \\d+$",
        "file:up",
        "exec:test \"$MARK\" = 'of u' && test -e up && test -e ../below",
    ] {
        let world = World::start(&["--ready", spec], GOES_ON);
        wait_until("somebody looks", || world.is_looked_at());
        assert!(!world.unit().ready, "{spec}");
        world.touch("go");
        world.becomes_ready();
        let listed = World::quiet(&world.sandbox, &["ps", "--json"]).output().unwrap();
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        assert_eq!(listed["units"][0]["ready"], true, "{spec}");
        world.end();
    }
}

#[test]
fn a_server_is_ready_once_it_answers() {
    if tool("python3").is_none() {
        return;
    }
    for (spec, is_met) in [("http:/", true), ("http:/nowhere", false), ("port", true)] {
        let server = "python3 -u -m http.server 0 --bind 127.0.0.1";
        let world = World::start(&["--ready", spec], server);
        if is_met {
            world.becomes_ready();
        } else {
            let log = world.folder.file("stderr.log");
            let was_asked =
                || std::fs::read_to_string(&log).unwrap_or_default().contains("/nowhere");
            wait_until("it was asked", was_asked);
            assert!(!world.unit().ready);
        }
        world.end();
    }
}

#[test]
fn each_start_has_to_become_ready_again() {
    let script = "[ -e once ] && { until [ -e again ]; do sleep 0.02; done; }
        touch once; echo up; sleep 60";
    let world = World::start(&["--ready", "match:^up$", "--restart", "on-failure:2"], script);
    world.becomes_ready();
    let first = world.unit().process.unwrap();
    assert!(os::signal(&first, rustix::process::Signal::SEGV));
    wait_until("it is started again", || world.unit().process.is_some_and(|now| now != first));
    wait_until("somebody looks", || world.is_looked_at());
    assert!(!world.unit().ready, "an old line says nothing of it");
    world.touch("again");
    world.becomes_ready();
    world.end();
}

#[test]
fn a_question_that_never_ends_ends_with_the_command() {
    let world = World::start(&["--ready", "exec:touch asked; sleep 600"], "sleep 60");
    let asked = world.sandbox.project().join("below/asked");
    wait_until("it is asked", || asked.exists());
    world.end();
    assert!(!world.unit().ready);
}

/// On a busy machine a helper may take longer to leave than the runner waits for it.
#[test]
fn a_helper_that_hangs_is_ended_with_what_it_asks() {
    let world = World::start(&["--ready", "exec:touch asked; sleep 600"], "sleep 60");
    let asked = world.sandbox.project().join("below/asked");
    wait_until("it is asked", || asked.exists());
    assert!(os::signal(&world.helper().unwrap(), rustix::process::Signal::STOP));
    world.end();
}

#[test]
fn who_is_killed_is_looked_at_no_longer() {
    let world = World::start(&["--ready", "file:never"], "sleep 60");
    wait_until("somebody looks", || world.is_looked_at());
    let unit = world.unit();
    for process in [unit.runner.unwrap(), unit.process.unwrap()] {
        assert!(os::signal(&process, rustix::process::Signal::KILL));
    }
    world.end();
}

#[test]
fn a_language_server_is_starting_until_then() {
    for spec in ["match:^up", "file:up", "exec:test -e up"] {
        let world = World::start(&["--kind", "lsp", "--ready", spec], GOES_ON);
        world.sandbox.ok(&["daemon", "start"]);
        let id = world.unit().id;
        let mut raw = Raw::greeted(&world.sandbox);
        let mut get = || raw.ok("unit.get", &json!({ "id": id }));
        assert_eq!(get()["metadata"]["state"], "starting", "{spec}");
        world.touch("go");
        wait_until("the daemon knows", || get()["metadata"]["state"] == "running");
        assert_eq!(get()["ready"], true);
        world.end();
    }
}
