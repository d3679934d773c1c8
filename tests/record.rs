//! What a record tells afterwards: three steps by hand, the commit, the script as it was, and how
//! two runs differ.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;
use support::{Sandbox, stderr, stdout, succeed, tool, wait_until};

fn ig(world: &Sandbox, args: &[&str]) -> Command {
    let mut command = world.command("ig");
    command.args(args).env("IDLERGEAR_NO_DAEMON", "1");
    command
}

fn ok(world: &Sandbox, args: &[&str]) -> String {
    succeed(&ig(world, args).output().unwrap(), args)
}

fn unit(world: &Sandbox, id: &str) -> Value {
    serde_json::from_str(&ok(world, &["run", "status", id, "--json"])).unwrap()
}

/// Option B as it was first written down.
#[test]
fn three_steps_by_hand_make_a_run() {
    let world = Sandbox::with_project();
    world.program("my-script.sh", "#!/bin/sh\necho one; echo two >&2; printf three\n");
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

/// Whoever registered it says nothing by ending; what ends it unless somebody does is the machine.
#[test]
fn a_run_by_hand_outlives_its_terminal_but_not_its_boot() {
    let world = Sandbox::with_project();
    let inner = "exec bash -c 'ig run register make >id; true'; true";
    let output = world.bash(&format!("export IDLERGEAR_NO_DAEMON=1; bash -c {inner:?}; true"));
    assert!(output.status.success(), "{}", stderr(&output));
    let id = world.read("id").trim().to_owned();
    assert_eq!(unit(&world, &id)["status"], "pending");
    let record = format!(".idlergear/runs/{id}/run.json");
    let text = world.read(&record);
    assert!(text.contains(&idlergear::os::boot()));
    world.write(&record, &text.replace(&idlergear::os::boot(), "another boot"));
    let ended = unit(&world, &id);
    assert_eq!((&ended["status"], &ended["end"]), (&"killed".into(), &"unknown".into()));
    let late = ig(&world, &["run", "complete", &id]).output().unwrap();
    assert_eq!(late.status.code(), Some(1), "{}", stderr(&late));
}

/// The first header and footer were shown in a conversation; an agent looks the token up.
#[test]
fn header_and_footer_tell_which_run_of_which_script() {
    let world = Sandbox::with_project();
    world.program("train.sh", "#!/bin/sh\necho trained; exit 3\n");
    world.ok(&["daemon", "start"]);
    let output = world.ig(&["run", "--banner", "./train.sh", "--stream"]);
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("trained\n", Some(3)));
    let shown = stderr(&output);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with("═══ IDLERGEAR RUN ═"), "{shown}");
    let id = lines[1].strip_prefix("ID:     run_").unwrap();
    let unit = unit(&world, id);
    let hash = &unit["script"]["sha256"].as_str().unwrap()[..8];
    let token = format!("ig:{id}@{hash}");
    assert_eq!(lines[2], format!("Script: ./train.sh (hash: {hash})"));
    let time = unit["started_at"].as_str().unwrap()[..19].replace('T', " ");
    assert_eq!(lines[3], format!("Time:   {time}"));
    assert_eq!(lines[4], "Logs:   streaming to daemon");
    assert_eq!(lines[5], format!("Token:  {token}"));
    assert!(lines[7].starts_with("═══ COMPLETE ═"), "{shown}");
    assert!(lines[8].starts_with("Exit: 3 | Duration: ") && lines[8].ends_with(&token), "{shown}");
}

#[test]
fn lines_around_the_output_are_shown_when_wanted() {
    let world = Sandbox::with_project();
    let shows = |args: &[&str], variable: &str| {
        let mut command = ig(&world, args);
        command.env("IDLERGEAR_BANNER", variable);
        stderr(&command.output().unwrap()).contains("IDLERGEAR RUN")
    };
    assert!(!shows(&["run", "true"], ""));
    assert!(shows(&["run", "true"], "always"));
    assert!(shows(&["run", "--banner", "true"], ""));
    assert!(!shows(&["run", "--quiet", "true"], "always"));
}

