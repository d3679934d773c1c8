//! The one owner of everything the daemon knows: state, store, files, processes, subscribers.
//!
//! It is only ever used by one task and never waits. A transition happens in [`State`], is kept in
//! [`Store`], and then told: queue first, then notify.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use serde_json::{Value, json};

use super::journal::note;
use super::kinds::Seen;
use super::leases::Leases;
use super::live::{self, Found};
use super::liveness::Liveness;
use super::monitors::Monitor;
use super::signals;
use super::state::{Change, State};
use super::store::Store;
use super::subscribers::{Subscribers, Topic};
use super::tail::Tail;
use super::watch::Watch;
use crate::id::UnitId;
use crate::record::Folder;
use crate::record::events::Event;
use crate::wire::unit::{Status, Unit};
use crate::{os, paths, private, stop, time};

/// See the module.
#[derive(Debug)]
pub(super) struct World {
    pub(super) state: State,
    pub(super) store: Store,
    pub(super) subscribers: Subscribers,
    /// Signals on their way to sessions.
    pub(super) leases: Leases,
    /// Live monitors, and what was not told yet of what they wrote.
    pub(super) monitors: HashMap<UnitId, Monitor>,
    pub(super) watch: Watch,
    pub(super) liveness: Liveness,
    pub(super) tails: HashMap<UnitId, Tail>,
    /// Whose folder a watched folder is.
    pub(super) folders: HashMap<PathBuf, UnitId>,
    /// Units whose files hold more than was read in one turn.
    pub(super) behind: BTreeSet<UnitId>,
    /// Units that have ended, as their record says, and whose last lines are still being read.
    pub(super) ending: HashMap<UnitId, Option<Unit>>,
    /// Since when the reading of backlogs waits for slow readers.
    pub(super) pressed_since: Option<Instant>,
    /// The name of `live/` in news.
    pub(super) live: Option<PathBuf>,
    pub(super) started_at: String,
    pub(super) socket: PathBuf,
    pub(super) stopping: bool,
}

impl World {
    pub(super) fn new(store: Store, liveness: Liveness, leases: Leases) -> Self {
        Self {
            state: State::default(),
            store,
            subscribers: Subscribers::default(),
            leases,
            monitors: HashMap::new(),
            watch: Watch::new(),
            liveness,
            tails: HashMap::new(),
            folders: HashMap::new(),
            behind: BTreeSet::new(),
            ending: HashMap::new(),
            pressed_since: None,
            live: None,
            started_at: time::now(),
            socket: PathBuf::new(),
            stopping: false,
        }
    }

    /// Finds everybody again after a start.
    pub(super) fn wake(&mut self) {
        for dir in [paths::live_dir(), paths::inbox_dir()] {
            if let Err(error) = private::dir(&dir) {
                note(format_args!("cannot make `{}`: {error}", dir.display()));
            }
        }
        self.noted(Store::drop_old_logs);
        self.remember();
        for unit in self.noted(Store::agents).unwrap_or_default() {
            self.register(unit, None);
        }
        self.live = self.watch.add(&paths::live_dir());
        self.scan();
        self.correct_marks();
        self.forget_lost();
    }

    /// What is kept for units that went without an end: their folder was removed.
    fn forget_lost(&self) {
        for id in self.noted(Store::followed).unwrap_or_default() {
            if self.state.live(&id).is_none() && !live::is_linked(&id) {
                self.noted(|store| store.unfollow(id.as_str()));
            }
        }
    }

    /// What earlier lives of the daemon knew and no file tells.
    fn remember(&mut self) {
        for (id, alerts) in self.noted(Store::alerts).unwrap_or_default() {
            self.state.set_alerts(&id, alerts);
        }
        for end in self.noted(Store::ends).unwrap_or_default() {
            let changes = self.state.restore(end.unit, end.folder.map(Folder::at));
            self.tell(changes);
        }
    }

