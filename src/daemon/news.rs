//! What files tell: a folder changed, so look what a unit wrote, and pass it on.

use std::time::{Duration, Instant};

use serde_json::json;

use super::history::log_line;
use super::subscribers::{Filter, Topic};
use super::watch::Changed;
use super::world::World;
use crate::id::UnitId;
use crate::record::events::Event;
use crate::wire::reply::LogLine;
use crate::wire::unit::{Logs, Unit};

/// Levels that are lines of a log; the others are what a unit says of itself.
const LOG_LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];

/// Turns before the others get theirs, when all of it is wanted at once.
const CATCH_UP: usize = 64;

/// How long slow readers may hold up the reading of a backlog.
const PATIENCE: Duration = Duration::from_secs(1);

impl World {
    /// Looks at every folder that changed.
    pub(super) fn files_changed(&mut self, changed: Changed) {
        let Changed::Folders(folders) = changed else { return self.poll() };
        for folder in folders {
            if Some(&folder) == self.live.as_ref() {
                self.scan();
            } else if Some(&folder) == self.outbox.as_ref() {
                self.take_outbox();
            } else if let Some(id) = self.folders.get(&folder).cloned() {
                self.refresh(&id);
            }
        }
    }

    /// Looks at everything.
    pub(super) fn poll(&mut self) {
        self.liveness.poll();
        self.scan();
        self.take_outbox();
        self.refresh_all();
    }

    /// Before a listing: what was written before it was asked for is in it.
    pub(super) fn refresh_all(&mut self) {
        for id in self.state.live_ids() {
            self.look_at(&id);
        }
        self.note_ends();
    }

    /// Looks at the records alone: what ended before it was asked for is known.
    pub(super) fn notice_ends(&mut self) {
        for id in self.state.live_ids() {
            if self.tails.get_mut(&id).is_some_and(super::tail::Tail::record_changed) {
                self.judge(&id);
            }
        }
        self.note_ends();
    }

    /// Looks at the record and the logs of one unit.
    pub(super) fn refresh(&mut self, id: &UnitId) {
        self.look_at(id);
        self.note_ends();
    }

    pub(super) fn look_at(&mut self, id: &UnitId) {
        let Some(tail) = self.tails.get_mut(id) else { return };
        if tail.record_changed() {
            self.judge(id);
        }
        self.read_on(id);
    }

    /// Reads all that stands there now, within reason.
    pub(super) fn catch_up(&mut self, id: &UnitId) {
        let hurry = |world: &mut Self, hurries| {
            world.tails.get_mut(id).into_iter().for_each(|tail| tail.hurry(hurries));
        };
        hurry(self, true);
        for _ in 0..CATCH_UP {
            self.read_on(id);
            if !self.behind.contains(id) {
                break;
            }
        }
        hurry(self, false);
    }

    /// Whether backlogs may be read now: those who read are given time, but not for ever.
    pub(super) fn may_read_backlog(&mut self) -> bool {
        if std::mem::take(&mut self.is_resting) {
            return false;
        }
        if !self.subscribers.is_pressed() {
            self.pressed_since = None;
            return true;
        }
        self.pressed_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE
    }

    /// Reads a piece of every backlog.
    pub(super) fn read_backlog(&mut self) {
        let mut any = false;
        for id in self.behind.clone() {
            any |= self.read_on(&id);
        }
        self.is_resting = !any;
    }

    /// Reads the next piece of a unit's logs and passes it on. False when there is more, but not yet.
    pub(super) fn read_on(&mut self, id: &UnitId) -> bool {
        self.follow_output(id);
        let is_heard = self.hear(id);
        let Some(tail) = self.tails.get_mut(id) else { return false };
        let (events, output) = (tail.events(), tail.output());
        let waits = tail.waits() && !is_heard;
        if !events.is_empty()
            && let Some(entry) = self.state.live(id)
            && let Some(folder) = &entry.folder
        {
            self.trims.consider(&entry.unit, folder.path(), tail.events_length());
        }
        if tail.is_behind() || is_heard {
            self.behind.insert(id.clone());
        } else {
            self.behind.remove(id);
        }
        for event in &events {
            self.take_event(id, event);
        }
        let lines = output.into_iter().map(|line| (line.stream, line.text)).collect();
        self.pass_on_output(id, lines);
        if !self.behind.contains(id) && self.ending.contains_key(id) {
            self.is_over(id);
        }
        !waits
    }

