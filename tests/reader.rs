//! Reading output back agrees with a simple model, whatever was written when, and whatever became
//! of the index.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

use std::fs;
use std::io::Write;
use std::path::Path;

use idlergear::config::Bounds;
use idlergear::record::index::{Entry, INDEX, Stream};
use idlergear::record::output::{Line, Reader};
use idlergear::run::capture::Capture;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// One write of the command: when, where, what.
#[derive(Debug, Clone)]
struct Chunk {
    at: u64,
    stream: Stream,
    bytes: Vec<u8>,
}

/// What a line is to a reader: number, stream, time, text.
type Seen = (u64, Stream, Option<u64>, String);

fn write(folder: &Path, chunks: &[Chunk]) {
    let mut line = 0;
    for (number, chunk) in (0..).zip(chunks) {
        let path = folder.join(chunk.stream.file());
        let offset = fs::metadata(&path).map_or(0, |meta| meta.len());
        append(&path, &chunk.bytes);
        let len = u32::try_from(chunk.bytes.len()).unwrap();
        let entry = Entry { at: chunk.at, offset, line, len, stream: chunk.stream };
        append(&folder.join(INDEX), &entry.encode(number));
        line += chunk.bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
    }
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// All lines, the simple way. The last value says where unfinished ones begin.
fn model(chunks: &[Chunk]) -> Vec<Seen> {
    let mut open: [Option<(u64, String)>; 3] = [None, None, None];
    let mut lines: Vec<Seen> = Vec::new();
    for chunk in chunks {
        for byte in &chunk.bytes {
            let slot = &mut open[chunk.stream as usize];
            let (at, text) = slot.get_or_insert((0, String::new()));
            *at = chunk.at;
            if *byte == b'\n' {
                let (at, text) = slot.take().unwrap();
                lines.push((lines.len() as u64 + 1, chunk.stream, Some(at), text));
            } else {
                text.push(char::from(*byte));
            }
        }
    }
    for (stream, open) in Stream::ALL.into_iter().zip(open) {
        if let Some((at, text)) = open {
            lines.push((lines.len() as u64 + 1, stream, Some(at), text));
        }
    }
    lines
}

fn read(reader: Reader) -> Vec<Seen> {
    seen(&all(reader))
}

fn seen(lines: &[Line]) -> Vec<Seen> {
    let text = |line: &Line| String::from_utf8(line.bytes.clone()).unwrap();
    lines.iter().map(|line| (line.number, line.stream, line.at, text(line))).collect()
}

fn closed(folder: &Path, only: Option<Stream>) -> Reader {
    let mut reader = Reader::open(folder, only);
    reader.close();
    reader
}

fn chunks() -> impl Strategy<Value = Vec<Chunk>> {
    let stream = prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)];
    let chunk = (0..3_u64, stream, "[abc\n]{1,9}");
    prop::collection::vec(chunk, 0..30).prop_map(|parts| {
        let mut at = 1;
        let chunk = |(later, stream, text): (u64, Stream, String)| {
            at += later;
            Chunk { at, stream, bytes: text.into_bytes() }
        };
        parts.into_iter().map(chunk).collect()
    })
}

/// What may happen to the bytes of a file.
#[derive(Debug, Clone)]
enum Damage {
    /// These are others, in these places.
    Bytes(Vec<(usize, u8)>),
    /// Entries stand in each other's place.
    Swapped(usize, usize),
    /// From there on there is something else, or more of it.
    Filled(usize, u8, usize),
    /// An entry is missing, and all after it have moved.
    Missing(usize),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let all = bytes.len().max(1);
        let entries = (bytes.len() / Entry::SIZE).max(1);
        match self {
            _ if bytes.is_empty() => {}
            Self::Bytes(changes) => {
                for (at, mask) in changes {
                    bytes[at % all] ^= mask;
                }
            }
            Self::Swapped(one, other) => {
                let (one, other) = (one % entries * Entry::SIZE, other % entries * Entry::SIZE);
                (0..Entry::SIZE).for_each(|at| bytes.swap(one + at, other + at));
            }
            Self::Filled(from, byte, more) => {
                bytes[from % all..].fill(*byte);
                bytes.resize(all + more, *byte);
            }
            Self::Missing(entry) => {
                let start = entry % entries * Entry::SIZE;
                bytes.drain(start..start + Entry::SIZE);
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let changes = prop::collection::vec((any::<usize>(), 1..=255_u8), 1..4);
    let byte = prop_oneof![Just(0), Just(255), any::<u8>()];
    prop_oneof![
        4 => changes.prop_map(Damage::Bytes),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(one, other)| Damage::Swapped(one, other)),
        1 => (any::<usize>(), byte, 0..99_usize).prop_map(|(at, byte, more)| Damage::Filled(at, byte, more)),
        1 => any::<usize>().prop_map(Damage::Missing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 64, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default()
    })]

