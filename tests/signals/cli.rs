//! `ig signals`: one short line per signal for people, JSON for programs.

use serde_json::json;

use crate::support::{Sandbox, stderr, stdout};
use crate::{Start, start, wait_for_ends};

#[test]
fn people_read_one_line_for_each_end() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let unit = start(&world, "s", "web\u{1b}[2J", "exit 3");
    wait_for_ends(&world);
    let peeked = world.ok(&["signals", "--session", "s", "--peek"]);
    let told = world.ok(&["signals", "--session", "s"]);
    assert_eq!(peeked, told);
    assert_eq!(told.lines().count(), 1);
    assert!(told.contains("  web\\u{1b}[2J  failed: exit code 3 after "), "{told}");
    assert!(told.ends_with(&format!("; ig logs {unit}\n")), "{told}");
    let none = world.ig(&["signals", "--session", "s"]);
    assert_eq!((stdout(&none).as_str(), stderr(&none).as_str()), ("", "no signals\n"));
    let none = world.json(&["signals", "--session", "s", "--json"]);
    assert_eq!(none, json!({ "schema": 1, "signals": [] }));
}

#[test]
fn what_was_cleared_has_no_log_to_be_read() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    start(&world, "s", "web", "exit 3");
    wait_for_ends(&world);
    world.ok(&["clear", "-y"]);
    let told = world.ok(&["signals", "--session", "s"]);
    assert!(told.contains("  web  failed: exit code 3") && !told.contains("ig logs"), "{told}");
}

#[test]
fn people_read_the_lines_of_a_monitor_and_its_end_once() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let (name, kind, session) = ("watch", Some("monitor"), Some("s"));
    Start { name, kind, session, script: "echo one; echo two", ..Start::default() }.run(&world);
    wait_for_ends(&world);
    let told = world.ok(&["signals", "--session", "s"]);
    let said: Vec<&str> = told.lines().map(|line| &line[28..]).collect();
    assert_eq!(said[..2], ["one", "two"], "{told}");
    assert!(said[2].starts_with("completed: exit code 0 after "), "{told}");
    assert_eq!(said.len(), 3);
}

#[test]
fn the_session_is_the_one_around_us_or_the_persons() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    world.ok(&["signals"]);
    for (name, session) in [("mine", None), ("theirs", Some("s"))] {
        Start { name, session, script: "exit 1", ..Start::default() }.run(&world);
        // Whoever starts something lives: the second would be told of the first.
        wait_for_ends(&world);
    }
    let person = world.ok(&["signals"]);
    assert!(person.contains("mine") && !person.contains("theirs"), "{person}");
    let person = world.json(&["signals", "--session", "user:tester", "--json"]);
    assert_eq!(person["signals"], json!([]), "the person is that session");
    let agent = world.command("ig").args(["signals"]).env("CLAUDE_CODE_SESSION_ID", "s").output();
    let agent = stdout(&agent.unwrap());
    // Its own, and that something had failed before it came.
    let own: Vec<&str> =
        agent.lines().filter(|line| !line.contains("before this session")).collect();
    assert!(own.len() == 1 && own[0].contains("theirs") && agent.contains("mine"), "{agent}");
}

#[test]
fn a_person_who_stops_something_is_not_told_of_it() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    world.ok(&["signals"]);
    world.ok(&["signals", "--session", "agent"]);
    world.ok(&["start", "job", "--alert-on-kill", "--", "sleep", "600"]);
    world.ok(&["stop", "job"]);
    wait_for_ends(&world);
    assert_eq!(world.ok(&["signals"]), "");
    assert!(world.ok(&["signals", "--session", "agent"]).contains("job  killed"));
}

#[test]
fn it_starts_the_daemon_and_hears_what_happened_without_it() {
    let world = Sandbox::with_project();
    let mut command = world.command("ig-agent");
    command.args(["run", "--name", "early", "--no-pty", "--", "false"]);
    command.env("IDLERGEAR_SESSION", "s").env("IDLERGEAR_NO_AUTOSTART", "1").output().unwrap();
    assert!(world.daemon_pid().is_none());
    let signals = world.json(&["signals", "--session", "s", "--json"]);
    assert_eq!(signals["signals"][0]["snapshot"]["name"], "early");
    assert_eq!(signals["signals"][0]["lifecycle"]["status"], "failed");
}
