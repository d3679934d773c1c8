//! The record of the unit that is run, as its runner writes it. None of it may disturb the command:
//! what cannot be written is told once, and the command goes on.

use std::path::PathBuf;

use super::capture::Capture;
use super::kept;
use super::plan::Plan;
use super::spawn::{Child, Start};
use crate::config::Bounds;
use crate::error::Error;
use crate::os::Identity;
use crate::record::index::Stream;
use crate::record::{Folder, seals};
use crate::secure_fs;
use crate::wire::unit::{Logs, Status, Unit};

/// The record's folder, or what is left of our duties without one.
pub(super) struct Files {
    folder: Option<Folder>,
}

impl Files {
    /// Makes the record of `unit`, and lets the daemon know where it is unless `plan` says no.
    pub(super) fn open(unit: &mut Unit, plan: &Plan) -> Self {
        let folder = match Folder::create(unit) {
            Ok((folder, warning)) => {
                super::warn(warning.as_ref());
                Some(folder)
            }
            Err(error) => {
                super::warn(Some(&error.next("free some space, or set XDG_STATE_HOME")));
                None
            }
        };
        let files = Self { folder };
        if let Some(folder) = &files.folder {
            // Before there is anything to read, or anybody who reads it.
            seals::keep(folder);
            if plan.register {
                let _ = folder.link_live(&unit.id);
            }
        }
        files
    }

    pub(super) fn folder(&self) -> Option<&Folder> {
        self.folder.as_ref()
    }

    /// The folder moved with its project while the command ran: so do we.
    pub(super) fn follow(&mut self, place: Option<PathBuf>, unit: &mut Unit) {
        let Some(folder) = self.folder.as_mut().filter(|folder| !secure_fs::exists(folder.path()))
        else {
            return;
        };
        if let Some(place) = place.filter(|place| secure_fs::is_dir(place)) {
            *folder = Folder::at(place);
            folder.take_in(unit);
            let _ = folder.link_live(&unit.id);
        }
    }

    /// Something that we need and the command does not is not to be had: the command takes our place.
    /// Returns when that is impossible too.
    pub(super) fn run_bare(&self, start: &Start<'_>, error: &Error) {
        if start.plan.detached {
            return;
        }
        super::warn(Some(&Error::new(format!(
            "{}: its output and its end are not kept",
            error.what()
        ))));
        let mut unit = start.unit.clone();
        unit.status = Status::Running;
        unit.process = Identity::own();
        unit.pid = Some(std::process::id());
        self.save(&unit);
        crate::os::leave_orphans();
        let _ = start.become_it();
    }

    /// A record that cannot be written must not disturb the command; it was told once already.
    pub(super) fn save(&self, unit: &Unit) {
        if let Some(folder) = &self.folder {
            let _ = folder.save(unit);
        }
    }

    /// Keeps what the command started from. Git is a child of ours until it is done.
    pub(super) fn keep(&self, unit: &Unit, script: Option<&[u8]>) -> Option<std::process::Child> {
        let folder = self.folder()?;
        if let Some(text) = script {
            kept::script(folder, &unit.script.sha256, text);
        }
        kept::ask_git(folder, &unit.cwd)
    }

    pub(super) fn name_logs(&self, unit: &mut Unit, child: &Child) {
        let Some(folder) = &self.folder else { return };
        let path =
            |stream: Stream| child.streams().contains(&stream).then(|| folder.file(stream.file()));
        unit.logs = Logs {
            output: path(Stream::Output),
            stdout: path(Stream::Stdout),
            stderr: path(Stream::Stderr),
            events: Some(folder.events()),
            ..Logs::default()
        };
    }

    pub(super) fn capture(&self, bounds: &Bounds) -> Capture {
        Capture::new(self.folder.as_ref().map(Folder::path), bounds)
    }
}
