//! The queue of signals, bounded for each session and in all.
//!
//! What is too much is folded, see `digests`.

use std::collections::HashSet;
use std::time::SystemTime;

use rusqlite::{Row, params};
use serde_json::Value;

use super::sessions::LIFE;
use super::{Sqlite, Store};
use crate::daemon::journal::note;
use crate::time;
use crate::wire::signal::{Attention, Lifecycle, Pending, Signal, StreamEvent};
use crate::wire::unit::{Kind, Status};

/// Signals that wait for one session at most.
const SESSION_BOUND: i64 = 1000;

/// Signals that wait in all at most.
const BOUND: i64 = 10_000;

/// The shortest queue in which a digest saves anything to speak of.
const WORTH_FOLDING: i64 = 10;

/// A signal on its way into the queue.
#[derive(Debug)]
pub(in crate::daemon) struct Emission {
    pub(in crate::daemon) unit: String,
    pub(in crate::daemon) kind: Kind,
    pub(in crate::daemon) at: String,
    pub(in crate::daemon) attention: Attention,
    pub(in crate::daemon) snapshot: String,
    pub(in crate::daemon) lifecycle: Option<Status>,
    pub(in crate::daemon) event: Option<StreamEvent>,
    /// The sessions that are to be told.
    pub(in crate::daemon) to: Vec<String>,
}

/// Which signals of a session are wanted.
#[derive(Debug)]
pub(in crate::daemon) struct Wants<'a> {
    pub(in crate::daemon) session: &'a str,
    pub(in crate::daemon) after: u64,
    /// Not these: they are on their way to somebody.
    pub(in crate::daemon) except: &'a HashSet<u64>,
    /// Only of this project; an empty one is none.
    pub(in crate::daemon) only: Option<&'a str>,
}

/// The project that a row of `signals` is about; a digest is about none.
const PROJECT: &str =
    "coalesce(CASE WHEN json_valid(snapshot) THEN json_extract(snapshot, '$.project') END, '')";

