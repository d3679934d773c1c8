//! Ends: whether a unit has ended, and what follows then, for one unit or for many at once.
//!
//! In this order: its last words are read; its end is noted, and what is to be told of it queued, in
//! one step of the database; its link goes; everybody is told. A daemon that is killed in between
//! finds the link again, and with it an end that is noted, or one that still is to be. Ends that are
//! come upon together are noted in one step: a daemon that was away may come back to thousands.

use std::path::Path;
use std::time::{Duration, Instant};

use super::journal::note;
use super::live;
use super::liveness::Whose;
use super::state::Change;
use super::store::End;
use super::world::World;
use crate::id::UnitId;
use crate::logs::mask::view;
use crate::os::{self, Identity};
use crate::record::end::KernelWord;
use crate::record::{self, Folder};
use crate::wire::unit::{EndSource, Status, Unit};
use crate::{secure_fs, stop, time};

/// Ends in one step at most: fewer than are remembered, so that none is forgotten before its link is
/// gone, which would make it a new one.
const TOGETHER: usize = 256;

/// How long a script may go on after it said that it ends, before that is told unconfirmed.
const CONFIRMATION: Duration = Duration::from_secs(1);

/// `unit` as it ended, when it has: its record in `folder` says so, or its processes do.
pub(super) fn end_of(unit: &Unit, folder: &Folder) -> Option<Unit> {
    if unit.status.is_terminal() {
        return (!is_only_said(unit)).then(|| unit.clone());
    }
    if record::is_alive(unit) {
        return None;
    }
    // Looked at after the processes: the last thing a runner does is to write it.
    let last = view::load(folder).ok().filter(|record| record.status.is_terminal());
    Some(last.unwrap_or_else(|| gone(unit.clone())))
}

/// Whether `record` is a script's own word on an end that its process has still to come to.
fn is_only_said(record: &Unit) -> bool {
    record.end == Some(EndSource::Itself) && record.process.as_ref().is_some_and(Identity::is_alive)
}

/// `unit` when it went without a word.
fn gone(mut unit: Unit) -> Unit {
    record::note_lost_runner(&mut unit);
    Unit { status: Status::Killed, end: Some(EndSource::Unknown), ..unit }
}

impl World {
    /// A process of `id` ended, or its record changed: has the unit ended? Its record says so, or
    /// its processes do: while its runner lives, the runner has the word.
    pub(super) fn judge(&mut self, id: &UnitId) {
        if self.ending.contains_key(id) {
            return;
        }
        self.follow_move(id);
        if self.ending.contains_key(id) {
            return;
        }
        let Some(entry) = self.state.live(id) else { return };
        let lives = record::is_alive(&entry.unit);
        // Looked at after the processes: the last thing a runner does is to write it.
        let mut record = entry.folder.as_ref().and_then(|folder| view::load(folder).ok());
        if !lives {
            record = self.ask_kernel(id, record);
        }
        if let Some(record) = &record {
            // A unit of a moment may have ended before we knew where its output goes.
            self.follow_logs(id, &record.logs);
        }
        match record {
            Some(record) if record.status.is_terminal() => self.confirm(id, record, lives),
            Some(record) => {
                self.reload(id, record);
                if !lives {
                    self.end(id, None);
                }
            }
            None if !lives => self.end(id, None),
            None => {}
        }
    }

    /// `record` of `id`, whose processes are gone, with what the kernel tells of its end where no
    /// runner did. It is kept beside the record for whoever looks later.
    fn ask_kernel(&self, id: &UnitId, record: Option<Unit>) -> Option<Unit> {
        if record.as_ref().is_some_and(|record| record.end == Some(EndSource::Runner)) {
            return record;
        }
        let word = self.state.live(id).and_then(|entry| {
            let folder = entry.folder.as_ref()?;
            let process = entry.unit.process.as_ref()?;
            let how = self.liveness.exit_status(&Whose::Unit(id.clone()), process)?;
            let word = KernelWord::new(process.clone(), how, stop::was_requested(folder));
            Some((word, folder, record.clone().unwrap_or_else(|| entry.unit.clone())))
        });
        let Some((word, folder, mut unit)) = word else { return record };
        if let Err(error) = word.keep(folder) {
            note(format_args!("cannot keep how {id} ended in its folder: {error}"));
        }
        word.apply(&mut unit);
        Some(unit)
    }

    /// Whether to wait a moment before `record`, in which a script says itself how it ends, is told:
    /// its process ends next, and then the kernel says how it did.
    fn waits_for_more(&mut self, id: &UnitId, record: &Unit, lives: bool) -> bool {
        // As it was before the kernel was asked: by now the process may be gone.
        if !lives || record.end != Some(EndSource::Itself) {
            return false;
        }
        let now = Instant::now();
        now < *self.unconfirmed.entry(id.clone()).or_insert(now + CONFIRMATION)
    }

    /// When the next script has had its time to end.
    pub(super) fn next_confirmation(&self) -> Option<Instant> {
        self.unconfirmed.values().min().copied()
    }

