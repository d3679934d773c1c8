//! Reads what was added to a unit's files since the last time, a bounded piece at a time.

use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::news::is_log_level;
use crate::logs::mask::Mask;
use crate::record::events::Event;
use crate::record::events::log::{Item, Log};
use crate::record::gap::{Cause, Gap, size};
use crate::record::{Folder, alerts, pieces};
use crate::secure_fs;
use crate::wire::unit::Logs;

/// Bytes read from one file before others get their turn. As empty lines they still fit into half
/// of a subscriber's queue.
const PIECE: usize = 8 << 10;

/// The longest line that is told whole; a longer one is told in pieces.
const LINE_LIMIT: usize = 64 << 10;

/// One log, read up to some place.
#[derive(Debug, Clone)]
struct Cursor {
    /// Its head; a long one goes on in pieces.
    path: PathBuf,
    /// The file that is read now, and where it starts in the whole.
    piece: (PathBuf, u64),
    /// How far it was read, counted from the beginning of the whole.
    offset: u64,
    partial: Vec<u8>,
    /// Where the unit's own output ends, once it has ended; what others add is not its.
    end: Option<u64>,
}

impl Cursor {
    fn new(path: PathBuf, offset: u64) -> Self {
        Self { piece: (path.clone(), 0), path, offset, partial: Vec::new(), end: None }
    }

    /// From the beginning of the line that is being written now.
    fn at_end(path: PathBuf) -> Self {
        let mut cursor = Self::new(path, 0);
        cursor.piece = pieces::newest(&cursor.path);
        cursor.offset = cursor.last_line_start();
        cursor
    }

    /// Where the piece ends that is read now; none when it is gone.
    fn size(&self) -> Option<u64> {
        secure_fs::metadata(&self.piece.0).ok().map(|meta| self.piece.1 + meta.len())
    }

    /// Whether there is more to read.
    fn is_behind(&self) -> bool {
        let grown = || self.size() != Some(self.offset) || secure_fs::exists(&self.next());
        self.end.map_or_else(|| self.size().is_some() && grown(), |end| self.offset < end)
    }

    /// The lines that became whole within the next piece.
    fn lines(&mut self) -> Vec<String> {
        let mut bytes = Vec::new();
        let size = self.size();
        if size.is_none() {
            return self.jump();
        }
        if size == Some(self.offset) && secure_fs::exists(&self.next()) {
            self.piece = (self.next(), self.offset);
        } else if size < Some(self.offset) {
            // The file was cut short or replaced: it starts anew.
            (self.offset, self.partial) = (self.piece.1, Vec::new());
        }
        if size == Some(self.offset) && self.piece.1 < self.offset
            || self.read_piece(&mut bytes).is_err()
        {
            return Vec::new();
        }
        self.offset += u64::try_from(bytes.len()).unwrap_or(0);
        self.split(&bytes)
    }

    /// The piece that goes on where this one ends.
    fn next(&self) -> PathBuf {
        let base = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(pieces::name(&base, self.offset))
    }

    /// What was to be read is gone: goes on where there is something again, and says so.
    fn jump(&mut self) -> Vec<String> {
        let next = self.starts().into_iter().find(|start| *start > self.piece.1);
        let Some(start) = next else { return Vec::new() };
        let mut lines: Vec<String> = self.rest().into_iter().collect();
        if start > self.offset {
            let dropped = size(start - self.offset);
            lines.push(format!("... {dropped} were dropped: {} ...", Cause::Bound.word()));
        }
        self.offset = start.max(self.offset);
        self.piece = (self.next(), start);
        lines
    }

    fn starts(&self) -> Vec<u64> {
        let base = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.parent().map(|dir| pieces::starts(dir, &base)).unwrap_or_default()
    }

    fn read_piece(&self, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        bytes.resize(PIECE, 0);
        let count = secure_fs::open(&self.piece.0)?.read_at(bytes, self.offset - self.piece.1);
        bytes.truncate(*count.as_ref().unwrap_or(&0));
        if self.piece.1 == 0 && bytes.len() < PIECE {
            // Behind the end of a head stands a note for those who read the file itself.
            let next =
                self.starts().first().map_or(u64::MAX, |start| start.saturating_sub(self.offset));
            bytes.truncate(usize::try_from(next).unwrap_or(usize::MAX));
        }
        count.map(drop)
    }

    /// Where the line begins that is being written: a follower gets it whole.
    fn last_line_start(&mut self) -> u64 {
        let size = self.size().unwrap_or(self.piece.1);
        self.offset = size.saturating_sub(8 << 10).max(self.piece.1);
        let mut bytes = Vec::new();
        if self.read_piece(&mut bytes).is_err() {
            return size;
        }
        let last = bytes.iter().rposition(|byte| *byte == b'\n');
        last.map_or(self.offset, |at| self.offset + u64::try_from(at).unwrap_or(0) + 1)
    }

