//! People are shown the time on their own clock, without a mark; programs get RFC 3339 in UTC.

use std::process::Command;
use std::time::SystemTime;

use idlergear::time;

use crate::support::{Sandbox, stderr, stdout, succeed, wait_until};
use crate::{last, run};

/// Four hours and a half behind UTC, whatever zones the machine knows.
const ZONE: &str = "XST4:30";

fn there(world: &Sandbox, args: &[&str]) -> Command {
    let mut command = world.command("ig");
    command.env("TZ", ZONE).args(args);
    command
}

fn said(world: &Sandbox, args: &[&str]) -> String {
    succeed(&there(world, args).output().unwrap(), args)
}

/// The clock in `ZONE`, so many seconds after `at` in RFC 3339.
fn clock(at: &str, plus: u64) -> String {
    let at = time::parse(at).unwrap() + std::time::Duration::from_secs(plus);
    let ahead = at - std::time::Duration::from_mins(270);
    time::rfc3339(ahead)[..19].replace('T', " ")
}

#[test]
fn people_are_shown_their_own_time_and_programs_utc() {
    let world = Sandbox::with_project();
    let output = there(&world, &["run", "--banner", "exit 3"]).output().unwrap();
    let unit = last(&world);
    let (started, ended) = (unit["started_at"].as_str().unwrap(), unit["ended_at"].as_str());
    assert!(started.ends_with('Z'));
    let header = stderr(&output);
    assert!(header.contains(&format!("Time:   {}\n", clock(started, 0))), "{header}");
    let id = unit["id"].as_str().unwrap();
    let status = said(&world, &["run", "status", id]);
    assert!(status.contains(&format!("started  {} (", clock(started, 0))), "{status}");
    assert!(status.contains(&format!("ended    {}\n", clock(ended.unwrap(), 0))), "{status}");
    wait_until("the end is told", || said(&world, &["signals", "--peek"]).contains(id));
    let signals = world.json(&["signals", "--peek", "--json"]);
    let at = signals["signals"][0]["at"].as_str().unwrap();
    let text = said(&world, &["signals", "--peek"]);
    assert!(at.ends_with('Z') && text.starts_with(&clock(at, 0)), "{text}");
    said(&world, &["daemon", "send", "hello"]);
    let messages = world.json(&["daemon", "messages", "--json"]);
    let at = messages["messages"][0]["at"].as_str().unwrap();
    let text = said(&world, &["daemon", "messages"]);
    assert!(at.ends_with('Z') && text.starts_with(&clock(at, 0)), "{text}");
    world.ok(&["daemon", "stop"]);
}

#[test]
fn events_show_the_time_of_day_here() {
    let world = Sandbox::with_project();
    let script = "export IDLERGEAR_NO_DAEMON=1
        source \"$(ig lib --path)\"; idlergear_register job; idlergear_log hello";
    succeed(&world.bash(script), &["it logs"]);
    let lines = world.ok(&["logs", "job", "--events", "--json"]);
    let line: serde_json::Value =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).next().unwrap();
    let at = line["at"].as_str().unwrap();
    let text = said(&world, &["logs", "job", "--events"]);
    assert!(at.ends_with('Z') && text.starts_with(&clock(at, 0)[11..]), "{text}");
}

#[test]
fn since_understands_what_is_shown() {
    let world = Sandbox::with_project();
    run(&mut there(&world, &["run", "--name", "job", "echo hello"]));
    let started = last(&world)["started_at"].as_str().unwrap().to_owned();
    let minute = |plus: u64| clock(&started, plus)[..16].to_owned();
    let (before, after) = (minute(0), minute(120));
    for since in [&before, &before[..10], &started, "10m", &before.replace(' ', "T")] {
        assert_eq!(said(&world, &["logs", "job", "--since", since]), "hello\n", "{since}");
    }
    for since in [&after, &format!("{after}:30"), "2099-01-01"] {
        assert_eq!(said(&world, &["logs", "job", "--since", since]), "", "{since}");
    }
    // A time of day is when the clock last showed it.
    assert_eq!(said(&world, &["logs", "job", "--since", &before[11..]]), "hello\n");
    assert_eq!(said(&world, &["logs", "job", "--until", &after]), "hello\n");
    for text in ["yesterday", "25:00", "2026-02-30"] {
        let output = there(&world, &["logs", "job", "--since", text]).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("cannot read `{text}` as a time")), "{said}");
        assert!(said.contains("15:40") && said.contains("10m"), "{said}");
    }
}

#[test]
fn a_signal_has_one_name_everywhere() {
    let world = Sandbox::with_project();
    let output = there(&world, &["run", "--banner", "--name", "crash", "kill -SEGV $$"]).output();
    let text = stderr(&output.unwrap());
    assert!(text.contains("Signal: SIGSEGV | Duration: "), "{text}");
    assert!(said(&world, &["run", "list"]).contains("failed (SIGSEGV)"));
    wait_until("the end is told", || {
        said(&world, &["signals", "--peek"]).contains("failed: SIGSEGV after ")
    });
    assert_eq!(last(&world)["signal"], 11);
    let waited = there(&world, &["run", "start", "sleep 0.2; kill -ABRT $$", "--name", "dies"]);
    run(&mut { waited });
    let output = there(&world, &["wait", "dies", "--until", "port:1"]).output().unwrap();
    assert!(stderr(&output).contains("ended before it") && stderr(&output).contains(": SIGABRT"));
    world.ok(&["daemon", "stop"]);
}

#[test]
fn local_time_follows_the_zone_the_system_knows() {
    // What the C library knows without a file: a summer time by rule.
    let world = Sandbox::with_project();
    let output = world
        .command("ig")
        .env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        .args(["run", "--banner", "true"])
        .output()
        .unwrap();
    let unit = last(&world);
    let started = time::parse(unit["started_at"].as_str().unwrap()).unwrap();
    let hours = |count: u64| time::rfc3339(started + std::time::Duration::from_secs(3600 * count));
    let either = [1, 2].map(|count| hours(count)[..19].replace('T', " "));
    let text = stderr(&output);
    assert!(either.iter().any(|at| text.contains(at)), "{text}");
    assert!(started <= SystemTime::now() && stdout(&output).is_empty());
}
