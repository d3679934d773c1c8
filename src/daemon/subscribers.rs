//! Who follows events, each with a bounded queue of its own.
//!
//! The rule: whose queue holds [`BOUND`] bytes is cut off, at once and alone. Publishing never
//! waits, so nobody who stops reading delays another. Only the reading of a backlog goes at the
//! pace of those who do read (see [`Subscribers::is_pressed`]).

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::id::UnitId;
use crate::wire::frame;
use crate::wire::request::Scope;
use crate::wire::unit::Unit;

/// Bytes that may wait for one subscriber.
pub(super) const BOUND: usize = 4 << 20;
/// Who took nothing for so long is not waited for.
const STALL: Duration = Duration::from_millis(100);

/// An event as it goes over the wire; shared by all who get it.
pub(super) type Frame = Arc<[u8]>;

/// What waits for one subscriber.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
    cut: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Frame>,
    bytes: usize,
    is_cut: bool,
    taken_at: Option<Instant>,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False when this was one too many: the queue is emptied and cut.
    fn push(&self, frame: &Frame) -> bool {
        let mut waiting = self.waiting();
        let full = waiting.bytes + frame.len() > BOUND;
        if full {
            *waiting = Waiting { is_cut: true, ..Waiting::default() };
            self.cut.notify_one();
        } else {
            waiting.bytes += frame.len();
            waiting.frames.push_back(frame.clone());
        }
        self.changed.notify_one();
        !full
    }

    /// The next event; none once the queue was cut.
    pub(super) async fn next(&self) -> Option<Frame> {
        loop {
            {
                let mut waiting = self.waiting();
                if let Some(frame) = waiting.frames.pop_front() {
                    waiting.bytes -= frame.len();
                    waiting.taken_at = Some(Instant::now());
                    return Some(frame);
                }
                if waiting.is_cut {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// More than half full, and being read.
    fn is_pressed(&self) -> bool {
        let waiting = self.waiting();
        waiting.bytes > BOUND / 2 && waiting.taken_at.is_some_and(|at| at.elapsed() < STALL)
    }

    /// Waits until the queue is cut.
    pub(super) async fn until_cut(&self) {
        while !self.waiting().is_cut {
            self.cut.notified().await;
        }
    }
}

/// What one subscriber wants to hear.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) types: Option<Vec<String>>,
    pub(super) unit: Option<UnitId>,
    pub(super) output: bool,
    /// Of signals only those for this session, by whichever of its names, whatever their unit.
    pub(super) session: Option<String>,
    pub(super) scope: Scope,
}

impl Filter {
    fn covers(&self, unit: &UnitId, project: Option<&PathBuf>) -> bool {
        match &self.unit {
            Some(only) => only == unit,
            None => self.scope.all || self.scope.project.as_ref() == project,
        }
    }

    fn wants_type(&self, event_type: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.iter().any(|t| t == event_type))
    }

    fn wants(&self, topic: &Topic<'_>) -> bool {
        if let Some(session) = self.session.as_ref().filter(|_| topic.event_type == "signal") {
            return self.wants_type(topic.event_type) && topic.sessions.contains(session);
        }
        let about = topic.unit.is_none_or(|id| self.covers(id, topic.project));
        about && self.wants_type(topic.event_type) && (self.output || !topic.on_request)
    }

    /// Whether the output of `unit` must be read for this subscriber.
    pub(super) fn wants_output(&self, unit: &Unit) -> bool {
        (self.output || unit.stream_logs)
            && self.wants_type("log_event")
            && self.covers(&unit.id, unit.project.as_ref())
    }
}

/// What an event is and whom it is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Topic<'a> {
    pub(super) event_type: &'a str,
    pub(super) unit: Option<&'a UnitId>,
    pub(super) project: Option<&'a PathBuf>,
    /// Only for those who asked for output.
    pub(super) on_request: bool,
    /// The sessions that a signal is for, by all of their names.
    pub(super) sessions: &'a [String],
}

impl<'a> Topic<'a> {
    /// An event about `unit`.
    pub(super) fn about(event_type: &'a str, unit: &'a Unit) -> Self {
        let project = unit.project.as_ref();
        Self { project, unit: Some(&unit.id), ..Self::to_nobody(event_type) }
    }

    /// An event about no unit, of no project.
    pub(super) fn to_nobody(event_type: &'a str) -> Self {
        Self { event_type, unit: None, project: None, on_request: false, sessions: &[] }
    }
}

/// All subscribers.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    all: Vec<(Filter, Arc<Queue>)>,
    seq: u64,
}

impl Subscribers {
    /// A queue that gets what `filter` wants, after the events of `history`.
    pub(super) fn add(&mut self, filter: Filter, history: Vec<Value>) -> Arc<Queue> {
        let queue = Arc::new(Queue::default());
        for data in history {
            self.seq += 1;
            queue.push(&encode(self.seq, "log_event", &data));
        }
        self.all.push((filter, queue.clone()));
        queue
    }

