//! Files and folders that no other user may touch: 0600 and 0700 whatever the umask.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::error::{Error, Result};

/// Makes `dir` and its missing parents. What it makes is 0700; what was there keeps its mode.
pub fn dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        self::dir(parent)?;
    }
    match new_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        other => other,
    }
}

/// Makes `dir` with 0700; fails when there is something.
pub fn new_dir(dir: &Path) -> io::Result<()> {
    rustix::fs::mkdir(dir, rustix::fs::Mode::RWXU)?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

/// Opens `path` for appending, made with 0600, never through a symbolic link.
pub fn append(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().append(true).create(true), path)
}

/// Opens `path` for writing anywhere in it, made with 0600, never through a symbolic link.
pub fn rewrite(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().write(true).create(true).truncate(false), path)
}

/// Makes a new file `path` with 0600; fails when there is one.
pub fn create_new(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().write(true).create_new(true), path)
}

fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let file = options.mode(0o600).custom_flags(no_follow).open(path)?;
    if file.metadata()?.mode() & 0o777 != 0o600 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Replaces `path` by `bytes` with 0600 in one step: a reader sees the old file or the new one, also
/// after a power cut.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temp = temp_beside(path);
    let written = write_temp(&temp, bytes, 0o600).and_then(|()| fs::rename(&temp, path));
    if written.is_err() {
        let _ = fs::remove_file(&temp);
    }
    written
}

/// Writes `bytes` over the JSON in `path`, if they fit into the room that it has on the disk. The rest
/// of it is filled with spaces, so that a reader never sees the end of the old text behind the new.
pub fn write_over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = open(OpenOptions::new().write(true), path)?;
    let meta = file.metadata()?;
    let (length, room) = (meta.len(), meta.blocks() * 512);
    if u64::try_from(bytes.len()).map_or(true, |needed| needed > room.max(length)) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().max(usize::try_from(length).unwrap_or(0)), b' ');
    file.write_all_at(&padded, 0)
}

/// [`replace`] with the mode of your choice, for files that others may read or run and that can be
/// made again: they trade places with the old file, which spares the wait for the disk that some
/// file systems make of a rename over one (ext4's `auto_da_alloc`).
pub fn replace_with_mode(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temp = temp_beside(path);
    let written = write_temp(&temp, bytes, mode)
        .and_then(|()| trade_places(&temp, path).or_else(|_| fs::rename(&temp, path)));
    // The old file by now, or what was left of a failure.
    let _ = fs::remove_file(&temp);
    written
}

#[cfg(target_os = "linux")]
fn trade_places(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    if !fs::symlink_metadata(other)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn trade_places(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn temp_beside(path: &Path) -> std::path::PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

fn write_temp(temp: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let _ = fs::remove_file(temp);
    let mut file = create_new(temp)?;
    file.write_all(bytes)?;
    file.set_permissions(Permissions::from_mode(mode))
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
