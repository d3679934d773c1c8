//! What the user sees of the command's output: it is passed on as it comes, before it is kept.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::record::index::Stream;
use crate::run::fd_io::write_all;

/// Where the output is passed on to.
pub(super) struct UserSide {
    /// Output goes to the user, too.
    pub(super) passing: bool,
    /// It could not, for this reason.
    pub(super) unpassed: Option<Errno>,
    /// What is passed on ends where messages of ours go, by stream.
    beside_us: [bool; 3],
    /// Such a message would stand within a line.
    pub(super) within_line: bool,
}

impl UserSide {
    /// The caller's streams; `watched` when anybody looks at them.
    pub(super) fn new(watched: bool) -> Self {
        let beside_us = if watched { beside_us() } else { [false; 3] };
        Self { passing: watched, unpassed: None, beside_us, within_line: false }
    }

    /// Passes `bytes` on, unless nobody wants them any more. Waits where the reader is slow.
    pub(super) fn pass(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Errno> {
        if let (true, Some(last)) = (self.beside_us[stream as usize], bytes.last()) {
            self.within_line = *last != b'\n';
        }
        if self.passing { write_all(stream_of_ours(stream), bytes) } else { Ok(()) }
    }
}

/// Which streams of the command go to where our own messages go.
fn beside_us() -> [bool; 3] {
    let place = |fd| rustix::fs::fstat(fd).map(|at| (at.st_dev, at.st_ino, at.st_rdev)).ok();
    let ours = place(rustix::stdio::stderr());
    Stream::ALL.map(|stream| ours.is_some() && place(stream_of_ours(stream)) == ours)
}

fn stream_of_ours(stream: Stream) -> BorrowedFd<'static> {
    match stream {
        Stream::Output | Stream::Stdout => rustix::stdio::stdout(),
        Stream::Stderr => rustix::stdio::stderr(),
    }
}
