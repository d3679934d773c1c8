//! The daemon is killed, stopped, restarted or absent at every stage of a run: the command, its
//! output and its end are what they would have been, and afterwards the daemon knows of the run.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

#[allow(dead_code, reason = "this file needs only a part of it")]
#[path = "daemon/raw.rs"]
mod raw;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use idlergear::os::{self, Identity};
use raw::Raw;
use rustix::process::Signal;
use serde_json::{Value, json};
use support::pty::Terminal;
use support::{Sandbox, stdout, wait_until};

/// Lines that the command writes to each of its streams.
const LINES: usize = 1200;

/// Numbered lines on both streams, with a rest in the middle and one before the end.
const SCRIPT: &str = r#"
say() { for ((i = $1; i <= $2; i++)); do echo "out $i"; echo "err $i" >&2; done; }
rest() { : >"$1"; until [ -e "$1.over" ]; do sleep 0.01; done; }
say 1 600
rest middle
say 601 1199
rest end
say 1200 1200
exit 7
"#;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Killed,
    Stopped,
    Restarted,
    Absent,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Before,
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Pipes,
    Terminal,
    Start,
    Detach,
}

#[test]
fn a_run_on_pipes_does_not_need_the_daemon() {
    every_fault_at_every_stage(Way::Pipes);
}

#[test]
fn a_run_in_a_terminal_does_not_need_the_daemon() {
    every_fault_at_every_stage(Way::Terminal);
}

#[test]
fn a_run_in_the_background_does_not_need_the_daemon() {
    every_fault_at_every_stage(Way::Start);
}

#[test]
fn a_detached_runner_does_not_need_the_daemon() {
    every_fault_at_every_stage(Way::Detach);
}

fn every_fault_at_every_stage(way: Way) {
    for fault in [Fault::Killed, Fault::Stopped, Fault::Restarted, Fault::Absent] {
        // Where there is no daemon, no stage differs from another.
        let stages = [Stage::Before, Stage::Start, Stage::Middle, Stage::End];
        let stages = if fault == Fault::Absent { &stages[..1] } else { &stages };
        for stage in stages {
            eprintln!("{way:?}: {fault:?} at stage {stage:?}");
            Trial::new(way, fault, *stage).run();
        }
    }
}

/// One run, one fault.
struct Trial {
    world: Sandbox,
    way: Way,
    fault: Fault,
    stage: Stage,
    frozen: Option<Identity>,
}

/// The caller's end of the run.
enum Caller {
    Process(Child),
    Terminal(Box<Terminal>),
    /// A runner that is on its own; only its parent are we still.
    Runner(Child),
    Gone,
}

impl Trial {
    fn new(way: Way, fault: Fault, stage: Stage) -> Self {
        let world = Sandbox::with_project();
        world.write("numbered.sh", SCRIPT);
        if fault != Fault::Absent {
            world.ok(&["daemon", "start"]);
        }
        Self { world, way, fault, stage, frozen: None }
    }

    fn run(mut self) {
        self.strike(Stage::Before);
        let mut caller = self.call();
        self.strike(Stage::Start);
        self.rest_is_over("middle", Stage::Middle);
        self.rest_is_over("end", Stage::End);
        self.ends_as_it_should(&mut caller);
        self.record_is_whole();
        self.daemon_returns();
        self.daemon_knows();
        self.nothing_is_left();
    }

    /// The fault, when its time has come.
    fn strike(&mut self, stage: Stage) {
        if stage != self.stage {
            return;
        }
        match self.fault {
            Fault::Killed => self.world.kill_daemon(),
            Fault::Restarted => drop(self.world.ok(&["daemon", "restart"])),
            Fault::Absent => {}
            Fault::Stopped => {
                let daemon = Identity::of(self.world.daemon_pid().unwrap()).unwrap();
                os::signal(&daemon, Signal::STOP);
                self.frozen = Some(daemon);
            }
        }
    }