    /// Scripts that said that they end, and did not in time: their word is taken for it.
    pub(super) fn stop_waiting(&mut self) {
        let now = Instant::now();
        let due: Vec<UnitId> = self
            .unconfirmed
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.judge(&id);
            self.unconfirmed.remove(&id);
        }
    }

    /// The project of `id` may have been moved, and its record with it. Its link leads there when it has
    /// a runner; the record of another is found by the handle that was opened before.
    pub(super) fn follow_move(&mut self, id: &UnitId) {
        let Some(known) = self.folder_of(id).map(Path::to_path_buf) else { return };
        if secure_fs::is_dir(&known) {
            return;
        }
        let held = self.handles.get(id).and_then(os::path_of).filter(|place| *place != known);
        let is_there = |folder: &Folder| folder.load().is_ok_and(|unit| unit.id == *id);
        if let Some(folder) = held.map(Folder::at).filter(is_there) {
            let _ = folder.link_live(id);
        }
        self.follow(id);
    }

    /// The record tells of the end of `id`.
    fn confirm(&mut self, id: &UnitId, record: Unit, lives: bool) {
        if !self.waits_for_more(id, &record, lives) {
            self.end(id, Some(record));
        }
    }

    fn reload(&mut self, id: &UnitId, record: Unit) {
        let changes = self.state.reload(record);
        if !changes.is_empty() {
            self.tell(&changes);
            self.watch_processes(id);
        }
    }

    /// `id` has ended: its end is noted with the next ones, once the lines that stand there now were
    /// read.
    pub(super) fn end(&mut self, id: &UnitId, last: Option<Unit>) {
        if let Some(tail) = self.tails.get_mut(id) {
            tail.close();
        }
        self.unconfirmed.remove(id);
        self.handles.remove(id);
        self.close_monitor(id);
        self.catch_up(id);
        self.ending.entry(id.clone()).or_insert(last);
        if !self.behind.contains(id) {
            self.is_over(id);
        }
    }

    /// All of what `id` wrote was read.
    pub(super) fn is_over(&mut self, id: &UnitId) {
        if self.over.contains(id) {
            return;
        }
        self.over.push(id.clone());
        if self.over.len() == TOGETHER {
            self.note_ends();
        }
    }

    /// Notes the ends of all that are over, and tells of them.
    pub(super) fn note_ends(&mut self) {
        let over = std::mem::take(&mut self.over);
        if over.is_empty() {
            return;
        }
        let (ends, changes): (Vec<_>, Vec<_>) = over.iter().map(|id| self.conclude(id)).unzip();
        let ends: Vec<End> = ends.into_iter().flatten().collect();
        let changes: Vec<Change> = changes.into_iter().flatten().collect();
        let forgotten: Vec<&UnitId> = changes.iter().filter_map(Change::forgotten).collect();
        let noted = self.noted(|store| store.note_ends(&ends, &forgotten));
        for (index, end) in ends.into_iter().enumerate() {
            match &noted {
                Some(seqs) => self.was_noted(&end, &seqs[index]),
                None => drop(self.unkept.insert(end.unit.id, end.words)),
            }
        }
        self.publish(&changes);
    }

    /// The last that happens to `id`: what is to be noted of its end, and what is to be told then.
    fn conclude(&mut self, id: &UnitId) -> (Option<End>, Vec<Change>) {
        let mut words = self.unkept.remove(id).unwrap_or_default();
        let mut changes = Vec::new();
        if let Some(last) = self.ending.remove(id) {
            self.last_words(id);
            words = self.last_events(id);
            changes = self.state.end(id, last, time::now());
            self.liveness.forget(&Whose::Unit(id.clone()));
            self.trims.forget(id);
            self.forget_files(id);
            live::mark_inbox(id.as_str(), false);
        }
        let entry = self.state.get(id).filter(|entry| entry.unit.status.is_terminal());
        let Some((unit, folder)) = entry.map(|e| (e.unit.clone(), e.folder.clone())) else {
            return (None, changes);
        };
        // Its runner removes it, unless it was killed itself.
        stop::cgroup::remove(&unit);
        let (emissions, rings) = self.emissions_of_end(&unit, folder.as_ref(), &words);
        (Some(End { unit, folder, words, emissions, rings }), changes)
    }

    /// `end` is in the database, and what is to be told of it has these numbers: none when it was
    /// there before.
    fn was_noted(&mut self, end: &End, seqs: &[u64]) {
        self.announce(&end.unit, &end.emissions, seqs);
        if end.rings && !seqs.is_empty() {
            self.ringer.tell(&end.unit);
        }
        if self.store.lasts {
            live::unlink(&end.unit.id);
        }
    }

    fn forget_files(&mut self, id: &UnitId) {
        self.behind.remove(id);
        if let Some(watched) = self.tails.remove(id).and_then(|tail| tail.watched) {
            self.watch.remove(&watched);
            self.folders.remove(&watched);
        }
    }
}
