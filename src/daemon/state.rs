//! Who is there: every unit, and every transition that it can make.
//!
//! Pure and synchronous: no files, no clock, no sockets. Each transition returns the changes that
//! it made, and the caller tells the world.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};
use crate::id::UnitId;
use crate::record::events::{Event, apply_one};
use crate::record::lookup::{self, Asked};
use crate::record::{self, Folder};
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::Scope;
use crate::wire::unit::{Alerts, EndSource, Status, Unit};

/// Ended units remembered at most; the oldest are forgotten first (their files stay).
const ENDED_BOUND: usize = 1000;

/// One unit and what only the daemon knows of it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) unit: Unit,
    /// Its record; none for an agent that lives on the wire only.
    pub(super) folder: Option<Folder>,
    /// The last word of each sort that it said of itself, in order: holds when its record is read
    /// again.
    said: Vec<Event>,
    /// Lines that it was heard to write, when it is a monitor.
    pub(super) events: Option<u64>,
    /// How often its record was seen to tell of a restart.
    restarts: u64,
}

/// What a transition did.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// It is there now.
    Registered(Unit),
    /// What it says of itself, or its status, is another one now.
    Altered(Unit),
    /// It ended, and stays reachable.
    Ended(Unit),
    /// It is forgotten.
    Removed(Unit),
}

impl Change {
    /// The unit that is forgotten by it.
    pub(super) fn forgotten(&self) -> Option<&UnitId> {
        match self {
            Self::Removed(unit) => Some(&unit.id),
            _ => None,
        }
    }
}

/// All units of this daemon's life.
#[derive(Debug, Default)]
pub(super) struct State {
    entries: HashMap<UnitId, Entry>,
    ended: VecDeque<UnitId>,
}

