//! The daemon is killed at every step: nothing is lost, and what was not being read is not doubled.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::{Sandbox, wait_until};
use crate::{Start, drain, drainer, ends, id, pending, start, wait_for_ends};

fn start_daemon(world: &Sandbox) {
    world.ok(&["daemon", "start"]);
}

/// How often each unit was told of.
fn counts(signals: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (name, _) in ends(signals) {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

#[test]
fn what_ended_while_the_daemon_was_away_is_told_with_its_code() {
    let world = Sandbox::with_project();
    start_daemon(&world);
    let gate = world.home().join("gate");
    let wait = format!("until [ -e {} ]; do sleep 0.02; done; exit", gate.display());
    let units: Vec<String> =
        (1..=3).map(|n| start(&world, "s", &format!("job{n}"), &format!("{wait} {n}"))).collect();
    wait_until("all are known", || {
        Raw::greeted(&world).ok("daemon.status", &json!({}))["units"] == 3
    });
    world.kill_daemon();
    std::fs::write(gate, "").unwrap();
    for unit in &units {
        let record = world.project().join(".idlergear/runs").join(unit);
        let record = idlergear::record::Folder::at(record);
        wait_until("its record tells the end", || {
            record.load().is_ok_and(|unit| unit.status.is_terminal())
        });
    }
    for _ in 0..2 {
        start_daemon(&world);
        world.kill_daemon();
    }
    start_daemon(&world);
    let signals = drain(&world, "s");
    let mut codes: Vec<_> =
        signals.iter().map(|s| s["snapshot"]["exit_code"].as_i64().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [1, 2, 3]);
    world.kill_daemon();
    start_daemon(&world);
    assert!(drain(&world, "s").is_empty());
}

#[test]
fn a_daemon_that_is_killed_again_and_again_tells_every_end_once() {
    let world = Sandbox::with_project();
    let jobs = 40;
    std::thread::scope(|scope| {
        let starter = scope.spawn(|| {
            for n in 0..jobs {
                start(&world, "s", &format!("job{n}"), "sleep 0.1; exit 1");
            }
        });
        while !starter.is_finished() {
            world.ig(&["daemon", "start"]);
            world.kill_daemon();
        }
    });
    start_daemon(&world);
    wait_for_ends(&world);
    let counts = counts(&drain(&world, "s"));
    assert_eq!(counts.len(), jobs);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn an_end_that_is_noted_is_not_noted_again() {
    let world = Sandbox::with_project();
    start_daemon(&world);
    let unit = start(&world, "s", "job", "exit 1");
    wait_for_ends(&world);
    let link = world.state().join("live").join(&unit);
    let folder = world.project().join(".idlergear/runs").join(&unit);
    // As if the daemon had been killed between the queue and the link: undrained, then drained.
    for expected in [1, 0] {
        world.kill_daemon();
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        start_daemon(&world);
        wait_until("the link is gone", || link.symlink_metadata().is_err());
        assert_eq!(drain(&world, "s").len(), expected);
    }
}

#[test]
fn a_daemon_killed_under_a_drainer_tells_it_again_under_the_same_number() {
    let world = Sandbox::with_project();
    start_daemon(&world);
    start(&world, "s", "job", "exit 1");
    wait_for_ends(&world);
    let mut hold = drainer(&world, "s");
    hold["hold"] = json!(true);
    let read = Raw::greeted(&world).ok("signal.drain", &hold);
    world.kill_daemon();
    start_daemon(&world);
    let again = Raw::greeted(&world).ok("signal.drain", &hold);
    assert_eq!(read["signals"], again["signals"]);
    // The client knows it by its number and acknowledges, over whatever connection.
    hold["ack"] = json!([again["signals"][0]["seq"]]);
    Raw::greeted(&world).ok("signal.drain", &hold);
    assert_eq!(pending(&world, "s"), 0);
}

#[test]
fn drainers_and_a_dying_daemon_lose_nothing() {
    let world = Sandbox::with_project();
    let jobs = 25;
    let all_started = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..jobs {
                start(&world, "s", &format!("job{n}"), "exit 1");
            }
            all_started.store(true, Ordering::Relaxed);
        });
        let drainer = scope.spawn(|| {
            let mut told = Vec::new();
            while !all_started.load(Ordering::Relaxed) {
                let output = world.ig(&["signals", "--session", "s", "--json"]);
                told.extend(whole_lines(&output.stdout));
            }
            told
        });
        while !drainer.is_finished() {
            world.kill_daemon();
            std::thread::yield_now();
            world.ig(&["daemon", "start"]);
            // Let it live for a few answers.
            for _ in 0..3 {
                world.ig(&["daemon", "status"]);
            }
        }
        drainer.join().unwrap()
    });
    start_daemon(&world);
    wait_for_ends(&world);
    let mut all = told;
    all.extend(drain(&world, "s"));
    assert_eq!(counts(&all).len(), jobs, "nothing is lost");
    let mut seqs: BTreeMap<u64, String> = BTreeMap::new();
    for signal in &all {
        let name = signal["snapshot"]["name"].as_str().unwrap().to_owned();
        let known = seqs.entry(signal["seq"].as_u64().unwrap()).or_insert(name.clone());
        assert_eq!(*known, name, "a number means one signal");
    }
    assert_eq!(seqs.len(), jobs, "what came twice came under the same number");
}

