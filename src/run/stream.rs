//! Keeps what flows through us, as `tee` would: for output that no runner of ours captures.

use rustix::io::{Errno, read, write};

use super::capture::Capture;
use crate::config::Bounds;
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
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = match read(rustix::stdio::stdin(), buffer.as_mut_slice()) {
            Ok(0) => break,
            Ok(count) => count,
            Err(Errno::INTR) => continue,
            Err(_) => break,
        };
        capture.store(Stream::Stdout, &buffer[..count]);
        if pass(&buffer[..count]).is_err() {
            break;
        }
    }
    capture.finish(logs);
}

fn pass(mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write(rustix::stdio::stdout(), bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
