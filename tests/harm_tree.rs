//! Whatever tree of files a project holds, no command of ig changes a file outside of it, shows one,
//! hangs, or breaks down.
//!
//! A case plants links, FIFOs, sockets, devices, forged records, huge, foreign and unreadable files at
//! names that ig uses, runs a handful of commands in a namespace of their own, and compares all that is
//! outside with what it was: bytes, mode and time. What was planted itself stays too, but for the few
//! files that ig was asked to write to. `IDLERGEAR_HARM_CASES` says how many cases each half tries.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use support::{Sandbox, stderr, stdout};

/// What stands in files that nobody may be shown.
const SECRET: &str = "PRIVATE-KEY-OF-THE-USER";

const HASH: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Names that ig uses in a project; below a run's folder, [`IN_RUN`] too.
const PLACES: [&str; 27] = [
    ".idlergear",
    ".idlergear/.gitignore",
    ".idlergear/config.toml",
    ".idlergear/runs",
    ".idlergear/runs/.gitignore",
    ".idlergear/runs/.pruned",
    ".idlergear/runs/documents",
    ".idlergear/runs/b00000001",
    ".idlergear/runs/b00000002",
    ".idlergear/scripts",
    ".idlergear/scripts/.gitignore",
    ".idlergear/scripts/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ".idlergear/scripts/-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ".idlergear/profiles",
    ".idlergear/profiles/web.toml",
    ".idlergear/profiles/base.toml",
    ".idlergear/templates",
    ".idlergear/templates/web.sh.j2",
    ".idlergear/templates/_lib.sh.j2",
    "scripts",
    "scripts/web.sh",
    "scripts/x.sh",
    "x.sh",
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "manage.py",
];

const IN_RUN: [&str; 19] = [
    "run.json",
    "stdout.log",
    "stderr.log",
    "output.log",
    "stdout.log.000000000000010",
    "events.log",
    "events.log.000000000000000.0",
    "events.log.000000000000400.9",
    ".events.log.new",
    "events.cut",
    "index",
    "index.000000000000001",
    "seals",
    "git",
    "alerts",
    "stop",
    "end.json",
    "dropped",
    ".run.json.1",
];

/// Files that are written to when ig is asked for just that.
const WRITTEN: [&str; 2] = [".pruned", "events.log"];

#[derive(Debug, Clone, Copy)]
enum Thing {
    /// A link to one of the files and folders outside, or to what is none.
    Link(usize),
    /// The same from where it stands.
    Relative(usize),
    Fifo,
    Socket,
    Device,
    /// What stands there in a real project, forged.
    Forged,
    Empty,
    Noise,
    Huge,
    Unreadable,
    Foreign,
    Folder,
}

/// Where links lead.
fn targets(world: &Sandbox) -> Vec<PathBuf> {
    let outside = world.home().join("outside");
    let mut targets: Vec<PathBuf> = [
        "id_rsa",
        "diary",
        "idl",
        "idl/runs",
        "idl/runs/documents",
        "idl/runs/b00000001",
        "idl/scripts",
        "idl/runs/b00000001/run.json",
        "idl/config.toml",
        "idl/profiles",
        "idl/profiles/web.toml",
        "not-there",
        "not-there/either",
        "",
    ]
    .iter()
    .map(|name| if name.is_empty() { outside.clone() } else { outside.join(name) })
    .collect();
    for path in ["/dev/zero", "/dev/stdin", "/dev/tty", "/proc/self/mem", "/", "/proc/self/fd/0"] {
        targets.push(path.into());
    }
    targets
}

const TARGETS: usize = 20;