    fn call(&self) -> Caller {
        let words = ["bash", "numbered.sh"];
        let mut command =
            self.world.command(if self.way == Way::Detach { "ig-agent" } else { "ig" });
        // Whoever is struck down stays down until we say so.
        command.env("IDLERGEAR_NO_AUTOSTART", "1");
        if self.way != Way::Terminal {
            command.stdin(Stdio::null());
        }
        match self.way {
            Way::Pipes | Way::Terminal => command.args(["run", "--quiet", "--name", "job", "--"]),
            Way::Start => command.args(["start", "job", "--"]),
            Way::Detach => command.args(["run", "--detach", "--name", "job", "--"]),
        };
        command.args(words);
        match self.way {
            Way::Terminal => Caller::Terminal(Box::new(Terminal::start(command))),
            Way::Pipes => {
                let folder = self.world.home().join("tmp");
                let file = |name: &str| fs::File::create(folder.join(name)).unwrap();
                Caller::Process(command.stdout(file("out")).stderr(file("err")).spawn().unwrap())
            }
            Way::Start => {
                let output = command.output().unwrap();
                assert!(output.status.success(), "{}", support::stderr(&output));
                Caller::Gone
            }
            Way::Detach => Caller::Runner(announced(command.stdout(Stdio::piped()))),
        }
    }

    fn rest_is_over(&mut self, name: &str, stage: Stage) {
        let place = self.world.project().join(name);
        wait_until("the command rests", || place.exists());
        self.strike(stage);
        // The command may be quicker than the word of its runner.
        wait_until("its record says that it runs", || {
            let running = self.running();
            running.len() == 1 && running[0]["status"] == "running"
        });
        if self.frozen.is_none() && self.world.daemon_pid().is_some() {
            wait_until("the daemon lists it as running", || {
                self.listed("agent.list") == ["running"]
            });
        }
        self.world.write(&format!("{name}.over"), "");
    }

    fn ends_as_it_should(&self, caller: &mut Caller) {
        match std::mem::replace(caller, Caller::Gone) {
            Caller::Process(mut child) => assert_eq!(child.wait().unwrap().code(), Some(7)),
            Caller::Terminal(terminal) => {
                let ended = terminal.end();
                assert_eq!(ended.code, Some(7));
                same("shown", &ended.output.replace("\r\n", "\n"), &both());
            }
            Caller::Runner(mut child) => assert_eq!(child.wait().unwrap().code(), Some(0)),
            Caller::Gone => {}
        }
        wait_until("its record tells the end", || self.unit()["status"] == "failed");
        // All of it went on and ended while the daemon could not lift a finger.
        let state = self.frozen.as_ref().map(|daemon| process_state(daemon.pid));
        assert_eq!(state, self.frozen.as_ref().map(|_| 'T'));
    }

    fn unit(&self) -> Value {
        let listing = self.world.json(&["run", "list", "--json"]);
        let units = listing["units"].as_array().unwrap();
        assert_eq!(units.len(), 1, "{units:?}");
        units[0].clone()
    }

    /// What `ig ps` lists, which asks nobody.
    fn running(&self) -> Vec<Value> {
        self.world.json(&["ps", "--json", "--all"])["units"].as_array().unwrap().clone()
    }

    fn record_is_whole(&self) {
        let unit = self.unit();
        assert_eq!((&unit["name"], &unit["exit_code"]), (&"job".into(), &7.into()));
        assert!(self.running().is_empty());
        let read =
            |stream: &str| fs::read_to_string(unit["logs"][stream].as_str().unwrap()).unwrap();
        if self.way == Way::Terminal {
            same("kept", &read("output").replace("\r\n", "\n"), &both());
            same("read", &self.world.ok(&["logs", "job"]), &both());
            return;
        }
        for (stream, word) in [("stdout", "out"), ("stderr", "err")] {
            same("kept", &read(stream), &numbered(word));
            let shown = self.world.ok(&["logs", "job", &format!("--{stream}")]);
            same("read", &shown, &numbered(word));
            if self.way == Way::Pipes {
                let passed = self.world.home().join("tmp").join(word);
                same("passed on", &fs::read_to_string(passed).unwrap(), &numbered(word));
            }
        }
        assert_eq!(self.world.ok(&["logs", "job"]).lines().count(), 2 * LINES);
    }

    fn daemon_returns(&mut self) {
        match self.frozen.take() {
            Some(daemon) => os::signal(&daemon, Signal::CONT),
            None => self.world.ig(&["daemon", "start"]).status.success(),
        };
    }

