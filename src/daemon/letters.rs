//! Messages that were put down while no daemon took them (see [`crate::outbox`]).

use std::path::Path;

use super::journal::note;
use super::methods::message_send::deliver_late;
use super::world::World;
use crate::outbox::{self, FILE_LIMIT};
use crate::secure_fs;
use crate::wire::reply::ErrorCode;
use crate::wire::request::MessageSend;

impl World {
    /// Takes the messages that wait, oldest first. Each goes once it is in the database, which knows it
    /// again should we be ended in between.
    pub(super) fn take_outbox(&mut self) {
        let waiting = outbox::waiting();
        if !waiting.is_empty() {
            // Whom they are for may have come meanwhile.
            self.scan();
        }
        for path in waiting {
            let taken = read(&path).and_then(|message| {
                deliver_late(self, &message).map_err(|error| (error.message, error.code))
            });
            match taken {
                Ok(()) => drop(secure_fs::remove_file(&path)),
                // The database may work again later.
                Err((why, ErrorCode::InternalError)) => {
                    note(format_args!("`{}` cannot be taken now: {why}", path.display()));
                    return;
                }
                Err((why, _)) => set_aside(&path, &why),
            }
        }
    }
}

fn read(path: &Path) -> Result<MessageSend, (String, ErrorCode)> {
    let text = secure_fs::read(path, FILE_LIMIT)
        .map_err(|error| (error.to_string(), ErrorCode::InvalidParams))?;
    serde_json::from_slice(&text).map_err(|error| (error.to_string(), ErrorCode::InvalidParams))
}

/// It would stand in the way of the others for ever.
fn set_aside(path: &Path, why: &str) {
    let aside = path.with_extension("unreadable");
    note(format_args!("`{}` is no message ({why}); kept as `{}`", path.display(), aside.display()));
    let _ = secure_fs::rename(path, &aside);
}
