//! Signals as something to poll: who sent them decides whether the child has them already.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::WithRawSiginfo;

use crate::error::{Error, Result};

/// `si_code` of a signal that a process sent, where it is not zero or negative (macOS).
const SENT_ON_MACOS: i32 = 0x10001;

/// One signal that reached us.
#[derive(Debug, Clone, Copy)]
pub(super) enum News {
    /// A child changed.
    Child,
    /// The terminal changed its size.
    Resized,
    /// Somebody sent it to us alone: the child has to be told.
    Sent(i32),
    /// The terminal sent it to our whole group: the child may have it already.
    FromTerminal(i32),
}

/// Caught signals.
pub(super) struct Signals(SignalDelivery<UnixStream, WithRawSiginfo>);

impl Signals {
    pub(super) fn catch() -> Result<Self> {
        let caught = [SIGCHLD, SIGWINCH, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2];
        let (read, write) = UnixStream::pair().map_err(|e| setup(&e))?;
        let delivery = SignalDelivery::with_pipe(read, write, WithRawSiginfo, caught);
        delivery.map(Self).map_err(|e| setup(&e))
    }

    pub(super) fn pending(&mut self) -> Vec<News> {
        self.0
            .pending()
            .map(|info| match info.si_signo {
                SIGCHLD => News::Child,
                SIGWINCH => News::Resized,
                number if info.si_code <= 0 || info.si_code == SENT_ON_MACOS => News::Sent(number),
                number => News::FromTerminal(number),
            })
            .collect()
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
