//! Output on its way to disk: one log per stream and an index of chunks.
//!
//! The files hold what the command wrote, byte for byte; [`crate::record::index`] says what came
//! when. Two things can come between, and neither is the command's business: the log has a bound
//! ([`super::segments`]), and the disk may have no room. Then output is counted instead of kept,
//! until there is room again, and the index has a mark where it is missing.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::segments::Segments;
use crate::config::Bounds;
use crate::error::Error;
use crate::record::index::{Entry, INDEX, Stream, newlines};
use crate::record::output::Reader;
use crate::record::{Folder, pieces};
use crate::wire::unit::Logs;
use crate::{os, secure_fs, time};

/// What one stream writes within this time, microseconds, is one chunk...
const TOGETHER: u64 = 10_000;

/// ...as long as it has no more bytes than this.
const CHUNK: usize = 64 * 1024;

/// How much is written before the free space is looked at again, bytes.
const UNWATCHED: u64 = 4 << 20;

/// How long a disk that refused is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// Writes output away. What it cannot do it says once; nobody waits for it.
#[derive(Debug)]
pub struct Capture {
    folder: Option<PathBuf>,
    files: [Option<File>; 3],
    /// How far each stream goes, bytes from its beginning.
    offsets: [u64; 3],
    index: Option<File>,
    /// Entries so far, and before this piece of the index.
    entries: (u64, u64),
    last: Option<Entry>,
    /// The last entry is not in the index yet.
    owed: bool,
    line: u64,
    segments: Segments,
    min_free: u64,
    unwatched: u64,
    /// The disk refused; from then on, output is missing.
    refused: Option<Refused>,
    /// Bytes and lines that are missing for that reason, in all.
    missed: (u64, u64),
    /// That the log is cut.
    is_told: bool,
}

#[derive(Debug)]
struct Refused {
    retry: Instant,
    /// The moment, the lines before, and how many bytes are missing since.
    mark: (u64, u64, u64),
}

impl Capture {
    /// Into `folder`; without one, nowhere.
    pub fn new(folder: Option<&Path>, bounds: &Bounds) -> Self {
        Self {
            folder: folder.map(Path::to_path_buf),
            files: [None, None, None],
            offsets: [0; 3],
            index: None,
            entries: (0, 0),
            last: None,
            owed: false,
            line: 0,
            segments: Segments::new(bounds),
            min_free: bounds.min_free_bytes,
            unwatched: UNWATCHED,
            refused: None,
            missed: (0, 0),
            is_told: false,
        }
    }

    /// Into `folder`, where another writer stopped, maybe in the middle of a chunk.
    pub(super) fn take_over(folder: Option<&Path>, bounds: &Bounds) -> Self {
        let mut capture = Self::new(folder, bounds);
        if let Some(folder) = folder {
            let (lines, loose) = Reader::loose(folder);
            capture.line = lines;
            let entered = capture.find_ends(folder).and_then(|()| capture.enter_loose(&loose));
            if let Err(cause) = entered {
                capture.refuse(&cause);
            }
        }
        capture
    }

    /// Where the pieces end that are there, and how much that is.
    fn find_ends(&mut self, folder: &Path) -> io::Result<()> {
        for stream in Stream::ALL {
            self.offsets[stream as usize] = pieces::end(&folder.join(stream.file()));
        }
        if let Ok(unit) = Folder::at(folder).load() {
            let logs = unit.logs;
            self.missed = (logs.missed_bytes, logs.missed_lines);
            self.segments.find(folder, self.line, (logs.dropped_bytes, logs.dropped_lines));
        }
        if self.segments.is_in_head() {
            return self.open_index();
        }
        let (path, start) = pieces::newest(&folder.join(INDEX));
        let index = secure_fs::rewrite(&path)?;
        self.entries = (start + index.metadata()?.len() / Entry::SIZE as u64, start);
        self.index = Some(index);
        Ok(())
    }

    /// Puts what was written and not entered into the index, as of now.
    fn enter_loose(&mut self, loose: &[Entry]) -> io::Result<()> {
        for entry in loose.iter().filter(|entry| !entry.is_mark()) {
            self.add(Entry { at: time::micros(SystemTime::now()), ..*entry });
            self.owed = true;
            self.pay()?;
        }
        Ok(())
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
        if self.folder.is_none() {
            return;
        }
        if self.refused.as_ref().is_some_and(|refused| Instant::now() < refused.retry) {
            return self.miss(bytes);
        }
        let mut kept = 0;
        if let Err(cause) = self.try_store(stream, bytes, &mut kept) {
            self.refuse(&cause);
            self.miss(&bytes[kept..]);
        }
    }

