//! Job control: Ctrl-Z, `fg`, `bg` and `&` are what they are for the bare command.

use crate::support::pty::Terminal;
use crate::support::wait_until;
use crate::{RUN, SHELLS, command, quiet, shell, unit, unit_or_none};

/// Runs `session` with the bare command, then under `ig`, in every shell.
fn bare_and_ours(session: impl Fn(&mut Terminal, &str)) {
    for name in SHELLS {
        for prefix in ["", RUN] {
            let world = quiet();
            let mut terminal = shell(&world, name);
            session(&mut terminal, prefix);
            terminal.send("exit 5\r");
            assert_eq!(terminal.end().code, Some(5), "{name} {prefix}");
        }
    }
}

#[test]
fn ctrl_z_stops_and_fg_goes_on() {
    bare_and_ours(|terminal, prefix| {
        terminal.send(&format!("{prefix} sh -c 'echo up-$((1+1)); read x; echo got-$x; exit 9'\r"));
        terminal.expect("up-2");
        terminal.send("\x1a");
        terminal.expect("ready> ");
        terminal.send("stty -a | tr ' ' '\\n' | grep -E '^-?(icanon|isig);?$' | xargs\r");
        terminal.expect("isig icanon");
        terminal.expect("ready> ");
        terminal.send("jobs\r");
        terminal.expect("sh -c");
        terminal.expect("ready> ");
        terminal.send("fg\r");
        terminal.expect("sh -c");
        terminal.send("it\r");
        terminal.expect("got-it");
        terminal.expect("ready> ");
        terminal.send("echo code-$?;\r");
        terminal.expect("code-9");
    });
}

#[test]
fn ctrl_z_again_and_again() {
    bare_and_ours(|terminal, prefix| {
        // That the job is told on its screen is not yet that it has the keys: it says so itself.
        let on = "trap \"echo on-\\$((1+1))\" CONT";
        let read = "until read x; do :; done";
        terminal.send(&format!("{prefix} sh -c '{on}; echo up-$((1+1)); {read}; echo got-$x'\r"));
        terminal.expect("up-2");
        for _ in 0..5 {
            terminal.send("\x1a");
            terminal.expect("ready> ");
            terminal.send("fg\r");
            terminal.expect("on-2");
        }
        terminal.send("it\r");
        terminal.expect("got-it");
        terminal.expect("ready> ");
    });
}

#[test]
fn ctrl_z_then_bg_runs_on_and_may_write() {
    bare_and_ours(|terminal, prefix| {
        let go = "until [ -e go ]; do sleep 0.05; done; rm go; echo went-$((1+1))";
        terminal.send(&format!("{prefix} bash -c 'echo up-$((1+1)); {go}'\r"));
        terminal.expect("up-2");
        terminal.send("\x1a");
        terminal.expect("ready> ");
        terminal.send("bg\r");
        terminal.expect("ready> ");
        terminal.send("touch go; wait; echo waited-$?;\r");
        terminal.expect("went-2");
        terminal.expect("waited-0");
        terminal.expect("ready> ");
    });
}

#[test]
fn a_background_job_writes() {
    bare_and_ours(|terminal, prefix| {
        terminal.send(&format!(
            "{prefix} sh -c 'echo back-$((1+1)); exit 4' & wait $!; echo code-$?;\r"
        ));
        terminal.expect("back-2");
        terminal.expect("code-4");
        terminal.expect("ready> ");
    });
}

#[test]
fn a_background_job_that_reads_is_stopped_until_it_is_brought_back() {
    bare_and_ours(|terminal, prefix| {
        terminal.send(&format!("{prefix} sh -c 'echo up-$((1+1)); read x; echo got-$x' &\r"));
        terminal.expect("up-2");
        terminal.send(
            "until jobs >list; grep -qE 'Stopped|suspended' list; do sleep 0.05; done; echo seen-$((1+1))\r",
        );
        terminal.expect("seen-2");
        terminal.expect("ready> ");
        terminal.send("fg\r");
        terminal.expect("sh -c");
        terminal.send("it\r");
        terminal.expect("got-it");
        terminal.expect("ready> ");
    });
}

#[test]
fn a_running_job_that_is_brought_to_the_foreground_gets_the_keys() {
    bare_and_ours(|terminal, prefix| {
        // It reads once the terminal is its own, which is after its shell says so: nothing stops it.
        let own = "set -- $(ps -o pgid=,tpgid= -p $$); [ $1 = $2 ]";
        let script = format!(
            "echo up-$((1+1)); until {own}; do sleep 0.05; done; echo mine-$((1+1)); read x; echo got-$x"
        );
        terminal.send(&format!("{prefix} bash -c '{script}' &\r"));
        terminal.expect("up-2");
        terminal.send("fg\r");
        terminal.expect("mine-2");
        terminal.send("it\r");
        terminal.expect("got-it");
        terminal.expect("ready> ");
    });
}

