//! Nothing grows without an end, and what had to go is told.

use std::path::Path;

use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::{Sandbox, wait_until};
use crate::{drain, drainer, pending, start, wait_for_ends};

/// Copies the record of an ended unit under `count` new ids, each linked as if it had just ended.
fn multiply(world: &Sandbox, unit: &str, count: usize) {
    let runs = world.project().join(".idlergear/runs");
    let text = std::fs::read_to_string(runs.join(unit).join("run.json")).unwrap();
    for n in 0..count {
        let id = format!("b{n:08}");
        std::fs::create_dir(runs.join(&id)).unwrap();
        std::fs::write(runs.join(&id).join("run.json"), text.replace(unit, &id)).unwrap();
        link(world, &runs.join(&id), &id);
    }
}

fn link(world: &Sandbox, folder: &Path, id: &str) {
    std::os::unix::fs::symlink(folder, world.state().join("live").join(id)).unwrap();
}

#[test]
fn a_queue_that_is_too_long_is_folded_and_says_so() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let unit = start(&world, "s", "job", "exit 1");
    wait_for_ends(&world);
    world.kill_daemon();
    multiply(&world, &unit, 1349);
    world.ok(&["daemon", "start"]);
    let live = world.state().join("live");
    wait_until("all are taken in", || live.read_dir().unwrap().next().is_none());
    assert!(pending(&world, "s") <= 1000);
    let mut raw = Raw::greeted(&world);
    let (mut signals, mut pages) = (Vec::new(), 0);
    loop {
        let mut page = raw.ok("signal.drain", &drainer(&world, "s"));
        let Value::Array(part) = page["signals"].take() else { panic!("{page}") };
        pages += 1;
        signals.extend(part);
        if page["more"] == false {
            break;
        }
    }
    assert!(pages > 1, "an answer fits into a frame");
    let numbers: Vec<u64> = signals.iter().map(|s| s["seq"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted());
    let dropped: u64 =
        signals.iter().filter_map(|s| s["digest"]["dropped"]["failed"].as_u64()).sum();
    let told = signals.iter().filter(|s| s["lifecycle"].is_object()).count();
    assert!(dropped > 0);
    assert_eq!(told + usize::try_from(dropped).unwrap(), 1350, "each is told or counted");
    let digest = signals.iter().find(|s| s["digest"].is_object()).unwrap();
    assert_eq!((&digest["kind"], &digest["daemon_id"]), (&json!("digest"), &json!("")));
    assert!(drain(&world, "s").is_empty());
}

#[test]
fn a_database_of_the_first_version_is_taken_over() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    world.ok(&["daemon", "send", "hello"]);
    world.ok(&["daemon", "stop"]);
    let path = world.state().join("state.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    let second = ["ends", "monitors", "sessions", "signals", "deliveries"];
    let third = ["aliases", "clients", "ended", "told"];
    for table in second.iter().chain(&third) {
        db.execute_batch(&format!("DROP TABLE {table}")).unwrap();
    }
}

#[test]
fn a_database_of_the_second_version_is_taken_over_with_all_that_waits() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    world.ok(&["daemon", "stop"]);
    let path = world.state().join("state.db");
    std::fs::remove_file(&path).unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().to_string();
    let old = include_str!("../fixtures/state-v2.sql")
        .replace("NOW", &now)
        .replace("PROJECT", &world.project().display().to_string());
    rusqlite::Connection::open(&path).unwrap().execute_batch(&old).unwrap();
    let started = world.ig(&["daemon", "start"]);
    assert_eq!(crate::support::stderr(&started), "");
    assert_eq!(world.json(&["daemon", "messages", "--json"])["messages"][0]["text"], "hello");
    let seqs = |session: &str| -> Vec<u64> {
        drain(&world, session).iter().map(|signal| signal["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!((seqs("owner"), seqs("reader")), (vec![1, 2, 3, 4, 5], vec![2]));
    let listed = Raw::greeted(&world).ok("unit.list", &json!({ "all": true, "ended": true }));
    assert_eq!(listed["units"].as_array().unwrap().len(), 3);
}

#[test]
fn a_huge_unit_makes_a_signal_of_decent_size() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let script =
        format!(": {}; head -c 300000 /dev/zero | tr '\\0' x; exit 1", "y".repeat(100_000));
    start(&world, "s", "big", &script);
    wait_for_ends(&world);
    let signal = &drain(&world, "s")[0];
    assert!(signal.to_string().len() < 100 << 10, "{}", signal.to_string().len());
    assert_eq!(signal["snapshot"]["exit_code"], 1);
}
