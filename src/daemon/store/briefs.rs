//! What a session is told at its first question in a project: what failed there before it came.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::{OptionalExtension, params};

use super::sessions::text;
use super::signals::Emission;
use super::{Sqlite, Store};

/// Pairs of session and project that are remembered; the oldest go first.
const BOUND: i64 = 4000;

impl Store {
    /// Whether `session` was told what had failed in `project` before it came.
    pub(in crate::daemon) fn is_briefed(
        &self,
        session: &str,
        project: Option<&Path>,
    ) -> Sqlite<bool> {
        let sql = "SELECT 1 FROM briefed WHERE session = ?1 AND project = ?2";
        let query = params![session, text(project)];
        let found = self.db.prepare_cached(sql)?.query_row(query, |_| Ok(())).optional()?;
        Ok(found.is_some())
    }

    /// Queues what had failed before `session` came, once, in one step.
    pub(in crate::daemon) fn brief(
        &self,
        session: &str,
        project: Option<&Path>,
        emissions: &[Emission],
    ) -> Sqlite<()> {
        let change = self.db.unchecked_transaction()?;
        let sql = "INSERT OR IGNORE INTO briefed (session, project) VALUES (?1, ?2)";
        if self.db.prepare_cached(sql)?.execute(params![session, text(project)])? > 0 {
            let sql = "DELETE FROM briefed WHERE seq IN
                (SELECT seq FROM briefed ORDER BY seq DESC LIMIT -1 OFFSET ?1)";
            self.db.prepare_cached(sql)?.execute([BOUND])?;
            emissions.iter().try_for_each(|emission| self.queue(emission).map(drop))?;
        }
        change.commit()
    }

    /// Units whose ends `session` is told, or was told a moment ago.
    pub(in crate::daemon) fn ends_for(&self, session: &str) -> Sqlite<HashSet<String>> {
        let sql = "SELECT unit FROM signals WHERE lifecycle IS NOT NULL AND seq IN
            (SELECT seq FROM deliveries WHERE session = ?1
             UNION ALL SELECT seq FROM told WHERE session = ?1)";
        let mut query = self.db.prepare_cached(sql)?;
        let units = query.query_map([session], |row| row.get(0))?;
        units.collect()
    }

    /// Of two sessions that turn out to be one, and both were to be told the same, one is. Called
    /// before what waits for `other` waits for `session`.
    pub(super) fn drop_second_brief(&self, other: &str, session: &str) -> Sqlite<()> {
        let sql = "SELECT seq FROM deliveries JOIN signals USING (seq) WHERE session = ?1
            AND CASE WHEN json_valid(snapshot) THEN json_extract(snapshot, '$.earlier') END
            AND EXISTS (SELECT 1 FROM briefed AS a JOIN briefed AS b USING (project)
                WHERE a.session = ?1 AND b.session = ?2)";
        let mut query = self.db.prepare_cached(sql)?;
        let seqs = query.query_map([other, session], |row| row.get(0))?;
        for seq in seqs.collect::<Sqlite<Vec<i64>>>()? {
            self.take_out(other, seq)?;
        }
        Ok(())
    }
}
