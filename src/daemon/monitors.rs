//! Monitors: lines of a command become events, a few at a time.
//!
//! Lines that come within a moment are one event. When there are too many, the last ones are told,
//! with the number of those before them. How far the lines were told is kept in the same step as the
//! event, so a daemon that is killed and comes back goes on with the next line.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::store::Progress;
use super::world::World;
use crate::ending;
use crate::id::UnitId;
use crate::kinds::cut;
use crate::logs::Row;
use crate::logs::mask::Mask;
use crate::record::Folder;
use crate::record::index::Stream;
use crate::record::output::{Line, Reader};
use crate::wire::signal::{Attention, StreamEvent};
use crate::wire::unit::{Kind, Unit};

/// Lines that come within this time are told together.
const MOMENT: Duration = Duration::from_millis(200);

/// Lines in one event at most.
const LINES: usize = 50;

/// Bytes of one line that are told.
const LINE_LIMIT: usize = 1 << 10;

/// Bytes of lines in one event at most.
const ROOM: usize = 4 << 10;

/// Events that may come at once...
const BURST: u32 = 20;

/// ...and how long it takes until one more may.
const PAUSE: Duration = Duration::from_secs(1);

/// How long to wait before the database is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// One monitor: what was read of its output and not told yet.
#[derive(Debug)]
pub(super) struct Monitor {
    reader: Reader,
    gatherer: Gatherer,
    /// What was read last was all there is.
    is_through: bool,
    /// Nobody writes any more.
    is_closed: bool,
}

/// Lines on their way to become events. Pure: it is told the time.
#[derive(Debug)]
struct Gatherer {
    progress: Progress,
    mask: Mask,
    lines: VecDeque<String>,
    bytes: usize,
    suppressed: u64,
    /// When the lines are to be told.
    due: Option<Instant>,
    budget: u32,
    /// When the budget was last looked at.
    paid: Instant,
}

impl Gatherer {
    fn new(progress: Progress, mask: Mask, now: Instant) -> Self {
        Self {
            progress,
            mask,
            lines: VecDeque::new(),
            bytes: 0,
            suppressed: 0,
            due: None,
            budget: BURST,
            paid: now,
        }
    }

    fn take(&mut self, line: Line, now: Instant) {
        let is_error = line.stream == Stream::Stderr;
        let (last, events) = match line.gap {
            Some(gap) => (gap.last, (gap.last + 1).saturating_sub(gap.first)),
            None => (line.number, u64::from(!is_error)),
        };
        self.progress.line = self.progress.line.max(last);
        self.progress.events += events;
        let text = cut(&self.mask.line(Row::from(line).text()), LINE_LIMIT);
        let text = if is_error { format!("stderr: {text}") } else { text };
        self.bytes += text.len() + 1;
        self.lines.push_back(text);
        while self.lines.len() > LINES || self.bytes > ROOM {
            self.bytes -= self.lines.pop_front().map_or(0, |text| text.len() + 1);
            self.suppressed += 1;
        }
        let due = now + MOMENT;
        let due = if self.has_budget(now) { due } else { due.max(self.paid + PAUSE) };
        self.due.get_or_insert(due);
    }

    fn has_budget(&mut self, now: Instant) -> bool {
        while self.budget < BURST && now.saturating_duration_since(self.paid) >= PAUSE {
            self.budget += 1;
            self.paid += PAUSE;
        }
        if self.budget == BURST {
            self.paid = now;
        }
        self.budget > 0
    }

    /// Whether the lines are better told at once than pushed out by the next ones.
    fn is_full(&mut self, now: Instant) -> bool {
        (self.lines.len() >= LINES || self.bytes + LINE_LIMIT > ROOM) && self.has_budget(now)
    }

    /// What is to be told now; it stays until [`Gatherer::told`].
    fn event(&self) -> Option<StreamEvent> {
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        let event =
            StreamEvent { line: lines.join("\n"), closing: false, suppressed: self.suppressed };
        (!lines.is_empty()).then_some(event)
    }

    fn told(&mut self, now: Instant) {
        self.has_budget(now);
        self.budget = self.budget.saturating_sub(1);
        (self.bytes, self.suppressed, self.due) = (0, 0, None);
        self.lines.clear();
    }
}

impl World {
    /// Begins to listen to a monitor, after the last line that was told.
    pub(super) fn listen(&mut self, unit: &Unit, folder: &Folder) {
        if unit.kind != Kind::Monitor {
            return;
        }
        let progress = self.noted(|store| store.progress(&unit.id)).unwrap_or_default();
        let reader = Reader::open(folder.path(), None).from_line(progress.line + 1);
        let gatherer = Gatherer::new(progress, Mask::of(folder), Instant::now());
        self.state.heard(&unit.id, progress.events);
        let monitor = Monitor { reader, gatherer, is_through: false, is_closed: false };
        self.monitors.insert(unit.id.clone(), monitor);
    }

    /// Reads the next lines of the monitor `id`. True when there may be more.
    pub(super) fn hear(&mut self, id: &UnitId) -> bool {
        let now = Instant::now();
        let Some(monitor) = self.monitors.get_mut(id) else { return false };
        let lines = monitor.reader.lines();
        monitor.is_through = lines.is_empty();
        for line in lines {
            let Some(monitor) = self.monitors.get_mut(id) else { return false };
            monitor.gatherer.take(line, now);
            if monitor.gatherer.is_full(now) {
                self.tell_lines(id, now);
            }
        }
        let Some(monitor) = self.monitors.get(id) else { return false };
        let (events, is_through) = (monitor.gatherer.progress.events, monitor.is_through);
        self.state.heard(id, events);
        !is_through
    }

