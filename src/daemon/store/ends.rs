//! Units that have ended: noted once each, together with what is to be told of it.

use rusqlite::{OptionalExtension, params};

use super::signals::Emission;
use super::{Sqlite, Store};
use crate::id::UnitId;
use crate::record::Folder;
use crate::wire::raw;
use crate::wire::signal::StreamEvent;
use crate::wire::unit::Unit;

/// The end of a unit, and what is to be told of it.
#[derive(Debug)]
pub(in crate::daemon) struct End {
    pub(in crate::daemon) unit: Unit,
    /// Its folder; none for an agent that lived on the wire only.
    pub(in crate::daemon) folder: Option<Folder>,
    /// What it wrote and nobody was told, when it was a monitor.
    pub(in crate::daemon) words: Vec<StreamEvent>,
    pub(in crate::daemon) emissions: Vec<Emission>,
    /// Whether the person at this machine is told too.
    pub(in crate::daemon) rings: bool,
}

/// How far a unit's events were queued: a monitor's lines, another's restarts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::daemon) struct Progress {
    /// The number of the last one that was.
    pub(in crate::daemon) line: u64,
    /// Lines of its standard output so far.
    pub(in crate::daemon) events: u64,
}

impl Store {
    /// Notes ends and queues what is to be told of them, in one step; ends that are of no use any more
    /// go. Returns the numbers of what was queued, for each end: none for one that was noted before.
    pub(in crate::daemon) fn note_ends(
        &self,
        ends: &[End],
        forgotten: &[&UnitId],
    ) -> Sqlite<Vec<Vec<u64>>> {
        let change = self.db.unchecked_transaction()?;
        let seqs = ends.iter().map(|end| self.note_end(end)).collect::<Sqlite<_>>()?;
        forgotten.iter().try_for_each(|id| self.forget_end(id))?;
        change.commit()?;
        Ok(seqs)
    }

    fn note_end(&self, end: &End) -> Sqlite<Vec<u64>> {
        let (id, life) = (end.unit.id.as_str(), &end.unit.started_at);
        self.close_inbox(id)?;
        if end.folder.is_none() {
            self.end_agent(id)?;
        }
        if self.life_of(id)?.as_ref() == Some(life) {
            return Ok(Vec::new());
        }
        let record = serde_json::to_string(&end.unit).unwrap_or_default();
        let folder = end.folder.as_ref().map(|folder| raw::text(folder.path()));
        let sql = "INSERT OR REPLACE INTO ends (unit, life, ended_at, record, folder)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let ended_at = end.unit.ended_at.as_deref().unwrap_or_default();
        self.db.prepare_cached(sql)?.execute(params![id, life, ended_at, record, folder])?;
        self.unfollow(id)?;
        end.emissions.iter().map(|emission| self.queue(emission)).collect()
    }

    /// When the unit that ended under this id had started.
    fn life_of(&self, id: &str) -> Sqlite<Option<String>> {
        let sql = "SELECT life FROM ends WHERE unit = ?1";
        self.db.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()
    }

    /// Every end that is kept, oldest first; what cannot be read is left out.
    pub(in crate::daemon) fn ends(&self) -> Sqlite<Vec<(Unit, Option<Folder>)>> {
        let mut query = self.db.prepare("SELECT record, folder FROM ends ORDER BY ended_at")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let end = |(record, folder): (String, Option<String>)| {
            Some((
                serde_json::from_str(&record).ok()?,
                folder.map(|text| Folder::at(raw::path(&text))),
            ))
        };
        Ok(rows.flatten().filter_map(end).collect())
    }

    /// The end of `id` is of no use any more.
    pub(in crate::daemon) fn forget_end(&self, id: &UnitId) -> Sqlite<()> {
        self.db.prepare_cached("DELETE FROM ends WHERE unit = ?1")?.execute([id.as_str()])?;
        Ok(())
    }

    /// Live units of which anything is kept.
    pub(in crate::daemon) fn followed(&self) -> Sqlite<Vec<UnitId>> {
        let sql = "SELECT unit FROM monitors";
        let mut query = self.db.prepare(sql)?;
        let ids = query.query_map([], |row| row.get::<_, String>(0))?;
        Ok(ids.flatten().filter_map(|id| UnitId::parse(&id)).collect())
    }

    /// Nothing more is kept of a live unit.
    pub(in crate::daemon) fn unfollow(&self, id: &str) -> Sqlite<()> {
        self.db.prepare_cached("DELETE FROM monitors WHERE unit = ?1")?.execute([id]).map(drop)
    }

    /// How far the events of `id` were queued.
    pub(in crate::daemon) fn progress(&self, id: &UnitId) -> Sqlite<Progress> {
        let sql = "SELECT line, events FROM monitors WHERE unit = ?1";
        let number = |row: &rusqlite::Row<'_>, at| {
            row.get::<_, i64>(at).map(|number| u64::try_from(number).unwrap_or(0))
        };
        let found = self.db.prepare_cached(sql)?.query_row([id.as_str()], |row| {
            Ok(Progress { line: number(row, 0)?, events: number(row, 1)? })
        });
        Ok(found.optional()?.unwrap_or_default())
    }

    /// Queues an event of `id` and keeps how far that was, in one step.
    pub(in crate::daemon) fn queue_event(
        &self,
        id: &UnitId,
        progress: Progress,
        emission: &Emission,
    ) -> Sqlite<u64> {
        let change = self.db.unchecked_transaction()?;
        let number = |number| i64::try_from(number).unwrap_or(i64::MAX);
        let sql = "INSERT OR REPLACE INTO monitors (unit, line, events) VALUES (?1, ?2, ?3)";
        self.db.prepare_cached(sql)?.execute(params![
            id.as_str(),
            number(progress.line),
            number(progress.events)
        ])?;
        let seq = self.queue(emission)?;
        change.commit()?;
        Ok(seq)
    }
}