impl State {
    pub(super) fn get(&self, id: &UnitId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// The live entry with this id.
    pub(super) fn live(&self, id: &UnitId) -> Option<&Entry> {
        self.get(id).filter(|entry| !entry.unit.status.is_terminal())
    }

    /// Ids of all live units.
    pub(super) fn live_ids(&self) -> Vec<UnitId> {
        self.live_entries().map(|entry| entry.unit.id.clone()).collect()
    }

    fn live_entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| !entry.unit.status.is_terminal())
    }

    pub(super) fn live_count(&self) -> usize {
        self.live_entries().count()
    }

    /// Puts a unit in; one with the same id is overwritten.
    pub(super) fn register(&mut self, mut unit: Unit, folder: Option<Folder>) -> Vec<Change> {
        // Names of variables are for the record; here they would be most of the memory.
        unit.env_names = Vec::new();
        self.ended.retain(|id| *id != unit.id);
        let changes = vec![Change::Registered(unit.clone())];
        self.insert(unit, folder);
        changes
    }

    fn insert(&mut self, unit: Unit, folder: Option<Folder>) {
        let entry = Entry { unit, folder, said: Vec::new(), events: None, restarts: 0 };
        self.entries.insert(entry.unit.id.clone(), entry);
    }

    /// Puts in a unit that ended in an earlier life of the daemon.
    pub(super) fn restore(&mut self, mut unit: Unit, folder: Option<Folder>) -> Vec<Change> {
        unit.env_names = Vec::new();
        self.ended.push_back(unit.id.clone());
        self.insert(unit, folder);
        self.forget_oldest().into_iter().collect()
    }

    /// The folder of `id` was moved.
    pub(super) fn follow(&mut self, id: &UnitId, folder: Folder) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.folder = Some(folder);
        }
    }

    /// Which ends of `id` are told from now on.
    pub(super) fn set_alerts(&mut self, id: &UnitId, alerts: Alerts) -> Vec<Change> {
        let Some(entry) = self.entries.get_mut(id) else { return Vec::new() };
        entry.unit.terms.alerts = alerts;
        vec![Change::Altered(entry.unit.clone())]
    }

    /// So many lines were heard of the monitor `id`.
    pub(super) fn heard(&mut self, id: &UnitId, events: u64) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.events = Some(events);
        }
    }

    /// Its log tells of a restart; the how manyth is that?
    pub(super) fn saw_restart(&mut self, id: &UnitId) -> u64 {
        let Some(entry) = self.entries.get_mut(id) else { return 0 };
        entry.restarts += 1;
        entry.restarts
    }

    /// Forgets a unit that has ended.
    pub(super) fn evict(&mut self, id: &UnitId) -> Vec<Change> {
        self.ended.retain(|known| known != id);
        let entry = self.entries.remove(id);
        entry.map(|entry| Change::Removed(entry.unit)).into_iter().collect()
    }

    /// Its record was written again. Terminal is final: [`State::end`] decides about ends.
    pub(super) fn reload(&mut self, mut unit: Unit) -> Vec<Change> {
        let Some(entry) = self.entries.get_mut(&unit.id) else { return Vec::new() };
        if entry.unit.status.is_terminal() || unit.status.is_terminal() {
            return Vec::new();
        }
        unit.env_names = Vec::new();
        entry.said.iter().for_each(|event| apply_one(event, &mut unit));
        if unit == entry.unit {
            return Vec::new();
        }
        entry.unit = unit;
        vec![Change::Altered(entry.unit.clone())]
    }

    /// It said something of itself: `status`, `progress`, `ready` or `register`; or its runner did:
    /// `restart`.
    pub(super) fn say(&mut self, id: &UnitId, event: &Event) -> Vec<Change> {
        let Some(entry) = self.entries.get_mut(id) else { return Vec::new() };
        let before = entry.unit.clone();
        apply_one(event, &mut entry.unit);
        if entry.unit == before {
            return Vec::new();
        }
        entry.said.retain(|said| said.level != event.level);
        entry.said.push(event.clone());
        if entry.unit.status.is_terminal() {
            return Vec::new();
        }
        vec![Change::Altered(entry.unit.clone())]
    }

    /// It ended as `last` tells; none: nobody could record how, so it was killed.
    pub(super) fn end(&mut self, id: &UnitId, last: Option<Unit>, now: String) -> Vec<Change> {
        let Some(entry) = self.entries.get_mut(id) else { return Vec::new() };
        if entry.unit.status.is_terminal() {
            return Vec::new();
        }
        if let Some(mut unit) = last {
            unit.env_names = Vec::new();
            entry.said.iter().for_each(|event| apply_one(event, &mut unit));
            entry.unit = unit;
        } else {
            record::note_lost_runner(&mut entry.unit);
            entry.unit.status = Status::Killed;
            entry.unit.end = Some(EndSource::Unknown);
        }
        entry.unit.ended_at.get_or_insert(now);
        if let Some(events) = entry.events {
            entry.unit.metadata.insert("event_count".to_owned(), events.into());
        }
        let mut changes = vec![Change::Ended(entry.unit.clone())];
        self.ended.push_back(id.clone());
        changes.extend(self.forget_oldest());
        changes
    }

    fn forget_oldest(&mut self) -> Option<Change> {
        if self.ended.len() <= ENDED_BOUND {
            return None;
        }
        let oldest = self.ended.pop_front()?;
        self.entries.remove(&oldest).map(|entry| Change::Removed(entry.unit))
    }

    /// Units of `scope`, sorted by start; ended ones too when asked.
    pub(super) fn list(&self, scope: &Scope, ended: bool) -> Vec<Unit> {
        let wanted = |unit: &&Unit| ended || !unit.status.is_terminal();
        let units = self.entries.values().map(|entry| &entry.unit);
        let mut found: Vec<Unit> =
            units.filter(wanted).filter(|u| in_scope(u, scope)).cloned().collect();
        record::sort(&mut found);
        found
    }

    /// The unit that `query` means: an id anywhere, a name or the beginning of an id in `project`.
    pub(super) fn find(&self, query: &str, project: Option<&Path>) -> Result<Unit, RpcError> {
        self.find_in(query, &Scope { project: project.map(PathBuf::from), all: false })
    }

    /// The same, of a name or the beginning of an id in `scope`.
    pub(super) fn find_in(&self, query: &str, scope: &Scope) -> Result<Unit, RpcError> {
        let asked = Asked::of(query);
        if let Some(entry) = asked.id().and_then(|id| self.entries.get(&id)) {
            asked.confirm(&entry.unit).map_err(|error| refusal(&error))?;
            return Ok(entry.unit.clone());
        }
        let found = lookup::find(&self.list(scope, true), query).cloned();
        found.map_err(|error| {
            let is_far = error.kind() == ErrorKind::NotFound && !scope.all;
            let all = Scope { project: None, all: true };
            let far = is_far
                .then(|| self.list(&all, true))
                .and_then(|units| lookup::elsewhere(&units, query, scope.project.as_deref()));
            refusal(&far.unwrap_or(error))
        })
    }

    /// Who gets a message for all of `scope`: every live unit but the sender.
    pub(super) fn addressees(&self, scope: &Scope, sender: &str) -> Vec<Unit> {
        let mut units = self.list(scope, false);
        units.retain(|unit| unit.id.as_str() != sender);
        units
    }
}

