//! Byte for byte: what the command writes is what its reader gets and what is kept, whatever it is
//! and however much; and memory stays small.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::fs;
use std::process::{Child, Command, Stdio};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;
use support::{Sandbox, succeed, wait_until};

fn command(world: &Sandbox, program: &str, args: &[&str]) -> Command {
    let mut command = world.command(program);
    command.args(args).env("IDLERGEAR_NO_DAEMON", "1");
    command
}

/// Bytes without any order, every value among them; the same for the same seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

proptest! {
    // The same cases each time: what fails anywhere fails everywhere.
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 6, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default()
    })]

    #[test]
    fn both_streams_are_what_the_command_wrote(
        seeds in any::<(u64, u64)>(),
        out_length in 0..4_000_000_usize,
        err_length in 0..1_000_000_usize,
        block in prop_oneof![Just("1k"), Just("4097"), Just("100k")],
    ) {
        let world = Sandbox::with_project();
        let (out, err) = (noise(seeds.0, out_length), noise(seeds.1, err_length));
        fs::write(world.project().join("a"), &out).unwrap();
        fs::write(world.project().join("b"), &err).unwrap();
        let script = format!("dd if=a bs={block} status=none & dd if=b bs={block} status=none >&2; wait");
        for program in ["ig", "ig-agent"] {
            let output = command(&world, program, &["run", "--name", "job", "--", "bash", "-c", &script])
                .output()
                .unwrap();
            prop_assert!(output.stdout == out && output.stderr == err, "{}", program);
            let status = command(&world, "ig", &["run", "status", "job", "--json"]).output().unwrap();
            let unit: Value = serde_json::from_slice(&status.stdout).unwrap();
            for (stream, wrote) in [("stdout", &out), ("stderr", &err)] {
                let kept = fs::read(unit["logs"][stream].as_str().unwrap()).unwrap();
                prop_assert!(&kept == wrote, "{} keeps {}", program, stream);
                let raw = command(&world, "ig", &["logs", "job", "--raw", &format!("--{stream}")])
                    .output()
                    .unwrap();
                prop_assert!(&raw.stdout == wrote, "{} shows {}", program, stream);
            }
        }
    }
}

/// The most memory that a process ever had, bytes.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

fn small(what: &str, pid: u32) {
    let peak = peak(pid);
    assert!(peak < 64 << 20, "{what} had {peak} bytes");
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// 100 MiB without a newline, while the daemon passes them on and readers follow.
#[cfg(target_os = "linux")]
#[test]
fn an_endless_line_takes_little_memory_anywhere() {
    let world = Sandbox::with_project();
    let script = "until [ -e go ]; do sleep 0.02; done; head -c 104857600 /dev/zero | tr '\\0' x; \
                  echo >done; until [ -e stop ]; do sleep 0.02; done";
    let mut run = world
        .command("ig")
        .args(["run", "--stream", "--name", "job", "--", "bash", "-c", script])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the daemon knows it", || {
        let listed = world.ig(&["daemon", "agents", "--json"]);
        String::from_utf8_lossy(&listed.stdout).contains("\"job\"")
    });
    let follow = |args: &[&str]| {
        let mut follower = world.command("ig");
        follower.args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let subscriber = follow(&["daemon", "logs", "job", "-f"]);
    world.write("go", "");
    wait_until("all is written", || world.project().join("done").exists());
    let status = succeed(&world.ig(&["run", "status", "job", "--json"]), &["status"]);
    let unit: Value = serde_json::from_str(&status).unwrap();
    let log = unit["logs"]["stdout"].as_str().unwrap().to_owned();
    let length = || -> u64 {
        let dir = fs::read_dir(std::path::Path::new(&log).parent().unwrap()).unwrap().flatten();
        let pieces =
            dir.filter(|file| file.file_name().to_str().unwrap().starts_with("stdout.log"));
        pieces.map(|file| file.metadata().unwrap().len()).sum()
    };
    wait_until("all is kept", || length() >= 104_857_600);
    let readers = [
        ("the tail", follow(&["logs", "job", "-f", "--tail", "1"])),
        ("so many bytes", follow(&["logs", "job", "-f", "--max-bytes", "1000000000"])),
        ("a pattern", follow(&["logs", "job", "-f", "--grep", "y"])),
        ("raw", follow(&["logs", "job", "-f", "--raw"])),
    ];
    // A follower sleeps once it has read all there is.
    for (what, reader) in &readers {
        wait_until(what, || {
            let path = format!("/proc/{}/syscall", reader.id());
            let call = fs::read_to_string(path).unwrap_or_default();
            call.starts_with("230 ") || call.starts_with("35 ") || call.starts_with("115 ")
        });
        small(what, reader.id());
    }
    small("ig run", run.id());
    small("the daemon", world.daemon_pid().unwrap());
    world.write("stop", "");
    assert!(run.wait().unwrap().success());
    end(subscriber);
    for (_, reader) in readers {
        end(reader);
    }
}
