//! What can still be read of a database that was set aside is taken over into the new one.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};

use super::Sqlite;

/// Every table, and what tells the order of its rows.
const TABLES: [(&str, &str); 13] = [
    ("agents", "id"),
    ("messages", "seq"),
    ("logs", "seq"),
    ("ends", "unit"),
    ("monitors", "unit"),
    ("sessions", "id"),
    ("aliases", "alias"),
    ("clients", "session"),
    ("ended", "session"),
    ("signals", "seq"),
    ("deliveries", "session"),
    ("told", "session"),
    ("taken", "seq"),
];

/// Copies what can be read of the database at `aside`, if it is of our `application` and `version`,
/// into `db`. Returns the number of rows.
pub(super) fn salvage(db: &Connection, aside: &Path, application: i64, version: i64) -> usize {
    // What was written ahead of it is read as well, and nothing is moved: it stays as it was found.
    let Ok(old) = Connection::open_with_flags(aside, OpenFlags::SQLITE_OPEN_READ_WRITE) else {
        return 0;
    };
    let _ = old.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    let number = |name| old.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    if number("application_id") != Ok(application) || number("user_version") != Ok(version) {
        return 0;
    }
    let copy = |(table, order): (&str, &str)| {
        // From either side, as far as the damage.
        ["", "DESC"].map(|way| copy_table(&old, db, table, &format!("{order} {way}")).unwrap_or(0))
    };
    TABLES.into_iter().flat_map(copy).sum()
}

fn copy_table(old: &Connection, db: &Connection, table: &str, order: &str) -> Sqlite<usize> {
    let mut query = old.prepare(&format!("SELECT * FROM {table} ORDER BY {order}"))?;
    let columns = query.column_count();
    let marks = vec!["?"; columns].join(", ");
    let mut count = 0;
    let change = db.unchecked_transaction()?;
    {
        let mut put = change.prepare(&format!("INSERT OR IGNORE INTO {table} VALUES ({marks})"))?;
        let mut rows = query.query([])?;
        while let Ok(Some(row)) = rows.next() {
            let values = (0..columns).map(|at| row.get::<_, Value>(at)).collect::<Sqlite<Vec<_>>>();
            count += values.and_then(|values| put.execute(params_from_iter(values))).unwrap_or(0);
        }
    }
    change.commit()?;
    Ok(count)
}
