//! Reads what was added to a unit's files since the last time, a bounded piece at a time.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::record::Folder;
use crate::record::events::{Event, Reader};
use crate::wire::unit::Logs;

/// Bytes read from one file before others get their turn.
const PIECE: u64 = 64 << 10;

/// The longest line that is told whole; a longer one is told in pieces.
const LINE_LIMIT: usize = 64 << 10;

/// One file, read up to some place.
#[derive(Debug, Clone)]
struct Cursor {
    path: PathBuf,
    offset: u64,
    partial: Vec<u8>,
}

impl Cursor {
    fn new(path: PathBuf, offset: u64) -> Self {
        Self { path, offset, partial: Vec::new() }
    }

    fn size(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |meta| meta.len())
    }

    /// Whether there is more to read.
    fn is_behind(&self) -> bool {
        self.size() != self.offset
    }

    /// The lines that became whole within the next piece.
    fn lines(&mut self) -> Vec<String> {
        let mut bytes = Vec::new();
        let size = self.size();
        if size < self.offset {
            // The file was cut short or replaced: it starts anew.
            (self.offset, self.partial) = (0, Vec::new());
        }
        if size == self.offset || self.read_piece(&mut bytes).is_err() {
            return Vec::new();
        }
        self.offset += u64::try_from(bytes.len()).unwrap_or(0);
        self.partial.extend_from_slice(&bytes);
        self.split()
    }

    fn read_piece(&self, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        file.take(PIECE).read_to_end(bytes).map(drop)
    }

    fn split(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let end = self.partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.partial.split_off(end);
        let whole = std::mem::replace(&mut self.partial, rest);
        lines.extend(whole.split_inclusive(|byte| *byte == b'\n').map(text));
        if self.partial.len() >= LINE_LIMIT {
            lines.push(text(&std::mem::take(&mut self.partial)));
        }
        lines
    }

    /// What stands after the last newline, once nobody will write any more.
    fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.partial);
        (!rest.is_empty()).then(|| text(&rest))
    }
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}

/// The files of one unit.
#[derive(Debug)]
pub(super) struct Tail {
    folder: Folder,
    /// Its name in news of the watcher.
    pub(super) watched: Option<PathBuf>,
    stamp: (u64, i64, i64),
    events: Cursor,
    reader: Reader,
    output: Vec<(&'static str, Cursor)>,
}

/// One line of output.
#[derive(Debug)]
pub(super) struct OutputLine {
    pub(super) stream: &'static str,
    pub(super) text: String,
}

impl Tail {
    /// Reads the events from the beginning.
    pub(super) fn new(folder: Folder) -> Self {
        let events = Cursor::new(folder.events(), 0);
        // No stamp: the record may have changed since it was loaded, so the next look loads it again.
        let stamp = (0, 0, 0);
        Self { folder, watched: None, stamp, events, reader: Reader::default(), output: Vec::new() }
    }

    /// Whether `run.json` was replaced since the last call.
    pub(super) fn record_changed(&mut self) -> bool {
        let now = stamp(&self.folder.file("run.json"));
        std::mem::replace(&mut self.stamp, now) != now
    }

    /// Follows the output from its present end, or from its beginning.
    pub(super) fn follow_output(&mut self, logs: &Logs, from_start: bool) {
        for (stream, path) in streams(logs) {
            if self.output.iter().any(|(name, _)| *name == stream) {
                continue;
            }
            let mut cursor = Cursor::new(path, 0);
            if !from_start {
                cursor.offset = last_line_start(&cursor.path, cursor.size());
            }
            self.output.push((stream, cursor));
        }
    }

    pub(super) fn leave_output(&mut self) {
        self.output.clear();
    }

    /// Events of the next piece.
    pub(super) fn events(&mut self) -> Vec<Event> {
        let lines = self.events.lines();
        lines.iter().filter(|l| !l.is_empty()).filter_map(|line| self.reader.line(line)).collect()
    }

