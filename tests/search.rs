//! Searching whole blocks of a log finds what asking each of its lines finds.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

use std::path::Path;

use idlergear::config::Bounds;
use idlergear::logs::search::Pattern;
use idlergear::logs::{Row, Sieve, Wish};
use idlergear::record::index::Stream;
use idlergear::record::output::{Line, Reader};
use idlergear::run::capture::Capture;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Patterns that could go wrong over many lines: ends of texts and lines, classes that hold a
/// newline, literals with one, flags, counts, bytes.
const PATTERNS: [&str; 30] = [
    "a",
    "^a",
    "a$",
    "^$",
    "",
    r"\Aa",
    r"a\z",
    r"a\s",
    r"a\sb",
    "[^b]b",
    "(?s)a.*b",
    "(?s).a",
    r"\bab\b",
    r"\Ba",
    "(?m)^b|a$",
    "(?-m)^a",
    "(?i)A+B",
    r"a\nb",
    r"a\rb",
    "a.b",
    "(?R)a$",
    r"\W",
    "é",
    r"(?-u)\xc3",
    "(a|b){2,3}$",
    r"^\s*$",
    "(?x) a # b",
    "100%$",
    r"\x1b",
    "more]$",
];

fn texts() -> impl Strategy<Value = Vec<(bool, Vec<u8>)>> {
    let piece = prop_oneof![
        40 => "[ab\n ]{1,12}".prop_map(String::into_bytes),
        15 => Just(b"b a\r\n".to_vec()),
        10 => Just(b"50%\r100%".to_vec()),
        10 => Just(b"\x1b[31ma\x1b[0mb".to_vec()),
        10 => Just("é\u{202e}a\r\n".as_bytes().to_vec()),
        5 => Just(b"\xff\0a\x07\r".to_vec()),
        5 => Just(b"\n\n\r\n\r\r\n".to_vec()),
        1 => (60_000..70_000_usize).prop_map(|length| vec![b'a'; length]),
    ];
    prop::collection::vec((any::<bool>(), piece), 0..60)
}

/// A small `bound` makes gaps.
fn write(folder: &Path, texts: &[(bool, Vec<u8>)], bound: u64) {
    let bounds = Bounds { max_run_bytes: bound, head_bytes: bound / 4, min_free_bytes: 0 };
    let mut capture = Capture::new(Some(folder), &bounds);
    for (is_error, text) in texts {
        let stream = if *is_error { Stream::Stderr } else { Stream::Stdout };
        capture.store(stream, text);
    }
}

fn wanted(pattern: &str, lines: Vec<Line>) -> Vec<Row> {
    let wish = Wish { grep: Some(pattern.to_owned()), ..Wish::default() };
    let mut sieve = Sieve::new(&wish).unwrap();
    let mut shown = Vec::new();
    for line in lines {
        sieve.take(Row::from(line), &mut shown);
    }
    shown
}

fn all(mut reader: Reader, mut next: impl FnMut(&mut Reader) -> Vec<Line>) -> Vec<Line> {
    reader.close();
    let mut lines = Vec::new();
    loop {
        let batch = next(&mut reader);
        if batch.is_empty() {
            break;
        }
        lines.extend(batch);
    }
    lines.extend(reader.rest());
    lines
}

/// From line `first - 20` on, or from the beginning.
fn open(folder: &Path, only: Option<Stream>, first: u64, in_pieces: bool) -> Reader {
    let reader = Reader::open(folder, only);
    let reader = if first > 20 { reader.from_line(first - 20) } else { reader };
    if in_pieces { reader.in_pieces() } else { reader }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 32, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default()
    })]

    #[test]
    fn blocks_and_lines_agree(
        texts in texts(),
        only in prop_oneof![Just(None), Just(Some(Stream::Stdout))],
        first in 1..40_u64,
        in_pieces in any::<bool>(),
        bound in prop_oneof![Just(0), 100..2000_u64],
    ) {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &texts, bound);
        let open = || open(dir.path(), only, first, in_pieces);
        for pattern in PATTERNS {
            let search = Pattern::new(pattern).unwrap();
            let mut one_by_one = wanted(pattern, all(open(), Reader::lines));
            let mut at_once = wanted(pattern, all(open(), |reader| reader.lines_of(&search)));
            // Pieces of a line that goes on may share number and moment with another stream's line.
            for rows in [&mut one_by_one, &mut at_once] {
                let whole = rows.iter().filter(|row| row.ended).map(|row| row.number);
                prop_assert!(whole.is_sorted(), "{}", pattern);
                rows.sort_by_key(|row| (row.number, row.stream));
            }
            prop_assert_eq!(at_once, one_by_one, "{}", pattern);
        }
    }

    /// Many lines that come as one are those that come one by one.
    #[test]
    fn passages_and_lines_agree(
        texts in texts(),
        only in prop_oneof![Just(None), Just(Some(Stream::Stdout))],
        first in 1..40_u64,
        in_pieces in any::<bool>(),
        plain in any::<bool>(),
        bound in prop_oneof![Just(0), 100..2000_u64],
    ) {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &texts, bound);
        let open = || open(dir.path(), only, first, in_pieces);
        let bytes = |lines: Vec<Line>| -> Vec<u8> {
            lines.into_iter().flat_map(|line| [line.bytes, vec![b'\n'; line.ended.into()]].concat()).collect()
        };
        let is_plain = |text: &[u8]| !plain || idlergear::neutral::is_plain(text);
        let together = all(open(), |reader| reader.passages(&is_plain));
        let last = together.last().map(|line| (line.number, line.at, line.stream));
        let one_by_one = all(open(), Reader::lines);
        prop_assert_eq!(last, one_by_one.last().map(|line| (line.number, line.at, line.stream)));
        prop_assert!(bytes(together) == bytes(one_by_one));
    }
}

#[test]
fn a_log_of_whole_lines_is_bounded_too() {
    let dir = tempfile::tempdir().unwrap();
    let line = (false, b"one whole line of a log\n".to_vec());
    write(dir.path(), &vec![line; 1000], 4000);
    let kept = std::fs::read_dir(dir.path()).unwrap().flatten();
    let kept: u64 = kept.map(|entry| entry.metadata().unwrap().len()).sum();
    assert!(kept < 5000, "{kept} bytes");
    let lines = all(Reader::open(dir.path(), None), Reader::lines);
    assert!(lines.iter().any(|line| line.gap.is_some()));
    assert_eq!(lines.last().unwrap().number, 1000);
}
