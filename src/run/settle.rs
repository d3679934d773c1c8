//! The record's last word.

use std::time::Duration;

use crate::error::{self, Error, exit};
use crate::record::{Folder, events};
use crate::wire::unit::{EndSource, Status, Unit};
use crate::{ending, stop, time};

/// How a command ended: by itself, by a signal, or (neither) nobody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct End {
    /// The code it exited with.
    pub exit_code: Option<i32>,
    /// The signal it died of.
    pub signal: Option<i32>,
    /// A key of the terminal asked for that (Ctrl-C, Ctrl-\).
    pub by_key: bool,
    /// The user's terminal was closed meanwhile.
    pub hung_up: bool,
    /// Something that it started lives on.
    pub leaves: bool,
    /// Its output could not be passed on, for this reason.
    pub unpassed: Option<i32>,
    /// Where a message of ours would stand, a line has begun.
    pub within_line: bool,
    /// Who told.
    pub by: EndSource,
}

impl End {
    /// By an exit code or by a signal.
    pub(super) fn of(exit_code: Option<i32>, signal: Option<i32>) -> Self {
        let is_known = exit_code.or(signal).is_some();
        Self {
            exit_code,
            signal,
            by_key: false,
            hung_up: false,
            leaves: false,
            unpassed: None,
            within_line: false,
            by: if is_known { EndSource::Runner } else { EndSource::Unknown },
        }
    }

    /// `exit code 3`, `SIGKILL`.
    pub(super) fn words(self) -> String {
        ending::words(self.exit_code, self.signal)
    }

    /// The code a shell would show: the exit code, or 128 and the signal.
    pub fn shell_code(self) -> u8 {
        let code = match (self.exit_code, self.signal) {
            (_, Some(signal)) => i32::from(exit::SIGNAL_BASE) + signal,
            (Some(code), None) => code,
            (None, None) => i32::from(exit::RUN_FAILED),
        };
        u8::try_from(code & 0xff).unwrap_or(exit::FAILED)
    }
}

/// What the system says of an error.
pub(super) fn words(errno: i32) -> String {
    error::plain(&std::io::Error::from_raw_os_error(errno))
}

/// Writes the end into the record. What the script said of itself is kept with it.
pub(super) fn finish(unit: &mut Unit, folder: Option<&Folder>, end: End, length: Duration) {
    unit.exit_code = end.exit_code;
    unit.signal = end.signal;
    unit.end = Some(end.by);
    unit.status = Status::of_end(end.exit_code, end.signal);
    if end.hung_up {
        unit.metadata.insert("ended_by".to_owned(), "hangup".into());
    }
    if let Some(errno) = end.unpassed {
        unit.metadata.insert("output_failed".to_owned(), words(errno).into());
    }
    unit.ended_at = Some(time::now());
    unit.duration_ms = u64::try_from(length.as_millis()).ok();
    if let Some(folder) = folder {
        events::apply(&folder.events(), unit);
        if stop::was_requested(folder) {
            unit.status = Status::Killed;
        }
        let saved = folder.save(unit);
        super::warn(saved.err().map(|e| Error::io("write", folder.file("run.json"), &e)).as_ref());
    }
}
