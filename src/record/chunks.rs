//! The chunks of a unit's output, as the index tells them; what the index does not cover is made
//! up from the files as they are, so that no line is ever out of reach.
//!
//! Made-up chunks follow the known ones, stream by stream, at an unknown time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::index::{Entry, INDEX, Stream, newlines};

/// How much of a file that the index does not cover is one chunk, bytes.
const CHUNK: u32 = 64 * 1024;

/// Entries that are read at once.
const BLOCK: usize = 256;

/// Every chunk, by number.
#[derive(Debug)]
pub(super) struct Chunks {
    folder: PathBuf,
    index: Option<File>,
    known: usize,
    made_up: Vec<Entry>,
    covered: Option<[u64; 3]>,
    /// Number of the first entry read last, and the entries.
    block: (usize, Vec<u8>),
    files: [Option<File>; 3],
    /// What is there now is all there will be.
    closed: bool,
}

impl Chunks {
    pub(super) fn open(folder: &Path) -> Self {
        let mut chunks = Self {
            folder: folder.to_path_buf(),
            index: None,
            known: 0,
            made_up: Vec::new(),
            covered: None,
            block: (0, Vec::new()),
            files: [None, None, None],
            closed: false,
        };
        chunks.refresh();
        chunks
    }

    /// From now on what stands beside the index counts too.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.refresh();
    }

    /// Looks for what was written since. A chunk is written before its entry: while somebody writes,
    /// only a lost index makes anything up.
    pub(super) fn refresh(&mut self) {
        if self.made_up.is_empty() {
            if self.index.is_none() {
                self.index = File::open(self.folder.join(INDEX)).ok();
            }
            let length = self.index.as_ref().and_then(|f| f.metadata().ok()).map_or(0, |m| m.len());
            self.known = usize::try_from(length).unwrap_or(usize::MAX) / Entry::SIZE;
        }
        if self.closed || self.index.is_none() {
            self.make_up();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known + self.made_up.len()
    }

    /// How many of them the index knows: these have times.
    pub(super) fn known(&self) -> usize {
        self.known
    }

    pub(super) fn get(&mut self, number: usize) -> Option<Entry> {
        if number >= self.known {
            return self.made_up.get(number - self.known).copied();
        }
        let at = |first: usize| (number - first) * Entry::SIZE;
        let (first, block) = &self.block;
        let missing = number < *first || at(*first) + Entry::SIZE > block.len();
        if missing {
            self.load(number / BLOCK * BLOCK);
        }
        let start = at(self.block.0);
        self.block.1.get(start..start + Entry::SIZE).and_then(Entry::decode)
    }

    fn load(&mut self, first: usize) {
        let mut block = vec![0; BLOCK * Entry::SIZE];
        let offset = u64::try_from(first * Entry::SIZE).unwrap_or(u64::MAX);
        let read = self.index.as_ref().and_then(|file| file.read_at(&mut block, offset).ok());
        block.truncate(read.unwrap_or(0));
        self.block = (first, block);
    }

    /// Lines that had ended before chunk `number`; behind the last one: all.
    pub(super) fn lines_before(&mut self, number: usize) -> u64 {
        if let Some(entry) = self.get(number) {
            return entry.line;
        }
        let last = self.len().checked_sub(1).and_then(|last| self.get(last));
        last.map_or(0, |entry| entry.line + newlines(&self.bytes(&entry)))
    }

    /// Lines that end in chunk `number`; only of the last one are the bytes looked at.
    pub(super) fn lines_in(&mut self, number: usize) -> u64 {
        self.lines_before(number + 1).saturating_sub(self.lines_before(number))
    }

    /// The first known chunk that `is_before` does not hold for.
    pub(super) fn search(&mut self, end: usize, is_before: impl Fn(&Entry) -> bool) -> usize {
        let (mut low, mut high) = (0, end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle).is_some_and(|entry| is_before(&entry)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    pub(super) fn bytes(&mut self, entry: &Entry) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.read(entry, &mut bytes);
        bytes
    }

    /// Makes `bytes` what is there of the chunk; memory that it has is used again.
    pub(super) fn read(&mut self, entry: &Entry, bytes: &mut Vec<u8>) {
        let there = self.length(entry.stream).saturating_sub(entry.offset);
        let length = usize::try_from(there.min(entry.len.into())).unwrap_or(0);
        bytes.resize(length, 0);
        let file = self.files[entry.stream as usize].as_ref();
        let read = file.and_then(|file| file.read_at(bytes, entry.offset).ok());
        bytes.truncate(read.unwrap_or(0));
    }

    /// How long the file of `stream` is now.
    pub(super) fn length(&mut self, stream: Stream) -> u64 {
        let slot = &mut self.files[stream as usize];
        if slot.is_none() {
            *slot = File::open(self.folder.join(stream.file())).ok();
        }
        slot.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |meta| meta.len())
    }

    /// Whether the last line of `stream` has no end yet.
    pub(super) fn ends_within_line(&mut self, stream: Stream) -> bool {
        let Some(last) = self.length(stream).checked_sub(1) else { return false };
        let entry = Entry { at: 0, offset: last, line: 0, len: 1, stream };
        self.bytes(&entry) != b"\n"
    }

    fn make_up(&mut self) {
        let mut covered = self.covered.unwrap_or_else(|| self.covered_by_index());
        let mut line = None;
        for stream in Stream::ALL {
            let (offset, length) = (&mut covered[stream as usize], self.length(stream));
            while *offset < length {
                let before = line.unwrap_or_else(|| self.lines_before(self.len()));
                let len = u32::try_from(length - *offset).unwrap_or(CHUNK).min(CHUNK);
                let entry = Entry { at: 0, offset: *offset, line: before, len, stream };
                line = Some(before + newlines(&self.bytes(&entry)));
                *offset += u64::from(len);
                self.made_up.push(entry);
            }
        }
        self.covered = Some(covered);
    }

    /// How far into each stream the index goes: its last entry of each says.
    fn covered_by_index(&mut self) -> [u64; 3] {
        let mut covered = [0; 3];
        let mut open = Stream::ALL.map(|stream| self.length(stream) > 0);
        for number in (0..self.known).rev() {
            if open == [false; 3] {
                break;
            }
            let Some(entry) = self.get(number) else { continue };
            if std::mem::take(&mut open[entry.stream as usize]) {
                covered[entry.stream as usize] = entry.offset + u64::from(entry.len);
            }
        }
        covered
    }
}
