//! What scripts log themselves has a bound: its head and its end are kept, its middle goes, and
//! nothing else is lost, torn or doubled, whoever writes, trims and reads at once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use idlergear::config::Bounds;
use idlergear::record::events::log::{Item, Log};
use idlergear::record::events::share::{Share, tally};
use idlergear::record::events::trim::{trim, trim_fully};
use idlergear::record::events::{append, apply, read};
use idlergear::wire::unit::{Kind, Presence, Unit};
use serde_json::Value;
use support::{Sandbox, stderr, stdout, succeed, wait_until};

/// Of a run that may keep so many bytes: a quarter is for events.
fn share(run: u64) -> Share {
    let bounds = Bounds { max_run_bytes: run, head_bytes: 0, min_free_bytes: 0 };
    Share::of(&bounds).unwrap()
}

fn events_in(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let is_events = |path: &PathBuf| path.to_str().unwrap().contains("/events.log");
    files.filter(is_events).collect()
}

/// A part may be dropped meanwhile.
fn bytes_in(dir: &Path) -> u64 {
    events_in(dir).iter().map(|path| path.metadata().map_or(0, |meta| meta.len())).sum()
}

/// Writes `count` records from `first` on, as scripts do.
fn write(path: &Path, first: u64, count: u64) {
    let records = (first..first + count).map(|n| format!("1.5\t7\t.\tinfo\tline {n} of many\n"));
    let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(records.collect::<String>().as_bytes()).unwrap();
}

fn items(log: &mut Log) -> Vec<Item> {
    let mut items = Vec::new();
    while let Some(more) = log.read(100_000) {
        items.extend(more);
    }
    items
}

fn all(path: &Path) -> Vec<Item> {
    let mut log = Log::new(path.to_path_buf());
    log.close();
    items(&mut log)
}

/// Every event has the number of its line, and what is missing is told where it is missing.
fn check_whole(items: &[Item], last: u64) {
    let mut next = 1;
    for item in items {
        match item {
            Item::Event(number, event) => {
                assert_eq!(*number, next);
                assert_eq!(event.text, format!("line {number} of many"));
                next += 1;
            }
            Item::Gap(gap) => {
                assert_eq!(gap.first, next);
                next = gap.last + 1;
            }
        }
    }
    assert_eq!(next, last + 1);
}

fn gaps(items: &[Item]) -> usize {
    items.iter().filter(|item| matches!(item, Item::Gap(_))).count()
}

#[test]
fn head_and_end_are_kept_and_numbers_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.log");
    let share = share(1 << 20);
    let mut written = 0;
    for _ in 0..20 {
        write(&path, written + 1, 2000);
        written += 2000;
        trim_fully(dir.path(), &share).unwrap();
        check_whole(&all(&path), written);
    }
    assert!(bytes_in(dir.path()) <= 300_000, "{}", bytes_in(dir.path()));
    assert!(bytes_in(dir.path()) >= 180_000, "{}", bytes_in(dir.path()));
    let found = all(&path);
    assert_eq!(gaps(&found), 1);
    let gap =
        found.iter().find_map(|item| if let Item::Gap(gap) = item { Some(*gap) } else { None });
    let gap = gap.unwrap();
    assert_eq!(tally(dir.path()), (gap.bytes, gap.last - gap.first + 1));
    assert!(gap.first > 500 && written - gap.last > 2000, "{gap}");
}

/// Nobody looked for a long time: what one look finds is cut all the same.
#[test]
fn what_is_found_late_is_cut_to_its_head_and_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.log");
    write(&path, 1, 100_000);
    let share = share(1 << 20);
    for more in [0, 1, 50_000] {
        let before = 100_000 + u64::from(more == 50_000);
        if more > 0 {
            write(&path, before + 1, more);
        }
        trim_fully(dir.path(), &share).unwrap();
        let found = all(&path);
        check_whole(&found, before + more);
        assert!(bytes_in(dir.path()) < 270_000, "{}", bytes_in(dir.path()));
        assert!(bytes_in(dir.path()) > 180_000, "{}", bytes_in(dir.path()));
        let Some(Item::Event(5, _)) = found.get(4) else { panic!("no head: {:?}", found.get(4)) };
    }
}

