//! Rows in, the wanted ones out, in order, and never more in hand than were asked for.

use std::collections::VecDeque;

use regex::bytes::Regex;

use super::Row;
use super::errors::Errors;
use crate::error::{Error, Result};

/// What was asked for.
#[derive(Debug, Default)]
pub struct Wish {
    /// Only lines that this regular expression matches.
    pub grep: Option<String>,
    /// Only lines that look like errors, with a little around them.
    pub errors: bool,
    /// Only the first so many.
    pub head: Option<usize>,
    /// Only the last so many of what is there, and all that follows.
    pub tail: Option<usize>,
    /// At most so many bytes of text.
    pub max_bytes: Option<usize>,
    /// Only lines up to this number.
    pub last: Option<u64>,
}

/// Lets through what a [`Wish`] asks for.
#[derive(Debug)]
pub struct Sieve {
    grep: Option<Regex>,
    errors: Option<Errors>,
    head: usize,
    room: usize,
    last: u64,
    tail: Option<Tail>,
    is_full: bool,
    next: Option<u64>,
}

/// The last rows, while nobody knows yet which are the last.
#[derive(Debug)]
struct Tail {
    count: usize,
    room: usize,
    bytes: usize,
    lines: usize,
    rows: VecDeque<Row>,
}

impl Sieve {
    /// A sieve for `wish`; an error when its pattern is none.
    pub fn new(wish: &Wish) -> Result<Self> {
        let room = wish.max_bytes.unwrap_or(usize::MAX);
        let tail = |count| Tail { count, room, bytes: 0, lines: 0, rows: VecDeque::new() };
        Ok(Self {
            grep: wish.grep.as_deref().map(pattern).transpose()?,
            errors: wish.errors.then(Errors::new).flatten(),
            head: wish.head.unwrap_or(usize::MAX),
            room,
            last: wish.last.unwrap_or(u64::MAX),
            tail: wish.tail.map(tail),
            is_full: wish.head == Some(0),
            next: None,
        })
    }

    /// `row` came: adds what is to be shown now to `shown`.
    pub fn take(&mut self, row: Row, shown: &mut Vec<Row>) {
        if row.number > self.last {
            self.is_full = true;
        }
        if self.is_full {
            return;
        }
        if row.gap.is_some() {
            return self.announce(row, shown);
        }
        if !self.matches(&row) {
            return;
        }
        match &mut self.errors {
            Some(errors) => errors.take(row).into_iter().for_each(|row| self.hold(row, shown)),
            None => self.hold(row, shown),
        }
    }

    /// All that is there now has come: what was held back is the tail.
    pub fn caught_up(&mut self) -> Vec<Row> {
        let held = self.tail.take().map(|tail| tail.rows).unwrap_or_default();
        held.into_iter().filter_map(|row| self.pass(row)).collect()
    }

    /// Nothing more will be let through.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether errors were asked for, and no line looked like one.
    pub fn lacks_errors(&self) -> bool {
        self.errors.as_ref().is_some_and(|errors| !errors.any())
    }

    /// The number of the line where `--max-bytes` ended it.
    pub fn cut_at(&self) -> Option<u64> {
        self.next
    }

    /// Whatever was asked for, what is missing is told in its place and counts as nothing.
    fn announce(&mut self, row: Row, shown: &mut Vec<Row>) {
        match &mut self.tail {
            Some(tail) => tail.rows.push_back(row),
            None => shown.push(row),
        }
    }

    fn matches(&self, row: &Row) -> bool {
        self.grep.as_ref().is_none_or(|grep| {
            if row.found {
                true
            } else if row.is_plain() {
                grep.is_match(&row.bytes)
            } else {
                grep.is_match(row.text().as_bytes())
            }
        })
    }

    fn hold(&mut self, row: Row, shown: &mut Vec<Row>) {
        match &mut self.tail {
            Some(tail) => tail.hold(row),
            None => shown.extend(self.pass(row)),
        }
    }

    fn pass(&mut self, row: Row) -> Option<Row> {
        if self.is_full || row.gap.is_some() {
            return Some(row).filter(|_| !self.is_full);
        }
        let size = row.bytes.len() + 1;
        if size > self.room {
            self.is_full = true;
            self.next = Some(row.number);
            return None;
        }
        self.room = if self.room == usize::MAX { self.room } else { self.room - size };
        self.head -= 1;
        self.is_full = self.head == 0;
        Some(row)
    }
}

impl Tail {
    fn hold(&mut self, row: Row) {
        self.bytes += row.bytes.len() + 1;
        self.lines += 1;
        self.rows.push_back(row);
        while self.lines > self.count || self.bytes > self.room {
            let Some(row) = self.rows.pop_front() else { break };
            if row.gap.is_none() {
                self.bytes -= row.bytes.len() + 1;
                self.lines -= 1;
            }
        }
    }
}

fn pattern(text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Error::usage(format!("`{}` is no regular expression: {why}", text.escape_debug()))
            .next("put a backslash before ( [ { . * + ? | ^ $ \\ that stand for themselves")
    })
}
