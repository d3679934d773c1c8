//! Stop takes the whole tree and nothing else; what outlived a unit is found and proven.

use std::process::{Command, Stdio};

use idlergear::os::Identity;

use crate::support::{Sandbox, stderr, stdout, tool, wait_until};
use crate::{World, pid};

/// The pids that a unit wrote, one per line, as soon as there are `count`.
fn pids(world: &World, id: &str, count: usize) -> Vec<Identity> {
    wait_until("it tells its processes", || world.ok(&["output", id]).lines().count() >= count);
    let text = world.ok(&["output", id]);
    text.lines().filter_map(|line| Identity::of(line.trim().parse().ok()?)).collect()
}

const STUBBORN: &str = "trap '' TERM
    (trap '' TERM; echo $BASHPID; while :; do sleep 0.1; done) &
    setsid bash -c 'trap \"\" TERM; echo $$; while :; do sleep 0.1; done' &
    (setsid bash -c 'echo $$; exec sleep 60' &)
    echo $$; wait; wait; wait";

#[test]
fn the_whole_tree_ends_pty_or_not() {
    for pty in [false, true] {
        let world = World::new();
        let mut args = vec!["tree"];
        args.extend(pty.then_some("--pty"));
        args.extend(["--", STUBBORN]);
        let id = world.start(&args);
        let processes = pids(&world, &id, 4);
        assert_eq!(processes.len(), 4);
        // No unit's child, but it looks like one.
        let mut bystander = Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap();
        world.ok(&["stop", &id, "--grace", "200ms"]);
        assert!(!processes.iter().any(Identity::is_alive));
        assert!(bystander.try_wait().unwrap().is_none());
        bystander.kill().unwrap();
        bystander.wait().unwrap();
        assert_eq!(world.unit(&id)["status"], "killed");
        assert_eq!(world.ok(&["sweep"]), "");
    }
}

#[test]
fn several_are_stopped_at_once_and_what_is_not_there_is_told() {
    let world = World::new();
    let [a, b] = ["one", "two"].map(|name| world.start(&[name, "--", "sleep 60"]));
    let mistyped = world.command(&["stop", "one", "twoo"]).output().unwrap();
    assert!(stderr(&mistyped).contains("try: `two`"), "{}", stderr(&mistyped));
    assert_eq!(mistyped.status.code(), Some(1));
    assert_eq!(world.unit(&a)["status"], "killed");
    let a = world.start(&["one", "--", "sleep 60"]);
    world.ok(&["stop", "one", "two", &a]);
    for id in [&a, &b] {
        assert_eq!(world.unit(id)["status"], "killed");
    }
    let again = world.command(&["stop", "one", "two"]).output().unwrap();
    assert_eq!((again.status.code(), stderr(&again).matches("has ended").count()), (Some(1), 2));
}

#[test]
fn the_marker_holds_the_session_that_asked() {
    let world = World::new();
    for (session, expected) in [(Some("s-7"), "s-7\n"), (None, "")] {
        let id = world.start(&["--", "sleep 60"]);
        let mut stop = world.command(&["stop", &id]);
        if let Some(session) = session {
            stop.env("IDLERGEAR_SESSION", session);
        }
        assert!(stop.output().unwrap().status.success());
        assert_eq!(world.0.read(&format!(".idlergear/runs/{id}/stop")), expected);
    }
}

