//! Which ends are told, to whom, and how loudly.

use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::{Sandbox, wait_until};
use crate::{Start, drain, drainer, ends, id, pending, spawn, start, wait_for_ends};

fn pair(name: &str, status: &str) -> (String, String) {
    (name.to_owned(), status.to_owned())
}

#[test]
fn a_failure_is_told_once_with_what_was_seen() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let unit = start(&world, "s1", "web", "echo out; echo err >&2; exit 3");
    wait_until("it is queued", || pending(&world, "s1") == 1);
    let signals = drain(&world, "s1");
    assert_eq!(signals.len(), 1);
    let signal = &signals[0];
    assert_eq!(signal["daemon_id"], unit.as_str());
    assert_eq!((&signal["kind"], &signal["attention"]), (&json!("local_bash"), &json!("now")));
    assert_eq!(signal["lifecycle"], json!({ "status": "failed" }));
    assert!(signal["event"].is_null());
    assert!(signal["at"].as_str().unwrap().ends_with('Z'));
    let snapshot = &signal["snapshot"];
    assert_eq!((&snapshot["exit_code"], &snapshot["status"]), (&json!(3), &json!("failed")));
    assert_eq!(snapshot["metadata"]["exit_code"], 3);
    let output = snapshot["metadata"]["output"].as_str().unwrap();
    assert!(output.contains("out\n") && output.contains("err\n"), "{output}");
    assert!(drain(&world, "s1").is_empty());
    assert!(drain(&world, "s2").is_empty(), "it is the owner's");
}

#[test]
fn success_and_kill_are_told_when_asked_for() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let run = |name: &str, terms: Value, script: &str| {
        Start { name, session: Some("s"), terms: Some(terms), script, ..Start::default() }
            .run(&world);
    };
    let all = json!({ "alerts": { "on_success": true, "on_kill": true } });
    let none = json!({ "alerts": { "on_failure": false } });
    run("quiet-success", json!({}), "exit 0");
    run("success", all.clone(), "exit 0");
    run("quiet-kill", json!({}), "kill -TERM $$");
    run("kill", all, "kill -TERM $$");
    run("quiet-failure", none.clone(), "exit 1");
    run("foreign-kill", json!({}), "kill -KILL $$");
    run("quiet-foreign-kill", none, "kill -KILL $$");
    run("crash", json!({}), "kill -SEGV $$");
    run("code-137", json!({}), "exit 137");
    wait_for_ends(&world);
    let mut told = ends(&drain(&world, "s"));
    told.sort();
    assert_eq!(
        told,
        [
            pair("code-137", "failed"),
            pair("crash", "failed"),
            pair("foreign-kill", "killed"),
            pair("kill", "killed"),
            pair("success", "completed"),
        ]
    );
}

#[test]
fn who_asked_for_the_end_is_not_told_of_it() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    raw.ok("signal.pending", &drainer(&world, "other"));
    raw.ok("signal.pending", &drainer(&world, "mine"));
    let terms = Some(json!({ "alerts": { "on_kill": true } }));
    for (name, session) in [("owned", Some("mine")), ("shared", None)] {
        let script = "trap 'exit 7' TERM; while :; do sleep 0.02; done";
        Start { name, session, terms: terms.clone(), script, ..Start::default() }.run(&world);
        let before = raw
            .ok("unit.stop", &json!({ "id": name, "project": world.project(), "session": "mine" }));
        assert_eq!(before["unit"]["status"], "running", "the snapshot from before");
        assert_eq!(before["left"], json!([]));
    }
    wait_for_ends(&world);
    assert!(drain(&world, "mine").is_empty());
    assert_eq!(ends(&drain(&world, "other")), [pair("shared", "killed")]);
    Start { name: "again", session: Some("mine"), terms, script: "sleep 60", ..Start::default() }
        .run(&world);
    raw.ok("unit.stop", &json!({ "id": "again", "project": world.project(), "session": "other" }));
    wait_until("it is told", || pending(&world, "mine") == 1);
}

