//! Where there is little room: the command runs, once, as without us.

use super::*;
use crate::support::stderr;

/// A file that may grow no more is a full disk for us, and nothing to die of.
#[test]
fn a_bound_on_the_size_of_files_costs_the_command_nothing() {
    for runner in ["ig run -q", "ig-agent run"] {
        for blocks in [0, 1, 8, 64] {
            let world = World::new();
            let script = format!(
                "ulimit -f {blocks}; {runner} -- bash -c 'seq 1 100000; trap; exit 3' | cksum
                 echo ${{PIPESTATUS[0]}}; seq 1 100000 | cksum"
            );
            let output = world.bash(&script);
            let told = stdout(&output);
            let lines: Vec<&str> = told.lines().collect();
            assert_eq!(lines[1], "3", "{runner} {blocks}: {output:?}");
            assert_eq!(lines[0], lines[2], "{runner} {blocks}: {output:?}");
            assert!(stderr(&output).matches("ig:").count() <= 1, "{output:?}");
        }
        // The command itself has the signal, as it would without us.
        let world = World::new();
        let script = format!("ulimit -f 8; {runner} -- bash -c 'seq 1 100000 >big'; echo $?");
        let bare = world.bash("ulimit -f 8; bash -c 'seq 1 100000 >big'; echo $?");
        assert_eq!(stdout(&world.bash(&script)), stdout(&bare), "{runner}");
    }
}

/// A script that puts itself under a runner, as generated ones do.
const SCRIPT: &str = r#"#!/bin/bash
if [ "${IDLERGEAR_RUNNER_PID:-}" != "$PPID" ] && command -v ig-agent >/dev/null 2>&1; then
  exec ig-agent run --script "$0" --name job --tree -- bash "$0" "$@"
fi
echo ran >>ran
exit 3
"#;

#[test]
fn few_descriptors_never_make_a_script_run_itself_again_and_again() {
    let world = World::new();
    let script = world.0.program("job.sh", SCRIPT);
    let script = script.to_str().unwrap();
    let without_us = support::example::without_us();
    for limit in 3..=20 {
        let run = |path: Option<&str>| {
            let _ = std::fs::remove_file(world.0.project().join("ran"));
            let line = format!("ulimit -n {limit}; exec bash {script}");
            let mut command = world.command("timeout", &["-k1", "20", "bash", "-c", &line]);
            if let Some(path) = path {
                command.env("PATH", path);
            }
            let output = command.output().unwrap();
            let ran = std::fs::read_to_string(world.0.project().join("ran"));
            (output.status.code(), ran.unwrap_or_default())
        };
        assert_eq!(run(None), run(Some(&without_us)), "with {limit}");
    }
}

/// What takes our place has what a child of ours would have.
#[test]
fn a_command_without_a_runner_knows_its_unit() {
    let world = World::new();
    let show = "env | grep ^IDLERGEAR_ | sort; echo parent=$PPID; echo $IDLERGEAR_RUNNER_PID";
    let output = world.bash(&format!("ulimit -n 6; ig-agent run -- bash -c '{show}'; echo $?"));
    let told = stdout(&output);
    for name in ["IDLERGEAR_RUN_ID=b", "IDLERGEAR_AGENT_ID=b", "IDLERGEAR_PROJECT=/"] {
        assert!(told.contains(name), "{told}\n{}", stderr(&output));
    }
    let parent = told.lines().find_map(|line| line.strip_prefix("parent=")).unwrap();
    assert!(told.contains(&format!("IDLERGEAR_RUNNER_PID={parent}\n")), "{told}");
}

#[test]
fn without_terminals_to_be_had_the_command_has_pipes() {
    let world = World::new();
    let Some(mut command) = world.0.namespaced() else { return };
    let script = "mount --bind /dev/null /dev/ptmx
        [ -e /dev/pts/ptmx ] && mount --bind /dev/null /dev/pts/ptmx
        export IDLERGEAR_NO_DAEMON=1
        for run in 'ig run -q --pty' 'ig-agent run --pty'; do
          $run -- bash -c 'echo out; echo err >&2; exit 3'; echo code=$?
        done";
    let output = command.args(["bash", "-c", script]).output().unwrap();
    assert_eq!(stdout(&output), "out\ncode=3\nout\ncode=3\n", "{}", stderr(&output));
    let told = stderr(&output);
    assert_eq!(told.matches("cannot open a terminal for the command").count(), 2, "{told}");
    assert_eq!(told.matches("ig:").count(), 2, "{told}");
}
