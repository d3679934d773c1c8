//! What cargo cannot know: which folders hold files that are built in, and how the smallest
//! `ig-agent` is linked.

use std::env;

fn main() {
    // `include_dir!` notices edits but not new files.
    println!("cargo:rerun-if-changed=templates");
    println!("cargo:rerun-if-changed=shell-lib");
    println!("cargo:rerun-if-changed=src/agent.ld");
    if is_smallest_agent() {
        let script = format!("-T,{}/src/agent.ld", env!("CARGO_MANIFEST_DIR"));
        // Relocations a bit each instead of 24 bytes, and no padding between segments.
        let options =
            ["--no-eh-frame-hdr", "-z,pack-relative-relocs", "-z,noseparate-code", &script];
        for option in options {
            println!("cargo:rustc-link-arg-bin=ig-agent=-Wl,{option}");
        }
    }
}

/// The profile `agent` on musl: linked statically, by GNU ld.
fn is_smallest_agent() -> bool {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    is("OPT_LEVEL", "z") && is("CARGO_CFG_TARGET_ENV", "musl")
}
