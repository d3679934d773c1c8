//! Output on its way to disk: one file per stream and an index of chunks.
//!
//! The files hold what the command wrote, byte for byte; [`crate::record::index`] says what came when.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::Error;
use crate::record::index::{Entry, INDEX, Stream, newlines};
use crate::{private, time};

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

    /// Goes on after so many lines that ended in this log before.
    pub fn resume(&mut self, lines: u64) {
        self.line = lines;
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
