//! A database with signals in it that is damaged, cut short, or of a version to come.

use std::fs;
use std::path::Path;

use crate::support::{Sandbox, stderr, wait_until};
use crate::{all_is_well, drain, start, told};

const JOBS: [&str; 3] = ["job0", "job1", "job2"];

/// A world in which the ends of [`JOBS`] wait to be told; its daemon has ended.
fn world_with_signals(end: fn(&Sandbox)) -> Sandbox {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    for name in JOBS {
        start(&world, name, "exit 1");
    }
    let live = world.state().join("live");
    wait_until("all have ended", || live.read_dir().unwrap().next().is_none());
    end(&world);
    world
}

fn stop(world: &Sandbox) {
    world.ok(&["daemon", "stop"]);
}

/// Starts the daemon; returns what it says of its database.
fn start_daemon(world: &Sandbox) -> String {
    let output = world.ig(&["daemon", "start"]);
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

/// What ends from now on is told, what ended before is in its record, and the daemon is well.
fn goes_on(world: &Sandbox) {
    for name in JOBS {
        assert_eq!(world.json(&["run", "status", name, "--json"])["exit_code"], 1);
    }
    start(world, "later", "exit 1");
    let mut names = Vec::new();
    wait_until("the next end is told", || {
        names.extend(told(&drain(world)));
        names.contains(&"later".to_owned())
    });
    all_is_well(world);
}

fn overwrite(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let end = bytes.len();
    bytes[4096..end].fill(0xA5);
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length / 2 + 77).unwrap();
}

#[test]
fn what_is_damaged_or_cut_short_is_set_aside_and_work_goes_on() {
    for damage in [overwrite, cut] {
        let world = world_with_signals(stop);
        damage(&world.state().join("state.db"));
        let said = start_daemon(&world);
        assert!(said.contains("state.db.corrupt-1"), "{said}");
        goes_on(&world);
        assert!(world.state().join("state.db.corrupt-1").exists());
    }
}

/// What a daemon that was killed had not yet moved into the database itself.
#[test]
fn a_torn_write_ahead_log_is_read_as_far_as_it_goes() {
    let world = world_with_signals(Sandbox::kill_daemon);
    let wal = world.state().join("state.db-wal");
    let length = fs::metadata(&wal).unwrap().len();
    fs::OpenOptions::new().write(true).open(&wal).unwrap().set_len(length - 100).unwrap();
    assert_eq!(start_daemon(&world), "");
    goes_on(&world);
}

#[test]
fn the_signals_of_a_newer_version_wait_for_it() {
    let world = world_with_signals(stop);
    let path = world.state().join("state.db");
    let version = |path: &Path, number: i64| {
        let db = rusqlite::Connection::open(path).unwrap();
        let before = db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap();
        db.pragma_update(None, "user_version", number).unwrap();
        before
    };
    let ours = version(&path, 99);
    let said = start_daemon(&world);
    assert!(said.contains("newer than ours") && said.contains("corrupt-1"), "{said}");
    goes_on(&world);
    // The version that wrote them finds them untouched.
    stop(&world);
    let aside = world.state().join("state.db.corrupt-1");
    assert_eq!(version(&aside, ours), 99);
    fs::rename(&aside, &path).unwrap();
    assert_eq!(start_daemon(&world), "");
    assert_eq!(told(&drain(&world)), JOBS);
    all_is_well(&world);
}
