//! The lock that makes the daemon single: an `flock` on a file in the state folder.
//!
//! The kernel drops it when the daemon dies, however it dies. What the file says (see
//! [`Recorded`]) leads clients to the socket, wherever that had to move.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::os::Identity;
use crate::socket::{self, Recorded};
use crate::{paths, secure_fs};

/// How long the winner of a race may take until it answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Held for as long as the daemon lives.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

/// Who may be the daemon.
#[derive(Debug)]
pub(super) enum Claim {
    /// We are.
    Ours(Lock),
    /// It answers already.
    Theirs(Recorded),
}

/// Takes the lock, or waits until whoever has it answers.
pub(super) fn claim() -> Result<Claim> {
    let path = paths::daemon_lock();
    let dir = paths::state_dir();
    secure_fs::dir(&dir).map_err(|e| Error::io("make", &dir, &e))?;
    secure_fs::check_owned(&dir)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let file = open(&path).map_err(|e| Error::io("open", &path, &e))?;
        let lock = Lock { file };
        // A client that looks for us holds a shared lock for a moment: so failing once means little.
        match flock(&lock.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if lock.is_still_ours() => return Ok(Claim::Ours(lock)),
            Ok(()) => continue,
            // The only word for one that somebody else holds.
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Err(cause) => {
                let next = "point XDG_STATE_HOME at a folder on a file system that has locks";
                return Err(Error::io("lock", &path, &cause.into()).next(next));
            }
        }
        if let Some(other) = socket::recorded().filter(answers) {
            return Ok(Claim::Theirs(other));
        }
        if Instant::now() > deadline {
            return Err(Error::new("another daemon holds the lock and does not answer")
                .at(path.display())
                .next("ig daemon restart"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn open(path: &std::path::Path) -> std::io::Result<File> {
    secure_fs::rewrite(path)
}

/// Right after a crash the file still tells of the dead one.
fn answers(other: &Recorded) -> bool {
    other.daemon.is_alive() && socket::connect().is_ok()
}

impl Lock {
    /// Tells clients where we listen. In place: a new file would not be the locked one.
    pub(super) fn record(&mut self, socket: &std::path::Path) -> Result<()> {
        let daemon = Identity::own().ok_or_else(|| Error::new("cannot tell our own process"))?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let recorded = Recorded { daemon, socket: socket.to_path_buf(), version };
        let text = serde_json::to_vec(&recorded).unwrap_or_default();
        self.overwrite(&text).map_err(|e| Error::io("write", paths::daemon_lock(), &e))
    }

    fn overwrite(&mut self, text: &[u8]) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text)?;
        self.file.set_len(u64::try_from(text.len()).unwrap_or(0))
    }

    /// Whether the file that newcomers would lock is the one we hold.
    pub(super) fn is_still_ours(&self) -> bool {
        let (Ok(held), Ok(found)) =
            (self.file.metadata(), secure_fs::metadata(&paths::daemon_lock()))
        else {
            return false;
        };
        (held.dev(), held.ino()) == (found.dev(), found.ino())
    }
}
