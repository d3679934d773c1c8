//! What the daemon tells is true, and what it is told is not lost: ends of scripts without a runner,
//! messages to a daemon that is away, and a database that was damaged.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

#[allow(dead_code, reason = "this file needs only a part of it")]
#[path = "daemon/raw.rs"]
mod raw;

#[path = "harm_daemon/database.rs"]
mod database;
#[path = "harm_daemon/ends.rs"]
mod ends;
#[path = "harm_daemon/letters.rs"]
mod letters;
#[path = "harm_daemon/small.rs"]
mod small;

use std::path::PathBuf;

use serde_json::{Value, json};
use support::{Sandbox, tool, wait_until};

/// bash, zsh, and the bash 3.2 that `IDLERGEAR_BASH32` names.
fn shells() -> Vec<PathBuf> {
    let old = std::env::var_os("IDLERGEAR_BASH32").map(PathBuf::from);
    [tool("bash"), tool("zsh"), old].into_iter().flatten().collect()
}

/// Whether the kernel keeps exit statuses for whoever holds a handle: Linux 6.15 and later.
fn kernel_tells() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    let mut next = || numbers.next().and_then(|word| word.parse::<u32>().ok()).unwrap_or(0);
    let tells = (next(), next()) >= (6, 15);
    if !tells {
        eprintln!("SKIPPED: this kernel keeps no exit statuses");
    }
    tells
}

/// The units that the daemon lists, ended ones too.
fn units(world: &Sandbox) -> Vec<Value> {
    let wanted = json!({ "all": true, "ended": true });
    let answer = raw::Raw::greeted(world).ok("unit.list", &wanted);
    answer["units"].as_array().unwrap().clone()
}

/// Waits until the daemon knows of one live unit.
fn wait_for_unit(world: &Sandbox) {
    wait_until("the daemon knows it", || {
        units(world).iter().any(|unit| unit["status"] == "running")
    });
}
