//! What is too much is folded: the oldest signals of a queue, events first, become one digest that says
//! how many they were.

use rusqlite::params;
use serde_json::{Map, Value};

use super::signals::{number, signal};
use super::{Sqlite, Store};
use crate::time;
use crate::wire::signal::{Digest, Signal};

/// How many become one digest.
const FOLD: usize = 100;

impl Store {
    /// The oldest signals of `session`, events first, become one digest.
    pub(super) fn fold(&self, session: &str) -> Sqlite<()> {
        let sql = "SELECT seq, unit, kind, at, attention, 'null', lifecycle, event, digest
            FROM deliveries JOIN signals USING (seq) WHERE session = ?1
            ORDER BY lifecycle IS NOT NULL, seq LIMIT ?2";
        let mut query = self.db.prepare_cached(sql)?;
        let limit = i64::try_from(FOLD).unwrap_or(i64::MAX);
        let rows =
            query.query_map(params![session, limit], |row| signal(row, number(row.get(0)?)))?;
        let old = rows.collect::<Sqlite<Vec<Signal>>>()?;
        for signal in &old {
            self.take_out(session, i64::try_from(signal.seq).unwrap_or(-1))?;
        }
        let digest = serde_json::to_string(&digest_of(&old)).unwrap_or_default();
        let sql = "INSERT INTO signals (unit, kind, at, attention, snapshot, digest)
            VALUES ('', 'digest', ?1, 'next', 'null', ?2)";
        self.db.prepare_cached(sql)?.execute([time::now(), digest])?;
        self.deliver(session, self.db.last_insert_rowid())
    }
}

/// One digest for all of `signals`; those among them count as what they stand for.
fn digest_of(signals: &[Signal]) -> Digest {
    let mut digest = Digest { dropped: Map::new(), first: u64::MAX, last: 0 };
    let mut add = |what: &str, count: u64| {
        let so_far = digest.dropped.get(what).and_then(Value::as_u64).unwrap_or(0);
        digest.dropped.insert(what.to_owned(), (so_far + count).into());
    };
    for signal in signals {
        match (&signal.digest, &signal.lifecycle) {
            (Some(inner), _) => {
                inner.dropped.iter().for_each(|(what, n)| add(what, n.as_u64().unwrap_or(0)));
            }
            (None, Some(end)) => add(end.status.word(), 1),
            (None, None) => add("event", 1),
        }
    }
    for signal in signals {
        let inner = signal.digest.as_ref();
        digest.first = digest.first.min(inner.map_or(signal.seq, |inner| inner.first));
        digest.last = digest.last.max(inner.map_or(signal.seq, |inner| inner.last));
    }
    digest
}
