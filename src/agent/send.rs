//! `send`: a message to one agent or to all of the project. The daemon keeps it until it is read; until
//! there is one, it waits in a file (see [`outbox`]).

use std::process::ExitCode;

use super::words::{Word, Words, unknown};
use super::{Outcome, daemon};
use crate::error::Error;
use crate::outbox::{self, Sent};
use crate::paths;
use crate::wire::raw;

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
    let text = text.join(" ");
    if text.is_empty() {
        return Err(Error::usage("nothing to send").next("ig-agent send [--to WHO] TEXT"));
    }
    let from = from.or_else(|| paths::var("IDLERGEAR_AGENT_ID")).unwrap_or_else(paths::user);
    let project = paths::current_project().map(|root| raw::text(&root));
    let message = vec![
        ("to", to.into()),
        ("from", from.into()),
        ("text", text.into()),
        ("project", project.into()),
    ];
    if words.strict() {
        // The caller wants to know of a failure and retries itself: nothing is queued.
        if let Some(mut client) = daemon::call_up(true)? {
            client.ask("message.send", message)?;
        }
    } else if let Sent::Waits(Some(cause)) = outbox::send("ig-agent", message)? {
        eprintln!("ig-agent: {}", outbox::notice(&cause));
    }
    Ok(ExitCode::SUCCESS)
}
