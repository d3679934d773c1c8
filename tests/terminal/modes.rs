//! The terminal itself: size, raw mode, echo, full-screen programs, and how it is left.

use rustix::process::Signal;

use crate::support::pty::Terminal;
use crate::support::{tool, wait_until};
use crate::{RUN, SHELLS, command, in_terminal, quiet, shell, unit};

#[test]
fn the_size_is_the_terminals_and_follows_it() {
    let world = quiet();
    let script = "trap 'stty size; echo resized' WINCH; stty size; echo up; \
                  until [ -e done ]; do sleep 0.05; done";
    // The terminal's own first size is set while the command starts: a key says that it is.
    let outer =
        format!("read -r; stty rows 33 cols 99; {RUN} bash -c '{}'", script.replace('\'', "'\\''"));
    let mut terminal = Terminal::start(command(&world, "bash", &["-c", &outer]));
    terminal.send("\r");
    terminal.expect("33 99");
    terminal.expect("up");
    terminal.resize(101, 44);
    terminal.expect("44 101");
    terminal.expect("resized");
    world.write("done", "");
    assert_eq!(terminal.end().code, Some(0));
}

#[test]
fn keys_come_one_by_one_in_raw_mode_and_unseen_without_echo() {
    let world = quiet();
    let script = "stty raw -echo; echo up; k=$(dd bs=1 count=3 2>/dev/null | od -An -tx1); \
                  stty sane; echo \"keys$k\"";
    let mut terminal =
        Terminal::start(command(&world, "ig", &["run", "--quiet", "--", "sh", "-c", script]));
    terminal.expect("up");
    terminal.send("a\x03\x1a");
    terminal.expect("keys 61 03 1a");
    let ended = terminal.end();
    assert_eq!(ended.code, Some(0));
    let world = quiet();
    let script = "stty -echo; echo up; read x; echo \"length ${#x}\"";
    let mut terminal =
        Terminal::start(command(&world, "ig", &["run", "--quiet", "--", "sh", "-c", script]));
    terminal.expect("up");
    terminal.send("secret\r");
    terminal.expect("length 6");
    assert!(!terminal.end().output.contains("secret"));
}

#[test]
fn the_terminal_is_left_as_it_was_whatever_death_there_is() {
    let world = quiet();
    for name in ["TERM", "KILL", "SEGV", "HUP", "PIPE", "ABRT"] {
        let ended = in_terminal(
            &world,
            &format!(
                "a=$(stty -g); {RUN} sh -c 'stty raw -echo; kill -{name} $$'; [ \"$a\" = \"$(stty -g)\" ] && echo same"
            ),
        );
        assert!(ended.output.contains("same"), "{name}: {}", ended.output);
    }
}

#[test]
fn the_terminal_is_left_as_it_was_when_the_runner_is_told_to_end() {
    for name in SHELLS {
        for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
            let world = quiet();
            let mut terminal = shell(&world, name);
            terminal.send("a=$(stty -g); echo noted-$((1+1))\r");
            terminal.expect("noted-2");
            terminal.expect("ready> ");
            terminal.send(&format!("{RUN} sh -c 'echo up-$((1+1)); exec sleep 60'\r"));
            terminal.expect("up-2");
            wait_until("it is recorded", || unit(&world)["pid"].is_u64());
            let runner = unit_runner(&world);
            assert!(idlergear::os::signal(&runner, signal));
            terminal.expect("ready> ");
            terminal.send("[ \"$a\" = \"$(stty -g)\" ] && echo same-$((1+1)); exit\r");
            terminal.expect("same-2");
            terminal.end();
            assert_eq!(unit(&world)["signal"], signal.as_raw());
        }
    }
}

/// The runner: the parent of the command's parent.
fn unit_runner(world: &crate::support::Sandbox) -> idlergear::os::Identity {
    let pid = u32::try_from(unit(world)["pid"].as_u64().unwrap()).unwrap();
    let monitor = idlergear::os::parent(pid).unwrap();
    idlergear::os::Identity::of(idlergear::os::parent(monitor).unwrap()).unwrap()
}

#[test]
fn a_full_screen_program_works() {
    for (program, args, quit) in
        [("vim", &["-u", "NONE", "text"][..], ":q!\r"), ("less", &["text"][..], "q")]
    {
        if tool(program).is_none() {
            continue;
        }
        for name in SHELLS {
            let world = quiet();
            world.write("text", "a line to be seen\n");
            let mut terminal = shell(&world, name);
            terminal.send(&format!("{RUN} {program} {}\r", args.join(" ")));
            terminal.expect("a line to be seen");
            terminal.send("\x1a");
            terminal.expect("ready> ");
            terminal.send("fg\r");
            terminal.expect("a line to be seen");
            terminal.send(quit);
            terminal.expect("ready> ");
            terminal.send("echo code-$?; exit\r");
            terminal.expect("code-0");
            terminal.end();
        }
    }
}

#[test]
fn a_shell_in_a_run_has_jobs_of_its_own() {
    for name in SHELLS {
        let world = quiet();
        let mut terminal = shell(&world, name);
        terminal.send(&format!("{RUN} env PS1='inner> ' bash --norc -i\r"));
        terminal.expect("inner> ");
        terminal.send("sh -c 'echo up-$((1+1)); read x; echo got-$x'\r");
        terminal.expect("up-2");
        terminal.send("\x1a");
        terminal.expect("inner> ");
        terminal.send("fg\r");
        terminal.expect("read x");
        terminal.send("it\r");
        terminal.expect("got-it");
        terminal.send("exit 6\r");
        terminal.expect("ready> ");
        terminal.send("echo code-$?; exit\r");
        terminal.expect("code-6");
        terminal.end();
    }
}
