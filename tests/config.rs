//! Settings: which file counts, what is refused, and that no mistake in them stops a command.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::process::Output;

use serde_json::Value;
use support::{Sandbox, stderr, stdout, succeed};

fn ig(world: &Sandbox, args: &[&str]) -> Output {
    world.command("ig").args(args).env("IDLERGEAR_NO_DAEMON", "1").output().unwrap()
}

fn user(world: &Sandbox, text: &str) {
    let dir = world.home().join(".config/idlergear");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("config.toml"), text).unwrap();
}

/// The project's file, trusted as it stands now.
fn project(world: &Sandbox, text: &str) {
    let path = world.write(".idlergear/config.toml", text);
    let trust = world.home().join(".local/state/idlergear/trust");
    idlergear::secure_fs::dir(&trust).unwrap();
    let path = path.canonicalize().unwrap();
    let text = [path.to_str().unwrap().as_bytes(), &[0], text.as_bytes()].concat();
    let hash = <sha2::Sha256 as sha2::Digest>::digest(text);
    std::fs::write(trust.join(idlergear::hash::hex(&hash)), path.to_str().unwrap()).unwrap();
}

fn value(world: &Sandbox, key: &str) -> (Value, String) {
    let output = ig(world, &["config", key, "--json"]);
    let row: Value = serde_json::from_str(&succeed(&output, &[key])).unwrap();
    (row["value"].clone(), row["from"].as_str().unwrap().to_owned())
}

#[test]
fn environment_then_project_then_user_then_default() {
    let world = Sandbox::with_project();
    let key = "logs.max_runs";
    assert_eq!(value(&world, key), (1000.into(), "default".into()));
    user(&world, "[logs]\nmax_runs = 5\n");
    let (number, from) = value(&world, key);
    assert!(number == 5 && from.ends_with(".config/idlergear/config.toml"), "{from}");
    project(&world, "[logs]\nmax_runs = 7 # ours\n");
    assert_eq!(value(&world, key), (7.into(), ".idlergear/config.toml".into()));
    let mut command = world.command("ig");
    command.args(["config", key]).env("IDLERGEAR_LOGS_MAX_RUNS", "9");
    assert_eq!(stdout(&command.output().unwrap()), "9\n");
    let listing = succeed(&ig(&world, &["config"]), &["config"]);
    for line in ["logs.max_run_bytes", "268435456 (268.4 MB)", "processes.execution.shell_path"] {
        assert!(listing.contains(line), "{listing}");
    }
    let all: Value =
        serde_json::from_str(&succeed(&ig(&world, &["config", "--json"]), &[])).unwrap();
    assert_eq!(all["settings"].as_array().unwrap().len(), 12);
}

/// The desk is the user's own.
#[test]
fn no_project_rings_at_the_desk() {
    let world = Sandbox::with_project();
    project(&world, "[alerts]\nbell = true\ndesktop = true\n");
    let refused = ig(&world, &["config", "alerts.bell"]);
    assert_eq!((stdout(&refused).as_str(), refused.status.code()), ("false\n", Some(1)));
    assert!(stderr(&refused).contains("counts from the user's own file only"));
    project(&world, "");
    user(&world, "[alerts]\ndesktop = true\n");
    assert_eq!(value(&world, "alerts.bell").0, false);
    assert_eq!(value(&world, "alerts.desktop").0, true);
    let mut command = world.command("ig");
    command.args(["config", "alerts.bell", "--json"]).env("IDLERGEAR_ALERTS_BELL", "1");
    let row: Value = serde_json::from_str(&stdout(&command.output().unwrap())).unwrap();
    assert_eq!((&row["value"], &row["from"]), (&true.into(), &"IDLERGEAR_ALERTS_BELL".into()));
}

#[test]
fn a_projects_file_counts_once_it_is_trusted_and_as_it_was_then() {
    let world = Sandbox::with_project();
    world.write(".idlergear/config.toml", "[logs]\nmax_runs = 7\n");
    assert_eq!(value(&world, "logs.max_runs").0, 1000);
    assert!(stderr(&ig(&world, &["config"])).contains("does not count until it is trusted"));
    project(&world, "[logs]\nmax_runs = 7\n");
    assert_eq!(value(&world, "logs.max_runs").0, 7);
    world.write(".idlergear/config.toml", "[logs]\nmax_runs = 8\n");
    assert_eq!(value(&world, "logs.max_runs").0, 1000);
}

