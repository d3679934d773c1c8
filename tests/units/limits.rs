//! `--limit`: held by a cgroup where one can be had, else by an rlimit, and said which.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use idlergear::os::Identity;

use crate::World;
use crate::support::{stderr, wait_until};

#[test]
fn memory_is_held_and_the_means_are_told() {
    let world = World::new();
    let script =
        "ulimit -v; x=$(head -c 400000000 /dev/zero | tr '\\0' x) || exit 9; echo survived";
    let started = world.ig(&["start", "hungry", "--limit", "memory=100M", "--", script]);
    assert!(started.status.success(), "{}", stderr(&started));
    let unit = world.unit("hungry");
    assert_eq!(unit["terms"]["limit"], "memory=100M");
    let limits = &unit["metadata"]["limits"];
    assert_eq!(limits["memory"], 100 << 20);
    let by = limits["by"].as_str().unwrap();
    assert!(stderr(&started).contains(by), "{}", stderr(&started));
    assert_ne!(world.end_of("hungry"), 0);
    let output = world.ok(&["output", "hungry"]);
    assert!(!output.contains("survived"), "{output}");
    if by == "rlimit" {
        assert!(output.starts_with("102400\n"), "{output}");
    }
}

#[test]
fn what_nobody_holds_is_said() {
    let world = World::new();
    let started = world.ig(&["start", "busy", "--limit", "cpu=1", "--", "sleep 60"]);
    let limits = world.unit("busy")["metadata"]["limits"].clone();
    if limits["by"] == "rlimit" {
        assert!(stderr(&started).contains("cpu is NOT limited"), "{}", stderr(&started));
        assert_eq!(limits["not_held"][0], "cpu");
        assert!(world.ok(&["run", "status", "busy"]).contains("cpu is not limited"));
    }
    world.ok(&["stop", "busy"]);
}

/// The cgroup we are in, of version 2, and a new one in it for one test, when we may make one.
fn cgroup(name: &str) -> Option<(PathBuf, PathBuf)> {
    let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
    let mount = mounts.into_iter().find(|dir| dir.join("cgroup.controllers").is_file())?;
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let home = mount.join(text.lines().find_map(|line| line.strip_prefix("0::/"))?);
    let made = home.join(format!("ig-{name}-{}", std::process::id()));
    if std::fs::create_dir(&made).is_err() {
        eprintln!("SKIPPED: no cgroup can be made here");
        return None;
    }
    Some((home, made))
}

/// Who is in it: a process id a line.
fn inside(cgroup: &Path) -> String {
    std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default()
}

/// The runner of `script`, told that `cgroup` is to hold it.
fn run_in(world: &World, name: &str, limits: &serde_json::Value, script: &str) -> Child {
    let mut run = world.0.command("ig-agent");
    run.args(["run", "--detach", "--name", name]);
    run.args(["--limits", &limits.to_string(), "--", script]);
    run.stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_cgroup_that_went_away_is_not_said_to_hold() {
    let world = World::new();
    let gone = "/sys/fs/cgroup/ig-gone";
    let limits = serde_json::json!({"by": "cgroup", "cgroup": gone, "home": "/sys/fs/cgroup",
        "memory": 100 << 20, "cpu": 1.0});
    run_in(&world, "free", &limits, "ulimit -v").wait().unwrap();
    let limits = world.unit("free")["metadata"]["limits"].clone();
    assert_eq!((&limits["by"], &limits["not_held"][0]), (&"rlimit".into(), &"cpu".into()));
    assert!(limits["cgroup"].is_null(), "{limits}");
    assert_eq!(world.ok(&["output", "free"]), "102400\n");
}

/// Nothing tells whose it is but the cgroup.
#[test]
fn sweep_finds_who_is_left_in_the_cgroup() {
    let Some((home, made)) = cgroup("left") else { return };
    let world = World::new();
    let limits = serde_json::json!({"by": "cgroup", "cgroup": made, "home": home});
    let script = "(env -i setsid setsid sleep 60 >/dev/null 2>&1 &); exit 3";
    run_in(&world, "leaves", &limits, script).wait().unwrap();
    assert_eq!(world.end_of("leaves"), 3);
    wait_until("it is on its own", || inside(&made).lines().count() == 1);
    assert!(stderr(&world.ig(&["clear", "-y"])).contains("kept 1"));
    let pid = inside(&made).trim().to_owned();
    assert!(world.ok(&["sweep"]).contains(&pid));
    world.ok(&["sweep", "--stop", "leaves"]);
    assert!(!made.exists());
    assert!(world.ok(&["clear", "-y"]).contains("forgot 1"));
}

#[test]
fn the_daemon_removes_the_cgroup_of_a_runner_that_was_killed() {
    let Some((home, made)) = cgroup("killed") else { return };
    let world = World::new();
    let limits = serde_json::json!({"by": "cgroup", "cgroup": made, "home": home});
    let mut runner = run_in(&world, "alone", &limits, "exec sleep 60");
    wait_until("it runs", || !inside(&made).is_empty() && !world.unit("alone")["pid"].is_null());
    world.ok(&["daemon", "start"]);
    runner.kill().unwrap();
    runner.wait().unwrap();
    let process = serde_json::from_value(world.unit("alone")["process"].clone()).unwrap();
    assert!(idlergear::os::signal(&process, rustix::process::Signal::KILL));
    wait_until("it is gone", || !made.exists());
}

/// What descends from nobody, is in no group and bears no mark is still in the cgroup.
#[test]
fn a_cgroup_holds_the_whole_tree_and_is_gone_afterwards() {
    let Some((home, made)) = cgroup("test") else { return };
    let world = World::new();
    let limits = serde_json::json!({"by": "cgroup", "cgroup": made, "home": home}).to_string();
    let script = "cat /proc/self/cgroup
        (env -i setsid setsid sleep 60 &); sleep 60; true";
    let mut run = world.0.command("ig-agent");
    run.args([
        "run",
        "--detach",
        "--name",
        "held",
        "--no-register",
        "--limits",
        &limits,
        "--",
        script,
    ]);
    let mut runner = run.stdout(Stdio::null()).spawn().unwrap();
    // The command's three; the runner was there to start it, and went back.
    let own = runner.id().to_string();
    let settled =
        || inside(&made).lines().count() == 3 && !inside(&made).lines().any(|pid| pid == own);
    wait_until("all but the runner are inside", || {
        settled() && !world.ok(&["output", "held"]).is_empty()
    });
    let places = world.ok(&["output", "held"]);
    let v2 = places.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
    assert!(v2.ends_with(made.file_name().unwrap().to_str().unwrap()), "{places}");
    let processes: Vec<Identity> =
        inside(&made).lines().filter_map(|pid| Identity::of(pid.parse().ok()?)).collect();
    world.ok(&["stop", "held"]);
    assert!(!processes.iter().any(Identity::is_alive));
    assert!(!made.exists());
    runner.wait().unwrap();
}
