//! A command, a path and a moment reach whoever is told of them as what they are: words and paths to
//! the byte, commands so that they can be pasted, times on the clock of whoever reads.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

#[path = "harm_bytes/by_hand.rs"]
mod by_hand;
#[path = "harm_bytes/clock.rs"]
mod clock;
#[path = "harm_bytes/paste.rs"]
mod paste;
#[path = "harm_bytes/words.rs"]
mod words;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output};

use serde_json::Value;
use support::{Sandbox, succeed};

/// A word that is no text.
const ODD: &[u8] = b"caf\xe9 \xff";
/// The same in hexadecimal.
const ODD_HEX: &str = "636166e920ff";

fn os(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

/// `program` without a daemon.
fn alone(world: &Sandbox, program: &str) -> Command {
    let mut command = world.command(program);
    command.env("IDLERGEAR_NO_DAEMON", "1");
    command
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    succeed(&output, &["it succeeds"]);
    output
}

/// The run that was started last.
fn last(world: &Sandbox) -> Value {
    let listing = world.json(&["run", "list", "--json"]);
    listing["units"].as_array().unwrap().last().expect("a record").clone()
}
