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
//! settle    the record's last word
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
mod unix;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use crate::autostart;
use crate::config::Bounds;
use crate::error::{Error, Result, exit};
use crate::os::Identity;
use crate::record::events::append;
use crate::record::index::Stream;
use crate::record::{Folder, register, scripts, seals};
use crate::stop;
use crate::wire::unit::{Logs, Status, Terms, Unit};

use events::Events;
pub use plan::Plan;
use restart::{Next, Policy};
pub use settle::End;
use signals::{News, Signals};

/// Runs `plan` to its end in this process. `on_start` is called with the unit once its command runs.
///
/// An error means that the command never started; its exit code says why (125, 126, 127). Whatever
/// goes wrong with our own files is told once on stderr and changes nothing for the command.
pub fn run(plan: &Plan, on_start: impl FnOnce(&Unit)) -> Result<(Unit, End)> {
    let script = plan.script_text();
    let mut unit = describe(plan, script.as_deref());
    if plan.detached {
        // Not before: the terminal that we leave here is told of our caller.
        let _ = rustix::process::setsid();
    }
    let mut limits = plan.limits.clone();
    limits::take_scope(&mut limits);
    limits::note(&limits, &mut unit);
    let mut files = open_record(&mut unit, plan);
    let clock = Instant::now();
    let mut spawn = || limits::within(&mut limits, || spawn::spawn(plan, &unit));
    let caught = Signals::catch(spawn::on_pty(plan));
    let started = caught.and_then(|signals| Ok((signals, spawn()?)));
    limits::note(&limits, &mut unit);
    let (mut signals, mut child) = match started {
        Ok(started) => started,
        Err(error) => {
            if error.exit_code() == exit::RUN_FAILED {
                files.run_bare(plan, &mut unit, &error);
            }
            let end = End::of(Some(error.exit_code().into()), None);
            settle::finish(&mut unit, files.folder(), end, clock.elapsed());
            return Err(error);
        }
    };
    runs(&mut unit, &child);
    files.name_logs(&mut unit, &child);
    let bounds = Bounds::of(unit.project.as_deref());
    let mut capture = files.capture(&bounds);
    let mut events = Events::new(files.folder(), &bounds);
    capture.open(&child.streams());
    files.save(&unit);
    let daemon_start = if plan.register { autostart::nudge() } else { None };
    on_start(&unit);
    let git = files.keep(&unit, script.as_deref());
    let prune = files.folder().and_then(kept::prune);
    let ready = ready::look(&unit, files.folder());
    let helpers = daemon_start.into_iter().chain(git).chain(prune).chain(ready).collect();
    let mut keeps = Keeps { signals: &mut signals, capture: &mut capture, events: &mut events };
    let end = relay::relay(&mut child, &mut keeps, plan, &unit.id, helpers);
    let ended = (end, clock.elapsed());
    let end = go_on(plan, &mut unit, &mut limits, &files, &mut keeps, ended);
    let lasted = clock.elapsed();
    events.iter_mut().for_each(Events::note_cut);
    limits::count_kills(&mut limits);
    limits::note(&limits, &mut unit);
    capture.finish(&mut unit.logs);
    files.follow(capture.place(), &mut unit);
    unit.git = files.folder().and_then(scripts::git).unwrap_or_default();
    left::note(&mut unit, end);
    stop::cgroup::remove(&unit);
    settle::finish(&mut unit, files.folder(), end, lasted);
    Ok((unit, end))
}

/// What outlasts one start of the command.
struct Keeps<'a> {
    signals: &'a mut Signals,
    capture: &'a mut capture::Capture,
    /// None without a bound.
    events: &'a mut Option<Events>,
}

fn runs(unit: &mut Unit, child: &spawn::Child) {
    unit.status = Status::Running;
    unit.pid = Some(child.pid);
    unit.process = Identity::of(child.pid);
}

