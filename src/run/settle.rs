//! The end: what the command left behind, and the record's last word.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::error::exit;
use crate::id::UnitId;
use crate::os::{self, Identity};
use crate::record::{Folder, events};
use crate::time;
use crate::wire::unit::{Status, Unit};

/// How long descendants may take to end after TERM.
const GRACE: Duration = Duration::from_secs(10);

/// How a command ended: by itself or by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The code it exited with.
    pub exit_code: Option<i32>,
    /// The signal it died of.
    pub signal: Option<i32>,
}

impl End {
    /// The code a shell would show: the exit code, or 128 and the signal.
    pub fn shell_code(self) -> u8 {
        let code = match self.signal {
            Some(signal) => i32::from(exit::SIGNAL_BASE) + signal,
            None => self.exit_code.unwrap_or_default(),
        };
        u8::try_from(code & 0xff).unwrap_or(exit::FAILED)
    }
}

/// Writes the end into the record. What the script said of itself is kept with it.
pub(super) fn finish(unit: &mut Unit, folder: Option<&Folder>, end: End, length: Duration) {
    unit.exit_code = end.exit_code;
    unit.signal = end.signal;
    unit.status = Status::of_end(end.exit_code, end.signal);
    unit.ended_at = Some(time::now());
    unit.duration_ms = u64::try_from(length.as_millis()).ok();
    if let Some(folder) = folder {
        events::apply(&folder.events(), unit);
        let _ = folder.save(unit);
    }
}

/// Ends whoever the command left behind: TERM, then KILL after the grace.
pub(super) fn end_descendants(leader: u32, unit: &UnitId) {
    let left = survivors(leader, unit);
    for process in &left {
        os::signal(process, Signal::TERM);
    }
    let deadline = Instant::now() + GRACE;
    while left.iter().any(Identity::is_alive) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    for process in left.iter().filter(|process| process.is_alive()) {
        os::signal(process, Signal::KILL);
    }
}

/// Who is provably the unit's: members of the group or session that its process led, and whoever
/// carries its id in the environment it was started with.
fn survivors(leader: u32, unit: &UnitId) -> Vec<Identity> {
    let mark = format!("IDLERGEAR_RUN_ID={unit}");
    let mut left = os::members(leader);
    left.extend(os::started_with(&mark));
    let own = std::process::id();
    left.retain(|process| process.pid != own);
    left
}
