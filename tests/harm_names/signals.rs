//! `ig signals`: what a project's people and sessions should know, of that project first.

use std::process::Stdio;

use serde_json::Value;

use crate::World;
use crate::support::{stderr, stdout, wait_until};

impl World {
    /// Something fails there, and its end is noted; returns its id.
    fn fail_in(&self, dir: &std::path::Path, name: &str) -> String {
        let id = self.start_in(dir, &[name, "--", "exit 3"]);
        let link = self.sandbox.state().join("live").join(&id);
        wait_until("its end is noted", || link.symlink_metadata().is_err());
        id
    }

    fn signals_of(&self, session: &str) -> String {
        let mut command = self.command(&self.here(), &["signals"]);
        stdout(&command.env("IDLERGEAR_SESSION", session).output().unwrap())
    }
}

#[test]
fn a_person_is_told_of_the_project_they_stand_in() {
    let world = World::with_daemon();
    for dir in [world.here(), world.other()] {
        // A person who asks is there.
        world.ig_in(&dir, &["signals"]);
    }
    world.fail_in(&world.here(), "mine");
    let theirs = world.fail_in(&world.other(), "theirs");
    let told = world.ok(&["signals"]);
    assert!(told.contains("mine") && !told.contains("theirs"), "{told}");
    let none = world.ig(&["signals"]);
    assert!(stderr(&none).contains("1 of other projects: ig signals --all"), "{}", stderr(&none));
    let all = world.ok(&["signals", "--all", "--peek"]);
    let place = format!("theirs in {}  failed", world.other().display());
    assert!(all.contains(&place), "{all}");
    let told = stdout(&world.ig_in(&world.other(), &["signals"]));
    assert!(
        told.contains("theirs  failed") && told.contains(&format!("ig logs {theirs}")),
        "{told}"
    );
    assert_eq!(world.ok(&["signals", "--all"]), "");
}

#[test]
fn a_session_is_told_where_and_its_hint_works_there() {
    let world = World::with_daemon();
    let mut start = world.command(&world.other(), &["start", "job", "--", "echo why; exit 3"]);
    let id = stdout(&start.env("IDLERGEAR_SESSION", "s").output().unwrap()).trim().to_owned();
    let link = world.sandbox.state().join("live").join(&id);
    wait_until("its end is noted", || link.symlink_metadata().is_err());
    let told = world.signals_of("s");
    assert!(told.contains(&format!("job in {}  failed", world.other().display())), "{told}");
    assert!(told.contains(&format!("ig logs {id}")), "{told}");
    assert_eq!(world.ok(&["logs", &id]), "why\n");
}

#[test]
fn the_first_question_of_a_session_is_told_what_failed_before_once() {
    let world = World::with_daemon();
    // A person is there, and is told; so is a session of before.
    world.ok(&["signals"]);
    world.signals_of("before");
    world.fail_in(&world.here(), "again");
    let web = world.fail_in(&world.here(), "web");
    let good = world.start(&["again", "--", "true"]);
    let link = world.sandbox.state().join("live").join(&good);
    wait_until("its end is noted", || link.symlink_metadata().is_err());
    world.fail_in(&world.other(), "elsewhere");
    assert!(world.ok(&["signals"]).contains("web"));
    assert!(world.signals_of("before").contains("web"));
    let told = world.signals_of("new");
    assert!(told.contains("web  failed: exit code 3") && told.contains(&web), "{told}");
    assert!(told.contains("before this session"), "{told}");
    // What went well since, and what is elsewhere, is no news.
    assert_eq!(told.lines().count(), 1, "{told}");
    assert_eq!(world.signals_of("new"), "");
    assert_eq!(world.signals_of("before"), "");
    assert_eq!(world.ok(&["signals"]), "");
    world.sandbox.kill_daemon();
    assert_eq!(world.signals_of("new"), "");
}

#[test]
fn what_failed_before_is_bounded() {
    let world = World::with_daemon();
    world.ok(&["signals"]);
    for number in 0..8 {
        world.fail_in(&world.here(), &format!("job{number}"));
    }
    let told = world.signals_of("new");
    assert_eq!(told.lines().count(), 5, "{told}");
    assert!(told.contains("job7") && !told.contains("job2"), "{told}");
}

#[test]
fn nothing_is_told_where_nobody_can_read_it() {
    let world = World::with_daemon();
    world.ok(&["signals"]);
    world.fail_in(&world.here(), "web");
    for json in ["", " --json"] {
        let closed = world.sandbox.bash(&format!("ig signals{json} >&-"));
        assert_eq!(closed.status.code(), Some(1), "{}", stderr(&closed));
        assert!(stderr(&closed).contains("nothing is marked as told"), "{}", stderr(&closed));
        let full = world.sandbox.bash(&format!("ig signals{json} > /dev/full"));
        assert_eq!(full.status.code(), Some(1), "{}", stderr(&full));
        assert!(stderr(&full).contains("nothing is marked as told"), "{}", stderr(&full));
    }
    let told: Value = serde_json::from_str(&world.ok(&["signals", "--json"])).unwrap();
    assert_eq!(told["signals"][0]["snapshot"]["name"], "web");
    // Who throws it away has taken it.
    world.fail_in(&world.here(), "web");
    let mut thrown = world.command(&world.here(), &["signals"]);
    let null = std::fs::File::options().write(true).open("/dev/null").unwrap();
    assert!(thrown.stdout(Stdio::from(null)).status().unwrap().success());
    assert_eq!(world.ok(&["signals"]), "");
}
