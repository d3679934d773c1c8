//! All files of a log as one, read on from where one was: each event with its number, and what is
//! missing where it is missing. Holds no file open, and no more than a batch in memory.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::lines::{LINE_LIMIT, lines};
use super::parts::{self, Id, Part};
use super::{Event, Reader};
use crate::record::gap::{Cause, Gap};
use crate::secure_fs;

/// What stands in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An event, and its number in the whole, from 1.
    Event(u64, Event),
    /// Events that were dropped.
    Gap(Gap),
}

impl Item {
    /// The event that it is.
    pub fn event(self) -> Option<Event> {
        match self {
            Self::Event(_, event) => Some(event),
            Self::Gap(_) => None,
        }
    }
}

/// Reads a log.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Log {
    /// Of `events.log`.
    path: PathBuf,
    at: Option<Place>,
    /// Events so far.
    number: u64,
    reader: Reader,
    /// Words that were said in a gap count, where they are carried over.
    wants_words: bool,
    saw_words: bool,
    /// Nobody writes any more: what has no newline is a line, too.
    is_closed: bool,
    /// Where it ends, when what others add does not belong to it.
    end: Option<(Id, u64)>,
    is_behind: bool,
    /// There is, but not before what may come late for the file that was closed.
    waits: bool,
    /// What is late for a part that was closed just now is not waited for.
    hurries: bool,
}

/// How far it was read.
#[derive(Debug, Clone)]
struct Place {
    path: PathBuf,
    id: Id,
    /// Where the file starts in the whole.
    start: u64,
    /// How far the file was read.
    offset: u64,
}

impl Place {
    fn of(part: &Part, offset: u64) -> Self {
        Self { path: part.path.clone(), id: part.id, start: part.start, offset }
    }

    fn position(&self) -> u64 {
        self.start + self.offset
    }
}

impl Log {
    /// The file has been moved, and is read on from where it was read to.
    pub fn follow(&mut self, path: PathBuf) {
        self.path = path;
    }

