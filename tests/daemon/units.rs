//! Units: found by their files, watched by their processes, known by what they say.

use std::process::Command;
use std::time::Instant;

use serde_json::json;

use crate::raw::Raw;
use crate::support::{Sandbox, stderr, stdout, wait_until};
use crate::{Script, names};

#[test]
fn a_killed_script_is_shown_killed_before_it_is_reaped() {
    let world = Sandbox::with_project();
    let mut script = Script::start(&world, "web");
    wait_until("it is listed", || names(&world) == ["web"]);
    let mut raw = Raw::greeted(&world);
    raw.ok("event.subscribe", &json!({ "project": world.project() }));
    let killed = Instant::now();
    script.child.kill().unwrap();
    let event = raw.event("killed");
    let took = killed.elapsed();
    eprintln!("killed was known after {took:?}");
    assert_eq!(event["data"]["domain"], "daemons");
    assert_eq!(event["data"]["unit"]["status"], "killed");
    let gone = raw.event("agent_unregistered");
    assert_eq!(gone["data"]["name"], "web");
    assert!(gone["seq"].as_u64() > event["seq"].as_u64());
    // A zombie has ended too: nobody has reaped it yet.
    assert!(names(&world).is_empty());
    script.kill();
    let all = Raw::greeted(&world).ok("unit.list", &json!({ "all": true, "ended": true }));
    assert_eq!(all["units"][0]["status"], "killed");
    assert!(!world.state().join("live").join(&script.id).exists());
}

#[test]
fn a_script_says_what_it_does() {
    let world = Sandbox::with_project();
    let script = Script::start(&world, "web");
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    raw.ok("event.subscribe", &json!({ "project": world.project() }));
    world.ok(&["daemon", "agent-status", "web", "busy", "migrating"]);
    let changed = raw.event("status_changed");
    assert_eq!(changed["data"]["presence"], "busy");
    assert_eq!(changed["data"]["description"], "migrating");
    world.ok(&["daemon", "log", &script.id, "batch 5/10", "--level", "warn"]);
    let line = raw.event("log_event");
    assert_eq!(line["data"]["text"], "batch 5/10");
    assert_eq!(line["data"]["level"], "warn");
    assert_eq!(world.ok(&["daemon", "logs", "web"]), "warn: batch 5/10\n");
    let table = world.ok(&["daemon", "agents"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("NAME  ID         TYPE        STATUS          PID"), "{table}");
    assert!(lines[1].contains("dev-script  busy migrating"), "{table}");
    world.ok(&["daemon", "unregister", "web"]);
    let ended = raw.event("completed");
    assert_eq!(ended["data"]["unit"]["exit_code"], 0);
    assert!(names(&world).is_empty());
}

#[test]
fn a_record_that_is_linked_is_news() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    raw.ok("event.subscribe", &json!({ "all": true }));
    let _script = Script::start(&world, "web");
    assert_eq!(raw.event("added")["data"]["unit"]["name"], "web");
    assert_eq!(raw.event("agent_registered")["data"]["name"], "web");
}

#[test]
fn a_runners_unit_ends_as_its_record_says() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    raw.ok("event.subscribe", &json!({ "all": true, "output": true }));
    let output = world
        .command("ig-agent")
        .args(["run", "--name", "job", "--no-pty", "--"])
        .args(["bash", "-c", "echo out; echo err >&2; exit 3"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let mut texts: Vec<String> = (0..2)
        .map(|_| raw.event("log_event")["data"]["text"].as_str().unwrap().to_owned())
        .collect();
    texts.sort();
    assert_eq!(texts, ["err", "out"]);
    let failed = raw.event("failed");
    assert_eq!(failed["data"]["unit"]["exit_code"], 3);
}

#[test]
fn a_runner_that_is_killed_leaves_its_command_listed() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut runner = world
        .command("ig-agent")
        .args(["run", "--name", "job", "--no-pty", "--", "sleep", "600"])
        .spawn()
        .unwrap();
    wait_until("its process is known", || {
        world.json(&["daemon", "agents", "--json"])["agents"][0]["process"].is_object()
    });
    let agent = world.json(&["daemon", "agents", "--json"])["agents"][0].clone();
    let process = serde_json::from_value(agent["process"].clone()).unwrap();
    let process: idlergear::os::Identity = process;
    runner.kill().unwrap();
    runner.wait().unwrap();
    assert_eq!(names(&world), ["job"]);
    assert!(process.is_alive());
    idlergear::os::signal(&process, rustix::process::Signal::KILL);
    wait_until("it is gone", || names(&world).is_empty());
    let all = Raw::greeted(&world).ok("unit.list", &json!({ "all": true, "ended": true }));
    assert_eq!(all["units"][0]["status"], "killed");
}

