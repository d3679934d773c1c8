//! Reading a unit's output back, in the order it came.
//!
//! The index says which bytes came when, so that the end, a moment or a line number is found by one
//! search and one short scan: nothing here reads a whole log to show a part of it, or keeps more in
//! memory than a batch of lines, each cut at [`LONGEST`].

#[cfg(feature = "full")]
pub mod finder;
mod gaps;
mod line;
#[cfg(feature = "full")]
pub mod search;
mod start;

use std::path::Path;

use memchr::{memchr, memchr_iter};

use super::chunks::Chunks;
use super::index::{Entry, Stream};
pub use line::{LONGEST, Line};

/// Bytes that are read for one batch of lines.
const BATCH: u64 = 256 * 1024;

/// Reads on from where it stopped; made for following a log that grows.
#[derive(Debug)]
pub struct Reader {
    chunks: Chunks,
    only: Option<Stream>,
    next: usize,
    /// Bytes and lines of chunk `next` that were read already, while it may still grow.
    done: (u32, u64),
    /// Chunks of each stream before this one are not wanted.
    from: [usize; 3],
    /// The number of the first line that is wanted, and how many from there on are not.
    first: u64,
    skip: u64,
    since: u64,
    until: Option<u64>,
    /// The number of the last line that is wanted.
    last: u64,
    in_pieces: bool,
    unfinished: [Option<Line>; 3],
    /// How far each stream was read, or is not wanted, bytes.
    read_to: [u64; 3],
    /// It is known that the index is damaged, and where reading goes on.
    is_cut: bool,
    /// What is looked for in lines that are too long to be kept.
    #[cfg(feature = "full")]
    finder: Option<finder::Finder>,
    /// What was read last of each stream, when it is searched.
    #[cfg(feature = "full")]
    buffers: [Vec<u8>; 3],
    is_closed: bool,
}

impl Reader {
    /// Everything, from the first line.
    pub fn open(folder: &Path, only: Option<Stream>) -> Self {
        Self {
            chunks: Chunks::open(folder),
            only,
            next: 0,
            done: (0, 0),
            from: [0; 3],
            first: 0,
            skip: 0,
            since: 0,
            until: None,
            last: u64::MAX,
            in_pieces: false,
            unfinished: [None, None, None],
            read_to: [0; 3],
            is_cut: false,
            #[cfg(feature = "full")]
            finder: None,
            #[cfg(feature = "full")]
            buffers: Default::default(),
            is_closed: false,
        }
    }

    /// The last `count` lines as they stand now.
    pub fn from_tail(folder: &Path, only: Option<Stream>, count: usize) -> Self {
        let mut reader = Self::open(folder, only);
        reader.close();
        reader.tail(count)
    }

    /// How many lines ended in all of it.
    pub fn line_count(folder: &Path) -> u64 {
        let mut reader = Self::open(folder, None);
        reader.close();
        reader.chunks.of_all(|chunks| {
            let end = chunks.len();
            chunks.lines_before(end)
        })
    }

    /// How many lines ended in all of it, and the chunks of it that no index has: whoever wrote them was
    /// killed before it could enter them.
    pub fn loose(folder: &Path) -> (u64, Vec<Entry>) {
        let mut reader = Self::open(folder, None);
        reader.close();
        let (known, end) = (reader.chunks.known(), reader.chunks.len());
        let loose = (known..end).filter_map(|number| reader.chunks.get(number)).collect();
        (reader.chunks.lines_before(end), loose)
    }

    /// How many lines there are in `stream` and in what is missing, by the index alone. One that has
    /// no end yet counts when the unit `is_over`.
    #[cfg(feature = "full")]
    pub fn lines_in(folder: &Path, stream: Stream, is_over: bool) -> u64 {
        let mut reader = Self::open(folder, None);
        reader.close();
        let count = reader.chunks.of_all(|chunks| {
            let mut number = chunks.len();
            let mut count = chunks.lines_before(number);
            while let Some(before) = chunks.before(number) {
                number = before;
                let entry = chunks.get(number).filter(|entry| !entry.is_mark());
                if entry.is_some_and(|entry| entry.stream != stream) {
                    count = count.saturating_sub(chunks.lines_in(number));
                }
            }
            count
        });
        count + u64::from(is_over && reader.chunks.ends_within_line(stream))
    }

