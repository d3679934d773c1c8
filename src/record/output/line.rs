//! One line of a log, as it is put together from what was written of it.

use crate::record::gap::Gap;
use crate::record::index::Stream;

/// Bytes of a line that are kept; of a longer one the rest is counted.
pub const LONGEST: usize = 64 * 1024;

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
    /// How many bytes more it had than are kept.
    pub cut: u64,
    /// A newline ended it. Without: the last line, or a piece of a long one.
    pub ended: bool,
    /// It is no line: what stood here is missing.
    pub gap: Option<Gap>,
}

impl Line {
    pub(super) fn new(stream: Stream) -> Self {
        Self { number: 0, stream, at: None, bytes: Vec::new(), cut: 0, ended: false, gap: None }
    }

    pub(super) fn add(&mut self, bytes: &[u8], whole: bool) {
        let room = if whole { bytes.len() } else { LONGEST.saturating_sub(self.bytes.len()) };
        let (kept, rest) = bytes.split_at(room.min(bytes.len()));
        self.bytes.extend_from_slice(kept);
        self.cut += u64::try_from(rest.len()).unwrap_or(0);
    }
}