/// Every command; ids and names are those of what is planted, and of what the case starts itself.
const COMMANDS: [&str; 62] = [
    "ig run -- true",
    "ig run --name web -- bash -c 'echo hi; echo oops >&2; exit 3'",
    "ig run --script x.sh -- true",
    "ig run ./x.sh",
    "ig run -- bash scripts/x.sh",
    "ig run register ./x.sh",
    "echo line | ig run stream b00000001",
    "ig run complete b00000001",
    "ig run list",
    "ig run list --json",
    "ig run status b00000001",
    "ig run status web --json",
    "ig run logs b00000001 --tail 3",
    "ig start web -- sleep 0.1",
    "ig start x -- bash scripts/x.sh",
    "ig up web",
    "ig up web -- sleep 0.1",
    "ig ps",
    "ig ps --all --json",
    "ig logs b00000001",
    "ig logs b00000001 --events",
    "ig logs b00000001 --raw",
    "ig logs b00000001 --grep .",
    "ig logs b00000001 --new",
    "ig logs b00000001 --errors --json",
    "ig logs b00000002 --stdout --range 1:5",
    "ig logs web",
    "ig output b00000001",
    "ig diff b00000001 b00000002",
    "ig diff b00000001 web --json",
    "ig wait b00000001 --until exit --timeout 1s",
    "ig wait b00000001 --until match:PRIVATE --timeout 1s",
    "ig stop b00000001",
    "ig stop web",
    "ig clear -y",
    "ig clear --dry-run",
    "ig sweep",
    "ig alerts b00000001",
    "ig signals",
    "ig who 8000",
    "PRUNE",
    "PRUNE; PRUNE",
    "ig trim $PWD/.idlergear/runs/b00000001",
    "ig gen --list",
    "ig gen --check",
    "ig gen --update",
    "ig gen --show web",
    "ig gen web",
    "ig gen web --stdout",
    "ig gen web --diff",
    "ig gen script x --command true",
    "ig init -y",
    "ig init --undo -y",
    "ig init --dry-run --templates",
    "ig trust",
    "ig trust --list; ig trust --json",
    "ig trust --revoke",
    "ig config",
    "ig-agent register x",
    "ig-agent log --id b00000001 hello; ig-agent status --id b00000001 busy",
    "ig-agent unregister b00000001",
    "ig daemon logs b00000001; ig daemon agents; ig daemon messages; ig daemon send hi",
];

