//! `ig run` and what reads its record: the command is untouched, and nothing of it is lost.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use support::pty::Terminal;
use support::{Sandbox, stderr, stdout, wait_until};

/// A project in which nobody starts a daemon.
fn quiet() -> Sandbox {
    Sandbox::with_project()
}

fn ig(world: &Sandbox, args: &[&str]) -> Command {
    let mut command = world.command("ig");
    command.args(args).env("IDLERGEAR_NO_DAEMON", "1");
    command
}

/// The one unit of this world.
fn unit(world: &Sandbox) -> serde_json::Value {
    let listing = world.json(&["run", "list", "--json"]);
    assert_eq!(listing["schema"], 1);
    let units = listing["units"].as_array().unwrap();
    assert_eq!(units.len(), 1, "{units:?}");
    units[0].clone()
}

#[test]
fn streams_stay_apart_and_byte_for_byte() {
    let world = quiet();
    let script = r"printf 'out\0\377\n'; printf 'err\n' >&2; printf tail";
    let output = ig(&world, &["run", script]).output().unwrap();
    assert_eq!(output.stdout, b"out\0\xff\ntail");
    assert_eq!(stderr(&output), "err\n");
    let unit = unit(&world);
    let read = |name: &str| std::fs::read(unit["logs"][name].as_str().unwrap()).unwrap();
    assert_eq!(read("stdout"), b"out\0\xff\ntail");
    assert_eq!(read("stderr"), b"err\n");
    assert_eq!(unit["status"], "completed");
    assert_eq!(unit["script"]["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn exit_codes_are_the_commands_own() {
    let world = quiet();
    for code in [0, 1, 2, 42, 124, 126, 127, 128, 200, 255] {
        let output = ig(&world, &["run", &format!("exit {code}")]).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
    }
}

#[test]
fn death_by_signal_is_told_as_a_shell_would_see_it() {
    let world = quiet();
    for (name, number, dies) in [
        ("TERM", 15, true),
        ("INT", 2, true),
        ("HUP", 1, true),
        ("KILL", 9, false),
        ("SEGV", 11, false),
    ] {
        let status = ig(&world, &["run", &format!("kill -{name} $$")]).status().unwrap();
        let expected = if dies { (None, Some(number)) } else { (Some(128 + number), None) };
        assert_eq!((status.code(), status.signal()), expected, "{name}");
        let id = world.json(&["run", "list", "--json"]);
        let last = id["units"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["signal"], number, "{name}");
        assert_eq!(last["status"], if name == "SEGV" { "failed" } else { "killed" });
    }
}

#[test]
fn what_cannot_start_says_why_with_the_shells_codes() {
    let world = quiet();
    let plain = world.write("plain", "echo hi\n");
    let cases = [
        (vec!["run", "no-such-program"], 127, "command not found"),
        (vec!["run", plain.to_str().unwrap()], 126, "permission denied"),
        (vec!["run"], 125, "Usage: ig run"),
        (vec!["run", "--nmae", "x", "true"], 125, "`--nmae` is no option of ig run"),
        (vec!["run", "--", "--nmae"], 127, "command not found"),
        (vec!["run", "-q", "--", "-x"], 127, "command not found"),
    ];
    for (args, code, words) in cases {
        let output = ig(&world, &args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
}

#[test]
fn header_and_footer_frame_the_output_on_stderr() {
    let world = quiet();
    let script = world.write("train.sh", "echo training\n");
    let output = ig(&world, &["run", "--banner", "bash", script.to_str().unwrap(), "--stream"]);
    let output = { output }.output().unwrap();
    assert_eq!(stdout(&output), "training\n");
    let unit = unit(&world);
    let hash = unit["script"]["sha256"].as_str().unwrap()[..8].to_owned();
    let text = stderr(&output);
    for part in [
        "═══ IDLERGEAR RUN ═══",
        &format!("ID:     run_{}", unit["id"].as_str().unwrap()),
        &format!("train.sh (hash: {hash})"),
        "Logs:   kept here, not streamed: the daemon is not told",
        "═══ COMPLETE ═══",
        "Exit: 0 | Duration: ",
        &format!("ig:{}@{hash}", unit["id"].as_str().unwrap()),
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

/// A hash beside a script's name is that of the script.
#[test]
fn a_script_that_cannot_be_read_is_told_and_not_named() {
    let world = quiet();
    let output = ig(&world, &["run", "--banner", "--script", "gone.sh", "true"]).output().unwrap();
    let text = stderr(&output);
    assert!(text.contains("the script `gone.sh` cannot be read"), "{text}");
    assert!(text.contains("Run:    true (hash: b5bea41b)"), "{text}");
    assert_eq!(unit(&world)["script"]["path"], serde_json::Value::Null);
}

#[test]
fn who_stops_reading_and_who_cannot_be_told_are_no_matter() {
    let world = quiet();
    world.ok(&["run", "echo hi"]);
    world.write(".idlergear/config.toml", "[nonsense]\n");
    for command in [
        "ig run status echo",
        "ig output echo",
        "ig ps --all --json",
        "ig config",
        "ig run -q true 2>/dev/full",
    ] {
        let mut bash = world.command("bash");
        bash.env("IDLERGEAR_NO_DAEMON", "1").stdin(Stdio::null());
        // Nobody has ever read from that pipe.
        let script = format!("exec 3> >(:); wait $!; {command} >&3; echo $?");
        let output = bash.args(["-c", &script]).output().unwrap();
        assert_eq!(stdout(&output), "0\n", "{command}: {}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{command}: {}", stderr(&output));
    }
}

#[test]
fn a_terminal_is_passed_on_whole() {
    let world = quiet();
    let script = "tty; stty size; read -r -p 'name? ' name; echo \"hi $name\"";
    let mut terminal = Terminal::start(ig(&world, &["run", "--quiet", script]));
    terminal.expect("/dev/");
    terminal.expect("name? ");
    terminal.send("bob\r");
    terminal.expect("hi bob");
    assert_eq!(terminal.end().code, Some(0));
    let log = world.ok(&["logs", "tty"]);
    assert!(log.contains("name? ") && log.ends_with("hi bob\n"), "{log}");
}

#[test]
fn ctrl_c_reaches_the_command_and_then_the_shell_around_us() {
    let world = quiet();
    let mut loop_of_runs = world.command("bash");
    loop_of_runs.env("IDLERGEAR_NO_DAEMON", "1").args([
        "-c",
        "for i in 1 2 3; do ig run --quiet 'echo started; sleep 60'; done; echo not reached",
    ]);
    let mut terminal = Terminal::start(loop_of_runs);
    terminal.expect("started");
    terminal.send("\x03");
    let ended = terminal.end();
    assert_eq!(ended.signal, Some(2), "{}", ended.output);
    assert!(!ended.output.contains("not reached"));
    assert_eq!(unit(&world)["signal"], 2);
}

#[test]
fn a_run_ends_with_its_process_not_with_its_pipes() {
    let world = quiet();
    // `output` would wait for the descendant if it had our stdout; it has the runner's pipe.
    let output = ig(&world, &["run", "setsid sleep 600 & echo $!"]).output().unwrap();
    let pid: u32 = stdout(&output).trim().parse().unwrap();
    let left = idlergear::os::Identity::of(pid).expect("it lives on, as it would without us");
    assert!(idlergear::os::signal(&left, rustix::process::Signal::KILL));
}

#[test]
fn a_background_run_is_read_and_stopped_by_name() {
    let world = quiet();
    let script = "trap '' TERM; sleep 60 & echo up; wait; sleep 60";
    let output = ig(&world, &["run", "start", script, "--name", "worker"]).output().unwrap();
    let id = stdout(&output).trim().to_owned();
    wait_until("it is up", || world.ok(&["logs", "worker"]) == "up\n");
    let live = world.json(&["ps", "--json"]);
    assert_eq!(live["units"][0]["id"], id);
    let pid = u32::try_from(live["units"][0]["pid"].as_u64().unwrap()).unwrap();
    assert!(idlergear::os::tree(pid).len() >= 2);
    world.ok(&["stop", "worker", "--grace", "100ms"]);
    assert_eq!(idlergear::os::tree(pid), []);
    let unit = unit(&world);
    assert_eq!((unit["status"].as_str(), unit["signal"].as_u64()), (Some("killed"), Some(9)));
    let again = world.ig(&["stop", "worker"]);
    assert!(stderr(&again).contains("has ended already"), "{}", stderr(&again));
}

#[test]
fn a_log_is_followed_to_its_end() {
    let world = quiet();
    let script = "for i in 1 2 3; do echo $i; sleep 0.1; done; printf last";
    assert!(ig(&world, &["run", "start", script, "--name", "count"]).status().unwrap().success());
    assert_eq!(world.ok(&["logs", "count", "-f"]), "1\n2\n3\nlast\n");
    assert_eq!(world.ok(&["run", "logs", "count", "--tail", "2"]), "3\nlast\n");
}

#[test]
fn a_read_only_project_keeps_its_record_elsewhere_and_the_command_untouched() {
    let world = quiet();
    world.write(".idlergear/runs", "a file in the way");
    let output = ig(&world, &["run", "echo hi; exit 7"]).output().unwrap();
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("hi\n", Some(7)));
    assert_eq!(stderr(&output).matches("ig: ").count(), 1, "{}", stderr(&output));
    assert_eq!(world.ok(&["logs", "echo"]), "hi\n");
}

#[test]
fn a_reader_that_leaves_ends_the_command_as_without_us() {
    let world = quiet();
    let mut head = world.command("bash");
    head.env("IDLERGEAR_NO_DAEMON", "1").stdin(Stdio::null());
    let output = head.args(["-c", "ig run yes | head -1; echo ${PIPESTATUS[0]}"]).output().unwrap();
    assert_eq!(stdout(&output), "y\n141\n");
}

#[test]
fn a_unit_inside_a_unit_knows_its_parent() {
    let world = quiet();
    assert!(
        ig(&world, &["run", "--name", "outer", "ig run --name inner true"])
            .status()
            .unwrap()
            .success()
    );
    let listing = world.json(&["run", "list", "--json"]);
    let units = listing["units"].as_array().unwrap();
    assert_eq!(
        (units[0]["name"].as_str(), units[1]["name"].as_str()),
        (Some("outer"), Some("inner"))
    );
    assert_eq!(units[1]["parent"], units[0]["id"]);
}

#[test]
fn records_are_private_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let world = quiet();
    for umask in ["000", "077", "777"] {
        world.bash(&format!(
            "umask {umask}; IDLERGEAR_NO_DAEMON=1 ig run --name u{umask} 'echo hi'"
        ));
        let unit = world.json(&["run", "status", &format!("u{umask}"), "--json"]);
        let log = std::path::PathBuf::from(unit["logs"]["stdout"].as_str().unwrap());
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&log), 0o600);
        assert_eq!(mode(log.parent().unwrap()), 0o700);
    }
}

#[test]
fn what_flows_through_stream_is_kept() {
    let world = quiet();
    world.bash("export IDLERGEAR_NO_DAEMON=1; printf 'a\\nb\\n\\377' | ig-agent stream --name flow | cmp - <(printf 'a\\nb\\n\\377')");
    assert_eq!(world.ok(&["logs", "flow", "--tail", "2"]), "b\n\u{fffd}\n");
    let unit = unit(&world);
    assert_eq!((unit["status"].as_str(), unit["exit_code"].as_i64()), (Some("completed"), Some(0)));
    let script = "export IDLERGEAR_NO_DAEMON=1; id=$(ig-agent register by-hand --pid $$)
        echo from-a-pipe | ig-agent stream $id; ig-agent unregister $id";
    assert_eq!(stdout(&world.bash(script)), "from-a-pipe\n");
    assert_eq!(world.ok(&["logs", "by-hand"]), "from-a-pipe\n");
}

#[test]
fn runs_keep_themselves_out_of_git() {
    let world = quiet();
    assert!(ig(&world, &["run", "true"]).status().unwrap().success());
    assert_eq!(world.read(".idlergear/runs/.gitignore"), "*\n");
}

#[test]
fn what_has_no_process_is_not_said_to_be_stopped() {
    let world = quiet();
    let script = "export IDLERGEAR_NO_DAEMON=1; id=$(ig run register ./x.sh 2>/dev/null); ig stop $id; echo $?
        ig run complete $id --exit-code 0 2>/dev/null; ig run status $id --json";
    let output = world.bash(script);
    assert!(stderr(&output).contains("has no process of its own"), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("1\n") && stdout(&output).contains("\"completed\""));
}