#[test]
fn what_a_unit_left_behind_is_listed_and_stopped_when_asked_for() {
    let world = World::new();
    let script = "setsid bash -c 'echo $$; touch $IDLERGEAR_RUN_ID; exec sleep 60' &
        until [ -e $IDLERGEAR_RUN_ID ]; do sleep 0.02; done";
    let (one, other) = (world.start(&["one", "--", script]), world.start(&["other", "--", script]));
    for id in [&one, &other] {
        assert_eq!(world.end_of(id), 0);
    }
    let [first, second] = [&one, &other].map(|id| pids(&world, id, 1).remove(0));
    let listed = world.json(&["sweep", "--json"]);
    assert_eq!(listed["orphans"].as_array().unwrap().len(), 2);
    let table = world.ok(&["sweep"]);
    assert!(table.contains(&first.pid.to_string()) && table.contains(&other), "{table}");
    // Their records are the proof.
    assert!(stderr(&world.ig(&["clear", "-y"])).contains("kept 2 ended units"));
    world.ok(&["sweep", "--stop", "one"]);
    assert!(!first.is_alive() && second.is_alive());
    let unknown = world.ig(&["sweep", "--stop", "one"]);
    assert!(stderr(&unknown).contains("no unit called `one` left anything behind"));
    world.ok(&["sweep", "--all"]);
    assert!(!second.is_alive());
}

#[test]
fn a_sweep_spares_live_units_and_the_shell_around_it() {
    let world = World::new();
    let live = world.start(&["live", "--", "sleep 60"]);
    let process = Identity::of(pid(&world.unit(&live)["pid"])).unwrap();
    let id = world.start(&["short", "--", "true"]);
    world.end_of(&id);
    // A shell that a unit left behind, and in which somebody sweeps.
    let mut shell = world.0.command("bash");
    shell.args(["-c", "ig sweep --all; echo survived"]);
    shell.env("IDLERGEAR_NO_DAEMON", "1").env("IDLERGEAR_RUN_ID", &id);
    shell.env("IDLERGEAR_PROJECT", world.0.project());
    let output = shell.output().unwrap();
    assert_eq!(stdout(&output), "survived\n");
    assert!(stderr(&output).contains("it is an ancestor of this command"));
    assert!(process.is_alive());
    world.ok(&["stop", &live]);
}

/// In a pid namespace of its own the next pid can be chosen: the unit's pid is given to a bystander
/// while its record still says that it runs.
#[test]
fn a_pid_that_was_given_to_somebody_else_is_never_signalled() {
    let Some(unshare) = tool("unshare") else { return };
    let script = r#"
        set -e
        export IDLERGEAR_NO_DAEMON=1
        id=$(ig start victim -- 'setsid sleep 61 & echo up; exec sleep 60' 2>/dev/null)
        ig wait $id --until match:up 2>/dev/null
        pid=$(ig run status $id --json | sed -n 's/^  "pid": \([0-9]*\),$/\1/p')
        runner=$(ps -o ppid= -p $pid | tr -d ' ')
        kill -KILL $runner; kill -KILL $pid
        while [ -e /proc/$pid ]; do sleep 0.01; done
        for try in $(seq 200); do
            echo $((pid - 1)) > /proc/sys/kernel/ns_last_pid
            sleep 60 & other=$!
            [ $other = $pid ] && break
            kill $other; wait $other || :
        done
        [ $other = $pid ] || { echo "no luck"; exit 3; }
        # The record, as it stood when it ran.
        ig stop $id --grace 1s && echo stopped || echo refused
        kill -0 $other && echo "the bystander lives"
        ig sweep --all --grace 1s 2>&1
        kill -0 $other && echo "the bystander lives on"
        kill $other
    "#;
    let world = Sandbox::with_project();
    let mut command = world.command(unshare.to_str().unwrap());
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c", script]);
    let output = command.output().unwrap();
    let refusals = [
        "unshare failed",
        "root filesystem propagation", // in a chroot
        "Operation not permitted",
        "Permission denied",
        "Read-only file system",
    ];
    if refusals.iter().any(|words| stderr(&output).contains(words)) {
        eprintln!("SKIPPED: no pid namespace can be had here: {}", stderr(&output));
        return;
    }
    let told = stdout(&output);
    assert!(output.status.success(), "{told}\n{}", stderr(&output));
    assert!(told.contains("refused\nthe bystander lives\n"), "{told}\n{}", stderr(&output));
    assert!(told.contains("stopped 1 of 1\nthe bystander lives on"), "{told}");
}
