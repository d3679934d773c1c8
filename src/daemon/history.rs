//! The end of a unit's log, read from its files: what it logged and what it printed, by time.

use std::path::{Path, PathBuf};

use super::news::is_log_level;
use super::world::World;
use crate::logs::mask::{Mask, Masks};
use crate::record::Folder;
use crate::record::events::log::{Item, Log};
use crate::record::output;
use crate::time;
use crate::wire::frame;
use crate::wire::reply::LogLine;
use crate::wire::unit::Unit;

/// Bytes of lines in one answer: they must fit into a frame, escaped.
const ANSWER_LIMIT: usize = frame::LIMIT / 2;

/// How much of the end of the events is looked at...
const EVENTS_END: u64 = 1 << 20;

/// ...and how much of it at once.
const PIECE: usize = 256 << 10;

/// A line of `unit` without a level.
pub(super) fn log_line(unit: &Unit, stream: &str, at: Option<String>, text: &str) -> LogLine {
    LogLine {
        id: unit.id.to_string(),
        name: unit.name.clone(),
        stream: stream.to_owned(),
        level: None,
        at,
        text: text.to_owned(),
    }
}

impl World {
    /// The last `count` lines of `unit`, oldest first.
    pub(super) fn last_lines(&self, unit: &Unit, count: usize) -> Vec<LogLine> {
        let count = count.min(10_000);
        let Some(folder) = self.folder_of(&unit.id) else {
            let lines = self.noted(|store| store.log_of(unit, count)).unwrap_or_default();
            return within_limit(lines, count);
        };
        let mask = Mask::of(&Folder::at(folder.to_path_buf()));
        let events = last_events(folder.join("events.log"), unit, mask.clone());
        within_limit(merge(events, last_output(folder, unit, count, mask)), count)
    }
}

fn last_output(folder: &Path, unit: &Unit, count: usize, mask: Mask) -> Vec<LogLine> {
    if super::tail::streams(&unit.logs).is_empty() || count == 0 {
        return Vec::new();
    }
    let mut reader = output::Reader::from_tail(folder, None, count);
    let mut lines: Vec<output::Line> = Vec::new();
    loop {
        let more = reader.lines();
        if more.is_empty() {
            break;
        }
        lines.extend(more);
    }
    if unit.status.is_terminal() {
        lines.extend(reader.rest());
    }
    let mut masks = Masks::new(mask);
    let line = |line: output::Line| {
        let at = line.at.map(|at| time::rfc3339(time::from_micros(at)));
        if let Some(gap) = line.gap {
            return log_line(unit, line.stream.word(), None, &gap.to_string());
        }
        let text = String::from_utf8_lossy(&line.bytes);
        let mask = masks.at(line.number, line.stream.word(), &line.bytes);
        let text = mask.line(text.trim_end_matches('\r').into());
        log_line(unit, line.stream.word(), at, &text)
    };
    lines.into_iter().map(line).collect()
}

/// Log lines among the last events.
fn last_events(path: PathBuf, unit: &Unit, mut mask: Mask) -> Vec<LogLine> {
    let mut log = Log::near_end(path, EVENTS_END);
    log.close();
    let mut lines = Vec::new();
    while let Some(items) = log.read(PIECE) {
        lines.extend(items.into_iter().filter_map(|item| told(unit, item, &mut mask)));
    }
    lines
}

fn told(unit: &Unit, item: Item, mask: &mut Mask) -> Option<LogLine> {
    match item {
        Item::Gap(gap) => Some(log_line(unit, "events", None, &gap.to_string())),
        Item::Event(_, event) if is_log_level(&event.level) => {
            let line = log_line(unit, "events", event.at, &mask.lines(&event.text));
            Some(LogLine { level: Some(event.level), ..line })
        }
        Item::Event(..) => None,
    }
}

/// Two logs as one, by time; a line without a time stays with the one before it.
pub(super) fn merge(first: Vec<LogLine>, second: Vec<LogLine>) -> Vec<LogLine> {
    let mut timed: Vec<(String, LogLine)> = Vec::with_capacity(first.len() + second.len());
    for lines in [first, second] {
        let mut latest = String::new();
        for line in lines {
            if let Some(at) = &line.at {
                latest.clone_from(at);
            }
            timed.push((latest.clone(), line));
        }
    }
    timed.sort_by(|a, b| a.0.cmp(&b.0));
    timed.into_iter().map(|(_, line)| line).collect()
}

/// The last `count` lines, fewer when they would not fit into an answer.
fn within_limit(lines: Vec<LogLine>, count: usize) -> Vec<LogLine> {
    let mut room = ANSWER_LIMIT;
    let mut kept: Vec<LogLine> = lines
        .into_iter()
        .rev()
        .take(count)
        .map_while(|line| {
            let size = serde_json::to_vec(&line).map_or(0, |text| text.len() + 1);
            room = room.checked_sub(size)?;
            Some(line)
        })
        .collect();
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::unit::Kind;

    fn lines(unit: &Unit, stream: &str, at: &[Option<&str>]) -> Vec<LogLine> {
        at.iter().map(|at| log_line(unit, stream, at.map(str::to_owned), stream)).collect()
    }

    #[test]
    fn logs_merge_by_time() {
        let unit = Unit::new(Kind::LocalBash, "x");
        let events = lines(&unit, "events", &[Some("1"), None, Some("5")]);
        let output = lines(&unit, "stdout", &[Some("2"), Some("6")]);
        let order: Vec<String> = merge(events, output).into_iter().map(|l| l.stream).collect();
        assert_eq!(order, ["events", "events", "stdout", "events", "stdout"]);
    }

    #[test]
    fn an_answer_has_a_limit() {
        let unit = Unit::new(Kind::LocalBash, "x");
        let long = log_line(&unit, "stdout", None, &"\u{1}".repeat(40_000));
        let kept = within_limit(vec![long; 100], 100);
        assert_eq!(kept.len(), 2);
        assert!(frame::encode(&kept).is_ok());
    }
}
