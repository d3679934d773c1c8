//! A database that was damaged: what is good of it stays, what is lost is told, and no number is given
//! twice.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Sandbox, stderr, succeed};

fn send(world: &Sandbox, text: &str) {
    world.ok(&["daemon", "send", text]);
}

/// The messages that there are: their numbers and texts.
fn messages(world: &Sandbox) -> Vec<(u64, String)> {
    let listing = world.json(&["daemon", "messages", "--all", "--json"]);
    let messages = listing["messages"].as_array().unwrap();
    let told = |message: &Value| {
        (message["seq"].as_u64().unwrap(), message["text"].as_str().unwrap().to_owned())
    };
    messages.iter().map(told).collect()
}

/// Starts the daemon; returns what it says.
fn start(world: &Sandbox) -> String {
    let output = world.ig(&["daemon", "start"]);
    succeed(&output, &["daemon", "start"]);
    stderr(&output)
}

fn file(world: &Sandbox, name: &str) -> PathBuf {
    world.state().join(name)
}

/// A world whose daemon had `early` in the database itself, and was killed with `late` written ahead.
fn killed_in_between() -> (Sandbox, u64) {
    let world = Sandbox::with_project();
    send(&world, "early");
    world.ok(&["daemon", "restart"]);
    send(&world, "late");
    let last = messages(&world).pop().unwrap().0;
    world.kill_daemon();
    (world, last)
}

fn goes_on(world: &Sandbox, last: u64, expected: &[&str]) {
    send(world, "new");
    let mut now = messages(world);
    let (number, text) = now.pop().unwrap();
    assert_eq!(text, "new");
    assert!(number > last, "{number} after {last}");
    assert_eq!(now.into_iter().map(|(_, text)| text).collect::<Vec<_>>(), expected);
    world.ok(&["daemon", "stop"]);
    assert_eq!(start(world), "", "said once");
}

#[test]
fn an_emptied_database_is_told_of() {
    let (world, last) = killed_in_between();
    fs::write(file(&world, "state.db"), "").unwrap();
    let said = start(&world);
    assert!(said.contains("state.db` could not be used (it is empty)"), "{said}");
    assert!(said.contains("state.db.corrupt-1"), "{said}");
    assert!(file(&world, "state.db.corrupt-1").exists());
    goes_on(&world, last, &[]);
}

#[test]
fn garbage_in_what_was_written_ahead_is_told_of_and_the_rest_stays() {
    type Damage = fn(&mut Vec<u8>);
    let cases: [(Damage, &[&str]); 3] = [
        (|wal| wal.fill(0xA5), &["early"]),
        (|wal| *wal = b"garbage".to_vec(), &["early"]),
        (|wal| wal[32 + 24 + 4096 + 100] ^= 1, &["early"]),
    ];
    for (damage, stays) in cases {
        let (world, last) = killed_in_between();
        let path = file(&world, "state.db-wal");
        let mut wal = fs::read(&path).unwrap();
        damage(&mut wal);
        fs::write(&path, &wal).unwrap();
        let said = start(&world);
        assert!(said.contains("state.db-wal` is damaged"), "{said}");
        assert!(said.contains("state.db.corrupt-1-wal"), "{said}");
        assert_eq!(fs::read(file(&world, "state.db.corrupt-1-wal")).unwrap(), wal);
        goes_on(&world, last, stays);
    }
}

#[test]
fn what_was_written_ahead_and_is_whole_is_nothing_to_tell() {
    let (world, last) = killed_in_between();
    assert_eq!(start(&world), "");
    goes_on(&world, last, &["early", "late"]);
}

#[test]
fn what_can_be_read_of_a_damaged_database_is_taken_over() {
    let world = Sandbox::with_project();
    for number in 0..60 {
        send(&world, &format!("{number} {}", "x".repeat(2000)));
    }
    let before = messages(&world);
    world.ok(&["daemon", "stop"]);
    let path = file(&world, "state.db");
    let mut bytes = fs::read(&path).unwrap();
    // A page of messages in the middle.
    let at = bytes.windows(3).position(|text| text == b"30 ").unwrap() / 4096 * 4096;
    bytes[at..at + 4096].fill(0xA5);
    fs::write(&path, &bytes).unwrap();
    let said = start(&world);
    assert!(said.contains("rows of it that can be read"), "{said}");
    assert_eq!(fs::read(file(&world, "state.db.corrupt-1")).unwrap(), bytes, "untouched");
    let now = messages(&world);
    assert!(now.len() > 40, "{}", now.len());
    assert!(now.iter().all(|message| before.contains(message)));
    assert_eq!((now.first(), now.last()), (before.first(), before.last()));
    send(&world, "new");
    assert!(messages(&world).pop().unwrap().0 > before.last().unwrap().0);
}
