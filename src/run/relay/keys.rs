//! What the user types, on its way to the command.

use std::os::fd::OwnedFd;

use rustix::io::{Errno, read, write};
use rustix::stdio;

use crate::run::terminal::{self, Raw};

/// How much is read at once, bytes.
const CHUNK: usize = 4096;

/// Ctrl-C and Ctrl-\, as nearly every terminal has them.
const ENDING: [u8; 2] = [0x03, 0x1c];

/// The user's keyboard, as long as a command on a PTY has it.
pub(super) struct Keys {
    raw: Raw,
    /// What the command has not taken yet.
    pending: Vec<u8>,
    /// Nothing more can be typed.
    over: bool,
    /// Ctrl-C or Ctrl-\ was typed.
    ending: bool,
}

impl Keys {
    pub(super) fn take() -> Self {
        Self { raw: Raw::enter(), pending: Vec::new(), over: false, ending: false }
    }

    /// Whether to wait for the user.
    pub(super) fn wanted(&self) -> bool {
        self.raw.has_keyboard() && !self.over && self.pending.is_empty()
    }

    /// Whether to wait for the command.
    pub(super) fn are_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn had_an_ending(&self) -> bool {
        self.ending
    }

    pub(super) fn read(&mut self) {
        let mut typed = [0; CHUNK];
        match read(stdio::stdin(), &mut typed) {
            Ok(0) => self.over = true,
            Ok(count) => {
                self.ending |= typed[..count].iter().any(|byte| ENDING.contains(byte));
                self.pending.extend_from_slice(&typed[..count]);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.over = true,
        }
    }

    pub(super) fn pass_to(&mut self, pty: &OwnedFd) {
        if self.pending.is_empty() {
            return;
        }
        match write(pty, &self.pending) {
            Ok(count) => drop(self.pending.drain(..count)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.pending.clear(),
        }
    }

    /// Whether the terminal has become ours without anybody saying so: a shell that brings a running
    /// job to the foreground has no need to tell it.
    pub(super) fn came_unasked(&self) -> bool {
        self.may_come() && !terminal::in_background()
    }

    /// Whether the terminal is another job's, and may become ours.
    pub(super) fn may_come(&self) -> bool {
        !self.raw.has_keyboard() && !self.over
    }

    /// Gives the terminal back, as it was.
    pub(super) fn leave(&mut self) {
        self.raw.leave();
    }

    /// Takes the terminal, if it is ours, and makes the command's own like it.
    pub(super) fn renew(&mut self, pty: Option<&OwnedFd>) {
        let first = self.raw.renew();
        // Ours, and yet not to be had: it is gone.
        self.over |= !self.raw.has_keyboard() && !terminal::in_background();
        if let Some(pty) = pty {
            if let Some(settings) = first {
                terminal::copy_settings(pty, &settings);
            }
            terminal::copy_size(pty);
        }
    }
}
