//! Chunks that no index tells of: made up from the files as they are, where the index is lost, ends
//! early or is damaged. Their lines have the right numbers; when they were written is not known.

use super::super::index::{Entry, Stream, newlines};
use super::super::pieces::{self, Piece};
use super::Chunks;

/// How much of a file that the index does not cover is one chunk, bytes.
const CHUNK: u64 = 64 * 1024;

impl Chunks {
    /// Some entry is damaged: the index ends before the first one that is, and what it tells of the
    /// rest is made up.
    pub(super) fn cut(&mut self) {
        let numbers: Vec<_> = self.parts.iter().map(|part| part.first..part.end).collect();
        let damaged = numbers.into_iter().flatten().find(|number| self.entry(*number).is_none());
        // It was only being written.
        let Some(end) = damaged else { return };
        self.parts.retain(|part| part.first < end);
        if let Some(last) = self.parts.last_mut() {
            last.end = last.end.min(end);
        }
        self.block.1.clear();
        self.made_up.clear();
        (self.covered, self.counted) = (None, None);
        self.is_cut = true;
        self.make_up();
    }

    /// The first line of which the time and the order are not known, because the index is damaged or lost.
    #[cfg(feature = "full")]
    pub(in crate::record) fn unknown_from(&mut self) -> Option<u64> {
        let is_damaged = self.is_cut || self.parts.is_empty();
        (is_damaged && !self.made_up.is_empty()).then(|| self.lines_before(self.known()) + 1)
    }

    pub(super) fn make_up(&mut self) {
        let Some(mut covered) = self.covered.or_else(|| self.covered_by_index()) else {
            return self.cut();
        };
        let mut line = None;
        for stream in Stream::ALL {
            for (start, end) in self.extents(stream) {
                let offset = &mut covered[stream as usize];
                if start > *offset && *offset > 0 {
                    let before = line.unwrap_or_else(|| self.lines_before(self.len()));
                    self.made_up.push(Entry::mark(0, before, start - *offset));
                    line = Some(before + self.dropped().1);
                }
                *offset = start.max(*offset);
                while *offset < end {
                    let before = line.unwrap_or_else(|| self.lines_before(self.len()));
                    let len = u32::try_from((end - *offset).min(CHUNK)).unwrap_or(1);
                    let entry = Entry { at: 0, offset: *offset, line: before, len, stream };
                    line = Some(before + newlines(&self.bytes(&entry)));
                    *offset += u64::from(len);
                    self.made_up.push(entry);
                }
            }
        }
        // Until something was made up, the index may still come.
        self.covered = Some(covered).filter(|_| !self.made_up.is_empty());
    }

    /// Where each piece of `stream` starts and ends; the note in the head is not output.
    fn extents(&mut self, stream: Stream) -> Vec<(u64, u64)> {
        let extent = |piece: &Piece| {
            let noted = pieces::end_of_head(&piece.file, stream.file());
            let end = noted.filter(|_| piece.start == 0);
            (piece.start, end.unwrap_or_else(|| piece.start + piece.length()))
        };
        self.pieces(stream).iter().map(extent).collect()
    }

    /// How far into each stream the index goes: its last entry of each says. None when one of those
    /// that are looked at is damaged.
    fn covered_by_index(&mut self) -> Option<[u64; 3]> {
        let mut covered = [0; 3];
        let mut open = Stream::ALL.map(|stream| self.length(stream) > 0);
        let mut number = self.known();
        while open != [false; 3] {
            let Some(before) = self.before(number) else { break };
            number = before;
            let entry = self.entry(number)?;
            if entry.is_mark() {
                continue;
            }
            if std::mem::take(&mut open[entry.stream as usize]) {
                covered[entry.stream as usize] = entry.end();
            }
        }
        Some(covered)
    }
}
