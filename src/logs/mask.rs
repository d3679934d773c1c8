//! Secrets stay in the log: every reader but the byte-exact ones shows `[masked NAME]` in their place.
//!
//! Three ways to know one: its value is that of a variable whose name says so, of the run that wrote
//! the log ([`seals`]) or of whoever reads; its value is listed in the user's settings; or it has the
//! shape of a well-known token ([`shapes`]).

mod commands;
mod shapes;
pub mod view;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsString;
use std::ops::Range;
use std::path::PathBuf;

use memchr::memmem;

use crate::config::{Files, MASK, SECRETS};
use crate::record::Folder;
use crate::record::index::Stream;
use crate::record::output::Reader;
use crate::record::seals::{self, Seals};

/// What is to be hidden in one log.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    is_on: bool,
    seals: Seals,
    /// Names and values.
    known: Vec<(String, String)>,
    log: Option<Log>,
    /// Between the first and the last line of a private key.
    in_key: bool,
}

/// The log that is masked.
#[derive(Debug, Clone)]
struct Log {
    folder: PathBuf,
    /// The number of the line that was shown last.
    last: u64,
    /// How often it may still be read to see what stands before a line.
    looks: u16,
}

/// Looks into one log: where so many lines look like those of a key, it is something else.
const LOOKS: u16 = 1000;

/// More lines than any private key has that is in use: some 210 of 64 letters for RSA with 16,384 bits.
const LONGEST_KEY: u64 = 250;

impl Mask {
    /// The mask for the log in `folder`, shown to whoever runs this process.
    pub fn of(folder: &Folder) -> Self {
        let log = Some(Log { folder: folder.path().to_path_buf(), last: 0, looks: LOOKS });
        Self { seals: Seals::read(folder), log, ..Self::for_reader() }
    }

    /// The mask for text of no unit's own.
    pub fn for_reader() -> Self {
        let files = Files::read(None);
        if !files.is_on(&MASK) {
            return Self::default();
        }
        let listed = files.value(&SECRETS);
        let listed = listed.split_whitespace().map(|value| ("secret".to_owned(), value.to_owned()));
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let own = std::env::vars_os().filter_map(text).filter(|(name, _)| seals::is_secret(name));
        let own = own.flat_map(|(name, value)| {
            seals::parts(&value).map(|part| (name.clone(), part.to_owned())).collect::<Vec<_>>()
        });
        Self { is_on: true, known: listed.chain(own).collect(), ..Self::default() }
    }

    /// The same mask for a text that is no part of the log.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { in_key: false, ..self.clone() }
    }

    /// Whether nothing in these lines, of which only the first may not be whole, has to be looked at
    /// more closely.
    pub fn is_clear(&self, text: &[u8]) -> bool {
        let goes_on_in_key = || text.splitn(3, |byte| *byte == b'\n').take(2).any(is_of_key);
        !self.is_on
            || (!goes_on_in_key() && !shapes::may_be_in(text) && self.named(text).is_empty())
    }

    /// Line `number` of the log, which is `bytes`, is the next that is shown of `stream`. When lines
    /// between it and the last one are not, they tell whether it is within a private key.
    fn go_to(&mut self, number: u64, stream: &str, bytes: &[u8]) {
        let Some(log) = &mut self.log else { return };
        let next = std::mem::replace(&mut log.last, number) + 1;
        let matters = self.is_on && (self.in_key || is_of_key(bytes));
        if next == number || !matters || log.looks == 0 {
            return;
        }
        let stream = Stream::ALL.into_iter().find(|known| known.word() == stream);
        let Some(stream) = stream else { return };
        log.looks -= 1;
        let first = next.max(number.saturating_sub(LONGEST_KEY));
        self.in_key &= first == next;
        let mut reader = Reader::open(&log.folder, Some(stream));
        reader.close();
        self.read_up_to(number, reader.from_line(first).to_line(number - 1));
    }

    fn read_up_to(&mut self, number: u64, mut reader: Reader) {
        loop {
            let lines = reader.lines();
            for line in lines.iter().filter(|line| line.number < number) {
                self.goes_through_key(&String::from_utf8_lossy(&line.bytes));
            }
            if lines.last().is_none_or(|line| line.number >= number) {
                return;
            }
        }
    }

    /// One line of a log as it may be shown. Lines come in their order.
    pub fn line<'a>(&mut self, text: Cow<'a, str>) -> Cow<'a, str> {
        if !self.is_on {
            return text;
        }
        if self.goes_through_key(&text) {
            return "[masked private key]".into();
        }
        let found = self.secrets_in(&text);
        if found.is_empty() { text } else { masked(&text, found).into() }
    }

    /// Where secrets stand in `text`, and their names. What was masked before stays as it is.
    fn secrets_in(&self, text: &str) -> Vec<(Range<usize>, &str)> {
        let mut found = self.named(text.as_bytes());
        if shapes::may_be_in(text.as_bytes()) {
            found.extend(shapes::find(text));
        }
        found.retain(|(range, _)| {
            text.get(range.clone()).is_none_or(|part| !part.starts_with("[masked"))
        });
        found
    }

    /// Lines of a log, each as [`Mask::line`] gives it.
    pub fn lines(&mut self, text: &str) -> String {
        text.split_inclusive('\n')
            .map(|line| {
                let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
                self.line(text.into()).into_owned() + end
            })
            .collect()
    }

    fn goes_through_key(&mut self, text: &str) -> bool {
        let was_in_key = self.in_key;
        if text.contains("PRIVATE KEY-----") {
            self.in_key = text.contains("-----BEGIN") && !text.contains("-----END");
            return false;
        }
        // A key has such lines and no others: it may have been cut off.
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=:,- \\n".contains(&byte);
        self.in_key = was_in_key && text.bytes().all(is_part);
        self.in_key
    }

    /// Where a value stands that we know by its name.
    fn named(&self, text: &[u8]) -> Vec<(Range<usize>, &str)> {
        let mut found = self.seals.find(text);
        for (name, value) in &self.known {
            let places = memmem::find_iter(text, value.as_bytes());
            found.extend(places.map(|at| (at..at + value.len(), name.as_str())));
        }
        found
    }
}

/// Whether a line may be one of a private key's, of which all but the last are 64 letters, or 70, or 76.
fn is_of_key(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    (60..=80).contains(&line.len()) && line.iter().all(is_part)
}

/// The masks of one log: each of its streams is a text of its own.
#[derive(Debug)]
pub struct Masks {
    fresh: Mask,
    by_stream: HashMap<&'static str, Mask>,
}

impl Masks {
    /// Masks like `fresh`.
    pub fn new(fresh: Mask) -> Self {
        Self { fresh, by_stream: HashMap::new() }
    }

    /// The mask for line `number` of the log, which is `bytes` of `stream`. Lines come in their
    /// order; some may be missing.
    pub fn at(&mut self, number: u64, stream: &'static str, bytes: &[u8]) -> &mut Mask {
        let mask = self.by_stream.entry(stream).or_insert_with(|| self.fresh.clone());
        mask.go_to(number, stream, bytes);
        mask
    }
}

/// `text` without what was found in it; of what overlaps, the first and longest gives the name.
fn masked(text: &str, mut found: Vec<(Range<usize>, &str)>) -> String {
    found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let (mut out, mut end) = (String::with_capacity(text.len()), 0);
    for (range, name) in found {
        if range.start >= end {
            out.push_str(text.get(end..range.start).unwrap_or_default());
            out.push_str("[masked ");
            out.push_str(name);
            out.push(']');
        }
        end = end.max(range.end);
    }
    out.push_str(text.get(end..).unwrap_or_default());
    out
}
