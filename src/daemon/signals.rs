//! Signals: queued for the sessions that should know, and taken out when they were told.
//!
//! Queue first, then notify. An end is queued in the step of the database in which it is noted.

use serde_json::{Value, json};

use super::alert::{self, Request};
use super::leases::{Fate, Guard};
use super::store::{Emission, Progress, Wants, nobody};
use super::subscribers::Topic;
use super::world::World;
use super::{monitors, sessions};
use crate::id::UnitId;
use crate::kinds::Seen;
use crate::record::Folder;
use crate::wire::signal::{Attention, Pending, Signal, StreamEvent};
use crate::wire::unit::{Kind, Unit};
use crate::{neutral, secure_fs, stop, time};

impl World {
    /// What is to be told of the end of `unit`: what a monitor still had to say, then the end; and
    /// whether it rings.
    pub(super) fn emissions_of_end(
        &mut self,
        unit: &Unit,
        folder: Option<&Folder>,
        words: &[StreamEvent],
    ) -> (Vec<Emission>, bool) {
        let asked = match folder {
            Some(dir) => secure_fs::text(&dir.file(stop::REQUESTED), secure_fs::SMALL).ok(),
            None => self.requests.remove(&unit.id),
        };
        let mut request = Request::read(asked.as_deref());
        request.sessions = request.sessions.iter().map(|name| self.session_of(name)).collect();
        let mut to = self.addressees(unit);
        to.retain(|session| !request.is_by(session));
        let seen = Seen { unit, folder, events: None };
        let mut emissions = Vec::new();
        if unit.kind == Kind::Monitor {
            for event in words.iter().cloned().chain([monitors::closing(unit)]) {
                emissions.push(emission(&seen, Attention::Now, Told::Event(event), &to));
            }
        }
        if let Some(attention) = alert::attention(unit, unit.terms.alerts, &request) {
            emissions.push(emission(&seen, attention, Told::End, &to));
        }
        let owner = sessions::owner(unit).map(|name| self.session_of(name));
        let rings = alert::rings(unit, &request, owner.as_deref());
        (emissions, rings)
    }

    /// `session`, or a person, asked for the end of `id`: where it has a folder, that is noted there.
    pub(super) fn note_request(&mut self, id: &UnitId, session: Option<&str>) {
        if self.folder_of(id).is_none() {
            let asked = self.requests.entry(id.clone()).or_default();
            asked.extend(session.into_iter().chain(["\n"]));
        }
    }

    /// The command of `id` failed and is started again, or given up. Told once: how many of these
    /// were told is kept as a monitor's lines are.
    pub(super) fn tell_restart(&mut self, id: &UnitId, text: &str) {
        let count = self.state.saw_restart(id);
        let Some(unit) = self.state.live(id).map(|entry| &entry.unit) else { return };
        if unit.kind == Kind::Monitor || !unit.terms.alerts.on_failure {
            return;
        }
        let told = self.noted(|store| store.progress(id)).unwrap_or_default();
        if count > told.line {
            let event = StreamEvent { line: neutral::line(text), ..StreamEvent::default() };
            let progress = Progress { line: count, events: 0 };
            self.emit_event(id, progress, Attention::Next, event);
        }
    }

    /// Queues an event of `id`. False when that could not be kept.
    pub(super) fn emit_event(
        &mut self,
        id: &UnitId,
        progress: Progress,
        attention: Attention,
        event: StreamEvent,
    ) -> bool {
        let Some(entry) = self.state.get(id) else { return false };
        let (unit, folder) = (entry.unit.clone(), entry.folder.clone());
        let to = self.addressees(&unit);
        let seen = Seen { unit: &unit, folder: folder.as_ref(), events: Some(progress.events) };
        let emission = emission(&seen, attention, Told::Event(event), &to);
        let queued = self.noted(|store| store.queue_event(id, progress, &emission));
        let Some(seq) = queued else { return false };
        self.announce(&unit, &[emission], &[seq]);
        true
    }