    /// Tells everybody who wants it. `data` is made only when somebody does.
    pub(super) fn publish(&mut self, topic: &Topic<'_>, data: impl FnOnce() -> Value) {
        self.seq += 1;
        let mut listeners = self.all.iter().filter(|(filter, _)| filter.wants(topic)).peekable();
        if listeners.peek().is_none() {
            return;
        }
        let frame = encode(self.seq, topic.event_type, &data());
        let mut cut = Vec::new();
        for (_, queue) in listeners {
            if !queue.push(&frame) {
                cut.push(Arc::as_ptr(queue));
            }
        }
        if !cut.is_empty() {
            self.all.retain(|(_, queue)| !cut.contains(&Arc::as_ptr(queue)));
        }
    }

    pub(super) fn wants_output(&self, unit: &Unit) -> bool {
        self.all.iter().any(|(filter, _)| filter.wants_output(unit))
    }

    /// Whether somebody who reads has much to read already.
    pub(super) fn is_pressed(&self) -> bool {
        self.all.iter().any(|(_, queue)| queue.is_pressed())
    }

    /// How many there are; those whose connection is gone are forgotten first.
    pub(super) fn count(&mut self) -> usize {
        self.forget_gone();
        self.all.len()
    }

    fn forget_gone(&mut self) {
        self.all.retain(|(_, queue)| Arc::strong_count(queue) > 1);
    }

    /// Sessions that listen, and where they work.
    pub(super) fn sessions(&mut self) -> Vec<(String, Option<PathBuf>)> {
        self.forget_gone();
        let filters = self.all.iter().map(|(filter, _)| filter);
        filters.filter_map(|f| Some((f.session.clone()?, f.scope.project.clone()))).collect()
    }
}

/// An `event` notification. One that does not fit into a frame is told without its data.
fn encode(seq: u64, event_type: &str, data: &Value) -> Frame {
    let event = |data: &Value| {
        json!({ "jsonrpc": "2.0", "method": "event",
            "params": { "seq": seq, "type": event_type, "data": data } })
    };
    let whole = frame::encode(&event(data));
    let bytes = whole.or_else(|_| frame::encode(&event(&json!({ "too_large": true }))));
    bytes.unwrap_or_default().into()
}

/// What a subscriber hears last when it was cut off, if it can still be reached.
pub(super) fn farewell() -> Vec<u8> {
    let reason = format!("cut off: {BOUND} bytes of events waited to be read; subscribe again");
    encode(0, "cut_off", &json!({ "reason": reason })).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::unit::Kind;

    fn everything() -> Filter {
        Filter { scope: Scope { project: None, all: true }, ..Filter::default() }
    }

    #[test]
    fn one_that_does_not_read_is_cut_off_alone() {
        let mut subscribers = Subscribers::default();
        let stalled = subscribers.add(everything(), Vec::new());
        let reader = subscribers.add(everything(), Vec::new());
        let unit = Unit::new(Kind::LocalBash, "x");
        for _ in 0..=BOUND / 1000 {
            subscribers.publish(&Topic::about("log_event", &unit), || json!("x".repeat(1000)));
            assert!(reader.waiting().frames.pop_front().is_some());
            reader.waiting().bytes = 0;
        }
        assert!(stalled.waiting().is_cut);
        assert!(!reader.waiting().is_cut);
        assert_eq!(subscribers.count(), 1);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut subscribers = Subscribers::default();
        let queue = subscribers.add(everything(), Vec::new());
        let unit = Unit::new(Kind::LocalBash, "x");
        for _ in 0..=BOUND / 500_000 {
            let data = || json!("x".repeat(500_000));
            subscribers.publish(&Topic::about("log_event", &unit), data);
        }
        assert!(queue.waiting().is_cut);
        assert_eq!(queue.waiting().bytes, 0);
    }

    #[test]
    fn everyone_hears_what_they_asked_for() {
        let mut unit = Unit::new(Kind::LocalBash, "x");
        unit.project = Some("/a".into());
        let topic = Topic::about("message", &unit);
        let of = |project: &str| Scope { project: Some(project.into()), all: false };
        assert!(Filter { scope: of("/a"), ..Filter::default() }.wants(&topic));
        assert!(!Filter { scope: of("/b"), ..Filter::default() }.wants(&topic));
        assert!(Filter { unit: Some(unit.id.clone()), ..Filter::default() }.wants(&topic));
        let other = Some(vec!["log_event".to_owned()]);
        assert!(!Filter { types: other, ..everything() }.wants(&topic));
        let output = Topic { on_request: true, ..topic };
        assert!(!everything().wants(&output));
        assert!(Filter { output: true, ..everything() }.wants(&output));
    }
}
