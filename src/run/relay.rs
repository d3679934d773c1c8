//! The loop: output goes to the terminal and to disk, the keyboard to the child, signals where they
//! belong, until the child has ended.
//!
//! It ends when the process ends, not when the last pipe closes: a descendant that keeps one open
//! must not keep the user waiting.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::process::Signal;

use super::capture::Capture;
use super::job;
use super::monitor::{Change, Monitor};
use super::plan::Plan;
use super::settle::End;
use super::signals::{News, Signals};
use super::spawn::{Child, Source};
use super::terminal::{self, Raw};
use crate::id::UnitId;
use crate::record::index::Stream;
use crate::stop;

/// How much is read at once, bytes.
const CHUNK: usize = 64 * 1024;

/// After the child's end: output that keeps coming is waited for this long in all...
const LAST_WORDS: Duration = Duration::from_secs(1);

/// ...and no longer than this when it pauses.
const PAUSE: Duration = Duration::from_millis(50);

/// How many chunks may come from a command that has stopped, and what it started.
const ROUNDS: usize = 100;

/// Ctrl-C and Ctrl-\, as nearly every terminal has them.
const ENDING_KEYS: [u8; 2] = [0x03, 0x1c];

struct Relay<'a> {
    child: &'a mut Child,
    capture: &'a mut Capture,
    buffer: Vec<u8>,
    /// Keys that the child has not taken yet.
    keys: Vec<u8>,
    /// None when the command has no terminal.
    raw: Option<Raw>,
    /// Nothing more can be typed.
    keys_ended: bool,
    passing: bool,
    detached: bool,
    /// We stopped, and have yet to let the command go on.
    stopped: bool,
    /// Nobody can tell how the command ends; only that it is there.
    lost: bool,
    /// Ctrl-C or Ctrl-\ was typed.
    key: bool,
    /// Whoever starts the daemon, and git: children of ours too, to be reaped when they are done.
    helpers: Vec<std::process::Child>,
    end: Option<End>,
}

/// Carries everything to and fro until the child's end, which it returns.
pub(super) fn relay(
    child: &mut Child,
    signals: &mut Signals,
    capture: &mut Capture,
    plan: &Plan,
    unit: &UnitId,
    helpers: Vec<std::process::Child>,
) -> End {
    let raw = child.pty.is_some().then(Raw::enter);
    let buffer = vec![0; CHUNK];
    let mut relay = Relay {
        child,
        capture,
        buffer,
        keys: Vec::new(),
        raw,
        keys_ended: false,
        passing: !plan.detached,
        detached: plan.detached,
        stopped: false,
        lost: false,
        key: false,
        helpers,
        end: None,
    };
    let end = relay.until_the_end(signals);
    if plan.tree {
        stop::sweep(relay.child.pid, unit);
    }
    relay.last_words();
    end
}