    #[test]
    fn every_way_in_agrees_with_the_model(
        chunks in chunks(),
        count in 0..12_usize,
        at in 0..40_u64,
        number in 1..40_u64,
        stream in prop_oneof![Just(None), Just(Some(Stream::Stdout)), Just(Some(Stream::Stderr))],
    ) {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &chunks);
        let mut all = model(&chunks);
        all.retain(|line| stream.is_none_or(|only| only == line.1));
        let reader = || closed(dir.path(), stream);
        prop_assert_eq!(&read(reader()), &all);
        let last = all.len().saturating_sub(count);
        prop_assert_eq!(&read(reader().tail(count)), &all[last..]);
        let from = |keep: &dyn Fn(&Seen) -> bool| all.iter().filter(|l| keep(l)).cloned().collect::<Vec<_>>();
        prop_assert_eq!(read(reader().since(at)), from(&|line| line.2 >= Some(at)));
        prop_assert_eq!(read(reader().until(at)), from(&|line| line.2 <= Some(at)));
        prop_assert_eq!(read(reader().from_line(number)), from(&|line| line.0 >= number));
    }

    /// The end of the index is gone, or all of it: no line is.
    #[test]
    fn a_short_index_loses_no_line(chunks in chunks(), keep in 0..40_usize, torn in 0..32_usize, count in 0..9_usize) {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &chunks);
        let index = dir.path().join(INDEX);
        if let Ok(bytes) = fs::read(&index) {
            let length = (keep * Entry::SIZE + torn).min(bytes.len());
            fs::write(&index, &bytes[..length]).unwrap();
        }
        let seen = read(closed(dir.path(), None));
        let texts = |lines: &[Seen], only| -> Vec<String> {
            lines.iter().filter(|line| line.1 == only).map(|line| line.3.clone()).collect()
        };
        for stream in [Stream::Stdout, Stream::Stderr] {
            prop_assert_eq!(texts(&seen, stream), texts(&model(&chunks), stream));
        }
        let numbers: Vec<u64> = seen.iter().map(|line| line.0).collect();
        prop_assert_eq!(numbers, (1..=seen.len() as u64).collect::<Vec<_>>());
        let last = seen.len().saturating_sub(count);
        prop_assert_eq!(&read(closed(dir.path(), None).tail(count)), &seen[last..]);
        fs::remove_file(&index).ok();
        let without = read(closed(dir.path(), None));
        prop_assert_eq!(without.len(), seen.len());
        prop_assert!(without.iter().all(|line| line.2.is_none()));
    }

    /// Whatever became of the bytes of the index: every line comes once, in the order of its stream,
    /// and no end has more or fewer of them than were asked for.
    #[test]
    fn a_damaged_index_loses_no_line(
        chunks in chunks(),
        damage in damage(),
        count in 0..9_usize,
        number in 1..40_u64,
        live in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &chunks);
        let index = dir.path().join(INDEX);
        if let Ok(mut bytes) = fs::read(&index) {
            damage.apply(&mut bytes);
            fs::write(&index, bytes).unwrap();
        }
        let all = model(&chunks);
        let of = |lines: &[Seen], only| -> Vec<String> {
            lines.iter().filter(|line| line.1 == only).map(|line| line.3.clone()).collect()
        };
        let seen = if live {
            // Somebody who follows it, and reads on when it has ended.
            let mut reader = Reader::open(dir.path(), None);
            let mut lines = reader.lines();
            lines.extend(reader.lines());
            reader.close();
            lines.extend(self::all(reader));
            seen(&lines)
        } else {
            read(closed(dir.path(), None))
        };
        let known = |line: &Seen| line.2.is_none() || all.contains(line);
        let wrong = seen.iter().find(|line| !known(line));
        prop_assert!(wrong.is_none(), "a time or a number that was never written: {:?}", wrong);
        let tail = read(closed(dir.path(), None).tail(count));
        prop_assert_eq!(tail.len(), count.min(all.len()));
        let from = read(closed(dir.path(), None).from_line(number));
        prop_assert_eq!(from.len(), (all.len() + 1).saturating_sub(usize::try_from(number).unwrap()));
        for stream in [Stream::Stdout, Stream::Stderr] {
            let whole = of(&all, stream);
            prop_assert_eq!(of(&seen, stream), &whole[..]);
            prop_assert!(whole.ends_with(&of(&tail, stream)));
            prop_assert!(whole.ends_with(&of(&from, stream)));
            prop_assert_eq!(of(&read(closed(dir.path(), Some(stream))), stream), whole);
        }
    }

    #[test]
    fn pieces_of_a_long_line_are_all_of_it(lengths in prop::collection::vec(0..200_000_usize, 1..6)) {
        let dir = tempfile::tempdir().unwrap();
        let at = 1;
        let bytes = |length: &usize| [vec![b'x'; *length], b"\n".to_vec()].concat();
        let chunk = |bytes: &[u8]| Chunk { at, stream: Stream::Stdout, bytes: bytes.to_vec() };
        let all: Vec<u8> = lengths.iter().flat_map(bytes).collect();
        write(dir.path(), &all.chunks(4096).map(chunk).collect::<Vec<_>>());
        let mut reader = closed(dir.path(), None).in_pieces();
        let mut back = Vec::new();
        loop {
            let lines = reader.lines();
            if lines.is_empty() {
                break;
            }
            for line in lines {
                back.extend_from_slice(&line.bytes);
                back.extend(line.ended.then_some(b'\n'));
            }
        }
        prop_assert!(back == all);
        let whole = lengths.iter().map(|length| *length as u64);
        let mut reader = closed(dir.path(), None);
        let mut told = Vec::new();
        loop {
            let lines = reader.lines();
            if lines.is_empty() {
                break;
            }
            told.extend(lines.iter().map(|line| line.bytes.len() as u64 + line.cut));
        }
        prop_assert_eq!(told, whole.collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 48, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default()
    })]

    /// A log that was cut in its middle: every line has its own number, and the gap has all others.
    #[test]
    fn a_cut_log_has_right_numbers_and_one_gap(
        last in 0..3000_u64,
        sizes in prop::collection::vec(1..90_usize, 1..20),
        most in 500..9000_u64,
        count in 1..50_usize,
        number in 1..3000_u64,
        lost in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let bounds = Bounds { max_run_bytes: most, head_bytes: most / 3, min_free_bytes: 0 };
        let mut capture = Capture::new(Some(dir.path()), &bounds);
        let text: String = (1..=last).fold(String::new(), |text, n| text + &n.to_string() + "\n");
        let mut rest = text.as_bytes();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            // A chunk has whole lines, so that none is cut in two.
            let end = rest.iter().skip(*size).position(|byte| *byte == b'\n');
            let (chunk, after) = rest.split_at(end.map_or(rest.len(), |end| size + end + 1));
            capture.store(Stream::Stdout, chunk);
            rest = after;
        }
        let dropped = |reader: Reader| -> (Vec<u64>, u64) {
            let (mut numbers, mut missing) = (Vec::new(), 0);
            for line in all(reader) {
                if let Some(gap) = line.gap {
                    missing += gap.last + 1 - gap.first;
                    continue;
                }
                assert_eq!(String::from_utf8(line.bytes).unwrap(), line.number.to_string());
                numbers.push(line.number);
            }
            (numbers, missing)
        };
        let (kept, missing) = dropped(closed(dir.path(), None));
        prop_assert_eq!(kept.len() as u64 + missing, last);
        prop_assert!(kept.is_sorted());
        let end = kept.len().saturating_sub(count);
        prop_assert_eq!(&dropped(closed(dir.path(), None).tail(count)).0, &kept[end..]);
        let from: Vec<u64> = kept.iter().copied().filter(|n| *n >= number).collect();
        prop_assert_eq!(dropped(closed(dir.path(), None).from_line(number)).0, from);
        if lost && missing == 0 {
            for file in fs::read_dir(dir.path()).unwrap().flatten() {
                if file.file_name().to_str().unwrap().starts_with(INDEX) {
                    fs::remove_file(file.path()).unwrap();
                }
            }
            prop_assert_eq!(dropped(closed(dir.path(), None)).0, kept);
        }
    }
}

