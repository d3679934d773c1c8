//! Monitors: every line is told once, in order, also over the death of the daemon.

use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::{Sandbox, wait_until};
use crate::{Start, drain, id, pending, wait_for_ends};

fn monitor(world: &Sandbox, script: &str) -> String {
    let kind = Some("monitor");
    let start = Start { name: "watch", session: Some("s"), kind, script, ..Start::default() };
    id(&start.run(world))
}

/// Lines of all events but the closing one, and how many were suppressed.
fn heard(signals: &[Value]) -> (Vec<String>, u64) {
    let events = signals.iter().filter(|s| s["event"]["closing"] == false).map(|s| &s["event"]);
    let (mut lines, mut suppressed) = (Vec::new(), 0);
    for event in events {
        lines.extend(event["line"].as_str().unwrap().lines().map(str::to_owned));
        suppressed += event["suppressed"].as_u64().unwrap_or(0);
    }
    (lines, suppressed)
}

#[test]
fn lines_become_events_then_the_closing_one_then_the_end() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut news = Raw::greeted(&world);
    news.ok("event.subscribe", &json!({ "all": true, "types": ["event"] }));
    let script = "echo one; echo two; echo oops >&2; printf 'last \\033[31mwords'; exit 3";
    let unit = monitor(&world, script);
    assert_eq!(news.event("event")["data"]["unit"]["id"], unit.as_str());
    wait_for_ends(&world);
    let signals = drain(&world, "s");
    let (mut lines, suppressed) = heard(&signals);
    lines.sort();
    assert_eq!(lines, ["last words", "one", "stderr: oops", "two"]);
    assert_eq!(suppressed, 0);
    let [.., closing, end] = &signals[..] else { panic!("{signals:?}") };
    assert_eq!(closing["event"]["closing"], true);
    assert_eq!(closing["event"]["line"], "failed: exit code 3, after 3 lines");
    assert_eq!(end["lifecycle"]["status"], "failed");
    assert!(signals.iter().all(|s| s["kind"] == "monitor" && s["attention"] == "now"));
    let metadata = &end["snapshot"]["metadata"];
    assert_eq!((&metadata["event_count"], &metadata["persistent"]), (&json!(3), &json!(false)));
    let mut raw = Raw::greeted(&world);
    let seen = raw.ok("unit.get", &json!({ "id": unit }));
    assert_eq!(seen["metadata"]["event_count"], 3);
    assert_eq!(seen["metadata"]["recent_lines"].as_array().unwrap().len(), 3);
    let output = raw.ok("unit.output", &json!({ "id": unit }));
    assert!(output["text"].as_str().unwrap().starts_with("3 events; the last of them:\n"));
}

#[test]
fn a_live_monitor_is_heard_while_it_runs() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let unit = monitor(&world, "echo ready; sleep 600");
    wait_until("it is heard", || pending(&world, "s") == 1);
    let signals = drain(&world, "s");
    assert_eq!(heard(&signals).0, ["ready"]);
    assert_eq!(signals[0]["snapshot"]["status"], "running");
    assert_eq!(signals[0]["snapshot"]["metadata"]["event_count"], 1);
    let mut raw = Raw::greeted(&world);
    raw.ok("unit.stop", &json!({ "id": unit, "session": "s", "grace_ms": 1000 }));
    wait_for_ends(&world);
    assert!(drain(&world, "s").is_empty(), "it was the session's own wish");
}

#[test]
fn a_quiet_monitor_wakes_nobody() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    monitor(&world, "echo ready; sleep 600");
    wait_until("it is heard", || pending(&world, "s") == 1);
    drain(&world, "s");
    let status = format!("/proc/{}/status", world.daemon_pid().unwrap());
    let wakes = || {
        let text = std::fs::read_to_string(&status).unwrap();
        text.lines().find(|line| line.starts_with("voluntary_ctxt")).unwrap().to_owned()
    };
    let mut before = wakes();
    wait_until("a second passes without a wake-up", || {
        std::thread::sleep(std::time::Duration::from_secs(1));
        std::mem::replace(&mut before, wakes()) == before
    });
    let asked = json!({ "id": "watch", "project": world.project(), "grace_ms": 100 });
    Raw::greeted(&world).ok("unit.stop", &asked);
}

#[test]
fn a_flood_is_capped_and_what_was_left_out_is_counted() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    monitor(&world, "seq 1 50000");
    wait_for_ends(&world);
    let signals = drain(&world, "s");
    let (lines, suppressed) = heard(&signals);
    assert!(signals.len() < 40, "{}", signals.len());
    assert_eq!(u64::try_from(lines.len()).unwrap() + suppressed, 50_000);
    assert_eq!(lines.last().map(String::as_str), Some("50000"), "the last line is there");
    let numbers: Vec<u32> = lines.iter().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.is_sorted());
}

#[test]
fn a_daemon_that_dies_loses_and_doubles_no_line() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let gate = world.home().join("gate");
    let script = format!(
        "n=0; until [ -e {} ]; do n=$((n+1)); echo $n; sleep 0.05; done; echo $n > {}",
        gate.display(),
        world.home().join("count").display()
    );
    let unit = monitor(&world, &script);
    let mut lines = Vec::new();
    let mut take = |signals: &[Value]| {
        let (more, suppressed) = heard(signals);
        assert_eq!(suppressed, 0);
        lines.extend(more);
    };
    for _ in 0..6 {
        wait_until("some lines came", || pending(&world, "s") > 0);
        world.kill_daemon();
        world.ok(&["daemon", "start"]);
        take(&drain(&world, "s"));
        // In the middle of a moment, too.
        world.kill_daemon();
        world.ok(&["daemon", "start"]);
    }
    world.kill_daemon();
    std::fs::write(&gate, "").unwrap();
    let count = world.home().join("count");
    wait_until("it is through", || {
        std::fs::read_to_string(&count).is_ok_and(|t| t.ends_with('\n'))
    });
    world.ok(&["daemon", "start"]);
    wait_for_ends(&world);
    let signals = drain(&world, "s");
    take(&signals);
    let count: u32 = std::fs::read_to_string(count).unwrap().trim().parse().unwrap();
    let expected: Vec<String> = (1..=count).map(|n| n.to_string()).collect();
    assert_eq!(lines, expected);
    let end = signals.last().unwrap();
    assert_eq!(end["snapshot"]["metadata"]["event_count"], count);
    assert_eq!(end["daemon_id"], unit.as_str());
}

#[test]
fn one_that_dies_early_says_so() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    monitor(&world, "echo 'no such thing' >&2; exit 127");
    wait_for_ends(&world);
    let signals = drain(&world, "s");
    assert_eq!(heard(&signals).0, ["stderr: no such thing"]);
    let closing = signals.iter().find(|s| s["event"]["closing"] == true).unwrap();
    assert_eq!(closing["event"]["line"], "failed: exit code 127, after 0 lines");
}
