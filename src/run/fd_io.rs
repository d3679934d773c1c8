//! Reading, writing and waiting on descriptors, some of which never block.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};

use super::terminal;

/// Waits until one of `fds` is ready, at most as long as `limit`.
pub(super) fn wait_for(fds: &mut [PollFd<'_>], limit: Option<Duration>) {
    let limit = limit.map(|limit| Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(0),
        tv_nsec: i64::from(limit.subsec_nanos()),
    });
    let _ = poll(fds, limit.as_ref());
}

/// Reads until there is nothing more for now, or no room. Returns how much, and whether that was all.
pub(super) fn read_all(fd: &OwnedFd, buffer: &mut [u8]) -> (usize, bool) {
    let mut count = 0;
    while count < buffer.len() {
        match read(fd, &mut buffer[count..]) {
            Ok(0) => return (count, true),
            Ok(more) => count += more,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(error) => {
                debug_assert!(terminal::is_end(error), "{error}");
                return (count, true);
            }
        }
    }
    (count, false)
}

/// Writes everything, waiting where the reader is slow: that is what the command itself would do.
pub(super) fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                wait_for(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
