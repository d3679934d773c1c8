//! Output on its way to disk: one file per stream and an index of chunks.
//!
//! The files hold what the command wrote, byte for byte. The index has one entry per chunk as it
//! arrived: when, where in which file, and how many lines had ended before it. That gives line
//! numbers, times and the merged order without a mark in the files themselves, and it can be lost
//! without losing a byte.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::Error;
use crate::{private, time};

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

    fn encode(&self) -> [u8; Self::SIZE] {
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

/// Writes output away. When that fails it says so once and stops trying; nobody waits for it.
#[derive(Debug)]
pub struct Capture {
    folder: Option<PathBuf>,
    files: [Option<File>; 3],
    offsets: [u64; 3],
    index: Option<File>,
    line: u64,
}

impl Capture {
    /// Into `folder`; without one, nowhere.
    pub fn new(folder: Option<&Path>) -> Self {
        let folder = folder.map(Path::to_path_buf);
        Self { folder, files: [None, None, None], offsets: [0; 3], index: None, line: 0 }
    }

    /// Makes the empty files of `streams`, so that `tail -F` finds them before the first byte.
    pub fn open(&mut self, streams: &[Stream]) {
        for stream in streams {
            self.store(*stream, &[]);
        }
    }

    /// Takes one chunk as it arrived.
    pub fn store(&mut self, stream: Stream, bytes: &[u8]) {
        let Some(folder) = self.folder.clone() else { return };
        if let Err(cause) = self.try_store(&folder, stream, bytes) {
            self.folder = None;
            let place = format!("{}: its output from here on is not kept", folder.display());
            super::warn(Some(&Error::new(format!("cannot write the log: {cause}")).at(place)));
        }
    }

    fn try_store(&mut self, folder: &Path, stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        let slot = &mut self.files[stream as usize];
        if slot.is_none() {
            let file = private::append(&folder.join(stream.file()))?;
            self.offsets[stream as usize] = file.metadata()?.len();
            *slot = Some(file);
        }
        if self.index.is_none() {
            self.index = Some(private::append(&folder.join(INDEX))?);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let (Some(file), Some(index)) = (slot, &mut self.index) else { return Ok(()) };
        file.write_all(bytes)?;
        let offset = self.offsets[stream as usize];
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let entry =
            Entry { at: time::micros(SystemTime::now()), offset, line: self.line, len, stream };
        index.write_all(&entry.encode())?;
        self.offsets[stream as usize] += u64::from(len);
        self.line += newlines(bytes);
        Ok(())
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_the_bytes_and_the_index_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let mut capture = Capture::new(Some(dir.path()));
        capture.open(&[Stream::Stdout, Stream::Stderr]);
        capture.store(Stream::Stdout, b"one\ntwo\n");
        capture.store(Stream::Stderr, b"oops\n\xff\0");
        capture.store(Stream::Stdout, b"three");
        assert_eq!(std::fs::read(dir.path().join("stdout.log")).unwrap(), b"one\ntwo\nthree");
        assert_eq!(std::fs::read(dir.path().join("stderr.log")).unwrap(), b"oops\n\xff\0");
        let index = std::fs::read(dir.path().join(INDEX)).unwrap();
        let entries: Vec<_> =
            index.chunks(Entry::SIZE).map(|c| Entry::decode(c).unwrap()).collect();
        let seen: Vec<_> = entries.iter().map(|e| (e.stream, e.offset, e.line, e.len)).collect();
        assert_eq!(
            seen,
            [(Stream::Stdout, 0, 0, 8), (Stream::Stderr, 0, 2, 7), (Stream::Stdout, 8, 3, 5)]
        );
    }
}
