//! Stopping as a job does, so that the shell around us sees what it would see of the command.

use rustix::process::{Signal, kill_current_process_group, kill_process};

use super::unix;

/// Stops us by `signal` and returns when somebody lets us go on; at once when nobody could, because
/// no shell watches over our group.
///
/// A key or the terminal stops the whole job, pipelines and scripts around us included; a stop that
/// was sent to the command alone stops us alone.
pub(super) fn stop(signal: i32) {
    let by_terminal = [Signal::TSTP, Signal::TTIN, Signal::TTOU];
    let known = by_terminal.into_iter().find(|known| known.as_raw() == signal);
    let _ = match known {
        Some(known) => unix::by_default(signal, || kill_current_process_group(known)),
        None => kill_process(rustix::process::getpid(), Signal::STOP),
    };
}
