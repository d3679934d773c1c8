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

/// Raw mode; dropping it brings back what was there. In a background job the terminal is not ours
/// to change, and is left alone.
pub(super) struct Raw(Option<Termios>);

impl Raw {
    pub(super) fn enter() -> Self {
        let foreground = tcgetpgrp(stdio::stdin()).is_ok_and(|group| group == getpgrp());
        let before = tcgetattr(stdio::stdin()).ok().filter(|_| foreground);
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.make_raw();
            let _ = tcsetattr(stdio::stdin(), OptionalActions::Drain, &raw);
        }
        Self(before)
    }

    /// Whether the keyboard is ours to read.
    pub(super) fn has_keyboard(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(stdio::stdin(), OptionalActions::Drain, before);
        }
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