    /// Lines of output of the next piece.
    pub(super) fn output(&mut self) -> Vec<OutputLine> {
        let read = |(stream, cursor): &mut (&'static str, Cursor)| {
            let stream = *stream;
            cursor.lines().into_iter().map(move |text| OutputLine { stream, text })
        };
        self.output.iter_mut().flat_map(read).collect()
    }

    /// Unfinished lines, after the end.
    pub(super) fn rest(&mut self) -> Vec<OutputLine> {
        let rest = |(stream, cursor): &mut (&'static str, Cursor)| {
            cursor.rest().map(|text| OutputLine { stream, text })
        };
        self.output.iter_mut().filter_map(rest).collect()
    }

    /// Whether some file holds more than was read.
    pub(super) fn is_behind(&self) -> bool {
        self.events.is_behind() || self.output.iter().any(|(_, cursor)| cursor.is_behind())
    }
}

/// Tells two versions of a file apart that is replaced and never changed in place.
fn stamp(path: &Path) -> (u64, i64, i64) {
    fs::metadata(path).map_or((0, 0, 0), |m| (m.ino(), m.mtime(), m.mtime_nsec()))
}

/// The captured streams of a unit, by name.
pub(super) fn streams(logs: &Logs) -> Vec<(&'static str, PathBuf)> {
    let all = [("output", &logs.output), ("stdout", &logs.stdout), ("stderr", &logs.stderr)];
    all.into_iter().filter_map(|(name, path)| Some((name, path.clone()?))).collect()
}

/// Where the line begins that is being written: a follower gets it whole.
fn last_line_start(path: &Path, size: u64) -> u64 {
    let begin = size.saturating_sub(PIECE);
    let mut cursor = Cursor::new(path.to_path_buf(), begin);
    let mut bytes = Vec::new();
    if cursor.read_piece(&mut bytes).is_err() {
        return size;
    }
    cursor.partial = bytes;
    let last = cursor.partial.iter().rposition(|byte| *byte == b'\n');
    last.map_or(begin, |at| begin + u64::try_from(at).unwrap_or(0) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file() -> (tempfile::TempDir, PathBuf, File) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stdout.log");
        let file = File::create(&path).unwrap();
        (dir, path, file)
    }

    #[test]
    fn lines_come_once_and_whole() {
        let (_dir, path, mut file) = file();
        let mut cursor = Cursor::new(path, 0);
        write!(file, "one\ntw").unwrap();
        assert_eq!(cursor.lines(), ["one"]);
        assert!(cursor.lines().is_empty());
        write!(file, "o\r\n\nlast").unwrap();
        assert_eq!(cursor.lines(), ["two", ""]);
        assert_eq!(cursor.rest().as_deref(), Some("last"));
        assert_eq!(cursor.rest(), None);
    }

    #[test]
    fn a_line_without_end_costs_a_bounded_piece() {
        let (_dir, path, mut file) = file();
        file.write_all(&vec![b'x'; 1 << 20]).unwrap();
        let mut cursor = Cursor::new(path, 0);
        let mut total = 0;
        while cursor.is_behind() {
            total += cursor.lines().iter().map(String::len).sum::<usize>();
            assert!(cursor.partial.len() < LINE_LIMIT);
        }
        assert_eq!(total, 1 << 20);
    }

    #[test]
    fn a_file_that_was_cut_short_starts_anew() {
        let (_dir, path, mut file) = file();
        writeln!(file, "a long first line").unwrap();
        let mut cursor = Cursor::new(path.clone(), 0);
        cursor.lines();
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(cursor.lines(), ["new"]);
    }

    #[test]
    fn a_follower_gets_the_unfinished_line_whole() {
        let (_dir, path, mut file) = file();
        write!(file, "old\nhal").unwrap();
        let mut cursor = Cursor::new(path.clone(), last_line_start(&path, 7));
        write!(file, "f\n").unwrap();
        assert_eq!(cursor.lines(), ["half"]);
    }
}
