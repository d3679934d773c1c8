//! `events.log`: what a script says of itself, one record a line.
//!
//! ```text
//! TIME <tab> WRITER <tab> FLAG <tab> LEVEL <tab> TEXT
//! ```
//!
//! - `TIME`: seconds since 1970 with an optional fraction after `.` or `,`; `-` when unknown.
//! - `WRITER`: whatever tells two processes that write at once apart, such as a pid.
//! - `FLAG`: `.` ends a text; `+` says that the writer's next record goes on with it; `=` and `=+` are
//!   the same for what was said in an earlier file and is carried over.
//! - `LEVEL`: `debug`, `info`, `warn`, `error`; or what the script says of itself: `register` (a
//!   JSON object with `name`, `type`, `metadata`), `status` (`active|idle|busy`, then a detail),
//!   `progress` (`DONE/TOTAL`, then a text), `ready` (a URL or nothing).
//! - `TEXT`: a newline is `\n`, a backslash is `\\`; everything else is as it was.
//!
//! A record has at most 4,096 bytes with its newline, so that one `write` to a file opened for
//! appending never mixes with another's. The shell library writes the same form without a process.
//!
//! A long log is cut into several files ([`parts`]), of which the newest alone says all that the script
//! last said of itself; [`trim`] does that, [`log`] reads them as one.

mod lines;
#[cfg(feature = "full")]
pub mod log;
#[cfg(feature = "full")]
mod parts;
pub mod share;
#[cfg(feature = "full")]
pub mod trim;

#[cfg(feature = "full")]
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use crate::secure_fs;
use crate::time;
use crate::wire::read::{Fields, json};
use crate::wire::unit::{Presence, Unit};
use lines::{AFTER, CARRIED, CARRIED_ON};
#[cfg(feature = "full")]
use parts::Id;

/// The longest record, newline included.
pub const RECORD_LIMIT: usize = 4096;

/// Bytes of text per record: leaves room for the fields in front.
const TEXT_LIMIT: usize = 3900;

/// One text that a script logged, whole again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// RFC 3339; none when the writer had no clock.
    pub at: Option<String>,
    /// `info` and so on, or `register`, `status`, `progress`, `ready`, and the runner's `restart`.
    pub level: String,
    /// The text, unescaped.
    pub text: String,
}

/// Puts records together again; feed it the file line by line.
#[derive(Debug, Default)]
pub struct Reader {
    /// Writers and what they have said so far; hardly ever more than one.
    unfinished: Vec<(String, String)>,
    /// What is carried over counts, too.
    words: bool,
}

impl Reader {
    /// One that returns what is carried over from an earlier file as well.
    fn of_words() -> Self {
        Self { words: true, ..Self::default() }
    }

    /// One line without its newline. Returns an event when the line ends one.
    pub fn line(&mut self, line: &str) -> Option<Event> {
        let fields: Vec<&str> = line.splitn(5, '\t').collect();
        let [at, writer, flag, level, text] = fields[..] else {
            return foreign(line);
        };
        let is_carried = matches!(flag, CARRIED | CARRIED_ON);
        if is_carried && (!self.words || level == AFTER) {
            return None;
        }
        let begun = self.unfinished.iter().position(|(by, _)| by == writer);
        let begun = begun.map(|index| self.unfinished.swap_remove(index).1);
        let text = begun.unwrap_or_default() + &unescape(text);
        if matches!(flag, "+" | CARRIED_ON) {
            self.unfinished.push((writer.to_owned(), text));
            return None;
        }
        Some(Event { at: moment(at), level: level.to_owned(), text })
    }
}

/// A line that nobody of ours wrote is still told.
fn foreign(line: &str) -> Option<Event> {
    let event = Event { at: None, level: "info".to_owned(), text: line.to_owned() };
    (!line.is_empty()).then_some(event)
}

fn moment(text: &str) -> Option<String> {
    let (seconds, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let seconds: u64 = seconds.parse().ok()?;
    let micros: u64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let at = seconds.checked_mul(1_000_000)?.checked_add(micros)?;
    // Beyond the year 9999 there is no RFC 3339.
    (at < 253_402_300_800_000_000).then(|| time::rfc3339(time::from_micros(at)))
}

fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            (other, false) => out.push(other),
        }
    }
    out
}

/// All events of the log at `path`; what is no file, or cannot be read, has none.
#[cfg(feature = "full")]
pub fn read(path: &Path) -> Vec<Event> {
    let mut log = log::Log::new(path.to_path_buf());
    log.close();
    let mut events = Vec::new();
    while let Some(items) = log.read(1 << 20) {
        events.extend(items.into_iter().filter_map(log::Item::event));
    }
    events
}

/// Appends one text, in as many records as it needs.
pub fn append(path: &Path, level: &str, text: &str) -> io::Result<()> {
    let mut file = secure_fs::append(path)?;
    let now = time::micros(SystemTime::now());
    let at = format!("{}.{:06}", now / 1_000_000, now % 1_000_000);
    let writer = std::process::id();
    let pieces = pieces(text);
    for (index, piece) in pieces.iter().enumerate() {
        let flag = if index + 1 == pieces.len() { '.' } else { '+' };
        file.write_all(format!("{at}\t{writer}\t{flag}\t{level}\t{piece}\n").as_bytes())?;
    }
    Ok(())
}

/// The text escaped and cut where a record is full, never within a character or an escape.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for letter in text.chars() {
        if pieces.last().is_some_and(|piece| piece.len() + 4 > TEXT_LIMIT) {
            pieces.push(String::new());
        }
        let Some(piece) = pieces.last_mut() else { continue };
        match letter {
            '\n' => piece.push_str("\\n"),
            '\\' => piece.push_str("\\\\"),
            other => piece.push(other),
        }
    }
    pieces
}