#[test]
fn what_nobody_owns_is_told_to_every_session_of_the_project() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let fail = |name: &str| {
        Start { name, script: "exit 1", ..Start::default() }.run(&world);
        wait_for_ends(&world);
    };
    fail("early");
    let mut raw = Raw::greeted(&world);
    let elsewhere = raw.ok("signal.drain", &json!({ "session": "x", "project": "/elsewhere" }));
    assert_eq!(elsewhere["signals"], json!([]));
    assert_eq!(ends(&drain(&world, "first")), [pair("early", "failed")], "kept for the first");
    assert!(drain(&world, "second").is_empty());
    fail("late");
    assert!(drain(&world, "third").is_empty(), "it came later");
    assert_eq!(ends(&drain(&world, "first")), [pair("late", "failed")]);
    assert_eq!(ends(&drain(&world, "second")), [pair("late", "failed")]);
    let elsewhere = raw.ok("signal.drain", &json!({ "session": "x", "project": "/elsewhere" }));
    assert_eq!(elsewhere["signals"], json!([]));
}

#[test]
fn a_run_that_is_looked_at_can_wait_for_the_next_turn() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let foreground = |name: &str, script: &str| {
        let mut command = world.command("ig-agent");
        command.args(["run", "--no-pty", "--name", name, "--", "bash", "-c", script]);
        command.env("IDLERGEAR_SESSION", "s").output().unwrap();
    };
    foreground("test", "exit 1");
    foreground("server", ". \"$(ig lib --path)\"; idlergear_ready http://localhost:1; exit 1");
    wait_for_ends(&world);
    let signals = drain(&world, "s");
    let attention = |name: &str| {
        let signal = signals.iter().find(|signal| signal["snapshot"]["name"] == name).unwrap();
        signal["attention"].as_str().unwrap().to_owned()
    };
    assert_eq!((attention("test").as_str(), attention("server").as_str()), ("next", "now"));
}

#[test]
fn alerts_can_be_changed_while_it_runs_and_the_change_lasts() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let gate = world.home().join("gate");
    let script = format!("until [ -e {} ]; do sleep 0.02; done", gate.display());
    let unit = Start { name: "job", session: Some("s"), script: &script, ..Start::default() };
    let unit = id(&unit.run(&world));
    let changed = Raw::greeted(&world)
        .ok("unit.alerts", &json!({ "id": unit, "on_success": true, "on_failure": false }));
    let expected = json!({ "on_failure": false, "on_success": true, "on_kill": false });
    assert_eq!(changed["terms"]["alerts"], expected);
    world.kill_daemon();
    world.ok(&["daemon", "start"]);
    let known = Raw::greeted(&world).ok("unit.get", &json!({ "id": unit }));
    assert_eq!(known["terms"]["alerts"], expected);
    std::fs::write(gate, "").unwrap();
    wait_for_ends(&world);
    assert_eq!(ends(&drain(&world, "s")), [pair("job", "completed")]);
    let refused = Raw::greeted(&world).refused("unit.alerts", &json!({ "id": unit }));
    assert_eq!(refused, "already_terminal");
}

fn alerts_of(world: &Sandbox, unit: &str) -> Value {
    let mut unit = world.json(&["alerts", unit, "--json"]);
    unit["terms"]["alerts"].take()
}

