//! The runner's eye on its unit's `events.log`, which others write: looks now and then whether it is
//! too long, and has it trimmed by `ig`, which it does not wait for. Without `ig` it stays long.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use super::kept;
use crate::config::Bounds;
use crate::error::Error;
use crate::record::Folder;
use crate::record::events::share::{Share, tally};

/// Looks come no closer than this...
const SOON: Duration = Duration::from_millis(100);

/// ...and no further apart than this.
const LATE: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Events {
    folder: PathBuf,
    share: Share,
    due: Instant,
    /// How long it was at the last look, and when that was.
    last: (u64, Instant),
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
            last: (0, now),
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
        if !self.folder.is_dir()
            && let Some(place) = place()
        {
            self.folder = place;
        }
        self.note_cut();
        let length = fs::metadata(self.folder.join("events.log")).map_or(0, |meta| meta.len());
        self.due = now + self.see_to(length).unwrap_or_else(|| self.pause(length, now));
        self.last = (length, now);
    }

    /// Has it trimmed when it is too long. Returns when to look again, if that does not follow from how
    /// fast it grows.
    fn see_to(&mut self, length: u64) -> Option<Duration> {
        if let Some((trimmer, begun)) = &mut self.trimmer {
            if matches!(trimmer.try_wait(), Ok(None)) {
                return Some(SOON);
            }
            let did_nothing = length >= *begun;
            self.trimmer = None;
            if did_nothing {
                return Some(LATE);
            }
        }
        if length <= self.share.limit() {
            return None;
        }
        self.trimmer = kept::ask_ig("trim", &self.folder).map(|trimmer| (trimmer, length));
        Some(if self.trimmer.is_some() { SOON } else { LATE })
    }

    /// Tells what was dropped since the last time, whoever it was that dropped it.
    pub(super) fn note_cut(&mut self) {
        let dropped = tally(&self.folder);
        if std::mem::replace(&mut self.dropped, dropped) != dropped {
            self.tell_cut(dropped);
        }
    }

    /// At the pace of the last look, how long until it is too long?
    fn pause(&self, length: u64, now: Instant) -> Duration {
        let grown = length.saturating_sub(self.last.0);
        let room = self.share.limit().saturating_sub(length);
        let passed = now.saturating_duration_since(self.last.1);
        let times = room.checked_div(grown).unwrap_or(2);
        LATE.min(passed * u32::try_from(times.min(50)).unwrap_or(50)).max(SOON)
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
