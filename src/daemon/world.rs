//! The one owner of everything the daemon knows: state, store, files, processes, subscribers.
//!
//! It is only ever used by one task and never waits. A transition happens in [`State`], is kept in
//! [`Store`], and then told: queue first, then notify.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};

use super::journal::note;
use super::leases::Leases;
use super::live;
use super::liveness::{Liveness, Whose};
use super::monitors::Monitor;
use super::ring::Ringer;
use super::state::{Change, State};
use super::store::Store;
use super::subscribers::{Subscribers, Topic};
use super::tail::Tail;
use super::trims::Trims;
use super::watch::Watch;
use crate::id::UnitId;
use crate::kinds::Seen;
use crate::record::Folder;
use crate::record::events::Event;
use crate::wire::signal::StreamEvent;
use crate::wire::unit::Unit;
use crate::{os, paths, secure_fs, time};

/// See the module.
#[derive(Debug)]
pub(super) struct World {
    pub(super) state: State,
    pub(super) store: Store,
    pub(super) subscribers: Subscribers,
    /// Signals on their way to sessions.
    pub(super) leases: Leases,
    /// Tells the person at this machine.
    pub(super) ringer: Ringer,
    /// Live monitors, and what was not told yet of what they wrote.
    pub(super) monitors: HashMap<UnitId, Monitor>,
    pub(super) watch: Watch,
    pub(super) liveness: Liveness,
    pub(super) tails: HashMap<UnitId, Tail>,
    /// Whose folder a watched folder is.
    pub(super) folders: HashMap<PathBuf, UnitId>,
    /// Units whose files hold more than was read in one turn.
    pub(super) behind: BTreeSet<UnitId>,
    /// Units that ended while nobody looked and are not taken in yet, in that order.
    pub(super) returned: VecDeque<(Unit, Folder)>,
    /// Units that have ended, as their record says, and whose end is not noted yet.
    pub(super) ending: HashMap<UnitId, Option<Unit>>,
    /// Handles on the folders of live units: by them they are found where their project was moved.
    pub(super) handles: HashMap<UnitId, OwnedFd>,
    /// Scripts that said that they end, and until when their processes may confirm it.
    pub(super) unconfirmed: HashMap<UnitId, Instant>,
    /// Who asked for the end of units without a folder.
    pub(super) requests: HashMap<UnitId, String>,
    /// Who keeps the events of units without a runner short.
    pub(super) trims: Trims,
    /// Every backlog waits for a moment to pass.
    pub(super) is_resting: bool,
    /// Those of them whose last lines were read, and those whose end could not be noted before.
    pub(super) over: Vec<UnitId>,
    /// What was still to be told of units whose end could not be noted.
    pub(super) unkept: HashMap<UnitId, Vec<StreamEvent>>,
    /// Since when the reading of backlogs waits for slow readers.
    pub(super) pressed_since: Option<Instant>,
    /// The name of `live/` in news.
    pub(super) live: Option<PathBuf>,
    /// The name of `outbox/` in news.
    pub(super) outbox: Option<PathBuf>,
    /// When to look for sessions that are dead.
    pub(super) bury_at: Option<Instant>,
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
            ringer: Ringer::default(),
            monitors: HashMap::new(),
            watch: Watch::new(),
            liveness,
            tails: HashMap::new(),
            folders: HashMap::new(),
            behind: BTreeSet::new(),
            returned: VecDeque::new(),
            ending: HashMap::new(),
            handles: HashMap::new(),
            unconfirmed: HashMap::new(),
            requests: HashMap::new(),
            trims: Trims::default(),
            is_resting: false,
            over: Vec::new(),
            unkept: HashMap::new(),
            pressed_since: None,
            live: None,
            outbox: None,
            bury_at: None,
            started_at: time::now(),
            socket: PathBuf::new(),
            stopping: false,
        }
    }

    /// Finds everybody again after a start.
    pub(super) fn wake(&mut self) {
        for dir in [paths::live_dir(), paths::inbox_dir(), paths::outbox_dir()] {
            if let Err(error) = secure_fs::dir(&dir) {
                note(format_args!("cannot make `{}`: {error}", dir.display()));
            }
        }
        self.noted(Store::drop_old_logs);
        self.remember();
        for unit in self.noted(Store::agents).unwrap_or_default() {
            self.register(unit);
        }
        self.live = self.watch.add(&paths::live_dir());
        self.outbox = self.watch.add(&paths::outbox_dir());
        self.scan();
        self.take_outbox();
        self.correct_marks();
        self.forget_lost();
        self.bury();
        self.end_orphans();
        self.watch_clients();
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
        for (unit, folder) in self.noted(Store::ends).unwrap_or_default() {
            let changes = self.state.restore(unit, folder);
            self.tell(&changes);
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

    /// Puts a live agent in that has no record, and watches its process.
    pub(super) fn register(&mut self, unit: Unit) {
        let id = unit.id.clone();
        self.let_in(unit, None);
        self.watch_processes(&id);
        self.judge(&id);
        self.note_ends();
    }

    pub(super) fn let_in(&mut self, unit: Unit, folder: Option<Folder>) {
        let id = unit.id.clone();
        self.touch_owner(&unit);
        if self.state.get(&id).is_some() {
            self.noted(|store| store.forget_end(&id));
        }
        let changes = self.state.register(unit, folder);
        self.tell(&changes);
        self.follow_output(&id);
    }

    pub(super) fn watch_processes(&mut self, id: &UnitId) {
        let Some(entry) = self.state.live(id) else { return };
        let unit = &entry.unit;
        let processes = [&unit.process, &unit.runner, &unit.keeper];
        let processes: Vec<os::Identity> = processes.into_iter().flatten().cloned().collect();
        self.liveness.watch(&Whose::Unit(id.clone()), &processes.iter().collect::<Vec<_>>());
    }

    /// A process ended that somebody is known by.
    pub(super) fn process_ended(&mut self, whose: &Whose) {
        match whose {
            Whose::Unit(id) => self.judge(id),
            Whose::Session(_) => self.bury(),
        }
    }

    /// It said something of itself.
    pub(super) fn say(&mut self, id: &UnitId, event: &Event) {
        let changes = self.state.say(id, event);
        self.tell(&changes);
    }

    /// Runs a query. What fails is told in the daemon's log; the daemon goes on.
    pub(super) fn noted<T>(&self, query: impl FnOnce(&Store) -> rusqlite::Result<T>) -> Option<T> {
        query(&self.store).map_err(|error| note(format_args!("the database failed: {error}"))).ok()
    }

    /// Tells subscribers what happened; what is forgotten by it is kept no longer.
    pub(super) fn tell(&mut self, changes: &[Change]) {
        for id in changes.iter().filter_map(Change::forgotten) {
            self.noted(|store| store.forget_end(id));
        }
        self.publish(changes);
    }

    /// Tells subscribers what happened.
    pub(super) fn publish(&mut self, changes: &[Change]) {
        for change in changes {
            let (unit, names) = match change {
                Change::Registered(unit) => (unit, vec!["added", "agent_registered"]),
                Change::Altered(unit) => (unit, vec![unit.status.word(), "status_changed"]),
                Change::Ended(unit) => {
                    (unit, vec![unit.status.word(), "status_changed", "agent_unregistered"])
                }
                Change::Removed(unit) => (unit, vec!["removed"]),
            };
            for name in names {
                self.subscribers.publish(&Topic::about(name, unit), || data(name, unit));
            }
        }
    }

    /// Whether something must be looked at again and again, for want of news.
    pub(super) fn needs_polling(&self) -> bool {
        self.live.is_none()
            || self.outbox.is_none()
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