impl Store {
    /// Puts a signal into the queues of its sessions; called within a transaction. It is 0 when
    /// nobody is to be told.
    pub(super) fn queue(&self, emission: &Emission) -> Sqlite<u64> {
        if emission.to.is_empty() {
            return Ok(0);
        }
        let json = |value: Option<&StreamEvent>| value.and_then(|v| serde_json::to_string(v).ok());
        let sql = "INSERT INTO signals (unit, kind, at, attention, snapshot, lifecycle, event)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.db.prepare_cached(sql)?.execute(params![
            emission.unit,
            emission.kind.word(),
            emission.at,
            emission.attention.word(),
            emission.snapshot,
            emission.lifecycle.map(Status::word),
            json(emission.event.as_ref()),
        ])?;
        let seq = self.db.last_insert_rowid();
        for session in &emission.to {
            self.deliver(session, seq)?;
            self.hold_session_bound(session)?;
        }
        self.hold_bound()?;
        Ok(number(seq))
    }

    pub(super) fn deliver(&self, session: &str, seq: i64) -> Sqlite<()> {
        let sql = "INSERT OR IGNORE INTO deliveries (session, seq) VALUES (?1, ?2)";
        self.db.prepare_cached(sql)?.execute(params![session, seq]).map(drop)
    }

    /// Folds the queue of `session` as long as it is too long.
    pub(super) fn hold_session_bound(&self, session: &str) -> Sqlite<()> {
        while self.length(session)? > SESSION_BOUND {
            self.fold(session)?;
        }
        Ok(())
    }

    fn length(&self, session: &str) -> Sqlite<i64> {
        let sql = "SELECT count(*) FROM deliveries WHERE session = ?1";
        self.db.prepare_cached(sql)?.query_row([session], |row| row.get(0))
    }

    /// The first signals that `wants` describes, as long as `take` wants more.
    pub(in crate::daemon) fn waiting(
        &self,
        wants: &Wants<'_>,
        mut take: impl FnMut(Signal) -> bool,
    ) -> Sqlite<()> {
        let sql = format!(
            "SELECT seq, unit, kind, at, attention, snapshot, lifecycle, event, digest
            FROM deliveries JOIN signals USING (seq) WHERE session = ?1 AND seq > ?2
            AND (?3 IS NULL OR unit = '' OR {PROJECT} = ?3) ORDER BY seq"
        );
        let after = i64::try_from(wants.after).unwrap_or(i64::MAX);
        let mut query = self.db.prepare_cached(&sql)?;
        let mut rows = query.query(params![wants.session, after, wants.only])?;
        while let Some(row) = rows.next()? {
            let seq = number(row.get(0)?);
            if !wants.except.contains(&seq) && !take(signal(row, seq)?) {
                break;
            }
        }
        Ok(())
    }

    /// How many signals of other projects than `project` wait for `session`.
    pub(in crate::daemon) fn waiting_elsewhere(&self, session: &str, project: &str) -> Sqlite<u64> {
        let sql = format!(
            "SELECT count(*) FROM deliveries JOIN signals USING (seq)
            WHERE session = ?1 AND unit <> '' AND {PROJECT} <> ?2"
        );
        let query = params![session, project];
        self.db.prepare_cached(&sql)?.query_row(query, |row| row.get(0)).map(number)
    }

    /// What waits for `session`, but for those that are on their way to somebody.
    pub(in crate::daemon) fn pending(
        &self,
        session: &str,
        except: &HashSet<u64>,
    ) -> Sqlite<Pending> {
        let sql = "SELECT seq, attention FROM deliveries JOIN signals USING (seq)
            WHERE session = ?1";
        let mut query = self.db.prepare_cached(sql)?;
        let mut rows = query.query([session])?;
        let mut pending = Pending::default();
        while let Some(row) = rows.next()? {
            if except.contains(&number(row.get(0)?)) {
                continue;
            }
            pending.count += 1;
            match attention(&row.get::<_, String>(1)?) {
                Attention::Now => pending.now += 1,
                Attention::Next => pending.next += 1,
                Attention::Never => {}
            }
        }
        Ok(pending)
    }

    /// `session` was told these.
    pub(in crate::daemon) fn drained(&self, session: &str, seqs: &[u64]) -> Sqlite<()> {
        let change = self.db.unchecked_transaction()?;
        for seq in seqs {
            let seq = i64::try_from(*seq).unwrap_or(-1);
            let sql = "INSERT OR IGNORE INTO told
                SELECT session, seq FROM deliveries WHERE session = ?1 AND seq = ?2";
            self.db.prepare_cached(sql)?.execute(params![session, seq])?;
            self.take_out(session, seq)?;
        }
        self.hold_told_bound()?;
        change.commit()
    }

    /// One signal less for `session`; one that nobody waits for any more goes.
    pub(super) fn take_out(&self, session: &str, seq: i64) -> Sqlite<()> {
        let sql = "DELETE FROM deliveries WHERE session = ?1 AND seq = ?2";
        self.db.prepare_cached(sql)?.execute(params![session, seq])?;
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE seq = ?1)";
        let is_wanted = self.db.prepare_cached(sql)?.query_row([seq], |row| row.get(0))?;
        if is_wanted { Ok(()) } else { self.forget_signal(seq) }
    }

    fn forget_signal(&self, seq: i64) -> Sqlite<()> {
        for table in ["deliveries", "told", "signals"] {
            let sql = format!("DELETE FROM {table} WHERE seq = ?1");
            self.db.prepare_cached(&sql)?.execute([seq])?;
        }
        Ok(())
    }

    /// Who was told the oldest signals is forgotten first: then two sessions that turn out to be one
    /// may be told such a signal twice, under one number.
    fn hold_told_bound(&self) -> Sqlite<()> {
        let sql = "DELETE FROM told WHERE (session, seq) IN
            (SELECT session, seq FROM told ORDER BY seq DESC LIMIT -1 OFFSET ?1)";
        self.db.prepare_cached(sql)?.execute([BOUND]).map(drop)
    }

    /// Drops what is kept for nobody and was not asked for within a day.
    pub(super) fn expire(&self, nobody: &str) -> Sqlite<()> {
        let since = time::rfc3339(SystemTime::now() - LIFE);
        let sql = "SELECT seq FROM deliveries JOIN signals USING (seq)
            WHERE session = ?1 AND coalesce(kept, at) < ?2";
        let mut query = self.db.prepare_cached(sql)?;
        let old = query.query_map([nobody, &since], |row| row.get::<_, i64>(0))?;
        for seq in old.collect::<Sqlite<Vec<i64>>>()? {
            self.take_out(nobody, seq)?;
        }
        Ok(())
    }

    /// Makes room when too many wait in all: the longest queue is folded. Where all are short, it is
    /// the number of sessions that is too much: the oldest signal goes.
    fn hold_bound(&self) -> Sqlite<()> {
        let sql = "SELECT count(*) FROM deliveries";
        let count =
            || -> Sqlite<i64> { self.db.prepare_cached(sql)?.query_row([], |row| row.get(0)) };
        while count()? > BOUND {
            self.make_room()?;
        }
        Ok(())
    }

    fn make_room(&self) -> Sqlite<()> {
        let sql = "SELECT session, count(*) AS length FROM deliveries
            GROUP BY session ORDER BY length DESC LIMIT 1";
        let longest = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
        let (session, length) = self.db.prepare_cached(sql)?.query_row([], longest)?;
        if length >= WORTH_FOLDING {
            return self.fold(&session);
        }
        note("too many signals wait, for too many sessions: the oldest one is dropped");
        let sql = "SELECT min(seq) FROM signals";
        let oldest = self.db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        self.forget_signal(oldest)
    }
}

