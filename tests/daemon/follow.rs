//! Following: lines as they come, none lost and none twice, over restarts.

use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Stdio};

use serde_json::json;

use crate::raw::Raw;
use crate::support::{Sandbox, wait_until};
use crate::{Killed, Script};

/// `ig daemon logs -f` with `args`.
fn follow(world: &Sandbox, args: &[&str]) -> (Killed, BufReader<ChildStdout>) {
    let mut command = world.command("ig");
    command.args(["daemon", "logs", "-f"]).args(args).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut follower = Killed::spawn(&mut command);
    let stdout = BufReader::new(follower.0.stdout.take().unwrap());
    (follower, stdout)
}

fn next(lines: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn lines_come_as_they_are_written_and_the_end_ends_it() {
    let world = Sandbox::with_project();
    let mut script = Script::start(&world, "web");
    world.ok(&["daemon", "log", "web", "before"]);
    let (mut follower, mut lines) = follow(&world, &["web"]);
    assert_eq!(next(&mut lines), "before");
    for n in 0..20 {
        world.ok(&["daemon", "log", &script.id, &format!("line {n}")]);
        assert_eq!(next(&mut lines), format!("line {n}"));
    }
    script.kill();
    assert_eq!(next(&mut lines), "", "the end of the agent is the end of its log");
    assert!(follower.0.wait().unwrap().success());
}

#[test]
fn no_line_is_lost_or_told_twice_over_restarts() {
    let world = Sandbox::with_project();
    let script = Script::start(&world, "web");
    let (_follower, mut lines) = follow(&world, &["web", "-n", "100"]);
    let folder = world.project().join(".idlergear/runs").join(&script.id);
    let write = |n: usize| {
        idlergear::record::events::append(&folder.join("events.log"), "info", &format!("line {n}"))
            .unwrap();
    };
    write(0);
    assert_eq!(next(&mut lines), "line 0", "it listens");
    for n in 1..60 {
        match n {
            20 => world.kill_daemon(),
            25 => drop(world.ok(&["daemon", "start"])),
            40 => drop(world.ok(&["daemon", "restart"])),
            _ => {}
        }
        write(n);
    }
    for n in 1..60 {
        assert_eq!(next(&mut lines), format!("line {n}"));
    }
}

#[test]
fn all_agents_are_followed_with_their_names() {
    let world = Sandbox::with_project();
    let (_web, _api) = (Script::start(&world, "web"), Script::start(&world, "api"));
    wait_until("both are listed", || crate::names(&world).len() == 2);
    let (_follower, mut lines) = follow(&world, &[]);
    world.ok(&["daemon", "log", "web", "one"]);
    assert_eq!(next(&mut lines), "web | one");
    world.ok(&["daemon", "log", "api", "two"]);
    assert_eq!(next(&mut lines), "api | two");
}

#[test]
fn output_of_a_run_is_followed_whole() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut command = world.command("ig-agent");
    command
        .args(["run", "--name", "job", "--no-pty", "--"])
        .args(["bash", "-c", "read x; for i in $(seq 2000); do echo line $i; done; printf end"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut runner = Killed::spawn(&mut command);
    wait_until("it is listed", || crate::names(&world) == ["job"]);
    let (_follower, mut lines) = follow(&world, &["job"]);
    wait_until("it is followed", || {
        world.json(&["daemon", "status", "--json"])["subscribers"] == 1
    });
    drop(runner.0.stdin.take());
    for n in 1..=2000 {
        assert_eq!(next(&mut lines), format!("line {n}"));
    }
    assert_eq!(next(&mut lines), "end");
}

#[test]
fn history_and_news_meet_without_a_gap() {
    let world = Sandbox::with_project();
    let script = Script::start(&world, "web");
    world.ok(&["daemon", "start"]);
    for n in 0..5 {
        world.ok(&["daemon", "log", "web", &format!("line {n}")]);
    }
    let mut raw = Raw::greeted(&world);
    let asked = json!({ "unit": script.id, "tail": 3, "types": ["log_event"] });
    assert_eq!(raw.ok("event.subscribe", &asked)["history"], 3);
    world.ok(&["daemon", "log", "web", "line 5"]);
    for n in 2..=5 {
        assert_eq!(raw.event("log_event")["data"]["text"], format!("line {n}"));
    }
}