    /// When the next lines are to be told.
    pub(super) fn next_lines(&self) -> Option<Instant> {
        self.monitors.values().filter(|m| !m.is_closed).filter_map(|m| m.gatherer.due).min()
    }

    /// Tells the lines whose time has come.
    pub(super) fn tell_due_lines(&mut self) {
        let now = Instant::now();
        let is_due = |monitor: &Monitor| monitor.gatherer.due.is_some_and(|due| due <= now);
        let due = self.monitors.iter().filter(|(_, monitor)| is_due(monitor));
        for id in due.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.tell_lines(&id, now);
        }
    }

    fn tell_lines(&mut self, id: &UnitId, now: Instant) {
        let Some(monitor) = self.monitors.get(id) else { return };
        let Some(event) = monitor.gatherer.event() else { return };
        let progress = monitor.gatherer.progress;
        self.state.heard(id, progress.events);
        let kept = self.emit_event(id, progress, Attention::Now, event);
        let Some(monitor) = self.monitors.get_mut(id) else { return };
        if kept {
            monitor.gatherer.told(now);
        } else {
            monitor.gatherer.due = Some(now + RETRY);
        }
    }

    /// The monitor `id` has ended: what stands there now is all of it.
    pub(super) fn close_monitor(&mut self, id: &UnitId) {
        if let Some(monitor) = self.monitors.get_mut(id) {
            monitor.reader.close();
            monitor.is_closed = true;
        }
    }

    /// Takes in the line that the monitor `id` did not finish, and forgets the monitor. Returns what
    /// was not told yet: it is told together with the end.
    pub(super) fn last_events(&mut self, id: &UnitId) -> Vec<StreamEvent> {
        let Some(mut monitor) = self.monitors.remove(id) else { return Vec::new() };
        for line in monitor.reader.rest() {
            monitor.gatherer.take(line, Instant::now());
        }
        self.state.heard(id, monitor.gatherer.progress.events);
        monitor.gatherer.event().into_iter().collect()
    }
}

/// The last event of a monitor that ended as `unit` tells.
pub(super) fn closing(unit: &Unit) -> StreamEvent {
    let count = unit.metadata.get("event_count").and_then(serde_json::Value::as_u64).unwrap_or(0);
    let how = ending::words(unit.exit_code, unit.signal);
    let lines = if count == 1 { "line" } else { "lines" };
    let line = format!("{}: {how}, after {count} {lines}", unit.status.word());
    StreamEvent { line, closing: true, suppressed: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::gap::{Cause, Gap};

    fn line(number: u64, stream: Stream, text: &str) -> Line {
        Line::whole(number, stream, text)
    }

    #[test]
    fn lines_of_a_moment_are_one_event() {
        let now = Instant::now();
        let mut gatherer = Gatherer::new(Progress::default(), Mask::default(), now);
        gatherer.take(line(1, Stream::Stdout, "one"), now);
        gatherer.take(line(2, Stream::Stderr, "oops"), now + MOMENT / 2);
        assert_eq!(gatherer.due, Some(now + MOMENT));
        let event = gatherer.event().unwrap();
        assert_eq!((event.line.as_str(), event.suppressed), ("one\nstderr: oops", 0));
        assert_eq!(gatherer.progress, Progress { line: 2, events: 1 });
        gatherer.told(now);
        assert_eq!((gatherer.event(), gatherer.due), (None, None));
    }

    #[test]
    fn too_many_lines_are_counted_and_the_last_are_told() {
        let now = Instant::now();
        let mut gatherer = Gatherer::new(Progress::default(), Mask::default(), now);
        let mut told = 0;
        for number in 1..=10_000 {
            gatherer.take(line(number, Stream::Stdout, &format!("line {number}")), now);
            if gatherer.is_full(now) {
                told += u64::try_from(gatherer.lines.len()).unwrap();
                gatherer.told(now);
            }
        }
        let event = gatherer.event().unwrap();
        assert_eq!(gatherer.due, Some(now + PAUSE), "the burst is spent");
        assert!(event.line.ends_with("line 10000"));
        let last = u64::try_from(event.line.lines().count()).unwrap();
        assert_eq!(told + event.suppressed + last, 10_000);
        assert_eq!(told, u64::from(BURST) * 50);
        gatherer.told(now + PAUSE);
        gatherer.take(line(10_001, Stream::Stdout, "x"), now + 30 * PAUSE);
        assert_eq!(gatherer.due, Some(now + 30 * PAUSE + MOMENT), "and comes back");
    }

    #[test]
    fn lines_that_are_missing_are_told_and_counted() {
        let now = Instant::now();
        let mut gatherer = Gatherer::new(Progress::default(), Mask::default(), now);
        let gap = Gap { first: 1, last: 70, bytes: 999, cause: Cause::Bound };
        let mut missing = line(1, Stream::Output, "");
        missing.gap = Some(gap);
        gatherer.take(missing, now);
        gatherer.take(line(71, Stream::Stdout, "x"), now);
        assert_eq!(gatherer.progress, Progress { line: 71, events: 71 });
        let event = gatherer.event().unwrap();
        assert!(event.line.starts_with("... lines 1 to 70 (999 B) were dropped"), "{event:?}");
    }

    #[test]
    fn an_event_is_bounded() {
        let now = Instant::now();
        let mut gatherer = Gatherer::new(Progress::default(), Mask::default(), now);
        for number in 1..=100 {
            gatherer.take(line(number, Stream::Stdout, &"é".repeat(50_000)), now);
            assert!(gatherer.event().unwrap().line.len() <= ROOM);
        }
    }
}
