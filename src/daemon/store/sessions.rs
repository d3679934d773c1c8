//! Sessions: who they are, where they work, and when they last gave a sign of life.
//!
//! A session lives until it ends, see `lives`: without a client's process, once a day passed without a
//! sign. What happens while no session of a project lives is kept for a day, for the first one that
//! comes: under [`nobody`].

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{OptionalExtension, params};

use super::{Sqlite, Store};

/// How long a session lives after a sign of it.
pub(in crate::daemon) const LIFE: Duration = Duration::from_hours(24);

/// How exactly signs of life are kept, seconds: not every call is worth a write.
const GRAIN: i64 = 60;

/// Pairs of session and project known at most; the longest unseen go first.
const BOUND: i64 = 1000;

/// Who holds the signals of `project` while no session of it lives. No session has such a name:
/// control characters are refused in them.
pub(in crate::daemon) fn nobody(project: Option<&Path>) -> String {
    format!("\u{1}{}", text(project))
}

pub(super) fn text(project: Option<&Path>) -> String {
    project.map(|project| project.to_string_lossy().into_owned()).unwrap_or_default()
}

fn seconds(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Who gave the last sign before this is dead.
pub(super) fn dead_before() -> i64 {
    seconds(SystemTime::now() - LIFE)
}

/// A row of `sessions` that lives: `?2` is [`dead_before`].
const LIVES: &str = "(last_seen > ?2 OR id IN (SELECT session FROM clients))";

impl Store {
    /// A sign of life of `session`, at work in `project`. What was kept for the first session to
    /// come there is its now.
    pub(in crate::daemon) fn touch(
        &self,
        session: &str,
        project: Option<&Path>,
        at: SystemTime,
    ) -> Sqlite<()> {
        let change = self.db.unchecked_transaction()?;
        self.sign(session, project, at)?;
        change.commit()
    }

    /// The same within a transaction.
    pub(super) fn sign(&self, session: &str, project: Option<&Path>, at: SystemTime) -> Sqlite<()> {
        let (at, place) = (seconds(at), text(project));
        let sql = "SELECT last_seen FROM sessions WHERE id = ?1 AND project = ?2";
        let seen: Option<i64> = self
            .db
            .prepare_cached(sql)?
            .query_row([session, &place], |row| row.get(0))
            .optional()?;
        if seen.is_none_or(|seen| seen + GRAIN <= at) {
            let sql = "INSERT INTO sessions VALUES (?1, ?2, ?3, ?3)
                ON CONFLICT DO UPDATE SET last_seen = excluded.last_seen";
            self.db.prepare_cached(sql)?.execute(params![session, place, at])?;
            self.db.prepare_cached("DELETE FROM ended WHERE session = ?1")?.execute([session])?;
            self.forget_sessions()?;
        }
        self.inherit(session, &nobody(project), at)
    }

    fn inherit(&self, session: &str, nobody: &str, at: i64) -> Sqlite<()> {
        let sql = "SELECT 1 FROM deliveries WHERE session = ?1 LIMIT 1";
        let any = self.db.prepare_cached(sql)?.query_row([nobody], |_| Ok(())).optional()?;
        if any.is_none() || at < dead_before() {
            return Ok(());
        }
        self.expire(nobody)?;
        let sql = "UPDATE OR REPLACE deliveries SET session = ?1, kept = NULL WHERE session = ?2
            AND seq NOT IN (SELECT seq FROM told WHERE session = ?1)";
        self.db.prepare_cached(sql)?.execute([session, nobody]).map(drop)
    }

    fn forget_sessions(&self) -> Sqlite<()> {
        let sql = "DELETE FROM sessions WHERE (id, project) IN
            (SELECT id, project FROM sessions ORDER BY last_seen DESC LIMIT -1 OFFSET ?1)";
        if self.db.prepare_cached(sql)?.execute([BOUND])? > 0 {
            let sql = "DELETE FROM clients WHERE session NOT IN (SELECT id FROM sessions)";
            self.db.prepare_cached(sql)?.execute([])?;
        }
        Ok(())
    }

    /// Whether `session` lives, wherever it works.
    pub(in crate::daemon) fn is_living(&self, session: &str) -> Sqlite<bool> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM sessions WHERE id = ?1 AND {LIVES})");
        self.db.prepare_cached(&sql)?.query_row(params![session, dead_before()], |row| row.get(0))
    }

    /// Sessions at work in `project` that live.
    pub(in crate::daemon) fn live_sessions(&self, project: Option<&Path>) -> Sqlite<Vec<String>> {
        let sql = format!("SELECT id FROM sessions WHERE project = ?1 AND {LIVES} ORDER BY id");
        let mut query = self.db.prepare_cached(&sql)?;
        let ids = query.query_map(params![text(project), dead_before()], |row| row.get(0))?;
        ids.collect()
    }

    /// Whether a session that lives in `project` has the signal `seq`, or had it.
    pub(super) fn has_heir(&self, seq: i64, project: Option<&Path>) -> Sqlite<bool> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM sessions WHERE project = ?1 AND {LIVES} AND id IN
            (SELECT session FROM deliveries WHERE seq = ?3
             UNION ALL SELECT session FROM told WHERE seq = ?3))"
        );
        let query = params![text(project), dead_before(), seq];
        self.db.prepare_cached(&sql)?.query_row(query, |row| row.get(0))
    }

    /// Living sessions that have not been told yet that `unit` ended.
    pub(in crate::daemon) fn untold(&self, unit: &str) -> Sqlite<Vec<String>> {
        let sql = format!(
            "SELECT DISTINCT deliveries.session FROM signals
            JOIN deliveries USING (seq) JOIN sessions ON sessions.id = deliveries.session
            WHERE signals.unit = ?1 AND signals.lifecycle IS NOT NULL AND {LIVES}"
        );
        let mut query = self.db.prepare_cached(&sql)?;
        let ids = query.query_map(params![unit, dead_before()], |row| row.get(0))?;
        ids.collect()
    }
}
