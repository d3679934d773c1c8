//! The loop: output goes to the terminal and to disk, the keyboard to the child, signals where they
//! belong, until the child has ended.
//!
//! It ends when the process ends, not when the last pipe closes: a descendant that keeps one open
//! must not keep the user waiting.

mod guard;
mod job;
mod keys;
mod user_side;

use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGHUP, SIGTSTP};

use super::Keeps;
use super::capture::Capture;
use super::events::Events;
use super::fd_io::{read_all, wait_for};
use super::keeper::{Guardian, Heritage, SOON};
use super::monitor::{Change, Monitor};
use super::plan::Plan;
use super::ready;
use super::settle::{self, End};
use super::signals::{News, Signals};
use super::spawn::{Child, Source};
use super::terminal;
use crate::error::Error;
use crate::os::Identity;
use crate::record::index::Stream;
use keys::Keys;
use user_side::UserSide;

/// How much is taken from a pipe before others have their turn, bytes.
const CHUNK: usize = 64 * 1024;

/// The same for a terminal, which hands out 4 KiB at most: with more in one go, whoever shows it and
/// whoever writes it wait for each other (a tenth of the time, by benches/run.sh).
const TERMINAL_CHUNK: usize = 16 * 1024;

/// After the child's end: output that keeps coming is waited for this long in all, as what it left
/// behind may never cease...
const LAST_WORDS: Duration = Duration::from_millis(250);

/// ...and no longer than this when it pauses.
const PAUSE: Duration = Duration::from_millis(50);

/// How often a background job looks whether the terminal has become its own.
const LOOK: Duration = Duration::from_millis(200);

/// How often is looked whether the record is where it was: its project may be moved.
const MOVED: Duration = Duration::from_secs(5);

#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Relay<'a> {
    child: &'a mut Child,
    capture: &'a mut Capture,
    events: &'a mut Option<Events>,
    buffer: Vec<u8>,
    /// None when the command has no terminal, or nobody watches it.
    keys: Option<Keys>,
    user: UserSide,
    /// When somebody has to be there for the case that we are killed.
    guard_at: Option<Instant>,
    guardian: Option<Guardian>,
    heritage: Heritage,
    look_at: Instant,
    /// The command is about to go on. What would stop it has to wait, or it would be undone by that.
    going_on: bool,
    /// It was to be stopped meanwhile.
    stop_next: bool,
    /// The command was told that it will never have the terminal.
    left_alone: bool,
    /// The user's terminal was closed.
    hung_up: bool,
    /// The command, when the monitor is gone: nobody can tell how it ends, only whether it is there.
    orphan: Option<Identity>,
    /// Whoever starts the daemon, git, and who looks whether it is ready: children of ours too, to be reaped when they are done.
    helpers: Vec<std::process::Child>,
    end: Option<End>,
}

/// What there is to handle.
enum Event {
    /// From the source with this index.
    Output(usize),
    Typed,
    /// The command takes what was typed.
    Taken,
    News,
    Report,
}

/// Carries everything to and fro until the child's end, which it returns.
pub(super) fn relay(
    child: &mut Child,
    keeps: &mut Keeps,
    plan: &Plan,
    heritage: &Heritage,
    helpers: Vec<std::process::Child>,
) -> End {
    let keys = (child.pty.is_some() && !plan.detached).then(Keys::take);
    // What an earlier start left behind.
    child.sources.append(&mut keeps.left);
    let chunk = if child.pty.is_some() { TERMINAL_CHUNK } else { CHUNK };
    let mut relay = Relay {
        child,
        capture: &mut keeps.capture,
        events: &mut keeps.events,
        buffer: vec![0; chunk],
        keys,
        user: UserSide::new(!plan.detached),
        guard_at: None,
        guardian: None,
        heritage: heritage.clone(),
        look_at: Instant::now() + MOVED,
        going_on: false,
        stop_next: false,
        left_alone: false,
        hung_up: false,
        orphan: None,
        helpers,
        end: None,
    };
    if relay.child.monitor().is_none() {
        relay.guard_at = Some(Instant::now() + SOON);
    }
    let mut end = relay.until_the_end(&mut keeps.signals);
    relay.helpers.drain(..).for_each(ready::dismiss);
    end.hung_up = relay.hung_up || !plan.detached && terminal::is_hung_up();
    relay.last_words();
    relay.guardian.take().into_iter().for_each(Guardian::dismiss);
    end.leaves = !relay.child.sources.is_empty() || relay.child.group_lives();
    end.within_line = relay.user.within_line;
    end.unpassed = relay.user.unpassed.map(Errno::raw_os_error);
    if end.unpassed.is_some() && end.exit_code == Some(0) {
        // As tee: what the command wrote is not where it should be.
        end.exit_code = Some(1);
    }
    if !child.sources.is_empty() {
        child.leave_monitor();
        keeps.left.append(&mut child.sources);
    }
    end
}