    /// It lists the run as what it is, and has nothing more to find out about it.
    fn daemon_knows(&self) {
        wait_until("the daemon has heard of the end", || self.listed("unit.list") == ["failed"]);
        assert!(self.listed("agent.list").is_empty());
        let agents = self.world.json(&["daemon", "agents", "--all", "--json"]);
        assert_eq!(agents["agents"], json!([]));
        let live = fs::read_dir(self.world.state().join("live")).unwrap();
        assert_eq!(live.count(), 0);
    }

    /// How the units that `method` lists stand.
    fn listed(&self, method: &str) -> Vec<String> {
        let wanted = json!({ "all": true, "ended": method == "unit.list" });
        let answer = Raw::greeted(&self.world).ok(method, &wanted);
        let list = answer["units"].as_array().or(answer["agents"].as_array()).unwrap();
        list.iter().map(|unit| unit["status"].as_str().unwrap().to_owned()).collect()
    }

    fn nothing_is_left(&self) {
        let mark = format!("HOME={}", self.world.home().display());
        let daemon = self.world.daemon_pid();
        wait_until("nothing but the daemon is left", || {
            os::started_with(&mark, 0).iter().all(|process| Some(process.pid) == daemon)
        });
        let left = fs::read_dir(self.world.home().join("tmp")).unwrap();
        let ours = |name: &std::ffi::OsStr| name == "out" || name == "err";
        assert!(left.flatten().all(|entry| ours(&entry.file_name())));
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Some(daemon) = &self.frozen {
            os::signal(daemon, Signal::CONT);
        }
    }
}

/// A detached runner, once it has told of its unit and gone on by itself.
fn announced(command: &mut Command) -> Child {
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let unit: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(unit["name"], "job");
    child
}

/// Two texts are the same; otherwise says where they part.
fn same(what: &str, seen: &str, expected: &str) {
    let pairs = seen.lines().zip(expected.lines());
    let differs = pairs.enumerate().find(|(_, (seen, expected))| seen != expected);
    let (lines, wanted) = (seen.lines().count(), expected.lines().count());
    assert!(seen == expected, "what was {what}: {lines} lines, not {wanted}; {differs:?}");
}

fn all_lines(lines: impl Iterator<Item = impl AsRef<str>>) -> String {
    lines.flat_map(|line| [line.as_ref(), "\n"].concat().into_bytes()).map(char::from).collect()
}

fn numbered(word: &str) -> String {
    all_lines((1..=LINES).map(|number| format!("{word} {number}")))
}

fn both() -> String {
    let pair = |number| [format!("out {number}"), format!("err {number}")];
    all_lines((1..=LINES).flat_map(pair))
}

/// The letter by which the kernel tells how a process stands; `T` is stopped.
fn process_state(pid: u32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().chars().next().unwrap()
}

/// A follower reads files; whether a daemon comes or goes is nothing to it.
#[test]
fn a_followed_log_misses_and_repeats_nothing_across_restarts() {
    let trial = Trial::new(Way::Start, Fault::Restarted, Stage::Middle);
    let world = &trial.world;
    trial.call();
    let follower =
        world.command("ig").args(["logs", "job", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    for rest in ["middle", "end"] {
        wait_until("the command rests", || world.project().join(rest).exists());
        world.ok(&["daemon", "restart"]);
        world.write(&format!("{rest}.over"), "");
    }
    let followed = stdout(&follower.wait_with_output().unwrap());
    for word in ["out", "err"] {
        let lines = followed.lines().filter(|line| line.starts_with(word));
        same("followed", &all_lines(lines), &numbered(word));
    }
}

/// A socket that takes no more callers, as that of a daemon that has long been stopped.
#[test]
fn a_daemon_that_takes_no_callers_keeps_nobody_waiting() {
    use std::os::unix::net::UnixListener;
    let world = Sandbox::with_project();
    let folder = world.home().join("run/idlergear");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let listener = UnixListener::bind(folder.join("daemon.sock")).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let run = |name: &str| {
        let mut command = world.command("ig");
        command.args(["run", "--name", name, "--", "true"]).env("IDLERGEAR_NO_AUTOSTART", "");
        command.spawn().unwrap()
    };
    let mut runs: Vec<Child> = ["one", "two", "three"].map(run).into();
    wait_until("all have ended", || runs.iter_mut().all(|run| run.try_wait().unwrap().is_some()));
    assert!(runs.iter_mut().all(|run| run.wait().unwrap().success()));
    drop(listener);
}
