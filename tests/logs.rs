//! `ig logs`: the part of a log that was asked for, no more, and harmless.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::process::{Command, Stdio};

use support::{Sandbox, stderr, stdout, succeed, wait_until};

/// A project with one run of `script` in it, called `job`.
fn ran(script: &str) -> Sandbox {
    let world = Sandbox::with_project();
    ig(&world, &["run", "--name", "job", "--", "bash", "-c", script]).output().unwrap();
    world
}

fn ig(world: &Sandbox, args: &[&str]) -> Command {
    let mut command = world.command("ig");
    command.args(args).env("IDLERGEAR_NO_DAEMON", "1");
    command
}

fn logs(world: &Sandbox, args: &[&str]) -> String {
    let output = ig(world, &[&["logs", "job"], args].concat()).output().unwrap();
    succeed(&output, args)
}

fn lines(world: &Sandbox, args: &[&str]) -> Vec<String> {
    logs(world, args).lines().map(str::to_owned).collect()
}

#[test]
fn ends_ranges_and_patterns_are_what_they_say() {
    let world = ran("seq 1000; printf 'no newline'");
    assert_eq!(lines(&world, &["--tail", "2"]), ["1000", "no newline"]);
    assert_eq!(lines(&world, &["--head", "2"]), ["1", "2"]);
    assert_eq!(lines(&world, &["--head", "0"]), Vec::<String>::new());
    assert_eq!(lines(&world, &["--range", "998:1000"]), ["998", "999", "1000"]);
    assert_eq!(lines(&world, &["--range", ":2"]), ["1", "2"]);
    assert_eq!(lines(&world, &["--range", "1000:"]), ["1000", "no newline"]);
    assert_eq!(lines(&world, &["--range", "7", "--number"]), ["     7  7"]);
    assert_eq!(lines(&world, &["--grep", "^99[0-9]$", "--tail", "3"]), ["997", "998", "999"]);
    assert_eq!(lines(&world, &["--grep", "5$", "--head", "2"]), ["5", "15"]);
    assert_eq!(lines(&world, &["--range", "10:30", "--grep", "0"]), ["10", "20", "30"]);
    assert_eq!(lines(&world, &["--tail", "9999"]).len(), 1001);
}