/// Takes what the script said of itself into `unit`, and how much of it was dropped: the last word
/// counts. Only the newest file is read.
pub fn apply(path: &Path, unit: &mut Unit) {
    if !secure_fs::metadata(path).is_ok_and(|meta| meta.is_file()) {
        return;
    }
    let _ = words(path, unit);
    let folder = path.parent().unwrap_or(path);
    (unit.logs.dropped_event_bytes, unit.logs.dropped_events) = share::tally(folder);
}

/// Takes the events of the newest file into `unit`, from what was carried over on. (The runner, which
/// stays small, leaves out what came late for the file before it: `ig` adds that whenever it looks.)
fn words(path: &Path, unit: &mut Unit) -> io::Result<()> {
    let mut reader = Reader::of_words();
    let file = secure_fs::open(path)?;
    let mut take = |line: &[u8]| {
        if let Some(event) = reader.line(&String::from_utf8_lossy(line)) {
            apply_one(&event, unit);
        }
    };
    #[cfg(feature = "full")]
    return newest_lines(path, &file, &mut |line, _| take(line));
    #[cfg(not(feature = "full"))]
    lines::lines(&file, 0, &mut |line, _| {
        take(line);
        true
    })
}

#[cfg(feature = "full")]
/// Calls `each` with the lines of the newest file of the log at `path`, open as `file`, and where each
/// ends in it. Behind what is carried over there comes first what others wrote into the file before
/// after that was looked through; it ends nowhere.
fn newest_lines(
    path: &Path,
    file: &File,
    each: &mut dyn FnMut(&[u8], Option<u64>),
) -> io::Result<()> {
    let mut late = parts::after(file).map(|(bytes, _)| bytes);
    let own = Id::of(&file.metadata()?);
    lines::lines(file, 0, &mut |line, end| {
        if !parts::is_carried(line)
            && let Some(from) = late.take()
        {
            late_lines(path, own, from, each);
        }
        each(line, Some(end));
        true
    })?;
    if let Some(from) = late {
        late_lines(path, own, from, each);
    }
    Ok(())
}

#[cfg(feature = "full")]
fn late_lines(path: &Path, own: Id, from: u64, each: &mut dyn FnMut(&[u8], Option<u64>)) {
    let (parts, _) = parts::look(path);
    let Some(last) = parts.iter().rfind(|part| part.id != own) else { return };
    let Ok(file) = secure_fs::open(&last.path) else { return };
    let _ = lines::lines(&file, from.saturating_sub(last.start), &mut |line, _| {
        each(line, None);
        true
    });
}

/// Takes one event into `unit`.
pub fn apply_one(event: &Event, unit: &mut Unit) {
    let (word, rest) = event.text.split_once(' ').unwrap_or((&event.text, ""));
    match event.level.as_str() {
        "register" => apply_registration(&event.text, unit),
        "status" => {
            if let Some(presence) = Presence::parse(word) {
                unit.presence = presence;
                rest.clone_into(&mut unit.description);
            }
        }
        "progress" => {
            unit.metadata.insert("progress".to_owned(), word.into());
            rest.clone_into(&mut unit.description);
        }
        "restart" => {
            unit.ready = false;
            unit.description.clone_from(&event.text);
        }
        "ready" => {
            unit.ready = true;
            if !event.text.is_empty() {
                unit.metadata.insert("url".to_owned(), event.text.clone().into());
            }
        }
        _ => {}
    }
}

/// A script that joined the unit around it names itself there; its runner keeps the record.
fn apply_registration(text: &str, unit: &mut Unit) {
    let mut said = Fields::of(json(text.as_bytes()).unwrap_or_default());
    if let Some(name) = said.text("name").filter(|name| !name.is_empty()) {
        unit.name = name;
    }
    if let Some(agent_type) = said.text("type").filter(|agent_type| !agent_type.is_empty()) {
        unit.agent_type = agent_type;
    }
    unit.metadata.extend(said.object("metadata"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::unit::Kind;

    #[test]
    fn any_text_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.log");
        let long = "é\\\n\t".repeat(5000);
        for text in ["plain", "two\nlines", "back\\slash \\n", "", &long] {
            append(&path, "info", text).unwrap();
            assert_eq!(read(&path).last().unwrap().text, text);
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.split(|b| *b == b'\n').all(|line| line.len() < RECORD_LIMIT));
    }

    #[test]
    fn two_writers_that_interleave_are_told_apart() {
        let mut reader = Reader::default();
        assert_eq!(reader.line("1.5\t7\t+\tinfo\tab"), None);
        assert_eq!(reader.line("1.5\t8\t+\tinfo\txy"), None);
        let first = reader.line("1.5\t7\t.\tinfo\tcd").unwrap();
        assert_eq!(
            (first.text.as_str(), first.at.as_deref()),
            ("abcd", Some("1970-01-01T00:00:01.500Z"))
        );
        assert_eq!(reader.line("1,5\t8\t.\tinfo\tz").unwrap().text, "xyz");
    }

    #[test]
    fn the_last_word_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.log");
        for (level, text) in
            [("status", "busy migrating"), ("status", "idle"), ("ready", "http://localhost:1")]
        {
            append(&path, level, text).unwrap();
        }
        let mut unit = Unit::new(Kind::LocalBash, "x");
        apply(&path, &mut unit);
        assert_eq!((unit.presence, unit.ready), (Presence::Idle, true));
        assert_eq!(unit.metadata["url"], "http://localhost:1");
    }
}
