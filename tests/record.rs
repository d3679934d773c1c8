//! What a record tells afterwards: three steps by hand, the commit, the script as it was, and how
//! two runs differ.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;
use support::{Sandbox, stderr, stdout, succeed, wait_until};

fn ig(world: &Sandbox, args: &[&str]) -> Command {
    let mut command = world.command("ig");
    command.args(args).env("IDLERGEAR_NO_DAEMON", "1");
    command
}

fn ok(world: &Sandbox, args: &[&str]) -> String {
    succeed(&ig(world, args).output().unwrap(), args)
}

fn script(world: &Sandbox, name: &str, text: &str) {
    let path = world.write(name, text);
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

fn unit(world: &Sandbox, id: &str) -> Value {
    serde_json::from_str(&ok(world, &["run", "status", id, "--json"])).unwrap()
}

/// Option B as it was first written down.
#[test]
fn three_steps_by_hand_make_a_run() {
    let world = Sandbox::with_project();
    script(&world, "my-script.sh", "#!/bin/sh\necho one; echo two >&2; printf three\n");
    let output = world.bash(
        "export IDLERGEAR_NO_DAEMON=1; set -o pipefail
         id=$(ig run register ./my-script.sh 2>registered) && echo \"$id\" >id
         ig run status \"$id\" --json >before
         ./my-script.sh 2>&1 | ig run stream \"$id\"
         ig run status \"$id\" --json >between
         ig run complete \"$id\" 2>footer",
    );
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("one\ntwo\nthree", Some(0)));
    let id = world.read("id").trim().to_owned();
    let status = |file: &str| serde_json::from_str::<Value>(&world.read(file)).unwrap();
    assert_eq!(status("before")["status"], "pending");
    assert_eq!(status("between")["status"], "running");
    let unit = unit(&world, &id);
    let hash = unit["script"]["sha256"].as_str().unwrap();
    assert_eq!((&unit["status"], &unit["exit_code"]), (&"completed".into(), &0.into()));
    assert_eq!(unit["name"], "my-script");
    assert!(world.read("registered").contains(&format!("ig:{id}@{} (sha256:{hash})", &hash[..8])));
    assert!(world.read("footer").contains("Exit: 0"));
    assert_eq!(ok(&world, &["logs", &id]), "one\ntwo\nthree\n");
    assert_eq!(ok(&world, &["logs", &id, "--raw"]), "one\ntwo\nthree");
}

#[test]
fn a_run_by_hand_takes_its_code_and_ends_once() {
    let world = Sandbox::with_project();
    let id = ok(&world, &["run", "register", "make all"]).trim().to_owned();
    assert_eq!(unit(&world, &id)["status"], "pending");
    let feed =
        format!("printf 'a\\nb' | ig run stream {id}; printf '\\nc\\n' | ig run stream {id}");
    world.bash(&format!("export IDLERGEAR_NO_DAEMON=1; {feed}"));
    assert_eq!(ok(&world, &["logs", &id, "--range", "2:"]), "b\nc\n");
    ok(&world, &["run", "complete", &id, "--exit-code", "3"]);
    let ended = unit(&world, &id);
    assert_eq!((&ended["status"], &ended["exit_code"]), (&"failed".into(), &3.into()));
    for step in ["complete", "stream"] {
        let again = ig(&world, &["run", step, &id]).output().unwrap();
        assert_eq!(again.status.code(), Some(1), "{step}");
        assert!(stderr(&again).contains("complete already"), "{}", stderr(&again));
    }
    ok(&world, &["run", "--name", "wrapped", "--", "true"]);
    let wrapped = ig(&world, &["run", "complete", "wrapped"]).output().unwrap();
    assert!(stderr(&wrapped).contains("kept by its own process"), "{}", stderr(&wrapped));
}

/// Whoever registered it is gone with all that was around it: nobody can complete it any more.
#[test]
fn a_run_by_hand_does_not_outlive_its_terminal() {
    let world = Sandbox::with_project();
    let inner = "exec bash -c 'ig run register make >id; true'; true";
    let output = world.bash(&format!("export IDLERGEAR_NO_DAEMON=1; bash -c {inner:?}; true"));
    assert!(output.status.success(), "{}", stderr(&output));
    let id = world.read("id").trim().to_owned();
    wait_until("it is over", || unit(&world, &id)["status"] == "killed");
}
