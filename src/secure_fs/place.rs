//! Where a path of ours lies: its root, and the rest of it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::accepted;
use super::beneath::{self, PASS};
use crate::paths::{self, PROJECT_DIR};

/// What stands above everything that is opened here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    /// A project's `.idlergear`, or what a person accepted in its place.
    Project,
    /// The user's state.
    State,
    /// The folder for those without a home, where everybody may write beside it.
    Temp,
    /// The folder that a file is in which is not one of ours.
    Other,
}

/// A path, split at its root.
#[derive(Debug)]
pub(super) struct Place {
    kind: Root,
    pub(super) root: PathBuf,
    pub(super) rest: PathBuf,
}

fn state() -> &'static [(Root, PathBuf); 2] {
    static ROOTS: OnceLock<[(Root, PathBuf); 2]> = OnceLock::new();
    ROOTS.get_or_init(|| [(Root::Temp, paths::temp_dir()), (Root::State, paths::state_dir())])
}

impl Place {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let path =
            if path.is_absolute() { path.into() } else { Cow::from(std::path::absolute(path)?) };
        if let Some(root) =
            path.ancestors().find(|dir| dir.file_name() == Some(OsStr::new(PROJECT_DIR)))
        {
            return Ok(Self::below(Root::Project, root, &path));
        }
        if let Some((kind, root)) = state().iter().find(|(_, root)| path.starts_with(root)) {
            return Ok(Self::below(*kind, root, &path));
        }
        let root = path.parent().filter(|_| path.file_name().is_some()).unwrap_or(&path);
        Ok(Self::below(Root::Other, root, &path))
    }

    fn below(kind: Root, root: &Path, path: &Path) -> Self {
        let rest = path.strip_prefix(root).unwrap_or(path).to_path_buf();
        Self { kind, root: root.to_path_buf(), rest }
    }

    /// The same place with the last name taken off the rest.
    pub(super) fn parent(&self) -> Option<(Self, &OsStr)> {
        let (rest, name) = (self.rest.parent()?, self.rest.file_name()?);
        Some((Self { kind: self.kind, root: self.root.clone(), rest: rest.to_path_buf() }, name))
    }

    /// Whether who owns a folder says who may write there. In the folders of others ig writes only what
    /// it was asked for by name.
    pub(super) fn is_kept_by_us(&self) -> bool {
        self.kind != Root::Other
    }

    /// Opens the place.
    pub(super) fn open(&self, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let root = self.open_root()?;
        match beneath::open(root.as_fd(), &self.rest, flags, mode) {
            Err(error) if is_link(&error) => match self.elsewhere() {
                Some(place) => place.open(flags, mode),
                None => Err(error),
            },
            other => other,
        }
    }

    /// Opens the root, which has to be there.
    pub(super) fn open_root(&self) -> io::Result<OwnedFd> {
        let follow = matches!(self.kind, Root::State | Root::Other);
        let flags = if follow { PASS } else { PASS | OFlags::NOFOLLOW };
        match openat(CWD, &self.root, flags, Mode::empty()) {
            Err(error @ (Errno::LOOP | Errno::NOTDIR)) if self.kind == Root::Project => {
                let target = accepted::target(&self.root).ok_or(error)?;
                Ok(openat(CWD, &target, PASS | OFlags::NOFOLLOW, Mode::empty())?)
            }
            Ok(root) if self.kind == Root::Temp => check_closed(root, &self.root),
            other => Ok(other?),
        }
    }

    /// Where an accepted `runs` or `scripts` leads, and the rest below it.
    fn elsewhere(&self) -> Option<Self> {
        let first = self.rest.iter().next().filter(|_| self.kind == Root::Project)?;
        let target = accepted::target(&self.root.join(first))?;
        let rest = self.rest.strip_prefix(first).ok()?.to_path_buf();
        Some(Self { kind: Root::State, root: target, rest })
    }
}

/// Whether an opening failed because of a link, or of what is no folder.
pub(super) fn is_link(error: &io::Error) -> bool {
    let cause = error.raw_os_error();
    [Errno::LOOP, Errno::NOTDIR].iter().any(|errno| cause == Some(errno.raw_os_error()))
}

/// Where everybody may write, another user may have been first.
fn check_closed(root: OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let stat = rustix::fs::fstat(&root)?;
    let is_open = stat.st_mode & 0o077 != 0;
    if stat.st_uid == rustix::process::geteuid().as_raw() && !is_open {
        return Ok(root);
    }
    let why = if is_open { "is open to other users" } else { "belongs to another user" };
    let what = format!("`{}` {why}; set HOME or XDG_STATE_HOME", path.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
}
