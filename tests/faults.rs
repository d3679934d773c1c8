//! The first law: whatever becomes of our own files, the command's output and its exit code are what
//! they would be without us, and there is one warning at most.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/places.rs"]
mod places;

use std::process::{Command, Output};

use serde_json::Value;
use support::{Sandbox, stderr, stdout, succeed, tool};

/// Both programs that link the runner.
const RUNNERS: [&str; 2] = ["ig run", "ig-agent run"];

/// What every command here prints and ends with.
const COMMAND: &str = "echo out; echo err >&2; exit 3";

/// Puts a command into this world that talks to no daemon.
fn quiet(world: &Sandbox, program: &str) -> Command {
    let mut command = world.command(program);
    command.env("IDLERGEAR_NO_DAEMON", "1");
    command
}

/// Runs a bash script in which `$RUN` is one of the runners and `$COMMAND` the command.
fn bash(world: &Sandbox, runner: &str, script: &str) -> Output {
    let mut command = quiet(world, "bash");
    command.args(["-c", script]).env("RUN", runner).env("COMMAND", COMMAND);
    command.output().unwrap()
}

/// The same where mounts are its own: none is left behind, whatever happens.
fn with_mounts(world: &Sandbox, runner: &str, script: &str) -> Option<Output> {
    let unshare = tool("unshare")?;
    if !Command::new(&unshare).args(["-m", "true"]).output().unwrap().status.success() {
        eprintln!("SKIPPED: no right to mount here");
        return None;
    }
    let mut command = quiet(world, unshare.to_str().unwrap());
    command.args(["-m", "bash", "-c", script]).env("RUN", runner).env("COMMAND", COMMAND);
    Some(command.output().unwrap())
}

/// The command did what it does; returns the warnings.
fn warnings(output: &Output, what: &str) -> Vec<String> {
    let told = stderr(output);
    // A shell says itself that its folder is gone.
    let told: String = told.split_inclusive('\n').filter(|line| !line.contains("getcwd")).collect();
    let (ours, theirs): (Vec<&str>, Vec<&str>) =
        told.lines().partition(|line| line.starts_with("ig") || line.starts_with("  "));
    assert_eq!(theirs, ["err"], "{what}: {told}");
    assert_eq!(stdout(output), "out\n", "{what}: {told}");
    assert_eq!(output.status.code(), Some(3), "{what}: {told}");
    let warnings: Vec<String> =
        ours.into_iter().filter(|line| line.starts_with("ig")).map(str::to_owned).collect();
    assert!(warnings.len() <= 1, "{what}: {told}");
    warnings
}

fn json(world: &Sandbox, args: &[&str]) -> Value {
    let output = quiet(world, "ig").args(args).output().unwrap();
    serde_json::from_str(&succeed(&output, args)).unwrap()
}
