//! Messages that no daemon took yet: one file each in the user's private state.
//!
//! Who sends asks the daemon first. Where none answers in time (it is absent, stopped, of another
//! version, or dies in that moment) the message is put down here under the id that the daemon may have
//! seen already: so it is delivered once, whatever the daemon still did with what it was told.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::id::UnitId;
use crate::wire::client::{Answered, Client};
use crate::wire::read::object;
use crate::wire::unit::Kind;
use crate::{autostart, paths, secure_fs, socket, time};

/// The longest text of a message, bytes.
pub const TEXT_LIMIT: usize = 64 << 10;

/// The longest file here, bytes: a text may need six for each of its bytes.
pub const FILE_LIMIT: u64 = 512 << 10;

/// Messages that wait at most.
const BOUND: usize = 1000;

/// How long each of three steps may take (connect, greet, send): so a daemon that is stopped holds a
/// script up for two seconds.
const PATIENCE: Duration = Duration::from_millis(650);

/// While others wait that were put down so lately, the daemon is not asked: many messages together
/// wait no longer than one.
const LATELY: Duration = Duration::from_secs(10);

/// What became of a message.
#[derive(Debug)]
pub enum Sent {
    /// The daemon took it, and answered this.
    Taken(Value),
    /// It waits for a daemon, for this reason; none: for that of one that was told of a moment ago.
    Waits(Option<Error>),
}

/// Sends `message`, the parameters of `message.send`. What the daemon refuses is an error.
pub fn send(program: &str, mut message: Vec<(&str, Value)>) -> Result<Sent> {
    let text = message.iter().find_map(|(name, value)| value.as_str().filter(|_| *name == "text"));
    let size = text.unwrap_or_default().len();
    if size > TEXT_LIMIT {
        let problem = format!("the text has {size} bytes; the limit is {TEXT_LIMIT}");
        return Err(Error::usage(problem).next("send it in parts, or the path of a file"));
    }
    let id = new_id();
    message.push(("id", id.as_str().into()));
    if !paths::no_daemon() && waits_lately() {
        put(&id, message, &Error::new("the daemon takes none now"))?;
        let _ = autostart::nudge();
        return Ok(Sent::Waits(None));
    }
    let cause = match reach(program) {
        Ok(mut client) => match client.offer("message.send", message.clone()) {
            Ok(Answered::Result(answer)) => return Ok(Sent::Taken(answer)),
            Ok(Answered::Refused(error)) => return Err(error),
            Err(cause) => cause,
        },
        Err(cause) => cause,
    };
    put(&id, message, &cause)?;
    // For one that is gone, another one comes; who started it need not wait.
    let _ = autostart::nudge();
    Ok(Sent::Waits(Some(cause)))
}

/// Unlike any other, and later than those before it.
fn new_id() -> String {
    let now = time::micros(SystemTime::now());
    format!("{now:016x}-{}", UnitId::generate(Kind::LocalBash))
}

fn reach(program: &str) -> Result<Client> {
    if paths::no_daemon() {
        return Err(Error::new("IDLERGEAR_NO_DAEMON is set"));
    }
    if !socket::is_served() {
        autostart::ensure()?;
    }
    Client::connect_within(program, PATIENCE)
}

fn waits_lately() -> bool {
    let newest = waiting().into_iter().filter_map(|path| secure_fs::metadata(&path).ok());
    newest.filter_map(|meta| meta.modified().ok()?.elapsed().ok()).any(|age| age < LATELY)
}

/// The messages that wait, oldest first.
pub fn waiting() -> Vec<PathBuf> {
    let dir = paths::outbox_dir();
    let names = secure_fs::list(&dir).unwrap_or_default();
    let is_whole = |path: &PathBuf| {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        path.extension().is_some_and(|kind| kind == "json") && !hidden
    };
    let mut paths: Vec<PathBuf> =
        names.into_iter().map(|name| dir.join(name)).filter(is_whole).collect();
    paths.sort();
    paths
}

fn put(id: &str, message: Vec<(&str, Value)>, cause: &Error) -> Result<()> {
    let lost = |why: String| {
        Error::new(format!("the message is lost: {}, and {why}", cause.what()))
            .next("ig daemon restart")
    };
    if waiting().len() >= BOUND {
        return Err(lost(format!("{BOUND} messages wait for it already")));
    }
    let dir = paths::outbox_dir();
    let path = dir.join(format!("{id}.json"));
    secure_fs::dir(&dir)
        .and_then(|()| secure_fs::replace(&path, object(message).to_string().as_bytes()))
        .map_err(|e| lost(Error::io("write", &path, &e).what().to_owned()))
}

/// What to tell of a message that waits.
pub fn notice(cause: &Error) -> Error {
    Error::new(format!("the message is queued: {}", cause.what()))
        .next("ig daemon restart; a daemon delivers it as soon as it runs")
}
