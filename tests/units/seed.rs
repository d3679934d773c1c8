//! The background manager's own examples: start, list, output, logs, kill, clear, and its four test
//! scripts: continuous output, success, failure, crash.

use serde_json::json;

use crate::support::{stderr, wait_until};
use crate::{World, pid};

const OUTPUT: &str = "#!/bin/bash\nwhile :; do printf '%080d\\n' 7; sleep 0.05; done\n";
const SUCCESS: &str = "#!/bin/bash\necho working; sleep \"$1\"; echo done\n";
const FAILURE: &str = "#!/bin/bash\necho working; sleep \"$1\"; echo oh no >&2; exit 1\n";
const CRASH: &str = "#!/bin/bash\necho working; sleep \"$1\"; exit 137\n";

fn world() -> World {
    let world = World::new();
    for (name, text) in
        [("output", OUTPUT), ("success", SUCCESS), ("failure", FAILURE), ("crash", CRASH)]
    {
        world.0.program(&format!("test-{name}.sh"), text);
    }
    world
}

#[test]
fn the_four_scripts_end_as_they_say() {
    let world = world();
    for (name, code, status, stdout) in [
        ("success", 0, "completed", "working\ndone\n"),
        ("failure", 1, "failed", "working\n"),
        ("crash", 137, "failed", "working\n"),
    ] {
        let id = world.start(&[name, "--", &format!("./test-{name}.sh 0.1")]);
        assert_eq!(world.end_of(&id), code);
        let unit = world.unit(name);
        assert_eq!(
            (unit["status"].as_str(), unit["exit_code"].as_i64()),
            (Some(status), Some(code.into()))
        );
        let log =
            |stream: &str| std::fs::read_to_string(unit["logs"][stream].as_str().unwrap()).unwrap();
        assert_eq!(log("stdout"), stdout);
        assert_eq!(log("stderr"), if name == "failure" { "oh no\n" } else { "" });
    }
}

#[test]
fn start_list_output_logs_kill_clear() {
    let world = world();
    let id = world.start(&["backend", "--", "./test-output.sh"]);
    wait_until("it writes", || world.ok(&["output", "backend"]).lines().count() > 3);

    let listed = world.json(&["ps", "--json"]);
    let unit = &listed["units"][0];
    assert_eq!(unit["id"], id);
    assert_eq!(
        (unit["name"].as_str(), unit["status"].as_str()),
        (Some("backend"), Some("running"))
    );
    assert_eq!(unit["command"], "./test-output.sh");
    assert!(pid(&unit["metadata"]["resources"]["processes"]) >= 1);
    let table = world.ok(&["ps"]);
    assert!(table.contains("backend") && table.contains("running"), "{table}");

    let output = world.json(&["output", &id, "--json"]);
    assert!(output["output"].as_str().unwrap().ends_with("7\n"));
    let text = world.ok(&["run", "status", "backend"]);
    assert!(text.contains(unit["logs"]["stdout"].as_str().unwrap()), "{text}");

    world.ok(&["kill", "backend"]);
    assert_eq!(world.unit(&id)["status"], "killed");
    assert!(stderr(&world.ig(&["kill", "backend"])).contains("has ended already: killed"));
    assert!(stderr(&world.ig(&["kill", "nobody"])).contains("nothing here is called `nobody`"));

    let other = world.start(&["other", "--", "sleep 60"]);
    assert_eq!(world.ok(&["clear", "--dry-run"]), "would forget 1 ended unit\n");
    assert_eq!(world.ok(&["clear", "-y"]), "forgot 1 ended unit\n");
    assert_eq!(world.names(&["run", "list", "--json"]), ["other"]);
    assert!(!world.0.project().join(".idlergear/runs").join(&id).exists());
    world.ok(&["kill", &other]);
    assert_eq!(world.ok(&["clear", "-y"]), "forgot 1 ended unit\n");
    assert_eq!(world.ok(&["clear", "-y"]), "forgot 0 ended units\n");
}

#[test]
fn what_was_asked_for_is_in_the_record() {
    let world = world();
    let options = [
        "all",
        "--alert-on-success",
        "--no-alert-on-failure",
        "--alert-on-kill",
        "--ready",
        "match:working",
        "--restart",
        "on-failure:2",
        "--group",
        "back",
        "--persistent",
        "--",
        "./test-success.sh",
        "60",
    ];
    let id = world.start(&options);
    let unit = world.unit(&id);
    let expected = serde_json::json!({
        "group": "back", "background": true, "ready_when": "match:working",
        "restart": "on-failure:2", "limit": null, "persistent": true, "ends_with_session": false,
        "alerts": {"on_failure": false, "on_success": true, "on_kill": true},
    });
    assert_eq!(unit["terms"], expected);
    world.ok(&["wait", &id]);
}

