//! Sessions begin, and are one under several names.

use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::{Sandbox, wait_until};
use crate::{Start, drain, drainer, ends, id, pending, wait_for_ends};

/// A client's process, until it is dropped.
pub(crate) struct Client(Child);

impl Client {
    pub(crate) fn new(world: &Sandbox) -> Self {
        let mut command = world.command("sleep");
        Self(command.arg("600").stdin(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn die(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.die();
    }
}

pub(crate) fn daemon() -> Sandbox {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    world
}

pub(crate) fn restart(world: &Sandbox) {
    world.kill_daemon();
    world.ok(&["daemon", "start"]);
}

pub(crate) fn begin(world: &Sandbox, session: &str, aliases: &[&str]) -> Value {
    let params = json!({ "session": session, "project": world.project(), "aliases": aliases });
    Raw::greeted(world).ok("session.begin", &params)
}

pub(crate) fn begin_with(world: &Sandbox, session: &str, pid: u32) {
    let params = json!({ "session": session, "project": world.project(), "pid": pid });
    Raw::greeted(world).ok("session.begin", &params);
}

pub(crate) fn end(world: &Sandbox, session: &str) -> Value {
    Raw::greeted(world).ok("session.end", &json!({ "session": session }))
}

fn seqs(signals: &[Value]) -> Vec<u64> {
    signals.iter().map(|signal| signal["seq"].as_u64().unwrap()).collect()
}

pub(crate) fn names(signals: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = ends(signals).into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

/// Something fails that `session` owns; or nobody.
pub(crate) fn fail(world: &Sandbox, session: Option<&str>, name: &str) -> String {
    let unit = Start { name, session, script: "exit 1", ..Start::default() }.run(world);
    let unit = id(&unit);
    wait_until("its end is noted", || {
        let link = world.state().join("live").join(&unit);
        Raw::greeted(world).ok("unit.get", &json!({ "id": unit }))["status"] == "failed"
            && link.symlink_metadata().is_err()
    });
    unit
}

/// A unit as `ig start` makes it.
pub(crate) fn ig_start(world: &Sandbox, session: Option<&str>, words: &[&str]) -> String {
    let mut command = world.command("ig");
    command.arg("start").args(words);
    if let Some(session) = session {
        command.env("IDLERGEAR_SESSION", session);
    }
    let output = command.output().unwrap();
    crate::support::succeed(&output, words).trim().to_owned()
}

pub(crate) fn status(world: &Sandbox, unit: &str) -> String {
    let unit = Raw::greeted(world).ok("unit.get", &json!({ "id": unit }));
    unit["status"].as_str().unwrap().to_owned()
}

pub(crate) fn stop(world: &Sandbox, unit: &str) {
    Raw::greeted(world).ok("unit.stop", &json!({ "id": unit, "grace_ms": 1000 }));
}

#[test]
fn every_name_of_a_session_means_it_everywhere() {
    let world = daemon();
    let begun = begin(&world, "conversation", &["thread", "server"]);
    assert_eq!(begun, json!({ "session": "conversation", "aliases": ["server", "thread"] }));
    let mut bell = Raw::greeted(&world);
    bell.ok("event.subscribe", &json!({ "session": "server", "types": ["signal"] }));
    let unit = fail(&world, Some("thread"), "job");
    let rung = bell.event("signal");
    assert_eq!(rung["data"]["daemon_id"], unit.as_str());
    assert_eq!(rung["data"]["sessions"], json!(["conversation", "server", "thread"]));
    assert_eq!(["conversation", "thread", "server"].map(|s| pending(&world, s)), [1, 1, 1]);
    let mut hold = drainer(&world, "server");
    hold["hold"] = json!(true);
    let mut raw = Raw::greeted(&world);
    let told = raw.ok("signal.drain", &hold);
    assert!(drain(&world, "thread").is_empty(), "it is on its way");
    let mut ack = drainer(&world, "conversation");
    ack["ack"] = json!(seqs(told["signals"].as_array().unwrap()));
    Raw::greeted(&world).ok("signal.drain", &ack);
    drop(raw);
    assert_eq!(Raw::greeted(&world).ok("unit.evict", &json!({ "id": unit }))["evicted"], true);

    let terms = Some(json!({ "alerts": { "on_kill": true } }));
    let session = Some("thread");
    Start { name: "long", session, terms, script: "sleep 600", ..Start::default() }.run(&world);
    let asked =
        json!({ "id": "long", "project": world.project(), "session": "server", "grace_ms": 1000 });
    Raw::greeted(&world).ok("unit.stop", &asked);
    wait_for_ends(&world);
    assert!(drain(&world, "conversation").is_empty(), "it was its own wish");
}

#[test]
fn what_waited_under_several_names_is_one_queue_and_each_signal_is_told_once() {
    let world = daemon();
    for session in ["a", "b", "other"] {
        begin(&world, session, &[]);
    }
    for name in ["both", "first", "second"] {
        fail(&world, None, name);
    }
    fail(&world, Some("a"), "of-a");
    fail(&world, Some("b"), "of-b");
    let take = |session: &str, limit: u64| {
        let mut wanted = drainer(&world, session);
        wanted["limit"] = json!(limit);
        let mut raw = Raw::greeted(&world);
        let answer = raw.ok("signal.drain", &wanted);
        raw.ok("signal.pending", &drainer(&world, session));
        seqs(answer["signals"].as_array().unwrap())
    };
    // One was told two of the three that are for all, the other one of them.
    let (by_a, by_b) = (take("a", 2), take("b", 1));
    assert_eq!((by_a, by_b), (vec![1, 2], vec![1]));
    restart(&world);
    begin(&world, "a", &["b"]);
    assert_eq!(names(&drain(&world, "b")), ["of-a", "of-b", "second"]);
    assert!(drain(&world, "a").is_empty());
    assert_eq!(drain(&world, "other").len(), 3, "nothing is taken from others");
}

#[test]
fn what_is_on_its_way_under_one_name_is_not_told_under_another() {
    let world = daemon();
    for session in ["a", "b"] {
        begin(&world, session, &[]);
    }
    fail(&world, None, "shared");
    fail(&world, Some("b"), "own");
    let mut hold = drainer(&world, "b");
    hold["hold"] = json!(true);
    let mut raw = Raw::greeted(&world);
    let told = seqs(raw.ok("signal.drain", &hold)["signals"].as_array().unwrap());
    begin(&world, "a", &["b"]);
    assert!(drain(&world, "a").is_empty());
    let mut bell = Raw::greeted(&world);
    bell.ok("event.subscribe", &json!({ "session": "a", "types": ["signal"] }));
    drop(raw);
    assert_eq!(bell.event("signal")["data"]["again"], true);
    assert_eq!(seqs(&drain(&world, "a")), told, "given back under the same numbers");
}

#[test]
fn names_in_a_circle_are_one_session() {
    let world = daemon();
    begin(&world, "a", &["b", "a"]);
    let begun = begin(&world, "b", &["a"]);
    assert_eq!(begun, json!({ "session": "a", "aliases": ["b"] }));
    fail(&world, Some("b"), "job");
    // A living session's name: then they are the same conversation, with all their names.
    begin(&world, "d", &["e"]);
    let begun = begin(&world, "c", &["b", "e", "c"]);
    assert_eq!(begun["session"], "c");
    let mut known: Vec<&str> =
        begun["aliases"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    known.sort_unstable();
    assert_eq!(known, ["a", "b", "d", "e"]);
    restart(&world);
    assert_eq!(["a", "b", "c", "d", "e"].map(|name| pending(&world, name)), [1; 5]);
}

#[test]
fn a_name_of_a_session_that_is_over_goes_on_alone() {
    let world = daemon();
    begin(&world, "first", &["server", "old"]);
    end(&world, "server");
    begin(&world, "second", &["server"]);
    fail(&world, Some("server"), "job");
    begin(&world, "first", &[]);
    assert_eq!(["first", "old", "second"].map(|name| pending(&world, name)), [0, 0, 1]);
}

#[test]
fn names_are_checked_and_bounded() {
    let world = daemon();
    let mut raw = Raw::greeted(&world);
    let many: Vec<String> = (0..17).map(|n| format!("n{n}")).collect();
    for wrong in [
        json!({ "session": "" }),
        json!({ "session": "x".repeat(201) }),
        json!({ "session": "s", "aliases": ["a\u{1}"] }),
        json!({ "session": "s", "aliases": ["x".repeat(201)] }),
        json!({ "session": "s", "aliases": many }),
        json!({ "session": "s", "pid": 4_194_305 }),
        json!({}),
    ] {
        assert_eq!(raw.refused("session.begin", &wrong), "invalid_params", "{wrong}");
    }
    assert_eq!(raw.refused("session.end", &json!({ "session": "" })), "invalid_params");
    assert_eq!(pending(&world, "s"), 0);
    let longest = "x".repeat(200);
    assert_eq!(begin(&world, &longest, &[])["session"], longest.as_str());
    for n in 0..20 {
        begin(&world, "s", &["kept", &format!("n{n}")]);
    }
    let begun = begin(&world, "s", &[]);
    let known = begun["aliases"].as_array().unwrap();
    assert_eq!(known.len(), 16);
    assert!(known.contains(&json!("kept")) && known.contains(&json!("n19")), "{begun}");
    assert!(!known.contains(&json!("n0")), "the oldest went: {begun}");
}