#[test]
fn ports_are_what_its_processes_listen_on() {
    let Some(python) = crate::support::tool("python3") else { return };
    let world = Sandbox::with_project();
    let serve = r#"
import socket, subprocess, sys, os
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1], flush=True)
subprocess.run(["ig", "daemon", "register", "server"], stdout=subprocess.DEVNULL)
print("ready", flush=True)
sys.stdin.read()
"#;
    let mut command = world.command(python.to_str().unwrap());
    command.args(["-c", serve]).stdin(std::process::Stdio::piped());
    let mut server = crate::Killed::spawn(command.stdout(std::process::Stdio::piped()));
    let mut said = std::io::BufReader::new(server.0.stdout.take().unwrap());
    let mut port = String::new();
    std::io::BufRead::read_line(&mut said, &mut port).unwrap();
    std::io::BufRead::read_line(&mut said, &mut String::new()).unwrap();
    let agents = world.json(&["daemon", "agents", "--json"]);
    assert_eq!(agents["agents"][0]["ports"], json!([port.trim().parse::<u16>().unwrap()]));
    assert_eq!(agents["agents"][0]["pid"], server.0.id(), "its parent owns it");
}

#[test]
fn links_that_lead_nowhere_go() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let live = world.state().join("live");
    std::os::unix::fs::symlink("/nonexistent/runs/bzzzz0001", live.join("bzzzz0001")).unwrap();
    std::fs::write(live.join("notes"), "not ours").unwrap();
    wait_until("it is gone", || std::fs::symlink_metadata(live.join("bzzzz0001")).is_err());
    assert!(names(&world).is_empty());
    assert!(live.join("notes").exists());
}

#[test]
fn projects_are_apart_and_all_shows_all() {
    let world = Sandbox::with_project();
    let _script = Script::start(&world, "web");
    wait_until("it is listed", || names(&world) == ["web"]);
    let there = |args: &[&str]| world.command("ig").args(args).current_dir("/").output().unwrap();
    let none = there(&["daemon", "agents"]);
    assert_eq!(stdout(&none), "");
    assert!(stderr(&none).contains("1 elsewhere\n  try: ig daemon agents --all"));
    let all = stdout(&there(&["daemon", "agents", "--all"]));
    assert!(all.contains("PROJECT") && all.contains("web"), "{all}");
    // A name is good in its project only, an id anywhere.
    let far = there(&["daemon", "log", "web", "from afar"]);
    assert_eq!(far.status.code(), Some(1));
    let id = world.json(&["daemon", "agents", "--json"])["agents"][0]["id"].clone();
    let id = id.as_str().unwrap();
    assert!(stderr(&far).contains(&format!("as {id} (running)")), "{}", stderr(&far));
    assert!(there(&["daemon", "log", id, "from afar"]).status.success());
    assert_eq!(world.ok(&["daemon", "logs"]), "web | from afar\n");
}

#[test]
fn bad_registrations_are_refused() {
    let world = Sandbox::with_project();
    for (args, said) in [
        (&["x", "--metadata", "[1]"][..], "no JSON object"),
        (&["x", "--metadata", r#"{"pid": 4194305}"#], "no running process"),
        (&["x", "--metadata", r#"{"pid": "seven"}"#], "no running process"),
        (&[" "], "needs a name"),
    ] {
        let output = world.ig(&[&["daemon", "register"], args].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    assert_eq!(world.daemon_pid(), None);
}

#[test]
fn the_seeds_own_lines_work() {
    let world = Sandbox::with_project();
    let output = world.bash(
        r#"set -euo pipefail
        AGENT_NAME=pytest AGENT_TYPE=dev-script SCRIPT_NAME=pytest.sh
        idlergear daemon start
        AGENT_ID=$(idlergear daemon register "$AGENT_NAME" \
            --type "$AGENT_TYPE" \
            --metadata "{\"script\": \"$SCRIPT_NAME\", \"pid\": $$}")
        cleanup() {
            idlergear daemon unregister "$AGENT_ID"
        }
        trap cleanup EXIT INT TERM
        idlergear daemon status
        idlergear daemon agents
        idlergear daemon send "API schema changed, restart if needed"
        idlergear daemon queue-list"#,
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(said.contains("dev-script") && said.contains("sent to pytest"), "{said}");
    assert!(said.contains("API schema changed, restart if needed\n"), "{said}");
    assert!(names(&world).is_empty());
}

#[test]
fn agents_without_a_record_are_found_by_stop_and_alerts() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    for session in ["asks", "listens"] {
        let drainer = json!({ "session": session, "project": world.project() });
        assert_eq!(raw.ok("signal.drain", &drainer)["signals"], json!([]));
    }
    let mut agent = Command::new("sleep").arg("60").spawn().unwrap();
    let about = json!({
        "name": "wired", "pid": agent.id(), "project": world.project(), "offer": true,
    });
    raw.ok("agent.register", &about);
    let told = world.ok(&["alerts", "wired", "--alert-on-kill"]);
    assert!(told.ends_with("kill     told\n"), "{told}");
    assert_eq!(world.ok(&["alerts", "wired"]), told);
    let stop =
        world.command("ig").args(["stop", "wired"]).env("IDLERGEAR_SESSION", "asks").output();
    assert!(stderr(&stop.unwrap()).starts_with("stopped wired ("));
    agent.wait().unwrap();
    wait_until("its end is known", || names(&world).is_empty());
    let count = |session: &str| {
        let waits = raw.ok("signal.pending", &json!({ "session": session }))["count"].clone();
        waits.as_u64().unwrap()
    };
    assert_eq!(["asks", "listens"].map(count), [0, 1], "who asked for it is not told");
    let again = world.ig(&["stop", "wired"]);
    assert!(stderr(&again).contains("has ended already"), "{}", stderr(&again));
}
