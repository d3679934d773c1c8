//! `--limit`: held by a cgroup where one can be had, else by an rlimit, and said which.

use crate::World;
use crate::support::stderr;

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
