//! How much is kept of the events of a unit, and how much of them was dropped so far. Whoever only
//! looks whether there is too much needs no more than this; what to do then is [`super::trim`]'s.

use std::path::Path;

use crate::config::Bounds;
use crate::secure_fs;

/// The lock of whoever trims, and in it how much was dropped: bytes and events.
pub(super) const TALLY: &str = "events.cut";

/// How much of the events is kept, bytes.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// In all.
    pub most: u64,
    /// Of its beginning.
    pub head: u64,
    /// Of what comes after it, in one file.
    pub part: u64,
}

impl Share {
    /// No bound makes `events.log` too long while it is no longer than this.
    #[cfg(feature = "full")]
    pub const LEAST: u64 = 16 << 10;

    /// A quarter of what a run may keep, an eighth of that for the head, and of the rest an eighth
    /// for each part; none when there is no bound.
    pub fn of(bounds: &Bounds) -> Option<Self> {
        let most = bounds.max_run_bytes / 4;
        let head = most / 8;
        (most > 0).then_some(Self { most, head, part: (most - head) / 8 })
    }

    /// `events.log` is too long when it is longer than this.
    pub fn limit(&self) -> u64 {
        self.part
    }
}

/// Bytes and events that were dropped from `folder` so far.
pub fn tally(folder: &Path) -> (u64, u64) {
    let text = secure_fs::text(&folder.join(TALLY), secure_fs::SMALL).unwrap_or_default();
    let mut numbers = text.trim_ascii().split(' ').map_while(|number| number.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
