//! A clock that jumps by years, forwards and back, under the daemon, the runners and their callers.
//!
//! libfaketime stands between each of them and the kernel; it leaves the monotonic clock alone, as
//! the kernel does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::{Sandbox, stderr, succeed, wait_until};
use crate::{Killed, all_is_well, answers, drain, told};

/// Where distributions keep it; the one for programs with threads.
fn library() -> Option<PathBuf> {
    let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(Path::new);
    let multiarch = folders[0].read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let known = folders.iter().map(|folder| folder.to_path_buf()).chain(multiarch);
    let found = known.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    if let Some(library) = found.into_iter().find(|path| path.exists()) {
        return Some(library);
    }
    assert!(
        std::env::var("IDLERGEAR_REQUIRE_TOOLS").is_err(),
        "`libfaketime` is needed: install it, or unset IDLERGEAR_REQUIRE_TOOLS to skip"
    );
    eprintln!("SKIPPED: `libfaketime` is not installed");
    None
}

/// A world with a clock of its own.
struct Clock {
    world: Sandbox,
    library: PathBuf,
    hand: PathBuf,
}

impl Clock {
    fn new() -> Option<Self> {
        let world = Sandbox::with_project();
        let clock = Self { library: library()?, hand: world.home().join("clock"), world };
        clock.jump("+0");
        Some(clock)
    }

    /// Puts the hand so far from the true time.
    fn jump(&self, offset: &str) {
        let next = self.hand.with_extension("next");
        fs::write(&next, format!("{offset}\n")).unwrap();
        fs::rename(next, &self.hand).unwrap();
    }

    fn under(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.hand)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1")
            .env("IDLERGEAR_SESSION", "s");
    }

    fn ig(&self, args: &[&str]) -> String {
        let mut command = self.world.command("ig");
        self.under(command.args(args));
        succeed(&command.output().unwrap(), args)
    }

    /// A daemon that lives by this clock.
    fn daemon(&self) -> Killed {
        let mut command = self.world.command("ig");
        self.under(command.args(["daemon", "serve"]).stdin(Stdio::null()).stderr(Stdio::null()));
        let daemon = Killed::spawn(&mut command);
        wait_until("it answers", || self.world.ig(&["daemon", "status"]).status.success());
        daemon
    }

    fn start(&self, name: &str, options: &[&str], script: &str) -> String {
        let words = [&["start", name], options, &["--", "bash", "-c", script]].concat();
        self.ig(&words).trim().to_owned()
    }

    fn get(&self, id: &str) -> Value {
        Raw::greeted(&self.world).ok("unit.get", &json!({ "id": id }))
    }

    fn open(&self, gate: &str) {
        self.world.write(gate, "");
    }
}

fn until(gate: &str) -> String {
    format!("until [ -e {gate} ]; do sleep 0.05; done")
}

fn year(rfc3339: &Value) -> u32 {
    rfc3339.as_str().unwrap()[..4].parse().unwrap()
}

#[test]
fn a_clock_that_jumps_changes_no_end_and_no_order() {
    let Some(clock) = Clock::new() else { return };
    let mut daemon = clock.daemon();
    let now = year(&clock.get(&clock.start("now", &[], "exit 0"))["started_at"]);
    let mut last = 0;
    // Ten years on, back to before everything began, and home again.
    for (number, offset) in ["+3650d", "-3650d", "+0"].into_iter().enumerate() {
        let gate = format!("gate{number}");
        let [job, flaky, steady] = ["job", "flaky", "steady"].map(|name| format!("{name}{number}"));
        let spans = clock.start(&job, &[], &format!("{}; exit 7", until(&gate)));
        let again = format!("{}; test -e {flaky} && exit 0; touch {flaky}; exit 1", until(&gate));
        let restarted = clock.start(&flaky, &["--restart", "on-failure:3"], &again);
        let stopped = clock.start(&steady, &[], "trap '' TERM; sleep 600 & wait; wait");
        let moved = year(&clock.get(&spans)["started_at"]);
        clock.jump(offset);
        answers(&clock.world);

        clock.open(&gate);
        wait_until("what spans the jump has ended", || clock.get(&spans)["exit_code"] == 7);
        let unit = clock.get(&spans);
        assert!(unit["duration_ms"].as_u64().unwrap() < 600_000, "{unit}");
        assert_eq!(unit["started_at"].as_str().unwrap()[..4], moved.to_string());
        let expected = [now + 10, now - 10, now][number];
        assert!(year(&unit["ended_at"]).abs_diff(expected) <= 1, "{unit}");
        wait_until("it is started again", || clock.get(&restarted)["status"] == "completed");
        assert_eq!(clock.get(&restarted)["restarts"], 1);

        clock.ig(&["stop", &steady, "--grace", "200ms"]);
        wait_until("it is stopped", || clock.get(&stopped)["status"] == "killed");
        let signals = drain(&clock.world);
        assert_eq!(told(&signals), [job], "{signals:?}");
        let seq = signals[0]["seq"].as_u64().unwrap();
        assert!(seq > last, "numbers only grow");
        last = seq;

        // What waits is told by a daemon that was not there when the clock jumped, too.
        let late = format!("late{number}");
        let late_id = clock.start(&late, &[], "exit 2");
        wait_until("it has ended", || clock.get(&late_id)["exit_code"] == 2);
        daemon.0.kill().unwrap();
        daemon.0.wait().unwrap();
        daemon = clock.daemon();
        assert_eq!(told(&drain(&clock.world)), [late]);
        last += 1;
    }
    // Runs that were over before the first jump were ten years old for a while, which is too old.
    let listed: Value = serde_json::from_str(&clock.ig(&["run", "list", "--json"])).unwrap();
    let listed = listed["units"].as_array().unwrap().iter().map(|unit| unit["name"].clone());
    let listed: Vec<Value> = listed.collect();
    for name in ["job2", "flaky2", "steady2", "late2"] {
        assert!(listed.contains(&name.into()), "{name} is not in {listed:?}");
    }
    all_is_well(&clock.world);
    let status = clock.world.ig(&["daemon", "status"]);
    assert_eq!(stderr(&status), "");
}
