//! `lib`: where the shell library is.

use std::process::ExitCode;

use super::Outcome;
use super::words::{Words, unknown};
use crate::shlib;

pub(super) fn run(mut words: Words) -> Outcome {
    if let Some(word) = words.next()? {
        return Err(unknown(&word));
    }
    println!("{}", shlib::locate()?.display());
    Ok(ExitCode::SUCCESS)
}
