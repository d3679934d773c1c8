//! Keeps `events.log` within its share of a run's bound: closes it when it is long, and drops the
//! oldest closed parts but the head when all together are too long.
//!
//! A script opens, appends and closes the file for each record and looks at nothing, so the file is
//! closed over its head: it gets a second name, as a part, and then a new `events.log` takes the first
//! name in one step. Whoever opened the old one a moment before still writes into the part.
//!
//! Who does it: `ig trim`, which the unit's runner starts when it sees the log grow too long, and the
//! daemon for a script without a runner; and `ig prune`, for every folder of a project, when nobody
//! else did. A lock makes them one at a time; it is also where the drops are counted.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::lines::{AFTER, CARRIED, CARRIED_ON, LINE_LIMIT, lines};
use super::parts::{self, Part};
use super::share::{Share, TALLY, tally};
use super::{Event, Reader};
use crate::secure_fs;
use crate::wire::read::{Fields, json, object};

/// What a script says of itself: the last of each counts.
const WORDS: [&str; 5] = ["register", "status", "progress", "ready", "restart"];

/// Trims the events in `folder` if they are too long and nobody else is at it. Waits for nothing: true
/// when there is more to do in a moment, when nobody writes into what was closed just now.
pub fn trim(folder: &Path, share: &Share) -> io::Result<bool> {
    let path = folder.join("events.log");
    if !is_long(&path, share) {
        return Ok(false);
    }
    let lock = secure_fs::rewrite(&folder.join(TALLY))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(true);
    }
    Trim { path, share: *share, dropped: tally(folder), lock }.run()
}

/// The same to the end, for those who have the time.
pub fn trim_fully(folder: &Path, share: &Share) -> io::Result<()> {
    // Closed, settled and cut; a script that goes on as fast as it did is for the next one to trim.
    for _ in 0..4 {
        if !trim(folder, share)? {
            break;
        }
        std::thread::sleep(parts::SETTLED + parts::SETTLED / 4);
    }
    Ok(())
}

/// Whether there is something to do: `events.log` is long, or what was closed is too much together.
fn is_long(path: &Path, share: &Share) -> bool {
    let Ok(meta) = secure_fs::metadata(path) else { return false };
    // Nothing was closed where nobody ever held the lock.
    let closed = || {
        secure_fs::exists(&path.with_file_name(TALLY))
            && total(&parts::look(path).0) > share.most - share.part
    };
    meta.is_file() && (meta.len() > share.limit() || closed())
}

fn total(parts: &[Part]) -> u64 {
    parts.iter().map(|part| part.length).sum()
}

struct Trim {
    path: PathBuf,
    share: Share,
    dropped: (u64, u64),
    lock: File,
}

impl Trim {
    fn run(mut self) -> io::Result<bool> {
        let (mut parts, _) = parts::look(&self.path);
        if let Some(last) = parts.last()
            && !parts::is_settled(&secure_fs::metadata(&last.path)?)
        {
            return Ok(true);
        }
        let before = self.dropped;
        let shortened = self.shorten(&mut parts);
        if self.dropped != before {
            let text = format!("{:020} {:020}\n", self.dropped.0, self.dropped.1);
            self.lock.write_all_at(text.as_bytes(), 0)?;
        }
        shortened?;
        let length = secure_fs::metadata(&self.path)?.len();
        let limit = if parts.is_empty() { self.share.head } else { self.share.part };
        if length > limit {
            self.close(parts.last())?;
        }
        Ok(length > limit)
    }

    /// Closes `events.log`, behind `last`, and puts a new one in its place.
    fn close(&self, last: Option<&Part>) -> io::Result<()> {
        let old = secure_fs::open(&self.path)?;
        let (start, events) = begin(&old, last)?;
        let seed = seed(&self.path, &old, start, events)?;
        let part = parts::part_path(&self.path, start, events, false);
        // Left by somebody who was killed in the midst of this.
        let _ = secure_fs::remove_file(&part);
        let new = self.path.with_file_name(".events.log.new");
        let _ = secure_fs::remove_file(&new);
        secure_fs::create_new(&new)?.write_all(seed.as_bytes())?;
        secure_fs::hard_link(&self.path, &part)?;
        secure_fs::rename(&new, &self.path)
    }

    /// Drops from the middle until the closed parts leave room for one more.
    fn shorten(&mut self, parts: &mut Vec<Part>) -> io::Result<()> {
        let room = self.share.most - self.share.part;
        if total(parts) > room && parts[0].start == 0 && parts[0].length > 2 * self.share.head {
            self.cut_head(parts, room)?;
        }
        while parts.len() > 2 && total(parts) > room {
            secure_fs::remove_file(&parts[1].path)?;
            let gone = parts.remove(1);
            self.count(gone.length, parts[1].events.saturating_sub(gone.events));
        }
        if parts.len() == 2 && total(parts) > room {
            let keep = room.saturating_sub(parts[0].length);
            let (gone, start) = (parts.remove(1), 0);
            let (events, end) = self.keep_end(&gone, (start, gone.events), keep)?;
            self.count(gone.length - end.as_ref().map_or(0, |end| end.length), events);
            secure_fs::remove_file(&gone.path)?;
            parts.extend(end);
        }
        Ok(())
    }

