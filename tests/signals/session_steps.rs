//! Sessions begin, merge and end while the daemon is killed at every step of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::sessions::{
    Client, begin, begin_with, daemon, end, fail, ig_start, names, status, stop,
};
use crate::steps::at_every_step;
use crate::support::{Sandbox, tool, wait_until};
use crate::{Start, drain, drainer, pending, wait_for_ends};

/// A call that the daemon may not live to answer.
fn try_call(world: &Sandbox, method: &str, params: &Value) -> Option<Value> {
    let stream = UnixStream::connect(world.home().join("run/idlergear/daemon.sock")).ok()?;
    let mut reader = BufReader::new(stream);
    for (method, params) in [("hello", &json!({ "protocol": 1 })), (method, params)] {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        writeln!(reader.get_mut(), "{call}").ok()?;
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let answer: Value = serde_json::from_str(&line).ok()?;
        if method != "hello" {
            return Some(answer["result"].clone());
        }
    }
    None
}

/// Something fails once a daemon lives that can be trusted.
fn fail_as(world: &Sandbox, session: Option<&str>, name: &str) {
    let start = Start { name, session, script: "exit 1", ..Start::default() };
    crate::spawn(start.command(world).env("IDLERGEAR_NO_AUTOSTART", "1"));
}

#[test]
fn two_sessions_become_one_whichever_step_the_daemon_dies_at() {
    if tool("strace").is_none() {
        return;
    }
    let world = Sandbox::with_project();
    let prepare = |number: usize| {
        let [a, b] = [format!("a{number}"), format!("b{number}")];
        for session in ["third", &a, &b] {
            begin(&world, session, &[]);
        }
        fail(&world, None, "shared");
        // One has heard of it, the other has not.
        assert_eq!(names(&drain(&world, &b)), ["shared"]);
        fail(&world, Some(&a), "of-a");
        fail(&world, Some(&b), "of-b");
    };
    world.ok(&["daemon", "start"]);
    prepare(1);
    world.kill_daemon();
    at_every_step(
        &world,
        |number, _| {
            let params = json!({ "session": format!("a{number}"), "project": world.project(),
                "aliases": [format!("b{number}")] });
            try_call(&world, "session.begin", &params);
        },
        |number| {
            let [a, b] = [format!("a{number}"), format!("b{number}")];
            let before = (pending(&world, &a), pending(&world, &b));
            assert!(before == (2, 1) || before == (2, 2), "all or nothing: {before:?}");
            assert_eq!(begin(&world, &a, &[&b]), json!({ "session": a, "aliases": [b] }));
            assert_eq!(names(&drain(&world, &b)), ["of-a", "of-b"], "step {number}");
            assert!(drain(&world, &a).is_empty());
            end(&world, &a);
            prepare(number + 1);
        },
    );
}

#[test]
fn a_session_ends_whole_whichever_step_the_daemon_dies_at() {
    if tool("strace").is_none() {
        return;
    }
    let world = Sandbox::with_project();
    let monitor = RefCell::new(String::new());
    let prepare = |number: usize| {
        let session = format!("s{number}");
        begin(&world, &session, &[&format!("alias{number}")]);
        fail(&world, Some(&session), &format!("job{number}"));
        let words = ["mon", "--kind", "monitor", "--", "sleep 600"];
        let started = ig_start(&world, Some(&format!("alias{number}")), &words);
        wait_until("it is known", || {
            try_call(&world, "unit.get", &json!({ "id": started })).is_some_and(|u| u.is_object())
        });
        monitor.replace(started);
    };
    world.ok(&["daemon", "start"]);
    prepare(1);
    world.kill_daemon();
    at_every_step(
        &world,
        |number, is_dead| {
            let params = json!({ "session": format!("alias{number}") });
            try_call(&world, "session.end", &params);
            let link = world.state().join("live").join(monitor.borrow().as_str());
            let gone = || link.symlink_metadata().is_err();
            wait_until("it is dead or the monitor is", || is_dead() || gone());
        },
        |number| {
            end(&world, &format!("s{number}"));
            wait_until("the monitor has ended", || status(&world, &monitor.borrow()) == "killed");
            let heir = drain(&world, &format!("heir{number}"));
            assert_eq!(names(&heir), [format!("job{number}")], "step {number}");
            assert!(drain(&world, &format!("s{number}")).is_empty());
            end(&world, &format!("heir{number}"));
            end(&world, &format!("s{number}"));
            prepare(number + 1);
        },
    );
    world.ok(&["daemon", "start"]);
    stop(&world, &monitor.borrow());
}

#[test]
fn a_client_that_dies_ends_its_session_whichever_step_the_daemon_dies_at() {
    if tool("strace").is_none() {
        return;
    }
    let world = Sandbox::with_project();
    let client = RefCell::new(Client::new(&world));
    let prepare = |number: usize| {
        client.replace(Client::new(&world));
        begin_with(&world, &format!("s{number}"), client.borrow().pid());
        fail(&world, Some(&format!("s{number}")), &format!("job{number}"));
    };
    world.ok(&["daemon", "start"]);
    prepare(1);
    world.kill_daemon();
    at_every_step(
        &world,
        |number, is_dead| {
            client.borrow_mut().die();
            // Its end is known once what waits for it is somebody else's.
            let heir = drainer(&world, &format!("heir{number}"));
            wait_until("it is dead or the session is", || {
                let answer = try_call(&world, "signal.pending", &heir);
                is_dead() || answer.is_some_and(|pending| pending["count"] == 1)
            });
        },
        |number| {
            let heir = format!("heir{number}");
            wait_until("it is the heir's", || pending(&world, &heir) == 1);
            assert_eq!(names(&drain(&world, &heir)), [format!("job{number}")], "step {number}");
            assert!(drain(&world, &format!("s{number}")).is_empty());
            end(&world, &heir);
            end(&world, &format!("s{number}"));
            prepare(number + 1);
        },
    );
}

#[test]
fn a_session_that_begins_in_the_storm_loses_nothing() {
    let world = daemon();
    let rounds = 12;
    let is_over = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..rounds {
                let params = json!({ "session": "s", "project": world.project(),
                    "aliases": [format!("n{n}")] });
                fail_as(&world, Some(&format!("n{n}")), &format!("job{n}"));
                while try_call(&world, "session.begin", &params).is_none() {
                    std::thread::yield_now();
                }
            }
            is_over.store(true, Ordering::Relaxed);
        });
        let drainer = scope.spawn(|| {
            let mut told = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let output = world.ig(&["signals", "--session", "s", "--json"]);
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let lines = text.lines().map(|line| line.trim_end_matches(','));
                let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
                told.extend(lines.filter(|signal| signal["seq"].is_u64()));
            }
            told
        });
        while !drainer.is_finished() {
            world.kill_daemon();
            world.ig(&["daemon", "start"]);
            for _ in 0..3 {
                world.ig(&["daemon", "status"]);
            }
        }
        drainer.join().unwrap()
    });
    world.ok(&["daemon", "start"]);
    wait_for_ends(&world);
    let mut all = told;
    all.extend(drain(&world, "s"));
    // What had failed before the session came is told at its first question, marked so: a session that
    // is given one more name later may hear of the same end as its own.
    all.retain(|signal| signal["earlier"] != true);
    let mut by_seq = BTreeMap::new();
    for signal in &all {
        let name = signal["snapshot"]["name"].as_str().unwrap();
        assert_eq!(*by_seq.entry(signal["seq"].as_u64().unwrap()).or_insert(name), name);
    }
    assert_eq!(by_seq.len(), rounds, "each once, repeats under their number");
}
