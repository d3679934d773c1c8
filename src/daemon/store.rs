//! What must survive a restart, in SQLite: wire-only agents, their log, messages, ends and signals.
//!
//! Live units with a folder are not here: their files are the truth. Only the daemon opens this
//! file. A file that is not ours, damaged, or of a newer version is set aside, never deleted.

mod aliases;
mod briefs;
mod digests;
mod ends;
mod file;
mod lives;
mod salvage;
mod sessions;
mod signals;
mod wal;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

pub(super) use aliases::ALIASES;
pub(super) use ends::{End, Progress};
use file::Unusable;
pub(super) use lives::{Beginning, Begun};
pub(super) use sessions::{LIFE, nobody};
pub(super) use signals::{Emission, Wants};

use crate::wire::reply::{LogLine, Message};
use crate::wire::unit::Unit;

/// Messages kept at most. Beyond it the oldest read ones go first, then those whose addressee is
/// gone, then the oldest.
pub(super) const MESSAGE_BOUND: i64 = 10_000;
/// Log lines kept for each wire-only agent.
const LOG_BOUND: i64 = 500;

/// The open database.
#[derive(Debug)]
pub(super) struct Store {
    db: Connection,
    /// What it keeps is there after a restart.
    pub(super) lasts: bool,
}

type Sqlite<T> = rusqlite::Result<T>;

/// Which messages a listing wants.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Addressed to this id.
    pub(super) recipient: Option<String>,
    /// Of this project, or of none; not looked at when `everywhere`.
    pub(super) project: Option<PathBuf>,
    pub(super) everywhere: bool,
    /// Nobody has read them.
    pub(super) unread: bool,
    /// Later than this one.
    pub(super) after: u64,
}

impl Store {
    /// Opens the file at `path`. The second value says, once, what could not be used.
    pub(super) fn open(path: &Path) -> (Self, Option<String>) {
        match file::open(path) {
            Ok((db, notice)) => (Self { db, lasts: true }, notice),
            Err(cause) if cause.is_final() => Self::in_memory(path, &cause),
            Err(cause) => Self::anew(path, &cause),
        }
    }

    /// Sets what is there aside and begins a new file.
    fn anew(path: &Path, cause: &Unusable) -> (Self, Option<String>) {
        let Ok(aside) = file::set_aside(path) else { return Self::in_memory(path, cause) };
        match file::open(path) {
            Ok((db, _)) => {
                let with = match file::take_over(&db, &aside) {
                    0 => String::new(),
                    1 => " with the one row of it that can be read".to_owned(),
                    rows => format!(" with the {rows} rows of it that can be read"),
                };
                let note = format!(
                    "`{}` could not be used ({cause}); it is kept as `{}`, and a new one was begun{with}",
                    path.display(),
                    aside.display()
                );
                (Self { db, lasts: true }, Some(note))
            }
            Err(again) => Self::in_memory(path, &again),
        }
    }

    /// The last resort: the daemon works, and forgets when it ends.
    fn in_memory(path: &Path, cause: &Unusable) -> (Self, Option<String>) {
        let note = format!(
            "`{}` cannot be written ({cause}); messages and agents are kept in memory only",
            path.display()
        );
        // An SQLite that cannot even do this leaves nothing to go on with.
        #[allow(clippy::expect_used, reason = "a database in memory fails only without memory")]
        let db = Connection::open_in_memory().expect("a database in memory");
        let _ = file::make_tables(&db).and_then(|()| file::begin_after(&db, path));
        (Self { db, lasts: false }, Some(note))
    }

    pub(super) fn save_agent(&self, unit: &Unit) -> Sqlite<()> {
        let text = serde_json::to_string(unit).unwrap_or_default();
        let sql = "INSERT OR REPLACE INTO agents (id, unit) VALUES (?1, ?2)";
        self.db.prepare_cached(sql)?.execute(params![unit.id.as_str(), text]).map(drop)
    }

    /// A wire-only agent ended. Its log stays as long as it would have.
    pub(super) fn end_agent(&self, id: &str) -> Sqlite<()> {
        self.db.execute("DELETE FROM agents WHERE id = ?1", [id]).map(drop)
    }

    /// Nobody will read what is still addressed to `id`.
    pub(super) fn close_inbox(&self, id: &str) -> Sqlite<()> {
        let sql = "UPDATE messages SET gone = 1 WHERE recipient = ?1 AND read = 0";
        self.db.prepare_cached(sql)?.execute([id]).map(drop)
    }

    /// Drops the logs of agents that ended before this daemon's life.
    pub(super) fn drop_old_logs(&self) -> Sqlite<()> {
        let sql = "DELETE FROM logs WHERE agent NOT IN (SELECT id FROM agents)";
        self.db.execute(sql, []).map(drop)
    }

