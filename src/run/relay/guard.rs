//! What the runner does in time for what may happen to it: a guardian in case it is killed, and a
//! record that is found where its project was moved to.

use std::time::Instant;

use rustix::process::WaitOptions;

use super::{MOVED, Relay};
use crate::os::Identity;
use crate::record::Folder;
use crate::run::keeper::{Guardian, SOON, Watch};
use crate::run::unix;

impl Relay<'_> {
    /// Where its record is now others find the unit by its link.
    pub(super) fn follow(&mut self) {
        self.look_at = Instant::now() + MOVED;
        if self.heritage.folder.as_ref().is_none_or(|folder| folder.exists()) {
            return;
        }
        let Some(place) = self.capture.place().filter(|place| place.is_dir()) else { return };
        if let Some(id) = &self.heritage.link {
            let _ = Folder::at(&place).link_live(id);
        }
        self.heritage.folder = Some(place);
    }

    /// From here on the command is not taken along when we are killed.
    pub(super) fn guard(&mut self) {
        self.guard_at = None;
        let process = Identity::of(self.child.pid);
        let guardian = Guardian::start(&self.heritage, &self.child.sources, || Watch::of(process));
        let Ok(guardian) = guardian else { return };
        let place = self.capture.place().or_else(|| self.heritage.folder.clone());
        if let Some(folder) = place.map(Folder::at)
            && let Ok(mut unit) = folder.load()
        {
            unit.keeper = Identity::of(guardian.pid());
            let _ = folder.save(&unit);
        }
        self.guardian = Some(guardian);
    }

    /// Whom our descendants left behind comes to us, and a guardian may be killed.
    pub(super) fn reap_others(&mut self) {
        while let Some(pid) = unix::ended_child() {
            let number = pid.as_raw_pid().unsigned_abs();
            if self.child.is(number) {
                return;
            }
            let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
            if self.guardian.as_ref().is_some_and(|guardian| guardian.pid() == number) {
                self.guardian = None;
                self.guard_at = Some(Instant::now() + SOON);
            }
        }
    }
}
