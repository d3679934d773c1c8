//! The keeper: goes on taking a unit's output into its log when its runner is gone.
//!
//! Whoever writes into a pipe that nobody reads dies of it, and whoever has a terminal that nobody
//! holds is hung up: so what outlives its unit, and a command whose runner was killed, would be taken
//! along by us. Two are there to take over:
//!
//! - on pipes the [`Guardian`], a copy of the runner that only sleeps until the runner is gone. It is
//!   made once the command has run for a while, and for what the command leaves behind;
//! - on a terminal the monitor, which leads the session there anyway.
//!
//! A keeper has nothing of the caller's: no stream, no folder, no process group and no terminal.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, WaitOptions};

use super::capture::Capture;
use super::fd_io::{read_all, wait_for};
use super::settle::{self, End};
use super::spawn::Source;
use super::{left, monitor, signals, unix};
use crate::config::Bounds;
use crate::id::UnitId;
use crate::os::{self, Identity};
use crate::record::{Folder, RUNNER_LOST, scripts};
use crate::wire::unit::Unit;
use crate::{secure_fs, stop};

/// How long a command runs before somebody is there for the case that its runner is killed: most are
/// over by then, and cost nothing more.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// How often is looked where the kernel does not tell.
const LOOK: Duration = Duration::from_millis(200);

/// How long the kernel may take to have a process reaped that has ended.
const REAPED: Duration = Duration::from_secs(2);

/// How much is taken at once, bytes.
const CHUNK: usize = 64 * 1024;

/// What whoever takes over has to know of the run.
#[derive(Debug, Clone)]
pub(super) struct Heritage {
    /// The record's folder.
    pub(super) folder: Option<PathBuf>,
    pub(super) project: Option<PathBuf>,
    /// Under what the daemon finds it, if it is to.
    pub(super) link: Option<UnitId>,
    /// When the command was started first.
    pub(super) clock: Instant,
}

impl Heritage {
    /// Holds on to the folder, wherever that is moved.
    pub(super) fn hold(&self) -> Option<OwnedFd> {
        self.folder.as_deref().and_then(|folder| secure_fs::open_dir(folder).ok())
    }
}

/// Who tells how the command ends.
pub(super) enum Watch {
    /// It has ended like this.
    Ended(End),
    /// We are its parent.
    Child(Pid),
    /// The kernel tells whoever holds this.
    Handle(OwnedFd),
    /// Nobody; that it is there can be seen.
    Process(Identity),
    /// It was told, or never will be.
    Over,
}

/// Asleep until the runner is gone; the runner's side.
pub(super) struct Guardian {
    pid: Pid,
    /// Its other end sees when this is closed, also when nobody can close it any more.
    _lifeline: PipeWriter,
}

