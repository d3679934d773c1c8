//! Which ends of a unit are told, where that was changed after its start: a small file in its folder.
//!
//! Not in `run.json`, which is its runner's alone. Whoever loads the record sees the file's choice in
//! it; so it holds whoever is killed, and needs no daemon.

use std::os::fd::OwnedFd;
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::Folder;
use crate::error::{Error, Result};
use crate::secure_fs;
use crate::wire::read::{self, Fields};
use crate::wire::unit::{Alerts, Choice};

/// The file.
pub const CHOSEN: &str = "alerts";

/// What was chosen for the unit in `folder`.
pub(super) fn chosen(folder: &Folder) -> Option<Alerts> {
    let text = secure_fs::read(&folder.file(CHOSEN), secure_fs::SMALL).ok()?;
    Some(read::alerts(Fields::of(read::json(&text).ok()?)))
}

/// Changes the choice for the unit in `folder`.
pub fn choose(folder: &Folder, choice: Choice) -> Result<Alerts> {
    let _turn = turn(folder);
    let alerts = choice.after(folder.load()?.terms.alerts);
    let path = folder.file(CHOSEN);
    let text = serde_json::to_string(&alerts).unwrap_or_default() + "\n";
    secure_fs::replace(&path, text.as_bytes()).map_err(|e| Error::io("write", &path, &e))?;
    Ok(alerts)
}

/// Of two who change it at once, one waits a moment, so that neither change is lost. One that is
/// stopped in the middle holds nobody up, the daemon least of all.
fn turn(folder: &Folder) -> Option<OwnedFd> {
    let folder = secure_fs::open_dir(folder.path()).ok()?;
    let is_ours = || flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok();
    for _ in 0..10 {
        if is_ours() {
            break;
        }
        sleep(Duration::from_millis(1));
    }
    Some(folder)
}
