//! Messages between scripts, through the library and a live daemon, in bash and zsh.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::process::Command;

use support::{Sandbox, stderr, stdout, tool, wait_until};

/// Says when it listens, then works in small steps until it was told to stop.
const LISTENER: &str = r#"
set -euo pipefail
source "$LIBRARY"
idlergear_register listener
heard() { printf '%s|%s\n' "$1" "$2" >>heard; }
idlergear_on_message heard
touch listening
until [ -e done ]; do idlergear_status active; sleep 0.05; done
"#;

fn script(world: &Sandbox, shell: &str, text: &str) -> Command {
    let mut command = world.command(shell);
    command.env("LIBRARY", world.ok(&["lib", "--path"]).trim()).args(["-c", text]);
    command
}

fn heard(world: &Sandbox) -> String {
    std::fs::read_to_string(world.project().join("heard")).unwrap_or_default()
}

#[test]
fn a_script_hears_what_others_send() {
    for shell in ["bash", "zsh"].into_iter().filter(|name| tool(name).is_some()) {
        let world = Sandbox::with_project();
        world.ok(&["daemon", "start"]);
        let mut listener = script(&world, shell, LISTENER).spawn().unwrap();
        wait_until("it listens", || world.project().join("listening").exists());
        world.ok(&["daemon", "send", "for all\nin two lines"]);
        wait_until("it heard all", || heard(&world).starts_with("for all\nin two lines|"));
        let sender = r#"source "$LIBRARY"; idlergear_register sender; idlergear_send --to listener 'just you'"#;
        assert!(script(&world, shell, sender).status().unwrap().success());
        wait_until("it heard the other script", || heard(&world).contains("just you|"));
        world.write("done", "");
        assert!(listener.wait().unwrap().success());
        let unread = world.json(&["daemon", "messages", "--json"]);
        let messages = unread["messages"].as_array().unwrap().clone();
        assert!(messages.iter().all(|message| message["read"] == true), "{messages:?}");
    }
}

#[test]
fn a_script_waits_for_a_message() {
    for shell in ["bash", "zsh"].into_iter().filter(|name| tool(name).is_some()) {
        let world = Sandbox::with_project();
        world.ok(&["daemon", "start"]);
        let text = r#"set -euo pipefail; source "$LIBRARY"; idlergear_register waiter; touch waiting
            idlergear_recv --wait 20; idlergear_recv"#;
        let mut command = script(&world, shell, text);
        let waiter = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        wait_until("it waits", || world.project().join("waiting").exists());
        world.ok(&["daemon", "send", "--to", "waiter", "go on"]);
        let output = waiter.wait_with_output().unwrap();
        assert_eq!(
            (stdout(&output).as_str(), output.status.code()),
            ("go on\n", Some(0)),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_command_of_a_script_is_a_unit_inside_it() {
    let world = Sandbox::with_project();
    let text = r#"set -euo pipefail; source "$LIBRARY"; idlergear_register outer
        idlergear_run --name inner -- bash -c 'echo from-inside; exit 4' || echo "code $?""#;
    let output = script(&world, "bash", text).output().unwrap();
    assert_eq!(stdout(&output), "from-inside\ncode 4\n", "{}", stderr(&output));
    let units = world.json(&["run", "list", "--json"])["units"].as_array().unwrap().clone();
    let unit = |name: &str| units.iter().find(|unit| unit["name"] == name).unwrap().clone();
    assert_eq!(unit("inner")["parent"], unit("outer")["id"]);
    assert_eq!(world.ok(&["logs", "inner"]), "from-inside\n");
}
