//! What cargo cannot know: which folders hold files that are built in, and how the smallest
//! `ig-agent` is linked.

use std::env;

fn main() {
    // `include_dir!` notices edits but not new files.
    println!("cargo:rerun-if-changed=templates");
    println!("cargo:rerun-if-changed=shell-lib");
    println!("cargo:rerun-if-changed=src/agent.ld");
    if is_release_on_linux() {
        // Thousands of addresses would be worked out at every start, a sixth of the time that a
        // short command takes. The price: the program itself is always at the same address.
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
    if is_smallest_agent() {
        let script = format!("-T,{}/src/agent.ld", env!("CARGO_MANIFEST_DIR"));
        // Relocations a bit each instead of 24 bytes, no padding between segments, and what
        // `agent/panic.rs` has in the place of the unwinder's own.
        let options = [
            "--no-eh-frame-hdr",
            "-z,pack-relative-relocs",
            "-z,noseparate-code",
            "-z,muldefs",
            &script,
        ];
        for option in options {
            println!("cargo:rustc-link-arg-bin=ig-agent=-Wl,{option}");
        }
    }
}

fn is_release_on_linux() -> bool {
    is("PROFILE", "release")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
}

/// The profile `agent` on musl: linked statically, by GNU ld.
fn is_smallest_agent() -> bool {
    is("OPT_LEVEL", "z") && is("CARGO_CFG_TARGET_ENV", "musl")
}

fn is(name: &str, value: &str) -> bool {
    env::var(name).is_ok_and(|found| found == value)
}
