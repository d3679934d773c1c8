//! `trim FOLDER`: keeps the events of a unit without a runner within their bound. The daemon starts
//! it, which writes no records itself; nobody types it.

use std::process::ExitCode;

use super::Outcome;
use super::words::{Word, Words, unknown};
use crate::config::Bounds;
use crate::error::Error;
use crate::record::Folder;
use crate::record::events::trim::{Share, trim_fully};

pub(super) fn run(mut words: Words) -> Outcome {
    let mut folder = None;
    while let Some(word) = words.next()? {
        match word {
            Word::Value(path) if folder.is_none() => folder = Some(Folder::at(path)),
            word => return Err(unknown(&word)),
        }
    }
    let folder = folder.ok_or_else(|| Error::usage("trim wants the folder of a unit"))?;
    let bounds = Bounds::of(folder.load()?.project.as_deref());
    if let Some(share) = Share::of(&bounds) {
        trim_fully(folder.path(), &share).map_err(|e| Error::io("trim", folder.events(), &e))?;
    }
    Ok(ExitCode::SUCCESS)
}
