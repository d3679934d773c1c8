//! Stop and evict over the wire.

use serde_json::json;

use crate::raw::Raw;
use crate::support::{Sandbox, wait_until};
use crate::{Start, drain, drainer, id, pending, start, wait_for_ends};

#[test]
fn stop_refuses_what_is_not_there_and_what_has_ended_apart() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    assert_eq!(raw.refused("unit.stop", &json!({ "id": "nobody" })), "not_found");
    let unit = start(&world, "s", "job", "exit 0");
    wait_for_ends(&world);
    assert_eq!(raw.refused("unit.stop", &json!({ "id": unit })), "already_terminal");
}

#[test]
fn the_daemon_answers_others_while_it_stops_a_stubborn_unit() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let script = "trap '' TERM; echo deaf; while :; do sleep 0.05; done";
    let unit = id(&Start { name: "deaf", script, ..Start::default() }.run(&world));
    wait_until("it is deaf", || world.ok(&["output", &unit]).contains("deaf"));
    let stopped = std::thread::scope(|scope| {
        let stop = scope.spawn(|| {
            Raw::greeted(&world).ok("unit.stop", &json!({ "id": unit, "grace_ms": 3_000 }))
        });
        let request = world.project().join(".idlergear/runs").join(&unit).join("stop");
        wait_until("it is asked", || request.exists());
        let mut answers = 0;
        while !stop.is_finished() {
            Raw::greeted(&world).ok("daemon.status", &json!({}));
            answers += 1;
        }
        assert!(answers > 0);
        stop.join().unwrap()
    });
    assert_eq!((&stopped["unit"]["status"], &stopped["left"]), (&json!("running"), &json!([])));
    wait_for_ends(&world);
    assert_eq!(Raw::greeted(&world).ok("unit.get", &json!({ "id": unit }))["status"], "killed");
}

#[test]
fn a_run_by_hand_cannot_be_stopped_and_nobody_says_so() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let unit = world.ok(&["run", "register", "make it so"]).trim().to_owned();
    let mut raw = Raw::greeted(&world);
    assert_eq!(raw.refused("unit.stop", &json!({ "id": unit, "session": "s" })), "not_owned");
    let request = world.project().join(".idlergear/runs").join(&unit).join("stop");
    assert!(!request.exists());
}

#[test]
fn a_unit_is_evicted_once_everybody_was_told() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    let mut news = Raw::greeted(&world);
    news.ok("event.subscribe", &json!({ "all": true, "types": ["removed"] }));
    assert_eq!(raw.ok("unit.evict", &json!({ "id": "bnobody00" }))["evicted"], false);
    for session in ["one", "two"] {
        raw.ok("signal.pending", &drainer(&world, session));
    }
    let gate = world.home().join("gate");
    let script = format!("until [ -e {} ]; do sleep 0.02; done; exit 1", gate.display());
    let unit = id(&Start { name: "job", script: &script, ..Start::default() }.run(&world));
    assert_eq!(raw.refused("unit.evict", &json!({ "id": unit })), "undrained", "it runs");
    std::fs::write(gate, "").unwrap();
    wait_until("both are to be told", || {
        pending(&world, "one") == 1 && pending(&world, "two") == 1
    });
    drain(&world, "one");
    assert_eq!(raw.refused("unit.evict", &json!({ "id": unit })), "undrained");
    drain(&world, "two");
    assert_eq!(raw.ok("unit.evict", &json!({ "id": unit }))["evicted"], true);
    assert_eq!(news.event("removed")["data"]["unit"]["id"], unit.as_str());
    assert_eq!(raw.ok("unit.evict", &json!({ "id": unit }))["evicted"], false);
    assert_eq!(raw.refused("unit.get", &json!({ "id": unit })), "not_found");
    // Its record stays, and so does what people read of it.
    world.ok(&["output", &unit]);
}

#[test]
fn an_end_that_is_nobodys_business_can_be_evicted_at_once() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let unit = start(&world, "s", "job", "exit 0");
    wait_for_ends(&world);
    let evicted = Raw::greeted(&world).ok("unit.evict", &json!({ "id": unit }));
    assert_eq!(evicted["evicted"], true);
}

#[test]
fn a_session_that_is_dead_for_a_day_holds_nothing_up() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let unit = start(&world, "s", "job", "exit 1");
    wait_for_ends(&world);
    assert_eq!(Raw::greeted(&world).refused("unit.evict", &json!({ "id": unit })), "undrained");
    world.ok(&["daemon", "stop"]);
    let db = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    db.execute("UPDATE sessions SET last_seen = last_seen - 86500", []).unwrap();
    drop(db);
    world.ok(&["daemon", "start"]);
    assert_eq!(Raw::greeted(&world).ok("unit.evict", &json!({ "id": unit }))["evicted"], true);
    assert_eq!(drain(&world, "s").len(), 1, "it is told all the same when it comes back");
}

#[test]
fn an_id_that_is_used_again_ends_again() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    for round in 0..2 {
        let mut child = world.command("sleep").arg("600").spawn().unwrap();
        let agent =
            json!({ "id": "a00000001", "name": "agent", "pid": child.id(), "session": "s" });
        raw.ok("agent.register", &agent);
        raw.ok("unit.alerts", &json!({ "id": "a00000001", "on_kill": true }));
        child.kill().unwrap();
        child.wait().unwrap();
        wait_until("it is told", || pending(&world, "s") == 1);
        let told = drain(&world, "s");
        assert_eq!(told[0]["kind"], "local_agent", "round {round}");
        assert_eq!(told[0]["snapshot"]["metadata"]["err"], "it ended without a word");
    }
}
