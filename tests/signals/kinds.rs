//! What each kind tells beyond what every unit tells.

use serde_json::json;

use crate::raw::Raw;
use crate::support::{Sandbox, wait_until};
use crate::{Start, drainer, id, start, wait_for_ends};

#[test]
fn a_run_tells_command_code_and_the_end_of_its_output() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let unit = start(&world, "s", "job", "seq 1 100000; exit 2");
    wait_for_ends(&world);
    let mut raw = Raw::greeted(&world);
    let metadata = raw.ok("unit.get", &json!({ "id": unit }))["metadata"].clone();
    assert_eq!(metadata["exit_code"], 2);
    assert!(metadata["command"].as_str().unwrap().starts_with("bash -c 'seq 1 100000; exit 2'"));
    let output = metadata["output"].as_str().unwrap();
    assert!(output.len() <= 64 << 10 && output.len() > 60 << 10, "{}", output.len());
    assert!(output.ends_with("99999\n100000\n"));
    let answer = raw.ok("unit.output", &json!({ "id": unit, "tail": 2 }));
    assert_eq!(answer["lines"].as_array().unwrap().len(), 2);
    assert!(answer["text"].as_str().unwrap().ends_with("100000\n"));
}

#[test]
fn an_agent_tells_what_it_was_asked_and_how_far_it_is() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    let metadata = json!({ "prompt": "look around", "async": false, "summary": "all is well" });
    let agent = raw.ok(
        "agent.register",
        &json!({ "name": "scout", "type": "explore", "metadata": metadata, "pid": std::process::id() }),
    );
    let seen = raw.ok("unit.get", &json!({ "id": agent["id"] }))["metadata"].clone();
    assert_eq!(
        seen,
        json!({ "agent_type": "explore", "prompt": "look around", "async": false,
            "phase": "active", "summary": "all is well", "err": null })
    );
    raw.ok(
        "agent.update_status",
        &json!({ "id": "scout", "status": "busy", "detail": "thinking" }),
    );
    let output = raw.ok("unit.output", &json!({ "id": "scout" }));
    assert_eq!(output["text"], "phase: thinking\nsummary: all is well\n");
}

#[test]
fn a_language_server_tells_its_state_and_restarts() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let terms = Some(json!({ "restart": "on-failure:3" }));
    let start =
        Start { name: "pyls", kind: Some("lsp"), terms, script: "sleep 60", ..Start::default() };
    let unit = id(&start.run(&world));
    let mut raw = Raw::greeted(&world);
    let get = |raw: &mut Raw| raw.ok("unit.get", &json!({ "id": unit }))["metadata"].clone();
    let seen = get(&mut raw);
    assert_eq!((&seen["server_name"], &seen["state"]), (&json!("pyls"), &json!("running")));
    assert_eq!((&seen["restart_count"], &seen["max_restarts"]), (&json!(0), &json!(3)));
    raw.ok("unit.stop", &json!({ "id": unit, "grace_ms": 1000 }));
    wait_until("it stopped", || get(&mut raw)["state"] == "stopped");
    let listed = raw.ok("unit.list", &json!({ "kind": "lsp", "ended": true, "all": true }));
    assert_eq!(listed["units"].as_array().unwrap().len(), 1);
    assert_eq!(raw.ok("signal.drain", &drainer(&world, "s"))["signals"], json!([]));
}