    /// Who is to be told of `unit`: the session that owns it, while that lives, else every session
    /// that lives in its project, else the first one that will. One that ends with its session is of
    /// no interest to others.
    fn addressees(&mut self, unit: &Unit) -> Vec<String> {
        self.touch_listeners();
        match self.living_owner(unit) {
            Some(Ok(session)) => return vec![session],
            Some(Err(_)) if unit.terms.ends_with_session => return Vec::new(),
            _ => {}
        }
        let project = unit.project.as_deref();
        let live = self.noted(|store| store.live_sessions(project)).unwrap_or_default();
        if live.is_empty() { vec![nobody(project)] } else { live }
    }

    /// The bell: those who listen may come and drain.
    pub(super) fn announce(&mut self, unit: &Unit, emissions: &[Emission], seqs: &[u64]) {
        for (emission, seq) in emissions.iter().zip(seqs) {
            if let Some(event) = &emission.event {
                let topic = Topic::about("event", unit);
                self.subscribers.publish(
                    &topic,
                    || json!({ "domain": "daemons", "unit": unit, "event": event }),
                );
            }
            let sessions = self.names_of(&emission.to);
            let topic = Topic { sessions: &sessions, ..Topic::about("signal", unit) };
            self.subscribers.publish(&topic, || bell(unit, emission, &sessions, *seq));
        }
    }

    /// What waits for `session` and fits into an answer; `take` says what does. With a guard, unless
    /// there is nothing.
    pub(super) fn drain(
        &mut self,
        session: &str,
        only: Option<&str>,
        take: impl FnMut(&Signal) -> bool,
    ) -> (Vec<Signal>, bool, Option<Guard>) {
        let except = self.leases.out_for(session);
        let wants = Wants { session, after: 0, except: &except, only };
        let (signals, more) = self.read_queue(&wants, take);
        let seqs: Vec<u64> = signals.iter().map(|signal| signal.seq).collect();
        let guard = (!seqs.is_empty()).then(|| self.leases.give(session, seqs));
        (signals, more, guard)
    }

    /// Signals of a queue as long as `take` wants them, and whether there are more.
    pub(super) fn read_queue(
        &self,
        wants: &Wants<'_>,
        mut take: impl FnMut(&Signal) -> bool,
    ) -> (Vec<Signal>, bool) {
        let (mut signals, mut more) = (Vec::new(), false);
        self.noted(|store| {
            store.waiting(wants, |signal| {
                more = !take(&signal);
                if !more {
                    signals.push(signal);
                }
                !more
            })
        });
        (signals, more)
    }

    /// What waits for `session` and is not on its way.
    pub(super) fn pending(&self, session: &str) -> Pending {
        let except = self.leases.out_for(session);
        self.noted(|store| store.pending(session, &except)).unwrap_or_default()
    }

    /// `session` was told these.
    pub(super) fn drained(&mut self, session: &str, seqs: &[u64]) {
        if !seqs.is_empty() {
            self.leases.acknowledge(session, seqs);
            self.noted(|store| store.drained(session, seqs));
        }
    }

    /// An answer arrived, or its connection broke. In the second case others of that session are
    /// told that there is something for them.
    pub(super) fn settle(&mut self, fate: Fate) {
        match fate {
            Fate::Taken(lease) => {
                if let Some(lease) = self.leases.end(lease) {
                    self.noted(|store| store.drained(&lease.session, &lease.seqs));
                }
            }
            Fate::Broken(lease) => {
                let Some(lease) = self.leases.end(lease) else { return };
                self.ring_again(&lease.session, lease.seqs.first().copied());
            }
        }
    }
}

/// What an emission tells.
enum Told {
    End,
    Event(StreamEvent),
}

fn emission(seen: &Seen<'_>, attention: Attention, told: Told, to: &[String]) -> Emission {
    let (lifecycle, event) = match told {
        Told::End => (Some(seen.unit.status), None),
        Told::Event(event) => (None, Some(event)),
    };
    Emission {
        unit: seen.unit.id.to_string(),
        kind: seen.unit.kind,
        at: time::now(),
        attention,
        snapshot: seen.snapshot(),
        lifecycle,
        event,
        to: to.to_vec(),
    }
}

fn bell(unit: &Unit, emission: &Emission, sessions: &[String], seq: u64) -> Value {
    json!({
        "seq": seq, "daemon_id": unit.id, "name": unit.name, "attention": emission.attention,
        "status": unit.status, "sessions": sessions,
    })
}
