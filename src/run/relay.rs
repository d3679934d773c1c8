//! The loop: output goes to the terminal and to disk, the keyboard to the child, signals where they
//! belong, until the child has ended.
//!
//! It ends when the process ends, not when the last pipe closes: a descendant that keeps one open
//! must not keep the user waiting.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::process::Signal;

use super::capture::Capture;
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

/// Ctrl-C and Ctrl-\, as nearly every terminal has them.
const ENDING_KEYS: [u8; 2] = [0x03, 0x1c];

struct Relay<'a> {
    child: &'a mut Child,
    capture: &'a mut Capture,
    buffer: Vec<u8>,
    /// Keys that the child has not taken yet.
    keys: Vec<u8>,
    keyboard: bool,
    passing: bool,
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
    let keyboard = raw.as_ref().is_some_and(Raw::has_keyboard);
    let buffer = vec![0; CHUNK];
    let passing = !plan.detached;
    let mut relay = Relay {
        child,
        capture,
        buffer,
        keys: Vec::new(),
        keyboard,
        passing,
        key: false,
        helpers,
        end: None,
    };
    let end = relay.until_the_end(signals);
    if plan.tree {
        stop::sweep(relay.child.process.id(), unit);
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
            self.turn(Some(signals), None);
        }
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
        if let Some(pty) = self.child.pty.as_ref().filter(|_| !self.keys.is_empty()) {
            fds.push(PollFd::new(pty, PollFlags::OUT));
        }
        let keyboard = self.keyboard && self.keys.is_empty();
        if keyboard {
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        let any = poll(&mut fds, limit.as_ref()).is_ok_and(|count| count > 0);
        let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        Ready {
            any,
            sources: (0..sources).filter(|index| is_ready(&fds[*index])).collect(),
            signals: signals.is_some() && is_ready(&fds[sources]),
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
        let refused = self.passing && write_all(user_side(stream), bytes).is_err();
        self.capture.store(stream, bytes);
        if refused && stream != Stream::Stderr {
            self.reader_is_gone();
        }
    }

    /// Nobody reads our output any more: the child learns it as it would without us, by a broken
    /// pipe of its own.
    fn reader_is_gone(&mut self) {
        self.passing = false;
        self.child.sources.retain(|source| source.stream == Stream::Stderr);
    }

    fn read_keyboard(&mut self) {
        match read(rustix::stdio::stdin(), self.buffer.as_mut_slice()) {
            Ok(0) => self.keyboard = false,
            Ok(count) => {
                let typed = &self.buffer[..count];
                self.key |= typed.iter().any(|byte| ENDING_KEYS.contains(byte));
                self.keys.extend_from_slice(typed);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.keyboard = false,
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
            News::Sent(number) => self.tell_child(number),
            // On pipes the child is in our group and was told by the terminal itself.
            News::FromTerminal(number) if self.child.pty.is_some() => self.tell_child(number),
            News::FromTerminal(_) => {}
        }
    }

    fn tell_child(&self, number: i32) {
        let signal = Signal::from_named_raw(number);
        let pid = crate::os::pid(self.child.process.id());
        if let (None, Some(signal), Some(pid)) = (self.end, signal, pid) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    fn reap(&mut self) {
        self.helpers.retain_mut(|helper| matches!(helper.try_wait(), Ok(None)));
        if let Ok(Some(status)) = self.child.process.try_wait() {
            self.end =
                Some(End { exit_code: status.code(), signal: status.signal(), by_key: self.key });
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