impl Guardian {
    /// Lets somebody watch over `sources` and the command that `watch` tells of.
    pub(super) fn start(
        heritage: &Heritage,
        sources: &[Source],
        watch: impl FnOnce() -> Watch,
    ) -> io::Result<Self> {
        let (pid, (_, lifeline)) = unix::copy(io::pipe()?, |(reader, writer)| {
            drop(writer);
            guard(reader, heritage, sources, watch);
            0
        })?;
        Ok(Self { pid, _lifeline: lifeline })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// It is not needed: there is nothing left to keep, or somebody else does.
    pub(super) fn dismiss(self) {
        // Our own child that nobody has waited for: its pid is nobody else's.
        let _ = rustix::process::kill_process(self.pid, Signal::KILL);
        let _ = rustix::process::waitpid(Some(self.pid), WaitOptions::empty());
    }
}

/// A guardian's whole life.
fn guard(
    mut lifeline: PipeReader,
    heritage: &Heritage,
    sources: &[Source],
    watch: impl FnOnce() -> Watch,
) {
    signals::forget();
    let _ = rustix::process::setsid();
    let watch = watch();
    let place = heritage.hold();
    let mut held: Vec<BorrowedFd<'_>> = sources.iter().map(|source| source.fd.as_fd()).collect();
    held.extend(place.as_ref().map(AsFd::as_fd));
    held.push(lifeline.as_fd());
    if let Watch::Handle(handle) = &watch {
        held.push(handle.as_fd());
    }
    leave_the_caller(&held);
    while matches!(io::Read::read(&mut lifeline, &mut [0]), Err(error) if error.kind() == io::ErrorKind::Interrupted)
    {
    }
    let sources = sources.iter().filter_map(Source::again).collect();
    Keeper::new(place, heritage, sources, watch).keep();
}

/// Lets go of all that is the caller's, but for the files in `held`.
pub(super) fn leave_the_caller(held: &[BorrowedFd<'_>]) {
    unix::close_all_but(held);
    let _ = std::env::set_current_dir("/");
    super::to_nowhere();
}

/// Takes what is written until nobody is left who could write, and tells how the command ended.
pub(super) struct Keeper {
    /// The record's folder, wherever it is moved.
    place: Option<OwnedFd>,
    link: Option<UnitId>,
    bounds: Bounds,
    clock: Instant,
    sources: Vec<Source>,
    watch: Watch,
}

impl Keeper {
    /// `place` is the record's folder, held since it was known where that is.
    pub(super) fn new(
        place: Option<OwnedFd>,
        heritage: &Heritage,
        sources: Vec<Source>,
        watch: Watch,
    ) -> Self {
        let bounds = Bounds::of(heritage.project.as_deref());
        let link = heritage.link.clone();
        Self { place, link, bounds, clock: heritage.clock, sources, watch }
    }

    fn folder(&self) -> Option<Folder> {
        let path = self.place.as_ref().and_then(os::path_of)?;
        secure_fs::is_dir(&path).then(|| Folder::at(path))
    }

    /// The record, as long as it has no end.
    fn record(&self) -> Option<Unit> {
        let unit = self.folder()?.load().ok()?;
        (!unit.status.is_terminal()).then_some(unit)
    }

    /// Whether somebody else keeps what is left.
    pub(super) fn is_kept_by_another(&self) -> bool {
        let unit = self.folder().and_then(|folder| folder.load().ok());
        let keeper = unit.filter(|unit| unit.status.is_terminal()).and_then(|unit| unit.keeper);
        keeper.is_some_and(|keeper| keeper.pid != std::process::id() && keeper.is_alive())
    }

    /// Waits until nobody is left who could write, and takes nothing.
    pub(super) fn wait_until_left(&self) {
        if let Some(terminal) = self.sources.first() {
            wait_for(&mut [PollFd::new(&terminal.fd, PollFlags::empty())], None);
        }
    }

    /// Keeps what is written, to the end of it.
    pub(super) fn keep(mut self) {
        match self.record() {
            Some(unit) => self.note_lost(unit),
            None => self.watch = Watch::Over,
        }
        let mut capture =
            Capture::take_over(self.folder().as_ref().map(Folder::path), &self.bounds);
        let mut buffer = vec![0; CHUNK];
        loop {
            if let Some(end) = self.watch.look() {
                if matches!(self.watch, Watch::Child(_)) {
                    monitor::take_terminal();
                }
                self.watch = Watch::Over;
                self.note_end(end, &mut capture);
            }
            if self.sources.is_empty() && matches!(self.watch, Watch::Over) {
                break;
            }
            self.wait();
            self.sources.retain(|source| {
                let (count, ended) = read_all(&source.fd, &mut buffer);
                capture.store(source.stream, &buffer[..count]);
                !ended
            });
        }
        self.note_missing(&mut capture);
    }

    /// Says in the record that its runner is gone. The command is not.
    fn note_lost(&self, mut unit: Unit) {
        unit.metadata.insert(RUNNER_LOST.to_owned(), true.into());
        unit.keeper = Identity::own();
        self.save(&unit);
    }

    fn save(&self, unit: &Unit) {
        if let Some(folder) = self.folder() {
            self.link(&folder);
            let _ = folder.save(unit);
        }
    }

    /// The daemon finds the record where it is now.
    fn link(&self, folder: &Folder) {
        if let Some(id) = &self.link {
            let _ = folder.link_live(id);
        }
    }

    fn note_end(&self, end: End, capture: &mut Capture) {
        let (Some(mut unit), Some(folder)) = (self.record(), self.folder()) else { return };
        self.link(&folder);
        capture.finish(&mut unit.logs);
        unit.git = scripts::git(&folder).unwrap_or_default();
        let leaves = !self.sources.is_empty();
        left::note(&mut unit, End { leaves, ..end });
        stop::cgroup::remove(&unit);
        settle::finish(&mut unit, Some(&folder), end, self.clock.elapsed());
    }

    /// What of it could not be kept.
    fn note_missing(&self, capture: &mut Capture) {
        let Some(folder) = self.folder() else { return };
        let Ok(mut unit) = folder.load() else { return };
        let before = unit.logs.clone();
        capture.finish(&mut unit.logs);
        if unit.logs != before {
            let _ = folder.save(&unit);
        }
    }

    /// Waits until there is something to take or to be told.
    fn wait(&self) {
        let mut fds: Vec<PollFd<'_>> =
            self.sources.iter().map(|source| PollFd::new(&source.fd, PollFlags::IN)).collect();
        if let Watch::Handle(handle) = &self.watch {
            fds.push(PollFd::new(handle, PollFlags::IN));
        }
        let looks = matches!(self.watch, Watch::Child(_) | Watch::Process(_));
        wait_for(&mut fds, looks.then_some(LOOK));
    }
}

impl Watch {
    /// Of a process that is not our child.
    pub(super) fn of(process: Option<Identity>) -> Self {
        let Some(process) = process else { return Self::Over };
        #[cfg(target_os = "linux")]
        if let Some(handle) = os::exit_handle(&process) {
            return Self::Handle(handle);
        }
        Self::Process(process)
    }

    /// How the command ended, if it has.
    fn look(&self) -> Option<End> {
        match self {
            Self::Ended(end) => Some(*end),
            Self::Child(pid) => reaped(*pid),
            Self::Handle(handle) => exit_by(handle),
            Self::Process(process) => (!process.is_alive()).then(|| End::of(None, None)),
            Self::Over => None,
        }
    }
}

/// The end of our own child.
fn reaped(pid: Pid) -> Option<End> {
    match rustix::process::waitpid(Some(pid), WaitOptions::NOHANG) {
        Ok(Some((_, status))) => Some(of_status(ExitStatus::from_raw(status.as_raw()))),
        Ok(None) | Err(rustix::io::Errno::INTR) => None,
        Err(_) => Some(End::of(None, None)),
    }
}

fn of_status(status: ExitStatus) -> End {
    End::of(status.code(), status.signal())
}

/// The end of whoever this is a handle on, by the kernel's word.
#[cfg(target_os = "linux")]
fn exit_by(handle: &OwnedFd) -> Option<End> {
    let ready = |limit| {
        let mut fds = [PollFd::new(handle, PollFlags::IN)];
        wait_for(&mut fds, Some(limit));
        fds[0].revents()
    };
    if ready(Duration::ZERO).is_empty() {
        return None;
    }
    // It tells nothing until whoever is its parent now has reaped it.
    let until = Instant::now() + REAPED;
    loop {
        let is_reaped = ready(Duration::ZERO).contains(PollFlags::HUP);
        if let Some(status) = unix::exit_of(handle.as_fd()) {
            return Some(End { by: crate::wire::unit::EndSource::Kernel, ..of_status(status) });
        }
        if is_reaped || Instant::now() > until {
            return Some(End::of(None, None));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(not(target_os = "linux"))]
fn exit_by(_handle: &OwnedFd) -> Option<End> {
    None
}
