//! `send`: a message to one agent or to all of the project. The daemon keeps it until it is read.

use std::process::ExitCode;

use super::words::{Word, Words, unknown};
use super::{Outcome, daemon};
use crate::error::Error;
use crate::paths;
use crate::wire::reply::Sent;
use crate::wire::request::{MessageSend, Request, Scope};

pub(super) fn run(mut words: Words) -> Outcome {
    let (mut to, mut from, mut text) = (None, None, Vec::new());
    while let Some(word) = words.next()? {
        match word {
            Word::Value(value) => text.push(value),
            Word::Option(option) => match option.as_str() {
                "to" => to = Some(words.value()?),
                "from" => from = Some(words.value()?),
                _ => return Err(unknown(&Word::Option(option))),
            },
        }
    }
    if text.is_empty() {
        return Err(Error::usage("nothing to send").next("ig-agent send [--to WHO] TEXT"));
    }
    let from = from.or_else(|| paths::var("IDLERGEAR_AGENT_ID")).or_else(|| paths::var("USER"));
    let scope = Scope { project: paths::current_project(), all: false };
    let message = MessageSend { to, from, text: text.join(" "), scope };
    if let Some(mut client) = daemon::call_up(words.strict())? {
        client.call::<Sent>(&Request::MessageSend(message))?;
    }
    Ok(ExitCode::SUCCESS)
}