impl Relay<'_> {
    fn until_the_end(&mut self, signals: &mut Signals) -> End {
        self.reap();
        loop {
            if let Some(end) = self.end {
                return end;
            }
            self.turn(signals);
            if let Some(events) = self.events.as_mut() {
                events.look(|| self.capture.place());
            }
            if self.look_at <= Instant::now() {
                self.follow();
            }
            if self.guard_at.is_some_and(|at| at <= Instant::now()) {
                self.guard();
            }
            if self.keys.as_ref().is_some_and(Keys::came_unasked) {
                self.go_on();
            }
            if self.orphan.as_ref().is_some_and(|orphan| !orphan.is_alive()) {
                self.note_end(None, None);
            }
        }
    }

    /// What the child wrote before it ended is still in the pipes.
    fn last_words(&mut self) {
        let deadline = Instant::now() + LAST_WORDS;
        while !self.child.sources.is_empty() && Instant::now() < deadline {
            if !self.take_output(PAUSE) {
                break;
            }
        }
    }

    /// One round: waits for something, handles it.
    fn turn(&mut self, signals: &mut Signals) {
        for event in self.wait(Some(signals), self.patience()) {
            match event {
                Event::Output(index) => self.pump(index),
                Event::Typed => self.keys.iter_mut().for_each(Keys::read),
                Event::Taken => {}
                Event::News => signals.pending().into_iter().for_each(|news| self.heed(news)),
                Event::Report => self.note_change(signals),
            }
        }
        if let (false, Some(keys), Some(pty)) = (self.going_on, &mut self.keys, &self.child.pty) {
            keys.pass_to(pty);
        }
    }

    /// Takes what was written, and nothing else. False when nothing came in time.
    fn take_output(&mut self, limit: Duration) -> bool {
        let events = self.wait(None, Some(limit));
        let any = !events.is_empty();
        for event in events {
            if let Event::Output(index) = event {
                self.pump(index);
            }
        }
        any
    }

    /// How long to wait for something to happen.
    fn patience(&self) -> Option<Duration> {
        let may_come = self.keys.as_ref().is_some_and(Keys::may_come);
        let pauses = [self.orphan.is_some().then_some(PAUSE), may_come.then_some(LOOK)];
        let look = self.events.as_ref().map(Events::patience);
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        let due = [self.guard_at.map(until), Some(until(self.look_at))];
        pauses.into_iter().chain([look]).chain(due).flatten().min()
    }

    /// Waits for output, or for anything. Sources come last first: handling one may remove it.
    fn wait(&self, anything: Option<&Signals>, limit: Option<Duration>) -> Vec<Event> {
        let stdin = rustix::stdio::stdin();
        let (mut fds, mut events) = (Vec::with_capacity(6), Vec::with_capacity(6));
        let mut add = |fd, flags, event| {
            fds.push(PollFd::from_borrowed_fd(fd, flags));
            events.push(event);
        };
        for (index, source) in self.child.sources.iter().enumerate().rev() {
            add(source.fd.as_fd(), PollFlags::IN, Event::Output(index));
        }
        if let Some(signals) = anything {
            if self.keys.as_ref().is_some_and(Keys::wanted) {
                add(stdin, PollFlags::IN, Event::Typed);
            }
            let pending = !self.going_on && self.keys.as_ref().is_some_and(Keys::are_pending);
            if let Some(pty) = self.child.pty.as_ref().filter(|_| pending) {
                add(pty.as_fd(), PollFlags::OUT, Event::Taken);
            }
            add(signals.as_fd(), PollFlags::IN, Event::News);
            if let Some(monitor) = self.child.monitor().filter(|_| self.orphan.is_none()) {
                add(monitor.reports(), PollFlags::IN, Event::Report);
            }
        }
        wait_for(&mut fds, limit);
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        events.retain(|_| ready.next().unwrap_or_default());
        events
    }

    /// Takes what a source has; forgets the source at its end.
    fn pump(&mut self, index: usize) {
        let Some(Source { fd, stream }) = self.child.sources.get(index) else { return };
        let stream = *stream;
        let (count, ended) = read_all(fd, &mut self.buffer);
        self.pass(stream, count);
        // The stream's reader may be gone, and the source with it.
        if ended && self.child.sources.get(index).is_some_and(|source| source.stream == stream) {
            self.child.sources.remove(index);
        }
    }

    /// First the user, then the disk.
    fn pass(&mut self, stream: Stream, count: usize) {
        let bytes = &self.buffer[..count];
        let passed = self.user.pass(stream, bytes);
        self.capture.store(stream, bytes);
        match passed {
            // A terminal that is gone: the hangup is told by a signal, the record goes on.
            Err(Errno::IO) if self.child.pty.is_some() => self.user.passing = false,
            Err(Errno::PIPE) if stream != Stream::Stderr => self.reader_is_gone(),
            Err(cause) if stream != Stream::Stderr => self.cannot_pass(cause),
            _ => {}
        }
    }

    /// What the command writes does not arrive. It is told, and its next writes fail, as they would
    /// without us.
    fn cannot_pass(&mut self, cause: Errno) {
        self.user.unpassed = Some(cause);
        let words = settle::words(cause.raw_os_error());
        super::say(&Error::new(format!("cannot write the command's output: {words}")));
        self.reader_is_gone();
    }

    /// Nobody reads our output any more: the child learns it as it would without us, by a broken
    /// pipe of its own, or by a hangup when it has a terminal.
    fn reader_is_gone(&mut self) {
        self.user.passing = false;
        self.keys = None;
        if self.child.pty.take().is_some() {
            self.child.monitor().into_iter().for_each(Monitor::let_go);
        }
        self.child.sources.retain(|source| source.stream == Stream::Stderr);
    }

    fn heed(&mut self, news: News) {
        match news {
            News::Child => self.reap(),
            News::Resized => self.child.pty.iter().for_each(terminal::copy_size),
            News::Continued => self.go_on(),
            News::FromTerminal(SIGTSTP) if self.going_on => self.stop_next = true,
            // By a shell, to all its jobs: the terminal told only the shell.
            News::Sent(SIGHUP) if terminal::is_hung_up() && self.child.monitor().is_some() => {
                self.tell_group(SIGHUP);
            }
            News::Sent(number) => self.tell(number, rustix::process::kill_process),
            News::FromTerminal(number) => {
                // The terminal shows the key. With a command on a PTY, that is among its output.
                self.user.within_line |= self.child.monitor().is_none() && terminal::shows_keys();
                self.hung_up |= number == SIGHUP;
                self.tell_group(number);
            }
        }
    }

    /// What the terminal tells is for everybody in the command's group. On pipes that is our own
    /// group, which was told by the terminal itself.
    fn tell_group(&self, number: i32) {
        if self.child.monitor().is_some() {
            self.tell(number, rustix::process::kill_process_group);
        }
    }

    fn tell(&self, number: i32, how: impl FnOnce(Pid, Signal) -> Result<(), Errno>) {
        let signal = Signal::from_named_raw(number);
        let pid = crate::os::pid(self.child.pid);
        if let (None, Some(signal), Some(pid)) = (self.end, signal, pid) {
            let _ = how(pid, signal);
        }
    }

    fn note_change(&mut self, signals: &mut Signals) {
        match self.child.monitor().map(Monitor::change) {
            Some(Change::Stopped(signal)) => self.stop(signal, signals),
            Some(Change::GoesOn) => self.goes_on(),
            Some(Change::Ended(status)) => self.note_end(status.code(), status.signal()),
            Some(Change::Lost) => self.lose_monitor(),
            None => {}
        }
    }

    fn lose_monitor(&mut self) {
        let error = Error::new("the monitor of this run was killed");
        super::warn(Some(&error.at("how its command ends cannot be known")));
        self.going_on = false;
        self.orphan = Identity::of(self.child.pid);
        if self.orphan.is_none() {
            self.note_end(None, None);
        }
    }

    fn note_end(&mut self, exit_code: Option<i32>, signal: Option<i32>) {
        let by_key = self.keys.as_ref().is_some_and(Keys::had_an_ending);
        self.end = Some(End { by_key, ..End::of(exit_code, signal) });
    }

    fn reap(&mut self) {
        self.helpers.retain_mut(|helper| matches!(helper.try_wait(), Ok(None)));
        if let Some(status) = self.child.reap() {
            self.note_end(status.code(), status.signal());
        }
        self.reap_others();
    }
}
