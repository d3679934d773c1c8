//! `lib`: where the shell library is. `ig` knows: it has the text built in, and writes it out when
//! needed; here it would only make the helper larger.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::Outcome;
use super::words::{Words, unknown};
use crate::autostart;
use crate::error::Error;

pub(super) fn run(mut words: Words) -> Outcome {
    if let Some(word) = words.next()? {
        return Err(unknown(&word));
    }
    become_ig(&["lib".into(), "--path".into()])
}

/// Lets `ig` do what `verb` asks for, in our place: same process, same parent.
pub(super) fn ask_ig(verb: &str, mut words: Words) -> Outcome {
    let words = words.rest()?;
    become_ig(&std::iter::once(verb.into()).chain(words).collect::<Vec<_>>())
}

fn become_ig(words: &[OsString]) -> Outcome {
    let ig = autostart::find("ig").ok_or_else(|| {
        Error::new("this takes `ig`, which is not installed").next("install it beside `ig-agent`")
    })?;
    let refused = Command::new(&ig).args(words).exec();
    Err(Error::io("run", &ig, &refused))
}