    /// Wire-only agents as they were; what cannot be read is left out.
    pub(super) fn agents(&self) -> Sqlite<Vec<Unit>> {
        let mut query = self.db.prepare("SELECT unit FROM agents")?;
        let texts = query.query_map([], |row| row.get::<_, String>(0))?;
        Ok(texts.flatten().filter_map(|text| serde_json::from_str(&text).ok()).collect())
    }

    pub(super) fn add_log(&self, id: &str, at: &str, level: &str, text: &str) -> Sqlite<()> {
        let sql = "INSERT INTO logs (agent, at, level, text) VALUES (?1, ?2, ?3, ?4)";
        self.db.prepare_cached(sql)?.execute(params![id, at, level, text])?;
        let sql = "DELETE FROM logs WHERE agent = ?1 AND seq <=
            (SELECT seq FROM logs WHERE agent = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)";
        self.db.prepare_cached(sql)?.execute(params![id, LOG_BOUND]).map(drop)
    }

    /// The last `count` lines that the wire-only agent `unit` logged, oldest first.
    pub(super) fn log_of(&self, unit: &Unit, count: usize) -> Sqlite<Vec<LogLine>> {
        let sql = "SELECT at, level, text FROM logs WHERE agent = ?1 ORDER BY seq DESC LIMIT ?2";
        let mut query = self.db.prepare_cached(sql)?;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let lines = query.query_map(params![unit.id.as_str(), count], |row| {
            Ok(LogLine {
                id: unit.id.to_string(),
                name: unit.name.clone(),
                stream: "events".to_owned(),
                at: row.get(0)?,
                level: row.get(1)?,
                text: row.get(2)?,
            })
        })?;
        let mut lines: Vec<LogLine> = lines.collect::<Sqlite<_>>()?;
        lines.reverse();
        Ok(lines)
    }

    /// Keeps `messages`, which were sent as one under `id`, gives them their numbers, and holds the
    /// bound; `project` tells which one each is of. Returns how many unread messages had to go for
    /// them; none when `id` was here before: nothing is kept then.
    pub(super) fn add_messages<'a>(
        &self,
        id: Option<&str>,
        messages: &mut [Message],
        project: impl Fn(usize) -> Option<&'a Path>,
    ) -> Sqlite<Option<usize>> {
        let change = self.db.unchecked_transaction()?;
        if let Some(id) = id {
            let sql = "INSERT OR IGNORE INTO taken (id) VALUES (?1)";
            if change.prepare_cached(sql)?.execute([id])? == 0 {
                return Ok(None);
            }
            let sql = "DELETE FROM taken WHERE seq <= (SELECT max(seq) FROM taken) - ?1";
            change.prepare_cached(sql)?.execute([MESSAGE_BOUND])?;
        }
        for (index, message) in messages.iter_mut().enumerate() {
            self.add_message(message, project(index))?;
        }
        let gone = self.prune()?;
        change.commit()?;
        Ok(Some(gone))
    }

    fn add_message(&self, message: &mut Message, project: Option<&Path>) -> Sqlite<()> {
        let sql = "INSERT INTO messages (at, sender, recipient, recipient_name, project, text)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.db.prepare_cached(sql)?.execute(params![
            message.at,
            message.from,
            message.to,
            message.to_name,
            project.map(|p| p.to_string_lossy().into_owned()),
            message.text
        ])?;
        message.seq = u64::try_from(self.db.last_insert_rowid()).unwrap_or(0);
        Ok(())
    }

    fn prune(&self) -> Sqlite<usize> {
        let count = |sql| self.db.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
        let over = count("SELECT count(*) FROM messages")? - MESSAGE_BOUND;
        if over <= 0 {
            return Ok(0);
        }
        let sql = "DELETE FROM messages WHERE seq IN
            (SELECT seq FROM messages ORDER BY read DESC, gone DESC, seq LIMIT ?1)
            RETURNING read OR gone";
        let mut query = self.db.prepare_cached(sql)?;
        let gone = query.query_map([over], |row| row.get::<_, bool>(0))?;
        Ok(gone.flatten().filter(|was_done| !was_done).count())
    }

    /// Messages in order, as long as `take` wants more.
    pub(super) fn messages(
        &self,
        wanted: &Wanted,
        mut take: impl FnMut(Message) -> bool,
    ) -> Sqlite<()> {
        let after = i64::try_from(wanted.after).unwrap_or(i64::MAX);
        let (mut sql, mut values) = (String::from(SELECT_MESSAGES), vec![Sql::Integer(after)]);
        if let Some(recipient) = &wanted.recipient {
            values.push(Sql::Text(recipient.clone()));
            let _ = write!(sql, " AND recipient = ?{}", values.len());
        }
        if !wanted.everywhere {
            let text = wanted.project.as_ref().map(|p| p.to_string_lossy().into_owned());
            values.push(text.map_or(Sql::Null, Sql::Text));
            let _ = write!(sql, " AND project IS ?{}", values.len());
        }
        if wanted.unread {
            sql.push_str(" AND read = 0");
        }
        sql.push_str(" ORDER BY seq");
        let mut query = self.db.prepare_cached(&sql)?;
        let mut rows = query.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if !take(message(row)?) {
                break;
            }
        }
        Ok(())
    }

    /// Marks messages to `recipient` as read; returns how many were not before.
    pub(super) fn ack(&mut self, recipient: &str, seqs: &[u64]) -> Sqlite<usize> {
        let change = self.db.transaction()?;
        let mut count = 0;
        for seq in seqs {
            let sql = "UPDATE messages SET read = 1 WHERE seq = ?1 AND recipient = ?2 AND read = 0";
            let seq = i64::try_from(*seq).unwrap_or(-1);
            count += change.prepare_cached(sql)?.execute(params![seq, recipient])?;
        }
        change.commit()?;
        Ok(count)
    }

    /// Whether `recipient` has messages that it has not read.
    pub(super) fn has_unread(&self, recipient: &str) -> bool {
        let sql = "SELECT 1 FROM messages WHERE recipient = ?1 AND read = 0 LIMIT 1";
        let found = self
            .db
            .prepare_cached(sql)
            .and_then(|mut query| query.query_row([recipient], |_| Ok(())).optional());
        matches!(found, Ok(Some(())))
    }

    /// Messages that somebody could still read.
    pub(super) fn count_unread(&self) -> usize {
        let sql = "SELECT count(*) FROM messages WHERE read = 0 AND gone = 0";
        let count = self.db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap_or(0);
        usize::try_from(count).unwrap_or(0)
    }
}

