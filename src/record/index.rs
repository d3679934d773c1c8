//! The index of a unit's output: one entry per chunk as it arrived, saying when, where in which
//! file, and how many lines had ended before it.
//!
//! That gives line numbers, times and the merged order without a mark in the files themselves, and it
//! can be lost without losing a byte.
//!
//! The last entry may still grow: what the same stream writes a moment later belongs to it. So a
//! command that writes byte by byte does not make an index many times its output. Where output could
//! not be kept, an entry without bytes says so ([`Entry::mark`]).
//!
//! An entry has a sum over what it says and over its own number: one that was damaged, or stands in
//! another's place, is told from what the runner wrote.

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
    /// Bytes of an entry in the index, little endian: three 64-bit numbers, one of 32 bits, the
    /// stream, and a sum of 24 bits.
    pub const SIZE: usize = 32;

    /// No chunk is longer, bytes: what says so was not written by a runner.
    pub const LONGEST: u32 = 64 << 20;

    /// Says that from `at` on `bytes` of all streams together could not be kept; `line` lines had
    /// ended before. The next entry tells how many lines they were; at the end that is one more mark,
    /// of no bytes.
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

    /// As it is written into the index as its entry `number`.
    pub fn encode(&self, number: u64) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..8].copy_from_slice(&self.at.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.offset.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.line.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.len.to_le_bytes());
        bytes[28] = self.stream as u8;
        bytes[29..].copy_from_slice(&self.sum(number));
        bytes
    }

    /// Entry `number` of an index, which is in `bytes`; none when it was not written as that.
    pub fn decode(bytes: &[u8], number: u64) -> Option<Self> {
        let long = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let entry = Self {
            at: long(0)?,
            offset: long(8)?,
            line: long(16)?,
            len: u32::from_le_bytes(bytes.get(24..28)?.try_into().ok()?),
            stream: *Stream::ALL.get(usize::from(*bytes.get(28)?))?,
        };
        let is_whole = bytes.get(29..Self::SIZE)? == entry.sum(number);
        (is_whole && entry.is_possible()).then_some(entry)
    }

    /// Whether a runner can have written it: whoever makes up sums too can make nobody count beyond
    /// all bounds.
    fn is_possible(&self) -> bool {
        let most = 1 << 56;
        self.at < most && self.offset < most && self.line < most && self.len <= Self::LONGEST
    }

    /// Quick, for each chunk has one: a single changed number always changes the whole of it.
    fn sum(&self, number: u64) -> [u8; 3] {
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let last = u64::from(self.len) << 8 | self.stream as u64;
        let words = [self.at, self.offset, self.line, last];
        let sum =
            words.into_iter().fold(number.wrapping_add(1).wrapping_mul(FACTOR), |sum, word| {
                let mixed = (sum ^ word).wrapping_mul(FACTOR);
                mixed ^ mixed >> 32
            });
        let [a, b, c, ..] = sum.wrapping_mul(FACTOR).rotate_left(24).to_le_bytes();
        [a, b, c]
    }
}

/// The name of the index in a unit's folder.
pub const INDEX: &str = "index";

/// Lines that end within `bytes`.
///
/// Every byte of output passes here, in a program that is built to be small: so eight are looked at
/// at once, by hand.
#[inline(never)]
pub fn newlines(bytes: &[u8]) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = LOW << 7;
    const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
    let mut count = 0;
    // So many words that no byte of the sum overflows.
    for block in bytes.chunks(255 * 8) {
        let (words, rest) = block.as_chunks::<8>();
        let mut sums = 0;
        for word in words {
            // A byte is zero where the newline was; its highest bit is then the only one set.
            let other = u64::from_ne_bytes(*word) ^ (LOW * 0x0a);
            sums += (!(((other & !HIGH) + !HIGH) | other) & HIGH) >> 7;
        }
        let pairs = (sums & EVEN) + (sums >> 8 & EVEN);
        count += pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48;
        count += rest.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_known_by_its_sum() {
        let entry = Entry { at: 1 << 50, offset: 77, line: 5, len: 9, stream: Stream::Stderr };
        let bytes = entry.encode(3);
        assert_eq!(Entry::decode(&bytes, 3), Some(entry));
        assert_eq!(Entry::decode(&bytes, 4), None, "in another's place");
        for bit in 0..Entry::SIZE * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Entry::decode(&damaged, 3), None, "bit {bit}");
        }
        for number in 0..1000 {
            assert_eq!(Entry::decode(&[0; Entry::SIZE], number), None, "{number}");
            assert_eq!(Entry::decode(&[0xff; Entry::SIZE], number), None, "{number}");
        }
        let endless = Entry { len: u32::MAX, ..entry };
        assert_eq!(Entry::decode(&endless.encode(3), 3), None);
    }

    #[test]
    fn newlines_are_counted_whatever_is_around_them() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| (n * n / 7 % 251) as u8).collect();
        let simple = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
        for (start, end) in [(0, 0), (0, 7), (1, 9), (3, 2043), (5, 10_000)] {
            assert_eq!(newlines(&bytes[start..end]), simple(&bytes[start..end]));
        }
        assert_eq!(newlines(&[b'\n'; 9001]), 9001);
        assert_eq!(newlines(&[0x8a; 99]), 0);
    }
}
