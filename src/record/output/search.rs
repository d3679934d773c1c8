//! Reading only the lines that somebody looks for: stretches of many lines are searched as they
//! are, and a [`Line`] is made only of what was found.
//!
//! What a search looks for is its own business ([`crate::logs::search`]); here is only which bytes
//! are whole lines, and which number and time a line has.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memrchr};

use super::{BATCH, LONGEST, Line, Reader};
use crate::record::index::{Entry, Stream};

/// Bytes that are read for one passage: little enough for memory that was used before.
const PASSAGE: u64 = 64 * 1024;

/// Looks through text for lines.
pub trait Search {
    /// Calls `found` with the place of each line of `text` that may be wanted, newline included, in
    /// order. `text` is whole lines, none longer than [`LONGEST`].
    fn lines(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>));
}

/// Chunks of one stream that follow each other, and what is in them.
struct Stretch<'a> {
    entries: &'a [Entry],
    bytes: &'a [u8],
}

impl Reader {
    /// Lines that ended since the last call and that `search` may want, a batch of them; none when
    /// there are none yet. A few that it does not want may be among them.
    pub fn lines_of(&mut self, search: &dyn Search) -> Vec<Line> {
        if self.skip > 0 {
            return self.lines();
        }
        self.chunks.refresh();
        self.mind_cut();
        let mut lines = Vec::new();
        while lines.is_empty() {
            let entries = self.stretch(BATCH);
            if entries.is_empty() {
                // What is missing, and a chunk that may still grow, are not for searching.
                return self.lines();
            }
            self.look_through(&entries, search, &mut lines);
        }
        lines
    }

    /// Lines that ended since the last call, a batch of them, none when there are none yet. Where
    /// `is_plain` says so, many of them come as one, with newlines between; its number and time are
    /// those of the last.
    pub fn passages(&mut self, is_plain: &dyn Fn(&[u8]) -> bool) -> Vec<Line> {
        if self.skip > 0 {
            return self.lines();
        }
        self.chunks.refresh();
        self.mind_cut();
        let mut lines = Vec::new();
        while lines.is_empty() {
            let entries = self.stretch(PASSAGE);
            if entries.is_empty() {
                return self.lines();
            }
            if !self.take_whole(&entries, is_plain, &mut lines) {
                for entry in &entries {
                    self.split(entry, &mut lines);
                }
            }
        }
        lines
    }

    /// Takes a stretch of one stream of which every line is wanted. False when it is not one.
    fn take_whole(
        &mut self,
        entries: &[Entry],
        is_plain: &dyn Fn(&[u8]) -> bool,
        lines: &mut Vec<Line>,
    ) -> bool {
        let stream = entries[0].stream;
        let is_wanted = |entry: &Entry| entry.line + 1 >= self.first && entry.at >= self.since;
        if !entries.iter().all(|entry| entry.stream == stream && is_wanted(entry)) {
            return false;
        }
        let mut bytes = std::mem::take(&mut self.buffers[0]);
        let is_whole = self.read(entries, &mut bytes) && is_plain(&bytes);
        if is_whole {
            self.pass(&Stretch { entries, bytes: &bytes }, lines);
        }
        self.buffers[0] = bytes;
        is_whole
    }

    /// The line that was begun before, all whole lines as one, and the line that only begins.
    fn pass(&mut self, stretch: &Stretch<'_>, lines: &mut Vec<Line>) {
        let (first, rest) = self.whole_lines(stretch);
        let mut place = Place::default();
        self.add_parts(stretch, 0..first, &mut place, lines);
        if first < rest {
            let (entry, number) = place.of_line_that_ends(stretch, rest);
            let at = (entry.at > 0).then_some(entry.at);
            let bytes = stretch.bytes[first..rest - 1].to_vec();
            let line = Line::new(entry.stream);
            lines.push(Line { number, at, bytes, ended: true, ..line });
        }
        self.add_parts(stretch, rest..stretch.bytes.len(), &mut place, lines);
    }

    /// Where the first line begins that is whole, and where the last one of them ends.
    fn whole_lines(&mut self, stretch: &Stretch<'_>) -> (usize, usize) {
        if let Some(last) = stretch.entries.last() {
            self.read_to[last.stream as usize] = last.end();
        }
        let all = stretch.bytes.len();
        let first = memchr(b'\n', stretch.bytes).map_or(all, |at| at + 1);
        (first, memrchr(b'\n', stretch.bytes).map_or(all, |at| at + 1))
    }