const SELECT_MESSAGES: &str =
    "SELECT seq, at, sender, recipient, recipient_name, text, read FROM messages WHERE seq > ?1";

fn message(row: &Row<'_>) -> Sqlite<Message> {
    Ok(Message {
        seq: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
        at: row.get(1)?,
        from: row.get(2)?,
        to: row.get(3)?,
        to_name: row.get(4)?,
        text: row.get(5)?,
        read: row.get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::signal::Attention;
    use crate::wire::unit::{Kind, Status};

    /// The numbers of the next signal and of the next message.
    fn next(store: &Store) -> [u64; 2] {
        let emission = Emission {
            unit: "b00000000".into(),
            kind: Kind::LocalBash,
            at: String::new(),
            attention: Attention::Now,
            snapshot: "{}".into(),
            lifecycle: Some(Status::Failed),
            event: None,
            to: vec!["s".into()],
        };
        let mut message = Message {
            seq: 0,
            at: String::new(),
            from: "me".into(),
            to: None,
            to_name: None,
            text: "hello".into(),
            read: false,
        };
        store.add_message(&mut message, None).unwrap();
        [store.queue(&emission).unwrap(), message.seq]
    }

    #[test]
    fn a_database_in_place_of_another_begins_above_its_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        let (store, said) = Store::open(&path);
        assert_eq!((next(&store), said), ([1, 1], None));
        assert_eq!(next(&store), [2, 2]);
        drop(store);
        let mut before = [2, 2];
        for _ in 0..3 {
            std::fs::write(&path, "torn").unwrap();
            let (store, said) = Store::open(&path);
            assert!(said.is_some());
            let now = next(&store);
            assert!((0..2).all(|n| before[n] < now[n] && now[n] < 1 << 53), "{before:?} {now:?}");
            before = next(&store);
        }
        // Also when the one who set it aside got no further.
        std::fs::rename(&path, dir.path().join("state.db.corrupt-9")).unwrap();
        let now = next(&Store::open(&path).0);
        assert!((0..2).all(|n| before[n] < now[n]), "{before:?} {now:?}");
        assert_eq!(next(&Store::open(&path).0), now.map(|number| number + 1));
    }

    #[test]
    fn a_clock_that_went_back_gives_no_number_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        let aside = std::fs::File::create(dir.path().join("state.db.corrupt-1")).unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_hours(1000);
        aside.set_modified(later).unwrap();
        let [signal, _] = next(&Store::open(&path).0);
        assert!(signal > crate::time::micros(later));
    }

    #[test]
    fn a_database_in_memory_begins_above_those_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let (store, said) = Store::open(&dir.path().join("nowhere/state.db"));
        assert!(said.is_some_and(|said| said.contains("in memory only")));
        assert!(next(&store)[0] > 1 << 40);
    }
}
