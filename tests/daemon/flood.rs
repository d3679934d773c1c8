//! Many at once, and those who do not read.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::raw::Raw;
use crate::support::{Sandbox, wait_until};
use crate::wire::resident;
use crate::{Script, names};

#[test]
fn one_that_never_reads_is_cut_off_and_delays_nobody() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut speaker = Raw::greeted(&world);
    let agent = speaker.ok("agent.register", &json!({ "name": "speaker" }));
    let mut stalled = Raw::greeted(&world);
    stalled.ok("event.subscribe", &json!({ "all": true, "types": ["log_event"] }));
    let mut reader = Raw::greeted(&world);
    reader.ok("event.subscribe", &json!({ "all": true, "types": ["log_event"] }));
    assert_eq!(speaker.ok("daemon.status", &json!({}))["subscribers"], 2);

    let before = resident(&world);
    let text = "x".repeat(1000);
    let mut slowest = Duration::ZERO;
    for n in 0..5000 {
        let begun = Instant::now();
        let line = json!({ "id": agent["id"], "message": format!("{n} {text}") });
        speaker.ok("agent.log", &line);
        let heard = reader.event("log_event");
        slowest = slowest.max(begun.elapsed());
        assert!(heard["data"]["text"].as_str().unwrap().starts_with(&format!("{n} ")));
    }
    eprintln!("the slowest of 5000 lines took {slowest:?}");
    assert_eq!(speaker.ok("daemon.status", &json!({}))["subscribers"], 1);
    assert!(resident(&world).saturating_sub(before) < 32 << 10);
    // It finds what fitted into its socket, perhaps why, and the end.
    while !stalled.read().is_null() {}
}

#[test]
fn a_slow_reader_is_told_why_it_was_cut_off() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut speaker = Raw::greeted(&world);
    let agent = speaker.ok("agent.register", &json!({ "name": "speaker" }));
    let mut slow = Raw::greeted(&world);
    slow.ok("event.subscribe", &json!({ "all": true, "types": ["log_event"] }));
    let line = json!({ "id": agent["id"], "message": "y".repeat(60_000) });
    while speaker.ok("daemon.status", &json!({}))["subscribers"] == 1 {
        speaker.ok("agent.log", &line);
    }
    let told = slow.event("cut_off");
    assert!(told["data"]["reason"].as_str().unwrap().contains("waited to be read"), "{told}");
    assert!(slow.read().is_null());
}

#[cfg(target_os = "linux")]
#[test]
fn without_descriptors_it_pauses_and_recovers() {
    let world = Sandbox::with_project();
    let output = world.bash("ulimit -n 40; ig daemon start");
    assert!(output.status.success());
    let socket = world.home().join("run/idlergear/daemon.sock");
    let mut first = Raw::greeted(&world);
    let _script = Script::start(&world, "web");
    let crowd: Vec<_> =
        (0..60).map(|_| std::os::unix::net::UnixStream::connect(&socket).unwrap()).collect();
    wait_until("it says so", || {
        let log = std::fs::read_to_string(world.state().join("daemon.log")).unwrap();
        log.contains("cannot accept connections for now")
    });
    assert!(first.ok("daemon.status", &json!({}))["pid"].is_u64(), "who is in is served");
    drop(crowd);
    wait_until("it recovers", || names(&world) == ["web"]);
}

#[cfg(target_os = "linux")]
#[test]
fn it_sleeps_when_nothing_happens() {
    let world = Sandbox::with_project();
    let _script = Script::start(&world, "web");
    wait_until("it is listed", || names(&world) == ["web"]);
    let _idle: Vec<Raw> = (0..10).map(|_| Raw::greeted(&world)).collect();
    let proc = format!("/proc/{}/task", world.daemon_pid().unwrap());
    let switches = || -> u64 {
        let tasks = std::fs::read_dir(&proc).unwrap().flatten();
        let texts = tasks.filter_map(|t| std::fs::read_to_string(t.path().join("status")).ok());
        let count = |text: String| -> u64 {
            let lines = text.lines().filter(|l| l.starts_with("voluntary_ctxt_switches"));
            lines.map(|l| l.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum()
        };
        texts.map(count).sum()
    };
    // Whatever it still has to do after the last connection ends within some quiet second.
    wait_until("a second passes without a wake-up", || {
        let before = switches();
        std::thread::sleep(Duration::from_secs(1));
        switches() == before
    });
    eprintln!("idle daemon: {} KiB resident", resident(&world));
}
