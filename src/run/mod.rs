//! The runner: one per unit. It owns the child, its terminal or pipes, the captured output and the
//! record, and needs nobody else: no daemon, no network, no lock.
//!
//! ```text
//! plan      what to run, under which name (pure)
//! spawn     the child, on a PTY or on pipes
//! monitor   the child's parent on a PTY: what makes job control work there
//! ready     whether the command is ready, as a helper sees it
//! relay     bytes on their way: child -> terminal and capture, keyboard -> child; signals; the end
//! capture   output files and their index; segments: how much of a long log is kept
//! events    how much is kept of what the script logs itself
//! files     the record, as it is written meanwhile
//! settle    the record's last word
//! keeper    what takes over when the runner is gone: what was left behind, or all of it
//! kept      the script as it was, and the commit
//! limits    what the command may use
//! restart   whether it is started again (pure)
//! ```
//!
//! `ig run` links it, and so does `ig-agent`, which is what stays resident per detached unit: no
//! clap and no tokio here.

pub mod banner;
pub mod capture;
mod events;
mod fd_io;
mod files;
mod keeper;
pub(crate) mod kept;
pub mod left;
pub mod limits;
mod monitor;
pub mod plan;
mod ready;
mod relay;
pub mod restart;
mod segments;
mod settle;
mod signals;
mod spawn;
pub mod stream;
mod terminal;
pub(crate) mod unix;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use crate::autostart;
use crate::config::Bounds;
use crate::error::{self, Error, Result, exit};
use crate::neutral;
use crate::os::Identity;
use crate::record::events::append;
use crate::record::{Folder, register, scripts};
use crate::stop;
use crate::wire::unit::{Status, Terms, Unit};

use capture::Capture;
use events::Events;
use files::Files;
use keeper::{Guardian, Heritage, Watch};
use limits::Limits;
pub use plan::Plan;
use restart::{Next, Policy};
pub use settle::End;
use signals::{News, Signals};
use spawn::{Child, Pty, Source, Start};
use unix::Found;

/// Runs `plan` to its end in this process. `on_start` is called with the unit once its command runs.
///
/// An error means that the command never started; its exit code says why (125, 126, 127). Whatever
/// goes wrong with our own files is told once on stderr and changes nothing for the command.
pub fn run(plan: &Plan, on_start: impl FnOnce(&Unit)) -> Result<(Unit, End)> {
    let mut run = Run::of(plan);
    let (signals, mut child) = run.start()?;
    let mut keeps = run.keeps(signals, &child);
    let starter = if plan.register { autostart::nudge() } else { None };
    on_start(&run.unit);
    let helpers = run.helpers().chain(starter).collect();
    let heritage = run.heritage();
    let end = relay::relay(&mut child, &mut keeps, plan, &heritage, helpers);
    let end = run.go_on(&mut keeps, end);
    Ok(run.finish(keeps, end))
}

/// A run from its first moment to its last.
struct Run<'a> {
    plan: &'a Plan,
    script: Option<Vec<u8>>,
    unit: Unit,
    files: Files,
    limits: Limits,
    /// When its command was started first.
    clock: Instant,
    /// What our caller had set for signals.
    found: Found,
}

/// What outlasts one start of the command.
struct Keeps {
    signals: Signals,
    capture: Capture,
    /// None without a bound.
    events: Option<Events>,
    /// Where what the command left behind writes to.
    left: Vec<Source>,
}

impl<'a> Run<'a> {
    fn of(plan: &'a Plan) -> Self {
        let found = Found::now();
        // A file that is as long as it may be is a full disk, and nothing to die of.
        unix::ignore(libc::SIGXFSZ);
        let script = plan.script_text();
        let mut unit = describe(plan, script.as_deref());
        if let (Some(path), None) = (&plan.script, &script) {
            let what = format!("the script `{}` cannot be read", path.display());
            warn(Some(&Error::new(what).next("the hash is that of the command")));
        }
        if plan.detached {
            // Not before: the terminal that we leave here is told of our caller.
            let _ = rustix::process::setsid();
        }
        let mut limits = plan.limits.clone();
        limits::take_scope(&mut limits);
        limits::note(&limits, &mut unit);
        let files = Files::open(&mut unit, plan);
        Self { plan, script, unit, files, limits, clock: Instant::now(), found }
    }

    /// Starts the command for the first time. When that fails, the record says so.
    fn start(&mut self) -> Result<(Signals, Child)> {
        let pty = self.open_pty();
        let started = pty.and_then(|pty| {
            let signals = Signals::catch(pty.is_some())?;
            Ok((signals, self.spawn(pty)?))
        });
        started.inspect_err(|error| {
            if error.exit_code() == exit::RUN_FAILED {
                let heritage = self.heritage();
                self.files.run_bare(&self.how(&heritage), error);
            }
            self.note_failure(error);
            let end = End::of(Some(error.exit_code().into()), None);
            settle::finish(&mut self.unit, self.files.folder(), end, self.clock.elapsed());
        })
    }

