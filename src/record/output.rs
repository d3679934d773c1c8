//! Reading a unit's output back, in the order it came.
//!
//! The index says which bytes came when; without one the streams follow each other and times are
//! unknown. Nothing here reads a whole log to show its end.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::index::{Entry, INDEX, Stream};

/// How much of a file without an index is one chunk, bytes.
const CHUNK: u32 = 64 * 1024;

/// One line as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Counts the lines of all streams together, from 1, in the order they ended.
    pub number: u64,
    /// Which stream.
    pub stream: Stream,
    /// When its last bytes arrived, microseconds since 1970; none when the index was lost.
    pub at: Option<u64>,
    /// Its bytes, without the newline.
    pub bytes: Vec<u8>,
}

/// Reads on from where it stopped; made for following a log that grows.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    only: Option<Stream>,
    next_entry: usize,
    skip: u64,
    unfinished: HashMap<u8, Line>,
}

impl Reader {
    /// From the first line.
    pub fn from_start(folder: &Path, only: Option<Stream>) -> Self {
        let folder = folder.to_path_buf();
        Self { folder, only, next_entry: 0, skip: 0, unfinished: HashMap::new() }
    }

    /// From the last `count` lines on.
    pub fn from_tail(folder: &Path, only: Option<Stream>, count: usize) -> Self {
        let mut reader = Self::from_start(folder, only);
        let entries = reader.entries(0);
        let wanted = u64::try_from(count).unwrap_or(u64::MAX);
        let unfinished = reader.unfinished_at_end(&entries);
        let mut lines = u64::from(unfinished.is_some());
        // A stream is cut when the chunk before the ones taken does not end its line.
        let mut cut = Stream::ALL.map(|stream| Some(stream) == unfinished);
        let mut start = entries.len();
        for (index, entry) in entries.iter().enumerate().rev().filter(|(_, e)| reader.reads(e)) {
            let bytes = reader.bytes(entry);
            cut[entry.stream as usize] &= !bytes.ends_with(b"\n");
            if lines >= wanted && cut == [false; Stream::ALL.len()] {
                break;
            }
            lines += newlines(&bytes);
            cut[entry.stream as usize] = true;
            start = index;
        }
        reader.next_entry = start;
        reader.skip = lines.saturating_sub(wanted);
        reader
    }

    /// The lines that ended since the last call.
    pub fn lines(&mut self) -> Vec<Line> {
        let entries = self.entries(self.next_entry);
        self.next_entry += entries.len();
        let mut lines = Vec::new();
        for entry in entries.into_iter().filter(|entry| self.reads(entry)).collect::<Vec<_>>() {
            let bytes = self.bytes(&entry);
            self.split(&entry, &bytes, &mut lines);
        }
        let skipped = self.skip.min(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        self.skip -= skipped;
        lines.drain(..usize::try_from(skipped).unwrap_or(0));
        lines
    }

    /// What was written after the last newline: to be asked for once the unit has ended.
    pub fn rest(&mut self) -> Vec<Line> {
        let mut rest: Vec<Line> = self.unfinished.drain().map(|(_, line)| line).collect();
        rest.retain(|line| !line.bytes.is_empty());
        rest.sort_by_key(|line| line.number);
        rest
    }

    fn split(&mut self, entry: &Entry, bytes: &[u8], lines: &mut Vec<Line>) {
        let at = (entry.at > 0).then_some(entry.at);
        let mut number = entry.line;
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            number += 1;
            let line = self.unfinished.entry(entry.stream as u8).or_insert_with(|| Line {
                number,
                stream: entry.stream,
                at,
                bytes: Vec::new(),
            });
            line.bytes.extend_from_slice(piece);
            line.number = number;
            line.at = at;
            if pieces.peek().is_some() {
                lines.extend(self.unfinished.remove(&(entry.stream as u8)));
            }
        }
    }

    /// Entries from number `from` on: of the index, else made up from the files as they are.
    fn entries(&self, from: usize) -> Vec<Entry> {
        match std::fs::read(self.folder.join(INDEX)) {
            Ok(index) if !index.is_empty() => {
                index.chunks_exact(Entry::SIZE).skip(from).filter_map(Entry::decode).collect()
            }
            _ => self.made_up().into_iter().skip(from).collect(),
        }
    }

    fn made_up(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut line = 0;
        for stream in Stream::ALL {
            let length = self.open(stream).and_then(|f| f.metadata().ok()).map_or(0, |m| m.len());
            let mut offset = 0;
            while offset < length {
                let len = u32::try_from(length - offset).unwrap_or(CHUNK).min(CHUNK);
                let entry = Entry { at: 0, offset, line, len, stream };
                line += newlines(&self.bytes(&entry));
                offset += u64::from(len);
                entries.push(entry);
            }
        }
        entries
    }

    fn bytes(&self, entry: &Entry) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(entry.len).unwrap_or(0)];
        let read = self.open(entry.stream).and_then(|f| f.read_at(&mut bytes, entry.offset).ok());
        bytes.truncate(read.unwrap_or(0));
        bytes
    }

    fn reads(&self, entry: &Entry) -> bool {
        self.only.is_none_or(|only| only == entry.stream)
    }

    fn open(&self, stream: Stream) -> Option<File> {
        File::open(self.folder.join(stream.file())).ok()
    }

    fn unfinished_at_end(&self, entries: &[Entry]) -> Option<Stream> {
        let last = entries.iter().rev().find(|entry| self.reads(entry))?;
        (!self.bytes(last).ends_with(b"\n")).then_some(last.stream)
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::capture::Capture;

    fn texts(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
    }

    fn log() -> (tempfile::TempDir, Capture) {
        let dir = tempfile::tempdir().unwrap();
        let mut capture = Capture::new(Some(dir.path()));
        capture.store(Stream::Stdout, b"one\nhal");
        capture.store(Stream::Stderr, b"oops\n");
        capture.store(Stream::Stdout, b"f\nlast");
        (dir, capture)
    }

    #[test]
    fn lines_come_in_the_order_they_ended() {
        let (dir, mut capture) = log();
        let mut reader = Reader::from_start(dir.path(), None);
        let lines = reader.lines();
        assert_eq!(texts(&lines), ["one", "oops", "half"]);
        assert_eq!(lines.iter().map(|l| l.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(lines.iter().all(|line| line.at.is_some()));
        assert_eq!(reader.lines(), []);
        capture.store(Stream::Stdout, b" words\n");
        assert_eq!(texts(&reader.lines()), ["last words"]);
        assert_eq!(reader.rest(), []);
    }

    #[test]
    fn a_tail_is_the_end_and_nothing_else() {
        let (dir, _capture) = log();
        for (count, expected) in
            [(1, vec!["last"]), (2, vec!["half", "last"]), (9, vec!["one", "oops", "half", "last"])]
        {
            let mut reader = Reader::from_tail(dir.path(), None, count);
            let mut lines = reader.lines();
            lines.extend(reader.rest());
            assert_eq!(texts(&lines), expected, "tail {count}");
        }
        let mut reader = Reader::from_tail(dir.path(), Some(Stream::Stderr), 1);
        assert_eq!(texts(&reader.lines()), ["oops"]);
    }

    #[test]
    fn without_an_index_every_line_is_still_there() {
        let (dir, _capture) = log();
        std::fs::remove_file(dir.path().join(INDEX)).unwrap();
        let mut reader = Reader::from_start(dir.path(), None);
        let mut lines = reader.lines();
        lines.extend(reader.rest());
        assert_eq!(texts(&lines), ["one", "half", "oops", "last"]);
        assert!(lines.iter().all(|line| line.at.is_none()));
    }
}