#[test]
fn wrong_questions_are_refused_with_a_way_out() {
    let world = ran("true");
    for (args, word) in [
        (["--grep", "("], "no regular expression"),
        (["--since", "soon"], "cannot read `soon` as a time"),
        (["--range", "9:1"], "ends before it begins"),
        (["--range", "x:"], "no line number"),
    ] {
        let output = ig(&world, &[&["logs", "job"], &args[..]].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
    }
}

#[test]
fn times_choose_lines() {
    let script =
        "echo early; until grep -qs early .idlergear/runs/*/stdout.log; do sleep 0.02; done
        sleep 0.3; echo late";
    let world = ran(script);
    let first: serde_json::Value =
        serde_json::from_str(&logs(&world, &["--head", "1", "--json"])).unwrap();
    let between = idlergear::time::parse(first["at"].as_str().unwrap()).unwrap()
        + std::time::Duration::from_millis(100);
    let between = idlergear::time::rfc3339(between);
    assert_eq!(lines(&world, &["--since", &between]), ["late"]);
    assert_eq!(lines(&world, &["--until", &between]), ["early"]);
    assert_eq!(lines(&world, &["--since", "10m"]), ["early", "late"]);
    assert_eq!(lines(&world, &["--until", "10m"]), Vec::<String>::new());
    assert_eq!(lines(&world, &["--since", &between, "--events"]), Vec::<String>::new());
}

#[test]
fn errors_come_with_what_explains_them() {
    let world = ran("seq 9; echo 'Traceback (most recent call last):'; echo '  File x'; \
                     echo 'ValueError: bad'; seq 9");
    let expected =
        ["8", "9", "Traceback (most recent call last):", "  File x", "ValueError: bad", "1", "2"];
    assert_eq!(lines(&world, &["--errors"]), expected);
}

#[test]
fn so_many_bytes_and_no_more() {
    let world = ran("seq 100 199");
    let output = ig(&world, &["logs", "job", "--max-bytes", "10"]).output().unwrap();
    assert_eq!(stdout(&output), "100\n101\n");
    assert!(stderr(&output).contains("--range 3:"), "{}", stderr(&output));
    assert_eq!(logs(&world, &["--max-bytes", "10", "--tail", "50"]), "198\n199\n");
}

#[test]
fn raw_is_byte_for_byte_and_everything_else_is_harmless() {
    let world = ran(r"printf '\033[2Jx\n\0\377 50%%\r100%%\nend'");
    let output = ig(&world, &["logs", "job", "--raw"]).output().unwrap();
    assert_eq!(output.stdout, b"\x1b[2Jx\n\0\xff 50%\r100%\nend");
    assert_eq!(lines(&world, &[]), ["x", "100%", "end"]);
    assert_eq!(lines(&world, &["--grep", "^100%$"]), ["100%"]);
}

#[test]
fn a_line_without_end_is_shown_cut_and_kept_whole() {
    let world = ran("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo after");
    let shown = lines(&world, &[]);
    assert_eq!(shown.len(), 2);
    assert!(shown[0].len() < 70_000 && shown[0].ends_with("left out]"));
    assert_eq!(logs(&world, &["--raw"]).len(), 3_000_007);
    assert_eq!(lines(&world, &["--tail", "1"]), ["after"]);
}

/// Memory of the reader stays small where a log has one endless line. The figure is the process's
/// own peak, as the shell's `ulimit` enforces it.
#[test]
fn an_endless_line_does_not_fill_memory() {
    let world = ran("head -c 100000000 /dev/zero | tr '\\0' x");
    for form in ["", "--raw", "--tail 1", "--grep y", "--json"] {
        let script = format!("ulimit -v 65536; ig logs job {form} | wc -c");
        let output = world.bash(&script);
        assert!(output.status.success() && stderr(&output).is_empty(), "{}", stderr(&output));
        let count: usize = stdout(&output).trim().parse().unwrap();
        assert_eq!(form == "--raw", count == 100_000_000, "{form}: {count}");
    }
}

#[test]
fn a_follower_sees_matches_as_they_come_and_the_end() {
    let world = Sandbox::with_project();
    let script = "echo one; echo skip; until [ -e go ]; do sleep 0.02; done; echo two; exit 3";
    let mut run = ig(&world, &["run", "--name", "job", "--", "bash", "-c", script])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("it wrote", || {
        let output = ig(&world, &["logs", "job"]).output().unwrap();
        stdout(&output).contains("skip")
    });
    let follower = ig(&world, &["logs", "job", "-f", "--grep", "o", "--tail", "5"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    world.write("go", "");
    assert_eq!(stdout(&follower.wait_with_output().unwrap()), "one\ntwo\n");
    assert_eq!(run.wait().unwrap().code(), Some(3));
}

#[test]
fn what_a_script_logged_is_picked_in_the_same_words() {
    let world = Sandbox::with_project();
    let script = "id=$(ig-agent register job); for i in 1 2 3; do ig-agent log --id $id line $i; \
                  done; ig-agent log --level error --id $id broken";
    let output = world.bash(&format!("export IDLERGEAR_NO_DAEMON=1; {script}"));
    assert!(output.status.success(), "{}", stderr(&output));
    let texts = |args: &[&str]| -> Vec<String> {
        let cut = |line: String| line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
        lines(&world, args).into_iter().map(cut).collect()
    };
    assert_eq!(texts(&["--tail", "1"]), ["broken"]);
    assert_eq!(texts(&["--grep", "line [12]"]), ["line 1", "line 2"]);
    assert_eq!(texts(&["--errors"]), ["line 2", "line 3", "broken"]);
    assert_eq!(texts(&["--since", "1h"]).len(), 4);
}

#[test]
fn what_is_new_is_shown_once_to_each_who_asks() {
    let world = Sandbox::with_project();
    let script = "echo one; echo err >&2; printf unfinished; until [ -e go ]; do sleep 0.02; done; \
                  echo ' business'; seq 100; exit 3";
    let mut run = ig(&world, &["run", "--name", "job", "--", "bash", "-c", script]);
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("it wrote", || {
        let wrote = stdout(&ig(&world, &["logs", "job"]).output().unwrap());
        ["unfinished", "err"].iter().all(|word| wrote.contains(word))
    });
    let mut first = lines(&world, &["--new"]);
    first.sort();
    assert_eq!(first, ["err", "one"], "a line that is being written comes once it is whole");
    let again = ig(&world, &["logs", "job", "--new"]).output().unwrap();
    assert_eq!((stdout(&again).as_str(), stderr(&again).as_str()), ("", "nothing new\n"));
    world.write("go", "");
    run.wait().unwrap();
    let rest = lines(&world, &["--new", "--max-bytes", "30"]);
    assert_eq!(
        rest,
        ["unfinished business", "1", "2", "3", "4", "5"],
        "no more than was asked for"
    );
    assert_eq!(lines(&world, &["--new", "--grep", "^.0$", "--json"]).len(), 9);
    assert_eq!(lines(&world, &["--new"]), Vec::<String>::new(), "what did not match was read too");
    assert_eq!(lines(&world, &["--new", "--stderr"]), ["err"], "another view, another place");
    let mut other = ig(&world, &["logs", "job", "--new", "--tail", "2"]);
    assert_eq!(stdout(&other.env("IDLERGEAR_SESSION", "s").output().unwrap()), "99\n100\n");
    assert_eq!(stdout(&other.output().unwrap()), "", "its own place");
}

#[test]
fn what_could_not_be_shown_is_still_new() {
    let world = ran("seq 3");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = ig(&world, &["logs", "job", "--new"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(lines(&world, &["--new"]), ["1", "2", "3"]);
}
