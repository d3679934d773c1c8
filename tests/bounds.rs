//! Bounds on what is kept: one run's log is cut in its middle, old runs go, and every cut is told.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use support::{Sandbox, stderr, stdout, succeed};

fn command(world: &Sandbox, program: &str, args: &[&str]) -> Command {
    let mut command = world.command(program);
    command.args(args).env("IDLERGEAR_NO_DAEMON", "1");
    command
}

fn ig(world: &Sandbox, args: &[&str]) -> Output {
    command(world, "ig", args).output().unwrap()
}

fn ok(world: &Sandbox, args: &[&str]) -> String {
    succeed(&ig(world, args), args)
}

/// A run of `script`, called `job`, that may keep 1 MiB; and what it printed.
fn cut(world: &Sandbox, program: &str, script: &str) -> Output {
    let mut run =
        command(world, program, &["run", "--name", "job", "--no-pty", "--", "bash", "-c", script]);
    run.env("IDLERGEAR_LOGS_MAX_RUN_BYTES", "1048576").output().unwrap()
}

fn record(world: &Sandbox) -> Value {
    let id = ok(world, &["run", "status", "job", "--json"]);
    serde_json::from_str(&id).unwrap()
}

fn folder(world: &Sandbox) -> PathBuf {
    let id = record(world)["id"].as_str().unwrap().to_owned();
    world.project().join(".idlergear/runs").join(id)
}

