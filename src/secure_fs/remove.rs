//! Taking away what ig itself put there. Whole runs are [`super::made`]'s.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, renameat, unlinkat};

use super::place::Place;
use super::write::Spot;

/// Removes the file or link at `path`: the name goes, wherever it leads.
pub fn remove_file(path: &Path) -> io::Result<()> {
    let spot = Spot::of(path)?;
    spot.unlink(&spot.name)
}

/// Removes the empty folder at `path`.
pub fn remove_empty_dir(path: &Path) -> io::Result<()> {
    if Place::of(path)?.rest.as_os_str().is_empty() {
        // A root itself; no link is followed here either.
        return std::fs::remove_dir(path);
    }
    let spot = Spot::of(path)?;
    Ok(unlinkat(&spot.folder, &spot.name, AtFlags::REMOVEDIR)?)
}

/// Calls what stands at `path` by another name.
pub fn rename(path: &Path, other: &Path) -> io::Result<()> {
    let (spot, other) = (Spot::of(path)?, Spot::of(other)?);
    Ok(renameat(&spot.folder, &spot.name, &other.folder, &other.name)?)
}