    /// What of the log is missing, for the record; the command has ended.
    pub fn finish(&mut self, logs: &mut Logs) {
        let ends_missing = self.refused.as_ref().is_some_and(|refused| refused.mark.2 > 0);
        if self.try_mark().is_ok() && ends_missing {
            // No entry follows that would tell how many lines they were.
            self.add(Entry::mark(time::micros(SystemTime::now()), self.line, 0));
            self.owed = true;
            let _ = self.pay();
        }
        self.tell_missing(logs);
    }

    /// Where the folder is now: it may have moved with its project.
    pub fn place(&self) -> Option<PathBuf> {
        let file = self.index.as_ref()?;
        os::path_of(file).and_then(|path| path.parent().map(Path::to_path_buf))
    }

    fn tell_missing(&self, logs: &mut Logs) {
        (logs.dropped_bytes, logs.dropped_lines) = self.segments.dropped();
        (logs.missed_bytes, logs.missed_lines) = self.missed;
    }

    fn try_store(&mut self, stream: Stream, bytes: &[u8], kept: &mut usize) -> io::Result<()> {
        if self.unwatched >= UNWATCHED && !bytes.is_empty() {
            self.check_space()?;
        }
        let mut rest = bytes;
        if self.segments.is_full() {
            // Lines stay whole where they can.
            let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            self.append(stream, &bytes[..end], kept)?;
            rest = &bytes[end..];
            self.rotate();
            if rest.is_empty() {
                return Ok(());
            }
        }
        self.append(stream, rest, kept)
    }