    fn correct_marks(&mut self) {
        for id in live::marked() {
            let live = UnitId::parse(&id).is_some_and(|id| self.state.live(&id).is_some());
            if !live {
                live::mark_inbox(&id, false);
            }
        }
        for id in self.state.live_ids() {
            self.mark(&id);
        }
    }

    /// Makes the mark of `id` say whether messages wait for it.
    pub(super) fn mark(&self, id: &UnitId) {
        let waiting = self.state.live(id).is_some() && self.store.has_unread(id.as_str());
        live::mark_inbox(id.as_str(), waiting);
    }

    /// Takes in units that were linked since the last look.
    pub(super) fn scan(&mut self) {
        for id in live::ids() {
            if self.state.live(&id).is_some() {
                continue;
            }
            match live::look(id) {
                Found::Record(unit, folder) => self.adopt(*unit, folder),
                Found::Dangling(id) => live::unlink(&id),
                Found::Unreadable => {}
            }
        }
    }

    fn adopt(&mut self, unit: Unit, folder: Folder) {
        let id = unit.id.clone();
        if let Some(entry) = self.state.get(&id).filter(|e| e.unit.status.is_terminal()) {
            // We know of this end; only the link was left, or the end could not be kept then.
            let unit = entry.unit.clone();
            if self.note_end(&unit, Vec::new()) {
                live::unlink(&id);
            }
            return;
        }
        let mut tail = Tail::new(folder.clone());
        tail.is_new = true;
        tail.watched = self.watch.add(folder.path());
        if let Some(watched) = &tail.watched {
            self.folders.insert(watched.clone(), id.clone());
        }
        self.tails.insert(id.clone(), tail);
        // One that ended meanwhile is let in alive: its record tells the end right after.
        let status = if unit.status.is_terminal() { Status::Running } else { unit.status };
        let unit = Unit { status, ..unit };
        self.listen(&unit, &folder);
        self.register(unit, Some(folder));
        self.refresh(&id);
        self.catch_up(&id);
    }

    /// Puts a live unit in and watches its processes.
    pub(super) fn register(&mut self, unit: Unit, folder: Option<Folder>) {
        let id = unit.id.clone();
        if let Some(session) = signals::owner(&unit) {
            let started = time::parse(&unit.started_at).unwrap_or(SystemTime::UNIX_EPOCH);
            self.touch(session, unit.project.as_deref(), started);
        }
        if self.state.get(&id).is_some() {
            self.noted(|store| store.forget_end(&id));
        }
        let changes = self.state.register(unit, folder);
        self.tell(changes);
        self.follow_output(&id);
        self.watch_processes(&id);
        self.judge(&id);
    }

    pub(super) fn watch_processes(&mut self, id: &UnitId) {
        let Some(entry) = self.state.live(id) else { return };
        let processes: Vec<os::Identity> =
            [&entry.unit.process, &entry.unit.runner].into_iter().flatten().cloned().collect();
        self.liveness.watch(id, &processes.iter().collect::<Vec<_>>());
    }

    /// A process of `id` ended, or its record changed: has the unit ended? Its record says so, or
    /// its processes do: while its runner lives, the runner has the word.
    pub(super) fn judge(&mut self, id: &UnitId) {
        if self.ending.contains_key(id) {
            return;
        }
        let Some(entry) = self.state.live(id) else { return };
        let (process, runner) = (entry.unit.process.clone(), entry.unit.runner.clone());
        let lives = [process, runner].iter().flatten().any(os::Identity::is_alive);
        // Looked at after the processes: the last thing a runner does is to write it.
        let record = entry.folder.as_ref().and_then(|folder| folder.load().ok());
        if let Some(record) = &record {
            // A unit of a moment may have ended before we knew where its output goes.
            self.follow_logs(id, &record.logs);
        }
        match record {
            Some(record) if record.status.is_terminal() => self.end(id, Some(record)),
            _ if !lives => self.end(id, None),
            Some(record) => self.reload(id, record),
            None => {}
        }
    }

    fn reload(&mut self, id: &UnitId, record: Unit) {
        let changes = self.state.reload(record);
        if !changes.is_empty() {
            self.tell(changes);
            self.watch_processes(id);
        }
    }