#[test]
fn the_verb_changes_them_with_a_daemon_and_without_one() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let gate = world.home().join("gate");
    let script = format!("until [ -e {} ]; do sleep 0.02; done", gate.display());
    let unit = Start { name: "job", session: Some("s"), script: &script, ..Start::default() };
    let unit = id(&unit.run(&world));
    assert_eq!(
        world.ok(&["alerts", "job"]),
        "failure  told\nsuccess  not told\nkill     not told\n"
    );
    let changed = world.ok(&["alerts", "job", "--alert-on-success", "--no-alert-on-failure"]);
    assert_eq!(changed, "failure  not told\nsuccess  told\nkill     not told\n");
    wait_until("the daemon has seen it", || {
        let known = Raw::greeted(&world).ok("unit.get", &json!({ "id": unit }));
        known["terms"]["alerts"]["on_success"] == true
    });
    world.kill_daemon();
    world.ok(&["alerts", &unit, "--alert-on-kill"]);
    let expected = json!({ "on_failure": false, "on_success": true, "on_kill": true });
    assert_eq!(alerts_of(&world, "job"), expected);
    world.ok(&["daemon", "start"]);
    let known = Raw::greeted(&world).ok("unit.get", &json!({ "id": unit }));
    assert_eq!(known["terms"]["alerts"], expected);
    std::fs::write(gate, "").unwrap();
    wait_for_ends(&world);
    assert_eq!(ends(&drain(&world, "s")), [pair("job", "completed")]);
    assert_eq!(alerts_of(&world, "job"), expected, "it can be looked at afterwards");
    let file = world.project().join(".idlergear/runs").join(&unit).join("alerts");
    let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata().unwrap());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_verb_tells_unknown_and_ended_units_apart() {
    let world = Sandbox::with_project();
    let refused = |args: &[&str], code: i32, words: &str| {
        let output = world.ig(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let told = crate::support::stderr(&output);
        assert!(told.contains(words), "{args:?}: {told}");
    };
    refused(&["alerts", "nobody"], 1, "nothing here is called `nobody`");
    refused(&["alerts", "nobody", "--alert-on-kill"], 1, "nothing here is called `nobody`");
    refused(&["alerts"], 2, "<ID>");
    world.command("ig-agent").args(["run", "--name", "job", "true"]).output().unwrap();
    refused(&["alerts", "job", "--alert-on-kill"], 1, "has ended already: completed");
    assert!(world.ok(&["alerts", "job"]).contains("kill     not told"));
}

#[test]
fn the_choice_outlives_the_runner() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let script = "sleep 600";
    let lost = |name| Start { name, session: Some("s"), script, ..Start::default() }.run(&world);
    for (name, told) in [("quiet", 0), ("loud", 1)] {
        let unit = lost(name);
        if told == 0 {
            world.ok(&["alerts", name, "--no-alert-on-failure"]);
        }
        for who in ["runner", "process"] {
            let identity: idlergear::os::Identity =
                serde_json::from_value(unit[who].clone()).unwrap();
            idlergear::os::signal(&identity, rustix::process::Signal::KILL);
        }
        wait_for_ends(&world);
        assert_eq!(drain(&world, "s").len(), told, "{name}");
    }
}

#[test]
fn what_an_agent_on_the_wire_chose_outlives_the_daemon() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut child = world.command("sleep").arg("600").spawn().unwrap();
    let mut raw = Raw::greeted(&world);
    raw.ok(
        "agent.register",
        &json!({ "id": "a00000001", "name": "agent", "pid": child.id(), "session": "s" }),
    );
    raw.ok("unit.alerts", &json!({ "id": "a00000001", "on_kill": true }));
    world.kill_daemon();
    world.ok(&["daemon", "start"]);
    let known = Raw::greeted(&world).ok("unit.get", &json!({ "id": "a00000001" }));
    assert_eq!(known["terms"]["alerts"]["on_kill"], true);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("it is told", || pending(&world, "s") == 1);
}

#[test]
fn whoever_listens_hears_that_there_is_something() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut mine = Raw::greeted(&world);
    let scope = json!({ "session": "mine", "types": ["signal"], "project": "/elsewhere" });
    mine.ok("event.subscribe", &scope);
    let unit = start(&world, "other", "theirs", "exit 1");
    let mut all = Raw::greeted(&world);
    all.ok("event.subscribe", &json!({ "types": ["signal"], "all": true }));
    let job = start(&world, "mine", "job", "exit 1");
    let bell = mine.event("signal");
    assert_eq!((&bell["data"]["daemon_id"], &bell["data"]["name"]), (&json!(job), &json!("job")));
    assert_eq!(bell["data"]["sessions"], json!(["mine"]));
    assert_ne!(job, unit);
    let seq = bell["data"]["seq"].clone();
    assert_eq!(drain(&world, "mine")[0]["seq"], seq, "queued before it was told");
    while all.event("signal")["data"]["seq"] != seq {}
}

#[test]
fn what_ends_without_a_word_is_a_failure() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut command = world.command("ig-agent");
    command.args(["run", "--detach", "--name", "lost", "--", "sleep", "600"]);
    let unit = spawn(command.env("IDLERGEAR_SESSION", "s"));
    for who in ["runner", "process"] {
        let identity: idlergear::os::Identity = serde_json::from_value(unit[who].clone()).unwrap();
        idlergear::os::signal(&identity, rustix::process::Signal::KILL);
    }
    wait_until("it is told", || pending(&world, "s") == 1);
    let signal = &drain(&world, "s")[0];
    assert_eq!(signal["lifecycle"]["status"], "killed");
    assert!(signal["snapshot"]["exit_code"].is_null());
}
