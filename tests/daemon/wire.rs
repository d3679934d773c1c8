//! The protocol: every error has its code, and nobody's fault is another's.

use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::{Sandbox, wait_until};

fn daemon() -> Sandbox {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    world
}

fn name(answer: &Value) -> &str {
    answer["error"]["data"]["name"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn every_mistake_has_its_code() {
    let world = daemon();
    let mut raw = Raw::connect(&world);
    let early = raw.call("daemon.status", &json!({}));
    assert_eq!((name(&early), &early["error"]["code"]), ("not_permitted", &json!(-32006)));
    assert_eq!(raw.refused("hello", &json!({ "protocol": 99 })), "version_mismatch");
    raw.ok("hello", &json!({ "protocol": 1 }));

    let cases = [
        ("{nonsense", "parse_error"),
        ("\u{1}\u{2}", "parse_error"),
        ("[]", "invalid_request"),
        ("42", "invalid_request"),
        (r#"{"jsonrpc":"2.0","id":1}"#, "invalid_request"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"agent.dance"}"#, "method_not_found"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"unit.get","params":{"id":7}}"#, "invalid_params"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"unit.get"}"#, "invalid_params"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"unit.get","params":{"id":"nobody"}}"#, "not_found"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"agent.register","params":{}}"#, "invalid_params"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"agent.register","params":{"name":"x","id":"../../x"}}"#,
            "invalid_params",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"agent.register","params":{"name":"x","pid":4194305}}"#,
            "invalid_params",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(name(&raw.ask(line)), expected, "{line}");
    }
    raw.send(b"\n  \n");
    assert!(raw.ok("daemon.status", &json!({}))["pid"].is_u64());
}

#[test]
fn bytes_that_are_no_text_are_a_parse_error() {
    let world = daemon();
    let mut raw = Raw::greeted(&world);
    raw.send(b"\xff\xfe\x00\n");
    assert_eq!(name(&raw.read()), "parse_error");
}

#[test]
fn an_oversize_line_is_skipped_and_told() {
    let world = daemon();
    let mut raw = Raw::greeted(&world);
    let before = resident(&world);
    for _ in 0..40 {
        raw.send(&vec![b'x'; 1 << 20]);
    }
    raw.send(b"\n");
    assert_eq!(name(&raw.read()), "frame_too_large");
    assert!(raw.ok("daemon.status", &json!({}))["pid"].is_u64(), "the next line counts again");
    let grown = resident(&world).saturating_sub(before);
    assert!(grown < 32 << 10, "grew by {grown} KiB");
}

#[cfg(target_os = "linux")]
pub(crate) fn resident(world: &Sandbox) -> u64 {
    let status = format!("/proc/{}/status", world.daemon_pid().unwrap());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn resident(_world: &Sandbox) -> u64 {
    0
}

#[test]
fn the_silent_and_the_torn_bother_nobody() {
    let world = daemon();
    let _silent: Vec<Raw> = (0..50).map(|_| Raw::connect(&world)).collect();
    let mut torn = Raw::connect(&world);
    torn.send(br#"{"jsonrpc":"2.0","id":1,"meth"#);
    drop(torn);
    assert!(Raw::greeted(&world).ok("daemon.status", &json!({}))["pid"].is_u64());
}

#[test]
fn a_notification_gets_no_answer() {
    let world = daemon();
    let mut raw = Raw::greeted(&world);
    raw.send(b"{\"jsonrpc\":\"2.0\",\"method\":\"daemon.status\"}\n");
    assert!(raw.ok("daemon.status", &json!({}))["pid"].is_u64());
}

#[test]
fn an_agent_on_the_wire_lives_as_long_as_its_process() {
    let world = daemon();
    let mut child = world.command("sleep").arg("600").spawn().unwrap();
    let mut raw = Raw::greeted(&world);
    let project = world.project();
    let agent = raw.ok(
        "agent.register",
        &json!({ "name": "claude", "type": "ai", "pid": child.id(), "project": project,
            "metadata": { "model": "x" } }),
    );
    let id = agent["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with('a'));
    raw.ok("agent.update_status", &json!({ "id": id, "status": "busy", "detail": "thinking" }));
    raw.ok("agent.log", &json!({ "id": "claude", "project": project, "message": "hello" }));
    let said = raw.ok("unit.output", &json!({ "id": id }));
    assert_eq!(said["lines"][0]["text"], "hello");

    world.kill_daemon();
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    let agents = raw.ok("agent.list", &json!({ "all": true }));
    assert_eq!(agents["agents"][0]["name"], "claude");
    assert_eq!(agents["agents"][0]["presence"], "busy");
    assert_eq!(agents["agents"][0]["metadata"]["model"], "x");
    assert_eq!(raw.ok("unit.output", &json!({ "id": id }))["lines"][0]["text"], "hello");

    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("it is gone", || {
        raw.ok("agent.list", &json!({ "all": true }))["agents"] == json!([])
    });
    let ended = raw.ok("unit.list", &json!({ "all": true, "ended": true }));
    assert_eq!(ended["units"][0]["status"], "killed");
    assert_eq!(raw.refused("agent.log", &json!({ "id": id, "message": "x" })), "already_terminal");
}

#[test]
fn registering_an_id_again_overwrites_and_an_empty_id_is_ignored() {
    let world = daemon();
    let mut raw = Raw::greeted(&world);
    let pid = std::process::id();
    let id = "azzzz0001";
    for name in ["one", "two"] {
        raw.ok("agent.register", &json!({ "id": id, "name": name, "pid": pid }));
    }
    let other = raw.ok("agent.register", &json!({ "id": "", "name": "three" }));
    assert_eq!(other["pid"], pid, "the caller's own process");
    let agents = raw.ok("agent.list", &json!({ "all": true }));
    let mut names: Vec<&str> =
        agents["agents"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["three", "two"]);
    assert_eq!(raw.ok("agent.unregister", &json!({ "id": id }))["status"], "completed");
    assert_eq!(raw.refused("agent.unregister", &json!({ "id": id })), "already_terminal");
}

/// Lines that version 1 spoke: whoever still speaks them must be understood for ever.
#[test]
fn old_lines_are_still_understood() {
    let world = daemon();
    let mut raw = Raw::connect(&world);
    let lines = include_str!("../fixtures/wire-v1.jsonl");
    let pid = std::process::id().to_string();
    for line in lines.lines().filter(|line| !line.starts_with('#')) {
        let answer = raw.ask(&line.replace("\"PID\"", &pid));
        assert!(answer["error"].is_null(), "{line}\n{answer}");
    }
}

#[test]
fn listings_of_any_size_are_complete() {
    let world = daemon();
    let mut raw = Raw::greeted(&world);
    let metadata = json!({ "notes": "x".repeat(20_000) });
    for n in 0..120 {
        let name = format!("agent-{n}");
        raw.ok(
            "agent.register",
            &json!({ "name": name, "metadata": metadata,
            "project": world.project() }),
        );
    }
    assert_eq!(crate::names(&world).len(), 120);
}
