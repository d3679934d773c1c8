//! The chunks of a unit's output, as the index tells them; what the index does not cover is made
//! up from the files as they are, so that no line is ever out of reach.
//!
//! Made-up chunks follow the known ones, stream by stream, at an unknown time. The numbers of chunks
//! whose piece of the log was dropped are missing.
//!
//! Entries are verified as they are read. When one is damaged, the index counts up to the first
//! damaged one only ([`Chunks::is_cut`]), and what follows gets other numbers: whoever had one asks again.

mod rebuild;

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::Folder;
use super::index::{Entry, INDEX, Stream, newlines};
use super::pieces::{self, Piece};
use crate::secure_fs;

/// Entries that are read at once.
const BLOCK: usize = 256;

/// Every chunk, by number.
#[derive(Debug)]
pub(super) struct Chunks {
    folder: PathBuf,
    /// Of the index, oldest first.
    parts: Vec<Part>,
    made_up: Vec<Entry>,
    covered: Option<[u64; 3]>,
    /// Number of the first entry read last, and the entries.
    block: (usize, Vec<u8>),
    files: [Vec<Piece>; 3],
    /// The chunk whose newlines were counted last, and how many it has.
    counted: Option<(Entry, u64)>,
    /// The index was damaged, and ends where it was.
    is_cut: bool,
    /// What is there now is all there will be.
    closed: bool,
    /// And it was looked at.
    is_settled: bool,
}

/// A piece of the index, and the numbers of its entries.
#[derive(Debug)]
struct Part {
    first: usize,
    end: usize,
    piece: Piece,
}

impl Part {
    fn new(piece: Piece) -> Self {
        let first = usize::try_from(piece.start).unwrap_or(usize::MAX);
        let mut part = Self { first, end: first, piece };
        part.measure();
        part
    }

    fn measure(&mut self) {
        let entries = usize::try_from(self.piece.length()).unwrap_or(usize::MAX) / Entry::SIZE;
        self.end = self.first.saturating_add(entries);
    }

    fn has(&self, number: usize) -> bool {
        (self.first..self.end).contains(&number)
    }

    fn count(&self) -> usize {
        self.end - self.first
    }
}

impl Chunks {
    pub(super) fn open(folder: &Path) -> Self {
        let mut chunks = Self {
            folder: folder.to_path_buf(),
            parts: Vec::new(),
            made_up: Vec::new(),
            covered: None,
            block: (0, Vec::new()),
            files: [Vec::new(), Vec::new(), Vec::new()],
            counted: None,
            is_cut: false,
            closed: false,
            is_settled: false,
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
        if self.is_settled {
            return;
        }
        if self.made_up.is_empty() && !self.is_cut {
            // The last entry may have grown.
            self.block.1.clear();
            self.find_parts();
        }
        if self.closed || self.parts.is_empty() || self.is_cut {
            self.make_up();
        }
        self.is_settled = self.closed;
    }

    fn find_parts(&mut self) {
        let Some(last) = self.parts.last_mut() else { return self.list() };
        last.measure();
        let next = pieces::name(INDEX, u64::try_from(last.end).unwrap_or(u64::MAX));
        if last.piece.is_dropped() || secure_fs::exists(&self.folder.join(next)) {
            self.list();
        }
    }

    /// Opens what is there now. Without its head the index is lost, whatever else is left of it; when
    /// the whole folder is gone, what was open is all there is.
    fn list(&mut self) {
        let parts: Vec<Part> =
            pieces::open(&self.folder, INDEX).into_iter().map(Part::new).collect();
        if parts.first().is_some_and(|part| part.first == 0) {
            self.parts = parts;
            self.files = Default::default();
        }
    }

    /// One more than the highest number.
    pub(super) fn len(&self) -> usize {
        self.known() + self.made_up.len()
    }

    /// One more than the highest number that the index knows: these have times.
    pub(super) fn known(&self) -> usize {
        self.parts.last().map_or(0, |part| part.end)
    }

    pub(super) fn get(&mut self, number: usize) -> Option<Entry> {
        if self.parts.iter().any(|part| part.has(number)) {
            if let Some(entry) = self.entry(number) {
                return Some(entry);
            }
            if number + 1 == self.known() && !self.closed {
                // It is being written.
                return None;
            }
            self.cut();
        }
        self.made_up.get(number.checked_sub(self.known())?).copied()
    }

    /// Entry `number` of the index as it was written; none when it is damaged.
    fn entry(&mut self, number: usize) -> Option<Entry> {
        let is_last = number + 1 == self.known();
        // The last one may be written in this very moment.
        for _ in 0..if is_last { 4 } else { 1 } {
            let (first, block) = &self.block;
            let there = number >= *first && (number - first) * Entry::SIZE < block.len();
            if !there {
                self.load(number)?;
            }
            let start = (number - self.block.0) * Entry::SIZE;
            let bytes = self.block.1.get(start..start + Entry::SIZE);
            let number = u64::try_from(number).ok()?;
            let entry = bytes.and_then(|bytes| Entry::decode(bytes, number));
            if entry.is_some() {
                return entry;
            }
            self.block.1.clear();
        }
        None
    }

    /// What `count` says of all chunks, asked again when the index turns out to be damaged meanwhile.
    pub(super) fn of_all<T>(&mut self, mut count: impl FnMut(&mut Self) -> T) -> T {
        let was_cut = self.is_cut;
        let counted = count(self);
        if self.is_cut == was_cut { counted } else { count(self) }
    }

    /// Whether the index was found to be damaged. Once, and then numbers of chunks are others.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn load(&mut self, number: usize) -> Option<()> {
        let part = self.parts.iter().rfind(|part| part.has(number))?;
        let first = part.first + (number - part.first) / BLOCK * BLOCK;
        let mut block = std::mem::take(&mut self.block.1);
        block.resize(BLOCK.min(part.end - first) * Entry::SIZE, 0);
        let offset = u64::try_from((first - part.first) * Entry::SIZE).unwrap_or(u64::MAX);
        let read = part.piece.file.read_at(&mut block, offset);
        block.truncate(read.unwrap_or(0));
        self.block = (first, block);
        Some(())
    }