#[test]
fn where_nobody_can_bring_it_back_a_job_that_reads_is_hung_up() {
    for name in SHELLS {
        let world = quiet();
        let mut terminal = shell(&world, name);
        terminal.send(&format!("bash -c 'set -m; {RUN} cat &'\r"));
        terminal.expect("ready> ");
        wait_until("it is hung up", || {
            unit_or_none(&world).is_some_and(|unit| unit["signal"] == 1)
        });
        terminal.send("exit\r");
        terminal.end();
    }
}

#[test]
fn a_stopped_job_can_be_ended() {
    for name in SHELLS {
        let world = quiet();
        world.write("note", "up-2\n");
        let mut terminal = shell(&world, name);
        terminal.send(&format!("{RUN} tail -f note\r"));
        terminal.expect("up-2");
        terminal.send("\x1a");
        terminal.expect("ready> ");
        world.ok(&["stop", unit(&world)["id"].as_str().unwrap(), "--grace", "1h"]);
        assert_eq!(unit(&world)["signal"], 15);
        terminal.send("exit\r");
        terminal.end();
    }
}

#[test]
fn a_pipeline_stops_and_goes_on_as_one() {
    bare_and_ours(|terminal, prefix| {
        let go = "until [ -e go ]; do sleep 0.05; done; rm go; echo went-$((1+1))";
        terminal.send(&format!("{prefix} bash -c 'echo up-$((1+1)); {go}' | cat\r"));
        terminal.expect("up-2");
        terminal.send("\x1a");
        terminal.expect("ready> ");
        terminal.send("touch go; fg\r");
        terminal.expect("went-2");
        terminal.expect("ready> ");
    });
}

#[test]
fn a_stop_from_elsewhere_is_a_stop_of_the_job() {
    bare_and_ours(|terminal, prefix| {
        terminal
            .send(&format!("{prefix} sh -c 'echo up-$((1+1)); kill -STOP $$; echo on-$((1+1))'\r"));
        terminal.expect("up-2");
        terminal.expect("ready> ");
        terminal.send("fg\r");
        terminal.expect("on-2");
        terminal.expect("ready> ");
    });
}

#[test]
fn where_no_shell_watches_ctrl_z_does_nothing() {
    let world = quiet();
    let script = "echo up; read x; echo got-$x";
    let run = command(&world, "ig", &["run", "--quiet", "--", "sh", "-c", script]);
    let mut terminal = Terminal::start(run);
    terminal.expect("up");
    terminal.send("\x1a");
    terminal.send("it\r");
    terminal.expect("got-it");
    assert_eq!(terminal.end().code, Some(0));
}

/// Waits until what was started last is `sleep`, and the shell that starts it no more.
const IT_SLEEPS: &str = "until grep -q sleep /proc/$!/comm; do :; done";

#[test]
fn what_is_left_behind_lives_and_is_named() {
    let world = quiet();
    let line = format!("sleep 61 & {IT_SLEEPS}; echo pid$((1+1))-$!.; exit 3");
    let run = command(&world, "ig", &["run", "--", "sh", "-c", &line]);
    let mut terminal = Terminal::start(run);
    terminal.expect("pid2-");
    terminal.expect(".");
    let ended = terminal.end();
    let at = ended.output.find("pid2-").unwrap() + 5;
    let pid: u32 = ended.output[at..].split('.').next().unwrap().parse().unwrap();
    let left = idlergear::os::Identity::of(pid).expect("it lives on, as it would without us");
    assert!(idlergear::os::signal(&left, rustix::process::Signal::KILL));
    let told = format!("still running: pid {pid} sleep 61");
    assert!(ended.output.contains(&told), "{}", ended.output);
    assert_eq!((ended.code, &unit(&world)["exit_code"]), (Some(3), &3.into()));
}

#[test]
fn what_left_its_terminal_and_its_streams_is_named_too() {
    let world = quiet();
    let line = format!("setsid sleep 62 </dev/null >/dev/null 2>&1 & {IT_SLEEPS}; exit 3");
    let run = command(&world, "ig", &["run", "--", "sh", "-c", &line]);
    let ended = Terminal::start(run).end();
    let survivors = unit(&world)["metadata"]["survivors"].clone();
    let pid = u32::try_from(survivors[0]["pid"].as_u64().unwrap()).unwrap();
    let left = idlergear::os::Identity::of(pid).expect("it lives on, as it would without us");
    assert!(idlergear::os::signal(&left, rustix::process::Signal::KILL));
    assert_eq!(survivors[0]["command"], "sleep 62");
    assert!(
        ended.output.contains(&format!("still running: pid {pid} sleep 62")),
        "{}",
        ended.output
    );
    assert_eq!(ended.code, Some(3));
}