    fn append(&mut self, stream: Stream, bytes: &[u8], kept: &mut usize) -> io::Result<()> {
        self.try_mark()?;
        let file = self.file(stream)?;
        let mut done = 0;
        let mut result = Ok(());
        while done < bytes.len() && result.is_ok() {
            match file.write(&bytes[done..]) {
                Ok(0) => result = Err(ErrorKind::WriteZero.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => result = Err(error),
            }
        }
        *kept += done;
        if done > 0 {
            let entered = self.enter(stream, &bytes[..done]);
            result = result.and(entered);
        }
        result
    }

    /// Puts what was just written into the index.
    fn enter(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let at = time::micros(SystemTime::now());
        let offset = self.offsets[stream as usize];
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.offsets[stream as usize] += u64::from(len);
        self.segments.grow(u64::from(len), u64::from(len));
        self.unwatched += u64::from(len);
        let line = self.line;
        self.line += newlines(bytes);
        let belongs = |last: &&mut Entry| {
            let together = at.checked_sub(last.at).is_some_and(|passed| passed < TOGETHER);
            let small = last.len as usize + bytes.len() <= CHUNK;
            together && small && !last.is_mark() && last.stream == stream
        };
        match self.last.as_mut().filter(belongs) {
            Some(last) => last.len += len,
            None => self.add(Entry { at, offset, line, len, stream }),
        }
        self.owed = true;
        self.pay()
    }

    fn add(&mut self, entry: Entry) {
        self.last = Some(entry);
        self.entries.0 += 1;
        self.segments.grow(Entry::SIZE as u64, 0);
    }

    /// Writes the last entry into the index, over an earlier state of it.
    fn pay(&mut self) -> io::Result<()> {
        if let (Some(index), Some(last), true) = (&self.index, &self.last, self.owed) {
            let at = (self.entries.0 - 1 - self.entries.1) * Entry::SIZE as u64;
            index.write_all_at(&last.encode(self.entries.0 - 1), at)?;
            self.owed = false;
        }
        Ok(())
    }

    /// After a time without room: says in the index what is missing.
    fn try_mark(&mut self) -> io::Result<()> {
        self.pay()?;
        let Some(Refused { mark: (at, line, bytes), .. }) = self.refused else { return Ok(()) };
        if bytes > 0 {
            self.open_index()?;
            self.add(Entry::mark(at, line, bytes));
            self.owed = true;
        }
        self.refused = None;
        self.pay()
    }

    fn refuse(&mut self, cause: &io::Error) {
        let retry = Instant::now() + RETRY;
        let mark = (time::micros(SystemTime::now()), self.line, 0);
        self.unwatched = UNWATCHED;
        self.refused.get_or_insert(Refused { retry, mark }).retry = retry;
        let place = self.folder.as_deref().unwrap_or(Path::new(""));
        super::warn(Some(
            &Error::io("write the log in", place, cause).next("ig logs shows what is missing"),
        ));
    }

    fn miss(&mut self, bytes: &[u8]) {
        let (length, lines) = (bytes.len() as u64, newlines(bytes));
        self.line += lines;
        self.missed = (self.missed.0 + length, self.missed.1 + lines);
        if let Some(refused) = &mut self.refused {
            refused.mark.2 += length;
        }
    }

    /// The disk is the user's: some of it stays free.
    fn check_space(&mut self) -> io::Result<()> {
        self.unwatched = 0;
        let Some(folder) = self.folder.as_ref().filter(|_| self.min_free > 0) else {
            return Ok(());
        };
        let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let floor = self.min_free.min(disk.f_blocks.saturating_mul(disk.f_frsize) / 50);
        if free < floor { Err(io::Error::other("the disk is nearly full")) } else { Ok(()) }
    }

    fn file(&mut self, stream: Stream) -> io::Result<&mut File> {
        self.open_index()?;
        let slot = stream as usize;
        if self.files[slot].is_none() {
            self.files[slot] = Some(self.open_piece(stream)?);
        }
        self.files[slot].as_mut().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn open_piece(&mut self, stream: Stream) -> io::Result<File> {
        let Some(folder) = self.folder.as_deref() else { return Err(ErrorKind::NotFound.into()) };
        let head = folder.join(stream.file());
        if self.segments.is_in_head() {
            let (file, end) = newest(&head, secure_fs::append)?;
            self.offsets[stream as usize] = end;
            return Ok(file);
        }
        let name = pieces::name(stream.file(), self.offsets[stream as usize]);
        let file = secure_fs::append(&folder.join(&name))?;
        // The head is left for good: whoever follows it by name is told where the log goes on.
        if self.segments.leaves_head(stream) {
            let note = pieces::note(&name);
            let _ = secure_fs::append(&head).and_then(|mut file| file.write_all(note.as_bytes()));
        }
        self.segments.add(name);
        Ok(file)
    }

    fn open_index(&mut self) -> io::Result<()> {
        let Some(folder) = self.folder.as_deref().filter(|_| self.index.is_none()) else {
            return Ok(());
        };
        if self.segments.is_in_head() {
            let (index, end) = newest(&folder.join(INDEX), secure_fs::rewrite)?;
            let entries = index.metadata()?.len() / Entry::SIZE as u64;
            // A piece of the index starts where it says by entries, not by bytes.
            let start = end - index.metadata()?.len();
            self.entries = (start + entries, start);
            self.index = Some(index);
            return Ok(());
        }
        let name = pieces::name(INDEX, self.entries.0);
        self.entries.1 = self.entries.0;
        self.index = Some(secure_fs::rewrite(&folder.join(&name))?);
        self.segments.add(name);
        Ok(())
    }

    /// Goes on in new pieces, and drops the oldest ones when there are too many.
    fn rotate(&mut self) {
        if let Some(place) = self.place() {
            self.folder = Some(place);
        }
        self.files = [None, None, None];
        (self.index, self.last) = (None, None);
        let Some(folder) = self.folder.as_deref() else { return };
        if self.segments.rotate(folder, self.line) {
            self.tell_cut(&Folder::at(folder));
        }
    }

    fn tell_cut(&mut self, folder: &Folder) {
        if let Ok(mut unit) = folder.load() {
            self.tell_missing(&mut unit.logs);
            let _ = folder.save(&unit);
        }
        if !std::mem::replace(&mut self.is_told, true) {
            let what = "the log is longer than logs.max_run_bytes: its middle is dropped";
            super::say(&Error::new(what).next("ig config logs.max_run_bytes"));
        }
    }
}

/// Opens the log with this head where it is written: an earlier writer may have left pieces.
/// Returns where it ends now.
fn newest(head: &Path, open: fn(&Path) -> io::Result<File>) -> io::Result<(File, u64)> {
    let file = open(head)?;
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok((file, 0));
    }
    let (path, start) = pieces::newest(head);
    let file = open(&path)?;
    let length = file.metadata()?.len();
    Ok((file, start + length))
}
