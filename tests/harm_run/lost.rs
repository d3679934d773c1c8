//! A runner that is killed takes nothing along, and what happened is told.

use super::*;

/// Writes, and ends when it is told to.
const JOB: &str =
    "echo $$ >pid; until [ -e go ]; do echo tick; sleep 0.02; done; echo last; exit 7";

/// Starts it in the background, and waits until somebody is there to take over.
fn start(world: &World, pty: bool, script: &str) -> Value {
    let mut words = vec!["start", "job"];
    words.extend(pty.then_some("--pty"));
    words.extend(["--", "bash", "-c", script]);
    world.ok(&words);
    wait_until("there is a keeper", || world.unit("job")["keeper"].is_object());
    world.unit("job")
}

#[test]
fn the_command_lives_on_and_its_end_is_known() {
    for pty in [false, true] {
        let world = World::new();
        let unit = start(&world, pty, JOB);
        let child = world.process_in("pid");
        end(&process(&unit, "runner"));
        wait_until("it is told", || world.unit("job")["metadata"]["runner_lost"] == true);
        let ticks = || world.ok(&["logs", "job"]).matches("tick").count();
        let before = ticks();
        wait_until("it is kept", || ticks() > before + 10);
        assert!(child.is_alive());
        assert_eq!(world.unit("job")["status"], "running");
        world.0.write("go", "");
        wait_until("its end is known", || world.unit("job")["status"] != "running");
        let unit = world.unit("job");
        let by = if pty { "runner" } else { "kernel" };
        let expected = (&"failed".into(), &7.into(), &by.into(), &true.into());
        let found =
            (&unit["status"], &unit["exit_code"], &unit["end"], &unit["metadata"]["runner_lost"]);
        assert_eq!(found, expected, "{unit:#}");
        assert!(world.ok(&["logs", "job"]).ends_with("last\n"));
        let keeper = process(&unit, "keeper");
        wait_until("nobody stays", || !keeper.is_alive());
    }
}

#[test]
fn a_unit_whose_runner_was_killed_is_stopped_by_name() {
    for pty in [false, true] {
        let world = World::new();
        let unit = start(&world, pty, JOB);
        let child = world.process_in("pid");
        end(&process(&unit, "runner"));
        world.ok(&["stop", "job"]);
        assert!(!child.is_alive());
        wait_until("it is recorded", || world.unit("job")["status"] == "killed");
        assert_eq!(world.unit("job")["signal"], 15);
    }
}

/// Also of one that is watched, and nobody types any more: its terminal is as it was.
#[test]
fn a_command_in_a_terminal_lives_on() {
    let world = World::new();
    let words = ["-c", &format!("ig run -q --name job -- bash -c '{JOB}'; echo code=$?")];
    let mut terminal = support::pty::Terminal::start(world.command("bash", &words));
    terminal.expect("tick");
    let unit = world.unit("job");
    let child = world.process_in("pid");
    end(&process(&unit, "runner"));
    terminal.expect("code=137");
    assert_eq!(terminal.end().code, Some(0));
    wait_until("it is told", || world.unit("job")["metadata"]["runner_lost"] == true);
    assert!(child.is_alive());
    world.0.write("go", "");
    wait_until("its end is known", || world.unit("job")["exit_code"] == 7);
    assert!(world.ok(&["logs", "job"]).ends_with("last\n"));
}

/// Neither its runner nor anybody else: nothing is made up.
#[test]
fn an_end_that_nobody_saw_is_told_as_that() {
    let world = World::new();
    let unit = start(&world, false, JOB);
    let all = ["runner", "keeper", "process"].map(|field| process(&unit, field));
    all.iter().for_each(end);
    let unit = world.unit("job");
    let found = (&unit["status"], &unit["end"], &unit["metadata"]["runner_lost"]);
    assert_eq!(found, (&"killed".into(), &"unknown".into(), &true.into()), "{unit:#}");
    let told = world.ok(&["run", "status", "job"]);
    assert!(told.contains("runner was lost"), "{told}");
}

#[test]
fn a_start_that_failed_leaves_its_cause() {
    let world = World::new();
    assert_eq!(world.ig(&["start", "job", "--", "no-such-program"]).status.code(), Some(127));
    let cause = "cannot run `no-such-program`: command not found";
    assert_eq!(world.unit("job")["metadata"]["failure"], cause);
    let told = world.ok(&["run", "status", "job"]);
    assert!(told.contains(cause), "{told}");
    let log = world.ok(&["logs", "job"]);
    assert!(log.contains(cause), "{log}");
}
