//! The database's file: opened, checked, made ours, or set aside.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;

use super::{Sqlite, salvage, wal};
use crate::{secure_fs, time};

/// `user_version`: grows with each change of the tables.
const VERSION: i64 = 5;
/// `application_id`: "iGD1".
const APPLICATION: i64 = 0x6947_4431;

/// What is set aside is called like the file, with this and a number behind it.
const ASIDE: &str = ".corrupt-";

/// The longest `state.db-wal` that is looked at: a thousand pages are moved into the file at a time.
const LONGEST_WAL: u64 = 64 << 20;

/// No database begins with a higher number, so that whole numbers of JSON (2^53) do for it.
const FARTHEST: i64 = 1 << 52;

/// The tables of version 1.
const FIRST: &str = "
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

/// What version 2 added: ends, and who is to be told of them.
///
/// A row of `deliveries` is a signal that a session has still to be told; a signal without one is
/// done with and goes. So a session's cursor is the first delivery it has left, and several drainers
/// of one session may finish in any order.
const SECOND: &str = "
    CREATE TABLE ends (
        unit TEXT PRIMARY KEY, life TEXT NOT NULL, ended_at TEXT NOT NULL, record TEXT NOT NULL,
        folder TEXT) WITHOUT ROWID;
    CREATE TABLE alerts (unit TEXT PRIMARY KEY, alerts TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE monitors (
        unit TEXT PRIMARY KEY, line INTEGER NOT NULL, events INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE sessions (
        id TEXT NOT NULL, project TEXT NOT NULL, first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL, PRIMARY KEY (id, project)) WITHOUT ROWID;
    CREATE TABLE signals (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, unit TEXT NOT NULL, kind TEXT NOT NULL,
        at TEXT NOT NULL, attention TEXT NOT NULL, snapshot TEXT NOT NULL, lifecycle TEXT,
        event TEXT, digest TEXT);
    CREATE INDEX end_of ON signals (unit) WHERE lifecycle IS NOT NULL;
    CREATE TABLE deliveries (
        session TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (session, seq)) WITHOUT ROWID;
    CREATE INDEX delivery_of ON deliveries (seq);
";

/// What version 3 added: sessions that begin and end, under several names.
///
/// A session has one name that all of this is kept under; its others are in `aliases`. `clients` are
/// the processes whose end is their session's, `ended` the sessions that had an end and no sign of
/// life since. A row of `told` is a signal that a session was told while another has still to be: two
/// sessions that turn out to be one are not told it twice. `kept` is since when a signal waits for
/// the first session to come, where that is not since it was made. Which ends are told is kept beside
/// the record (`record::alerts`).
const THIRD: &str = "
    CREATE TABLE aliases (
        alias TEXT PRIMARY KEY, session TEXT NOT NULL, made INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX alias_of ON aliases (session, made);
    CREATE TABLE clients (
        session TEXT PRIMARY KEY, process TEXT NOT NULL, named INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE ended (session TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE told (
        session TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (session, seq)) WITHOUT ROWID;
    CREATE INDEX told_of ON told (seq);
    ALTER TABLE deliveries ADD COLUMN kept TEXT;
    DROP TABLE alerts;
";

/// What version 4 added: the ids of messages that were taken, so that none is taken twice.
const FOURTH: &str = "
    CREATE TABLE taken (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE);
";

/// What version 5 added: which sessions were told, in which projects, what had failed before they came.
const FIFTH: &str = "
    CREATE TABLE briefed (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, project TEXT NOT NULL,
        UNIQUE (session, project));
";

/// What each version added to the one before.
const STEPS: [&str; 5] = [FIRST, SECOND, THIRD, FOURTH, FIFTH];

/// Makes every table in an empty database.
pub(super) fn make_tables(db: &Connection) -> Sqlite<()> {
    STEPS.iter().try_for_each(|step| db.execute_batch(step))
}

/// Begins the numbers of signals and messages after those of every database that was at `path`
/// before: clients tell repeats by them. Nobody may be able to read those, so it is the time that
/// tells how far they can have come, in microseconds: fewer than that were ever given, and what
/// speaks JSON still takes them for whole numbers. A clock that went back since is made up for by
/// when the others were written last.
pub(super) fn begin_after(db: &Connection, path: &Path) -> Sqlite<()> {
    let written = aside(path).into_iter().filter_map(|old| old.metadata().ok()?.modified().ok());
    let latest = written.fold(SystemTime::now(), SystemTime::max);
    let number = i64::try_from(time::micros(latest)).unwrap_or(FARTHEST).min(FARTHEST);
    let sql = "SELECT max(seq) FROM sqlite_sequence WHERE name IN ('signals', 'messages')";
    let given: Option<i64> = db.query_row(sql, [], |row| row.get(0))?;
    let number = number.max(given.unwrap_or_default());
    db.execute("DELETE FROM sqlite_sequence WHERE name IN ('signals', 'messages')", [])?;
    let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES ('signals', ?1), ('messages', ?1)";
    db.execute(sql, [number]).map(drop)
}

/// What was set aside of `path`.
fn aside(path: &Path) -> Vec<PathBuf> {
    let is_one = |old: &PathBuf| {
        let name = old.as_os_str().as_encoded_bytes();
        name.strip_prefix(path.as_os_str().as_encoded_bytes())
            .is_some_and(|suffix| suffix.starts_with(ASIDE.as_bytes()))
    };
    let beside = path.parent().and_then(|dir| fs::read_dir(dir).ok()).into_iter().flatten();
    beside.flatten().map(|entry| entry.path()).filter(is_one).collect()
}

/// Why a file cannot be the store.
#[derive(Debug)]
pub(super) enum Unusable {
    Sqlite(rusqlite::Error),
    Foreign,
    /// It was there, and nothing was in it.
    Empty,
    Newer(i64),
    Folder,
    Place(std::io::Error),
}

impl Unusable {
    /// The place is bad, not the file: setting it aside would not help.
    pub(super) fn is_final(&self) -> bool {
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
            Self::Empty => f.write_str("it is empty"),
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

/// The database at `path`, and what is to be told of it: what was written last may be damaged, while
/// the rest is good.
pub(super) fn open(path: &Path) -> Result<(Connection, Option<String>), Unusable> {
    if path.is_dir() {
        return Err(Unusable::Folder);
    }
    let is_new = fs::symlink_metadata(path).is_err();
    drop(secure_fs::append(path).map_err(Unusable::Place)?);
    if !is_new && fs::metadata(path).is_ok_and(|meta| meta.len() == 0) {
        return Err(Unusable::Empty);
    }
    let damage = if is_new { None } else { set_damaged_wal_aside(path) };
    let db = Connection::open(path)?;
    db.busy_timeout(Duration::from_secs(2))?;
    use_wal(&db)?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    check(&db, path, is_new)?;
    if damage.is_some() {
        // Numbers may have been given that nobody can read any more.
        begin_after(&db, path)?;
    }
    Ok((db, damage))
}

/// Keeps a copy of what was written ahead, if it is damaged, before SQLite forgets what it cannot read
/// of it; what it can stays. Returns what to tell.
fn set_damaged_wal_aside(path: &Path) -> Option<String> {
    let ahead = PathBuf::from(format!("{}-wal", path.display()));
    let bytes = secure_fs::read(&ahead, LONGEST_WAL).ok().filter(|bytes| wal::is_damaged(bytes))?;
    let suffix = format!("{}-wal", free_suffix(path));
    let copy = PathBuf::from(format!("{}{suffix}", path.display()));
    let kept = match secure_fs::replace(&copy, &bytes) {
        Ok(()) => format!("a copy is kept as `{}`", copy.display()),
        Err(error) => format!("it could not be copied: {error}"),
    };
    Some(format!(
        "`{}` is damaged: messages and signals that were written last may be lost ({kept})",
        ahead.display()
    ))
}

/// Takes over what can be read of the database `aside`; returns how many rows that was.
pub(super) fn take_over(db: &Connection, aside: &Path) -> usize {
    salvage::salvage(db, aside, APPLICATION, VERSION)
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
fn check(db: &Connection, path: &Path, is_new: bool) -> Result<(), Unusable> {
    let number = |name| db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let sound: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(rusqlite::Error::InvalidParameterName(sound).into());
    }
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (number("application_id")?, number("user_version")?) {
        (0, 0) if tables == 0 && is_new => make_ours(db, path).map_err(Unusable::from),
        // Of ours that much is in the file itself from the first moment on.
        (0, 0) if tables == 0 => Err(Unusable::Empty),
        (APPLICATION, VERSION) => Ok(()),
        (APPLICATION, version @ 1..VERSION) => upgrade(db, version).map_err(Unusable::from),
        (APPLICATION, version) => Err(Unusable::Newer(version)),
        _ => Err(Unusable::Foreign),
    }
}

fn make_ours(db: &Connection, path: &Path) -> Sqlite<()> {
    let change = db.unchecked_transaction()?;
    make_tables(&change)?;
    if !aside(path).is_empty() {
        begin_after(&change, path)?;
    }
    change.pragma_update(None, "application_id", APPLICATION)?;
    change.pragma_update(None, "user_version", VERSION)?;
    change.commit()?;
    // Into the file itself: what is written ahead may get lost.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// From an older version to ours, in one step.
fn upgrade(db: &Connection, version: i64) -> Sqlite<()> {
    let change = db.unchecked_transaction()?;
    let known = usize::try_from(version).unwrap_or_default();
    STEPS.iter().skip(known).try_for_each(|step| change.execute_batch(step))?;
    change.pragma_update(None, "user_version", VERSION)?;
    change.commit()
}

/// The first free `.corrupt-N` behind `path`, also in front of `-wal`.
fn free_suffix(path: &Path) -> String {
    let is_free = |suffix: &String| {
        ["", "-wal"]
            .iter()
            .all(|end| fs::symlink_metadata(format!("{}{suffix}{end}", path.display())).is_err())
    };
    (1..10_000).map(|n| format!("{ASIDE}{n}")).find(is_free).unwrap_or_default()
}

/// Renames the file, and what SQLite keeps beside it, to the first free `state.db.corrupt-N`.
pub(super) fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    let suffix = free_suffix(path);
    fs::rename(path, beside(&suffix))?;
    for extra in ["-wal", "-shm"] {
        let _ = fs::rename(beside(extra), beside(&format!("{suffix}{extra}")));
    }
    Ok(beside(&suffix))
}
