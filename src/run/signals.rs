//! Signals as something to poll: who sent them decides whether the child has them already.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::WithRawSiginfo;

use super::unix;
use crate::error::{Error, Result};

/// What we pass on to the command, or act on.
const HEEDED: [i32; 8] = [SIGCHLD, SIGWINCH, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2];

/// With the command on a terminal of its own we have to stop and go on as one job with it. On pipes
/// it is in our group, and the kernel does that.
const JOB: [i32; 2] = [SIGTSTP, SIGCONT];

/// All of them. A copy of the runner must not inherit that in any way.
const CAUGHT: [i32; 10] =
    [SIGCHLD, SIGWINCH, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT];

/// In a copy of the runner: heeds nothing any more of what that catches.
pub(super) fn forget() {
    CAUGHT.into_iter().filter(|signal| !unix::is_ignored(*signal)).for_each(unix::reset);
}

/// `si_code` of a signal that a process sent, where it is not zero or negative (macOS).
const SENT_ON_MACOS: i32 = 0x10001;

/// One signal that reached us.
#[derive(Debug, Clone, Copy)]
pub(super) enum News {
    /// A child changed.
    Child,
    /// The terminal changed its size.
    Resized,
    /// We go on after a stop.
    Continued,
    /// Somebody sent it to us alone: the child has to be told.
    Sent(i32),
    /// The terminal sent it to our whole group: the child may have it already.
    FromTerminal(i32),
}

/// Caught signals.
pub(super) struct Signals(SignalDelivery<UnixStream, WithRawSiginfo>);

impl Signals {
    /// Catches what is not ignored: what our caller ignores (`nohup`, `cmd &` in a script) the
    /// command is to ignore too, and it inherits that from us as long as we leave it alone.
    pub(super) fn catch(on_pty: bool) -> Result<Self> {
        let job = JOB.into_iter().filter(|_| on_pty);
        let ours = |signal: &i32| *signal == SIGCHLD || !unix::is_ignored(*signal);
        let caught: Vec<i32> = HEEDED.into_iter().chain(job).filter(ours).collect();
        unix::let_through(&caught);
        let (read, write) = UnixStream::pair().map_err(|e| setup(&e))?;
        let delivery = SignalDelivery::with_pipe(read, write, WithRawSiginfo, caught);
        delivery.map(Self).map_err(|e| setup(&e))
    }

    /// What has arrived. The kernel does not tell in which order, so this is the likely one: what
    /// somebody sent may have been followed by their SIGCONT, and a key stops us when we have gone on.
    pub(super) fn pending(&mut self) -> Vec<News> {
        let mut ranks = [Vec::new(), Vec::new(), Vec::new()];
        for info in self.0.pending() {
            let (rank, news) = match info.si_signo {
                SIGCHLD => (0, News::Child),
                SIGWINCH => (0, News::Resized),
                SIGCONT => (1, News::Continued),
                number if info.si_code <= 0 || info.si_code == SENT_ON_MACOS => {
                    (0, News::Sent(number))
                }
                number => (2, News::FromTerminal(number)),
            };
            ranks[rank].push(news);
        }
        ranks.concat()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }
}

fn setup(cause: &std::io::Error) -> Error {
    Error::new(format!("cannot catch signals: {cause}")).code(crate::error::exit::RUN_FAILED)
}