#[test]
fn mistakes_are_told_where_they_are() {
    let world = Sandbox::with_project();
    user(&world, "[logs]\nmax_run_byte = 1\n");
    let output = ig(&world, &["config"]);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("setting `logs.max_run_byte` is unknown"), "{told}");
    assert!(told.contains("config.toml:2") && told.contains("`logs.max_run_bytes`"), "{told}");
    let output = ig(&world, &["config", "logs.max_rums"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("`logs.max_runs`"), "{}", stderr(&output));
}

#[test]
fn a_broken_file_never_stops_a_command() {
    let world = Sandbox::with_project();
    for text in ["[logs\n", "logs = 1\n", "\u{0}\u{1}", "[logs]\nmax_run_bytes = \"many\"\n"] {
        user(&world, text);
        let output = ig(&world, &["run", "--", "bash", "-c", "echo out; exit 3"]);
        assert_eq!((stdout(&output).as_str(), output.status.code()), ("out\n", Some(3)));
        assert_eq!(stderr(&output).matches("ig:").count(), 1, "{}", stderr(&output));
        let output = ig(&world, &["start", "--", "true"]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(stderr(&output).matches("ig: ").count(), 1, "{}", stderr(&output));
        let mut agent = world.command("ig-agent");
        agent.args(["run", "--no-register", "--", "bash", "-c", "echo out; exit 3"]);
        let output = agent.output().unwrap();
        assert_eq!((stdout(&output).as_str(), output.status.code()), ("out\n", Some(3)));
    }
}

/// The shell picks a program: no project may.
#[test]
fn the_shell_is_the_users_choice() {
    let world = Sandbox::with_project();
    let shell = world.program("shell", "#!/bin/sh\necho mine; exec sh \"$@\"\n");
    let text = format!("[processes.execution]\nshell_path = \"{}\"\n", shell.display());
    for program in ["ig", "ig-agent"] {
        let run = |variable: &str| {
            let mut command = world.command(program);
            command.args(["run", "echo one; echo two"]).env("IDLERGEAR_NO_DAEMON", "1");
            stdout(&command.env("IDLERGEAR_SHELL", variable).output().unwrap())
        };
        user(&world, "");
        project(&world, &text);
        assert_eq!(run(""), "one\ntwo\n");
        user(&world, &text);
        assert_eq!(run(""), "mine\none\ntwo\n");
        assert_eq!(run("sh"), "one\ntwo\n");
    }
}

#[test]
fn the_runner_keeps_to_the_project_s_bounds() {
    for program in ["ig", "ig-agent"] {
        let world = Sandbox::with_project();
        project(&world, "[logs]\nmax_run_bytes = 2_000_000\n");
        let mut command = world.command(program);
        command.args(["run", "--name", "job", "--", "seq", "1000000"]);
        let output = command.env("IDLERGEAR_NO_DAEMON", "1").output().unwrap();
        assert!(stderr(&output).contains("logs.max_run_bytes"), "{}", stderr(&output));
        let log = succeed(&ig(&world, &["logs", "job"]), &[]);
        // A segment that was dropped whole, one that has only begun, and the chunks they end with.
        assert!((1_500_000..2_200_000).contains(&log.len()), "{}", log.len());
    }
}

#[test]
fn lines_around_the_output_as_the_user_likes() {
    let world = Sandbox::with_project();
    user(&world, "[run]\nbanner = \"always\"\n");
    let told = |args: &[&str]| stderr(&ig(&world, args)).contains("IDLERGEAR RUN");
    assert!(told(&["run", "true"]));
    assert!(!told(&["run", "--quiet", "true"]));
    user(&world, "[run]\nbanner = \"never\"\n");
    assert!(!told(&["run", "true"]));
    assert!(told(&["run", "--banner", "true"]));
}