    /// Nobody writes any more, or nobody will read on: what stands there now is all.
    pub fn close(&mut self) {
        self.is_closed = true;
        self.chunks.close();
    }

    /// Lines longer than [`LONGEST`] come whole, in pieces.
    #[must_use]
    pub fn in_pieces(mut self) -> Self {
        self.in_pieces = true;
        self
    }

    /// Lines that are too long to be kept are searched for `pattern` as they are read, whole:
    /// [`Line::found`] tells.
    #[cfg(feature = "full")]
    #[must_use]
    pub fn finding(mut self, pattern: &str) -> Self {
        self.finder = finder::Finder::new(pattern);
        self
    }

    /// The first line of which nobody knows when it was written, and in which order, because the index
    /// is damaged or lost; as far as was read.
    #[cfg(feature = "full")]
    pub fn unknown_from(&mut self) -> Option<u64> {
        self.chunks.unknown_from()
    }

    /// Lines that ended since the last call, a batch of them; none when there are none yet.
    pub fn lines(&mut self) -> Vec<Line> {
        self.chunks.refresh();
        self.mind_cut();
        let mut lines = Vec::new();
        let mut taken = 0;
        while taken < BATCH || lines.is_empty() {
            let Some(there) = self.chunks.from(self.next) else { break };
            if there > self.next {
                (self.next, self.done) = (there, (0, 0));
                self.tell_gap(there, &mut lines);
            }
            let entry = self.chunks.get(there);
            if self.mind_cut() {
                continue;
            }
            let entry = entry.filter(|entry| !self.is_past(entry));
            let Some(entry) = entry else { break };
            let is_last = self.chunks.from(there + 1).is_none();
            let (done, counted) = self.done;
            if entry.is_mark() {
                if is_last && !self.is_closed {
                    // How many lines are missing, the next entry tells.
                    break;
                }
                self.tell_mark(there, &entry, &mut lines);
            } else if self.reads(&entry) && there >= self.from[entry.stream as usize] {
                let new = Entry {
                    offset: entry.offset + u64::from(done),
                    len: entry.len.saturating_sub(done),
                    line: entry.line + counted,
                    ..entry
                };
                let new = self.beyond_read(there, new);
                taken += u64::from(new.len);
                let counted = counted + self.split(&new, &mut lines);
                self.done = (entry.len, counted);
            } else {
                self.done = (entry.len, 0);
            }
            // What the last chunk has may become more; what a mark says is said once.
            if is_last && !entry.is_mark() {
                break;
            }
            (self.next, self.done) = (there + 1, (0, 0));
        }
        lines
    }

    /// What was written after the last newline: to be asked for once the unit has ended.
    pub fn rest(&mut self) -> Vec<Line> {
        let mut number = self.chunks.lines_before(self.chunks.len());
        let mut rest = Vec::new();
        for stream in Stream::ALL {
            if !self.chunks.ends_within_line(stream) {
                continue;
            }
            // Counted whether it is read or not: a line has one number.
            number += 1;
            let went_on = self.read_to[stream as usize] < self.chunks.length(stream);
            let in_time = self.until.is_none() || !went_on;
            let line = self.unfinished[stream as usize].take().filter(|_| in_time);
            rest.extend(line.map(|line| Line { number, ..self.searched(line) }));
        }
        rest.retain(|line| line.at.is_none_or(|at| at >= self.since));
        rest.into_iter().filter(|line| self.wants(line)).collect()
    }

    /// Lines that have no end yet, as they stand: they stay, for there may come more of them.
    #[cfg(feature = "full")]
    pub fn unfinished(&mut self) -> Vec<Line> {
        let lines: Vec<Line> = self.unfinished.iter().flatten().cloned().collect();
        let is_timely = |line: &Line| line.at.is_none_or(|at| at >= self.since);
        lines.into_iter().filter(is_timely).map(|line| self.searched(line)).collect()
    }

