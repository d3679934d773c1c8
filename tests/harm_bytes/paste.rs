//! A command is shown so that it can be pasted, and has a hash of its own.

use crate::support::{Sandbox, pty::Terminal, stderr, stdout};
use crate::{alone, last, run};

#[test]
fn commands_that_differ_have_hashes_that_differ() {
    let world = Sandbox::with_project();
    let mut hashes = Vec::new();
    let commands: [&[&str]; 3] =
        [&["sh", "-c", "echo a b"], &["sh", "-c", "echo", "a", "b"], &["sh -c echo a b"]];
    for words in commands {
        run(alone(&world, "ig").arg("run").arg("--").args(words));
        let unit = last(&world);
        hashes.push(unit["script"]["sha256"].as_str().unwrap().to_owned());
        // The same words are the same command, also for those who put themselves under the runner.
        run(alone(&world, "ig-agent").arg("run").arg("--").args(words));
        assert_eq!(last(&world)["script"]["sha256"], hashes[hashes.len() - 1]);
    }
    assert_eq!(hashes[2], idlergear::hash::sha256(b"sh -c echo a b"), "the string itself");
    assert_eq!(hashes[0], idlergear::hash::sha256(b"sh\0-c\0echo a b"));
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 3);
}

#[test]
fn what_is_shown_runs_the_same_when_it_is_pasted() {
    let world = Sandbox::with_project();
    let odd: [&[&str]; 6] = [
        &["printf", "%s|", "a b", "", "it's", "$HOME", "*", "~", "x\\y", "#"],
        &["printf", "%s|", "new\nline", "tab\t", "\u{1b}[31m", "\u{202e}gnp", "grüße"],
        &["sh", "-c", "printf '%s|' \"$@\"", "sh", "a;b", "!x", "{a,b}"],
        &["env", "A=b c", "printenv", "A"],
        &["printf", "%s", "\r\u{7}\u{9b}0"],
        &["printf", "%s", "'\\''"],
    ];
    for words in odd {
        let output = run(alone(&world, "ig").args(["run", "--"]).args(words));
        let command = last(&world)["command"].as_str().unwrap().to_owned();
        assert_eq!(idlergear::neutral::line(&command), command, "nothing in it is invisible");
        let pasted = run(alone(&world, "bash").args(["-c", &command]));
        assert_eq!(stdout(&pasted), stdout(&output), "{command}");
        // And once more through us.
        assert_eq!(run(alone(&world, "ig").args(["run", &command])).stdout, output.stdout);
    }
}

#[test]
fn the_header_shows_names_without_their_tricks() {
    let world = Sandbox::with_project();
    let script = world.write("evil\u{202e}gnp\nID:     run_forged.sh", "echo hi\n");
    let mut ig = alone(&world, "ig");
    let output = run(ig.args(["run", "--banner", "bash"]).arg(&script));
    let text = stderr(&output);
    assert!(text.contains(r"evil\u{202e}gnp\u{a}ID:     run_forged.sh (hash: "), "{text}");
    assert!(!text.contains('\u{202e}') && text.matches("\nID:").count() == 1, "{text}");
}

#[test]
fn the_header_says_where_the_output_goes() {
    let world = Sandbox::with_project();
    let header = |command: &mut std::process::Command| {
        stderr(&run(command.args(["run", "--banner", "--stream", "true"])))
    };
    let text = header(&mut alone(&world, "ig"));
    assert!(text.contains("Logs:   kept here, not streamed: the daemon is not told\n"), "{text}");
    let text = header(world.command("ig").env("IDLERGEAR_NO_AUTOSTART", "1"));
    assert!(text.contains("Logs:   kept here, not streamed: no daemon is running\n"), "{text}");
    world.ok(&["daemon", "start"]);
    let text = header(&mut world.command("ig"));
    assert!(text.contains("Logs:   streaming to daemon\n"), "{text}");
    world.ok(&["daemon", "stop"]);
}

/// Nothing is taken from a command without a word.
#[test]
fn a_last_stream_is_ours_only_where_that_can_be_said() {
    let world = Sandbox::with_project();
    let mut quiet = alone(&world, "ig");
    assert_eq!(stdout(&run(quiet.args(["run", "-q", "echo", "a", "--stream"]))), "a --stream\n");
    assert_eq!(last(&world)["stream_logs"], false);
    let mut usual = alone(&world, "ig");
    assert_eq!(stdout(&run(usual.args(["run", "echo", "a", "--stream"]))), "a\n");
    assert_eq!(last(&world)["stream_logs"], true);
}

#[test]
fn words_that_are_not_understood_end_with_2_but_for_the_command_that_runs() {
    let world = Sandbox::with_project();
    let cases: [(&[&str], i32); 7] = [
        (&["run"], 125),
        (&["run", "--name"], 125),
        (&["run", "generate-script"], 2),
        (&["run", "generate-script", "x"], 2),
        (&["run", "status", "--nope"], 2),
        (&["run", "complete"], 2),
        (&["run", "register", ""], 2),
    ];
    for (words, code) in cases {
        let output = alone(&world, "ig").args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", stderr(&output));
    }
}

#[test]
fn what_cannot_start_is_told_as_it_is() {
    let world = Sandbox::with_project();
    let file = world.write("x.sh", "#!/bin/sh\necho hi\n");
    let said = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        (output.status.code(), stderr(&output))
    };
    let (code, text) = said(alone(&world, "ig").args(["run", "x.sh"]));
    assert_eq!(code, Some(127), "{text}");
    assert!(text.contains("`x.sh`: command not found") && text.contains("bash x.sh"), "{text}");
    let (code, text) = said(alone(&world, "ig").arg("run").arg(&file));
    assert!(code == Some(126) && text.contains("permission denied"), "{text}");
    let (code, text) = said(
        alone(&world, "ig")
            .args(["run", "echo a; echo b"])
            .env("IDLERGEAR_SHELL", "/no/such/shell"),
    );
    assert_eq!(code, Some(127), "{text}");
    let parts = ["the shell `/no/such/shell`", "processes.execution.shell_path", "IDLERGEAR_SHELL"];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}

#[test]
fn an_option_that_must_be_text_says_so() {
    use std::os::unix::ffi::OsStrExt;
    let world = Sandbox::with_project();
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let output = alone(&world, "ig").args(["start", "--group"]).arg(odd).output().unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("`caf\u{fffd}` is not UTF-8 text"), "{text}");
}

/// The header is seen on a terminal too, where it could do harm.
#[test]
fn a_terminal_gets_nothing_but_text_from_the_header() {
    let world = Sandbox::with_project();
    let mut ig = alone(&world, "ig");
    ig.args(["run", "--", "true", "\u{1b}]0;title\u{7}", "\u{9b}2J"]);
    let ended = Terminal::start(ig).end();
    assert!(ended.output.contains("Run:    true $'\\e]0;title\\007'"), "{:?}", ended.output);
    assert!(!ended.output.contains('\u{1b}') && !ended.output.contains('\u{7}'));
}
