//! `look-at-git` (internal): prints the commit of the current work tree, and whether it has changes, on
//! one line. The runner starts it to fill in the record, and does not wait for it.

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
