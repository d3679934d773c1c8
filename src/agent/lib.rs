//! `lib`: where the shell library is. `ig` knows: it has the text built in, and writes it out when
//! needed; here it would only make the helper larger.

use std::process::{Command, ExitCode};

use super::Outcome;
use super::words::{Words, unknown};
use crate::autostart;
use crate::error::{Error, exit};

pub(super) fn run(mut words: Words) -> Outcome {
    if let Some(word) = words.next()? {
        return Err(unknown(&word));
    }
    let ig = autostart::find("ig").ok_or_else(|| {
        Error::new("the library comes with `ig`, which is not installed")
            .next("cargo install idlergear")
    })?;
    let status = Command::new(&ig).args(["lib", "--path"]).status();
    let status = status.map_err(|cause| Error::io("run", &ig, &cause))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILED) })
}
