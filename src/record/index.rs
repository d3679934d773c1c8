//! The index of a unit's output: one entry per chunk as it arrived, saying when, where in which
//! file, and how many lines had ended before it.
//!
//! That gives line numbers, times and the merged order without a mark in the files themselves, and it
//! can be lost without losing a byte.
//!
//! The last entry may still grow: what the same stream writes a moment later belongs to it. So a
//! command that writes byte by byte does not make an index many times its output. Where output could
//! not be kept, an entry without bytes says so ([`Entry::mark`]).

/// Where bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// A terminal: both streams, as a person sees them.
    Output,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Every stream, in the order of their numbers in the index.
    pub const ALL: [Self; 3] = [Self::Output, Self::Stdout, Self::Stderr];

    /// Its file in the unit's folder.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Output => "output.log",
            Self::Stdout => "stdout.log",
            Self::Stderr => "stderr.log",
        }
    }

    /// The word for people and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One chunk of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// When it arrived, microseconds since 1970.
    pub at: u64,
    /// Where it starts in its stream's file, bytes.
    pub offset: u64,
    /// Lines that ended before it, in all streams together.
    pub line: u64,
    /// How long it is, bytes.
    pub len: u32,
    /// Which stream.
    pub stream: Stream,
}

impl Entry {
    /// Bytes of an entry in the index: three 64-bit and two 32-bit numbers, little endian.
    pub const SIZE: usize = 32;

    /// Says that from `at` on `bytes` of all streams together could not be kept; `line` lines had
    /// ended before. The next entry tells how many lines they were.
    pub fn mark(at: u64, line: u64, bytes: u64) -> Self {
        Self { at, offset: bytes, line, len: 0, stream: Stream::Output }
    }

    /// Whether it is no chunk but a [`mark`](Self::mark).
    pub fn is_mark(&self) -> bool {
        self.len == 0
    }

    /// Where the chunk ends in its stream, bytes.
    pub fn end(&self) -> u64 {
        self.offset + u64::from(self.len)
    }

    /// As it is written into the index.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..8].copy_from_slice(&self.at.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.offset.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.line.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.len.to_le_bytes());
        bytes[28] = self.stream as u8;
        bytes
    }

    /// The entry in `bytes`; none when they are no entry.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some(Self {
            at: number(0)?,
            offset: number(8)?,
            line: number(16)?,
            len: u32::from_le_bytes(bytes.get(24..28)?.try_into().ok()?),
            stream: *Stream::ALL.get(usize::from(*bytes.get(28)?))?,
        })
    }
}

/// The name of the index in a unit's folder.
pub const INDEX: &str = "index";

/// Lines that end within `bytes`. Counted eight bytes at a time, for every byte of output is: in a
/// word with all newlines made zero, `marks` has the high bit of each zero byte, and no other.
pub fn newlines(bytes: &[u8]) -> u64 {
    const LOW: u64 = u64::from_ne_bytes([0x7f; 8]);
    const NEWLINES: u64 = u64::from_ne_bytes([b'\n'; 8]);
    let (words, rest) = bytes.as_chunks();
    let marks = |word: u64| !(((word & LOW) + LOW) | word | LOW);
    let whole = words.iter().map(|word| marks(u64::from_ne_bytes(*word) ^ NEWLINES).count_ones());
    let rest = rest.iter().map(|byte| u64::from(*byte == b'\n'));
    whole.map(u64::from).chain(rest).sum()
}

#[cfg(test)]
mod tests {
    use super::newlines;

    #[test]
    fn every_newline_counts_once_wherever_it_is() {
        let all: Vec<u8> = (0..=255).chain(0..=255).collect();
        assert_eq!(newlines(&all), 2);
        for length in 0..40 {
            assert_eq!(newlines(&vec![b'\n'; length]), length as u64);
            assert_eq!(newlines(&vec![b'\x0b'; length]), 0);
            assert_eq!(newlines(&vec![0x8a; length]), 0);
        }
    }
}
