//! Sessions begin and end. What waits for one that ends goes to whoever comes next.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::{OptionalExtension, params};

use super::sessions::{dead_before, nobody};
use super::{Sqlite, Store};
use crate::os::Identity;
use crate::time;

/// Ends of sessions remembered at most; the oldest go first.
const BOUND: i64 = 1000;

/// A session as it says that it is there.
#[derive(Debug)]
pub(in crate::daemon) struct Beginning<'a> {
    /// Any of its names.
    pub(in crate::daemon) name: &'a str,
    pub(in crate::daemon) project: Option<&'a Path>,
    /// The client's process, when it was named.
    pub(in crate::daemon) client: Option<&'a Identity>,
    /// Further names.
    pub(in crate::daemon) aliases: &'a [String],
}

/// What became of that.
#[derive(Debug)]
pub(in crate::daemon) struct Begun {
    /// The name that everything is kept under.
    pub(in crate::daemon) session: String,
    /// Sessions that are part of it now.
    pub(in crate::daemon) merged: Vec<String>,
}

fn millis(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Store {
    /// A session begins, or goes on: its names become one, its client is known, and it lives. All of
    /// it in one step.
    pub(in crate::daemon) fn begin(&self, what: &Beginning<'_>) -> Sqlite<Begun> {
        let change = self.db.unchecked_transaction()?;
        let now = SystemTime::now();
        let session = self.session_of(what.name)?;
        let mut merged = Vec::new();
        for alias in what.aliases {
            merged.extend(self.claim(alias, &session, millis(now))?);
        }
        self.hold_aliases_bound(&session)?;
        if let Some(client) = what.client {
            let process = serde_json::to_string(client).unwrap_or_default();
            let sql = "INSERT OR REPLACE INTO clients VALUES (?1, ?2, ?3)";
            self.db.prepare_cached(sql)?.execute(params![session, process, millis(now)])?;
        }
        // The merge may have brought fresh signs of life, which are not repeated.
        self.db.prepare_cached("DELETE FROM ended WHERE session = ?1")?.execute([&session])?;
        self.sign(&session, what.project, now)?;
        change.commit()?;
        Ok(Begun { session, merged })
    }

    /// `session` is over, and what waits for it goes to whoever comes next, in one step. False when
    /// it was not known to live.
    pub(in crate::daemon) fn end_session(&self, session: &str) -> Sqlite<bool> {
        let change = self.db.unchecked_transaction()?;
        let sql = "SELECT project FROM sessions WHERE id = ?1 ORDER BY last_seen DESC LIMIT 1";
        let place = self.db.prepare_cached(sql)?.query_row([session], |row| row.get(0));
        let Some(place): Option<String> = place.optional()? else { return Ok(false) };
        self.db.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([session])?;
        self.db.prepare_cached("DELETE FROM clients WHERE session = ?1")?.execute([session])?;
        let sql = "INSERT OR REPLACE INTO ended VALUES (?1, ?2)";
        self.db.prepare_cached(sql)?.execute(params![session, millis(SystemTime::now())])?;
        let sql = "DELETE FROM ended WHERE session IN
            (SELECT session FROM ended ORDER BY at DESC LIMIT -1 OFFSET ?1)";
        self.db.prepare_cached(sql)?.execute([BOUND])?;
        self.bequeath_all(session, &place)?;
        change.commit()?;
        Ok(true)
    }

    fn bequeath_all(&self, session: &str, place: &str) -> Sqlite<()> {
        let sql = "SELECT seq, unit <> '', CASE WHEN json_valid(snapshot) THEN json_extract(snapshot, '$.project') END
            FROM deliveries JOIN signals USING (seq) WHERE session = ?1";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map([session], |row| {
            let (seq, is_unit, project): (i64, bool, Option<String>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((seq, if is_unit { project } else { Some(place.to_owned()) }))
        })?;
        for (seq, project) in rows.collect::<Sqlite<Vec<_>>>()? {
            let project = project.filter(|project| !project.is_empty()).map(PathBuf::from);
            self.bequeath(session, seq, project.as_deref())?;
        }
        Ok(())
    }

    /// Unless another session of `project` has the signal or had it, it waits for the first to come.
    fn bequeath(&self, session: &str, seq: i64, project: Option<&Path>) -> Sqlite<()> {
        if self.has_heir(seq, project)? {
            return self.take_out(session, seq);
        }
        let nobody = nobody(project);
        let sql = "UPDATE OR REPLACE deliveries SET session = ?1, kept = ?2
            WHERE session = ?3 AND seq = ?4";
        self.db.prepare_cached(sql)?.execute(params![nobody, time::now(), session, seq])?;
        self.hold_session_bound(&nobody)
    }

    /// Whether `session` had an end and gave no sign of life since.
    pub(in crate::daemon) fn has_ended(&self, session: &str) -> Sqlite<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM ended WHERE session = ?1)";
        self.db.prepare_cached(sql)?.query_row([session], |row| row.get(0))
    }

    /// Whether `session` ended later than `at`, and gave no sign of life since.
    pub(in crate::daemon) fn has_ended_since(&self, session: &str, at: SystemTime) -> Sqlite<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM ended WHERE session = ?1 AND at > ?2)";
        self.db.prepare_cached(sql)?.query_row(params![session, millis(at)], |row| row.get(0))
    }

    /// The processes of clients, and whose they are; what cannot be read is left out.
    pub(in crate::daemon) fn clients(&self) -> Sqlite<Vec<(String, Identity)>> {
        let mut query = self.db.prepare_cached("SELECT session, process FROM clients")?;
        let rows =
            query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let client =
            |(session, text): (String, String)| Some((session, serde_json::from_str(&text).ok()?));
        Ok(rows.flatten().filter_map(client).collect())
    }

    /// Sessions without a process that gave no sign of life for a day.
    pub(in crate::daemon) fn silent(&self) -> Sqlite<Vec<String>> {
        let sql = "SELECT id FROM sessions WHERE id NOT IN (SELECT session FROM clients)
            GROUP BY id HAVING max(last_seen) <= ?1";
        let mut query = self.db.prepare_cached(sql)?;
        let ids = query.query_map([dead_before()], |row| row.get(0))?;
        ids.collect()
    }

    /// When the next session would be silent for a day, seconds since 1970.
    pub(in crate::daemon) fn next_silence(&self) -> Sqlite<Option<i64>> {
        let sql = "SELECT min(seen) FROM (SELECT max(last_seen) AS seen FROM sessions
            WHERE id NOT IN (SELECT session FROM clients) GROUP BY id)";
        self.db.prepare_cached(sql)?.query_row([], |row| row.get(0))
    }
}