    /// The number of the first chunk that is there, from `number` on.
    pub(super) fn from(&self, number: usize) -> Option<usize> {
        let made_up = (number.max(self.known()) < self.len()).then(|| number.max(self.known()));
        let part = self.parts.iter().find(|part| number < part.end);
        part.map(|part| number.max(part.first)).or(made_up)
    }

    /// The number of the last chunk that is there, before `number`.
    pub(super) fn before(&self, number: usize) -> Option<usize> {
        if number > self.known() {
            return Some(number - 1);
        }
        let part = self.parts.iter().rfind(|part| part.first < number && part.count() > 0)?;
        Some(part.end.min(number) - 1)
    }

    /// Whether chunks right before `number` were dropped.
    pub(super) fn is_after_gap(&self, number: usize) -> bool {
        self.before(number).map_or(0, |before| before + 1) < number
    }

    /// Lines that had ended before chunk `number`; behind the last one: all.
    pub(super) fn lines_before(&mut self, number: usize) -> u64 {
        if let Some(entry) = self.from(number).and_then(|number| self.get(number)) {
            return entry.line;
        }
        self.before(number).map_or(0, |last| self.lines_through(last))
    }

    /// Lines that had ended by the end of chunk `number`.
    pub(super) fn lines_through(&mut self, number: usize) -> u64 {
        let Some(entry) = self.get(number) else { return self.lines_before(number) };
        let next = if entry.is_mark() { None } else { self.get(number + 1) };
        next.map_or_else(|| entry.line + self.newlines(&entry), |next| next.line)
    }

    /// Of a chunk that nothing follows, which is asked for several times in a row.
    fn newlines(&mut self, entry: &Entry) -> u64 {
        if let Some((_, count)) = self.counted.filter(|(counted, _)| counted == entry) {
            return count;
        }
        let count = newlines(&self.bytes(entry));
        self.counted = Some((*entry, count));
        count
    }

    /// Lines that end in chunk `number`; only when nothing follows it the bytes are looked at.
    pub(super) fn lines_in(&mut self, number: usize) -> u64 {
        self.lines_through(number).saturating_sub(self.lines_before(number))
    }

    /// The first chunk before `end` that `is_before` does not hold for.
    pub(super) fn search(&mut self, end: usize, is_before: impl Fn(&Entry) -> bool) -> usize {
        let (mut low, mut high) = (0, end);
        while low < high {
            let middle = low + (high - low) / 2;
            let there = self.from(middle).filter(|there| *there < high);
            let Some(there) = there else {
                high = middle;
                continue;
            };
            if self.get(there).is_some_and(|entry| is_before(&entry)) {
                low = there + 1;
            } else {
                high = middle;
            }
        }
        self.from(low).unwrap_or(low).min(end)
    }

    pub(super) fn bytes(&mut self, entry: &Entry) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.read(entry, &mut bytes);
        bytes
    }

    /// Makes `bytes` what is there of the chunk; memory that it has is used again.
    pub(super) fn read(&mut self, entry: &Entry, bytes: &mut Vec<u8>) {
        let pieces = self.pieces(entry.stream);
        let Some(piece) = pieces.iter().rfind(|piece| piece.start <= entry.offset) else {
            return bytes.clear();
        };
        let offset = entry.offset - piece.start;
        let there = piece.length().saturating_sub(offset);
        let length = usize::try_from(there.min(entry.len.into())).unwrap_or(0);
        bytes.resize(length, 0);
        let read = piece.file.read_at(bytes, offset);
        bytes.truncate(read.unwrap_or(0));
    }

    fn pieces(&mut self, stream: Stream) -> &[Piece] {
        let pieces = &mut self.files[stream as usize];
        // What is not there yet may come.
        if pieces.is_empty() && !self.is_settled {
            *pieces = pieces::open(&self.folder, stream.file());
        }
        pieces
    }

    /// Whether the chunk is the first one in its file. What stands before it there may be a note of ours.
    #[cfg(feature = "full")]
    pub(super) fn begins_piece(&mut self, entry: &Entry) -> bool {
        self.pieces(entry.stream).iter().any(|piece| piece.start == entry.offset)
    }

    /// How much of `stream` was kept and dropped by now.
    pub(super) fn length(&mut self, stream: Stream) -> u64 {
        self.pieces(stream).last().map_or(0, |piece| piece.start + piece.length())
    }

    /// Whether the last line of `stream` has no end yet.
    pub(super) fn ends_within_line(&mut self, stream: Stream) -> bool {
        let Some(last) = self.length(stream).checked_sub(1) else { return false };
        let entry = Entry { at: 0, offset: last, line: 0, len: 1, stream };
        self.bytes(&entry) != b"\n"
    }

    /// Bytes and lines that the record says were dropped.
    pub(super) fn dropped(&self) -> (u64, u64) {
        let unit = Folder::at(&self.folder).load().ok();
        unit.map_or((0, 0), |unit| (unit.logs.dropped_bytes, unit.logs.dropped_lines))
    }
}
