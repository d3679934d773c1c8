//! Opening below a folder without following a link, however deep.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

/// A folder that is only passed through, or only looked at.
#[cfg(target_os = "linux")]
pub(super) const PASS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
pub(super) const PASS: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// What every file is opened with: it neither blocks, nor becomes a terminal of ours, nor is inherited.
const ALWAYS: OFlags =
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Opens `path`, which lies below `root`; the root itself when it is empty.
pub(super) fn open(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    if path.components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = if is_look(flags) { flags | OFlags::NOFOLLOW } else { flags | ALWAYS };
    match at_once(root, path, flags, mode) {
        // An old kernel, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => Ok(step_by_step(root, path, flags, mode)?),
        other => Ok(other?),
    }
}

/// Such a handle takes no other flag.
#[cfg(target_os = "linux")]
fn is_look(flags: OFlags) -> bool {
    flags.contains(OFlags::PATH)
}

#[cfg(not(target_os = "linux"))]
fn is_look(_flags: OFlags) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn at_once(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::{ResolveFlags, openat2};
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let mode = if flags.contains(OFlags::CREATE) { mode } else { Mode::empty() };
    openat2(root, path, flags, mode, resolve)
}

#[cfg(not(target_os = "linux"))]
fn at_once(
    _root: BorrowedFd<'_>,
    _path: &Path,
    _flags: OFlags,
    _mode: Mode,
) -> rustix::io::Result<OwnedFd> {
    Err(Errno::NOSYS)
}

/// The same where there is no `openat2`: one folder after the other.
fn step_by_step(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
) -> rustix::io::Result<OwnedFd> {
    let (folders, name) = match (path.parent(), path.file_name()) {
        (Some(folders), Some(name)) => (folders, name),
        _ => (Path::new(""), OsStr::new(".")),
    };
    let mut folder: Option<OwnedFd> = None;
    for part in folders {
        let from = folder.as_ref().map_or(root, AsFd::as_fd);
        folder = Some(openat(from, part, PASS | OFlags::NOFOLLOW, Mode::empty())?);
    }
    openat(folder.as_ref().map_or(root, AsFd::as_fd), name, flags, mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    type Way = fn(BorrowedFd<'_>, &Path, OFlags, Mode) -> rustix::io::Result<OwnedFd>;

    /// Both ways keep the same promise.
    #[test]
    fn no_link_is_followed_however_deep() {
        let ways: [Way; 2] = [at_once, step_by_step];
        let ways = if cfg!(target_os = "linux") { &ways[..] } else { &ways[1..] };
        for way in ways {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(dir.path().join("in/a/b")).unwrap();
            std::fs::write(dir.path().join("in/a/b/file"), "x").unwrap();
            std::fs::write(dir.path().join("outside"), "x").unwrap();
            symlink("a/b", dir.path().join("in/inner")).unwrap();
            symlink("../outside", dir.path().join("in/out")).unwrap();
            let root = std::fs::File::open(dir.path().join("in")).unwrap();
            let open = |path: &str, flags| {
                way(root.as_fd(), Path::new(path), flags | ALWAYS, Mode::empty()).is_ok()
            };
            assert!(open("a/b/file", OFlags::RDONLY));
            assert!(open("a/b", OFlags::RDONLY) && open(".", OFlags::RDONLY));
            for path in ["inner/file", "out", "inner", "a/b/file/x"] {
                assert!(!open(path, OFlags::RDONLY), "{path}");
            }
        }
    }
}
