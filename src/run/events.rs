//! The runner's eye on its unit's `events.log`, which others write: looks now and then whether it is
//! too long, and has it trimmed by `ig`, which it does not wait for. Without `ig` it stays long.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::autostart;
use crate::config::Bounds;
use crate::error::Error;
use crate::record::Folder;
use crate::record::events::share::{Share, tally};
use crate::secure_fs;

/// The next look comes so soon when it grows fast or somebody is at it...
const SOON: Duration = Duration::from_millis(100);

/// ...and otherwise after this.
const LATE: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Events {
    folder: PathBuf,
    share: Share,
    due: Instant,
    /// How long it was at the last look.
    last: u64,
    /// What was dropped before, bytes and events.
    dropped: (u64, u64),
    is_told: bool,
    /// Who trims it now, and how long it was when that began.
    trimmer: Option<(Child, u64)>,
}

impl Events {
    /// None when there is no folder, or no bound.
    pub(super) fn new(folder: Option<&Folder>, bounds: &Bounds) -> Option<Self> {
        let (folder, share) = (folder?.path().to_path_buf(), Share::of(bounds)?);
        let now = Instant::now();
        Some(Self {
            dropped: tally(&folder),
            folder,
            share,
            due: now + SOON,
            last: 0,
            is_told: false,
            trimmer: None,
        })
    }

    /// How long nothing has to be looked at.
    pub(super) fn patience(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// Looks, if it is time. `place` is where the folder is now: it may have moved.
    pub(super) fn look(&mut self, place: impl FnOnce() -> Option<PathBuf>) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        if !secure_fs::is_dir(&self.folder)
            && let Some(place) = place()
        {
            self.folder = place;
        }
        self.note_cut();
        let length =
            secure_fs::metadata(&self.folder.join("events.log")).map_or(0, |meta| meta.len());
        let grows = length.saturating_sub(self.last) > self.share.limit() / 8;
        self.last = length;
        let is_soon = self.see_to(length).unwrap_or(grows);
        self.due = now + if is_soon { SOON } else { LATE };
    }

    /// Has it trimmed when it is too long. Returns whether the next look comes soon, if that does not
    /// follow from how fast it grows.
    fn see_to(&mut self, length: u64) -> Option<bool> {
        if let Some((trimmer, begun)) = &mut self.trimmer {
            if matches!(trimmer.try_wait(), Ok(None)) {
                return Some(true);
            }
            let did_nothing = length >= *begun;
            self.trimmer = None;
            if did_nothing {
                return Some(false);
            }
        }
        if length <= self.share.limit() {
            return None;
        }
        self.trimmer = autostart::helper("trim", &self.folder)
            .and_then(|mut trim| trim.current_dir("/").spawn().ok())
            .map(|trimmer| (trimmer, length));
        Some(self.trimmer.is_some())
    }

    /// Tells what was dropped since the last time, whoever it was that dropped it.
    pub(super) fn note_cut(&mut self) {
        let dropped = tally(&self.folder);
        if std::mem::replace(&mut self.dropped, dropped) != dropped {
            self.tell_cut(dropped);
        }
    }

    fn tell_cut(&mut self, dropped: (u64, u64)) {
        tell_in_record(&self.folder, dropped);
        if !std::mem::replace(&mut self.is_told, true) {
            let what = "the script logs more than its share of logs.max_run_bytes: \
                        the middle of its events is dropped";
            super::say(&Error::new(what).next("ig config logs.max_run_bytes"));
        }
    }
}

fn tell_in_record(folder: &Path, dropped: (u64, u64)) {
    let record = Folder::at(folder);
    if let Ok(mut unit) = record.load() {
        (unit.logs.dropped_event_bytes, unit.logs.dropped_events) = dropped;
        let _ = record.save(&unit);
    }
}
