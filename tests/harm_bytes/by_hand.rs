//! A run whose steps are done by hand is there until somebody completes it.

use std::process::Command;

use crate::support::{Sandbox, stderr, stdout, tool, wait_until};
use crate::{alone, last};

/// As an agent calls: each command in a shell of its own, and the answer taken by a subshell.
#[test]
fn the_shell_that_registered_it_says_nothing() {
    let world = Sandbox::with_project();
    let call = |script: &str| {
        let output = world.command("bash").args(["-c", script]).output().unwrap();
        (stdout(&output).trim().to_owned(), stderr(&output), output.status.code())
    };
    let (id, said, code) = call("id=$(bash -c 'ig run register ./x; true'); echo $id");
    assert_eq!(code, Some(0), "{said}");
    wait_until("the daemon knows it", || world.ok(&["daemon", "agents"]).contains(&id));
    let status = || world.json(&["run", "status", &id, "--json"])["status"].clone();
    assert_eq!(status(), "pending");
    let (kept, said, code) = call(&format!("echo hello | bash -c 'ig run stream {id}; true'"));
    assert_eq!((kept.as_str(), code), ("hello", Some(0)), "{said}");
    assert_eq!(status(), "running");
    assert_eq!(world.json(&["signals", "--peek", "--json"])["signals"], serde_json::json!([]));
    let (_, said, code) = call(&format!("ig run complete {id} --exit-code 3; true"));
    assert!(code == Some(0) && said.contains("Exit: 3"), "{said}");
    wait_until("its end is told", || world.ok(&["signals", "--peek", "--json"]).contains(&id));
    let signals = world.json(&["signals", "--peek", "--json"])["signals"].clone();
    assert_eq!(signals.as_array().unwrap().len(), 1, "{signals}");
    assert_eq!(signals[0]["lifecycle"]["status"], "failed");
    // The end that was told first stays.
    let (_, said, code) = call(&format!("ig run complete {id} --exit-code 0"));
    assert!(code == Some(1) && said.contains("is complete already"), "{said}");
    let (kept, said, code) = call(&format!("echo more | ig run stream {id}"));
    assert_eq!((kept.as_str(), code), ("more", Some(1)), "{said}");
    assert_eq!((status(), world.ok(&["logs", &id])), ("failed".into(), "hello\n".into()));
}

#[test]
fn the_helper_can_stream_into_it() {
    let world = Sandbox::with_project();
    let script = "export IDLERGEAR_NO_DAEMON=1
        printf 'a\\nb\\n' | ig-agent stream \"$(ig run register y)\"; echo $?";
    let output = world.bash(script);
    assert_eq!(stdout(&output), "a\nb\n0\n", "{}", stderr(&output));
    let unit = last(&world);
    let id = unit["id"].as_str().unwrap();
    assert_eq!(world.ok(&["logs", id]), "a\nb\n");
    assert!(["pending", "running"].contains(&unit["status"].as_str().unwrap()), "{unit}");
    let done = alone(&world, "ig").args(["run", "complete", id]).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert_eq!(last(&world)["status"], "completed");
}

/// In a container, the script is process 1 and everybody's parent.
#[test]
fn it_is_the_same_where_the_script_is_process_1() {
    let Some(unshare) = tool("unshare") else { return };
    let world = Sandbox::with_project();
    let inside = |script: &str| {
        let mut command: Command = alone(&world, unshare.to_str().unwrap());
        command.args(["--pid", "--fork", "--mount", "--mount-proc", "--kill-child"]);
        command.args(["bash", "-c", script]).output().unwrap()
    };
    let script = "id=$(bash -c 'ig run register ./x; true'); ig run status $id --json
        echo hello | ig run stream $id >/dev/null; ig run complete $id";
    let output = inside(script);
    if stderr(&output).contains("unshare") {
        assert!(std::env::var("IDLERGEAR_REQUIRE_TOOLS").is_err(), "{}", stderr(&output));
        std::eprintln!("SKIPPED: no namespace can be had here");
        return;
    }
    assert!(stdout(&output).contains("\"status\": \"pending\""), "{}", stdout(&output));
    assert!(output.status.success() && stderr(&output).contains("Exit: 0"), "{}", stderr(&output));
}

/// Of many who complete it at once, one has the word.
#[test]
fn it_ends_once() {
    let world = Sandbox::with_project();
    let id = world.ok(&["run", "register", "./x", "--no-register"]);
    let id = id.trim();
    let script = format!(
        "for i in 1 2 3 4 5 6 7 8; do ig run complete {id} --exit-code $i >/dev/null 2>&1 && echo $i & done; wait"
    );
    let won = stdout(&world.bash(&script));
    assert_eq!(won.lines().count(), 1, "{won}");
    assert_eq!(last(&world)["exit_code"].to_string(), won.trim());
}
