use std::io::Write;

use super::*;
use crate::config::Bounds;
use crate::record::gap::{Cause, Gap};
use crate::record::index::INDEX;
use crate::run::capture::Capture;
use crate::secure_fs;

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
}

fn log() -> (tempfile::TempDir, Capture) {
    let dir = tempfile::tempdir().unwrap();
    let mut capture = Capture::new(Some(dir.path()), &Bounds::of(None));
    capture.store(Stream::Stdout, b"one\nhal");
    capture.store(Stream::Stderr, b"oops\n");
    capture.store(Stream::Stdout, b"f\nlast");
    (dir, capture)
}

#[test]
fn lines_come_in_the_order_they_ended() {
    let (dir, mut capture) = log();
    let mut reader = Reader::open(dir.path(), None);
    let lines = reader.lines();
    assert_eq!(texts(&lines), ["one", "oops", "half"]);
    assert_eq!(lines.iter().map(|l| l.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(lines.iter().all(|line| line.at.is_some()));
    assert_eq!(reader.lines(), []);
    capture.store(Stream::Stdout, b" words\n");
    assert_eq!(texts(&reader.lines()), ["last words"]);
    assert_eq!(reader.rest(), []);
}

#[test]
fn a_tail_is_the_end_and_nothing_else() {
    let (dir, _capture) = log();
    for (count, expected) in
        [(1, vec!["last"]), (2, vec!["half", "last"]), (9, vec!["one", "oops", "half", "last"])]
    {
        let mut reader = Reader::from_tail(dir.path(), None, count);
        let mut lines = reader.lines();
        lines.extend(reader.rest());
        assert_eq!(texts(&lines), expected, "tail {count}");
    }
    let mut reader = Reader::from_tail(dir.path(), Some(Stream::Stderr), 1);
    assert_eq!(texts(&reader.lines()), ["oops"]);
}

#[test]
fn a_reader_that_was_there_first_reads_every_line_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut reader = Reader::open(dir.path(), None);
    assert_eq!(reader.lines(), []);
    let mut capture = Capture::new(Some(dir.path()), &Bounds::of(None));
    capture.store(Stream::Stdout, b"one\nlast");
    assert_eq!(texts(&reader.lines()), ["one"]);
    reader.close();
    assert_eq!(reader.lines(), []);
    assert_eq!(texts(&reader.rest()), ["last"]);
}

#[test]
fn what_is_missing_at_the_end_is_told_once() {
    let (dir, _capture) = log();
    let mut index = secure_fs::append(&dir.path().join(INDEX)).unwrap();
    for (number, mark) in [(3, Entry::mark(7, 3, 99)), (4, Entry::mark(8, 12, 0))] {
        index.write_all(&mark.encode(number)).unwrap();
    }
    let mut reader = Reader::from_tail(dir.path(), None, 9);
    let lines = reader.lines();
    assert_eq!(texts(&lines), ["one", "oops", "half", "last", ""]);
    let gap = Gap { first: 4, last: 12, bytes: 99, cause: Cause::Disk };
    assert_eq!(lines[4].gap, Some(gap));
    assert_eq!(reader.lines(), []);
    assert_eq!(reader.rest(), []);
}

#[test]
fn without_an_index_every_line_is_still_there() {
    let (dir, _capture) = log();
    std::fs::remove_file(dir.path().join(INDEX)).unwrap();
    let mut reader = Reader::open(dir.path(), None);
    let mut lines = reader.lines();
    lines.extend(reader.rest());
    assert_eq!(texts(&lines), ["one", "half", "oops", "last"]);
    assert!(lines.iter().all(|line| line.at.is_none()));
}
