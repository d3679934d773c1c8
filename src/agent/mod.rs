//! `ig-agent`, the helper that scripts and the shell library call: one file per verb.
//!
//! It never fails a script because the daemon is away; `--strict` asks for that.

use std::process::ExitCode;

/// The whole program.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