#[derive(Debug, Clone)]
struct Case {
    planted: Vec<(usize, Option<usize>, Thing)>,
    commands: Vec<usize>,
    /// Everything is two months old.
    is_old: bool,
    /// The user's state has a live link to the planted run.
    is_linked: bool,
    has_daemon: bool,
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        4 => (0..TARGETS).prop_map(Thing::Link),
        2 => (0..14_usize).prop_map(Thing::Relative),
        2 => Just(Thing::Fifo),
        1 => Just(Thing::Socket),
        1 => Just(Thing::Device),
        4 => Just(Thing::Forged),
        1 => Just(Thing::Empty),
        1 => Just(Thing::Noise),
        1 => Just(Thing::Huge),
        1 => Just(Thing::Unreadable),
        1 => Just(Thing::Foreign),
        1 => Just(Thing::Folder),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let place = prop_oneof![
        2 => (0..PLACES.len()).prop_map(|place| (place, None)),
        // The runs b00000001, b00000002 and documents.
        3 => (6..9_usize, (0..IN_RUN.len()).prop_map(Some)),
    ];
    let planted = prop::collection::vec((place, thing()), 1..14);
    let commands = prop::collection::vec(0..COMMANDS.len(), 4..9);
    (planted, commands, any::<bool>(), any::<bool>(), prop::bool::weighted(0.15)).prop_map(
        |(planted, commands, is_old, is_linked, has_daemon)| Case {
            planted: planted.into_iter().map(|((a, b), thing)| (a, b, thing)).collect(),
            commands,
            is_old,
            is_linked,
            has_daemon,
        },
    )
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What a user has beside the project.
fn make_outside(world: &Sandbox) {
    let outside = world.home().join("outside");
    let write = |name: &str, text: &str, mode: u32| {
        let path = outside.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("id_rsa", &format!("{SECRET}\n"), 0o600);
    write("diary", &format!("{SECRET}\tof a day\n").repeat(12_000), 0o644);
    write("idl/runs/documents/thesis.txt", SECRET, 0o644);
    write("idl/runs/workspace/main.c", SECRET, 0o755);
    for id in ["b00000001", "b00000002"] {
        write(&format!("idl/runs/{id}/run.json"), &record(id), 0o644);
        write(&format!("idl/runs/{id}/stdout.log"), SECRET, 0o644);
        write(&format!("idl/runs/{id}/events.log"), &format!("{SECRET}\n").repeat(12_000), 0o644);
    }
    write(&format!("idl/scripts/{HASH}"), SECRET, 0o644);
    write("idl/config.toml", &format!("[logs]\nsecrets = \"{SECRET}\"\n"), 0o644);
    write("idl/profiles/web.toml", &format!("template = 'script'\ncommand = '{SECRET}'\n"), 0o644);
    age_all(&outside);
}

fn age_all(dir: &Path) {
    // A process of its own sets the time of links too.
    let mut touch = Command::new("find");
    touch.arg(dir).args(["-exec", "touch", "-h", "-d", "60 days ago", "{}", "+"]);
    assert!(touch.status().unwrap().success());
}

fn record(id: &str) -> String {
    let outside = "../../../../outside";
    serde_json::json!({
        "id": id, "kind": "local_bash", "name": "web", "status": "completed", "cwd": "/",
        "command": "true", "argv": ["true"], "started_at": "2020-01-01T00:00:00Z",
        "ended_at": "2020-01-01T00:00:01Z", "exit_code": 0, "project": "/",
        "script": {"path": "/dev/zero", "sha256": format!("{outside}/id_rsa")},
        "logs": {
            "stdout": format!("{outside}/id_rsa"), "stderr": format!("{outside}/diary"),
            "output": format!("{outside}/diary"), "events": format!("{outside}/diary"),
        },
        "metadata": {"limits": {"cgroup": "/sys/fs/cgroup/ig-none"}},
    })
    .to_string()
}

fn forged(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    match name {
        "run.json" => record(path.parent().unwrap().file_name().unwrap().to_str().unwrap()),
        "config.toml" => "[logs]\nmax_runs = 1\nmax_age_days = 1\n".to_owned(),
        "web.toml" | "base.toml" => {
            "template = 'script'\ncommand = 'true'\nextends = 'base'\n".to_owned()
        }
        "alerts" => "{\"on_failure\": true}".to_owned(),
        "events.cut" => "0 0\n".to_owned(),
        "package.json" => "{\"scripts\": {\"dev\": \"vite\"}}".to_owned(),
        "x.sh" | "web.sh" => "#!/bin/bash\necho from the script\n".to_owned(),
        ".pruned" => "{\"runs\": 1, \"bytes\": 2}".to_owned(),
        _ => "1700000000.5\t7\t.\tinfo\ta line\n".repeat(9000),
    }
}

/// Puts `thing` at `path`, if nothing is there and no link stands above it.
fn plant(world: &Sandbox, path: &Path, thing: Thing) {
    let root = world.project();
    let above = path.ancestors().skip(1).take_while(|dir| *dir != root);
    let is_other = |dir: &Path| fs::symlink_metadata(dir).is_ok_and(|meta| !meta.is_dir());
    if fs::symlink_metadata(path).is_ok() || above.into_iter().any(is_other) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // A shell waits for the writer of its script, with ig or without.
    let is_script = path.extension().is_some_and(|end| end == "sh");
    let thing = if is_script && matches!(thing, Thing::Fifo) { Thing::Forged } else { thing };
    let targets = targets(world);
    assert_eq!(targets.len(), TARGETS);
    let write = |text: &[u8]| fs::write(path, text).unwrap();
    let mode = |mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    match thing {
        Thing::Link(target) => symlink(&targets[target], path).unwrap(),
        Thing::Relative(target) => {
            let depth = path.strip_prefix(&root).unwrap().components().count();
            let up = "../".repeat(depth);
            let rest = targets[target].strip_prefix(world.home()).unwrap();
            symlink(Path::new(&up).join(rest), path).unwrap();
        }
        Thing::Fifo => {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }
        // Its path may be too long for a socket: then there is none.
        Thing::Socket => drop(std::os::unix::net::UnixListener::bind(path)),
        Thing::Device if is_root() => {
            let made = Command::new("mknod").arg(path).args(["c", "1", "5"]).status();
            assert!(made.unwrap().success());
        }
        Thing::Empty | Thing::Device => write(b""),
        Thing::Forged => write(forged(path).as_bytes()),
        Thing::Noise => write(
            &(0..9999_u32)
                .flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes())
                .collect::<Vec<u8>>(),
        ),
        Thing::Huge => {
            // A log may be long, and who asks for all of it waits.
            let name = path.file_name().unwrap().to_string_lossy();
            let is_log = name.contains(".log") || name.starts_with("index");
            let length = if is_log { 64 << 20 } else { 64 << 30 };
            fs::File::create(path).unwrap().set_len(length).unwrap();
        }
        Thing::Unreadable => {
            write(forged(path).as_bytes());
            mode(0);
        }
        Thing::Foreign => {
            write(forged(path).as_bytes());
            if is_root() {
                std::os::unix::fs::chown(path, Some(1234), Some(1234)).unwrap();
            }
        }
        Thing::Folder => {
            fs::create_dir(path).unwrap();
            fs::write(path.join("notes"), "notes").unwrap();
        }
    }
}

/// What a file or folder is, as far as anybody can tell.
#[derive(Debug, PartialEq, Eq, Clone)]
struct State {
    kind: &'static str,
    mode: u32,
    owner: u32,
    length: u64,
    /// Of a folder in the project none: ig may put something there.
    written: Option<SystemTime>,
    text: Vec<u8>,
}

fn state(path: &Path) -> Option<State> {
    let meta = fs::symlink_metadata(path).ok()?;
    let kind = meta.file_type();
    let (kind, text) = if kind.is_symlink() {
        ("link", fs::read_link(path).unwrap().into_os_string().into_encoded_bytes())
    } else if kind.is_dir() {
        ("folder", Vec::new())
    } else if kind.is_file() && meta.len() < 1 << 24 {
        ("file", fs::read(path).unwrap_or_default())
    } else if kind.is_fifo() {
        ("fifo", Vec::new())
    } else {
        ("other", Vec::new())
    };
    let length = if kind == "folder" { 0 } else { meta.len() };
    let (mode, owner, written) = (meta.mode(), meta.uid(), meta.modified().ok());
    Some(State { kind, mode, owner, length, written, text })
}

fn states(dir: &Path, states_of: &mut BTreeMap<PathBuf, State>) {
    let Some(own) = state(dir) else { return };
    let is_dir = own.kind == "folder";
    states_of.insert(dir.to_path_buf(), own);
    for entry in fs::read_dir(dir).into_iter().flatten().flatten().filter(|_| is_dir) {
        states(&entry.path(), states_of);
    }
}

/// All that is outside, and the names beside it.
fn outside(world: &Sandbox) -> BTreeMap<PathBuf, State> {
    let mut found = BTreeMap::new();
    states(&world.home().join("outside"), &mut found);
    found
}

/// What was planted, without what may be written to.
fn inside(world: &Sandbox) -> BTreeMap<PathBuf, State> {
    let mut found = BTreeMap::new();
    states(&world.project(), &mut found);
    found.retain(|path, state| {
        state.written = state.written.filter(|_| state.kind != "folder");
        path.file_name().and_then(|name| name.to_str()).is_none_or(|name| !WRITTEN.contains(&name))
    });
    found
}

fn script(case: &Case) -> String {
    let limits = "export IDLERGEAR_LOGS_MAX_RUNS=1 IDLERGEAR_LOGS_MAX_AGE_DAYS=1 IDLERGEAR_LOGS_MAX_RUN_BYTES=1";
    let daemon = if case.has_daemon { "" } else { "export IDLERGEAR_NO_DAEMON=1\n" };
    let mut text = format!("{daemon}ulimit -v 3145728\n");
    for command in case.commands.iter().map(|index| COMMANDS[*index]) {
        let command =
            command.replace("PRUNE", &format!("({limits}; ig prune \"$PWD/.idlergear/runs\")"));
        let quoted = format!("'{}'", command.replace('\'', r"'\''"));
        let run = format!("timeout -s KILL 20 bash -c {quoted} </dev/null");
        text.extend([&run, "\necho \"@@ $? \"", &quoted, " >&2\n"]);
    }
    text
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let world = Sandbox::new();
    make_outside(&world);
    for (place, in_run, thing) in &case.planted {
        let mut path = world.project().join(PLACES[*place]);
        path.extend(in_run.map(|index| IN_RUN[index]));
        plant(&world, &path, *thing);
    }
    if case.is_linked {
        let live = world.state().join("live");
        // Nobody else may enter, as ig makes it: the daemon insists on that.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&live).unwrap();
        for id in ["b00000001", "b00000002"] {
            symlink(world.project().join(".idlergear/runs").join(id), live.join(id)).unwrap();
        }
    }
    if case.is_old {
        age_all(&world.project());
    }
    let before = (outside(&world), inside(&world));
    let Some(output) = world.namespace(&script(case)) else { return Ok(()) };
    let after = (outside(&world), inside(&world));
    let told = stderr(&output);
    let said = stdout(&output) + &told;
    prop_assert!(after.0 == before.0, "outside: {}\n{said}", difference(&before.0, &after.0));
    let left: BTreeMap<_, _> =
        after.1.into_iter().filter(|(p, _)| before.1.contains_key(p)).collect();
    prop_assert!(left == before.1, "planted: {}\n{said}", difference(&before.1, &left));
    // What is in a profile or script of the project is its own to show; what is outside is not.
    prop_assert!(
        !said.contains(SECRET),
        "shown: {}",
        said.lines().find(|l| l.contains(SECRET)).unwrap()
    );
    let ends: Vec<(i32, &str)> = told
        .lines()
        .filter_map(|line| line.strip_prefix("@@ ")?.split_once(' '))
        .map(|(code, command)| (code.parse().unwrap(), command))
        .collect();
    prop_assert_eq!(ends.len(), case.commands.len(), "not all were run: {}", said);
    for (code, command) in ends {
        prop_assert!(
            !matches!(code, 101 | 134 | 137 | 139),
            "`{command}` ended with {code}\n{said}"
        );
    }
    Ok(())
}

fn difference(before: &BTreeMap<PathBuf, State>, after: &BTreeMap<PathBuf, State>) -> String {
    let mut paths: Vec<&PathBuf> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    let brief = |state: Option<&State>| {
        state.map(|s| {
            format!("{} {:o} {} {} bytes {:?}", s.kind, s.mode, s.owner, s.length, s.written)
        })
    };
    let changed = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    let line = |path: &PathBuf| {
        format!("{}: {:?} -> {:?}", path.display(), brief(before.get(path)), brief(after.get(path)))
    };
    changed.map(line).collect::<Vec<_>>().join("\n")
}

fn try_cases(seed: u64) {
    static TOLD: Once = Once::new();
    if !is_root() {
        TOLD.call_once(|| eprintln!("SKIPPED (needs root): devices and files of another user"));
    }
    let world = Sandbox::new();
    if world.namespaced().is_none() {
        return;
    }
    let cases = std::env::var("IDLERGEAR_HARM_CASES").ok();
    let cases = cases.map_or(60, |count| count.parse().unwrap());
    let config = Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        max_shrink_iters: 6,
        ..Config::default()
    };
    let begun = std::time::Instant::now();
    TestRunner::new(config).run(&case(), |case| check(&case)).unwrap_or_else(|e| panic!("{e}"));
    eprintln!("{cases} trees in {:?}", Duration::from_secs(begun.elapsed().as_secs()));
}

#[test]
fn no_tree_harms_what_is_outside_of_it() {
    try_cases(7);
}

#[test]
fn nor_does_any_other() {
    let seed = std::env::var("IDLERGEAR_HARM_SEED").ok();
    try_cases(seed.map_or(8, |seed| seed.parse().unwrap()));
}