fn refusal(error: &Error) -> RpcError {
    let code = match error.kind() {
        ErrorKind::Ambiguous => ErrorCode::Ambiguous,
        ErrorKind::NotFound => ErrorCode::NotFound,
        ErrorKind::Other => ErrorCode::InvalidParams,
    };
    RpcError::new(code, error.what())
}

/// Whether a listing of `scope` covers `unit`.
pub(super) fn in_scope(unit: &Unit, scope: &Scope) -> bool {
    scope.all || unit.project == scope.project
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::unit::{Kind, Presence};

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn unit(name: &str, project: Option<&str>) -> Unit {
        let mut unit = Unit::new(Kind::LocalBash, name);
        unit.status = Status::Running;
        unit.project = project.map(PathBuf::from);
        unit
    }

    fn event(level: &str, text: &str) -> Event {
        Event { at: None, level: level.to_owned(), text: text.to_owned() }
    }

    fn all() -> Scope {
        Scope { project: None, all: true }
    }

    fn with(units: &[Unit]) -> State {
        let mut state = State::default();
        for unit in units {
            state.register(unit.clone(), None);
        }
        state
    }

    #[test]
    fn a_second_register_overwrites() {
        let mut first = unit("web", None);
        let mut state = with(std::slice::from_ref(&first));
        first.name = "api".to_owned();
        let changes = state.register(first.clone(), None);
        assert_eq!(changes, [Change::Registered(first)]);
        assert_eq!((state.live_count(), state.list(&all(), false)[0].name.as_str()), (1, "api"));
    }

    #[test]
    fn terminal_is_final() {
        let web = unit("web", None);
        let mut state = with(std::slice::from_ref(&web));
        let changes = state.end(&web.id, None, NOW.to_owned());
        assert!(matches!(&changes[..], [Change::Ended(u)] if u.status == Status::Killed));
        assert!(state.end(&web.id, None, NOW.to_owned()).is_empty());
        assert!(state.reload(web.clone()).is_empty());
        assert!(state.say(&web.id, &event("status", "busy")).is_empty());
        assert_eq!(state.get(&web.id).unwrap().unit.status, Status::Killed);
        assert!(state.list(&all(), false).is_empty());
        assert_eq!(state.list(&all(), true).len(), 1);
    }

    #[test]
    fn the_record_of_an_end_counts_and_keeps_what_was_said() {
        let web = unit("web", None);
        let mut state = with(std::slice::from_ref(&web));
        state.say(&web.id, &event("status", "idle waiting"));
        let mut last = web.clone();
        (last.status, last.exit_code) = (Status::Failed, Some(3));
        state.end(&web.id, Some(last), NOW.to_owned());
        let ended = &state.get(&web.id).unwrap().unit;
        assert_eq!((ended.status, ended.exit_code), (Status::Failed, Some(3)));
        assert_eq!((ended.presence, ended.description.as_str()), (Presence::Idle, "waiting"));
        assert_eq!(ended.ended_at.as_deref(), Some(NOW));
    }

    #[test]
    fn what_was_said_survives_a_new_record() {
        let mut web = unit("web", None);
        let mut state = with(std::slice::from_ref(&web));
        assert_eq!(state.say(&web.id, &event("status", "busy")).len(), 1);
        assert!(state.say(&web.id, &event("status", "busy")).is_empty());
        web.pid = Some(7);
        let changes = state.reload(web.clone());
        assert!(matches!(&changes[..], [Change::Altered(u)]
            if u.presence == Presence::Busy && u.pid == Some(7)));
        assert!(state.reload(web).is_empty());
    }

    #[test]
    fn names_are_looked_up_here_alone() {
        let (here, there) = (unit("web", Some("/a")), unit("web", Some("/b")));
        let state = with(&[here.clone(), there.clone(), unit("api", Some("/b"))]);
        let found = |query: &str| state.find(query, Some(Path::new("/a"))).map(|u| u.id);
        assert_eq!(found("web").unwrap(), here.id);
        assert_eq!(found(there.id.as_str()).unwrap(), there.id);
        assert_eq!(found(&format!("ig:{}", there.id)).unwrap(), there.id);
        let far = found("api").unwrap_err();
        assert_eq!(far.code, ErrorCode::NotFound);
        assert!(far.message.contains("`api` is not in this project; it is in /b as"), "{far:?}");
        let all = state.find_in("api", &all()).unwrap();
        assert_eq!(all.name, "api");
        assert_eq!(found("nobody").unwrap_err().code, ErrorCode::NotFound);
    }

    #[test]
    fn a_shared_prefix_is_ambiguous() {
        let mut units = [unit("x", None), unit("y", None)];
        units[0].id = UnitId::parse("baaaa0001").unwrap();
        units[1].id = UnitId::parse("baaaa0002").unwrap();
        assert_eq!(with(&units).find("baaaa", None).unwrap_err().code, ErrorCode::Ambiguous);
    }

    #[test]
    fn two_live_ones_of_one_name_are_ambiguous() {
        let state = with(&[unit("x", None), unit("x", None)]);
        assert_eq!(state.find("x", None).unwrap_err().code, ErrorCode::Ambiguous);
    }

    #[test]
    fn all_means_all_of_the_project_but_the_sender() {
        let (web, api, far) = (unit("web", Some("/a")), unit("api", Some("/a")), unit("x", None));
        let state = with(&[web.clone(), api.clone(), far]);
        let scope = Scope { project: Some("/a".into()), all: false };
        let names = |sender: &str| -> Vec<String> {
            let mut names: Vec<_> =
                state.addressees(&scope, sender).into_iter().map(|u| u.name).collect();
            names.sort();
            names
        };
        assert_eq!(names("tester"), ["api", "web"]);
        assert_eq!(names(web.id.as_str()), ["api"]);
    }

    #[test]
    fn the_ended_are_bounded() {
        let mut state = State::default();
        let mut removed = 0;
        for _ in 0..ENDED_BOUND + 5 {
            let unit = unit("x", None);
            state.register(unit.clone(), None);
            let changes = state.end(&unit.id, None, NOW.to_owned());
            removed += changes.iter().filter(|c| matches!(c, Change::Removed(_))).count();
        }
        assert_eq!((removed, state.list(&all(), true).len()), (5, ENDED_BOUND));
    }
}
