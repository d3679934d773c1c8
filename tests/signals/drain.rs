//! Several drainers at once, and drainers that die: each signal reaches one of them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::{Sandbox, succeed, wait_until};
use crate::{drain, drainer, ends, pending, start, wait_for_ends};

fn seqs(signals: &[Value]) -> Vec<u64> {
    signals.iter().map(|signal| signal["seq"].as_u64().unwrap()).collect()
}

#[test]
fn concurrent_drainers_share_and_never_repeat() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let done = AtomicBool::new(false);
    let told: Vec<u64> = std::thread::scope(|scope| {
        let sockets: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let (mut raw, mut told) = (Raw::greeted(&world), Vec::new());
                    while !done.load(Ordering::Relaxed) {
                        let answer = raw.ok("signal.drain", &drainer(&world, "s"));
                        told.extend(seqs(answer["signals"].as_array().unwrap()));
                    }
                    told
                })
            })
            .collect();
        let programs: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut told = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        let answer = world.json(&["signals", "--session", "s", "--json"]);
                        told.extend(seqs(answer["signals"].as_array().unwrap()));
                    }
                    told
                })
            })
            .collect();
        for n in 0..40 {
            start(&world, "s", &format!("job{n}"), "exit 1");
        }
        wait_for_ends(&world);
        wait_until("all are told", || pending(&world, "s") == 0);
        done.store(true, Ordering::Relaxed);
        sockets.into_iter().chain(programs).flat_map(|drainer| drainer.join().unwrap()).collect()
    });
    let distinct: BTreeSet<u64> = told.iter().copied().collect();
    let rest = drain(&world, "s");
    assert_eq!((told.len() + rest.len(), distinct.len() + rest.len()), (40, 40));
}

#[test]
fn two_sessions_do_not_take_from_each_other() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    for n in 0..6 {
        start(&world, if n % 2 == 0 { "even" } else { "odd" }, &format!("job{n}"), "exit 1");
    }
    wait_for_ends(&world);
    for (session, names) in [("even", ["job0", "job2", "job4"]), ("odd", ["job1", "job3", "job5"])]
    {
        let mut told: Vec<String> =
            ends(&drain(&world, session)).into_iter().map(|(name, _)| name).collect();
        told.sort();
        assert_eq!(told, names);
    }
}

#[test]
fn what_is_held_is_nobody_elses_until_it_is_given_back() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    for n in 0..3 {
        start(&world, "s", &format!("job{n}"), "exit 1");
    }
    wait_for_ends(&world);
    let mut hold = drainer(&world, "s");
    hold["hold"] = json!(true);
    let mut first = Raw::greeted(&world);
    let held = seqs(first.ok("signal.drain", &hold)["signals"].as_array().unwrap());
    assert_eq!(held.len(), 3);
    assert_eq!((pending(&world, "s"), drain(&world, "s").len()), (0, 0));
    hold["ack"] = json!(held[..1]);
    hold["limit"] = json!(0);
    assert_eq!(first.ok("signal.drain", &hold)["signals"], json!([]));
    // The drainer dies between reading and acknowledging.
    let mut bell = Raw::greeted(&world);
    bell.ok("event.subscribe", &json!({ "session": "s", "types": ["signal"] }));
    drop(first);
    assert_eq!(bell.event("signal")["data"]["again"], true, "others are told");
    assert_eq!(seqs(&drain(&world, "s")), held[1..], "the same numbers");
    assert!(drain(&world, "s").is_empty());
}

#[test]
fn a_call_without_an_id_takes_nothing() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    start(&world, "s", "job", "exit 1");
    wait_for_ends(&world);
    let mut raw = Raw::greeted(&world);
    let call =
        json!({ "jsonrpc": "2.0", "method": "signal.drain", "params": drainer(&world, "s") });
    raw.send(format!("{call}\n").as_bytes());
    assert_eq!(
        raw.ok("signal.drain", &drainer(&world, "s"))["signals"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn what_could_not_be_printed_was_not_told() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    start(&world, "s", "job", "exit 1");
    wait_for_ends(&world);
    for options in ["", "--json"] {
        // Nothing was printed, so nothing was told.
        let script = format!("ig signals --session s {options} > /dev/full; true");
        succeed(&world.bash(&script), &[&script]);
        wait_until("it is back", || pending(&world, "s") == 1);
    }
}

#[test]
fn sessions_have_sensible_names() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    for name in ["", "a\u{1}b", "\n", &"x".repeat(201)] {
        assert_eq!(raw.refused("signal.drain", &json!({ "session": name })), "invalid_params");
        assert_eq!(raw.refused("signal.pending", &json!({ "session": name })), "invalid_params");
    }
    assert_eq!(raw.refused("signal.drain", &json!({})), "invalid_params");
}
