//! Looking and reading.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, Mode, OFlags};

use super::beneath::{self, PASS};
use super::place::{Place, is_link};

/// The most bytes of what ig keeps short: settings, records, profiles, templates, choices.
pub const SMALL: u64 = 1 << 20;

/// What only looks: a link is a link here, and nothing is opened for it.
#[cfg(target_os = "linux")]
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Opens the plain file at `path` for reading, however long it is.
pub fn open(path: &Path) -> io::Result<File> {
    Ok(opened(path)?.0)
}

fn opened(path: &Path) -> io::Result<(File, Metadata)> {
    plain(Place::of(path)?.open(OFlags::RDONLY, Mode::empty())?)
}

/// Reads the plain file at `path` whole, unless it is longer than `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    whole(opened(path)?, most)
}

/// The same as text; what is not UTF-8 is an error.
pub fn text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Opens what the user names or configured: a plain file, wherever links lead to it and whoever owns
/// it.
pub fn open_input(path: &Path) -> io::Result<File> {
    // A FIFO is not even opened: whoever waits to write into it would take us for its reader.
    if !path.metadata()?.is_file() {
        return Err(not_plain());
    }
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    Ok(plain(File::options().read(true).custom_flags(flags).open(path)?.into())?.0)
}

/// Reads it whole, unless it is longer than `most` bytes.
pub fn input(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open_input(path)?;
    let meta = file.metadata()?;
    whole((file, meta), most)
}

/// Reads what the project at `root` offers: it may be a link that stays in the project.
pub fn input_of(root: &Path, path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let own = rustix::fs::open(root, PASS, Mode::empty())?;
    let read = |root: &OwnedFd, rest: &Path| {
        whole(plain(beneath::open(root.as_fd(), rest, OFlags::RDONLY, Mode::empty())?)?, most)
    };
    // Without a link, as nearly always, that is all.
    if let Ok(rest) = path.strip_prefix(root) {
        match read(&own, rest) {
            Err(error) if is_link(&error) => {}
            other => return other,
        }
    }
    let (root, real) = (root.canonicalize()?, path.canonicalize()?);
    let Ok(rest) = real.strip_prefix(&root) else {
        let what = "it is a link that leads out of the project";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    };
    let root = rustix::fs::open(&root, PASS, Mode::empty())?;
    // No link is left in it, and none may come to be there.
    read(&root, rest)
}

/// What stands at `path`, which may be a link itself.
pub fn metadata(path: &Path) -> io::Result<Metadata> {
    look(&Place::of(path)?)
}

#[cfg(target_os = "linux")]
pub(super) fn look(place: &Place) -> io::Result<Metadata> {
    File::from(place.open(LOOK, Mode::empty())?).metadata()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn look(place: &Place) -> io::Result<Metadata> {
    // No way to hold what is not opened: the folder is checked, then the name in it.
    if let Some((parent, _)) = place.parent() {
        parent.open(PASS, Mode::empty())?;
    }
    std::fs::symlink_metadata(place.root.join(&place.rest))
}

/// Whether a file or folder stands at `path`, and no link leads there.
pub fn exists(path: &Path) -> bool {
    metadata(path).is_ok_and(|meta| !meta.is_symlink())
}

/// Whether it is a folder.
pub fn is_dir(path: &Path) -> bool {
    open_dir(path).is_ok()
}

/// A handle on the folder at `path`.
pub fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    Place::of(path)?.open(OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
}

/// The names in the folder at `path`, in no order.
pub fn list(path: &Path) -> io::Result<Vec<OsString>> {
    names(&open_dir(path)?)
}

pub(super) fn names(dir: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}

/// Where the link at `path` leads, one that ig keeps itself.
pub fn read_link(path: &Path) -> io::Result<PathBuf> {
    let place = Place::of(path)?;
    let (parent, name) = place.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = parent.open(PASS, Mode::empty())?;
    let target = rustix::fs::readlinkat(folder, name, Vec::new())?;
    Ok(OsString::from_vec(target.into_bytes()).into())
}

pub(super) fn plain(file: OwnedFd) -> io::Result<(File, Metadata)> {
    let file = File::from(file);
    let meta = file.metadata()?;
    if meta.is_file() {
        return Ok((file, meta));
    }
    Err(not_plain())
}

fn not_plain() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file")
}

fn whole((file, meta): (File, Metadata), most: u64) -> io::Result<Vec<u8>> {
    let too_long =
        || io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {most} bytes"));
    let length = meta.len();
    if length > most {
        return Err(too_long());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most { Err(too_long()) } else { Ok(bytes) }
}