    /// Why it did not start, for all who did not see it.
    fn note_failure(&mut self, error: &Error) {
        self.unit.metadata.insert("failure".to_owned(), error.what().into());
        if let Some(folder) = self.files.folder() {
            let _ = append(&folder.events(), "error", error.what());
        }
    }

    /// What whoever takes over has to know.
    fn heritage(&self) -> Heritage {
        let folder = self.files.folder().map(|folder| folder.path().to_path_buf());
        let link = self.plan.register.then(|| self.unit.id.clone());
        Heritage { folder, project: self.unit.project.clone(), link, clock: self.clock }
    }

    fn how<'b>(&'b self, heritage: &'b Heritage) -> Start<'b> {
        Start { plan: self.plan, unit: &self.unit, found: self.found, heritage }
    }

    /// A terminal for the command, if it is to have one. Where the system has none it has pipes; where
    /// it is only us who have no room for it, that is an error.
    fn open_pty(&self) -> Result<Option<Pty>> {
        if !spawn::on_pty(self.plan) {
            return Ok(None);
        }
        spawn::open_pty().map(Some).or_else(|cause| {
            let words = error::plain(&cause);
            let error = Error::new(format!("cannot open a terminal for the command: {words}"));
            let errno = cause.raw_os_error();
            if [libc::EMFILE, libc::ENFILE, libc::ENOMEM].iter().any(|own| errno == Some(*own)) {
                return Err(error.code(exit::RUN_FAILED));
            }
            warn(Some(&error.next("it runs with pipes; is /dev/pts mounted?")));
            Ok(None)
        })
    }

    fn spawn(&mut self, pty: Option<Pty>) -> Result<Child> {
        let heritage = self.heritage();
        let mut limits = std::mem::take(&mut self.limits);
        let started = limits::within(&mut limits, || self.how(&heritage).spawn(pty));
        self.limits = limits;
        limits::note(&self.limits, &mut self.unit);
        let child = started?;
        self.unit.status = Status::Running;
        self.unit.pid = Some(child.pid);
        self.unit.process = Identity::of(child.pid);
        self.unit.keeper = child.monitor().and_then(|monitor| Identity::of(monitor.pid()));
        Ok(child)
    }

    /// Opens what the command's output goes to, and tells in the record where that is.
    fn keeps(&mut self, signals: Signals, child: &Child) -> Keeps {
        self.files.name_logs(&mut self.unit, child);
        let bounds = Bounds::of(self.unit.project.as_deref());
        let mut capture = self.files.capture(&bounds);
        capture.open(&child.streams());
        self.files.save(&self.unit);
        let events = Events::new(self.files.folder(), &bounds);
        Keeps { signals, capture, events, left: Vec::new() }
    }

    /// Processes of ours that nobody waits for.
    fn helpers(&self) -> impl Iterator<Item = std::process::Child> {
        let git = self.files.keep(&self.unit, self.script.as_deref());
        let prune = self.files.folder().and_then(kept::prune);
        git.into_iter().chain(prune).chain(ready::look(&self.unit, self.files.folder()))
    }

    /// Starts the command again for as long as its terms want that. Takes and returns how it ended.
    fn go_on(&mut self, keeps: &mut Keeps, mut end: End) -> End {
        let policy = self.plan.terms.restart.as_deref().and_then(Policy::parse);
        let (Some(mut policy), Some(folder)) = (policy, self.files.folder().cloned()) else {
            return end;
        };
        let announce = |text: String| drop(append(&folder.events(), "restart", &text));
        let mut lasted = self.clock.elapsed();
        while !stop::was_requested(&folder) {
            let wait = match policy.after(end, lasted) {
                Next::Over => break,
                Next::Loop => {
                    announce(format!("given up after {}: {}", policy.count(), end.words()));
                    break;
                }
                Next::Again(wait) => wait,
            };
            self.pause(keeps);
            announce(format!("restart {} in {}s: {}", policy.count(), wait.as_secs(), end.words()));
            if asked_to_end(&mut keeps.signals, &folder, wait) {
                break;
            }
            let clock = Instant::now();
            end = self.start_again(keeps);
            lasted = clock.elapsed();
        }
        end
    }

    /// The command has ended and is going to be started again.
    fn pause(&mut self, keeps: &mut Keeps) {
        (self.unit.process, self.unit.pid) = (None, None);
        self.unit.restarts += 1;
        keeps.capture.finish(&mut self.unit.logs);
        self.files.save(&self.unit);
    }

