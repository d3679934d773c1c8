//! Callers without manners, all at once: the silent, the slow, the loud, the endless, and those who
//! ask and never read. Whoever behaves is served meanwhile.

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::raw::Raw;
use crate::support::{Sandbox, wait_until};
use crate::{all_is_well, answers, drain, start, told};

const HELLO: &[u8] =
    b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":1,\"client\":\"x\"}}\n";
const LISTING: &[u8] =
    b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"unit.list\",\"params\":{\"all\":true,\"ended\":true}}\n";

/// Bytes that are seldom JSON, each time others.
fn garbage(seed: u32) -> Vec<u8> {
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(state.to_be_bytes()[0])
    };
    let mut state = seed;
    std::iter::from_fn(|| next(&mut state)).take(64 << 10).collect()
}

/// Writes `what` over and over, to a daemon that may hang up.
fn pester(world: &Sandbox, what: &[u8], over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let mut stream = UnixStream::connect(world.home().join("run/idlergear/daemon.sock"));
        let Ok(stream) = &mut stream else { continue };
        stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
        while !over.load(Ordering::Relaxed) {
            match stream.write_all(what) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => break,
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

/// A greeting, one byte at a time.
fn drip(world: &Sandbox, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let mut raw = Raw::connect(world);
        for byte in HELLO {
            if over.load(Ordering::Relaxed) || raw.reader.get_mut().write_all(&[*byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn descriptors(world: &Sandbox) -> usize {
    let folder = format!("/proc/{}/fd", world.daemon_pid().unwrap());
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn whoever_behaves_is_served_among_those_who_do_not() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    start(&world, "early", "exit 1");
    wait_until("its end is told", || told(&drain(&world)) == ["early"]);
    let before = descriptors(&world);
    let over = AtomicBool::new(false);
    let endless = vec![b'x'; 1 << 20];
    let asking = [HELLO, &LISTING.repeat(100)].concat();
    let silent: Vec<Raw> = (0..100).map(|_| Raw::connect(&world)).collect();
    std::thread::scope(|scope| {
        let _stop = Stop(&over);
        for seed in 0..4 {
            let (world, over, endless, asking) = (&world, &over, &endless, &asking);
            scope.spawn(move || pester(world, &garbage(seed), over));
            scope.spawn(move || pester(world, endless, over));
            scope.spawn(move || pester(world, asking, over));
            scope.spawn(move || drip(world, over));
        }
        for n in 0..5 {
            let name = format!("job{n}");
            let unit = start(&world, &name, "echo line; exit 1");
            let mut raw = Raw::greeted(&world);
            wait_until("its end is known", || {
                raw.ok("unit.get", &json!({ "id": unit }))["status"] == "failed"
            });
            assert_eq!(raw.ok("unit.output", &json!({ "id": unit }))["text"], "line\n");
            assert_eq!(told(&drain(&world)), [name]);
            answers(&world);
        }
    });
    drop(silent);
    wait_until("it has closed what they left open", || descriptors(&world) <= before);
    all_is_well(&world);
}

/// Lets the pests go home, also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
