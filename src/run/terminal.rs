//! The user's own terminal while a command runs on a PTY: raw, and restored whatever happens.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::stdio;
use rustix::termios::{
    OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr,
    tcsetwinsize,
};

/// Whether stdin and stdout both are terminals.
pub(super) fn is_interactive() -> bool {
    isatty(stdio::stdin()) && isatty(stdio::stdout())
}

/// Settings of the user's terminal, for the PTY to start with.
pub(super) fn settings() -> (Option<Termios>, Option<Winsize>) {
    (tcgetattr(stdio::stdin()).ok(), tcgetwinsize(stdio::stdout()).ok())
}

/// Whether we are a background job: the terminal is not ours to read or to change.
pub(super) fn in_background() -> bool {
    tcgetpgrp(stdio::stdin()).is_ok_and(|group| group != getpgrp())
}

/// Whether the user's terminal is gone.
pub(super) fn is_hung_up() -> bool {
    tcgetattr(stdio::stdin()).is_err_and(|error| error == Errno::IO)
}

/// Raw mode, and what was there before; dropping it brings that back.
pub(super) struct Raw(Option<Termios>);

impl Raw {
    /// Raw from now on, unless the terminal is another job's.
    pub(super) fn enter() -> Self {
        let mut raw = Self(None);
        raw.renew();
        raw
    }

    /// The keys are ours again, or not: the shell has moved our job.
    pub(super) fn renew(&mut self) {
        if in_background() {
            self.0 = None;
            return;
        }
        let Ok(now) = tcgetattr(stdio::stdin()) else { return };
        let mut raw = now.clone();
        raw.make_raw();
        let _ = tcsetattr(stdio::stdin(), OptionalActions::Drain, &raw);
        self.0.get_or_insert(now);
    }

    /// Brings back what was there.
    pub(super) fn leave(&mut self) {
        if let Some(before) = self.0.take().filter(|_| !in_background()) {
            let _ = tcsetattr(stdio::stdin(), OptionalActions::Drain, &before);
        }
    }

    /// Whether the keyboard is ours to read.
    pub(super) fn has_keyboard(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Makes the PTY as large as the user's terminal is now.
pub(super) fn copy_size(pty: &OwnedFd) {
    if let Ok(size) = tcgetwinsize(stdio::stdout()) {
        let _ = tcsetwinsize(pty.as_fd(), size);
    }
}

/// Whether a read error on a PTY's master only means that nobody holds the other end any more.
pub(super) fn is_end(error: Errno) -> bool {
    error == Errno::IO
}
