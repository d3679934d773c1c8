//! How much of a long log is kept: its head, and after it segments, of which the oldest goes when
//! they are too many. Counts and unlinks; what is written is [`super::capture`]'s.
//!
//! A segment is one piece of each stream that wrote in its time, and one of the index.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::config::Bounds;
use crate::record::index::{Entry, INDEX, Stream};
use crate::record::pieces;
use crate::secure_fs;

/// Segments beside the head: the fewer there are, the more of the end goes at once.
const SEGMENTS: u64 = 8;

/// One segment.
#[derive(Debug, Default)]
struct Segment {
    names: Vec<String>,
    bytes: u64,
    /// Bytes of the index among them are not output.
    output: u64,
    /// Lines that had ended before it.
    line: u64,
}

/// Lines that had ended before the oldest piece of the index.
fn first_line(folder: &Path) -> u64 {
    let start = pieces::starts(folder, INDEX).first().copied();
    let entry = start.and_then(|start| {
        let mut bytes = [0; Entry::SIZE];
        let mut file = secure_fs::open(&folder.join(pieces::name(INDEX, start))).ok()?;
        file.read_exact(&mut bytes).ok()?;
        Entry::decode(&bytes, start)
    });
    entry.map_or(0, |entry| entry.line)
}

/// What is there, in bytes.
#[derive(Debug)]
pub(super) struct Segments {
    /// The head, or what an earlier writer left.
    head: Segment,
    /// The last one is being written.
    rest: Vec<Segment>,
    most: u64,
    head_most: u64,
    /// Streams whose head got its note.
    left: [bool; 3],
    dropped: (u64, u64),
}

impl Segments {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let most = bounds.max_run_bytes;
        Self {
            head: Segment::default(),
            rest: Vec::new(),
            most,
            head_most: bounds.head_bytes.min(most / 2),
            left: [false; 3],
            dropped: (0, 0),
        }
    }

    /// Finds what an earlier writer left, which is one segment from here on: it goes at once. `line`
    /// lines have ended, and so much was dropped before.
    pub(super) fn find(&mut self, folder: &Path, line: u64, dropped: (u64, u64)) {
        let length = |name: &str| fs::metadata(folder.join(name)).map_or(0, |meta| meta.len());
        let mut old = Segment { line: first_line(folder), ..Segment::default() };
        for (at, base) in Stream::ALL.map(Stream::file).into_iter().chain([INDEX]).enumerate() {
            self.head.bytes += length(base);
            for start in pieces::starts(folder, base) {
                let name = pieces::name(base, start);
                let bytes = length(&name);
                old.bytes += bytes;
                if let Some(left) = self.left.get_mut(at) {
                    *left = true;
                    old.output += bytes;
                }
                old.names.push(name);
            }
        }
        self.dropped = dropped;
        if !old.names.is_empty() {
            self.rest = vec![old, Segment { line, ..Segment::default() }];
        }
    }

    pub(super) fn is_in_head(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether `stream` has its first piece now.
    pub(super) fn leaves_head(&mut self, stream: Stream) -> bool {
        !std::mem::replace(&mut self.left[stream as usize], true)
    }

    /// The file `name` belongs to what is written now.
    pub(super) fn add(&mut self, name: String) {
        self.current().names.push(name);
    }

    /// `bytes` were written; of these, `output` are output and not index.
    pub(super) fn grow(&mut self, bytes: u64, output: u64) {
        let current = self.current();
        current.bytes += bytes;
        current.output += output;
    }

    fn current(&mut self) -> &mut Segment {
        self.rest.last_mut().unwrap_or(&mut self.head)
    }

    fn segment_most(&self) -> u64 {
        (self.most - self.head_most) / SEGMENTS
    }

    /// Whether what is written now is as long as it may be.
    pub(super) fn is_full(&self) -> bool {
        let (now, most) = match self.rest.last() {
            Some(segment) => (segment, self.segment_most()),
            None => (&self.head, self.head_most),
        };
        self.most > 0 && now.bytes >= most
    }

    /// Begins a new segment; `line` lines have ended. True when it had to drop one for that.
    pub(super) fn rotate(&mut self, folder: &Path, line: u64) -> bool {
        self.rest.push(Segment { line, ..Segment::default() });
        let room = self.most - self.segment_most();
        let before = self.dropped;
        while self.rest.len() > 1 && self.bytes() > room {
            let oldest = self.rest.remove(0);
            for name in &oldest.names {
                let _ = secure_fs::remove_file(&folder.join(name));
            }
            self.dropped.0 += oldest.output;
            self.dropped.1 += self.rest[0].line - oldest.line;
        }
        self.dropped != before
    }

    fn bytes(&self) -> u64 {
        self.head.bytes + self.rest.iter().map(|segment| segment.bytes).sum::<u64>()
    }

    /// Bytes and lines that were dropped so far.
    pub(super) fn dropped(&self) -> (u64, u64) {
        self.dropped
    }
}
