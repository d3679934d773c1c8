//! A daemon that comes back to more ends than it can take in at once.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::{Sandbox, wait_patiently, wait_until};
use crate::{all_is_well, drain, units};

const ENDS: usize = 600;

/// The record of `unit` once more, as that of one which ended as the `n`-th.
fn copy(world: &Sandbox, unit: &Value, n: usize) {
    let id = format!("b{:08}", (n * 7919) % 100_000_000);
    let runs = world.project().join(".idlergear/runs");
    let folder = runs.join(&id);
    fs::create_dir(&folder).unwrap();
    let mut record = unit.clone();
    record["id"] = json!(id);
    record["name"] = json!(format!("u{n:04}"));
    record["ended_at"] = json!(format!("2026-01-01T{:02}:{:02}:00.000Z", n / 60, n % 60));
    for path in record["logs"].as_object_mut().unwrap().values_mut() {
        let name = Path::new(path.as_str().unwrap()).file_name().unwrap().to_owned();
        *path = json!(folder.join(name));
    }
    fs::write(folder.join("run.json"), record.to_string()).unwrap();
    symlink(&folder, world.state().join("live").join(&id)).unwrap();
}

#[test]
fn who_lives_is_known_at_once_and_ends_are_told_in_their_order() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let ended = world.ok(&["start", "first", "--", "exit 1"]);
    let live = world.state().join("live");
    wait_until("its end is known", || live.read_dir().unwrap().next().is_none());
    drain(&world);
    world.ok(&["daemon", "stop"]);
    let unit = world.json(&["run", "status", ended.trim(), "--json"]);
    for n in 0..ENDS {
        copy(&world, &unit, n);
    }
    let lives = world
        .command("ig")
        .args(["start", "lives", "--", "sleep 600"])
        .env("IDLERGEAR_NO_AUTOSTART", "1")
        .output();
    assert!(lives.unwrap().status.success());

    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    let running = raw.ok("unit.list", &json!({ "all": true }));
    let names: Vec<&Value> =
        running["units"].as_array().unwrap().iter().map(|u| &u["name"]).collect();
    assert_eq!(names, ["lives"], "nothing is shown as living that has ended");
    wait_patiently("all ends are known", || units(&mut raw).len() == ENDS + 2);
    let signals = drain(&world);
    let told: Vec<&str> =
        signals.iter().map(|signal| signal["snapshot"]["name"].as_str().unwrap()).collect();
    let expected: Vec<String> = (0..ENDS).map(|n| format!("u{n:04}")).collect();
    assert_eq!(told, expected);
    world.ok(&["stop", "lives"]);
    drain(&world);
    all_is_well(&world);
}