    /// `line`, of which no more comes, and whether it has what is looked for.
    #[cfg(feature = "full")]
    fn searched(&self, mut line: Line) -> Line {
        let finder = self.finder.as_ref();
        line.found = finder.is_some_and(|finder| finder.has_found(&mut line.progress));
        line
    }

    #[cfg(not(feature = "full"))]
    #[allow(clippy::unused_self, reason = "the other one is a method")]
    fn searched(&self, line: Line) -> Line {
        line
    }

    /// Returns how many lines ended in it.
    fn split(&mut self, entry: &Entry, lines: &mut Vec<Line>) -> u64 {
        let bytes = self.chunks.bytes(entry);
        let mut number = entry.line + 1;
        self.read_to[entry.stream as usize] = entry.end();
        let mut start = self.pass_over(entry, &mut number, &bytes);
        while start < bytes.len() {
            let end = memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at + 1);
            let part = &bytes[start..end];
            self.add(entry, number, part, lines);
            number += u64::from(part.ends_with(b"\n"));
            start = end;
        }
        number - entry.line - 1
    }

    /// Where in `bytes`, the chunk `entry`, the first wanted line may begin; `number` becomes its
    /// number. A chunk can hold thousands before it: they are counted and not put together.
    fn pass_over(&mut self, entry: &Entry, number: &mut u64, bytes: &[u8]) -> usize {
        let before_first = self.first.saturating_sub(*number);
        let unwanted = before_first.saturating_add(self.skip);
        let Some((count, at)) = (1..=unwanted).zip(memchr_iter(b'\n', bytes)).last() else {
            return 0;
        };
        self.unfinished[entry.stream as usize] = None;
        self.skip -= count.saturating_sub(before_first);
        *number += count;
        at + 1
    }

    /// Takes `part` of the chunk `entry`: what is left of line `number`, or more of it.
    fn add(&mut self, entry: &Entry, number: u64, part: &[u8], lines: &mut Vec<Line>) {
        let slot = entry.stream as usize;
        let mut line = self.unfinished[slot].take().unwrap_or_else(|| Line::new(entry.stream));
        let text = part.strip_suffix(b"\n");
        let at = (entry.at > 0).then_some(entry.at);
        (line.number, line.at, line.ended) = (number, at, text.is_some());
        #[cfg(feature = "full")]
        self.search(&mut line, text.unwrap_or(part));
        line.add(text.unwrap_or(part), self.in_pieces);
        let is_piece = self.in_pieces && line.bytes.len() >= LONGEST;
        if !line.ended && !is_piece {
            self.unfinished[slot] = Some(line);
        } else if self.wants(&line) {
            lines.push(self.searched(line));
        }
    }

    /// Searches `more` of `line` when that is too long to be kept: from its beginning.
    #[cfg(feature = "full")]
    fn search(&self, line: &mut Line, more: &[u8]) {
        let Some(finder) = self.finder.as_ref().filter(|_| line.overflows(more)) else { return };
        if !line.progress.has_begun() {
            finder.take(&mut line.progress, &line.bytes);
        }
        finder.take(&mut line.progress, more);
    }

    fn wants(&mut self, line: &Line) -> bool {
        if line.number < self.first {
            return false;
        }
        let wanted = self.skip == 0;
        let is_piece = !line.ended && line.bytes.len() >= LONGEST && self.in_pieces;
        self.skip = self.skip.saturating_sub(u64::from(!is_piece));
        wanted
    }

    fn reads(&self, entry: &Entry) -> bool {
        self.only.is_none_or(|only| only == entry.stream)
    }

    fn is_past(&self, entry: &Entry) -> bool {
        self.until.is_some_and(|until| entry.at > until) || entry.line >= self.last
    }

    /// The streams that are read and hold anything.
    fn streams(&mut self) -> Vec<Stream> {
        let wanted = Stream::ALL.into_iter().filter(|s| self.only.is_none_or(|only| only == *s));
        wanted.collect::<Vec<_>>().into_iter().filter(|s| self.chunks.length(*s) > 0).collect()
    }
}

#[cfg(test)]
mod tests;
