//! The database, and the files of units, in every bad state.

use std::fs;

use serde_json::json;

use crate::Script;
use crate::raw::Raw;
use crate::support::{Sandbox, stderr, wait_until};

/// Puts something in the database's place, starts, and returns what was said.
fn start_on(world: &Sandbox, make: impl Fn(&std::path::Path)) -> String {
    idlergear::secure_fs::dir(&world.state()).unwrap();
    make(&world.state().join("state.db"));
    let output = world.ig(&["daemon", "start"]);
    assert!(output.status.success(), "{}", stderr(&output));
    world.ok(&["daemon", "send", "hello"]);
    assert_eq!(world.json(&["daemon", "messages", "--json"])["messages"][0]["text"], "hello");
    stderr(&output)
}

#[test]
fn what_is_no_database_of_ours_is_set_aside() {
    type Make = fn(&std::path::Path);
    let newer: Make = |path| {
        let db = rusqlite::Connection::open(path).unwrap();
        db.execute_batch("CREATE TABLE t (x); PRAGMA application_id = 1766278193;").unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
    };
    let foreign: Make = |path| {
        let db = rusqlite::Connection::open(path).unwrap();
        db.execute_batch("CREATE TABLE diary (text)").unwrap();
    };
    let cases: [(Make, &str); 4] = [
        (|path| fs::write(path, [7_u8; 9000]).unwrap(), "not a database"),
        (|path| fs::create_dir(path).unwrap(), "it is a folder"),
        (foreign, "belongs to another program"),
        (newer, "newer than ours"),
    ];
    for (make, why) in cases {
        let world = Sandbox::with_project();
        let said = start_on(&world, make);
        assert!(said.contains(why) && said.contains("state.db.corrupt-1"), "{why}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(world.state().join("state.db.corrupt-1").exists());
        assert_eq!(world.ok(&["daemon", "restart"]).lines().count(), 1);
        assert!(!world.state().join("state.db.corrupt-2").exists(), "said once");
    }
}

#[test]
fn an_empty_file_is_told_of_and_begun_anew() {
    let world = Sandbox::with_project();
    let said = start_on(&world, |path| fs::write(path, "").unwrap());
    assert!(said.contains("it is empty") && said.contains("state.db.corrupt-1"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_torn_database_is_set_aside_and_the_next_number_is_free() {
    let world = Sandbox::with_project();
    for n in 0..40 {
        world.ok(&["daemon", "send", &format!("{n} {}", "x".repeat(2000))]);
    }
    for round in 1..=2 {
        world.ok(&["daemon", "stop"]);
        let path = world.state().join("state.db");
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len().min(8192);
        bytes[100..middle].fill(0xA5);
        fs::write(&path, bytes).unwrap();
        let output = world.ig(&["daemon", "start"]);
        assert!(stderr(&output).contains(&format!("corrupt-{round}")), "{}", stderr(&output));
        world.ok(&["daemon", "send", "again"]);
    }
}

#[test]
fn a_damaged_record_harms_nobody_else() {
    let world = Sandbox::with_project();
    let (web, _api) = (Script::start(&world, "web"), Script::start(&world, "api"));
    let folder = world.project().join(".idlergear/runs").join(&web.id);
    fs::write(folder.join("run.json"), "{\"torn\":").unwrap();
    fs::write(folder.join("events.log"), [0xff, b'\n', b'\t', b'\n', 0]).unwrap();
    world.kill_daemon();
    assert_eq!(crate::names(&world), ["api"]);
    assert!(world.state().join("live").join(&web.id).exists(), "its link is kept");
}

#[test]
fn a_line_without_an_end_costs_little() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    raw.ok("event.subscribe", &json!({ "all": true, "output": true, "types": ["log_event"] }));
    let before = crate::wire::resident(&world);
    let mut command = world.command("ig-agent");
    command.args(["run", "--name", "big", "--no-pty", "--"]);
    command.args(["bash", "-c", "head -c 20000000 /dev/zero | tr '\\0' x"]);
    let mut runner = crate::Killed::spawn(command.stdout(std::process::Stdio::null()));
    let mut total = 0;
    while total < 20_000_000 {
        total += raw.event("log_event")["data"]["text"].as_str().unwrap().len();
    }
    assert_eq!(total, 20_000_000);
    runner.0.wait().unwrap();
    let grown = crate::wire::resident(&world).saturating_sub(before);
    assert!(grown < 32 << 10, "grew by {grown} KiB");
}

#[test]
fn a_project_that_is_moved_keeps_its_live_units() {
    let world = Sandbox::with_project();
    let mut script = Script::start(&world, "web");
    wait_until("it is listed", || crate::names(&world) == ["web"]);
    let moved = world.home().join("moved");
    fs::rename(world.project(), &moved).unwrap();
    fs::create_dir(world.project()).unwrap();
    let all = || world.ok(&["daemon", "agents", "--all"]);
    assert!(all().contains("web"));
    script.kill();
    wait_until("its end is noted", || !all().contains("web"));
}