    fn split(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (whole, rest) = bytes.split_at(end);
        if !whole.is_empty() {
            self.partial.extend_from_slice(whole);
            let whole = std::mem::take(&mut self.partial);
            lines.extend(whole.split_inclusive(|byte| *byte == b'\n').map(text));
        }
        self.partial.extend_from_slice(rest);
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

/// Which version of a file it is: inode and time.
type Stamp = (u64, i64, i64);

/// The files of one unit.
#[derive(Debug)]
pub(super) struct Tail {
    folder: Folder,
    /// Its name in news of the watcher.
    pub(super) watched: Option<PathBuf>,
    stamps: [Stamp; 2],
    events: Log,
    /// What must not leave in its lines; made for the first one.
    mask: Option<Mask>,
    output: Vec<Stream>,
    /// Whoever follows the output has heard nothing of it: streams count from their beginning.
    pub(super) is_new: bool,
    /// Somebody follows the output, known or still to come.
    is_followed: bool,
}

/// One stream of output.
#[derive(Debug)]
struct Stream {
    name: &'static str,
    cursor: Cursor,
    mask: Mask,
}

impl Stream {
    fn line(&mut self, text: String) -> OutputLine {
        OutputLine { stream: self.name, text: self.mask.line(text.into()).into_owned() }
    }

    fn lines(&mut self) -> Vec<OutputLine> {
        let lines = self.cursor.lines();
        lines.into_iter().map(|text| self.line(text)).collect()
    }

    fn rest(&mut self) -> Option<OutputLine> {
        let rest = self.cursor.rest();
        rest.map(|text| self.line(text))
    }
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
        let events = Log::new(folder.events()).with_words();
        // No stamp: the record may have changed since it was loaded, so the next look loads it again.
        let stamps = [Stamp::default(); 2];
        Self {
            folder,
            watched: None,
            stamps,
            events,
            mask: None,
            output: Vec::new(),
            is_new: false,
            is_followed: false,
        }
    }

    /// The folder was moved, and is read on from where it was read to.
    pub(super) fn follow(&mut self, folder: Folder) {
        let place = |path: &Path| folder.path().join(path.file_name().unwrap_or_default());
        for Stream { cursor, .. } in &mut self.output {
            cursor.path = place(&cursor.path);
            cursor.piece.0 = place(&cursor.piece.0);
        }
        self.events.follow(folder.events());
        self.stamps = [Stamp::default(); 2];
        self.folder = folder;
    }

    /// Whether `run.json`, or which ends are told, was replaced since the last call.
    pub(super) fn record_changed(&mut self) -> bool {
        let now = ["run.json", alerts::CHOSEN].map(|name| stamp(&self.folder.file(name)));
        std::mem::replace(&mut self.stamps, now) != now
    }

    /// Follows the output from its present end; from its beginning when the unit is new, or the
    /// stream came up while the unit was followed already.
    pub(super) fn follow_output(&mut self, logs: &Logs) {
        let from_end = !self.is_new && !self.is_followed;
        self.is_followed = true;
        for (stream, path) in streams(logs) {
            if self.output.iter().any(|known| known.name == stream) {
                continue;
            }
            let cursor = if from_end { Cursor::at_end(path) } else { Cursor::new(path, 0) };
            let mask = self.mask().clone();
            self.output.push(Stream { name: stream, cursor, mask });
        }
    }

    pub(super) fn leave_output(&mut self) {
        self.is_new = false;
        self.is_followed = false;
        self.output.clear();
    }

    /// Events of the next piece. What is missing is told as one, too.
    pub(super) fn events(&mut self) -> Vec<Event> {
        let missing =
            |gap: Gap| Event { at: None, level: "warn".to_owned(), text: gap.to_string() };
        let event = |item| match item {
            Item::Event(_, event) => event,
            Item::Gap(gap) => missing(gap),
        };
        let items = self.events.read(PIECE).unwrap_or_default();
        let mut events: Vec<Event> = items.into_iter().map(event).collect();
        for Event { level, text, .. } in &mut events {
            match level.as_str() {
                level if is_log_level(level) => *text = self.mask().lines(text),
                // What programs go by.
                "register" => *text = self.mask().object_text(text),
                _ => *text = self.mask().apart().lines(text),
            }
        }
        events
    }

    fn mask(&mut self) -> &mut Mask {
        self.mask.get_or_insert_with(|| Mask::of(&self.folder))
    }

    /// Whether what may come late for an older file of the events is not waited for.
    pub(super) fn hurry(&mut self, hurries: bool) {
        self.events.hurry(hurries);
    }

    /// Whether all that is left is to wait for what may come late.
    pub(super) fn waits(&self) -> bool {
        self.events.waits() && !self.output.iter().any(|stream| stream.cursor.is_behind())
    }

    /// How long `events.log` is now.
    pub(super) fn events_length(&self) -> u64 {
        self.events.length().unwrap_or(0)
    }

    /// Lines of output of the next piece.
    pub(super) fn output(&mut self) -> Vec<OutputLine> {
        self.output.iter_mut().flat_map(Stream::lines).collect()
    }

    /// The unit has ended: what stands there now is all of it.
    pub(super) fn close(&mut self) {
        for Stream { cursor, .. } in &mut self.output {
            cursor.end = Some(pieces::end(&cursor.path));
        }
        self.events.end_here();
    }

    /// Unfinished lines, after the end.
    pub(super) fn rest(&mut self) -> Vec<OutputLine> {
        self.output.iter_mut().filter_map(Stream::rest).collect()
    }

    /// Whether some file holds more than was read.
    pub(super) fn is_behind(&self) -> bool {
        self.events.is_behind() || self.output.iter().any(|stream| stream.cursor.is_behind())
    }
}

/// Tells two versions of a file apart that is replaced and never changed in place.
fn stamp(path: &Path) -> Stamp {
    secure_fs::metadata(path).map_or((0, 0, 0), |m| (m.ino(), m.mtime(), m.mtime_nsec()))
}

/// The captured streams of a unit, by name.
pub(super) fn streams(logs: &Logs) -> Vec<(&'static str, PathBuf)> {
    let all = [("output", &logs.output), ("stdout", &logs.stdout), ("stderr", &logs.stderr)];
    all.into_iter().filter_map(|(name, path)| Some((name, path.clone()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file() -> (tempfile::TempDir, PathBuf, std::fs::File) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stdout.log");
        let file = std::fs::File::create(&path).unwrap();
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
        let mut cursor = Cursor::at_end(path);
        writeln!(file, "f").unwrap();
        assert_eq!(cursor.lines(), ["half"]);
    }
}
