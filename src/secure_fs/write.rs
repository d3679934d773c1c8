//! Making and changing files.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, linkat, renameat, symlinkat, unlinkat};

use super::beneath::{self, PASS};
use super::place::Place;
use super::read::plain;

const OWN: Mode = Mode::RUSR.union(Mode::WUSR);

/// The folder that a file is in, open, and the file's name.
pub(super) struct Spot {
    pub(super) folder: OwnedFd,
    pub(super) name: OsString,
    is_ours: bool,
}

impl Spot {
    /// Of the file at `path`, if its folder is one that we may write to.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let place = Place::of(path)?;
        let (parent, name) = place.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = parent.open(PASS, Mode::empty())?;
        let is_ours = place.is_kept_by_us();
        if is_ours {
            check_ours(&folder, "its folder")?;
        }
        Ok(Self { folder, name: name.to_owned(), is_ours })
    }

    fn open(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let file = beneath::open(self.folder.as_fd(), Path::new(name), flags, OWN)?;
        let (file, meta) = plain(file)?;
        if self.is_ours && !is_own(meta.uid()) {
            return Err(foreign("it"));
        }
        if meta.mode() & 0o777 != 0o600 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }

    /// Writes `bytes` into a new file beside this one, and returns its name.
    fn write_beside(&self, bytes: &[u8], mode: u32) -> io::Result<OsString> {
        let mut temp = OsString::from(".");
        temp.push(&self.name);
        temp.push(format!(".{}", std::process::id()));
        // Left by somebody of our number who was killed.
        let _ = self.unlink(&temp);
        let written = self.open(&temp, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL).and_then(
            |mut file| {
                file.write_all(bytes)?;
                file.set_permissions(Permissions::from_mode(mode))
            },
        );
        if written.is_err() {
            let _ = self.unlink(&temp);
        }
        written.map(|()| temp)
    }

    fn take_place(&self, temp: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.folder, temp, &self.folder, &self.name)?)
    }

    #[cfg(target_os = "linux")]
    fn trade_places(&self, temp: &OsStr) -> io::Result<()> {
        use rustix::fs::{FileType, RenameFlags, renameat_with, statat};
        let stat = statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (folder, flags) = (&self.folder, RenameFlags::EXCHANGE);
        Ok(renameat_with(folder, temp, folder, &self.name, flags)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn trade_places(&self, _temp: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn unlink(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.folder, name, AtFlags::empty())?)
    }
}

/// Refuses what another user owns; `what` says what that is.
pub(super) fn check_ours(file: &OwnedFd, what: &str) -> io::Result<()> {
    if is_own(rustix::fs::fstat(file)?.st_uid) { Ok(()) } else { Err(foreign(what)) }
}

fn is_own(owner: u32) -> bool {
    owner == rustix::process::geteuid().as_raw()
}

fn foreign(what: &str) -> io::Error {
    let text = format!("permission denied: {what} belongs to another user");
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let spot = Spot::of(path)?;
    spot.open(&spot.name, flags)
}

/// Opens `path` for appending, made with 0600.
pub fn append(path: &Path) -> io::Result<File> {
    open(path, OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE)
}

/// Opens `path` for reading, and for writing anywhere in it; made with 0600.
pub fn rewrite(path: &Path) -> io::Result<File> {
    open(path, OFlags::RDWR | OFlags::CREATE)
}

/// Makes a new file `path` with 0600; fails when there is one.
pub fn create_new(path: &Path) -> io::Result<File> {
    open(path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)
}

/// Replaces `path` by `bytes` with 0600 in one step: a reader sees the old file or the new one, also
/// after a power cut.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let spot = Spot::of(path)?;
    let temp = spot.write_beside(bytes, 0o600)?;
    let placed = spot.take_place(&temp);
    if placed.is_err() {
        let _ = spot.unlink(&temp);
    }
    placed
}

/// [`replace`] with the mode of your choice, for files that others may read or run and that can be
/// made again: they trade places with the old file, which spares the wait for the disk that some
/// file systems make of a rename over one (ext4's `auto_da_alloc`).
pub fn replace_with_mode(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let spot = Spot::of(path)?;
    let temp = spot.write_beside(bytes, mode)?;
    let placed = spot.trade_places(&temp).or_else(|_| spot.take_place(&temp));
    // The old file by now, or what was left of a failure.
    let _ = spot.unlink(&temp);
    placed
}

/// Writes `bytes` over the JSON in `path`, if they fit into the room that it has on the disk. The rest
/// of it is filled with spaces, so that a reader never sees the end of the old text behind the new.
pub fn write_over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = open(path, OFlags::WRONLY)?;
    let meta = file.metadata()?;
    let (length, room) = (meta.len(), meta.blocks() * 512);
    if u64::try_from(bytes.len()).map_or(true, |needed| needed > room.max(length)) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().max(usize::try_from(length).unwrap_or(0)), b' ');
    file.write_all_at(&padded, 0)
}

/// Gives the file at `path` a second name, `other`, in the same folder.
pub fn hard_link(path: &Path, other: &Path) -> io::Result<()> {
    let (spot, other) = (Spot::of(path)?, Spot::of(other)?);
    Ok(linkat(&spot.folder, &spot.name, &other.folder, &other.name, AtFlags::empty())?)
}

/// Makes a link at `path` that leads to `target`; fails when there is something.
pub fn link(target: &Path, path: &Path) -> io::Result<()> {
    let spot = Spot::of(path)?;
    Ok(symlinkat(target, &spot.folder, &spot.name)?)
}