fn all(mut reader: Reader) -> Vec<Line> {
    reader.close();
    let mut lines = Vec::new();
    loop {
        let more = reader.lines();
        if more.is_empty() {
            break;
        }
        lines.extend(more);
    }
    lines.extend(reader.rest());
    lines
}

/// A line that goes on in the next piece of a long log is one line to everybody, also to who was
/// there before.
#[test]
fn a_line_across_pieces_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Bounds { max_run_bytes: 9000, head_bytes: 1000, min_free_bytes: 0 };
    let mut capture = Capture::new(Some(dir.path()), &bounds);
    let mut follower = Reader::open(dir.path(), None);
    capture.store(Stream::Stdout, &[[b'x'; 99].as_slice(), b"\n"].concat().repeat(10));
    capture.store(Stream::Stdout, b"REA");
    assert_eq!(follower.lines().len(), 10);
    capture.store(Stream::Stdout, b"D");
    assert!(fs::read_dir(dir.path()).unwrap().count() > 2, "it went on in another piece");
    assert_eq!(follower.lines(), []);
    assert_eq!(follower.unfinished()[0].bytes, b"READ");
    capture.store(Stream::Stdout, b"Y\n");
    assert_eq!(follower.lines()[0].bytes, b"READY");
    assert_eq!(read(closed(dir.path(), None)).last().unwrap().3, "READY");
}
