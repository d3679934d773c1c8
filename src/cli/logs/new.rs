//! `--new`: how far whoever asks has read, kept beside the log and gone with it.
//!
//! Each AI session, and the person, reads for itself. The place moves on once the lines were shown:
//! what goes wrong in between shows them again, and loses none.

use std::path::PathBuf;

use crate::cli::session;
use crate::error::Error;
use crate::record::Folder;
use crate::{hash, secure_fs};

/// How far somebody has read one view of a log.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// The number of the first line that was not read.
    pub(super) next: u64,
}

impl Place {
    /// Where whoever asks is in `view` of the log in `folder`: at its beginning, the first time.
    pub(super) fn of(folder: &Folder, view: &str) -> Self {
        let reader = hash::sha256(session::who_asks().as_bytes());
        let path = folder.file(&format!("read-{view}-{}", &reader[..16]));
        let said = secure_fs::text(&path, secure_fs::SMALL).unwrap_or_default();
        Self { path, next: said.trim().parse().unwrap_or(1) }
    }

    /// Everything before line `next` was shown.
    pub(super) fn move_to(&self, next: u64) {
        if next == self.next {
            return;
        }
        if let Err(error) = secure_fs::replace(&self.path, next.to_string().as_bytes()) {
            let error = Error::io("keep how far you have read in", &self.path, &error);
            eprintln!("ig: {error}; the next `--new` shows this again");
        }
    }
}
