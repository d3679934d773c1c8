//! Reaching the daemon without needing it.

use crate::error::Result;
use crate::wire::client::Client;
use crate::{autostart, paths};

/// The daemon, if it is there; its absence is a failure only for the strict.
pub(super) fn reach(strict: bool) -> Result<Option<Client>> {
    if paths::no_daemon() && !strict {
        return Ok(None);
    }
    match Client::connect("ig-agent") {
        Ok(client) => Ok(Some(client)),
        Err(error) if strict => Err(error),
        Err(_) => Ok(None),
    }
}

/// The same, but a daemon that is not there is started first.
pub(super) fn call_up(strict: bool) -> Result<Option<Client>> {
    if !paths::no_daemon() {
        match autostart::ensure() {
            Err(error) if strict => return Err(error),
            _ => {}
        }
    }
    reach(strict)
}
