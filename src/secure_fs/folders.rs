//! Making folders, and refusing those of others.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{CWD, Mode, mkdirat};
use rustix::io::Errno;

use super::beneath::{self, PASS};
use super::place::Place;
use super::write::{Spot, check_ours};
use crate::error::{Error, Result};

/// Makes `dir` and its missing parents. What it makes is 0700; what was there keeps its mode. Below a
/// root nothing is made in a folder of another user's, and no link is passed.
pub fn dir(dir: &Path) -> io::Result<()> {
    let place = Place::of(dir)?;
    if !place.is_kept_by_us() {
        return plain_dir(dir);
    }
    if place.open(PASS, Mode::empty()).is_ok() {
        return Ok(());
    }
    let mut folder = match place.open_root() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            plain_dir(&place.root)?;
            place.open_root()?
        }
        other => other?,
    };
    for name in &place.rest {
        folder = enter(&folder, Path::new(name))?;
    }
    Ok(())
}

/// The folder `name` in `folder`, made if it is not there.
fn enter(folder: &OwnedFd, name: &Path) -> io::Result<OwnedFd> {
    match beneath::open(folder.as_fd(), name, PASS, Mode::empty()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(folder, name),
        other => other,
    }
}

fn make(folder: &OwnedFd, name: &Path) -> io::Result<OwnedFd> {
    check_ours(folder, "its folder")?;
    match mkdirat(folder, name, Mode::RWXU) {
        // Somebody else was quicker.
        Err(error) if error != Errno::EXIST => return Err(error.into()),
        _ => {}
    }
    let made = beneath::open(folder.as_fd(), name, PASS, Mode::empty())?;
    close_to_others(&made)?;
    Ok(made)
}

/// A umask may have taken more away than is good.
fn close_to_others(made: &OwnedFd) -> io::Result<()> {
    if rustix::fs::fstat(made)?.st_mode & 0o777 == 0o700 {
        return Ok(());
    }
    let own = rustix::fs::openat(made, ".", rustix::fs::OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::fs::fchmod(own, Mode::RWXU)?)
}

/// The same where a root itself is to be made, or what is no folder of ours.
fn plain_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        plain_dir(parent)?;
    }
    let made = mkdirat(CWD, dir, Mode::RWXU).map_err(io::Error::from);
    match made.and_then(|()| fs::set_permissions(dir, Permissions::from_mode(0o700))) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        other => other,
    }
}

/// Makes `dir` with 0700; fails when there is something.
pub fn new_dir(dir: &Path) -> io::Result<()> {
    let spot = Spot::of(dir)?;
    mkdirat(&spot.folder, &spot.name, Mode::RWXU)?;
    let made = beneath::open(spot.folder.as_fd(), Path::new(&spot.name), PASS, Mode::empty())?;
    close_to_others(&made)
}

/// Refuses a folder that another user owns or may enter: whoever can write there can take our
/// place at the socket.
pub fn check_owned(dir: &Path) -> Result<()> {
    let meta = fs::symlink_metadata(dir).map_err(|e| Error::io("look at", dir, &e))?;
    let ours = rustix::process::geteuid().as_raw();
    if !meta.is_dir() {
        return Err(Error::new(format!("`{}` is not a folder", dir.display()))
            .next("remove it, or point IDLERGEAR_SOCKET elsewhere"));
    }
    if meta.uid() != ours {
        return Err(Error::new(format!(
            "`{}` belongs to another user (uid {})",
            dir.display(),
            meta.uid()
        ))
        .next("point IDLERGEAR_SOCKET into a folder of your own"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(Error::new(format!("`{}` is open to other users", dir.display()))
            .at(format!("mode {:04o}, needed 0700", meta.mode() & 0o7777))
            .next(format!("chmod 700 {}", dir.display())));
    }
    Ok(())
}
