//! How a command ends is how the run ends: codes, signals, what cannot start, a closed terminal.

use crate::support::pty::{Terminal, hang_up_after};
use crate::support::wait_until;
use crate::{RUN, SHELLS, command, in_terminal, quiet, shell, unit};

#[test]
fn every_exit_code_is_passed_on() {
    let world = quiet();
    let script =
        format!("for c in $(seq 0 255); do {RUN} sh -c \"exit $c\"; echo \"$c=$?;\"; done");
    let ended = Terminal::start(command(&world, "bash", &["-c", &script])).patient(600).end();
    for code in 0..=255 {
        assert!(ended.output.contains(&format!("{code}={code};")), "{code}:\n{}", ended.output);
    }
}

#[test]
fn deaths_are_what_a_shell_sees_of_the_bare_command() {
    let world = quiet();
    for (name, number) in [("TERM", 15), ("KILL", 9), ("SEGV", 11), ("HUP", 1), ("PIPE", 13)] {
        let ended = in_terminal(&world, &format!("{RUN} sh -c 'kill -{name} $$'; echo \"=$?;\""));
        assert!(ended.output.contains(&format!("={};", 128 + number)), "{name}: {}", ended.output);
        assert_eq!(unit(&world)["signal"], number, "{name}");
    }
    let run = command(&world, "ig", &["run", "--quiet", "--", "sh", "-c", "kill -INT $$"]);
    assert_eq!(Terminal::start(run).end().signal, Some(2));
    assert_eq!(unit(&world)["signal"], 2);
}

#[test]
fn what_cannot_start_has_the_shells_codes() {
    let world = quiet();
    world.write("plain", "echo hi\n");
    world.write("bad", "#!/no/such/interpreter\n");
    world.write("folder/file", "");
    let bare = in_terminal(
        &world,
        "chmod +x bad; for c in ./none no-such ./plain ./bad ./folder; do $c; echo \"$c=$?;\"; done",
    );
    let ours = format!(
        "for c in ./none no-such ./plain ./bad ./folder; do {RUN} $c; echo \"$c=$?;\"; done"
    );
    let ours = in_terminal(&world, &ours);
    for command in ["./none=127;", "no-such=127;", "./plain=126;", "./bad=126;", "./folder=126;"] {
        assert!(ours.output.contains(command), "{command}\n{}", ours.output);
        let known = bare.output.contains(command) || command.starts_with("./bad");
        assert!(known, "bash has another code than {command}\n{}", bare.output);
    }
    assert!(ours.output.contains("cannot run `./folder`: it is a folder"), "{}", ours.output);
}

/// As shells and `env` start it.
#[test]
fn a_script_that_names_no_interpreter_is_one_for_sh() {
    let world = quiet();
    world.write("plain", "echo \"$1-$((1+1))\"; exit 3\n");
    let line = format!("chmod +x plain; {RUN} ./plain in; echo =$?");
    let piped = world.bash(&line);
    let piped = String::from_utf8_lossy(&piped.stdout).replace('\n', "\r\n");
    for output in [in_terminal(&world, &line).output, piped] {
        assert!(output.contains("in-2\r\n=3\r\n"), "{output}");
    }
}

#[test]
fn ctrl_c_and_ctrl_backslash_reach_the_command() {
    for (key, signal) in [("\x03", 2), ("\x1c", 3)] {
        let world = quiet();
        world.write("note", "up\n");
        let run = command(&world, "ig", &["run", "--quiet", "--", "tail", "-f", "note"]);
        let mut terminal = Terminal::start(run);
        terminal.expect("up");
        terminal.send(key);
        assert_eq!(terminal.end().signal, Some(signal));
        assert_eq!(unit(&world)["signal"], signal);
    }
}

#[test]
fn a_command_that_handles_ctrl_c_decides() {
    let world = quiet();
    let script = "trap 'echo caught; exit 7' INT; echo up; while :; do sleep 0.1; done";
    let mut terminal =
        Terminal::start(command(&world, "ig", &["run", "--quiet", "--", "bash", "-c", script]));
    terminal.expect("up");
    terminal.send("\x03");
    terminal.expect("caught");
    assert_eq!(terminal.end().code, Some(7));
}

