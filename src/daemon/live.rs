//! The folders `live/` and `inbox/` of the user's state: how units are found, and how scripts see
//! without a process that a message waits.

use std::os::unix::fs::MetadataExt;

use crate::id::UnitId;
use crate::logs::mask::view;
use crate::record::Folder;
use crate::wire::unit::Unit;
use crate::{paths, secure_fs};

/// A link in `live/`.
#[derive(Debug)]
pub(super) enum Found {
    /// It leads to a record.
    Record(Box<Unit>, Folder),
    /// It leads nowhere.
    Dangling(UnitId),
    /// It leads to what is not, or not now, this unit's record.
    Unreadable,
}

/// Ids of all links. What has not the shape of an id is nobody's and is left alone.
pub(super) fn ids() -> Vec<UnitId> {
    let names = secure_fs::list(&paths::live_dir()).unwrap_or_default();
    names.iter().filter_map(|name| UnitId::parse(name.to_str()?)).collect()
}

/// What the link of `id` leads to.
pub(super) fn look(id: UnitId) -> Found {
    let Some(folder) = Folder::linked(&id) else { return Found::Unreadable };
    if let Err(error) = secure_fs::metadata(folder.path()) {
        // Only what is gone for good: out of file descriptors, everything looks unreadable.
        let gone = error.kind() == std::io::ErrorKind::NotFound;
        return if gone { Found::Dangling(id) } else { Found::Unreadable };
    }
    match view::load(&folder) {
        Ok(unit) if unit.id == id && is_ours(folder.path()) => {
            Found::Record(Box::new(unit), folder)
        }
        _ => Found::Unreadable,
    }
}

fn is_ours(path: &std::path::Path) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    secure_fs::metadata(path).is_ok_and(|meta| meta.is_dir() && meta.uid() == ours)
}

/// Whether `id` has a link.
pub(super) fn is_linked(id: &UnitId) -> bool {
    secure_fs::metadata(&paths::live_dir().join(id.as_str())).is_ok()
}

/// The end of `id` was noted: its link has done its work.
pub(super) fn unlink(id: &UnitId) {
    let link = paths::live_dir().join(id.as_str());
    if secure_fs::metadata(&link).is_ok_and(|meta| meta.is_symlink()) {
        let _ = secure_fs::remove_file(&link);
    }
}

/// Makes or removes the mark that messages wait for `id`.
pub(super) fn mark_inbox(id: &str, waiting: bool) {
    let mark = paths::inbox_dir().join(id);
    if waiting {
        let _ = secure_fs::append(&mark);
    } else {
        let _ = secure_fs::remove_file(&mark);
    }
}

/// Ids that have a mark.
pub(super) fn marked() -> Vec<String> {
    let names = secure_fs::list(&paths::inbox_dir()).unwrap_or_default();
    names.into_iter().filter_map(|name| name.into_string().ok()).collect()
}