    /// The next chunks that are whole and read: as many as `limit` bytes may hold, and with no gap
    /// between them.
    fn stretch(&mut self, limit: u64) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut ends = [None; 3];
        let mut taken = 0;
        while taken < limit && self.done == (0, 0) {
            let next = if self.is_whole(self.next) { self.chunks.get(self.next) } else { None };
            // What was made up goes on where reading stopped, line by line.
            let is_made_up = self.chunks.is_cut() && self.next >= self.chunks.known();
            if is_made_up || self.chunks.is_cut() != self.is_cut {
                break;
            }
            let next = next.filter(|entry| !entry.is_mark() && !self.is_past(entry));
            let Some(entry) = next else { break };
            let slot = entry.stream as usize;
            if self.reads(&entry) && self.next >= self.from[slot] {
                let goes_on = |end| end == entry.offset && !self.chunks.begins_piece(&entry);
                if !ends[slot].is_none_or(goes_on) {
                    break;
                }
                ends[slot] = Some(entry.end());
                taken += u64::from(entry.len);
                entries.push(entry);
            }
            self.next += 1;
        }
        entries
    }

    /// Whether chunk `number` is there and grows no more.
    fn is_whole(&self, number: usize) -> bool {
        let grows = !self.is_closed && self.chunks.from(number + 1).is_none();
        self.chunks.from(number) == Some(number) && !grows
    }

    fn look_through(&mut self, entries: &[Entry], search: &dyn Search, lines: &mut Vec<Line>) {
        let mut buffers = std::mem::take(&mut self.buffers);
        let streams = Stream::ALL.map(|stream| -> Vec<Entry> {
            entries.iter().filter(|entry| entry.stream == stream).copied().collect()
        });
        let mut parts = streams.iter().zip(&mut buffers).filter(|(entries, _)| !entries.is_empty());
        if parts.all(|(entries, bytes)| self.read(entries, bytes)) {
            for (entries, bytes) in streams.iter().zip(&buffers) {
                self.pick(&Stretch { entries, bytes }, search, lines);
            }
            // A piece of a line that goes on has the number of the next line to end.
            lines.sort_by_key(|line| (line.number, line.at));
        } else {
            for entry in entries {
                self.split(entry, lines);
            }
        }
        self.buffers = buffers;
    }

    /// Reads chunks that follow each other. False when they cannot be searched as they are: some of
    /// them are missing, or a line is too long to be kept.
    fn read(&mut self, entries: &[Entry], bytes: &mut Vec<u8>) -> bool {
        let all = entries.iter().map(|entry| u64::from(entry.len)).sum::<u64>();
        let Ok(len) = u32::try_from(all) else { return false };
        self.chunks.read(&Entry { len, ..entries[0] }, bytes);
        u64::try_from(bytes.len()) == Ok(all) && !has_long_line(bytes)
    }

    /// The line that was begun before, the lines that `search` finds, and the line that only begins.
    fn pick(&mut self, stretch: &Stretch<'_>, search: &dyn Search, lines: &mut Vec<Line>) {
        if stretch.entries.is_empty() {
            return;
        }
        let (first, rest) = self.whole_lines(stretch);
        let mut place = Place::default();
        self.add_parts(stretch, 0..first, &mut place, lines);
        search.lines(&stretch.bytes[first..rest], &mut |found| {
            let end = first + found.end;
            let (entry, number) = place.of_line_that_ends(stretch, end);
            self.add(&entry, number, &stretch.bytes[first + found.start..end], lines);
        });
        self.add_parts(stretch, rest..stretch.bytes.len(), &mut place, lines);
    }

    /// Adds one line, or the beginning of one, chunk by chunk.
    fn add_parts(
        &mut self,
        stretch: &Stretch<'_>,
        mut range: Range<usize>,
        place: &mut Place,
        lines: &mut Vec<Line>,
    ) {
        while !range.is_empty() {
            let (entry, number) = place.of_line_that_ends(stretch, range.start + 1);
            let end = range.end.min(place.start + len(&entry));
            self.add(&entry, number, &stretch.bytes[range.start..end], lines);
            range.start = end;
        }
    }
}

/// How far a stretch was counted: the chunk, where it starts, and the lines up to a byte in it.
#[derive(Debug, Default)]
struct Place {
    chunk: usize,
    start: usize,
    counted: usize,
    lines: u64,
}

impl Place {
    /// The chunk of the byte before `end`, and the number of the line that this byte belongs to.
    /// Goes forward only.
    fn of_line_that_ends(&mut self, stretch: &Stretch<'_>, end: usize) -> (Entry, u64) {
        let last = end - 1;
        while last >= self.start + len(&stretch.entries[self.chunk]) {
            self.start += len(&stretch.entries[self.chunk]);
            (self.chunk, self.counted, self.lines) = (self.chunk + 1, self.start, 0);
        }
        let between = &stretch.bytes[self.counted.min(last)..last];
        self.lines += memchr_iter(b'\n', between).count() as u64;
        self.counted = last;
        let entry = stretch.entries[self.chunk];
        (entry, entry.line + 1 + self.lines)
    }
}

fn len(entry: &Entry) -> usize {
    usize::try_from(entry.len).unwrap_or(usize::MAX)
}

/// Whether some whole line of `bytes` is longer than what is kept of one.
fn has_long_line(bytes: &[u8]) -> bool {
    let mut start = memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
    while bytes.len() - start > LONGEST {
        let Some(at) = memrchr(b'\n', &bytes[start..start + LONGEST]) else { return true };
        start += at + 1;
    }
    false
}
