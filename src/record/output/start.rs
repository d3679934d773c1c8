//! Where reading begins and where it ends: found by the index, whatever was asked for.

use super::Reader;
use crate::record::index::Stream;

impl Reader {
    /// Only the last `count` lines, and what follows.
    #[must_use]
    pub fn tail(self, count: usize) -> Self {
        self.placed(|reader| reader.go_to_tail(count))
    }

    /// Puts it where `place` says, again when the index turns out to be damaged meanwhile.
    fn placed(mut self, place: impl Fn(&mut Self)) -> Self {
        place(&mut self);
        if self.chunks.is_cut() && !self.is_cut {
            self.is_cut = true;
            place(&mut self);
        }
        self
    }

    fn go_to_tail(&mut self, count: usize) {
        let wanted = u64::try_from(count).unwrap_or(u64::MAX);
        let streams = self.streams();
        let open = streams.into_iter().filter(|s| self.chunks.ends_within_line(*s)).count();
        let mut lines = u64::try_from(open).unwrap_or(0);
        let mut start = self.chunks.len();
        while lines < wanted {
            let Some(before) = self.chunks.before(start) else { break };
            start = before;
            if self.chunks.get(start).is_some_and(|entry| self.reads(&entry)) {
                lines += self.chunks.lines_in(start);
            }
        }
        self.start_at(start);
        self.skip = lines.saturating_sub(wanted);
    }

    /// Only lines that end within the last `count` bytes or a little more.
    #[must_use]
    pub fn last_bytes(self, count: u64) -> Self {
        self.placed(|reader| reader.go_to_last_bytes(count))
    }

    fn go_to_last_bytes(&mut self, count: u64) {
        let mut start = self.chunks.len();
        let mut taken = 0;
        while taken < count {
            let Some(before) = self.chunks.before(start) else { break };
            start = before;
            let entry = self.chunks.get(start).filter(|entry| self.reads(entry));
            taken += entry.map_or(0, |entry| entry.len.into());
        }
        self.start_at(start);
    }

    /// Only lines that ended at `at` or later; lines of unknown time stay.
    #[must_use]
    pub fn since(self, at: u64) -> Self {
        self.placed(|reader| reader.go_to_time(at))
    }

    fn go_to_time(&mut self, at: u64) {
        let start = self.chunks.search(self.chunks.known(), |entry| entry.at < at);
        self.start_at(start);
        self.since = at;
        if self.chunks.is_after_gap(start) {
            // What is missing may be from then.
            self.next = start - 1;
        }
    }

    /// Only lines that ended at `at` or earlier.
    #[must_use]
    pub fn until(mut self, at: u64) -> Self {
        self.until = Some(at);
        self
    }

    /// Only line `number` and those after it.
    #[must_use]
    pub fn from_line(self, number: u64) -> Self {
        self.placed(|reader| {
            let after = reader.chunks.search(reader.chunks.len(), |entry| entry.line < number);
            reader.start_at(reader.chunks.before(after).unwrap_or(0));
            reader.first = number;
        })
    }

    /// Nothing that only ends after line `number`.
    #[must_use]
    pub fn to_line(mut self, number: u64) -> Self {
        self.last = number;
        self
    }

    /// From the lines that end in chunk `start` on. Some of them begin before it.
    fn start_at(&mut self, start: usize) {
        self.first = self.chunks.lines_before(start) + 1;
        self.from = [start; 3];
        for stream in self.streams() {
            let begin = self.begin_of_line(stream, start);
            self.from[stream as usize] = begin;
            // What is before it is not wanted, whatever becomes of the index.
            let entry = self.chunks.get(begin).filter(|e| e.stream == stream && !e.is_mark());
            self.read_to[stream as usize] = entry.map_or(0, |entry| entry.offset);
        }
        self.next = self.from.into_iter().min().unwrap_or(start);
    }

    /// The chunk where the line begins that `stream` was in the middle of before chunk `start`.
    fn begin_of_line(&mut self, stream: Stream, start: usize) -> usize {
        let mut begin = start;
        for number in (0..start).rev() {
            // No line goes on across a gap.
            let Some(entry) = self.chunks.get(number).filter(|entry| !entry.is_mark()) else {
                break;
            };
            if entry.stream != stream {
                continue;
            }
            begin = number;
            if entry.offset == 0 || self.chunks.lines_in(number) > 0 {
                break;
            }
        }
        begin
    }
}
