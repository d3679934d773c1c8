//! Where rows come from: a unit's captured output, or what its script logged.

use super::Row;
use super::mask::Mask;
use super::search::Pattern;
use crate::neutral;
use crate::record::output::{Line, Reader};
use crate::record::{Folder, events};

/// Rows of one unit, in order, a batch at a time.
#[derive(Debug)]
pub enum Source {
    /// Captured output.
    Output(Box<Output>),
    /// Events of a script.
    Events(Events),
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
    folder: Folder,
    since: Option<u64>,
    until: Option<u64>,
    first: u64,
    shown: usize,
}

impl Events {
    /// Events of the unit in `folder`.
    pub fn new(folder: &Folder, first: u64, since: Option<u64>, until: Option<u64>) -> Self {
        Self { folder: folder.clone(), since, until, first, shown: 0 }
    }

    fn rows(&mut self) -> Vec<Row> {
        let all = events::read(&self.folder.events());
        let new = all.len().saturating_sub(self.shown);
        let said = all.into_iter().enumerate().skip(self.shown);
        self.shown += new;
        let said = said.filter(|(_, event)| event.level != "register");
        let rows = said.map(|(at, event)| Row::of_event(u64::try_from(at).unwrap_or(0) + 1, event));
        rows.filter(|row| row.number >= self.first && self.is_in_time(row.at)).collect()
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
            Self::Events(events) => {
                let rows = events.rows();
                (!rows.is_empty()).then(|| Box::new(rows.into_iter()) as _)
            }
        }
    }

    /// Nothing more is going to be written, or read.
    pub fn close(&mut self) {
        if let Self::Output(output) = self {
            output.reader.close();
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