    /// Follows or leaves the output of `id`, as its subscribers want.
    pub(super) fn follow_output(&mut self, id: &UnitId) {
        let Some(logs) = self.state.get(id).map(|entry| entry.unit.logs.clone()) else { return };
        self.follow_logs(id, &logs);
    }

    /// Begins to follow the output of `id` for somebody who is about to subscribe.
    pub(super) fn follow_for(&mut self, filter: &Filter, id: &UnitId) {
        let Some(unit) = self.state.get(id).map(|entry| &entry.unit) else { return };
        let Some(tail) = self.tails.get_mut(id).filter(|_| filter.wants_output(unit)) else {
            return;
        };
        if let Some(watched) = &tail.watched {
            self.watch.want_output(watched, true);
        }
        tail.follow_output(&unit.logs);
    }

    /// The same, for `logs` that the record names.
    pub(super) fn follow_logs(&mut self, id: &UnitId, logs: &Logs) {
        let Some(entry) = self.state.get(id) else { return };
        let wanted = self.subscribers.wants_output(&entry.unit);
        let is_monitor = self.monitors.contains_key(id);
        let Some(tail) = self.tails.get_mut(id) else { return };
        if let Some(watched) = &tail.watched {
            self.watch.want_output(watched, wanted || is_monitor);
        }
        if wanted {
            tail.follow_output(logs);
        } else {
            tail.leave_output();
        }
    }

    fn take_event(&mut self, id: &UnitId, event: &Event) {
        if LOG_LEVELS.contains(&event.level.as_str()) {
            let Some(unit) = self.state.get(id).map(|entry| &entry.unit) else { return };
            let line = log_line(unit, "events", event.at.clone(), &event.text);
            let line = LogLine { level: Some(event.level.clone()), ..line };
            self.subscribers.publish(&Topic::about("log_event", unit), || json!(line));
        } else if event.level == "restart" {
            self.tell_restart(id, &event.text);
            self.say(id, event);
        } else {
            self.say(id, event);
        }
    }

    fn pass_on_output(&mut self, id: &UnitId, lines: Vec<(&'static str, String)>) {
        let Some(unit) = self.state.get(id).map(|entry| &entry.unit) else { return };
        let topic = Topic { on_request: !unit.stream_logs, ..Topic::about("log_event", unit) };
        let now = Some(crate::time::now());
        for (stream, text) in lines {
            let line = || json!(log_line(unit, stream, now.clone(), &text));
            self.subscribers.publish(&topic, line);
        }
    }

    /// Lines that their unit will not finish any more.
    pub(super) fn last_words(&mut self, id: &UnitId) {
        let rest = self.tails.get_mut(id).map(super::tail::Tail::rest).unwrap_or_default();
        let lines = rest.into_iter().map(|line| (line.stream, line.text)).collect();
        self.pass_on_output(id, lines);
    }

    /// One line of an agent that has no files.
    pub(super) fn log(&mut self, unit: &Unit, level: &str, text: &str) {
        let at = crate::time::now();
        self.noted(|store| store.add_log(unit.id.as_str(), &at, level, text));
        let line =
            LogLine { level: Some(level.to_owned()), ..log_line(unit, "events", Some(at), text) };
        self.subscribers.publish(&Topic::about("log_event", unit), || json!(line));
    }
}

/// Whether `level` is one that a log line may have.
pub(super) fn is_log_level(level: &str) -> bool {
    LOG_LEVELS.contains(&level)
}
