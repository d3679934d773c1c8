//! One line of a log, as it is put together from what was written of it.

use memchr::memrchr;

#[cfg(feature = "full")]
use super::finder::Progress;
use crate::record::gap::Gap;
use crate::record::index::Stream;

/// Bytes of a line that are kept; of a longer one the rest is counted.
pub const LONGEST: usize = 64 * 1024;

/// One line as it was written. Of one that is longer than [`LONGEST`] only what stands there in the
/// end: no state of a progress bar but its last.
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
    /// How many bytes more it had than are kept.
    pub cut: u64,
    /// A newline ended it. Without: the last line, or a piece of a long one.
    pub ended: bool,
    /// It is too long to be kept whole, and what its reader looks for is in it.
    pub found: bool,
    /// It is no line: what stood here is missing.
    pub gap: Option<Gap>,
    pub(super) length: Length,
    /// How far it was searched.
    #[cfg(feature = "full")]
    pub(super) progress: Progress,
}

/// Whether a line is longer than what is kept of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Short,
    Long,
    /// And a carriage return was the last byte of it.
    Returned,
}

impl Line {
    /// Nothing yet.
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            number: 0,
            stream,
            at: None,
            bytes: Vec::new(),
            cut: 0,
            ended: false,
            found: false,
            gap: None,
            length: Length::Short,
            #[cfg(feature = "full")]
            progress: Progress::default(),
        }
    }

    /// Line `number`, whole.
    pub fn whole(number: u64, stream: Stream, text: &str) -> Self {
        Self { number, bytes: text.into(), ended: true, ..Self::new(stream) }
    }

    /// Whether with `bytes` it is longer than what is kept of one.
    pub(super) fn overflows(&self, bytes: &[u8]) -> bool {
        self.length != Length::Short || self.bytes.len() + bytes.len() > LONGEST
    }

    pub(super) fn add(&mut self, bytes: &[u8], whole: bool) {
        if whole || !self.overflows(bytes) {
            self.bytes.extend_from_slice(bytes);
        } else {
            if self.length == Length::Short {
                // However it was divided, from here on the same is kept of it.
                let before = std::mem::take(&mut self.bytes);
                self.length = Length::Long;
                self.add_state(&before);
            }
            self.add_state(bytes);
        }
    }

    /// Adds to the state that stands there now, or begins a new one over it.
    fn add_state(&mut self, mut bytes: &[u8]) {
        let text = trim_returns(bytes);
        let new = memrchr(b'\r', text).map(|at| at + 1);
        if let Some(start) =
            new.or((self.length == Length::Returned && !text.is_empty()).then_some(0))
        {
            bytes = &bytes[start..];
            self.bytes.clear();
            self.cut = 0;
        }
        self.length = match bytes.last() {
            Some(b'\r') => Length::Returned,
            Some(_) => Length::Long,
            None => self.length,
        };
        let room = LONGEST.saturating_sub(self.bytes.len());
        let (kept, rest) = bytes.split_at(room.min(bytes.len()));
        self.bytes.extend_from_slice(kept);
        self.cut += u64::try_from(rest.len()).unwrap_or(0);
    }
}

fn trim_returns(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != b'\r').map_or(0, |at| at + 1);
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept does not depend on how the bytes came.
    #[test]
    fn of_a_long_line_its_last_state_is_kept() {
        let long = "x".repeat(LONGEST);
        for (written, kept, cut) in [
            (format!("{long}\rfifty\rhundred"), "hundred", 0),
            (format!("a\r{long}y\r\r"), long.as_str(), 3),
            (format!("{long}yy\rend\r"), "end\r", 0),
            (format!("{long}\r\r\r{long}zz"), long.as_str(), 2),
        ] {
            for size in [1, 7, 4096, LONGEST, written.len()] {
                let mut line = Line::new(Stream::Stdout);
                written.as_bytes().chunks(size).for_each(|part| line.add(part, false));
                assert!(line.bytes == kept.as_bytes(), "{size}: {} bytes", line.bytes.len());
                assert_eq!(line.cut, cut, "{size}");
            }
        }
        let mut short = Line::new(Stream::Stdout);
        short.add(b"1%\r2%", false);
        assert_eq!(short.bytes, b"1%\r2%");
    }
}
