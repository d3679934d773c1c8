//! `--limit`: held by a cgroup where one can be had, else by an rlimit, and said which.

use std::path::{Path, PathBuf};
use std::process::Stdio;

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

/// The cgroup we are in, of version 2, when we may make others in it.
fn cgroup() -> Option<PathBuf> {
    let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
    let mount = mounts.into_iter().find(|dir| dir.join("cgroup.controllers").is_file())?;
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let home = mount.join(text.lines().find_map(|line| line.strip_prefix("0::/"))?);
    let probe = home.join(format!("ig-probe-{}", std::process::id()));
    std::fs::create_dir(&probe).and_then(|()| std::fs::remove_dir(&probe)).ok()?;
    Some(home)
}

/// What descends from nobody, is in no group and bears no mark is still in the cgroup.
#[test]
fn a_cgroup_holds_the_whole_tree_and_is_gone_afterwards() {
    let Some(home) = cgroup() else {
        eprintln!("SKIPPED: no cgroup can be made here");
        return;
    };
    let world = World::new();
    let made = home.join(format!("ig-test-{}", std::process::id()));
    std::fs::create_dir(&made).unwrap();
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
    let inside = || std::fs::read_to_string(made.join("cgroup.procs")).unwrap_or_default();
    // The command's three; the runner was there to start it, and went back.
    let own = runner.id().to_string();
    let settled = || inside().lines().count() == 3 && !inside().lines().any(|pid| pid == own);
    wait_until("all but the runner are inside", || {
        settled() && !world.ok(&["output", "held"]).is_empty()
    });
    let places = world.ok(&["output", "held"]);
    let v2 = places.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
    assert!(v2.ends_with(made.file_name().unwrap().to_str().unwrap()), "{places}");
    let processes: Vec<Identity> =
        inside().lines().filter_map(|pid| Identity::of(pid.parse().ok()?)).collect();
    world.ok(&["stop", "held"]);
    assert!(!processes.iter().any(Identity::is_alive));
    assert!(!made.exists());
    runner.wait().unwrap();
}
