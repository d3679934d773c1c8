//! Sessions begin, are seen under several names, and end: by a word, with their client's process, or
//! by silence.
//!
//! What is kept changes first, in one step; what only the daemon holds follows. Units that end with
//! their session are not noted anywhere: they are those whose owner does not live, so a daemon that
//! was away or was killed meanwhile finds them again.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use super::journal::note;
use super::liveness::Whose;
use super::store::{Beginning, Begun, Store};
use super::subscribers::Topic;
use super::world::World;
use crate::id::UnitId;
use crate::stop::{self, Asker};
use crate::wire::session::Ended;
use crate::wire::unit::Unit;

/// The longest name of a session, bytes.
pub(super) const NAME_LIMIT: usize = 200;

/// How long to wait before the end of a session that could not be kept is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// Whether `name` can be a session's. Any client makes its own.
pub(super) fn is_session(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_LIMIT && !name.chars().any(char::is_control)
}

/// The session that owns `unit`, by the name that it was started under.
pub(super) fn owner(unit: &Unit) -> Option<&str> {
    unit.session.as_deref().filter(|session| is_session(session))
}

impl World {
    /// The session that is called `name`.
    pub(super) fn session_of(&self, name: &str) -> String {
        self.noted(|store| store.session_of(name)).unwrap_or_else(|| name.to_owned())
    }

    /// All names of `sessions`. What is kept for nobody has none.
    pub(super) fn names_of(&self, sessions: &[String]) -> Vec<String> {
        let known = sessions.iter().filter(|session| is_session(session));
        let names = known.flat_map(|session| {
            let aliases = self.noted(|store| store.aliases(session)).unwrap_or_default();
            std::iter::once(session.clone()).chain(aliases)
        });
        names.collect()
    }

    /// A sign of life of the session called `name`; returns what it is kept under.
    pub(super) fn touch(&self, name: &str, project: Option<&Path>) -> String {
        let session = self.session_of(name);
        self.noted(|store| store.touch(&session, project, SystemTime::now()));
        session
    }

    /// Its owner lived when `unit` was started, which may be long ago, or before it ended.
    pub(super) fn touch_owner(&self, unit: &Unit) {
        let Some(owner) = owner(unit) else { return };
        let started = crate::time::parse(&unit.started_at).unwrap_or(SystemTime::UNIX_EPOCH);
        let session = self.session_of(owner);
        let is_over = self.noted(|store| store.has_ended_since(&session, started));
        if is_over == Some(false) {
            self.noted(|store| store.touch(&session, unit.project.as_deref(), started));
        }
    }

    /// A session that listens lives, unless it said that it ended.
    pub(super) fn touch_listeners(&mut self) {
        for (name, project) in self.subscribers.sessions() {
            let session = self.session_of(&name);
            if self.noted(|store| store.has_ended(&session)) == Some(false) {
                self.touch(&session, project.as_deref());
            }
        }
    }

    /// The session that owns `unit` and lives; or one that it had, and that is over.
    pub(super) fn living_owner(&self, unit: &Unit) -> Option<Result<String, String>> {
        let session = self.session_of(owner(unit)?);
        let lives = self.noted(|store| store.is_living(&session)).unwrap_or(true);
        Some(if lives { Ok(session) } else { Err(session) })
    }

    /// A session begins or goes on. None when that could not be kept.
    pub(super) fn begin_session(&mut self, what: &Beginning<'_>) -> Option<Begun> {
        let begun = self.noted(|store| store.begin(what))?;
        for other in &begun.merged {
            self.leases.rename(other, &begun.session);
        }
        self.watch_clients();
        if !begun.merged.is_empty() {
            self.ring_again(&begun.session, None);
        }
        Some(begun)
    }

    /// Tells those who listen for `session` that there may be something for it.
    pub(super) fn ring_again(&mut self, session: &str, seq: Option<u64>) {
        let sessions = self.names_of(&[session.to_owned()]);
        let topic = Topic { sessions: &sessions, ..Topic::to_nobody("signal") };
        let bell = || json!({ "seq": seq, "sessions": sessions, "again": true });
        self.subscribers.publish(&topic, bell);
    }

    /// `session` is over. None when that could not be kept.
    pub(super) fn end_session(&mut self, session: &str) -> Option<Ended> {
        let ended = self.noted(|store| store.end_session(session))?;
        if !ended {
            return Some(Ended { ended, stopping: Vec::new() });
        }
        self.leases.give_back(session);
        self.liveness.forget(&Whose::Session(session.to_owned()));
        let live = self.state.live_ids();
        Some(Ended { ended, stopping: live.into_iter().filter(|id| self.end_orphan(id)).collect() })
    }

    /// Ends sessions whose client's process is gone, and those that are silent for a day.
    pub(super) fn bury(&mut self) {
        self.touch_listeners();
        let kept = self
            .dead_sessions()
            .is_some_and(|dead| dead.iter().all(|session| self.end_session(session).is_some()));
        let next = self.next_silence();
        self.bury_at = Some(if kept { next } else { next.min(Instant::now() + RETRY) });
    }

    /// Sessions that have not said that they are over. None when that cannot be known now.
    fn dead_sessions(&self) -> Option<Vec<String>> {
        let clients = self.noted(Store::clients)?;
        let gone = clients.into_iter().filter(|(_, process)| !process.is_alive());
        let mut dead: Vec<String> = gone.map(|(session, _)| session).collect();
        dead.extend(self.noted(Store::silent)?);
        Some(dead)
    }

    /// When to look for silent sessions again: whoever comes meanwhile lives for a day.
    fn next_silence(&self) -> Instant {
        let seen = self.noted(Store::next_silence).flatten();
        let left = seen.and_then(|seen| {
            let seen = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seen).ok()?);
            (seen + super::store::LIFE).duration_since(SystemTime::now()).ok()
        });
        Instant::now() + left.unwrap_or(super::store::LIFE) + Duration::from_secs(1)
    }

    /// Waits for the processes of exactly the clients that are known.
    pub(super) fn watch_clients(&mut self) {
        let clients = self.noted(Store::clients).unwrap_or_default();
        for (session, process) in &clients {
            self.liveness.watch(&Whose::Session(session.clone()), &[process]);
        }
        self.liveness.retain(|whose| match whose {
            Whose::Session(session) => clients.iter().any(|(known, _)| known == session),
            Whose::Unit(_) => true,
        });
    }

    /// Ends the live unit `id` when it was to end with its session, which is over: as `unit.stop`
    /// of that session would.
    pub(super) fn end_orphan(&mut self, id: &UnitId) -> bool {
        let Some(unit) = self.state.live(id).map(|entry| entry.unit.clone()) else { return false };
        if !unit.terms.ends_with_session || !matches!(self.living_owner(&unit), Some(Err(_))) {
            return false;
        }
        tokio::task::spawn_blocking(move || end_with_session(&unit));
        true
    }

    /// The same for all, after a start.
    pub(super) fn end_orphans(&mut self) {
        for id in self.state.live_ids() {
            self.end_orphan(&id);
        }
    }
}

fn end_with_session(unit: &Unit) {
    let asker = Asker { session: unit.session.clone(), process: None };
    match stop::stop_for(unit, stop::GRACE, &asker) {
        Ok(left) if left.is_empty() => {}
        Ok(left) => {
            let pids: Vec<String> = left.iter().map(|left| left.process.pid.to_string()).collect();
            let pids = pids.join(", ");
            note(format_args!("`{}` ended with its session, but for pids {pids}", unit.id));
        }
        Err(error) => note(format_args!("`{}` did not end with its session: {error}", unit.id)),
    }
}
