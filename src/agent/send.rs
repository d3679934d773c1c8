//! `send`: a message to one agent or to all of the project. The daemon keeps it until it is read.

use std::process::ExitCode;

use super::words::{Word, Words, unknown};
use super::{Outcome, daemon};
use crate::error::Error;
use crate::paths;

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
    let project = paths::current_project().map(|root| root.to_string_lossy().into_owned());
    let message = vec![
        ("to", to.into()),
        ("from", from.into()),
        ("text", text.join(" ").into()),
        ("project", project.into()),
    ];
    if let Some(mut client) = daemon::call_up(words.strict())? {
        client.ask("message.send", message)?;
    }
    Ok(ExitCode::SUCCESS)
}