#[test]
fn a_script_is_kept_once_and_a_changed_one_makes_its_runs_stale() {
    let world = Sandbox::with_project();
    world.program("x.sh", "#!/bin/sh\necho same\necho old\n");
    ok(&world, &["run", "--name", "first", "--", "./x.sh"]);
    ok(&world, &["run", "--name", "again", "--", "./x.sh"]);
    assert_eq!(unit(&world, "first")["stale"], false);
    world.program("x.sh", "#!/bin/sh\necho same\necho new\nexit 4\n");
    ig(&world, &["run", "--name", "second", "--", "./x.sh"]).output().unwrap();
    let listing: Value = serde_json::from_str(&ok(&world, &["run", "list", "--json"])).unwrap();
    let stale: Vec<&Value> =
        listing["units"].as_array().unwrap().iter().map(|unit| &unit["stale"]).collect();
    assert_eq!(stale, [true, true, false]);
    assert!(ok(&world, &["run", "list"]).contains("completed, stale"));
    assert!(ok(&world, &["run", "status", "first"]).contains("changed since"));
    let kept = world.project().join(".idlergear/scripts");
    let names: Vec<String> = std::fs::read_dir(&kept)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.len() == 64)
        .collect();
    assert_eq!(names.len(), 2);
    for name in names {
        let mode = std::fs::metadata(kept.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let diff = ok(&world, &["diff", "first", "second"]);
    for line in ["-echo old", "+echo new", "+exit 4", "-completed", "+failed (4)", "-old", "+new"] {
        assert!(diff.lines().any(|shown| shown == line), "{line} in\n{diff}");
    }
    assert_eq!(
        ok(&world, &["diff", "first", "again"]),
        "script: the same\nend: the same\noutput: the same\n"
    );
    let diff: Value =
        serde_json::from_str(&ok(&world, &["diff", "first", "again", "--json"])).unwrap();
    assert_eq!((&diff["same_script"], &diff["same_output"]), (&true.into(), &true.into()));
}

#[test]
fn the_commit_is_in_the_record() {
    let Some(git) = tool("git") else { return };
    let world = Sandbox::with_project();
    let run = |args: &[&str]| {
        let mut command = world.command(git.to_str().unwrap());
        command.args(["-c", "user.name=t", "-c", "user.email=t@localhost"]).args(args);
        succeed(&command.output().unwrap(), args)
    };
    ok(&world, &["run", "--name", "before", "--", "true"]);
    assert_eq!(unit(&world, "before")["git"]["commit"], Value::Null);
    run(&["init", "-q"]);
    world.write("file", "one\n");
    run(&["add", "file"]);
    run(&["commit", "-qm", "one"]);
    let commit = run(&["rev-parse", "HEAD"]).trim().to_owned();
    for (name, dirty) in [("clean", false), ("changed", true)] {
        if dirty {
            world.write("file", "two\n");
        }
        ok(&world, &["run", "--name", name, "--", "true"]);
        wait_until("git answered", || unit(&world, name)["git"]["commit"] == commit.as_str());
        assert_eq!(unit(&world, name)["git"]["dirty"], dirty);
    }
    assert!(ok(&world, &["run", "status", "changed"]).contains(&format!("{commit}, with changes")));
    assert_eq!(run(&["status", "--porcelain"]), " M file\n", "what we keep stays out of git");
}

#[test]
fn output_is_one_bounded_answer() {
    let world = Sandbox::with_project();
    ok(&world, &["run", "--quiet", "--name", "job", "--", "seq", "50000"]);
    let output = ig(&world, &["output", "job"]).output().unwrap();
    let text = stdout(&output);
    assert!(text.len() <= 64 * 1024 && text.len() > 60 * 1024, "{}", text.len());
    assert!(text.ends_with("\n49999\n50000\n"));
    assert!(stderr(&output).contains("there is more"));
    let answer: Value = serde_json::from_str(&ok(&world, &["output", "job", "--json"])).unwrap();
    assert_eq!((&answer["exit_code"], &answer["cut"]), (&0.into(), &true.into()));
    ok(&world, &["run", "--name", "small", "--", "printf", "hi"]);
    assert_eq!(ok(&world, &["output", "small"]), "hi\n");
}

#[test]
fn status_without_a_name_is_what_lives_and_what_was_last() {
    let world = Sandbox::with_project();
    for name in ["one", "two"] {
        ok(&world, &["run", "--name", name, "--", "true"]);
    }
    let id = ok(&world, &["run", "register", "--name", "hand", "make"]).trim().to_owned();
    let listing: Value = serde_json::from_str(&ok(&world, &["run", "status", "--json"])).unwrap();
    let names: Vec<&Value> =
        listing["units"].as_array().unwrap().iter().map(|unit| &unit["name"]).collect();
    assert_eq!(names, ["two", "hand"]);
    ok(&world, &["run", "complete", &id]);
}

#[test]
fn who_started_it_is_told_where_no_variable_tells() {
    let world = Sandbox::with_project();
    let mut run = ig(&world, &["run", "--name", "job", "--", "true"]);
    assert!(run.env_remove("USER").env_remove("LOGNAME").status().unwrap().success());
    let number = rustix::process::geteuid().as_raw();
    assert_eq!(unit(&world, "job")["owner"], format!("uid {number}"));
}