    /// A head that was closed late is cut to its length; of what was behind it the end stays.
    fn cut_head(&mut self, parts: &mut Vec<Part>, room: u64) -> io::Result<()> {
        let head = parts[0].clone();
        let (mut length, mut events) = (head.length, 0);
        lines(&secure_fs::open(&head.path)?, 0, &mut |line, end| {
            events += u64::from(parts::ends_event(line));
            length = end;
            end < self.share.head
        })?;
        let others = total(&parts[1..]);
        let keep = room.saturating_sub(length + others).min(head.length - length);
        let (gone, end) = self.keep_end(&head, (length, events), keep)?;
        secure_fs::rewrite(&head.path)?.set_len(length)?;
        parts[0].length = length;
        self.count(head.length - length - end.as_ref().map_or(0, |end| end.length), gone);
        if let Some(end) = end {
            parts.insert(1, end);
        }
        Ok(())
    }

    /// Makes a part of the last `keep` bytes of `part`, from the beginning of a line on. Returns it, and
    /// how many events end before it and after `from`, a place in the part and the events before it.
    fn keep_end(
        &self,
        part: &Part,
        from: (u64, u64),
        keep: u64,
    ) -> io::Result<(u64, Option<Part>)> {
        let file = secure_fs::open(&part.path)?;
        let (mut start, mut gone) = (from.0, 0);
        let wanted = part.length - keep;
        if start < wanted {
            lines(&file, from.0, &mut |line, end| {
                gone += u64::from(parts::ends_event(line));
                start = end;
                end < wanted
            })?;
        }
        if start >= part.length {
            return Ok((gone, None));
        }
        let (at, events) = (part.start + start, from.1 + gone);
        let path = parts::part_path(&self.path, at, events, true);
        let new = self.path.with_file_name(".events.log.new");
        let _ = secure_fs::remove_file(&new);
        let mut copy = secure_fs::create_new(&new)?;
        (&file).seek(SeekFrom::Start(start))?;
        io::copy(&mut &file, &mut copy)?;
        secure_fs::rename(&new, &path)?;
        let meta = copy.metadata()?;
        let (id, length) = (parts::Id::of(&meta), meta.len());
        Ok((gone, Some(Part { path, start: at, events, is_end: true, id, length })))
    }

    fn count(&mut self, bytes: u64, events: u64) {
        self.dropped = (self.dropped.0 + bytes, self.dropped.1 + events);
    }
}

/// Where the file `old` starts in the whole, in bytes and in events: behind `last`, with what came
/// into that after it was closed.
fn begin(old: &File, last: Option<&Part>) -> io::Result<(u64, u64)> {
    let Some(last) = last else { return Ok((0, 0)) };
    let file = secure_fs::open(&last.path)?;
    let Some((bytes, events)) = parts::after(old) else {
        return Ok((last.end(), last.events + parts::count(&file, 0)?));
    };
    let late = parts::count(&file, bytes.saturating_sub(last.start))?;
    Ok((last.end().max(bytes), events + late))
}

/// What the new file begins with: what was said in the `old` one at `path`, which starts at `start`.
fn seed(path: &Path, old: &File, start: u64, mut events: u64) -> io::Result<String> {
    let mut reader = Reader::of_words();
    let mut words = Vec::new();
    let mut length = 0;
    super::newest_lines(path, old, &mut |line, end| {
        if let Some(end) = end {
            let bytes = u64::try_from(line.len()).unwrap_or(0);
            if end - length == bytes && line.len() < LINE_LIMIT {
                // A record that is being written comes late as a whole, and counts then.
                return;
            }
            length = end;
            events += u64::from(parts::ends_event(line));
        }
        if may_be_word(line)
            && let Some(event) = reader.line(&String::from_utf8_lossy(line))
        {
            remember(&mut words, event);
        }
    })?;
    let mut seed = format!("-\tig\t{CARRIED}\t{AFTER}\t{} {events}\n", start + length);
    for word in words {
        let pieces = super::pieces(&word.text);
        for (index, piece) in pieces.iter().enumerate() {
            let flag = if index + 1 == pieces.len() { CARRIED } else { CARRIED_ON };
            seed.extend(["-\tig\t", flag, "\t", &word.level, "\t", piece, "\n"]);
        }
    }
    Ok(seed)
}

/// Spares most lines the reading: only what goes on, or is of a level that is a word, can be one.
fn may_be_word(line: &[u8]) -> bool {
    let mut fields = line.splitn(5, |byte| *byte == b'\t').skip(3);
    fields.next().is_some_and(|level| WORDS.iter().any(|word| word.as_bytes() == level))
}

/// The last of each, in the order in which they were said.
fn remember(words: &mut Vec<Event>, mut event: Event) {
    if let Some(index) = words.iter().position(|word| word.level == event.level) {
        let before = words.remove(index);
        if event.level == "register" {
            event.text = both(&before.text, &event.text);
        }
    }
    words.push(event);
}

/// Two registrations as one: what the second does not say the first does.
fn both(first: &str, second: &str) -> String {
    let [mut first, mut second] =
        [first, second].map(|text| Fields::of(json(text.as_bytes()).unwrap_or_default()));
    let mut said = |name| {
        let said = second.text(name).filter(|text| !text.is_empty());
        said.or_else(|| first.text(name)).unwrap_or_default()
    };
    let (name, agent_type) = (said("name"), said("type"));
    let mut metadata = first.object("metadata");
    metadata.extend(second.object("metadata"));
    let both =
        vec![("name", name.into()), ("type", agent_type.into()), ("metadata", metadata.into())];
    object(both).to_string()
}
