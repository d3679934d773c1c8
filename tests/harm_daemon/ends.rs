//! How a script ended that has no runner: by the kernel's word, where it gives one.

use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};

use idlergear::wire::unit::Status;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::{Sandbox, succeed, tool, wait_until};
use crate::{kernel_tells, shells, units, wait_for_unit};

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/shell-lib/idlergear.sh");

/// A registered script, and the group that it is in.
struct Script {
    child: Child,
    group: Pid,
}

impl Script {
    fn start(world: &Sandbox, shell: &Path, text: &str) -> Self {
        let mut command = world.command(shell.to_str().unwrap());
        let text = format!(". \"$LIBRARY\"; idlergear_register t; {text}");
        command.args(["-c", &text]).env("LIBRARY", LIBRARY).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let group = Pid::from_child(&child);
        Self { child, group }
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.group, signal).unwrap();
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// What the files say, whatever the daemon says.
fn record(world: &Sandbox) -> Value {
    world.json(&["run", "list", "--json"])["units"][0].clone()
}

/// The parts of a unit that tell of its end.
fn end(unit: &Value) -> Value {
    json!([unit["status"], unit["signal"], unit["exit_code"], unit["end"]])
}

/// What is to be told of a process of which its parent heard this.
fn truth(status: ExitStatus) -> Value {
    let (code, signal) = (status.code(), status.signal());
    json!([Status::of_end(code, signal), signal, code, "kernel"])
}

/// The end that the daemon told its listeners, once and for all.
fn told(listener: &mut Raw) -> Value {
    end(&listener.event("agent_unregistered")["data"])
}

#[test]
fn a_signal_that_a_script_does_not_notice_is_its_end() {
    if !kernel_tells() {
        return;
    }
    let waits = [
        "while :; do :; done",
        "read -r x",
        "y=$(sleep 40)",
        "sleep 40 & wait",
        "sleep 40",
        "trap 'exit 0' EXIT; sleep 40",
    ];
    for shell in shells() {
        for (text, signal) in
            waits.iter().flat_map(|text| [(text, Signal::TERM), (text, Signal::HUP)])
        {
            let world = Sandbox::with_project();
            world.ok(&["daemon", "start"]);
            let mut listener = Raw::greeted(&world);
            listener
                .ok("event.subscribe", &json!({ "types": ["agent_unregistered"], "all": true }));
            let mut script = Script::start(&world, &shell, text);
            wait_for_unit(&world);
            // It waits only once its shell has come so far; a signal before is the same end.
            script.signal(signal);
            let expected = truth(script.child.wait().unwrap());
            let what = format!("{} {text} {signal:?}", shell.display());
            assert_eq!(told(&mut listener), expected, "{what}");
            world.kill_daemon();
            assert_eq!(end(&record(&world)), expected, "without a daemon: {what}");
        }
    }
}

#[test]
fn a_script_ends_as_its_process_does() {
    if !kernel_tells() {
        return;
    }
    for (text, expected) in [
        ("read -r x; exit 3", json!(["failed", null, 3, "kernel"])),
        ("read -r x; :", json!(["completed", null, 0, "kernel"])),
        ("read -r x; exec sh -c 'exit 6'", json!(["failed", null, 6, "kernel"])),
        ("read -r x; kill -KILL $$", json!(["killed", 9, null, "kernel"])),
        ("trap 'exit 4' EXIT; read -r x; exit 0", json!(["failed", null, 4, "kernel"])),
    ] {
        let world = Sandbox::with_project();
        world.ok(&["daemon", "start"]);
        let mut listener = Raw::greeted(&world);
        listener.ok("event.subscribe", &json!({ "types": ["agent_unregistered"], "all": true }));
        let mut script = Script::start(&world, &tool("bash").unwrap(), text);
        wait_for_unit(&world);
        drop(script.child.stdin.take());
        script.child.wait().unwrap();
        assert_eq!(told(&mut listener), expected, "{text}");
        assert_eq!(end(&record(&world)), expected, "{text}");
        world.ok(&["daemon", "restart"]);
        assert_eq!(units(&world).iter().map(end).collect::<Vec<_>>(), [expected], "{text}");
    }
}

/// Out of memory, say: whoever should know is told, and of an end that went without a word as well.
#[test]
fn a_kill_that_nobody_asked_for_is_told_as_a_failure() {
    for is_watched in [true, false] {
        let world = Sandbox::with_project();
        world.ok(&["daemon", "start"]);
        Raw::greeted(&world)
            .ok("session.begin", &json!({ "session": "s", "project": world.project() }));
        let mut script = Script::start(&world, &tool("bash").unwrap(), "while :; do :; done");
        wait_for_unit(&world);
        if !is_watched {
            world.kill_daemon();
        }
        script.signal(Signal::KILL);
        script.child.wait().unwrap();
        world.ok(&["daemon", "start"]);
        let mut seen = json!(null);
        wait_until("it is told", || {
            let drained = Raw::greeted(&world)
                .ok("signal.drain", &json!({ "session": "s", "project": world.project() }));
            seen = drained["signals"][0].clone();
            !seen.is_null()
        });
        assert_eq!(seen["lifecycle"]["status"], "killed", "{seen}");
        let source = if is_watched && kernel_tells() { "kernel" } else { "unknown" };
        assert_eq!(seen["snapshot"]["end"], source, "{seen}");
        assert_eq!(record(&world)["end"], source);
    }
}

/// It said that it is done, and what its process does then is its own affair.
#[test]
fn a_script_that_lives_on_after_its_word_has_ended() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut listener = Raw::greeted(&world);
    listener.ok("event.subscribe", &json!({ "types": ["agent_unregistered"], "all": true }));
    for (text, code) in [
        ("idlergear_unregister", 0),
        ("ig-agent unregister \"$IDLERGEAR_AGENT_ID\" --exit-code 3", 3),
    ] {
        let text = format!("{text}; idlergear_run() {{ :; }}; read -r x");
        let mut script = Script::start(&world, &tool("bash").unwrap(), &text);
        let status = if code == 0 { "completed" } else { "failed" };
        let expected = json!([status, null, code, "self"]);
        assert_eq!(told(&mut listener), expected);
        script.signal(Signal::TERM);
        script.child.wait().unwrap();
        world.ok(&["daemon", "restart"]);
        listener = Raw::greeted(&world);
        listener.ok("event.subscribe", &json!({ "types": ["agent_unregistered"], "all": true }));
        let last = units(&world).pop().unwrap();
        assert_eq!(end(&last), expected);
        let files = world.json(&["run", "list", "--json"]);
        assert_eq!(end(files["units"].as_array().unwrap().last().unwrap()), expected);
    }
}

/// Asked for by `ig stop`, whatever the script makes of it.
#[test]
fn a_stop_that_was_asked_for_is_told_as_such() {
    if !kernel_tells() {
        return;
    }
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let text = "trap 'exit 0' TERM; while :; do read -r -t 1 x || :; done";
    let mut script = Script::start(&world, &tool("bash").unwrap(), text);
    wait_for_unit(&world);
    let output = world.ig(&["stop", "t"]);
    if !output.status.success() {
        // What registered itself is stopped only as far as it offered that.
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("not_owned"), "{said}");
        return;
    }
    succeed(&output, &["stop"]);
    script.child.wait().unwrap();
    wait_until("it ended", || units(&world)[0]["status"] != "running");
    assert_eq!(end(&record(&world))[0], "killed");
}
