//! Where rows come from: a unit's captured output, or what its script logged.

use super::Row;
use super::mask::Mask;
use super::search::Pattern;
use crate::neutral;
use crate::record::Folder;
use crate::record::events::log::{Item, Log};
use crate::record::gap::Gap;
use crate::record::output::{Line, Reader};

/// Rows of one unit, in order, a batch at a time.
#[derive(Debug)]
pub enum Source {
    /// Captured output.
    Output(Box<Output>),
    /// Events of a script.
    Events(Box<Events>),
}

/// Captured output, from where its reader was put.
#[derive(Debug)]
pub struct Output {
    /// Reads it.
    pub reader: Reader,
    /// The time before which nothing counts.
    pub since: Option<u64>,
    /// Which lines must come, and how.
    pub want: Want,
}

/// Which lines of captured output must come. More may; a [`super::Sieve`] has the last word.
#[derive(Debug)]
pub enum Want {
    /// Each by itself.
    Lines,
    /// Those that match.
    Matches(Pattern),
    /// All, and many that need nothing done to them, nor hidden in them, may come as one.
    Text(Box<Mask>),
    /// The same, whatever they hold.
    Bytes,
}

/// What a script logged, between two times, from a number on.
#[derive(Debug)]
pub struct Events {
    log: Log,
    since: Option<u64>,
    until: Option<u64>,
    first: u64,
    /// What is missing before the next event: told with it, if that is wanted.
    gap: Option<Gap>,
}

/// Bytes of events that are taken at once.
const BATCH: usize = 256 << 10;

impl Events {
    /// Events of the unit in `folder`.
    pub fn new(folder: &Folder, first: u64, since: Option<u64>, until: Option<u64>) -> Self {
        Self { log: Log::new(folder.events()), since, until, first, gap: None }
    }

    fn rows(&mut self) -> Option<Vec<Row>> {
        let items = self.log.read(BATCH)?;
        Some(items.into_iter().flat_map(|item| self.take(item)).collect())
    }

    fn take(&mut self, item: Item) -> Vec<Row> {
        let (number, event) = match item {
            Item::Event(number, event) => (number, event),
            Item::Gap(gap) => {
                self.gap = Some(gap).filter(|gap| gap.last >= self.first);
                return Vec::new();
            }
        };
        let row = Row::of_event(number, event);
        let is_timely = self.is_in_time(row.at);
        let gap = self.gap.take().filter(|_| is_timely).map(Row::of_missing_events);
        let is_wanted =
            is_timely && number >= self.first && row.level.as_deref() != Some("register");
        gap.into_iter().chain(is_wanted.then_some(row)).collect()
    }

    fn is_in_time(&self, at: Option<u64>) -> bool {
        at.is_none_or(|at| {
            self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at <= until)
        })
    }
}

impl Source {
    /// What came since the last call, a batch of it; none when there is nothing yet.
    pub fn rows(&mut self) -> Option<Box<dyn Iterator<Item = Row>>> {
        match self {
            Self::Output(output) => {
                let reader = &mut output.reader;
                let lines = match &output.want {
                    Want::Lines => reader.lines(),
                    Want::Matches(pattern) => reader.lines_of(pattern),
                    Want::Text(mask) => {
                        reader.passages(&|text| neutral::is_plain(text) && mask.is_clear(text))
                    }
                    Want::Bytes => reader.passages(&|_| true),
                };
                (!lines.is_empty()).then(|| output.timely(lines))
            }
            Self::Events(events) => events.rows().map(|rows| Box::new(rows.into_iter()) as _),
        }
    }

    /// The first line, of those that were read, of which nobody knows when it was written.
    pub fn unknown_from(&mut self) -> Option<u64> {
        match self {
            Self::Output(output) => output.reader.unknown_from(),
            Self::Events(_) => None,
        }
    }

    /// Nothing more is going to be written, or read.
    pub fn close(&mut self) {
        match self {
            Self::Output(output) => output.reader.close(),
            Self::Events(events) => events.log.close(),
        }
    }

    /// The last line, when no newline ended it; after [`Source::close`].
    pub fn rest(&mut self) -> Box<dyn Iterator<Item = Row>> {
        match self {
            Self::Output(output) => {
                let rest = output.reader.rest();
                output.timely(rest)
            }
            Self::Events(_) => Box::new(std::iter::empty()),
        }
    }
}

impl Output {
    fn timely(&self, lines: Vec<Line>) -> Box<dyn Iterator<Item = Row>> {
        let since = self.since;
        let rows = lines.into_iter().map(Row::from);
        Box::new(rows.filter(move |row| row.at.is_none() || row.at >= since))
    }
}