#[test]
fn ctrl_c_stops_a_loop_of_runs() {
    for name in SHELLS {
        let world = quiet();
        // Not `sh -c 'echo up; sleep 60'`: dash forgets a key that comes while it starts `sleep`.
        world.write("note", "up-2\n");
        let mut terminal = shell(&world, name);
        terminal.send(&format!("for i in 1 2 3; do {RUN} tail -f note; done\r"));
        terminal.expect("up-2");
        terminal.send("\x03");
        terminal.expect("ready> ");
        terminal.send("echo still-$((1+1)); exit\r");
        terminal.expect("still-2");
        let seen = terminal.end().output;
        assert_eq!(seen.matches("up-2").count(), 1, "{name}: {seen}");
    }
}

#[test]
fn a_closed_terminal_hangs_up_the_command_and_is_recorded() {
    for name in SHELLS {
        let world = quiet();
        let run = format!("{RUN} sh -c 'echo up; sleep 60; echo no'; :");
        hang_up_after(
            "up",
            &command(&world, name, &["-f", "-i", "-c", &run][usize::from(name == "bash")..]),
        );
        wait_until("the hangup is recorded", || unit(&world)["signal"] == 1);
        assert_eq!(unit(&world)["status"], "killed");
        assert_eq!(unit(&world)["metadata"]["ended_by"], "hangup");
    }
}

#[test]
fn what_a_command_does_on_hangup_is_kept() {
    let world = quiet();
    let script = "trap 'echo bye; exit 3' HUP; echo up; while :; do sleep 0.1; done";
    let run = command(&world, "ig", &["run", "--quiet", "--", "bash", "-c", script]);
    hang_up_after("up", &run);
    wait_until("its end is recorded", || unit(&world)["exit_code"] == 3);
    assert_eq!(unit(&world)["metadata"]["ended_by"], "hangup");
    assert!(world.ok(&["logs", "bash"]).ends_with("bye\n"));
}

#[test]
fn a_killed_runner_leaves_the_terminal_as_it_was_and_the_command_alone() {
    let world = quiet();
    let command_line = "trap \"touch hung; exit\" HUP; echo up; \
                        until [ -e go ]; do sleep 0.05; done; exit 3";
    let script = format!(
        "a=$(stty -g); {RUN} bash -c '{command_line}'; \
         until [ \"$a\" = \"$(stty -g)\" ]; do sleep 0.05; done; echo same"
    );
    let mut terminal = Terminal::start(command(&world, "bash", &["-c", &script]));
    terminal.expect("up");
    let runner = serde_json::from_value(unit(&world)["runner"].clone()).unwrap();
    assert!(idlergear::os::signal(&runner, rustix::process::Signal::KILL));
    terminal.expect("same");
    assert_eq!(terminal.end().code, Some(0));
    wait_until("it is told", || unit(&world)["metadata"]["runner_lost"] == true);
    assert_eq!(unit(&world)["status"], "running");
    world.write("go", "");
    wait_until("it is known how it ended", || unit(&world)["exit_code"] == 3);
    assert!(!world.project().join("hung").exists());
}

#[test]
fn a_killed_monitor_loses_nothing() {
    let world = quiet();
    let script = "trap '' HUP; echo monitor $PPID.; read -r x; echo got $x; exit 3";
    let run = command(&world, "ig", &["run", "--quiet", "--", "bash", "-c", script]);
    let mut terminal = Terminal::start(run);
    terminal.expect("monitor ");
    terminal.expect(".");
    let seen = terminal.seen();
    let pid: u32 =
        seen[seen.find("monitor ").unwrap() + 8..].split('.').next().unwrap().parse().unwrap();
    let monitor = idlergear::os::Identity::of(pid).unwrap();
    assert!(idlergear::os::signal(&monitor, rustix::process::Signal::KILL));
    wait_until("it is gone", || !monitor.is_alive());
    terminal.send("it\r");
    let ended = terminal.end();
    assert_eq!(ended.code, Some(125), "how it ended cannot be known: {}", ended.output);
    assert!(ended.output.contains("monitor"));
}