    /// Notes the end of `id`, once the lines that stand there now were read.
    pub(super) fn end(&mut self, id: &UnitId, last: Option<Unit>) {
        if let Some(tail) = self.tails.get_mut(id) {
            tail.close();
        }
        self.close_monitor(id);
        self.catch_up(id);
        self.ending.entry(id.clone()).or_insert(last);
        if !self.behind.contains(id) {
            self.finish(id);
        }
    }

    /// The end of `id`: its last words first, then the end, then nothing is left behind.
    pub(super) fn finish(&mut self, id: &UnitId) {
        let Some(last) = self.ending.remove(id) else { return };
        self.last_words(id);
        let words = self.last_events(id);
        let folder = self.state.get(id).and_then(|entry| entry.folder.clone());
        let changes = self.state.end(id, last, time::now());
        self.liveness.forget(id);
        self.forget_files(id);
        let unit = self.state.get(id).map(|entry| entry.unit.clone());
        // Its runner removes it, unless it was killed itself.
        unit.iter().for_each(stop::cgroup::remove);
        let is_kept = unit.is_none_or(|unit| self.note_end(&unit, words));
        if folder.is_none() && is_kept {
            self.noted(|store| store.end_agent(id.as_str()));
        }
        self.noted(|store| store.close_inbox(id.as_str()));
        live::mark_inbox(id.as_str(), false);
        if is_kept {
            live::unlink(id);
        }
        self.tell(changes);
    }

    fn forget_files(&mut self, id: &UnitId) {
        self.behind.remove(id);
        if let Some(watched) = self.tails.remove(id).and_then(|tail| tail.watched) {
            self.watch.remove(&watched);
            self.folders.remove(&watched);
        }
    }

    /// It said something of itself.
    pub(super) fn say(&mut self, id: &UnitId, event: &Event) {
        let changes = self.state.say(id, event);
        self.tell(changes);
    }

    /// Runs a query. What fails is told in the daemon's log; the daemon goes on.
    pub(super) fn noted<T>(&self, query: impl FnOnce(&Store) -> rusqlite::Result<T>) -> Option<T> {
        query(&self.store).map_err(|error| note(format_args!("the database failed: {error}"))).ok()
    }

    /// Tells subscribers what happened.
    pub(super) fn tell(&mut self, changes: Vec<Change>) {
        for change in changes {
            let (unit, names) = match &change {
                Change::Registered(unit) => (unit, vec!["added", "agent_registered"]),
                Change::Altered(unit) => (unit, vec![unit.status.word(), "status_changed"]),
                Change::Ended(unit) => {
                    (unit, vec![unit.status.word(), "status_changed", "agent_unregistered"])
                }
                Change::Removed(unit) => {
                    self.noted(|store| store.forget_end(&unit.id));
                    (unit, vec!["removed"])
                }
            };
            for name in names {
                self.subscribers.publish(&Topic::about(name, unit), || data(name, unit));
            }
        }
    }

    /// Whether something must be looked at again and again, for want of news.
    pub(super) fn needs_polling(&self) -> bool {
        self.live.is_none()
            || self.liveness.needs_polling()
            || self.tails.values().any(|tail| tail.watched.is_none())
    }

    /// How `id` is seen by its kind.
    pub(super) fn seen(&self, id: &UnitId) -> Option<Seen<'_>> {
        let entry = self.state.get(id)?;
        Some(Seen { unit: &entry.unit, folder: entry.folder.as_ref(), events: entry.events })
    }

    /// Where the record of `id` is; none for an agent that lives on the wire only.
    pub(super) fn folder_of(&self, id: &UnitId) -> Option<&Path> {
        self.state.get(id)?.folder.as_ref().map(Folder::path)
    }
}

/// Agent events are about the unit; changes of domain `daemons` name their domain.
fn data(event_type: &str, unit: &Unit) -> Value {
    let is_agent_event = event_type.contains('_');
    if is_agent_event { json!(unit) } else { json!({ "domain": "daemons", "unit": unit }) }
}