fn gap(line: &str) -> Option<(u64, u64)> {
    let text = line.strip_prefix("... lines ")?.replace(',', "");
    let mut numbers = text.split(' ').filter_map(|word| word.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

#[test]
fn a_long_log_keeps_its_head_and_its_end_and_says_what_is_missing() {
    for program in ["ig", "ig-agent"] {
        let world = Sandbox::with_project();
        let output = cut(&world, program, "seq 1 1000000; seq 5 >&2");
        let expected = support::seq(1_000_000);
        assert!(stdout(&output) == expected, "the command's own output is whole");
        assert_eq!(stderr(&output).matches("logs.max_run_bytes: its middle is dropped").count(), 1);
        let shown = ok(&world, &["logs", "job", "--stdout"]);
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines.iter().position(|line| gap(line).is_some()).unwrap();
        let (first, last) = gap(lines[at]).unwrap();
        assert_eq!(lines[at - 1], (first - 1).to_string(), "{}", lines[at]);
        assert_eq!(lines[at + 1], (last + 1).to_string(), "{}", lines[at]);
        assert_eq!(lines.last(), Some(&"1000000"));
        let logs = &record(&world)["logs"];
        assert_eq!(logs["dropped_lines"], last - first + 1, "{logs}");
        assert!(logs["dropped_bytes"].as_u64().unwrap() > 4_000_000);
        let files = fs::read_dir(folder(&world)).unwrap();
        let kept: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!((800_000..1_300_000).contains(&kept), "{kept}");
    }
}

#[test]
fn a_cut_is_told_wherever_a_reader_passes_it() {
    let world = Sandbox::with_project();
    cut(&world, "ig", "seq 1 1000000");
    let told = |args: &[&str]| {
        let shown = ok(&world, &[&["logs", "job"], args].concat());
        shown.lines().filter(|line| gap(line).is_some()).count()
    };
    assert_eq!(told(&[]), 1);
    assert_eq!(told(&["--grep", "no such line"]), 1);
    assert_eq!(told(&["--errors"]), 1);
    assert_eq!(told(&["--range", "500000:600000"]), 1);
    assert_eq!(told(&["--tail", "900000"]), 1);
    assert_eq!(told(&["--tail", "10"]), 0);
    assert_eq!(told(&["--head", "10"]), 0);
    assert_eq!(told(&["--range", "999990:"]), 0);
    let range = ok(&world, &["logs", "job", "--range", "999990:999991", "--number"]);
    assert_eq!(range, "999990  999990\n999991  999991\n");
    let json = ok(&world, &["logs", "job", "--json"]);
    let row = json.lines().find(|row| row.contains("\"kind\":\"gap\"")).unwrap();
    let row: Value = serde_json::from_str(row).unwrap();
    assert_eq!(row["bound"], "logs.max_run_bytes");
    assert_eq!(row["bytes"], record(&world)["logs"]["dropped_bytes"]);
    let raw = ig(&world, &["logs", "job", "--raw"]);
    assert!(!stdout(&raw).contains("..."), "what goes byte for byte has no words of ours");
    assert!(stderr(&raw).contains("were dropped"));
}

#[test]
fn without_its_index_a_cut_log_has_the_same_lines_and_numbers() {
    let world = Sandbox::with_project();
    cut(&world, "ig", "seq 1 1000000");
    let before = ok(&world, &["logs", "job", "--number"]);
    for file in fs::read_dir(folder(&world)).unwrap().flatten() {
        if file.file_name().to_str().unwrap().starts_with("index") {
            fs::remove_file(file.path()).unwrap();
        }
    }
    assert!(ok(&world, &["logs", "job", "--number"]) == before);
}

/// Whoever reads or follows the file itself is told where the log goes on.
#[test]
fn the_head_says_where_the_log_goes_on() {
    let world = Sandbox::with_project();
    cut(&world, "ig", "seq 1 130000");
    let head = fs::read_to_string(folder(&world).join("stdout.log")).unwrap();
    let last = head.lines().last().unwrap();
    let next = last.strip_prefix("... ig: this goes on in ").unwrap().split(';').next().unwrap();
    let rest = fs::read(folder(&world).join(next)).unwrap();
    let start = head.len() - last.len() - 2;
    assert_eq!(next, format!("stdout.log.{start:015}"));
    let expected = support::seq(130_000);
    assert!(expected.as_bytes()[start..].starts_with(&rest));
}

#[test]
fn an_index_is_no_longer_than_what_it_is_about() {
    let world = Sandbox::with_project();
    let script = "for i in {1..4000}; do printf x; done; echo; echo end";
    cut(&world, "ig", script);
    let index = fs::metadata(folder(&world).join("index")).unwrap().len();
    assert!(index < 2000, "{index}");
    assert_eq!(ok(&world, &["logs", "job", "--tail", "1"]), "end\n");
    assert_eq!(ok(&world, &["logs", "job", "--head", "1"]).len(), 4001);
}

#[test]
fn a_follower_passes_from_piece_to_piece_and_misses_nothing() {
    let world = Sandbox::with_project();
    let script = "seq 1 1000; until [ -e go ]; do sleep 0.02; done; \
                  for i in {1..60}; do seq $((i * 1000 + 1)) $((i * 1000 + 1000)); sleep 0.01; done";
    let mut run = command(&world, "ig", &["run", "--name", "job", "--", "bash", "-c", script]);
    let mut run = run
        .env("IDLERGEAR_LOGS_MAX_RUN_BYTES", "1048576")
        .env("IDLERGEAR_LOGS_HEAD_BYTES", "20000")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    support::wait_until("it wrote", || stdout(&ig(&world, &["logs", "job"])).contains("\n1000\n"));
    let follower = command(&world, "ig", &["logs", "job", "-f"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    world.write("go", "");
    let seen = stdout(&follower.wait_with_output().unwrap());
    assert!(run.wait().unwrap().success());
    let expected = support::seq(61_000);
    assert!(seen == expected, "{} of {} bytes", seen.len(), expected.len());
    assert!(fs::read_dir(folder(&world)).unwrap().count() > 8);
}

/// Ended runs of the project, oldest first.
fn runs(world: &Sandbox) -> Vec<String> {
    let listing: Value = serde_json::from_str(&ok(world, &["run", "list", "--json"])).unwrap();
    let units = listing["units"].as_array().unwrap();
    units.iter().map(|unit| unit["name"].as_str().unwrap().to_owned()).collect()
}

fn prune(world: &Sandbox, variable: &str, value: &str) -> Output {
    let dir = world.project().join(".idlergear/runs");
    let mut prune = command(world, "ig", &["prune", dir.to_str().unwrap()]);
    prune.env(variable, value).output().unwrap()
}

#[test]
fn the_oldest_runs_go_first_and_live_ones_never() {
    let world = Sandbox::with_project();
    let script = "until [ -e stop ]; do sleep 0.02; done";
    let mut live = command(&world, "ig", &["run", "--name", "live", "--", "bash", "-c", script])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    support::wait_until("it runs", || runs(&world) == ["live"]);
    for name in ["one", "two", "three"] {
        world.write("x.sh", &format!("echo {name}\n"));
        ok(&world, &["run", "--name", name, "--", "bash", "x.sh"]);
    }
    let scripts = || {
        let files = fs::read_dir(world.project().join(".idlergear/scripts")).unwrap().flatten();
        files.filter(|file| file.file_name().len() == 64).count()
    };
    assert_eq!(scripts(), 3);
    prune(&world, "IDLERGEAR_LOGS_MAX_RUNS", "3");
    assert_eq!(runs(&world), ["live", "two", "three"]);
    assert_eq!(scripts(), 2, "a script goes with its last run");
    prune(&world, "IDLERGEAR_LOGS_MAX_PROJECT_BYTES", "1");
    assert_eq!(runs(&world), ["live"]);
    assert_eq!(scripts(), 0);
    let told = ig(&world, &["run", "list"]);
    assert!(stderr(&told).contains("3 older runs ("), "{}", stderr(&told));
    world.write("stop", "");
    assert!(live.wait().unwrap().success());
}

/// Rewrites when the run `name` ended.
fn ended_ago(world: &Sandbox, name: &str, hours: u64) {
    let unit: Value = ok(world, &["run", "status", name, "--json"]).parse().unwrap();
    let path = Path::new(unit["logs"]["events"].as_str().unwrap()).with_file_name("run.json");
    let text = fs::read_to_string(&path).unwrap();
    let ended = text.split("\"ended_at\": \"").nth(1).unwrap().split('"').next().unwrap();
    let then = SystemTime::now() - Duration::from_hours(hours);
    fs::write(path, text.replace(ended, &idlergear::time::rfc3339(then))).unwrap();
}

#[test]
fn a_run_whose_end_was_not_told_yet_loses_its_output_only() {
    let world = Sandbox::with_project();
    let live = world.state().join("live");
    let links = || fs::read_dir(&live).unwrap().count();
    for name in ["old", "one", "two", "three"] {
        let mut run = world.command("ig-agent");
        run.args(["run", "--name", name, "--no-pty", "--", "bash", "-c", "echo hello; exit 3"]);
        run.env("IDLERGEAR_NO_AUTOSTART", "1").env("IDLERGEAR_SESSION", "s").output().unwrap();
    }
    ended_ago(&world, "old", 25);
    ended_ago(&world, "one", 23);
    for _ in 0..2 {
        prune(&world, "IDLERGEAR_LOGS_MAX_RUNS", "1");
        assert_eq!(runs(&world), ["one", "two", "three"], "a day is enough");
        assert_eq!(links(), 3);
    }
    let logs = ig(&world, &["logs", "one"]);
    assert_eq!((stdout(&logs), logs.status.code()), (String::new(), Some(0)));
    assert!(stderr(&logs).starts_with("ig: its output was dropped: "), "{}", stderr(&logs));
    assert_eq!(ok(&world, &["logs", "three"]), "hello\n");
    let told = ig(&world, &["run", "list"]);
    assert!(stderr(&told).contains("1 older runs ("), "{}", stderr(&told));

    world.ok(&["daemon", "start"]);
    let mut told = Vec::new();
    for line in world.ok(&["signals", "--session", "s", "--json"]).lines() {
        let signal: Value = line.trim_end_matches(',').parse().unwrap_or_default();
        let seen = &signal["snapshot"];
        if let (Some(name), Some(output)) =
            (seen["name"].as_str(), seen["metadata"]["output"].as_str())
        {
            assert_eq!(seen["exit_code"], 3);
            told.push((name.to_owned(), output.starts_with("... its output was dropped: ")));
        }
    }
    told.sort();
    assert_eq!(told, [("one", true), ("three", false), ("two", true)].map(|(n, d)| (n.into(), d)));
    assert_eq!(links(), 0);
    prune(&world, "IDLERGEAR_LOGS_MAX_RUNS", "1");
    assert_eq!(runs(&world), ["three"], "what was told goes");
}

#[test]
fn links_that_lead_nowhere_go() {
    let world = Sandbox::with_project();
    ok(&world, &["run", "--name", "job", "--", "true"]);
    let live = world.state().join("live");
    fs::create_dir_all(&live).unwrap();
    for name in ["b00000001", "notes"] {
        std::os::unix::fs::symlink(world.home().join("gone"), live.join(name)).unwrap();
    }
    prune(&world, "IDLERGEAR_LOGS_MAX_RUNS", "1");
    let left: Vec<_> = fs::read_dir(live).unwrap().map(|link| link.unwrap().file_name()).collect();
    assert_eq!(left, ["notes"]);
}

#[test]
fn old_runs_go_and_two_at_once_are_no_matter() {
    let world = Sandbox::with_project();
    for name in ["old", "new"] {
        ok(&world, &["run", "--name", name, "--", "true"]);
    }
    let old = serde_json::from_str::<Value>(&ok(&world, &["run", "status", "old", "--json"]));
    let id = old.unwrap()["id"].as_str().unwrap().to_owned();
    let path = world.project().join(".idlergear/runs").join(id).join("run.json");
    let text = fs::read_to_string(&path).unwrap();
    let long_ago = |text: &str| {
        let ended = text.split("\"ended_at\": \"").nth(1).unwrap().split('"').next().unwrap();
        text.replace(ended, "2020-01-01T00:00:00.000Z")
    };
    fs::write(&path, long_ago(&text)).unwrap();
    let dir = world.project().join(".idlergear/runs");
    let mut prunes: Vec<_> = (0..8)
        .map(|_| command(&world, "ig", &["prune", dir.to_str().unwrap()]).spawn().unwrap())
        .collect();
    assert!(prunes.iter_mut().all(|prune| prune.wait().unwrap().success()));
    assert_eq!(runs(&world), ["new"]);
}

/// The runner has old runs looked for, not at every start, and does not wait for it.
#[test]
fn a_run_has_old_ones_dropped_once_in_a_while() {
    let world = Sandbox::with_project();
    for name in ["one", "two"] {
        ok(&world, &["run", "--name", name, "--", "true"]);
    }
    let stamp = world.project().join(".idlergear/runs/.pruned");
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
    fs::File::options().write(true).open(&stamp).unwrap().set_modified(hour_ago).unwrap();
    let mut third = command(&world, "ig", &["run", "--name", "three", "--", "true"]);
    third.env("IDLERGEAR_LOGS_MAX_RUNS", "1").output().unwrap();
    support::wait_until("the older ones went", || runs(&world).len() == 1);
    assert_eq!(runs(&world), ["three"]);
}