#[test]
fn the_callers_environment_and_folder_are_the_childs() {
    let world = world();
    world.0.write("below/x", "");
    let mut command = world.command(&["run", "start", "echo $COLOUR; pwd", "--name", "env"]);
    command.env("COLOUR", "blue").current_dir(world.0.project().join("below"));
    assert!(command.output().unwrap().status.success());
    world.end_of("env");
    let below = world.0.project().join("below").canonicalize().unwrap();
    assert_eq!(world.ok(&["output", "env"]), format!("blue\n{}\n", below.display()));
}

#[test]
fn a_terminal_is_one() {
    let world = world();
    let script = "test -t 0 && test -t 1 && test -t 2 && tty && stty size && printf 'plain \\033[31mred\\n'; exit 4";
    let id = world.start(&["term", "--pty", "--", script]);
    assert_eq!(world.end_of(&id), 4);
    let unit = world.unit(&id);
    let log = std::fs::read_to_string(unit["logs"]["output"].as_str().unwrap()).unwrap();
    let end = "\r\n24 80\r\nplain \u{1b}[31mred\r\n";
    assert!(log.starts_with("/dev/") && log.ends_with(end), "{log:?}");
}

#[test]
fn kinds_are_told_apart_and_reserved_ones_refused() {
    let world = world();
    let ids = ["local_bash", "monitor", "lsp"]
        .map(|kind| world.start(&[kind, "--kind", kind, "--", "sleep 60"]));
    assert_eq!(ids.each_ref().map(|id| id.chars().next().unwrap()), ['b', 'm', 'l']);
    assert_eq!(world.names(&["ps", "--kind", "monitor", "--json"]), ["monitor"]);
    for kind in ["remote_agent", "in_process_teammate", "local_workflow", "dream"] {
        let refused = world.ig(&["start", "--kind", kind, "--", "true"]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(stderr(&refused).contains("this kind is reserved"), "{}", stderr(&refused));
        assert_eq!(world.names(&["ps", "--kind", kind, "--json"]), [""; 0]);
    }
    for id in ids {
        world.ok(&["stop", &id]);
    }
}

#[test]
fn groups_are_listed_and_stopped_together() {
    let world = world();
    for (name, group) in [("web", "front"), ("api", "back"), ("worker", "back")] {
        world.start(&[name, "--group", group, "--", "sleep 60"]);
    }
    assert_eq!(world.names(&["ps", "--group", "back", "--json"]), ["api", "worker"]);
    world.ok(&["stop", "--group", "back"]);
    assert_eq!(world.names(&["ps", "--json"]), ["web"]);
    let again = world.ig(&["stop", "--group", "back"]);
    assert!(stderr(&again).contains("nothing runs here in the group `back`"));
    let nobody = stderr(&world.ig(&["ps", "--group", "back"]));
    assert!(nobody.contains("nothing of that sort runs here"), "{nobody}");
    world.ok(&["stop", "web"]);
}

#[test]
fn json_tells_what_the_kind_tells() {
    let world = World::new();
    let watch = world.start(&["watch", "--kind", "monitor", "--", "echo one; echo two; sleep 60"]);
    let pyls = world.start(&["ls", "--kind", "lsp", "--restart", "on-failure:2", "--", "sleep 60"]);
    let job = world.start(&["job", "--", "echo done; exit 3"]);
    world.end_of(&job);
    world.ok(&["wait", "watch", "--until", "match:two"]);
    let told = |id: &str| {
        let listed = world.json(&["run", "list", "--json"]);
        let listed = listed["units"].as_array().unwrap().iter().find(|unit| unit["id"] == id);
        let (one, listed) = (world.unit(id), listed.unwrap().clone());
        [one["metadata"].clone(), listed["metadata"].clone()]
    };
    for about in told(&watch) {
        assert_eq!(about["event_count"], 2, "{about}");
        assert_eq!(about["recent_lines"], json!(["one", "two"]));
        assert_eq!(about["persistent"], false);
    }
    for about in told(&pyls) {
        let named = ["server_name", "state", "restart_count", "max_restarts"].map(|n| &about[n]);
        assert_eq!(json!(named), json!(["ls", "running", 0, 2]), "{about}");
    }
    for about in told(&job) {
        assert_eq!(
            (&about["output"], &about["exit_code"]),
            (&json!("done\n"), &json!(3)),
            "{about}"
        );
    }
}
