//! `look-at-git`: what can be told of the work tree around the current folder, on one line. The runner
//! starts it for the record's sake and does not wait for it; nobody types it.

use std::io::Write;
use std::process::ExitCode;

use super::Outcome;
use super::words::{Words, unknown};
use crate::error::Error;
use crate::git;

pub(super) fn run(mut words: Words) -> Outcome {
    if let Some(word) = words.next()? {
        return Err(unknown(&word));
    }
    let here = std::env::current_dir()
        .map_err(|e| Error::new(format!("the current folder cannot be told: {e}")))?;
    let _ = std::io::stdout().write_all(git::answer(&here).as_bytes());
    Ok(ExitCode::SUCCESS)
}
