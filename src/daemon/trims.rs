//! Events of scripts without a runner that grow too long: the daemon writes no records, so it starts
//! `ig trim`, one at a time for each unit, and waits for none.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::autostart;
use crate::config::Bounds;
use crate::id::UnitId;
use crate::record::events::share::Share;
use crate::wire::unit::Unit;

/// How often one unit's events are trimmed at most.
const PAUSE: Duration = Duration::from_millis(250);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Trims(HashMap<UnitId, Trim>);

#[derive(Debug)]
struct Trim {
    share: Option<Share>,
    next: Instant,
    /// Waits for the process, so that it is reaped.
    running: Option<JoinHandle<()>>,
}

impl Trims {
    /// The unit's `events.log` in `folder` has `length` bytes now.
    pub(super) fn consider(&mut self, unit: &Unit, folder: &Path, length: u64) {
        if length <= Share::LEAST || has_runner(unit) {
            return;
        }
        let now = Instant::now();
        let trim = self.0.entry(unit.id.clone()).or_insert_with(|| Trim {
            share: Share::of(&Bounds::of(unit.project.as_deref())),
            next: now,
            running: None,
        });
        let is_long = trim.share.is_some_and(|share| length > share.limit());
        let is_busy = trim.running.as_ref().is_some_and(|running| !running.is_finished());
        if is_long && !is_busy && now >= trim.next {
            trim.next = now + PAUSE;
            let folder = folder.to_path_buf();
            trim.running = Some(std::thread::spawn(move || start(&folder)));
        }
    }

    /// The unit has ended.
    pub(super) fn forget(&mut self, id: &UnitId) {
        self.0.remove(id);
    }
}

/// Its runner looks after its events. The one of a run made by hand is only a process around it.
fn has_runner(unit: &Unit) -> bool {
    let lives = unit.runner.as_ref().is_some_and(crate::os::Identity::is_alive);
    lives && !unit.metadata.contains_key("by_hand")
}

fn start(folder: &Path) {
    // An upgrade may have put another program in the place of this one.
    let own = std::env::current_exe().ok().filter(|path| path.is_file());
    let Some(program) = own.or_else(|| autostart::find("ig")) else { return };
    let _ = Command::new(program)
        .arg("trim")
        .arg(folder)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
