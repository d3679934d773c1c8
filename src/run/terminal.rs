//! The user's own terminal while a command runs on a PTY: raw, and restored whatever happens.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::stdio;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetpgrp,
    tcgetwinsize, tcsetattr, tcsetwinsize,
};

/// Whether stdin and stdout both are terminals.
pub(super) fn is_interactive() -> bool {
    isatty(stdio::stdin()) && isatty(stdio::stdout())
}

/// Whether we are a background job: the terminal is not ours to read or to change.
pub(super) fn in_background() -> bool {
    tcgetpgrp(stdio::stdin()).is_ok_and(|group| group != getpgrp())
}

/// Whether the user's terminal is gone.
pub(super) fn is_hung_up() -> bool {
    let streams = [stdio::stdin(), stdio::stdout(), stdio::stderr()];
    streams.iter().any(|stream| tcgetattr(stream).is_err_and(|error| error == Errno::IO))
}

/// Whether the terminal that our messages go to shows a key like Ctrl-C.
pub(super) fn shows_keys() -> bool {
    let shown = LocalModes::ECHO | LocalModes::ECHOCTL;
    tcgetattr(stdio::stderr()).is_ok_and(|settings| settings.local_modes.contains(shown))
}

/// Settings and size of the user's terminal, for the PTY to start with.
pub(super) fn settings() -> (Option<Termios>, Winsize) {
    // Where there is none, that of a usual one: programs divide by the width.
    let usual = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    (for_a_command(), tcgetwinsize(stdio::stdout()).unwrap_or(usual))
}

/// What the terminal is set to when a command starts in it. While we are in the background it is set
/// for the shell that edits its next line, which is nothing for a command.
fn for_a_command() -> Option<Termios> {
    let mut settings = tcgetattr(stdio::stdin()).ok()?;
    if in_background() {
        settings.input_modes |= InputModes::ICRNL;
        settings.local_modes |=
            LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
    }
    Some(settings)
}

/// Raw mode, and what was there before; dropping it brings that back.
pub(super) struct Raw {
    before: Option<Termios>,
    /// The PTY has the settings of a terminal that was not ours.
    borrowed: bool,
}

impl Raw {
    /// Raw from now on, unless the terminal is another job's.
    pub(super) fn enter() -> Self {
        let mut raw = Self { before: None, borrowed: in_background() };
        raw.renew();
        raw
    }

    /// The keys are ours again, or not: the shell has moved our job. Returns what a PTY is to be set
    /// to that was made before we first had the terminal.
    pub(super) fn renew(&mut self) -> Option<Termios> {
        if in_background() {
            self.before = None;
            return None;
        }
        let now = tcgetattr(stdio::stdin()).ok()?;
        let mut raw = now.clone();
        raw.make_raw();
        let _ = tcsetattr(stdio::stdin(), OptionalActions::Drain, &raw);
        let first = std::mem::take(&mut self.borrowed).then(|| now.clone());
        self.before.get_or_insert(now);
        first
    }

    /// Brings back what was there.
    pub(super) fn leave(&mut self) {
        if let Some(before) = self.before.take().filter(|_| !in_background()) {
            let _ = tcsetattr(stdio::stdin(), OptionalActions::Drain, &before);
        }
    }

    /// Whether the keyboard is ours to read.
    pub(super) fn has_keyboard(&self) -> bool {
        self.before.is_some()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The terminal's settings in other hands, for when we cannot bring them back any more.
pub(super) struct Backup {
    terminal: OwnedFd,
    settings: Termios,
}

impl Backup {
    pub(super) fn take() -> Option<Self> {
        let settings = for_a_command()?;
        let terminal = rustix::io::fcntl_dupfd_cloexec(stdio::stdin(), 3).ok()?;
        Some(Self { terminal, settings })
    }

    /// Brings the settings back, unless somebody has done so: then the terminal is raw no more.
    pub(super) fn restore(&self) {
        if tcgetattr(&self.terminal).is_ok_and(|now| is_raw(&now)) {
            let _ = tcsetattr(&self.terminal, OptionalActions::Drain, &self.settings);
        }
    }
}

fn is_raw(settings: &Termios) -> bool {
    let mut raw = settings.clone();
    raw.make_raw();
    let modes = |of: &Termios| (of.input_modes, of.output_modes, of.local_modes);
    modes(&raw) == modes(settings)
}

/// Sets the PTY as the user's terminal was set.
pub(super) fn copy_settings(pty: &OwnedFd, settings: &Termios) {
    let _ = tcsetattr(pty, OptionalActions::Now, settings);
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