#[test]
fn a_reader_goes_on_through_every_cut() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.log");
    let share = share(1 << 20);
    let mut log = Log::new(path.clone());
    let mut found = Vec::new();
    let mut written = 0;
    for round in 0..40 {
        write(&path, written + 1, 1500);
        written += 1500;
        if round % 3 == 0 {
            found.extend(items(&mut log));
        } else if round % 3 == 1 {
            found.extend(log.read(1000).unwrap_or_default());
        }
        trim_fully(dir.path(), &share).unwrap();
    }
    log.close();
    found.extend(items(&mut log));
    check_whole(&found, written);
}

#[test]
fn the_end_is_found_without_reading_what_is_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.log");
    for round in 0..8 {
        write(&path, round * 2000 + 1, 2000);
        trim_fully(dir.path(), &share(1 << 20)).unwrap();
    }
    write(&path, 16_001, 100);
    let whole = all(&path);
    assert_eq!(gaps(&whole), 1);
    for most in [1, 1000, 50_000, 100_000, 220_000, 1 << 20] {
        let mut log = Log::near_end(path.clone(), most);
        log.close();
        let found = items(&mut log);
        assert!(whole.ends_with(&found), "{most}");
        let least = usize::try_from(most).unwrap() / 40;
        assert!(found.len() >= least.min(whole.len()), "{} for {most}", found.len());
    }
}

#[test]
fn the_last_words_are_carried_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.log");
    let share = share(1 << 20);
    let long = "x".repeat(9000);
    let said = |name: &str, key: &str| format!(r#"{{"name":"{name}","metadata":{{"{key}":1}}}}"#);
    append(&path, "register", &said("first", "a")).unwrap();
    append(&path, "register", &said("", "b")).unwrap();
    append(&path, "ready", "http://localhost:1").unwrap();
    append(&path, "status", &format!("busy {long}")).unwrap();
    append(&path, "progress", "3/4").unwrap();
    append(&path, "status", &format!("idle {long}")).unwrap();
    for _ in 0..15 {
        for _ in 0..20 {
            append(&path, "info", &long).unwrap();
        }
        trim_fully(dir.path(), &share).unwrap();
    }
    assert!(tally(dir.path()).1 > 100);
    let mut unit = Unit::new(Kind::LocalBash, "x");
    apply(&path, &mut unit);
    assert_eq!((unit.presence, unit.ready, unit.name.as_str()), (Presence::Idle, true, "first"));
    assert_eq!(unit.description, long);
    assert_eq!((&unit.metadata["a"], &unit.metadata["b"]), (&1.into(), &1.into()));
    assert_eq!(unit.metadata["progress"], "3/4");
    assert_eq!(unit.metadata["url"], "http://localhost:1");
    assert_eq!((unit.logs.dropped_event_bytes, unit.logs.dropped_events), tally(dir.path()));
    // They are no events of their own.
    let statuses = read(&path).into_iter().filter(|event| event.level == "status").count();
    assert!(statuses <= 2, "{statuses}");
}

/// A script opened the file before it was closed and says something only then.
#[test]
fn a_late_word_counts_and_a_late_record_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.log");
    append(&path, "status", "busy early").unwrap();
    write(&path, 1, 2000);
    let mut late = fs::File::options().append(true).open(&path).unwrap();
    let mut log = Log::new(path.clone());
    let mut found = items(&mut log);
    assert!(trim(dir.path(), &share(1 << 20)).unwrap());
    writeln!(late, "1.5\t9\t.\tstatus\tidle late").unwrap();
    append(&path, "info", "after it").unwrap();
    found.extend(items(&mut log));
    let is_whole = matches!(found.last(), Some(Item::Event(2003, _)));
    assert!(log.is_behind() || is_whole, "it waits for what may come late, and no longer");
    wait_until("the end was read", || {
        found.extend(items(&mut log));
        matches!(found.last(), Some(Item::Event(2003, _)))
    });
    let texts: Vec<String> = found.into_iter().filter_map(Item::event).map(|e| e.text).collect();
    assert_eq!(texts[2001..], ["idle late", "after it"]);
    let mut unit = Unit::new(Kind::LocalBash, "x");
    apply(&path, &mut unit);
    assert_eq!(unit.description, "late");
    // Nor does it matter once more was closed.
    write(&path, 1, 2000);
    trim_fully(dir.path(), &share(1 << 20)).unwrap();
    let mut unit = Unit::new(Kind::LocalBash, "x");
    apply(&path, &mut unit);
    assert_eq!(unit.description, "late");
    assert_eq!(read(&path).len(), 4003);
}

