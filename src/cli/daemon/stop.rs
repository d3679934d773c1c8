//! `ig daemon stop`: returns once the daemon is gone. What runs goes on without it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::cli::Outcome;
use crate::error::{Error, Result};
use crate::os::{self, Identity};
use crate::wire::client::Client;
use crate::wire::request::{Nothing, Request};
use crate::{autostart, socket};

/// How long each way of asking may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Stop the daemon; scripts, runs and servers go on, and the next daemon finds them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    #[allow(clippy::unused_self, reason = "every command runs from its arguments")]
    pub(crate) fn run(self) -> Outcome {
        match stop()? {
            Some(pid) => super::print(format_args!("the daemon has stopped (pid {pid})")),
            None => super::print("the daemon is not running"),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks it, then signals it: first to end, then ended. None when there was none.
pub(super) fn stop() -> Result<Option<u32>> {
    let Some(daemon) = daemon() else { return Ok(None) };
    for signal in [None, Some(Signal::TERM), Some(Signal::KILL)] {
        match signal {
            None => ask(),
            Some(signal) => {
                os::signal(&daemon, signal);
            }
        }
        if is_gone(&daemon) {
            return Ok(Some(daemon.pid));
        }
    }
    Err(Error::new(format!("the daemon (pid {}) cannot be stopped", daemon.pid)))
}

/// The daemon; one that is being started right now is waited for: it would come up a moment later.
fn daemon() -> Option<Identity> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let known = socket::recorded().map(|recorded| recorded.daemon);
        if known.is_some() || Instant::now() > deadline || !autostart::is_starting() {
            return known.or_else(|| socket::recorded().map(|recorded| recorded.daemon));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn ask() {
    if let Ok(mut client) = Client::connect("ig") {
        let _: Result<Value> = client.call(&Request::DaemonStop(Nothing {}));
    }
}

fn is_gone(daemon: &Identity) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while daemon.is_alive() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
