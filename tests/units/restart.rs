//! Restart policies: one unit, one log, and an end to it.

use crate::World;
use crate::support::wait_until;

#[test]
fn a_failing_unit_is_started_again_until_it_is_a_loop() {
    let world = World::new();
    let script = "echo run >> ../runs; echo line; exit 3";
    let id = world.start(&["flaky", "--restart", "on-failure:2", "--", script]);
    assert_eq!(world.end_of(&id), 3);
    let unit = world.unit(&id);
    assert_eq!((unit["restarts"].as_u64(), unit["status"].as_str()), (Some(2), Some("failed")));
    assert_eq!(unit["description"], "given up after 2 of 2: exit code 3");
    // One log, and its numbers go on.
    assert_eq!(world.ok(&["logs", &id, "--number"]), "     1  line\n     2  line\n     3  line\n");
    let events = world.ok(&["logs", &id, "--events"]);
    for part in
        ["restart 1 of 2 in 1s: exit code 3", "restart 2 of 2 in 2s: exit code 3", "given up"]
    {
        assert!(events.contains(part), "no {part} in\n{events}");
    }
    assert_eq!(world.names(&["run", "list", "--json"]), ["flaky"]);
}

#[test]
fn what_heals_goes_on_and_success_is_the_end() {
    let world = World::new();
    let script = "test -e ../once && exit 0; touch ../once; kill -KILL $$";
    let id = world.start(&["--restart", "on-failure", "--", script]);
    assert_eq!(world.end_of(&id), 0);
    let unit = world.unit(&id);
    assert_eq!((unit["restarts"].as_u64(), unit["status"].as_str()), (Some(1), Some("completed")));
}

#[test]
fn a_stop_is_the_end_while_it_runs_and_while_it_waits() {
    let world = World::new();
    let id = world.start(&[
        "steady",
        "--restart",
        "always",
        "--",
        "trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done",
    ]);
    world.ok(&["wait", &id, "--until", "match:up"]);
    world.ok(&["stop", &id]);
    let unit = world.unit(&id);
    assert_eq!((unit["restarts"].as_u64(), unit["status"].as_str()), (Some(0), Some("killed")));

    let id = world.start(&["waiting", "--restart", "always", "--", "echo hi"]);
    wait_until("it waits", || world.unit(&id)["restarts"].as_u64() >= Some(2));
    assert_eq!(world.unit(&id)["status"], "running");
    world.ok(&["stop", &id]);
    let unit = world.unit(&id);
    assert_eq!(unit["status"], "killed");
    assert_eq!(world.names(&["ps", "--json"]), [""; 0]);
}

#[test]
fn a_daemon_sees_one_unit_also_after_its_own_death() {
    let world = World::new();
    world.0.ok(&["daemon", "start"]);
    let script = "echo run >> runs; [ $(wc -l < runs) -gt 2 ] && sleep 60; exit 3";
    let id = world.0.ok(&["start", "flaky", "--restart", "always:5", "--", script]);
    let id = id.trim();
    let listed = || world.0.json(&["daemon", "agents", "--json"])["agents"].clone();
    wait_until("it is listed", || listed()[0]["id"] == id);
    wait_until("it is started again", || world.unit(id)["restarts"].as_u64() >= Some(1));
    world.0.kill_daemon();
    wait_until("it is up", || world.unit(id)["restarts"] == 2 && world.unit(id)["pid"].is_u64());
    world.0.ok(&["daemon", "start"]);
    wait_until("it is listed again", || listed()[0]["restarts"] == 2);
    assert_eq!((listed()[0]["id"].as_str(), listed().as_array().unwrap().len()), (Some(id), 1));
    world.ok(&["stop", id]);
    wait_until("it is gone", || listed().as_array().unwrap().is_empty());
    assert_eq!(world.names(&["run", "list", "--json"]), ["flaky"]);
}