#[test]
fn a_record_that_is_half_there_at_the_trade_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.log");
    write(&path, 1, 2000);
    let mut late = fs::File::options().append(true).open(&path).unwrap();
    write!(late, "1.5\t9\t.\tinfo\thalf a ").unwrap();
    assert!(trim(dir.path(), &share(1 << 20)).unwrap());
    writeln!(late, "record").unwrap();
    write(&path, 2001, 2000);
    trim_fully(dir.path(), &share(1 << 20)).unwrap();
    // A part is named after its first byte and after the events before it.
    let names = fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name.ends_with(".2001")), "{names:?}");
}

/// Shells that log at full speed while the file is closed over their heads again and again.
#[test]
fn nothing_is_lost_or_torn_while_the_file_is_traded() {
    let world = Sandbox::with_project();
    let id = script(
        &world,
        "for w in 1 2 3 4 5 6 7 8; do
          (for ((n = 0; n < 3000; n++)); do idlergear_log \"$w $n\" 2>/dev/null; done) &
        done; wait",
    );
    let dir = world.project().join(".idlergear/runs").join(&id.id);
    let done = Arc::new(AtomicBool::new(false));
    let trimmer = std::thread::spawn({
        let (dir, done) = (dir.clone(), done.clone());
        move || {
            // Closed often, and never so long that something had to go.
            let share = Share { most: 64 << 20, head: 4000, part: 4000 };
            while !done.load(Ordering::Relaxed) {
                trim(&dir, &share).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
        }
    });
    let output = id.wait();
    done.store(true, Ordering::Relaxed);
    trimmer.join().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let mut next: HashMap<String, u64> = HashMap::new();
    let found = all(&dir.join("events.log"));
    for event in found.iter().cloned().filter_map(Item::event) {
        let (writer, number) = event.text.split_once(' ').unwrap();
        let next = next.entry(writer.to_owned()).or_default();
        assert_eq!(number, next.to_string(), "of {writer}");
        *next += 1;
    }
    assert_eq!(next.len(), 8);
    assert!(next.values().all(|count| *count == 3000), "{next:?}");
    assert!(events_in(&dir).len() > 4, "{}", events_in(&dir).len());
    assert_eq!((gaps(&found), found.len()), (0, 24_000));
}

/// A script on its own that sourced the library and registered.
struct Script {
    id: String,
    child: Option<std::process::Child>,
}

impl Script {
    fn wait(mut self) -> Output {
        let child = self.child.take().unwrap();
        child.wait_with_output().unwrap()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shell-lib/idlergear.sh")
}

fn script(world: &Sandbox, body: &str) -> Script {
    let mut command = world.command("bash");
    command.env("IDLERGEAR_NO_DAEMON", "1");
    script_by(world, command, body)
}

fn script_by(world: &Sandbox, mut command: Command, body: &str) -> Script {
    let lib = library();
    let text = format!(
        "set -euo pipefail; . {}\nidlergear_register job\necho \"$IDLERGEAR_RUN_ID\" >id.new; \
         mv id.new id\n{body}",
        lib.display()
    );
    let child = command.args(["-c", &text]).stderr(Stdio::piped()).spawn().unwrap();
    let id = || fs::read_to_string(world.project().join("id")).unwrap_or_default();
    wait_until("it registered", || !id().is_empty());
    Script { id: id().trim().to_owned(), child: Some(child) }
}

/// Logs fast, so many times, then makes a file `slow` and logs slowly until there is a file `stop`.
fn chatter(count: u64) -> String {
    format!(
        "idlergear_status busy at it; idlergear_ready http://localhost:1
         for ((n = 1; n <= {count}; n++)); do idlergear_log \"line $n of many\" 2>/dev/null; done; : >slow
         until [[ -e stop ]]; do idlergear_log \"line $((n++)) of many\" 2>/dev/null; sleep 0.1; done"
    )
}

fn ig(world: &Sandbox, args: &[&str]) -> Output {
    let mut command = world.command("ig");
    command.args(args).env("IDLERGEAR_NO_DAEMON", "1").output().unwrap()
}

fn ok(world: &Sandbox, args: &[&str]) -> String {
    succeed(&ig(world, args), args)
}

fn record(world: &Sandbox) -> Value {
    serde_json::from_str(&ok(world, &["run", "status", "job", "--json"])).unwrap()
}

/// What `ig` shows of the events of `job`: the first are there, the last, and the gap between them.
fn check_shown(world: &Sandbox) {
    let shown = ok(world, &["logs", "job", "--events", "--json"]);
    let rows: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let gaps: Vec<&Value> = rows.iter().filter(|row| row["kind"] == "gap").collect();
    let [gap] = gaps[..] else { panic!("{} gaps", gaps.len()) };
    assert_eq!(gap["bound"], "logs.max_run_bytes");
    let numbers: Vec<u64> = rows.iter().filter_map(|row| row["number"].as_u64()).collect();
    let at = rows.iter().position(|row| row["kind"] == "gap").unwrap();
    assert_eq!(gap["first"], numbers[at - 1] + 1);
    assert_eq!(gap["last"], numbers[at] - 1);
    let logged = rows.iter().filter(|row| row["level"] == "info");
    let offset = numbers[0] - 1;
    for (text, number) in logged.map(|row| (row["text"].as_str().unwrap(), &row["number"])) {
        let line: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
        // The status and the word of being ready came first; a joined script's name before them.
        assert_eq!(line + 2 + offset, number.as_u64().unwrap(), "{text}");
    }
    let told = |args: &[&str]| {
        let shown = ok(world, &[&["logs", "job", "--events"], args].concat());
        shown.lines().filter(|line| line.contains(" were dropped: bound logs.max_run")).count()
    };
    assert_eq!(told(&[]), 1);
    assert_eq!(told(&["--grep", "no such line"]), 1);
    assert_eq!((told(&["--tail", "10"]), told(&["--head", "10"])), (0, 0));
    let last = gap["last"].as_u64().unwrap();
    assert_eq!(told(&["--range", &format!("{last}:")]), 1);
    assert_eq!(told(&["--range", &format!("{}:", last + 1)]), 0);
    assert_eq!(told(&["--since", "1h"]), 1);
    assert_eq!((told(&["--until", "1h"]), told(&["--since", "2099-01-01T00:00:00Z"])), (0, 0));
    let record = record(world);
    assert_eq!(record["logs"]["dropped_event_bytes"], gap["bytes"]);
    assert_eq!(record["logs"]["dropped_events"], last - gap["first"].as_u64().unwrap() + 1);
    // Who has ended has no presence; what was said last stays.
    assert_eq!((&record["description"], &record["ready"]), (&"at".into(), &true.into()));
    let is_live = record["status"] == "running";
    let presence = if is_live { Value::from("busy") } else { Value::Null };
    assert_eq!(record["presence"], presence, "{record}");
    assert_eq!(record["metadata"]["url"], "http://localhost:1");
}

fn is_short(dir: &Path) -> bool {
    // The share of 1 MiB, and what the script writes within one look.
    tally(dir).0 > 0 && bytes_in(dir) < 300_000
}

/// Nobody who still is at it finds anything to do after this.
fn trim_to_the_end(dir: &Path) {
    wait_until("nothing is left to trim", || !trim(dir, &share(1 << 20)).unwrap());
    // Whoever is at it holds this, until what was dropped is counted.
    let tally = fs::File::open(dir.join("events.cut")).unwrap();
    rustix::fs::flock(&tally, rustix::fs::FlockOperation::LockExclusive).unwrap();
}

#[test]
fn the_runner_keeps_its_events_short_and_says_so_once() {
    for program in ["ig", "ig-agent"] {
        let world = Sandbox::with_project();
        let text = format!(
            "set -eu; . {}; idlergear_register job; {}",
            library().display(),
            chatter(40_000)
        );
        let mut run = world.command(program);
        run.args(["run", "--name", "job", "--no-pty", "--", "bash", "-c", &text])
            .env("IDLERGEAR_NO_DAEMON", "1")
            .env("IDLERGEAR_LOGS_MAX_RUN_BYTES", "1048576")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let run = run.spawn().unwrap();
        let dir = || {
            let runs = fs::read_dir(world.project().join(".idlergear/runs")).ok()?;
            runs.flatten().map(|entry| entry.path()).find(|path| path.is_dir())
        };
        wait_until("it is trimmed", || dir().is_some_and(|dir| is_short(&dir)));
        let live = record(&world);
        assert_eq!((&live["status"], &live["presence"]), (&"running".into(), &"busy".into()));
        let dir = dir().unwrap();
        wait_until("it logs slowly", || world.project().join("slow").exists());
        trim_to_the_end(&dir);
        let saved = || -> Value {
            serde_json::from_slice(&fs::read(dir.join("run.json")).unwrap()).unwrap()
        };
        let dropped = || saved()["logs"]["dropped_event_bytes"].as_u64();
        wait_until("the live record tells it", || dropped() == Some(tally(&dir).0));
        world.write("stop", "");
        let output = run.wait_with_output().unwrap();
        let told = stderr(&output).matches("the middle of its events is dropped").count();
        assert_eq!(told, 1, "{}", stderr(&output));
        check_shown(&world);
        assert_eq!(saved()["logs"], record(&world)["logs"], "the record says it itself");
    }
}

#[test]
fn without_a_runner_or_a_daemon_prune_keeps_events_short() {
    let world = Sandbox::with_project();
    let job = script(&world, &chatter(20_000));
    let dir = world.project().join(".idlergear/runs").join(&job.id);
    wait_until("it logged", || bytes_in(&dir) > 700_000);
    let runs = world.project().join(".idlergear/runs");
    wait_until("it is short", || {
        let mut prune = world.command("ig");
        prune.args(["prune", runs.to_str().unwrap()]).env("IDLERGEAR_LOGS_MAX_RUN_BYTES", "1");
        assert!(prune.status().unwrap().success());
        is_short(&dir)
    });
    assert_eq!(record(&world)["status"], "running");
    check_shown(&world);
    world.write("stop", "");
    assert!(job.wait().status.success());
    assert_eq!(record(&world)["status"], "completed");
    check_shown(&world);
}

fn configure(world: &Sandbox, bytes: u64) {
    let dir = world.home().join(".config/idlergear");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.toml"), format!("[logs]\nmax_run_bytes = {bytes}\n")).unwrap();
}

#[test]
fn without_a_runner_the_daemon_has_events_kept_short() {
    let world = Sandbox::with_project();
    configure(&world, 1 << 20);
    world.ok(&["daemon", "start"]);
    let job = script_by(&world, world.command("bash"), &chatter(20_000));
    let dir = world.project().join(".idlergear/runs").join(&job.id);
    wait_until("it is short", || is_short(&dir));
    let agents = world.ok(&["daemon", "agents", "--json"]);
    assert!(agents.contains("busy"), "{agents}");
    // Who comes late is told, and hears what was said in the part that is gone.
    world.kill_daemon();
    world.ok(&["daemon", "start"]);
    wait_until("it is known again", || {
        let agents = world.json(&["daemon", "agents", "--json"]);
        agents["agents"][0]["presence"] == "busy"
    });
    world.write("stop", "");
    assert!(job.wait().status.success());
    trim_to_the_end(&dir);
    check_shown(&world);
}

#[test]
fn a_follower_of_the_daemon_hears_every_line_once() {
    let world = Sandbox::with_project();
    // Enough for all of it, in parts of 140 KiB.
    configure(&world, 5 << 20);
    world.ok(&["daemon", "start"]);
    let body = "until [[ -e go ]]; do sleep 0.02; done
        for ((n = 1; n <= 12000; n++)); do
          idlergear_log \"line $n of many, and some more words so that it is longer\" 2>/dev/null
          ((n % 100)) || sleep 0.02
        done";
    let job = script_by(&world, world.command("bash"), body);
    let dir = world.project().join(".idlergear/runs").join(&job.id);
    let mut follow = world.command("ig");
    let follow =
        follow.args(["daemon", "logs", "job", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let subscribed = || {
        let status = world.ok(&["daemon", "status", "--json"]);
        let status: Value = serde_json::from_str(&status).unwrap();
        status["subscribers"].as_u64().is_some_and(|count| count > 0)
    };
    wait_until("somebody follows", subscribed);
    world.write("go", "");
    assert!(job.wait().status.success());
    let seen = stdout(&follow.wait_with_output().unwrap());
    let numbers: Vec<u64> =
        seen.lines().filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect();
    assert!(numbers.iter().copied().eq(1..=12_000), "{} lines", numbers.len());
    assert!(events_in(&dir).len() > 3, "{:?}", events_in(&dir));
}