pub(super) fn signal(row: &Row<'_>, seq: u64) -> Sqlite<Signal> {
    let lifecycle: Option<String> = row.get(6)?;
    let status =
        lifecycle.and_then(|word| Status::ALL.into_iter().find(|status| status.word() == word));
    let mut snapshot: Value = serde_json::from_str(&row.get::<_, String>(5)?).unwrap_or_default();
    let earlier = snapshot.as_object_mut().and_then(|unit| unit.remove("earlier")).is_some();
    Ok(Signal {
        seq,
        daemon_id: row.get(1)?,
        kind: row.get(2)?,
        at: row.get(3)?,
        attention: attention(&row.get::<_, String>(4)?),
        snapshot,
        earlier,
        lifecycle: status.map(|status| Lifecycle { status }),
        event: row.get::<_, Option<String>>(7)?.and_then(|text| serde_json::from_str(&text).ok()),
        digest: row.get::<_, Option<String>>(8)?.and_then(|text| serde_json::from_str(&text).ok()),
    })
}

fn attention(word: &str) -> Attention {
    let known = [Attention::Now, Attention::Next, Attention::Never];
    known.into_iter().find(|known| known.word() == word).unwrap_or(Attention::Next)
}

pub(super) fn number(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::store::nobody;
    use crate::wire::signal::Digest;
    use std::path::Path;
    use std::time::Duration;

    fn store() -> Store {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        crate::daemon::store::file::make_tables(&db).unwrap();
        Store { db, lasts: false }
    }

    fn emission(lifecycle: Option<Status>, to: &[String]) -> Emission {
        Emission {
            unit: "b00000000".into(),
            kind: Kind::LocalBash,
            at: time::now(),
            attention: Attention::Now,
            snapshot: "{}".into(),
            lifecycle,
            event: lifecycle.is_none().then(StreamEvent::default),
            to: to.to_vec(),
        }
    }

    fn all(store: &Store, session: &str) -> Vec<Signal> {
        let none = HashSet::new();
        let mut signals = Vec::new();
        let take = |signal| {
            signals.push(signal);
            true
        };
        store.waiting(&Wants { session, after: 0, except: &none, only: None }, take).unwrap();
        signals
    }

    fn count(store: &Store, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        store.db.query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn events_are_folded_before_ends_and_everything_is_counted() {
        let store = store();
        let to = ["s".to_owned()];
        for n in 0..5000 {
            let end = (n % 10 == 0).then_some(Status::Failed);
            store.queue(&emission(end, &to)).unwrap();
        }
        let signals = all(&store, "s");
        assert!(signals.len() <= 1000);
        assert_eq!(signals.iter().filter(|s| s.lifecycle.is_some()).count(), 500);
        let told = u64::try_from(signals.iter().filter(|s| s.event.is_some()).count()).unwrap();
        let digests: Vec<&Digest> = signals.iter().filter_map(|s| s.digest.as_ref()).collect();
        let folded: u64 = digests.iter().filter_map(|d| d.dropped["event"].as_u64()).sum();
        assert_eq!(told + folded, 4500);
        assert_eq!(digests.iter().map(|d| d.first).min(), Some(2));
        assert_eq!(count(&store, "signals"), count(&store, "deliveries"));
    }

    #[test]
    fn many_sessions_are_bounded_together() {
        let store = store();
        let sessions: Vec<String> = (0..300).map(|n| format!("s{n}")).collect();
        for _ in 0..40 {
            store.queue(&emission(None, &sessions)).unwrap();
        }
        assert!(count(&store, "deliveries") <= BOUND);
        for n in 0..1500 {
            store.queue(&emission(Some(Status::Failed), &[format!("once{n}")])).unwrap();
        }
        assert!(count(&store, "deliveries") <= BOUND);
        assert!(count(&store, "signals") <= BOUND);
    }

    #[test]
    fn who_was_told_is_kept_within_bounds_and_no_longer_than_the_signal() {
        let store = store();
        let sessions: Vec<String> = (0..21).map(|n| format!("s{n}")).collect();
        for _ in 0..600 {
            let seq = store.queue(&emission(Some(Status::Failed), &sessions)).unwrap();
            sessions[1..].iter().for_each(|session| store.drained(session, &[seq]).unwrap());
        }
        assert_eq!((count(&store, "deliveries"), count(&store, "told")), (600, BOUND));
        let seqs: Vec<u64> = all(&store, "s0").iter().map(|signal| signal.seq).collect();
        store.drained("s0", &seqs).unwrap();
        assert_eq!(["deliveries", "told", "signals"].map(|table| count(&store, table)), [0; 3]);
    }

    #[test]
    fn what_nobody_was_there_for_is_kept_for_a_day() {
        let store = store();
        let project = Path::new("/p");
        let waiting = [nobody(Some(project))];
        let old = time::rfc3339(SystemTime::now() - Duration::from_hours(25));
        store.queue(&Emission { at: old, ..emission(None, &waiting) }).unwrap();
        store.queue(&emission(None, &waiting)).unwrap();
        let now = SystemTime::now();
        store.touch("elsewhere", Some(Path::new("/q")), now).unwrap();
        store.touch("long dead", Some(project), now - Duration::from_hours(25)).unwrap();
        store.touch("first", Some(project), now).unwrap();
        store.touch("second", Some(project), now).unwrap();
        let lengths = ["elsewhere", "long dead", "first", "second"].map(|s| all(&store, s).len());
        assert_eq!(lengths, [0, 0, 1, 0]);
        assert_eq!(count(&store, "signals"), 1);
        assert_eq!(store.live_sessions(Some(project)).unwrap(), ["first", "second"]);
    }

    #[test]
    fn sessions_are_bounded() {
        let store = store();
        for n in 0..1100 {
            let at = SystemTime::now() - Duration::from_secs(2000 - n);
            store.touch(&format!("s{n}"), None, at).unwrap();
        }
        assert_eq!(count(&store, "sessions"), 1000);
        assert_eq!(store.live_sessions(None).unwrap().len(), 1000);
    }
}