    /// One more start, to its end.
    fn start_again(&mut self, keeps: &mut Keeps) -> End {
        match self.open_pty().and_then(|pty| self.spawn(pty)) {
            Ok(mut child) => {
                self.files.save(&self.unit);
                let ready = ready::look(&self.unit, self.files.folder()).into_iter().collect();
                let heritage = self.heritage();
                relay::relay(&mut child, keeps, self.plan, &heritage, ready)
            }
            Err(error) => End::of(Some(error.exit_code().into()), None),
        }
    }

    /// What the command left behind writes on. Returns who keeps that once it is let go: not before the
    /// record has its end, or it would be taken for one whose runner was lost.
    fn leave(&self, left: &[Source], end: End) -> Option<Guardian> {
        if left.is_empty() {
            return None;
        }
        Guardian::start(&self.heritage(), left, || Watch::Ended(end)).ok()
    }

    /// The last of it is over: writes down how it was.
    fn finish(mut self, mut keeps: Keeps, end: End) -> (Unit, End) {
        let lasted = self.clock.elapsed();
        keeps.events.iter_mut().for_each(Events::note_cut);
        limits::count_kills(&mut self.limits);
        limits::note(&self.limits, &mut self.unit);
        keeps.capture.finish(&mut self.unit.logs);
        self.files.follow(keeps.capture.place(), &mut self.unit);
        self.unit.git = self.files.folder().and_then(scripts::git).unwrap_or_default();
        left::note(&mut self.unit, end);
        let guardian = self.leave(&keeps.left, end);
        self.unit.keeper = guardian.as_ref().and_then(|guardian| Identity::of(guardian.pid()));
        stop::cgroup::remove(&self.unit);
        settle::finish(&mut self.unit, self.files.folder(), end, lasted);
        drop(guardian);
        (self.unit, end)
    }
}

/// All our streams lead nowhere from here on.
fn to_nowhere() {
    let flags = rustix::fs::OFlags::RDWR;
    if let Ok(null) = rustix::fs::open(c"/dev/null", flags, rustix::fs::Mode::empty()) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

/// Waits so long, with nothing running; true when somebody wants it to be over.
fn asked_to_end(signals: &mut Signals, folder: &Folder, wait: Duration) -> bool {
    const GLANCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let until = Instant::now() + wait;
    while Instant::now() < until {
        let _ = poll(&mut [PollFd::new(signals, PollFlags::IN)], Some(&GLANCE));
        let told = |news| matches!(news, News::Sent(number) if restart::asks_to_end(number));
        if signals.pending().into_iter().any(told) || stop::was_requested(folder) {
            return true;
        }
    }
    false
}

/// Dies of the signal that the command died of, so that a shell around us sees what it would have
/// seen without us. Returns when that signal is none to die of, or there was none.
///
/// A key told only the command: in raw mode the terminal makes no signals. Our own group, with the
/// script that called us in it, is told here, as the terminal would have done.
pub fn die_of(end: End) {
    let Some(number) = end.signal else { return };
    let to_die_of = [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP];
    let Some(signal) = to_die_of.into_iter().find(|signal| signal.as_raw() == number) else {
        return;
    };
    let mut core = rustix::process::getrlimit(rustix::process::Resource::Core);
    core.current = Some(0);
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, core);
    if end.by_key {
        let _ = rustix::process::kill_current_process_group(signal);
    }
    let _ = signal_hook::low_level::emulate_default_handler(number);
}

fn describe(plan: &Plan, script: Option<&[u8]>) -> Unit {
    let mut unit = Unit::new(plan.kind, &plan.name);
    register::describe_caller(&mut unit);
    unit.agent_type.clone_from(&plan.agent_type);
    unit.command = plan.command_line();
    unit.argv.clone_from(&plan.argv);
    unit.script.path = plan.script.clone().filter(|_| script.is_some());
    unit.script.sha256 = plan.sha256_of(script);
    unit.stream_logs = plan.stream;
    unit.terms = Terms { background: plan.detached, ..plan.terms.clone() };
    unit.runner = Identity::own();
    stop::adopt(&mut unit);
    unit
}

/// What ig could not do was told already.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Tells what ig could not do, the first such thing of a run; the command goes on.
pub(crate) fn warn(error: Option<&Error>) {
    if let Some(error) = error.filter(|_| !TOLD.swap(true, Ordering::Relaxed)) {
        say(error);
    }
}

/// Tells something beside the command's output. A terminal may be raw by now.
pub(crate) fn say(error: &Error) {
    let mut text = format!("ig: {}\n", neutral::exact(&error.to_string()));
    if rustix::termios::isatty(rustix::stdio::stderr()) {
        text = text.replace('\n', "\r\n");
    }
    show(&text);
}

/// Shows `text` on stderr, if anybody still looks: that terminal may be gone.
pub fn show(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
