//! What the daemon and its commands say, where it is easily said wrong.

use std::fs;
use std::process::Stdio;

use serde_json::json;

use crate::raw::Raw;
use crate::support::{Sandbox, stderr, stdout, succeed, tool, wait_until};
use crate::{kernel_tells, units, wait_for_unit};

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/shell-lib/idlergear.sh");

/// A project that is moved while something runs in it: how that ended is told as it was.
#[test]
fn a_unit_whose_project_is_moved_ends_as_it_does() {
    let script = format!(". {LIBRARY}; idlergear_register job; read -r x; exit 3");
    for words in [
        &["ig", "run", "-q", "--name", "job", "--", "bash", "-c", "read -r x; exit 3"][..],
        &["bash", "-c", &script],
    ] {
        if words[0] == "bash" && !kernel_tells() {
            continue;
        }
        let world = Sandbox::with_project();
        world.ok(&["daemon", "start"]);
        let mut listener = Raw::greeted(&world);
        listener.ok("event.subscribe", &json!({ "types": ["agent_unregistered"], "all": true }));
        let mut command = world.command(words[0]);
        let mut child = command.args(&words[1..]).stdin(Stdio::piped()).spawn().unwrap();
        wait_for_unit(&world);
        let moved = world.home().join("moved");
        fs::rename(world.project(), &moved).unwrap();
        fs::create_dir(world.project()).unwrap();
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(3));
        let told = listener.event("agent_unregistered")["data"].clone();
        assert_eq!((&told["status"], &told["exit_code"]), (&json!("failed"), &json!(3)), "{told}");
        wait_until("its link has done its work", || {
            fs::read_dir(world.state().join("live")).unwrap().next().is_none()
        });
        let mut list = world.command("ig");
        list.args(["run", "list", "--json"]).current_dir(&moved);
        let listed: serde_json::Value =
            serde_json::from_str(&stdout(&list.output().unwrap())).unwrap();
        assert_eq!(listed["units"][0]["exit_code"], 3, "{listed}");
        world.ok(&["daemon", "restart"]);
        assert_eq!(units(&world)[0]["exit_code"], 3);
    }
}

#[test]
fn the_output_of_a_run_by_hand_can_be_kept_by_the_small_program_too() {
    let world = Sandbox::with_project();
    let script = r#"id=$(bash -c 'ig run register ./x; true')
        echo from-x | ig-agent stream "$id" && ig run complete "$id" --exit-code 3; ig logs "$id"
        echo more | ig-agent stream "$id""#;
    let output = world.bash(script);
    assert!(
        stdout(&output).starts_with("from-x\nfrom-x\n"),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    assert!(stderr(&output).contains("has ended already: failed"), "{}", stderr(&output));
    let unit = world.json(&["run", "list", "--json"])["units"][0].clone();
    assert_eq!((&unit["status"], &unit["exit_code"]), (&json!("failed"), &json!(3)));
}

#[test]
fn logs_of_what_has_ended_are_shown_where_nothing_runs() {
    let world = Sandbox::with_project();
    world.ok(&["run", "-q", "--name", "one", "--", "echo", "from one"]);
    world.ok(&["run", "-q", "--name", "two", "--", "echo", "from two"]);
    wait_until("both are known", || {
        world.ok(&["daemon", "start"]);
        units(&world).iter().filter(|unit| unit["status"] == "completed").count() == 2
    });
    let output = world.ig(&["daemon", "logs"]);
    let mut lines: Vec<String> =
        succeed(&output, &["daemon", "logs"]).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["one | from one", "two | from two"]);
    assert!(stderr(&output).contains("these have ended"), "{}", stderr(&output));
    let none = Sandbox::with_project().ig(&["daemon", "logs"]);
    assert!(stderr(&none).starts_with("no logs yet"), "{}", stderr(&none));
}

/// The daemon that a run starts beside itself may be on its way still.
#[test]
fn a_daemon_that_comes_up_right_now_is_stopped() {
    for _ in 0..5 {
        let world = Sandbox::with_project();
        world.ok(&["run", "-q", "--", "true"]);
        let said = world.ok(&["daemon", "stop"]);
        assert!(said.starts_with("the daemon has stopped"), "{said}");
        assert_eq!(world.daemon_pid(), None);
    }
    let world = Sandbox::with_project();
    assert_eq!(world.ok(&["daemon", "stop"]), "the daemon is not running\n");
}

/// A file system without locks, or none left: nobody else is to blame.
#[test]
fn a_lock_that_cannot_be_had_is_not_told_as_another_daemon() {
    let Some(strace) = tool("strace") else { return };
    let world = Sandbox::with_project();
    let mut command = world.command(strace.to_str().unwrap());
    command.args(["-f", "-o", "/dev/null", "-e", "inject=flock:error=ENOLCK"]);
    command.arg(Sandbox::bin_dir().join("ig")).args(["daemon", "start"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let said = stderr(&output);
    assert!(said.contains("cannot lock") && said.contains("no locks available"), "{said}");
    assert!(!said.contains("another daemon"), "{said}");
}

/// Whoever sends has a name, also where no variable tells it.
#[test]
fn a_person_has_a_name() {
    let world = Sandbox::with_project();
    for program in ["ig", "ig-agent"] {
        let mut command = world.command(program);
        let verb: &[&str] = if program == "ig" { &["daemon", "send"] } else { &["send"] };
        let sent = command.args(verb).arg("hello").env_remove("USER").output().unwrap();
        succeed(&sent, &[program]);
    }
    let listing = world.json(&["daemon", "messages", "--json"]);
    let messages = listing["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|message| message["from"] != ""), "{listing}");
}
