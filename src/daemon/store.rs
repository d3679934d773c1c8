//! What must survive a restart, in SQLite: wire-only agents, their log, and messages.
//!
//! Units with a folder are not here: their files are the truth. Only the daemon opens this file. A
//! file that is not ours, damaged, or of a newer version is set aside, never deleted.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use crate::private;
use crate::wire::reply::{LogLine, Message};
use crate::wire::unit::Unit;

/// `user_version`: grows with each change of the tables.
const VERSION: i64 = 1;
/// `application_id`: "iGD1".
const APPLICATION: i64 = 0x6947_4431;

/// Messages kept at most. Beyond it the oldest read ones go first, then those whose addressee is
/// gone, then the oldest.
pub(super) const MESSAGE_BOUND: i64 = 10_000;
/// Log lines kept for each wire-only agent.
const LOG_BOUND: i64 = 500;

const TABLES: &str = "
    CREATE TABLE agents (id TEXT PRIMARY KEY, unit TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, sender TEXT NOT NULL,
        recipient TEXT, recipient_name TEXT, project TEXT, text TEXT NOT NULL,
        read INTEGER NOT NULL DEFAULT 0, gone INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX unread ON messages (recipient) WHERE read = 0;
    CREATE TABLE logs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, agent TEXT NOT NULL, at TEXT NOT NULL,
        level TEXT NOT NULL, text TEXT NOT NULL);
    CREATE INDEX log_of ON logs (agent, seq);
";

/// The open database.
#[derive(Debug)]
pub(super) struct Store {
    db: Connection,
}

type Sqlite<T> = rusqlite::Result<T>;

/// Which messages a listing wants.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Addressed to this id.
    pub(super) recipient: Option<String>,
    /// Of this project (`Some(None)`: of none).
    pub(super) project: Option<Option<PathBuf>>,
    /// Nobody has read them.
    pub(super) unread: bool,
    /// Later than this one.
    pub(super) after: u64,
}

impl Store {
    /// Opens the file at `path`. The second value says, once, what could not be used.
    pub(super) fn open(path: &Path) -> (Self, Option<String>) {
        match open_file(path) {
            Ok(store) => return (store, None),
            Err(cause) if cause.is_final() => return Self::in_memory(path, &cause),
            Err(cause) => match set_aside(path) {
                Ok(aside) => {
                    let note = format!(
                        "`{}` could not be used ({cause}); it is kept as `{}`, and a new one was begun",
                        path.display(),
                        aside.display()
                    );
                    match open_file(path) {
                        Ok(store) => (store, Some(note)),
                        Err(again) => Self::in_memory(path, &again),
                    }
                }
                Err(_) => Self::in_memory(path, &cause),
            },
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
        let _ = db.execute_batch(TABLES);
        (Self { db }, Some(note))
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

    /// Keeps `message`, gives it its number, and holds the bound. Returns how many unread messages
    /// had to go for it.
    pub(super) fn add_message(
        &self,
        message: &mut Message,
        project: Option<&Path>,
    ) -> Sqlite<usize> {
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
        self.prune()
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
            sql.push_str(&format!(" AND recipient = ?{}", values.len()));
        }
        if let Some(project) = &wanted.project {
            let text = project.as_ref().map(|p| p.to_string_lossy().into_owned());
            values.push(text.map_or(Sql::Null, Sql::Text));
            sql.push_str(&format!(" AND project IS ?{}", values.len()));
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

/// Why a file cannot be the store.
#[derive(Debug)]
enum Unusable {
    Sqlite(rusqlite::Error),
    Foreign,
    Newer(i64),
    Folder,
    Place(std::io::Error),
}

impl Unusable {
    /// The place is bad, not the file: setting it aside would not help.
    fn is_final(&self) -> bool {
        use rusqlite::ErrorCode::{
            CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure,
        };
        match self {
            Self::Place(_) => true,
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(CannotOpen | DiskFull | PermissionDenied | ReadOnly | SystemIoFailure)
            ),
            _ => false,
        }
    }
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(error) => write!(f, "{error}"),
            Self::Foreign => f.write_str("it belongs to another program"),
            Self::Newer(version) => {
                write!(f, "its version {version} is newer than ours, {VERSION}")
            }
            Self::Folder => f.write_str("it is a folder"),
            Self::Place(error) => write!(f, "{error}"),
        }
    }
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn open_file(path: &Path) -> Result<Store, Unusable> {
    if path.is_dir() {
        return Err(Unusable::Folder);
    }
    drop(private::append(path).map_err(Unusable::Place)?);
    let db = Connection::open(path)?;
    db.busy_timeout(Duration::from_secs(2))?;
    use_wal(&db)?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    check(&db)?;
    Ok(Store { db })
}

/// The first switch to WAL takes a lock that the time-out does not always wait for.
fn use_wal(db: &Connection) -> Sqlite<()> {
    let mut last = Ok(());
    for _ in 0..20 {
        last = db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()));
        match &last {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            _ => return last,
        }
    }
    last
}

/// Sound, ours, and of a version we know; an empty one is made ours.
fn check(db: &Connection) -> Result<(), Unusable> {
    let number = |name| db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let sound: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(rusqlite::Error::InvalidParameterName(sound).into());
    }
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (number("application_id")?, number("user_version")?) {
        (0, 0) if tables == 0 => make_ours(db).map_err(Unusable::from),
        (APPLICATION, VERSION) => Ok(()),
        (APPLICATION, version) => Err(Unusable::Newer(version)),
        _ => Err(Unusable::Foreign),
    }
}

fn make_ours(db: &Connection) -> Sqlite<()> {
    db.execute_batch(&format!(
        "BEGIN; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))
}

/// Renames the file, and what SQLite keeps beside it, to the first free `state.db.corrupt-N`.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    let free = (1..).map(|n| format!(".corrupt-{n}")).find(|s| !beside(s).exists());
    let suffix = free.unwrap_or_default();
    fs::rename(path, beside(&suffix))?;
    for extra in ["-wal", "-shm"] {
        let _ = fs::rename(beside(extra), beside(&format!("{suffix}{extra}")));
    }
    Ok(beside(&suffix))
}
