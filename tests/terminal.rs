//! `ig run` on a real terminal: every item by which a terminal wrapper is judged, under bash and zsh
//! where a shell matters, against the bare command where that is the definition of right.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

#[path = "terminal/ends.rs"]
mod ends;
#[path = "terminal/jobs.rs"]
mod jobs;
#[path = "terminal/modes.rs"]
mod modes;
#[path = "terminal/streams.rs"]
mod streams;
mod support;

use std::process::Command;

use support::Sandbox;
use support::pty::{Ended, Terminal};

/// The interactive shells that people have.
const SHELLS: [&str; 2] = ["bash", "zsh"];

/// What a run is started with: quiet, so that only the command is seen.
const RUN: &str = "ig run --quiet -- ";

/// A project in which nobody starts a daemon.
fn quiet() -> Sandbox {
    Sandbox::with_project()
}

/// `program` in this world, without a daemon.
fn command(world: &Sandbox, program: &str, args: &[&str]) -> Command {
    let mut command = world.command(program);
    command.args(args).env("IDLERGEAR_NO_DAEMON", "1");
    command
}

/// `script` in a terminal, run by bash.
fn in_terminal(world: &Sandbox, script: &str) -> Ended {
    Terminal::start(command(world, "bash", &["-c", script])).end()
}

/// An interactive shell in a terminal, at its prompt.
fn shell(world: &Sandbox, name: &str) -> Terminal {
    let args: &[&str] =
        if name == "zsh" { &["-f", "-i"] } else { &["--norc", "--noprofile", "-i"] };
    let mut start = command(world, name, args);
    start.env("PS1", "ready> ").env("PROMPT", "ready> ").env("HISTFILE", "");
    let mut terminal = Terminal::start(start);
    terminal.expect("ready> ");
    if name == "zsh" {
        // No line editor: it would draw over what it echoes.
        terminal.send("unsetopt zle prompt_sp prompt_cr; echo zle-$((1+1))\r");
        terminal.expect("zle-2");
        terminal.expect("ready> ");
    }
    terminal
}

/// The newest unit of this world.
fn unit(world: &Sandbox) -> serde_json::Value {
    unit_or_none(world).unwrap()
}

fn unit_or_none(world: &Sandbox) -> Option<serde_json::Value> {
    let listing = world.json(&["run", "list", "--json"]);
    listing["units"].as_array().unwrap().last().cloned()
}
