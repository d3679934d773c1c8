//! What is missing in a log, told among its lines; and reading on where the index is damaged.

use super::super::gap::{Cause, Gap};
use super::super::index::{Entry, Stream, newlines};
use super::{Line, Reader};

impl Reader {
    /// Once the index turned out to be damaged, chunks have other numbers: goes on with those that were
    /// made up, at the bytes that were not read yet. True when reading goes on elsewhere.
    pub(super) fn mind_cut(&mut self) -> bool {
        if self.is_cut || !self.chunks.is_cut() {
            return false;
        }
        self.is_cut = true;
        let known = self.chunks.known();
        self.from = self.from.map(|from| from.min(known));
        let is_beyond = self.next >= known;
        if self.next > known {
            // All that were not wanted were passed, and the numbers of what follows are new.
            self.first = 0;
        }
        if is_beyond {
            (self.next, self.done) = (known, (0, 0));
        }
        is_beyond
    }

    /// What of the chunk `number`, which is `entry`, was not read before the index was cut.
    pub(super) fn beyond_read(&mut self, number: usize, entry: Entry) -> Entry {
        let read = self.read_to[entry.stream as usize];
        if !self.is_cut || number < self.chunks.known() || read <= entry.offset {
            return entry;
        }
        let len = u32::try_from(read - entry.offset).unwrap_or(u32::MAX).min(entry.len);
        let lines = newlines(&self.chunks.bytes(&Entry { len, ..entry }));
        let offset = entry.offset + u64::from(len);
        Entry { offset, len: entry.len - len, line: entry.line + lines, ..entry }
    }

    /// Chunks before `number` were dropped.
    pub(super) fn tell_gap(&mut self, number: usize, lines: &mut Vec<Line>) {
        let before = self.chunks.before(number);
        let first = before.map_or(0, |before| self.chunks.lines_through(before)) + 1;
        let last = self.chunks.lines_before(number);
        let bytes = self.chunks.dropped().0;
        self.tell(Gap { first, last, bytes, cause: Cause::Bound }, lines);
    }

    /// Chunk `number` says what could not be kept, or only that this was it.
    pub(super) fn tell_mark(&mut self, number: usize, mark: &Entry, lines: &mut Vec<Line>) {
        if mark.offset == 0 {
            return;
        }
        let cause = if mark.at == 0 { Cause::Bound } else { Cause::Disk };
        let last = self.chunks.lines_before(number + 1);
        self.tell(Gap { first: mark.line + 1, last, bytes: mark.offset, cause }, lines);
    }

    /// Lines that go on in a gap end there.
    fn tell(&mut self, gap: Gap, lines: &mut Vec<Line>) {
        for slot in Stream::ALL {
            let line = self.unfinished[slot as usize].take();
            if let Some(line) = line.map(|line| self.searched(line)).filter(|l| self.wants(l)) {
                lines.push(line);
            }
        }
        if gap.last + 1 >= self.first {
            let line = Line { number: gap.first, gap: Some(gap), ..Line::new(Stream::Output) };
            lines.push(line);
        }
    }
}
