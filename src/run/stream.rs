//! Keeps what flows through us, as `tee` would: for output that no runner of ours captures.

use std::os::fd::BorrowedFd;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, read};
use rustix::stdio;

use super::capture::Capture;
use super::fd_io::{wait_for, write_all};
use crate::config::Bounds;
use crate::error::{Error, exit};
use crate::paths;
use crate::record::Folder;
use crate::record::index::Stream;
use crate::wire::unit::Logs;

/// How much is read at once, bytes.
const CHUNK: usize = 256 * 1024;

/// Copies stdin to stdout and to the unit's log, until the input ends or nobody reads us any more.
/// `lines` have ended in that log before. What is missing of it is told in `logs`.
pub fn keep(folder: &Folder, lines: u64, logs: &mut Logs) {
    let bounds = Bounds::of(paths::current_project().as_deref());
    let mut capture = Capture::new(Some(folder.path()), &bounds);
    capture.resume(lines);
    capture.open(&[Stream::Stdout]);
    copy(|bytes| capture.store(Stream::Stdout, bytes));
    capture.finish(logs);
}

/// Copies stdin to stdout and keeps nothing, for this reason: told at once, and by the exit code in
/// the end. Whoever writes to us must not die of it.
pub fn pass_on(reason: &Error) -> ExitCode {
    super::say(reason);
    copy(|_| {});
    ExitCode::from(exit::FAILED)
}

fn copy(mut keep: impl FnMut(&[u8])) {
    let mut buffer = vec![0; CHUNK];
    loop {
        match next(stdio::stdin(), &mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                keep(&buffer[..count]);
                if write_all(stdio::stdout(), &buffer[..count]).is_err() {
                    return;
                }
            }
        }
    }
}

/// What is there next, waiting for it; nothing at the end.
fn next(from: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match read(from, &mut *buffer) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                wait_for(&mut [PollFd::from_borrowed_fd(from, PollFlags::IN)], None);
            }
            other => return other,
        }
    }
}
