//! Whether what SQLite wrote ahead (`state.db-wal`) is whole.
//!
//! SQLite reads it up to the first frame that does not fit and forgets the rest without a word, as it
//! has to: behind the last frame may stand older ones. So damage is looked for before it opens the
//! file. The format is SQLite's own, see its "Database File Format", part 4.

/// Bytes before the first frame.
const HEADER: usize = 32;

/// Bytes of a frame before its page.
const FRAME: usize = 24;

/// Frames that were written before the file was begun anew tell an earlier number, by one for each
/// time; what tells any other was never written by SQLite.
const EARLIER: u32 = 1 << 16;

/// Whether something in `wal` was damaged. A last frame that is cut short is none: whoever wrote it
/// got no further.
pub(super) fn is_damaged(wal: &[u8]) -> bool {
    if wal.is_empty() {
        return false;
    }
    let Some(log) = Log::of(wal) else { return true };
    let mut sum = log.sum;
    let mut frames = wal[HEADER..].chunks_exact(FRAME + log.page);
    for frame in frames.by_ref() {
        match log.next(sum, frame) {
            Some(next) => sum = next,
            None => return log.is_strange(frame) || frames.any(|frame| log.is_strange(frame)),
        }
    }
    false
}

/// What the header says.
struct Log {
    page: usize,
    salts: [u32; 2],
    is_big_endian: bool,
    sum: [u32; 2],
}

impl Log {
    fn of(wal: &[u8]) -> Option<Self> {
        let header = wal.get(..HEADER)?;
        let is_big_endian = match number(header, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return None,
        };
        let sum = checksum([0, 0], &header[..24], is_big_endian);
        let page =
            usize::try_from(number(header, 8)).ok().filter(|page| (512..=65536).contains(page));
        let is_whole = sum == [number(header, 24), number(header, 28)];
        let salts = [number(header, 16), number(header, 20)];
        is_whole.then_some(Self { page: page?, salts, is_big_endian, sum })
    }

    /// The checksum up to and with `frame`, if it is the one that follows.
    fn next(&self, sum: [u32; 2], frame: &[u8]) -> Option<[u32; 2]> {
        let sum = checksum(sum, &frame[..8], self.is_big_endian);
        let sum = checksum(sum, &frame[FRAME..], self.is_big_endian);
        let is_whole = sum == [number(frame, 16), number(frame, 20)];
        (self.is_of_now(frame) && is_whole).then_some(sum)
    }

    fn is_of_now(&self, frame: &[u8]) -> bool {
        [number(frame, 8), number(frame, 12)] == self.salts
    }

    /// Neither the next one nor one from before.
    fn is_strange(&self, frame: &[u8]) -> bool {
        let earlier = self.salts[0].wrapping_sub(number(frame, 8));
        self.is_of_now(frame) || earlier == 0 || earlier > EARLIER
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    word.map_or(0, u32::from_be_bytes)
}

fn checksum(mut sum: [u32; 2], bytes: &[u8], is_big_endian: bool) -> [u32; 2] {
    let words = bytes.chunks_exact(4).map(|word| number(word, 0));
    let mut words = words.map(|word| if is_big_endian { word } else { word.swap_bytes() });
    while let (Some(first), Some(second)) = (words.next(), words.next()) {
        sum[0] = sum[0].wrapping_add(first).wrapping_add(sum[1]);
        sum[1] = sum[1].wrapping_add(second).wrapping_add(sum[0]);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// A real one: `commits` commits, after it was begun anew `again` times.
    fn written(commits: u32, again: u32) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let db = Connection::open(&path).unwrap();
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
        db.execute_batch("CREATE TABLE t (x)").unwrap();
        let add = |commits| {
            for _ in 0..commits {
                db.execute("INSERT INTO t VALUES (randomblob(3000))", []).unwrap();
            }
        };
        for _ in 0..again {
            add(commits + 9);
            db.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        }
        add(commits);
        std::fs::read(dir.path().join("x.db-wal")).unwrap()
    }

    #[test]
    fn what_sqlite_writes_is_whole() {
        for again in [0, 1, 3] {
            for commits in [0, 1, 20] {
                let mut wal = written(commits, again);
                assert!(!is_damaged(&wal), "{commits} {again}");
                wal.truncate(wal.len() - 100);
                assert!(wal.is_empty() || !is_damaged(&wal), "{commits} {again}: cut short");
            }
        }
    }

    #[test]
    fn damage_is_seen_wherever_it_is() {
        let whole = written(20, 1);
        let frame = FRAME + 4096;
        let written = 20 * frame;
        for at in (0..HEADER + written).step_by(997).chain([0, 9, 31]) {
            let mut wal = whole.clone();
            wal[at] ^= 0x55;
            assert!(is_damaged(&wal), "byte {at}");
        }
        for from in [0, 10, HEADER, HEADER + 3 * frame + 7] {
            let mut wal = whole.clone();
            wal[from..].fill(0xA5);
            assert!(is_damaged(&wal), "from {from}");
        }
        assert!(is_damaged(b"garbage"));
    }
}
