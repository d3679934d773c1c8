//! The files that a long log is cut into: a head under the plain name, which is kept, and pieces
//! after it, of which the oldest goes when there are too many.
//!
//! A piece is called by where it starts in the whole: `stdout.log.000000067108864` by bytes,
//! `index.000000000001027` by entries. So nothing has to list them, and no list can be wrong.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::secure_fs;

/// The name of the piece of `base` that starts at `start`.
pub(crate) fn name(base: &str, start: u64) -> String {
    format!("{base}.{start:015}")
}

/// What the head of a long log ends with, for those who read or follow the file itself.
pub(crate) fn note(next: &str) -> String {
    format!("{NOTE}{next}; `ig logs` shows all of it ...\n")
}

const NOTE: &str = "\n... ig: this goes on in ";

/// Where the pieces of `base` in `folder` start, oldest first; without the head.
pub(crate) fn starts(folder: &Path, base: &str) -> Vec<u64> {
    let mut starts: Vec<u64> = Vec::new();
    for name in secure_fs::list(folder).unwrap_or_default() {
        let start = name.to_str().and_then(|name| name.strip_prefix(base)?.strip_prefix('.'));
        if let Some(start) = start.and_then(|start| start.parse().ok()) {
            // Sorted as they come in: there are few.
            starts.insert(starts.partition_point(|known| *known < start), start);
        }
    }
    starts
}

/// The file of the log at `path` that is written now, and where it starts.
pub(crate) fn newest(path: &Path) -> (PathBuf, u64) {
    let (Some(folder), Some(base)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return (path.to_path_buf(), 0);
    };
    let newest = starts(folder, base).pop();
    newest.map_or_else(|| (path.to_path_buf(), 0), |at| (folder.join(name(base, at)), at))
}

/// Where the log at `path` ends now, counted from its beginning.
pub(crate) fn end(path: &Path) -> u64 {
    let (newest, start) = newest(path);
    start + secure_fs::metadata(&newest).map_or(0, |meta| meta.len())
}

/// One of them, open: it can be read even after it was dropped.
#[derive(Debug)]
pub(super) struct Piece {
    /// Where it starts in the whole.
    pub(super) start: u64,
    pub(super) file: File,
}

impl Piece {
    /// How long it is now, bytes.
    pub(super) fn length(&self) -> u64 {
        self.file.metadata().map_or(0, |meta| meta.len())
    }

    /// Whether it has no name any more.
    pub(super) fn is_dropped(&self) -> bool {
        self.file.metadata().is_ok_and(|meta| meta.nlink() == 0)
    }
}

/// Where the head that is open as `file` ends and its [`note`] begins, if it has one: the note names
/// the piece that starts there.
pub(super) fn end_of_head(file: &File, base: &str) -> Option<u64> {
    let length = file.metadata().ok()?.len();
    let from = length.saturating_sub(256);
    let mut end = vec![0; 256];
    let count = file.read_at(&mut end, from).ok()?;
    let text = String::from_utf8_lossy(&end[..count]).into_owned();
    let named = text.rsplit_once(NOTE)?.1.strip_prefix(base)?.strip_prefix('.')?;
    let start: u64 = named.split(';').next()?.parse().ok()?;
    let noted = start + u64::try_from(note(&name(base, start)).len()).unwrap_or(0);
    (noted == length).then_some(start)
}

/// All of them that are there, the head first.
pub(super) fn open(folder: &Path, base: &str) -> Vec<Piece> {
    let head = secure_fs::open(&folder.join(base)).ok().map(|file| Piece { start: 0, file });
    let piece = |start| open_one(folder, base, start);
    head.into_iter().chain(starts(folder, base).into_iter().filter_map(piece)).collect()
}

/// The one that starts at `start`, if it is there.
pub(super) fn open_one(folder: &Path, base: &str, start: u64) -> Option<Piece> {
    let file = secure_fs::open(&folder.join(name(base, start))).ok()?;
    Some(Piece { start, file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_found_by_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stdout.log");
        assert_eq!(newest(&path), (path.clone(), 0));
        for name in ["stdout.log", "stdout.log.000000000000700", "stdout.log.x", "stderr.log.1"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        std::fs::write(dir.path().join(name("stdout.log", 90)), "x").unwrap();
        assert_eq!(starts(dir.path(), "stdout.log"), [90, 700]);
        assert_eq!(newest(&path), (dir.path().join("stdout.log.000000000000700"), 700));
        let open = open(dir.path(), "stdout.log");
        assert_eq!(open.iter().map(|piece| piece.start).collect::<Vec<_>>(), [0, 90, 700]);
    }
}
