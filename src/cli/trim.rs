//! `ig trim` (internal): keeps the events of a unit within their bound. The runner starts it, or the
//! daemon for units without a runner; neither waits for it.

use std::path::PathBuf;
use std::process::ExitCode;

use super::Outcome;
use crate::config::Bounds;
use crate::error::Error;
use crate::record::Folder;
use crate::record::events::share::Share;
use crate::record::events::trim::trim_fully;
use crate::secure_fs;

/// Keep the events of a unit within their bound
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(crate) struct Args {
    /// The unit's folder
    folder: PathBuf,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let folder = Folder::at(self.folder);
        // Events are cut only where ig keeps them.
        if !secure_fs::made::is(folder.path()) {
            return Ok(ExitCode::SUCCESS);
        }
        let bounds = Bounds::of(folder.load()?.project.as_deref());
        if let Some(share) = Share::of(&bounds) {
            trim_fully(folder.path(), &share)
                .map_err(|e| Error::io("trim", folder.events(), &e))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