    /// The log whose newest file is at `path`, from its beginning.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            at: None,
            number: 0,
            reader: Reader::default(),
            wants_words: false,
            saw_words: false,
            is_closed: false,
            end: None,
            is_behind: false,
            waits: false,
            hurries: false,
        }
    }

    /// The same for somebody who needs to know what was said in a gap.
    #[must_use]
    pub fn with_words(mut self) -> Self {
        self.wants_words = true;
        self
    }

    /// From the first line on that begins within its last `most` bytes.
    pub fn near_end(path: PathBuf, most: u64) -> Self {
        let mut log = Self::new(path);
        let (parts, _) = parts::look(&log.path);
        let newest = secure_fs::metadata(&log.path).map_or(0, |meta| meta.len());
        let mut room = most.saturating_sub(newest);
        if room == 0 {
            log.enter_newest(&mut Vec::new());
            log.skip_to_last(most);
        }
        for part in parts.iter().rev().filter(|_| newest < most) {
            if part.length >= room {
                log.number = part.events;
                log.at = Some(Place::of(part, 0));
                log.skip_to_last(room);
                break;
            }
            room -= part.length;
        }
        log
    }

    /// Leaves out all but the last `most` bytes of the file that it is in.
    fn skip_to_last(&mut self, most: u64) {
        let Some(at) = &mut self.at else { return };
        let Ok(file) = secure_fs::open(&at.path) else { return };
        let wanted = file.metadata().map_or(0, |meta| meta.len()).saturating_sub(most);
        if wanted == 0 {
            return;
        }
        let _ = lines(&file, 0, &mut |line, end| {
            self.number += u64::from(parts::ends_event(line));
            at.offset = end;
            end < wanted
        });
    }

    /// Nobody writes any more.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// What stands there now is all of it, whatever others add.
    pub fn end_here(&mut self) {
        self.end = secure_fs::metadata(&self.path).ok().map(|meta| (Id::of(&meta), meta.len()));
    }

    /// Whether it is more important to get to the end than to wait for what may come late.
    pub fn hurry(&mut self, hurries: bool) {
        self.hurries = hurries;
    }

    /// How long the newest file is; none when it is not there yet.
    pub fn length(&self) -> Option<u64> {
        secure_fs::metadata(&self.path).ok().map(|meta| meta.len())
    }

    /// Whether the last reading ended where something may still come late.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Whether there may be more to read right now.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// What follows, from the next `most` bytes or so; none when there is nothing for now.
    pub fn read(&mut self, most: usize) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        (self.is_behind, self.waits) = (false, false);
        while let Some(file) = self.open(&mut items) {
            if self.take(&file, most, &mut items) {
                self.is_behind = true;
                return Some(items);
            }
            if !self.go_on(&file, &mut items) {
                break;
            }
        }
        (!items.is_empty()).then_some(items)
    }

    /// The file where it was left, by whatever name it has now; or what comes after it.
    fn open(&mut self, items: &mut Vec<Item>) -> Option<File> {
        let Some(at) = &mut self.at else {
            let (parts, _) = parts::look(&self.path);
            match parts.first() {
                Some(first) => self.enter(first, items),
                None => drop(self.enter_newest(items)),
            }
            return self.reopen();
        };
        let same = |path: &Path, id: Id| Id::at(path) == Some(id);
        if !same(&at.path, at.id) {
            let (parts, newest) = parts::look(&self.path);
            if let Some(part) = parts.iter().find(|part| part.id == at.id) {
                *at = Place::of(part, at.offset);
            } else if newest != Some(at.id) {
                // It was dropped before it was read.
                let start = at.start;
                self.pass(parts.iter().find(|part| part.start > start), items);
            }
        }
        self.reopen()
    }

    fn reopen(&self) -> Option<File> {
        let at = self.at.as_ref()?;
        let file = secure_fs::open(&at.path).ok()?;
        let is_it = file.metadata().is_ok_and(|meta| meta.is_file() && Id::of(&meta) == at.id);
        is_it.then_some(file)
    }

    /// Reads lines of `file`; false when there was none.
    fn take(&mut self, file: &File, most: usize, items: &mut Vec<Item>) -> bool {
        let Some(at) = &mut self.at else { return false };
        let length = file.metadata().map_or(0, |meta| meta.len());
        let end =
            self.end.filter(|(id, _)| *id == at.id).map_or(length, |(_, end)| end.min(length));
        let begun = at.offset;
        let till = begun + u64::try_from(most).unwrap_or(u64::MAX / 2);
        let ends = self.is_closed || self.end.is_some();
        let _ = lines(file, begun, &mut |line, to| {
            let is_whole = to - at.offset > line.len() as u64 || line.len() == LINE_LIMIT;
            if to > end || !is_whole && !ends {
                return false;
            }
            at.offset = to;
            if let Some(event) = self.reader.line(&String::from_utf8_lossy(line)) {
                // Words that are carried over have no number of their own.
                self.number += u64::from(parts::ends_event(line));
                items.push(Item::Event(self.number, event));
            }
            let is_carried = parts::is_carried(line);
            if self.saw_words && !is_carried {
                self.reader.words = false;
            }
            self.saw_words = is_carried;
            to < till
        });
        at.offset > begun
    }

    /// At the end of `file`: goes on in the one after it, if there is one.
    fn go_on(&mut self, file: &File, items: &mut Vec<Item>) -> bool {
        let (Some(at), Ok(meta)) = (&mut self.at, file.metadata()) else { return false };
        if self.end.is_some_and(|(id, _)| id == at.id) {
            return false;
        }
        if Id::at(&self.path) == Some(at.id) {
            if meta.len() < at.offset {
                // It was cut short: it starts anew.
                at.offset = 0;
                self.is_behind = true;
            }
            return false;
        }
        let waits = !self.is_closed && !self.hurries && self.end.is_none();
        if waits && !parts::is_settled(&meta) {
            (self.is_behind, self.waits) = (true, true);
            return false;
        }
        if meta.len() > at.offset && !self.is_closed {
            // Its last line has no end, and never will.
            self.is_closed = true;
            self.take(file, usize::MAX / 2, items);
            self.is_closed = false;
        }
        let (parts, _) = parts::look(&self.path);
        let Some(at) = &self.at else { return false };
        let next = match parts.iter().position(|part| part.id == at.id) {
            Some(index) => parts.get(index + 1),
            None => parts.iter().find(|part| part.start > at.start),
        };
        self.pass(next, items)
    }

    /// On to `next`, or to the newest file; false when that is not there.
    fn pass(&mut self, next: Option<&Part>, items: &mut Vec<Item>) -> bool {
        let Some(next) = next else { return self.enter_newest(items) };
        self.enter(next, items);
        true
    }

    fn enter(&mut self, part: &Part, items: &mut Vec<Item>) {
        let position = self.at.as_ref().map_or(0, Place::position);
        // What was read of it already, when it had a beginning.
        let read = if part.is_end { position.saturating_sub(part.start) } else { 0 };
        self.tell_gap(part.start.saturating_sub(position), part.events, items);
        self.at = Some(Place::of(part, read.min(part.length)));
    }

    fn enter_newest(&mut self, items: &mut Vec<Item>) -> bool {
        let Some(file) = Id::at(&self.path).and_then(|_| secure_fs::open(&self.path).ok()) else {
            return false;
        };
        let Ok(meta) = file.metadata() else { return false };
        let position = self.at.as_ref().map_or(0, Place::position);
        let (start, events) = parts::after(&file).unwrap_or_default();
        self.tell_gap(start.saturating_sub(position), events, items);
        let (path, id) = (self.path.clone(), Id::of(&meta));
        self.at = Some(Place { path, id, start: start.max(position), offset: 0 });
        true
    }

    fn tell_gap(&mut self, bytes: u64, events: u64, items: &mut Vec<Item>) {
        if bytes == 0 {
            return;
        }
        let (first, last) = (self.number + 1, events.max(self.number));
        items.push(Item::Gap(Gap { first, last, bytes, cause: Cause::Bound }));
        self.number = last;
        self.reader = Reader { words: self.wants_words, ..Reader::default() };
    }
}
