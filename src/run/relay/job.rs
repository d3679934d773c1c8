//! Stopping and going on as one job with the command, so that the shell around us sees what it would
//! see of the command alone.
//!
//! The command stops first, by a key that its own terminal turned into a signal. The monitor tells
//! us; we stop our job, which the shell notices; it lets us go on, and so do we the command.

use std::time::Duration;

use rustix::process::{Signal, kill_current_process_group, kill_process};

use super::Relay;
use crate::run::signals::{News, Signals};
use crate::run::{terminal, unix};

/// How many times output is taken of what goes on writing while its parent has stopped.
const ROUNDS: usize = 100;

/// Signals that a terminal stops its jobs with.
const BY_TERMINAL: [Signal; 3] = [Signal::TSTP, Signal::TTIN, Signal::TTOU];

impl Relay<'_> {
    /// The command has stopped; so do we, for our shell to see. A command that only waits for the
    /// terminal gets it, if we have it.
    pub(super) fn stop(&mut self, signal: i32, signals: &mut Signals) {
        let waits = [Signal::TTIN, Signal::TTOU].iter().any(|known| known.as_raw() == signal);
        if waits && !terminal::in_background() {
            return self.go_on();
        }
        let Some(keys) = &mut self.keys else { return };
        keys.leave();
        self.show_the_rest();
        stop_the_job(signal);
        let news = signals.pending();
        if !news.iter().any(|news| matches!(news, News::Continued)) {
            self.was_not_stopped(waits);
        }
        for news in news {
            self.heed(news);
        }
    }

    /// Our shell lets us go on, or somebody thinks that we had stopped.
    pub(super) fn go_on(&mut self) {
        if let Some(keys) = &mut self.keys {
            keys.renew(self.child.pty.as_ref());
        }
        if let Some(monitor) = self.child.monitor().filter(|_| self.end.is_none()) {
            monitor.go_on(terminal::in_background());
            self.going_on = true;
        }
    }

    /// The command does go on.
    pub(super) fn goes_on(&mut self) {
        self.going_on = false;
        if std::mem::take(&mut self.stop_next) {
            self.tell_group(Signal::TSTP.as_raw());
        }
    }

    /// No shell watches over our group, and so the kernel stopped nobody. A background command that
    /// reads the terminal there fails, without us; ours is hung up, and if it does not mind that, it
    /// stays stopped until it has the terminal.
    fn was_not_stopped(&mut self, waits: bool) {
        if !(waits && terminal::in_background()) {
            return self.go_on();
        }
        if !std::mem::replace(&mut self.left_alone, true) {
            self.tell_group(Signal::HUP.as_raw());
            self.go_on();
        }
    }

    /// What was written before the stop is seen before it.
    fn show_the_rest(&mut self) {
        for _ in 0..ROUNDS {
            if !self.take_output(Duration::ZERO) {
                return;
            }
        }
    }
}

/// Stops us by `signal` and returns when somebody lets us go on; at once when nobody could.
///
/// A key or the terminal stops the whole job, pipelines and scripts around us included; a stop that
/// was sent to the command alone stops us alone.
fn stop_the_job(signal: i32) {
    let _ = match BY_TERMINAL.into_iter().find(|known| known.as_raw() == signal) {
        Some(known) => unix::by_default(signal, || kill_current_process_group(known)),
        None => kill_process(rustix::process::getpid(), Signal::STOP),
    };
}