/// Starts the command again for as long as its terms want that. Takes and returns how it ended.
fn go_on(
    plan: &Plan,
    unit: &mut Unit,
    limits: &mut limits::Limits,
    files: &Files,
    keeps: &mut Keeps<'_>,
    (mut end, mut lasted): (End, Duration),
) -> End {
    let policy = plan.terms.restart.as_deref().and_then(Policy::parse);
    let (Some(mut policy), Some(folder)) = (policy, files.folder()) else { return end };
    let announce = |text: String| drop(append(&folder.events(), "restart", &text));
    while !stop::was_requested(folder) {
        let wait = match policy.after(end, lasted) {
            Next::Over => break,
            Next::Loop => {
                announce(format!("given up after {}: {}", policy.count(), end.words()));
                break;
            }
            Next::Again(wait) => wait,
        };
        (unit.process, unit.pid) = (None, None);
        unit.restarts += 1;
        keeps.capture.finish(&mut unit.logs);
        files.save(unit);
        announce(format!("restart {} in {}s: {}", policy.count(), wait.as_secs(), end.words()));
        if asked_to_end(keeps.signals, folder, wait) {
            break;
        }
        let clock = Instant::now();
        let started = limits::within(limits, || spawn::spawn(plan, unit));
        limits::note(limits, unit);
        end = match started {
            Ok(mut child) => {
                runs(unit, &child);
                files.save(unit);
                let ready = ready::look(unit, files.folder()).into_iter().collect();
                relay::relay(&mut child, keeps, plan, &unit.id, ready)
            }
            Err(error) => End::of(Some(error.exit_code().into()), None),
        };
        lasted = clock.elapsed();
    }
    end
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
    unit.script.path.clone_from(&plan.script);
    unit.script.sha256 = plan.sha256_of(script);
    unit.stream_logs = plan.stream;
    unit.terms = Terms { background: plan.detached, ..plan.terms.clone() };
    unit.runner = Identity::own();
    unit
}

/// The record's folder, or what is left of our duties without one.
struct Files {
    folder: Option<Folder>,
}

fn open_record(unit: &mut Unit, plan: &Plan) -> Files {
    let folder = match Folder::create(unit) {
        Ok((folder, warning)) => {
            warn(warning.as_ref());
            Some(folder)
        }
        Err(error) => {
            warn(Some(&error.next("free some space, or set XDG_STATE_HOME")));
            None
        }
    };
    let files = Files { folder };
    if let Some(folder) = &files.folder {
        unit.logs.events = Some(folder.events());
        files.save(unit);
        // Before there is anything to read, or anybody who reads it.
        seals::keep(folder);
        if plan.register {
            let _ = folder.link_live(&unit.id);
        }
    }
    files
}

impl Files {
    fn folder(&self) -> Option<&Folder> {
        self.folder.as_ref()
    }

    /// The folder moved with its project while the command ran: so do we.
    fn follow(&mut self, place: Option<PathBuf>, unit: &mut Unit) {
        let Some(folder) = self.folder.as_mut().filter(|folder| !folder.path().exists()) else {
            return;
        };
        if let Some(place) = place.filter(|place| place.is_dir()) {
            *folder = Folder::at(place);
            folder.take_in(unit);
            let _ = folder.link_live(&unit.id);
        }
    }

    /// Something that we need and the command does not is not to be had: the command takes our place.
    /// Returns when that is impossible too.
    fn run_bare(&self, plan: &Plan, unit: &mut Unit, error: &Error) {
        if plan.detached {
            return;
        }
        warn(Some(&Error::new(format!("{}: its output and its end are not kept", error.what()))));
        unit.status = Status::Running;
        unit.process = Identity::own();
        unit.pid = Some(std::process::id());
        self.save(unit);
        let _ = Command::new(&plan.argv[0]).args(&plan.argv[1..]).exec();
    }

    /// A record that cannot be written must not disturb the command; it was told once already.
    fn save(&self, unit: &Unit) {
        if let Some(folder) = &self.folder {
            let _ = folder.save(unit);
        }
    }

    /// Keeps what the command started from. Git is a child of ours until it is done.
    fn keep(&self, unit: &Unit, script: Option<&[u8]>) -> Option<std::process::Child> {
        let folder = self.folder()?;
        if let Some(text) = script {
            kept::script(folder, &unit.script.sha256, text);
        }
        kept::ask_git(folder, &unit.cwd)
    }

    fn name_logs(&self, unit: &mut Unit, child: &spawn::Child) {
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

    fn capture(&self, bounds: &Bounds) -> capture::Capture {
        capture::Capture::new(self.folder.as_ref().map(Folder::path), bounds)
    }
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
    let mut text = format!("ig: {error}\n");
    if rustix::termios::isatty(rustix::stdio::stderr()) {
        text = text.replace('\n', "\r\n");
    }
    show(&text);
}

/// Shows `text` on stderr, if anybody still looks: that terminal may be gone.
pub fn show(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
