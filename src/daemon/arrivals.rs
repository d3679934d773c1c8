//! Units that are found under `live/`: those that live are taken in at once, those that ended while
//! nobody looked a few at a time, in the order in which they ended. A daemon that comes back to
//! thousands of them answers meanwhile.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::ends;
use super::live::{self, Found};
use super::tail::Tail;
use super::world::World;
use crate::id::UnitId;
use crate::record::Folder;
use crate::secure_fs;
use crate::wire::unit::{Status, Unit};

/// How many of those that ended are taken in as soon as they are found, however long it takes.
const A_FEW: usize = 50;

/// How many of them are noted in one step, before the clock is looked at.
const TOGETHER: usize = 10;

/// How long they are taken in at a stretch: whoever asks waits so long.
const STRETCH: Duration = Duration::from_millis(50);

impl World {
    /// Takes in units that were linked since the last look.
    pub(super) fn scan(&mut self) {
        for id in self.state.live_ids() {
            self.follow(&id);
        }
        let waiting: HashSet<&UnitId> = self.returned.iter().map(|(unit, _)| &unit.id).collect();
        let is_new = |id: &UnitId| self.state.live(id).is_none() && !waiting.contains(id);
        let found: Vec<UnitId> = live::ids().into_iter().filter(is_new).collect();
        let (known, new): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|id| self.state.get(id).is_some());
        // First those whose end we know: only the link was left, or it could not be noted then.
        for id in &known {
            self.is_over(id);
        }
        self.note_ends();
        let before = self.returned.len();
        for id in new {
            match live::look(id) {
                Found::Record(unit, folder) => self.sort_in(*unit, folder),
                Found::Dangling(id) => live::unlink(&id),
                Found::Unreadable => {}
            }
        }
        if self.returned.len() > before {
            self.returned.make_contiguous().sort_by(|(a, _), (b, _)| a.ended_at.cmp(&b.ended_at));
            self.take_in(A_FEW);
        }
    }

    /// The folder of the live unit `id` was moved with its project, if its link leads elsewhere now.
    pub(super) fn follow(&mut self, id: &UnitId) {
        let Some(Some(known)) = self.state.live(id).map(|entry| entry.folder.clone()) else {
            return;
        };
        if Folder::linked(id).is_none_or(|linked| linked == known) {
            return;
        }
        let Found::Record(_, folder) = live::look(id.clone()) else { return };
        self.state.follow(id, folder.clone());
        let Some(tail) = self.tails.get_mut(id) else { return };
        tail.follow(folder.clone());
        if let Some(before) = tail.watched.take() {
            self.watch.remove(&before);
            self.folders.remove(&before);
        }
        tail.watched = self.watch.add(folder.path());
        self.folders.extend(tail.watched.clone().map(|watched| (watched, id.clone())));
        self.judge(id);
    }

    fn sort_in(&mut self, mut unit: Unit, folder: Folder) {
        if ends::end_of(&unit, &folder).is_none() {
            return self.adopt(unit, folder);
        }
        unit.env_names = Vec::new();
        self.returned.push_back((unit, folder));
    }

    /// Takes in some of those that have ended, `least` of them whatever time it takes.
    pub(super) fn take_in(&mut self, least: usize) {
        let until = Instant::now() + STRETCH;
        let mut count = 0;
        while !self.returned.is_empty() && (count < least || Instant::now() < until) {
            let some = self.returned.drain(..self.returned.len().min(TOGETHER));
            for (unit, folder) in some.collect::<Vec<_>>() {
                self.adopt(unit, folder);
            }
            self.note_ends();
            count += TOGETHER;
        }
    }

    fn adopt(&mut self, unit: Unit, folder: Folder) {
        let id = unit.id.clone();
        let end = ends::end_of(&unit, &folder);
        let mut tail = Tail::new(folder.clone());
        tail.is_new = true;
        if end.is_none() {
            tail.watched = self.watch.add(folder.path());
            let handle = secure_fs::open_dir(folder.path()).ok();
            self.handles.extend(handle.map(|handle| (id.clone(), handle)));
            self.folders.extend(tail.watched.clone().map(|watched| (watched, id.clone())));
        }
        self.tails.insert(id.clone(), tail);
        // One that ended meanwhile is let in alive: its end comes right after.
        let unit = if unit.status.is_terminal() {
            Unit { status: Status::Running, end: None, ..unit }
        } else {
            unit
        };
        self.listen(&unit, &folder);
        self.let_in(unit, Some(folder));
        if let Some(last) = end {
            return self.end(&id, Some(last));
        }
        self.watch_processes(&id);
        self.judge(&id);
        self.look_at(&id);
        self.catch_up(&id);
        if self.bury_at.is_some() {
            // Before the dead are known, after a start, it is too early.
            self.end_orphan(&id);
        }
    }
}