impl Relay<'_> {
    fn until_the_end(&mut self, signals: &mut Signals) -> End {
        self.reap();
        loop {
            if let Some(end) = self.end {
                return end;
            }
            self.turn(Some(signals), self.patience());
            if self.stopped {
                self.go_on();
            }
            if self.lost && !self.is_there() {
                return End { exit_code: None, signal: None, by_key: self.key };
            }
        }
    }

    /// How long to wait for something to happen.
    fn patience(&self) -> Option<Duration> {
        match (self.stopped, self.lost) {
            (true, _) => Some(Duration::ZERO),
            (_, true) => Some(PAUSE),
            _ => None,
        }
    }

    fn is_there(&self) -> bool {
        let pid = crate::os::pid(self.child.pid);
        pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
    }

    /// What the child wrote before it ended is still in the pipes.
    fn last_words(&mut self) {
        let deadline = Instant::now() + LAST_WORDS;
        while !self.child.sources.is_empty() && Instant::now() < deadline {
            if !self.turn(None, Some(PAUSE)) {
                break;
            }
        }
    }

    /// One round: waits for something, handles it. False when nothing came in time.
    fn turn(&mut self, mut signals: Option<&mut Signals>, limit: Option<Duration>) -> bool {
        let ready = self.wait(signals.as_deref(), limit);
        for index in ready.sources.iter().rev() {
            self.pump(*index);
        }
        if ready.keyboard {
            self.read_keyboard();
        }
        self.write_keys();
        if let (true, Some(signals)) = (ready.signals, signals.as_mut()) {
            for news in signals.pending() {
                self.heed(news);
            }
        }
        if ready.report {
            self.note_change();
        }
        ready.any
    }

    fn wait(&self, signals: Option<&Signals>, limit: Option<Duration>) -> Ready {
        let limit = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(0),
            tv_nsec: i64::from(limit.subsec_nanos()),
        });
        let stdin = rustix::stdio::stdin();
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(5);
        for source in &self.child.sources {
            fds.push(PollFd::new(&source.fd, PollFlags::IN));
        }
        let sources = fds.len();
        if let Some(signals) = signals {
            fds.push(PollFd::new(signals, PollFlags::IN));
        }
        let reports = self.child.reports().filter(|_| signals.is_some() && !self.lost);
        let report = reports.map(|reports| {
            fds.push(PollFd::from_borrowed_fd(reports, PollFlags::IN));
            fds.len() - 1
        });
        if let Some(pty) = self.child.pty.as_ref().filter(|_| !self.keys.is_empty()) {
            fds.push(PollFd::new(pty, PollFlags::OUT));
        }
        let keyboard = self.has_keyboard() && self.keys.is_empty();
        if keyboard {
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        let any = poll(&mut fds, limit.as_ref()).is_ok_and(|count| count > 0);
        let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        Ready {
            any,
            sources: (0..sources).filter(|index| is_ready(&fds[*index])).collect(),
            signals: signals.is_some() && is_ready(&fds[sources]),
            report: report.is_some_and(|index| is_ready(&fds[index])),
            keyboard: keyboard && fds.last().is_some_and(is_ready),
        }
    }

    /// Takes one chunk from a source; forgets the source at its end.
    fn pump(&mut self, index: usize) {
        let Some(Source { fd, stream }) = self.child.sources.get(index) else { return };
        let stream = *stream;
        match read(fd, self.buffer.as_mut_slice()) {
            Ok(0) => drop(self.child.sources.remove(index)),
            Ok(count) => self.pass(stream, count),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => {
                debug_assert!(terminal::is_end(error), "{error}");
                self.child.sources.remove(index);
            }
        }
    }

    /// First the user, then the disk.
    fn pass(&mut self, stream: Stream, count: usize) {
        let bytes = &self.buffer[..count];
        let passed = if self.passing { write_all(user_side(stream), bytes) } else { Ok(()) };
        self.capture.store(stream, bytes);
        match passed {
            Err(Errno::PIPE) if stream != Stream::Stderr => self.reader_is_gone(),
            // A terminal that is gone: the hangup is told by a signal, the record goes on.
            Err(Errno::IO) if self.child.pty.is_some() => self.passing = false,
            Err(_) if stream != Stream::Stderr => self.reader_is_gone(),
            _ => {}
        }
    }

    /// Nobody reads our output any more: the child learns it as it would without us, by a broken
    /// pipe of its own, or by a hangup when it has a terminal.
    fn reader_is_gone(&mut self) {
        self.passing = false;
        self.child.pty = None;
        self.keys.clear();
        self.child.sources.retain(|source| source.stream == Stream::Stderr);
    }

    fn has_keyboard(&self) -> bool {
        !self.keys_ended && self.raw.as_ref().is_some_and(Raw::has_keyboard)
    }

    fn read_keyboard(&mut self) {
        match read(rustix::stdio::stdin(), self.buffer.as_mut_slice()) {
            Ok(0) => self.keys_ended = true,
            Ok(count) => {
                let typed = &self.buffer[..count];
                self.key |= typed.iter().any(|byte| ENDING_KEYS.contains(byte));
                self.keys.extend_from_slice(typed);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.keys_ended = true,
        }
    }

    fn write_keys(&mut self) {
        let Some(pty) = self.child.pty.as_ref().filter(|_| !self.keys.is_empty()) else { return };
        match rustix::io::write(pty, &self.keys) {
            Ok(count) => drop(self.keys.drain(..count)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.keys.clear(),
        }
    }

    fn heed(&mut self, news: News) {
        match news {
            News::Child => self.reap(),
            News::Resized => {
                if let Some(pty) = &self.child.pty {
                    terminal::copy_size(pty);
                }
            }
            News::Continued => self.go_on(),
            News::Sent(number) => self.tell_child(number, terminal::is_hung_up()),
            News::FromTerminal(number) => self.tell_child(number, true),
        }
    }

    /// What the terminal tells is for everybody in the command's group. On pipes that is our own
    /// group, which was told by the terminal itself.
    fn tell_child(&self, number: i32, from_terminal: bool) {
        let signal = Signal::from_named_raw(number);
        let pid = crate::os::pid(self.child.pid);
        let (None, Some(signal), Some(pid)) = (self.end, signal, pid) else { return };
        let _ = match (from_terminal, self.child.monitor()) {
            (true, Some(_)) => rustix::process::kill_process_group(pid, signal),
            (true, None) => Ok(()),
            (false, _) => rustix::process::kill_process(pid, signal),
        };
    }

    fn note_change(&mut self) {
        match self.child.monitor().map(Monitor::change) {
            Some(Change::Stopped(signal)) => self.stop(signal),
            Some(Change::Ended(status)) => self.note_end(status),
            Some(Change::Lost) => self.lost = true,
            None => {}
        }
    }

    /// The command has stopped; so do we, for our shell to see. A command that only waits for the
    /// terminal gets it, if we have it.
    fn stop(&mut self, signal: i32) {
        let waits = [Signal::TTIN.as_raw(), Signal::TTOU.as_raw()].contains(&signal);
        if waits && !terminal::in_background() {
            return self.go_on();
        }
        if self.detached {
            return;
        }
        self.show_the_rest();
        if let Some(raw) = &mut self.raw {
            raw.leave();
        }
        self.stopped = true;
        job::stop(signal);
    }

    /// What was written before the stop is seen before it.
    fn show_the_rest(&mut self) {
        for _ in 0..ROUNDS {
            if !self.turn(None, Some(Duration::ZERO)) {
                return;
            }
        }
    }

    /// After a stop, or when somebody thinks that there was one.
    fn go_on(&mut self) {
        self.stopped = false;
        let Some(raw) = &mut self.raw else { return };
        raw.renew();
        if let Some(pty) = &self.child.pty {
            terminal::copy_size(pty);
        }
        if let Some(monitor) = self.child.monitor().filter(|_| self.end.is_none()) {
            monitor.go_on(terminal::in_background());
        }
    }

    fn note_end(&mut self, status: ExitStatus) {
        self.end =
            Some(End { exit_code: status.code(), signal: status.signal(), by_key: self.key });
    }

    fn reap(&mut self) {
        self.helpers.retain_mut(|helper| matches!(helper.try_wait(), Ok(None)));
        if let Some(status) = self.child.reap() {
            self.note_end(status);
        }
    }
}

fn user_side(stream: Stream) -> BorrowedFd<'static> {
    match stream {
        Stream::Output | Stream::Stdout => rustix::stdio::stdout(),
        Stream::Stderr => rustix::stdio::stderr(),
    }
}

struct Ready {
    any: bool,
    sources: Vec<usize>,
    signals: bool,
    report: bool,
    keyboard: bool,
}

/// Writes everything, waiting where the reader is slow: that is what the command itself would do.
fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let mut fds = [PollFd::from_borrowed_fd(to.as_fd(), PollFlags::OUT)];
                let _ = poll(&mut fds, None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
