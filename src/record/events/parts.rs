//! The files that a long `events.log` is cut into: closed parts, of which the first is the head and
//! is kept, and after them `events.log` itself, which every script appends to by that name.
//!
//! A closed part is called by where it starts in the whole, in bytes and in events:
//! `events.log.000000008388608.91823`, with `.end` behind it when its own beginning was dropped. Each
//! `events.log` but the first begins with lines of the flag `=`, which [`super::trim`] wrote before
//! anybody else could: what the script had said of itself by then, and how far that was looked for.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::lines::{AFTER, CARRIED, CARRIED_ON, lines};
use crate::{secure_fs, time};

/// A shell opens the file and writes a moment later: a part that was closed or written to within
/// this time may still get a record.
pub(super) const SETTLED: Duration = Duration::from_millis(50);

/// What one of the files is known by, whatever it is called: numbers of files are used again, so
/// the moment it was made belongs to it where that is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(u64, u64, Option<SystemTime>);

impl Id {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self(meta.dev(), meta.ino(), meta.created().ok())
    }

    /// Of the file at `path`; none when it is no file.
    pub(super) fn at(path: &Path) -> Option<Self> {
        secure_fs::metadata(path).ok().filter(Metadata::is_file).map(|meta| Self::of(&meta))
    }
}

/// One closed part.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    /// Where it starts in the whole, bytes.
    pub(super) start: u64,
    /// Events that had ended before it.
    pub(super) events: u64,
    /// It is the end of a part whose beginning was dropped.
    pub(super) is_end: bool,
    pub(super) id: Id,
    /// How long it is, bytes.
    pub(super) length: u64,
}

impl Part {
    fn find(path: PathBuf, base: &str) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_prefix(base)?.strip_prefix('.')?;
        let (numbers, is_end) = name.strip_suffix(".end").map_or((name, false), |it| (it, true));
        let (start, events) = numbers.split_once('.')?;
        let (start, events) = (start.parse().ok()?, events.parse().ok()?);
        let meta = secure_fs::metadata(&path).ok().filter(Metadata::is_file)?;
        Some(Self { path, start, events, is_end, id: Id::of(&meta), length: meta.len() })
    }

    /// Where it ends in the whole.
    pub(super) fn end(&self) -> u64 {
        self.start + self.length
    }
}

/// The path of a part of the log at `path`.
pub(super) fn part_path(path: &Path, start: u64, events: u64, is_end: bool) -> PathBuf {
    let base = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{base}.{start:015}.{events}{}", if is_end { ".end" } else { "" }))
}

/// The closed parts of the log at `path`, in order, and which file is `events.log` now. It was that
/// all the while, so that none is missing in between.
pub(super) fn look(path: &Path) -> (Vec<Part>, Option<Id>) {
    let mut tries = 0;
    loop {
        let before = Id::at(path);
        let mut parts = list(path);
        tries += 1;
        if before == Id::at(path) || tries > 8 {
            // About to be closed, it has both names.
            parts.retain(|part| Some(part.id) != before);
            return (parts, before);
        }
    }
}

fn list(path: &Path) -> Vec<Part> {
    let (Some(folder), Some(base)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return Vec::new();
    };
    let mut parts: Vec<Part> = Vec::new();
    for name in secure_fs::list(folder).unwrap_or_default() {
        let is_ours = name.to_str().is_some_and(|name| name.starts_with(base));
        if let Some(part) = is_ours.then(|| Part::find(folder.join(name), base)).flatten() {
            // Sorted as they come in: there are few.
            parts.insert(parts.partition_point(|known| known.start < part.start), part);
        }
    }
    parts
}

/// Whether a file that is not `events.log` any more will get no more records.
pub(super) fn is_settled(meta: &Metadata) -> bool {
    let micros = meta.ctime().saturating_mul(1_000_000) + meta.ctime_nsec() / 1000;
    let changed = u64::try_from(micros).unwrap_or(0);
    // A clock that was put back says nothing.
    let passed = time::micros(SystemTime::now()).checked_sub(changed);
    passed.is_none_or(|passed| u128::from(passed) > SETTLED.as_micros())
}

/// Whether `line` ends an event of the script's own: what [`super::Reader::line`] returns one for.
pub(super) fn ends_event(line: &[u8]) -> bool {
    let mut fields = line.splitn(5, |byte| *byte == b'\t');
    let goes_on = fields.nth(2) == Some(b"+");
    let is_record = fields.nth(1).is_some();
    !line.is_empty() && !(is_record && (goes_on || is_carried(line)))
}

/// Whether `line` carries something over from an earlier file.
pub(super) fn is_carried(line: &[u8]) -> bool {
    let flag = line.splitn(4, |byte| *byte == b'\t').nth(2);
    flag.is_some_and(|flag| flag == CARRIED.as_bytes() || flag == CARRIED_ON.as_bytes())
}

/// How many events end in `file` from `start` on.
pub(super) fn count(file: &File, start: u64) -> io::Result<u64> {
    let mut count = 0;
    lines(file, start, &mut |line, _| {
        count += u64::from(ends_event(line));
        true
    })?;
    Ok(count)
}

/// What the first line of an `events.log` says: up to which byte of the whole the words below it were
/// looked for, and how many events had ended there.
pub(super) fn after(file: &File) -> Option<(u64, u64)> {
    let mut found = None;
    let _ = lines(file, 0, &mut |line, _| {
        found = read_after(line);
        false
    });
    found
}

fn read_after(line: &[u8]) -> Option<(u64, u64)> {
    let fields: Vec<&str> = str::from_utf8(line).ok()?.splitn(5, '\t').collect();
    let [_, _, CARRIED, AFTER, said] = fields[..] else { return None };
    let (bytes, events) = said.split_once(' ')?;
    Some((bytes.parse().ok()?, events.parse().ok()?))
}
