//! Streams sent elsewhere one by one, closed, or no terminal at all; and output to the last byte.

use std::process::Stdio;

use crate::support::pty::Terminal;
use crate::support::{stderr, stdout};
use crate::{RUN, command, in_terminal, quiet};

/// Tells which streams are terminals.
const TELL: &str = "for f in 0 1 2; do [ -t $f ] && echo $f-tty >>told || echo $f-no >>told; done; \
                    echo out; echo err >&2";

#[test]
fn each_stream_can_be_sent_elsewhere() {
    for (elsewhere, has) in [
        ("", "0-tty 1-tty 2-tty"),
        ("</dev/null", "0-no 1-no 2-no"),
        (">out", "0-tty 1-no 2-no"),
        ("2>err", "0-tty 1-tty 2-no"),
    ] {
        let world = quiet();
        let ended = in_terminal(&world, &format!("{RUN} sh -c '{TELL}' {elsewhere}"));
        assert_eq!(ended.code, Some(0));
        let told = world.read("told");
        assert_eq!(told.split_whitespace().collect::<Vec<_>>().join(" "), has, "{elsewhere}");
        let read = |name: &str| std::fs::read_to_string(world.project().join(name));
        assert_eq!(read("out").is_ok_and(|text| text == "out\n"), elsewhere == ">out");
        assert_eq!(read("err").is_ok_and(|text| text == "err\n"), elsewhere == "2>err");
        assert_eq!(ended.output.contains("out"), elsewhere != ">out", "{elsewhere}");
        assert_eq!(ended.output.contains("err"), elsewhere != "2>err", "{elsewhere}");
    }
}

#[test]
fn a_closed_pipe_ends_the_command_as_without_us() {
    let world = quiet();
    for prefix in ["", RUN] {
        let ended =
            in_terminal(&world, &format!("{prefix} yes | head -1; echo \"${{PIPESTATUS[*]}}.\""));
        assert!(ended.output.contains("141 0."), "{prefix}: {}", ended.output);
    }
}

#[test]
fn a_terminal_whose_reader_leaves_hangs_up() {
    let world = quiet();
    let ended =
        in_terminal(&world, "ig run --quiet --pty -- yes | head -1; echo \"${PIPESTATUS[*]}.\"");
    // Whichever comes first: the hangup's signal, or the failing write to a terminal that is gone.
    let told = ["129 0.", "1 0."].iter().any(|codes| ended.output.contains(codes));
    assert!(told, "{}", ended.output);
}

#[test]
fn without_any_terminal_it_works_too() {
    let world = quiet();
    let mut run =
        command(&world, "setsid", &["-w", "ig", "run", "--", "sh", "-c", "echo hi; exit 3"]);
    let output = run.stdin(Stdio::null()).output().unwrap();
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("hi\n", ""));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn ctrl_d_ends_the_input() {
    let world = quiet();
    let mut terminal = Terminal::start(command(
        &world,
        "ig",
        &["run", "--quiet", "--", "sh", "-c", "echo up; cat; echo end"],
    ));
    terminal.expect("up");
    terminal.send("line\r");
    terminal.expect("line");
    terminal.send("\x04");
    terminal.expect("end");
    assert_eq!(terminal.end().code, Some(0));
}

#[test]
fn output_is_complete_to_the_last_byte() {
    for _ in 0..3 {
        let world = quiet();
        let run = command(&world, "ig", &["run", "--quiet", "--", "seq", "200000"]);
        let ended = Terminal::start(run).patient(600).end();
        assert_eq!(ended.code, Some(0));
        let expected: String =
            (1..=200_000).fold(String::new(), |text, n| text + &n.to_string() + "\r\n");
        assert!(ended.output == expected, "{} of {} bytes", ended.output.len(), expected.len());
        let unit = crate::unit(&world);
        let log = std::fs::read_to_string(unit["logs"]["output"].as_str().unwrap()).unwrap();
        assert!(log == expected, "{} of {} bytes in the log", log.len(), expected.len());
    }
}
