//! What ig made: the folders of runs and the scripts that are kept, of every project of this user.
//!
//! Nothing is deleted or cut that is not listed here. A name, or a mark in the folder, could be forged
//! by a repository; the number of a file and the moment it was made on this machine cannot. So a folder
//! that was moved is still known, and one that was copied or cloned is not.
//!
//! The list is a folder in the user's state with a link for each entry, made in one step and read in
//! one: `NAME.INODE` leads to `MOMENT:DEVICE:PATH`. Where a file system does not tell the moment, the
//! device counts; device numbers alone change with a reboot.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rustix::fs::{AtFlags, Mode, OFlags, unlinkat};

use super::place::Place;
use super::read::{look, names};
use super::write::{Spot, check_ours};
use crate::paths;

/// Entries at most, before those go whose folder is not where it was.
const MOST: usize = 10_000;

fn list() -> PathBuf {
    paths::state_dir().join("made")
}

/// How an entry is called, and what it begins with.
fn entry(name: &OsStr, meta: &Metadata) -> (PathBuf, String) {
    let link = list().join(format!("{}.{}", name.to_string_lossy(), meta.ino()));
    let moment = meta.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let says = match moment {
        Some(moment) => format!("{}:", moment.as_nanos()),
        None => format!("-:{}:", meta.dev()),
    };
    (link, says)
}

/// Notes that ig made what stands at `path` just now.
pub fn note(path: &Path) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let meta = super::metadata(path)?;
    let (link, says) = entry(name, &meta);
    let rest = if says.starts_with('-') { String::new() } else { format!("{}:", meta.dev()) };
    let mut target = says.into_bytes();
    target.extend(rest.as_bytes());
    target.extend(path.as_os_str().as_bytes());
    // The longest a link may be; only the end of the path is lost.
    target.truncate(4000);
    let target = Path::new(OsStr::from_bytes(&target));
    match super::link(target, &link) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            super::dir(&list())?;
            super::link(target, &link)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // The number was another's before.
            super::remove_file(&link)?;
            super::link(target, &link)
        }
        other => other,
    }
}

/// Where everything stood that ig made by the name of `name`, as far as that is known. It may be gone
/// from there, or something else be in its place: see [`is`].
pub fn places(name: &str) -> Vec<PathBuf> {
    let begin = format!("{name}.");
    let names = super::list(&list()).unwrap_or_default();
    let links = names.into_iter().filter(|link| link.as_bytes().starts_with(begin.as_bytes()));
    let said = links.filter_map(|link| super::read_link(&list().join(link)).ok());
    said.filter_map(|said| {
        // `MOMENT:DEVICE:PATH`
        let path = said.as_os_str().as_bytes().splitn(3, |byte| *byte == b':').nth(2)?;
        Some(PathBuf::from(OsStr::from_bytes(path)))
    })
    .collect()
}

/// Whether ig made what `meta` tells of, by the name of `name`.
fn is_noted(name: &OsStr, meta: &Metadata) -> bool {
    let (link, says) = entry(name, meta);
    let said = super::read_link(&link);
    said.is_ok_and(|said| said.as_os_str().as_bytes().starts_with(says.as_bytes()))
}

fn forget(name: &OsStr, meta: &Metadata) {
    let _ = super::remove_file(&entry(name, meta).0);
}

/// Whether ig made what stands at `path`, and it is ours.
pub fn is(path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    super::metadata(path).is_ok_and(|meta| is_noted(name, &meta))
}

/// Whether ig made what stands at `path`, when it was called `name`.
pub fn is_called(path: &Path, name: &str) -> bool {
    super::metadata(path).is_ok_and(|meta| is_noted(OsStr::new(name), &meta))
}

/// A folder that ig made, that of a run for one, held open: what is removed below is removed in that folder,
/// whatever is put in its place meanwhile.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    handle: OwnedFd,
    meta: Metadata,
}

impl Folder {
    /// The folder at `path`; none when ig did not make it.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let place = Place::of(path)?;
        let folder = place.open(OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        let file = File::from(folder);
        let meta = file.metadata()?;
        let handle = OwnedFd::from(file);
        if !is_noted(name, &meta) {
            return Ok(None);
        }
        check_ours(&handle, "it")?;
        Ok(Some(Self { path: path.to_path_buf(), handle, meta }))
    }

    /// Removes the files in it that `goes` says yes to, by name; what is a folder stays.
    pub fn remove_files(&self, mut goes: impl FnMut(&OsStr) -> bool) -> io::Result<()> {
        for name in names(&self.handle)?.iter().filter(|name| goes(name)) {
            let _ = unlinkat(self.handle.as_fd(), name, AtFlags::empty());
        }
        Ok(())
    }

    /// Removes it with all files in it, the record first: without it, what may be left is no run any
    /// more.
    pub fn remove(self) -> io::Result<()> {
        let _ = unlinkat(self.handle.as_fd(), "run.json", AtFlags::empty());
        self.remove_files(|_| true)?;
        super::remove_empty_dir(&self.path)?;
        forget(self.path.file_name().unwrap_or_default(), &self.meta);
        Ok(())
    }
}

/// Removes the file at `path` if ig made it, by the name of `name`; false when ig did not.
pub fn remove_file(path: &Path, name: &str) -> io::Result<bool> {
    let meta = look(&Place::of(path)?)?;
    if !is_noted(OsStr::new(name), &meta) {
        return Ok(false);
    }
    let spot = Spot::of(path)?;
    spot.unlink(&spot.name)?;
    forget(OsStr::new(name), &meta);
    Ok(true)
}

/// Drops entries whose folder is gone, when there are too many.
pub fn tidy() {
    let entries = super::list(&list()).unwrap_or_default();
    if entries.len() <= MOST {
        return;
    }
    for link in entries.iter().map(|name| list().join(name)) {
        let said = super::read_link(&link).unwrap_or_default();
        let path = said.as_os_str().as_bytes().splitn(3, |byte| *byte == b':').nth(2);
        let gone = |path: &[u8]| {
            let path = Path::new(OsStr::from_bytes(path));
            path.symlink_metadata().is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
        };
        if path.is_none_or(gone) {
            let _ = super::remove_file(&link);
        }
    }
}
