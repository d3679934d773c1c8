//! Lines that look like trouble, and the few around them that explain it.

use std::collections::VecDeque;

use super::Row;
use super::trouble::Trouble;

/// Lines shown before one that looks like trouble, and after it.
const BEFORE: usize = 2;
const AFTER: usize = 2;

/// Passes on trouble with what is around it.
#[derive(Debug)]
pub(super) struct Errors {
    trouble: Trouble,
    /// Some line was.
    any: bool,
    before: VecDeque<Row>,
    after: usize,
}

impl Errors {
    pub(super) fn new() -> Option<Self> {
        Some(Self { trouble: Trouble::new()?, any: false, before: VecDeque::new(), after: 0 })
    }

    /// Whether there was any.
    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// What is to be shown now that `row` came.
    pub(super) fn take(&mut self, row: Row) -> Vec<Row> {
        let text = row.text();
        let logged = row.level.as_deref() == Some("error");
        if logged || self.trouble.is_in(&text) {
            self.any = true;
            self.after = AFTER;
            return self.before.drain(..).chain([row]).collect();
        }
        // The indented lines of a traceback belong to it, however many they are.
        let indented = text.starts_with([' ', '\t']) && !text.trim().is_empty();
        if self.after > 0 {
            self.after -= usize::from(!indented);
            return vec![row];
        }
        self.before.push_back(row);
        if self.before.len() > BEFORE {
            self.before.pop_front();
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::index::Stream;
    use crate::record::output::Line;

    fn rows(text: &str) -> Vec<Row> {
        let line = |(index, text): (usize, &str)| {
            Row::from(Line::whole(index as u64 + 1, Stream::Stdout, text))
        };
        text.lines().enumerate().map(line).collect()
    }

    fn shown(text: &str) -> Vec<u64> {
        let mut errors = Errors::new().unwrap();
        rows(text).into_iter().flat_map(|row| errors.take(row)).map(|row| row.number).collect()
    }

    #[test]
    fn trouble_comes_with_a_little_around_it() {
        assert_eq!(shown("1\n2\n3\nerror: no\n5\n6\n7\n8"), [2, 3, 4, 5, 6]);
        assert!(shown("a\n0 errors\nfailed: 0\nerrorless\nterror\n").is_empty());
        assert_eq!(shown("x\nthread 'main' panicked at src/a.rs\n"), [1, 2]);
        let traceback = "a\nb\nc\nTraceback (most recent call last):\n  File 1\n    x()\n  File 2\n    y()\n  File 3\nValueError: no\nd\ne\nf";
        assert_eq!(shown(traceback), (2..=12).collect::<Vec<_>>());
    }
}
