//! Lines of one of the files, and what marks those that carry something over from the file before.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The level of the line that a new `events.log` begins with.
pub(super) const AFTER: &str = "after";

/// What a line that carries something over has for a flag; [`CARRIED_ON`] when the next goes on with it.
pub(super) const CARRIED: &str = "=";
pub(super) const CARRIED_ON: &str = "=+";

/// A line that nobody of ours wrote has no bound; a longer one counts as several.
pub(super) const LINE_LIMIT: usize = 64 << 10;

/// Calls `each` with every line of `file` from `start` on, without its newline, and where it ends in
/// the file, until it says false. (No `BufReader`, and one copy of this: `ig-agent` stays small.)
pub(super) fn lines(
    file: &File,
    start: u64,
    each: &mut dyn FnMut(&[u8], u64) -> bool,
) -> io::Result<()> {
    let mut buffer = vec![0; LINE_LIMIT];
    // What was read and not told yet, and where it stands in the file.
    let (mut first, mut last, mut at) = (0, 0, start);
    loop {
        let rest = &buffer[first..last];
        let newline = rest.iter().position(|byte| *byte == b'\n');
        if let Some(length) = newline.or_else(|| (rest.len() == LINE_LIMIT).then_some(LINE_LIMIT)) {
            let next = (length + 1).min(rest.len());
            at += u64::try_from(next).unwrap_or(0);
            if !each(&rest[..length], at) {
                return Ok(());
            }
            first += next;
            continue;
        }
        buffer.copy_within(first..last, 0);
        (first, last) = (0, last - first);
        let count = file.read_at(&mut buffer[last..], at + u64::try_from(last).unwrap_or(0))?;
        if count == 0 {
            if last > 0 {
                each(&buffer[..last], at + u64::try_from(last).unwrap_or(0));
            }
            return Ok(());
        }
        last += count;
    }
}