/// Signals in what was printed, also when the end of it is missing.
fn whole_lines(stdout: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(stdout).into_owned();
    let lines = text.lines().map(|line| line.trim_end_matches(','));
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|v: &Value| v["seq"].is_u64())
        .collect()
}

#[test]
fn ended_units_are_known_after_a_restart() {
    let world = Sandbox::with_project();
    start_daemon(&world);
    let unit = start(&world, "s", "job", "exit 4");
    wait_for_ends(&world);
    world.kill_daemon();
    start_daemon(&world);
    let mut raw = Raw::greeted(&world);
    let listed = raw.ok("unit.list", &json!({ "all": true, "ended": true }));
    assert_eq!(listed["units"][0]["id"], unit.as_str());
    assert_eq!(listed["units"][0]["exit_code"], 4);
    assert_eq!(raw.refused("unit.evict", &json!({ "id": unit })), "undrained");
    drain(&world, "s");
    assert_eq!(raw.ok("unit.evict", &json!({ "id": unit }))["evicted"], true);
    world.kill_daemon();
    start_daemon(&world);
    let listed = Raw::greeted(&world).ok("unit.list", &json!({ "all": true, "ended": true }));
    assert_eq!(listed["units"], json!([]));
}

#[test]
fn each_restart_is_told_once_and_the_end_once() {
    let world = Sandbox::with_project();
    start_daemon(&world);
    let terms = Some(json!({ "restart": "on-failure:2" }));
    let start =
        Start { name: "web", session: Some("s"), terms, script: "exit 1", ..Start::default() };
    start.run(&world);
    let mut signals = Vec::new();
    while ends(&signals).is_empty() {
        wait_until("something is told", || pending(&world, "s") > 0);
        world.kill_daemon();
        start_daemon(&world);
        signals.extend(drain(&world, "s"));
        world.kill_daemon();
        start_daemon(&world);
    }
    let lines: Vec<&str> = signals.iter().filter_map(|s| s["event"]["line"].as_str()).collect();
    assert_eq!(
        lines,
        [
            "restart 1 of 2 in 1s: exit code 1",
            "restart 2 of 2 in 2s: exit code 1",
            "given up after 2 of 2: exit code 1"
        ]
    );
    let end = signals.last().unwrap();
    assert_eq!(
        (&end["snapshot"]["restarts"], &end["lifecycle"]["status"]),
        (&json!(2), &json!("failed"))
    );
    assert_eq!(signals.len(), 4);
}

#[test]
fn restarts_are_kept_over_a_restart_of_the_daemon() {
    let world = Sandbox::with_project();
    start_daemon(&world);
    let unit = Start { name: "web", session: Some("s"), script: "sleep 60", ..Start::default() };
    let unit = id(&unit.run(&world));
    world.kill_daemon();
    start_daemon(&world);
    let mut raw = Raw::greeted(&world);
    let found = raw.ok("unit.get", &json!({ "id": unit }));
    assert_eq!((&found["status"], &found["restarts"]), (&json!("running"), &json!(0)));
    assert!(drain(&world, "s").is_empty());
    raw.ok("unit.stop", &json!({ "id": unit, "grace_ms": 100 }));
}
