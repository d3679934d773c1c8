//! The terminal from which a unit was started, and one bell to it.
//!
//! A terminal's name goes to whoever opens one next, so it is known by the process that leads its
//! session: as long as that lives and has it, it is the same.

use std::path::PathBuf;

use serde::Serialize;

use crate::os::{self, Identity};

/// A terminal, beyond doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Terminal {
    /// Its device.
    #[serde(serialize_with = "crate::wire::raw::shown")]
    pub path: PathBuf,
    /// Who leads its session.
    pub leader: Identity,
}

impl Terminal {
    /// Ours, when we have one.
    pub fn own() -> Option<Self> {
        let leader = os::own_session()?;
        let (path, _) = os::terminal(leader)?;
        Some(Self { path, leader: Identity::of(leader)? })
    }

    /// Rings its bell, without ever waiting. False when it is not there any more, not ours, or takes
    /// nothing now.
    #[cfg(feature = "full")]
    pub fn ring(&self) -> bool {
        use rustix::fs::OFlags;
        let Some((path, device)) = os::terminal(self.leader.pid) else { return false };
        if path != self.path || !self.leader.is_alive() {
            return false;
        }
        let how = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let mode = rustix::fs::Mode::empty();
        let Ok(file) = rustix::fs::open(&path, how | OFlags::CLOEXEC, mode) else { return false };
        // As long as we hold it its name goes to nobody else, and now it is still the leader's.
        is_ours(&file, device)
            && os::terminal(self.leader.pid) == Some((path, device))
            && self.leader.is_alive()
            && rustix::io::write(&file, b"\x07").is_ok()
    }
}

#[cfg(feature = "full")]
fn is_ours(file: &std::os::fd::OwnedFd, device: u64) -> bool {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let Ok(file) = file.try_clone().map(std::fs::File::from) else { return false };
    let ours = rustix::process::geteuid().as_raw();
    file.metadata().is_ok_and(|meta| {
        meta.file_type().is_char_device() && meta.uid() == ours && meta.rdev() == device
    })
}
