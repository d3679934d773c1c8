//! The names of sessions: one conversation is seen under several ids.
//!
//! Everything is kept under one of them; the others lead there, in one step, never in a chain. Two
//! sessions that turn out to be one become one for good, queue and all. Only what was the name of a
//! session that has ended may go on alone as another's: a client begins its next conversation with
//! the ids that are its own.

use rusqlite::{OptionalExtension, params};

use super::{Sqlite, Store};
use crate::daemon::journal::note;

/// Names of one session at most, beside its own; the oldest go first.
pub(in crate::daemon) const ALIASES: usize = 16;

/// Aliases of all sessions at most; the oldest go first.
const BOUND: i64 = 4000;

impl Store {
    /// The session that is called `name`; itself when it is nobody's alias.
    pub(in crate::daemon) fn session_of(&self, name: &str) -> Sqlite<String> {
        let sql = "SELECT session FROM aliases WHERE alias = ?1";
        let found = self.db.prepare_cached(sql)?.query_row([name], |row| row.get(0));
        Ok(found.optional()?.unwrap_or_else(|| name.to_owned()))
    }

    /// The aliases of `session`, newest first.
    pub(in crate::daemon) fn aliases(&self, session: &str) -> Sqlite<Vec<String>> {
        let sql = "SELECT alias FROM aliases WHERE session = ?1 ORDER BY made DESC, alias";
        let mut query = self.db.prepare_cached(sql)?;
        let names = query.query_map([session], |row| row.get(0))?;
        names.collect()
    }

    /// From now on `alias` means `session`, which is no alias itself. Returns the session that became
    /// part of it, if one did. Called within a transaction.
    pub(super) fn claim(&self, alias: &str, session: &str, at: i64) -> Sqlite<Option<String>> {
        let known = self.session_of(alias)?;
        if known == session {
            // Named again: it is not the oldest any more.
            let is_alias = alias != session;
            return if is_alias { self.name(alias, session, at).map(|()| None) } else { Ok(None) };
        }
        if known != alias && self.has_ended(&known)? {
            self.name(alias, session, at)?;
            return Ok(None);
        }
        self.merge(&known, session)?;
        self.name(&known, session, at)?;
        Ok(Some(known))
    }

    fn name(&self, alias: &str, session: &str, at: i64) -> Sqlite<()> {
        let sql = "INSERT OR REPLACE INTO aliases VALUES (?1, ?2, ?3)";
        self.db.prepare_cached(sql)?.execute(params![alias, session, at]).map(drop)
    }

    /// All that `other` was is `session` now.
    fn merge(&self, other: &str, session: &str) -> Sqlite<()> {
        let both = [other, session];
        let sql = "INSERT INTO sessions
            SELECT ?2, project, first_seen, last_seen FROM sessions WHERE id = ?1
            ON CONFLICT DO UPDATE SET first_seen = min(first_seen, excluded.first_seen),
                last_seen = max(last_seen, excluded.last_seen)";
        self.db.prepare_cached(sql)?.execute(both)?;
        self.db.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([other])?;
        self.db.prepare_cached("DELETE FROM ended WHERE session = ?1")?.execute([other])?;
        // The client that was named last counts.
        let sql = "DELETE FROM clients WHERE session = ?2
            AND named < (SELECT named FROM clients WHERE session = ?1)";
        self.db.prepare_cached(sql)?.execute(both)?;
        self.drop_second_brief(other, session)?;
        for table in ["aliases", "clients", "told", "deliveries", "briefed"] {
            let sql = format!("UPDATE OR IGNORE {table} SET session = ?2 WHERE session = ?1");
            self.db.prepare_cached(&sql)?.execute(both)?;
            let sql = format!("DELETE FROM {table} WHERE session = ?1");
            self.db.prepare_cached(&sql)?.execute([other])?;
        }
        self.drop_told(session)?;
        self.hold_session_bound(session)
    }

    /// What one of two sessions was told, both were once they are one.
    fn drop_told(&self, session: &str) -> Sqlite<()> {
        let sql = "SELECT seq FROM deliveries JOIN told USING (session, seq) WHERE session = ?1";
        let mut query = self.db.prepare_cached(sql)?;
        let seqs = query.query_map([session], |row| row.get(0))?;
        for seq in seqs.collect::<Sqlite<Vec<i64>>>()? {
            self.take_out(session, seq)?;
        }
        Ok(())
    }

    /// Forgets the oldest names where there are too many.
    pub(super) fn hold_aliases_bound(&self, session: &str) -> Sqlite<()> {
        let sql = "DELETE FROM aliases WHERE alias IN (SELECT alias FROM aliases
            WHERE session = ?1 ORDER BY made DESC, alias LIMIT -1 OFFSET ?2)";
        let limit = i64::try_from(ALIASES).unwrap_or(i64::MAX);
        let own = self.db.prepare_cached(sql)?.execute(params![session, limit])?;
        let sql = "DELETE FROM aliases WHERE alias IN
            (SELECT alias FROM aliases ORDER BY made DESC, alias LIMIT -1 OFFSET ?1)";
        let others = self.db.prepare_cached(sql)?.execute([BOUND])?;
        if own + others > 0 {
            note(format_args!("{} old names of sessions are forgotten: too many", own + others));
        }
        Ok(())
    }
}
