//! Finding the agent that a command is about, without the daemon where its files are enough.

use crate::cli::resolve::{self, Found};
use crate::error::{ErrorKind, Result};
use crate::record::Folder;
use crate::wire::client::Client;
use crate::wire::request::Which;

/// What a command is about.
pub(super) enum Whom {
    /// It has a record.
    Filed(Folder),
    /// The daemon alone knows it.
    Wire(Client, Which),
}

/// By its files on this machine, or as the daemon knows it, which is started when there is no other
/// way.
pub(super) fn find(query: &str) -> Result<Whom> {
    let found = match resolve::resolve(query) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            super::connect()?;
            resolve::resolve(query)?
        }
        found => found?,
    };
    resolve::tell_place(found.unit());
    Ok(match found {
        Found::Recorded(_, folder) => Whom::Filed(folder),
        Found::DaemonOnly(client, unit) => {
            Whom::Wire(client, Which { id: unit.id.to_string(), project: None })
        }
    })
}
