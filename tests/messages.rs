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

/// Five long messages: a shell that cuts them off one after the other needs a minute of its processor
/// for what takes it a second.
#[test]
fn long_messages_do_not_freeze_a_script() {
    let old = std::env::var("IDLERGEAR_BASH32").ok();
    let shells = ["bash", "zsh"].into_iter().filter(|name| tool(name).is_some());
    for shell in shells.map(str::to_owned).chain(old) {
        let world = Sandbox::with_project();
        world.ok(&["daemon", "start"]);
        let mut listener = script(&world, &shell, &format!("ulimit -t 10\n{LISTENER}"));
        let listener = listener.stderr(std::process::Stdio::piped()).spawn().unwrap();
        wait_until("it listens", || world.project().join("listening").exists());
        let text = "x".repeat(60_000);
        for number in 1..=5 {
            world.ok(&["daemon", "send", &format!("{number}{text}\nend")]);
        }
        wait_until("all was heard", || heard(&world).matches("x\nend|").count() == 5);
        world.write("done", "");
        let output = listener.wait_with_output().unwrap();
        assert!(output.status.success(), "{shell}: {} {}", output.status, stderr(&output));
        assert_eq!(heard(&world).len(), 5 * ("1\nend|tester\n".len() + text.len()), "{shell}");
    }
}

/// What the handler does is its own affair: it finds the script's own words and patterns.
#[test]
fn a_handler_runs_with_the_settings_of_its_script() {
    for shell in ["bash", "zsh"].into_iter().filter(|name| tool(name).is_some()) {
        let world = Sandbox::with_project();
        world.ok(&["daemon", "start"]);
        let listener = r#"source "$LIBRARY"; idlergear_register listener
            IFS=,; words=a,b
            heard() { case $- in *f*) glob=no ;; *) glob=yes ;; esac; printf '%s|' "$IFS" "$glob" "$1" >>heard; }
            idlergear_on_message heard; touch listening
            until [ -e done ]; do idlergear_status active; sleep 0.05; done
            printf '%s|' "$IFS" >>heard"#;
        let mut listener = script(&world, shell, listener).spawn().unwrap();
        wait_until("it listens", || world.project().join("listening").exists());
        world.ok(&["daemon", "send", "* ?  two\n\nlines"]);
        wait_until("it heard", || heard(&world).ends_with("lines|"));
        world.write("done", "");
        assert!(listener.wait().unwrap().success());
        assert_eq!(heard(&world), ",|yes|* ?  two\n\nlines|,|", "{shell}");
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
