//! The daemon is killed before each single write that it makes: to its database, to a socket, to the
//! folder of links. strace does the killing, one step further each time.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use idlergear::id::UnitId;
use idlergear::record::Folder;
use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::{Sandbox, tool, wait_patiently, wait_until};
use crate::{Start, drain, ends, id, pending};

/// What the daemon does that others can see, but for reading.
const STEPS: &str = "pwrite64,ftruncate,fsync,fdatasync,unlink,unlinkat,sendto";

/// A daemon that dies when it comes to its step `number`.
struct Doomed(Child);

impl Doomed {
    fn start(world: &Sandbox, number: usize) -> Self {
        Self::under(world, &format!("inject={STEPS}:signal=KILL:when={number}"))
    }

    /// A daemon under strace that meets with `fault`.
    fn under(world: &Sandbox, fault: &str) -> Self {
        let mut command = world.command("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={STEPS}")]);
        command.args(["-e", fault]);
        command.args(["ig", "daemon", "serve"]).stdin(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn is_dead(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_end_that_cannot_be_kept_is_told_once_it_can() {
    if tool("strace").is_none() {
        return;
    }
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    world.kill_daemon();
    // The disk is full from the start, or from some write on.
    for write in (1..30).step_by(3) {
        let full = Doomed::under(&world, &format!("inject=pwrite64:error=ENOSPC:when={write}+"));
        wait_until("it answers", || has_answered(&world));
        let name = format!("job{write}");
        let start = Start { name: &name, session: Some("s"), script: "exit 1", ..Start::default() };
        let unit = start.run(&world)["id"].clone();
        wait_until("its end is known", || {
            Raw::greeted(&world).ok("unit.get", &json!({ "id": unit }))["status"] == "failed"
        });
        world.kill_daemon();
        drop(full);
        world.ok(&["daemon", "start"]);
        assert_eq!(ends(&drain(&world, "s")), [(name, "failed".to_owned())], "from {write} on");
        let link = world.state().join("live").join(unit.as_str().unwrap());
        assert!(link.symlink_metadata().is_err());
        world.kill_daemon();
    }
}

fn has_answered(world: &Sandbox) -> bool {
    world.command("ig").args(["daemon", "status"]).output().unwrap().status.success()
}

/// Kills the daemon at step after step, until it lives through `act`; after each, `check` looks with
/// a daemon that is sound. `act` waits for its effect or for the daemon's death.
pub(crate) fn at_every_step(
    world: &Sandbox,
    act: impl Fn(usize, &mut dyn FnMut() -> bool),
    check: impl Fn(usize),
) {
    for number in 1.. {
        let mut doomed = Doomed::start(world, number);
        wait_until("it answers or is dead", || doomed.is_dead() || has_answered(world));
        act(number, &mut || doomed.is_dead());
        // strace is there for a moment longer than what it killed: only an answer tells.
        let survived = has_answered(world);
        world.kill_daemon();
        drop(doomed);
        world.ok(&["daemon", "start"]);
        check(number);
        world.kill_daemon();
        if survived {
            assert!(number > 5, "there is more to an end than {number} steps");
            eprintln!("killed at {} steps", number - 1);
            return;
        }
    }
}

#[test]
fn an_end_is_told_once_whichever_step_the_daemon_dies_at() {
    if tool("strace").is_none() {
        return;
    }
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    world.kill_daemon();
    let gate = |number: usize| world.home().join(format!("gate{number}"));
    at_every_step(
        &world,
        |number, is_dead| {
            let script =
                format!("until [ -e {} ]; do sleep 0.01; done; exit 1", gate(number).display());
            let (name, terms) = (format!("job{number}"), Some(json!({})));
            let start = Start {
                name: &name,
                session: Some("s"),
                kind: Some("monitor"),
                terms,
                script: &script,
            };
            let mut command = start.command(&world);
            let unit = id(&crate::spawn(command.env("IDLERGEAR_NO_AUTOSTART", "1")));
            std::fs::write(gate(number), "").unwrap();
            let link = world.state().join("live").join(unit);
            wait_until("its end is noted", || is_dead() || link.symlink_metadata().is_err());
        },
        |number| {
            let live = world.state().join("live");
            wait_until("its end is noted", || live.read_dir().unwrap().next().is_none());
            let signals = drain(&world, "s");
            assert_eq!(ends(&signals), [(format!("job{number}"), "failed".to_owned())]);
            let closing = signals.iter().filter(|s| s["event"]["closing"] == true).count();
            assert_eq!((closing, signals.len()), (1, 2), "step {number}: {signals:?}");
        },
    );
}

/// Units that failed while no daemon was there: `count` times the same record under other names, each
/// with its link.
fn failures(world: &Sandbox, round: usize, count: usize) -> Vec<String> {
    let start = Start { name: "job", session: Some("s"), script: "exit 1", ..Start::default() };
    let unit = id(&crate::spawn(start.command(world).env("IDLERGEAR_NO_AUTOSTART", "1")));
    let folder = Folder::at(world.project().join(".idlergear/runs").join(&unit));
    wait_until("it has ended", || folder.load().is_ok_and(|unit| unit.status.is_terminal()));
    let (mut record, live) = (folder.load().unwrap(), world.state().join("live"));
    std::fs::remove_file(live.join(unit)).unwrap();
    let names = (0..count).map(|number| format!("job{round}-{number}"));
    names
        .enumerate()
        .map(|(number, name)| {
            record.id = UnitId::parse(&format!("b{round:03}{number:05}")).unwrap();
            record.name.clone_from(&name);
            let folder = Folder::at(folder.path().with_file_name(record.id.as_str()));
            std::fs::create_dir(folder.path()).unwrap();
            folder.save(&record).unwrap();
            std::os::unix::fs::symlink(folder.path(), live.join(record.id.as_str())).unwrap();
            name
        })
        .collect()
}

fn no_link_is_left(world: &Sandbox) -> bool {
    world.state().join("live").read_dir().unwrap().next().is_none()
}

#[test]
fn ends_found_together_are_told_once_each_whichever_step_the_daemon_dies_at() {
    if tool("strace").is_none() {
        return;
    }
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    world.kill_daemon();
    for step in 1.. {
        let mut names = failures(&world, step, 4);
        let mut doomed = Doomed::start(&world, step);
        wait_until("it answers or is dead", || doomed.is_dead() || has_answered(&world));
        let survived = !doomed.is_dead();
        world.kill_daemon();
        drop(doomed);
        world.ok(&["daemon", "start"]);
        assert!(no_link_is_left(&world), "step {step}");
        let mut told: Vec<String> =
            ends(&drain(&world, "s")).into_iter().map(|(name, _)| name).collect();
        names.sort();
        told.sort();
        assert_eq!(told, names, "step {step}");
        world.kill_daemon();
        if survived {
            assert!(step > 12, "there is more to four ends than {step} steps");
            return;
        }
    }
}

/// More of them than the daemon notes in one step, and than it remembers.
#[test]
fn a_crowd_of_ends_is_told_once_each_when_the_daemon_dies_among_them() {
    if tool("strace").is_none() {
        return;
    }
    for (kill_at, count) in [(300, 600), (600, 600), (1400, 1300), (2400, 1300)] {
        let world = Sandbox::with_project();
        world.ok(&["daemon", "start"]);
        world.kill_daemon();
        failures(&world, 0, count);
        let fault = format!("inject=unlink,unlinkat:signal=KILL:when={kill_at}");
        let mut doomed = Doomed::under(&world, &fault);
        wait_patiently("it is dead", || doomed.is_dead());
        assert!(!no_link_is_left(&world), "it died among them");
        for _ in 0..2 {
            world.ok(&["daemon", "start"]);
            wait_until("all ends are noted", || no_link_is_left(&world));
            world.kill_daemon();
        }
        world.ok(&["daemon", "start"]);
        let answers = std::iter::repeat_with(|| drain(&world, "s"));
        let signals: Vec<_> = answers.take_while(|some| !some.is_empty()).flatten().collect();
        let digests = signals.iter().filter_map(|signal| signal["digest"]["dropped"].as_object());
        let counted: u64 = digests.flat_map(|d| d.values()).filter_map(Value::as_u64).sum();
        let told: BTreeSet<String> = ends(&signals).into_iter().map(|(name, _)| name).collect();
        assert_eq!(told.len(), ends(&signals).len(), "none is told twice");
        assert_eq!(told.len() as u64 + counted, count as u64, "killed at {kill_at}");
    }
}

#[test]
fn a_drain_loses_nothing_whichever_step_the_daemon_dies_at() {
    if tool("strace").is_none() {
        return;
    }
    let world = Sandbox::with_project();
    let told = std::cell::RefCell::new(std::collections::BTreeMap::new());
    let take = |name: &str, seq: u64| {
        let known = told.borrow_mut().entry(name.to_owned()).or_insert(seq).to_owned();
        assert_eq!(known, seq, "a repeat has the same number");
    };
    let fail = |number: usize| {
        let name = format!("job{number}");
        let start = Start { name: &name, session: Some("s"), script: "exit 1", ..Start::default() };
        let mut command = start.command(&world);
        crate::spawn(command.env("IDLERGEAR_NO_AUTOSTART", "1"));
    };
    fail(1);
    at_every_step(
        &world,
        |_, is_dead| {
            let mut command = world.command("ig");
            command
                .args(["signals", "--session", "s", "--json"])
                .env("IDLERGEAR_NO_AUTOSTART", "1");
            let text = command.output().unwrap().stdout;
            for line in String::from_utf8(text).unwrap().lines() {
                let line = serde_json::from_str(line.trim_end_matches(','));
                let signal: serde_json::Value = line.unwrap_or_default();
                if let Some(name) = signal["snapshot"]["name"].as_str() {
                    take(name, signal["seq"].as_u64().unwrap());
                }
            }
            // One more answer: by then it has noted that the first arrived, or it is dead.
            wait_until("it answers or is dead", || has_answered(&world) || is_dead());
        },
        |number| {
            for signal in drain(&world, "s") {
                take(signal["snapshot"]["name"].as_str().unwrap(), signal["seq"].as_u64().unwrap());
            }
            assert!(told.borrow().contains_key(&format!("job{number}")), "step {number}");
            assert_eq!(pending(&world, "s"), 0);
            fail(number + 1);
            wait_until("the next one waits", || pending(&world, "s") == 1);
        },
    );
}
