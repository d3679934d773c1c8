//! Folders that are gone, moved, or were never there.

use std::path::Path;
use std::process::Stdio;

use super::*;
use crate::support::wait_until;

#[test]
fn homes_and_folders_that_are_not_there() {
    let cases = [
        "unset HOME",
        "export HOME=/nonexistent/home",
        "export HOME=/",
        "unset HOME XDG_RUNTIME_DIR; export TMPDIR=/nonexistent/tmp",
        "unset XDG_RUNTIME_DIR",
        "export XDG_RUNTIME_DIR=/",
        "export XDG_STATE_HOME=/dev/null/state",
        "export XDG_CONFIG_HOME=/dev/null",
        "export XDG_STATE_HOME=relative",
        "export IDLERGEAR_PROJECT=/nonexistent/project",
        "mkdir gone && cd gone && rmdir ../gone",
        "export HOME=/nonexistent; cd /",
    ];
    let strays = ["/.idlergear", "/.local", "/nonexistent"].map(Path::new);
    let before = strays.map(Path::exists);
    for runner in RUNNERS {
        for case in cases {
            let world = Sandbox::with_project();
            let script = format!("{case}\n$RUN -- bash -c \"$COMMAND\"");
            let own = world.home().join("tmp").to_str().unwrap().to_owned();
            let output = bash(&world, runner, &format!("export TMPDIR={own}\n{script}"));
            warnings(&output, &format!("{runner}: {case}"));
        }
    }
    assert_eq!(strays.map(Path::exists), before, "{strays:?}");
}

/// A folder for everybody: whoever was first there may be anybody.
#[test]
fn a_temporary_folder_that_another_user_made_is_not_used() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can make another user's folder");
        return;
    }
    for runner in RUNNERS {
        let world = Sandbox::new();
        let squatted = world.home().join("tmp/idlergear-0");
        std::fs::create_dir(&squatted).unwrap();
        std::os::unix::fs::chown(&squatted, Some(65534), None).unwrap();
        let output = bash(&world, runner, "unset HOME; $RUN -- bash -c \"$COMMAND\"");
        assert_eq!(warnings(&output, runner).len(), 1);
        assert!(std::fs::read_dir(&squatted).unwrap().next().is_none());
    }
}

#[test]
fn a_project_that_is_deleted_meanwhile() {
    for runner in RUNNERS {
        for gone in ["rm -rf .idlergear", "rm -rf \"$PWD\"", "rm -rf .idlergear/runs/*/"] {
            let world = Sandbox::with_project();
            let gone = format!("until {gone} 2>/dev/null; do :; done");
            let script = format!("$RUN -- bash -c '{gone}; {COMMAND}'");
            let output = bash(&world, runner, &script);
            assert_eq!(warnings(&output, &gone).len(), 1, "{}", stderr(&output));
        }
    }
}

/// The log goes on in the files that are open, and the record is found under its id.
#[test]
fn a_project_that_is_moved_meanwhile() {
    for (runner, detached) in [("ig", false), ("ig-agent", false), ("ig", true)] {
        let world = Sandbox::with_project();
        let script = "echo before; until [ -e \"$HOME/go\" ]; do sleep 0.02; done; seq 1 200000; \
                      echo after; exit 3";
        let mut command = quiet(&world, runner);
        let words: &[&str] = if detached { &["run", "start"] } else { &["run"] };
        command.args(words).args(["--name", "job"]);
        command.env("IDLERGEAR_LOGS_MAX_RUN_BYTES", "1048576");
        let line = format!("bash -c '{script}'");
        let mut run =
            command.arg(&line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until("it runs", || {
            let output = quiet(&world, "ig").args(["logs", "job"]).output().unwrap();
            stdout(&output) == "before\n"
        });
        let id =
            json(&world, &["run", "status", "job", "--json"])["id"].as_str().unwrap().to_owned();
        let moved = world.home().join("moved");
        std::fs::rename(world.project(), &moved).unwrap();
        let ig = |args: &[&str]| {
            let mut command = quiet(&world, "ig");
            stdout(&command.args(args).current_dir(&moved).output().unwrap())
        };
        assert_eq!(ig(&["logs", &id]), "before\n");
        std::fs::write(world.home().join("go"), "").unwrap();
        if detached {
            run.wait().unwrap();
        } else {
            let output = run.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(3));
            assert_eq!(stderr(&output).matches("ig:").count(), 1, "{}", stderr(&output));
        }
        wait_until("its end is recorded", || {
            ig(&["run", "status", &id, "--json"]).contains("\"exit_code\": 3")
        });
        let log = ig(&["logs", &id]);
        assert!(
            log.starts_with("before\n1\n2\n") && log.ends_with("\n200000\nafter\n"),
            "{runner}"
        );
        let elsewhere = quiet(&world, "ig").args(["logs", &id]).current_dir("/").output().unwrap();
        assert!(stdout(&elsewhere) == log, "from anywhere, by its id");
    }
}
