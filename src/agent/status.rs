//! `status`: what an agent says of itself. Needs no daemon.

use std::process::ExitCode;

use super::words::{Word, Words, unknown};
use super::{Outcome, daemon, log, target};
use crate::error::{Error, Result};
use crate::wire::request::{AgentUpdateStatus, Request};
use crate::wire::unit::Presence;

pub(super) fn run(mut words: Words) -> Outcome {
    let (mut id, mut said) = (None, Vec::new());
    while let Some(word) = words.next()? {
        match word {
            Word::Value(value) => said.push(value),
            Word::Option(option) if option == "id" => id = Some(words.value()?),
            other @ Word::Option(_) => return Err(unknown(&other)),
        }
    }
    let status = presence(said.first().map_or("", String::as_str))?;
    let detail = said.get(1..).unwrap_or_default().join(" ");
    let id = target::id(id)?;
    match target::folder(&id) {
        Some(folder) => {
            log::append(&folder, "status", format!("{} {detail}", status.word()).trim_end())?;
        }
        None => ask_daemon(id, status, detail, words.strict())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn presence(word: &str) -> Result<Presence> {
    Presence::parse(word).ok_or_else(|| {
        Error::usage(format!("there is no status `{}`", word.escape_debug()))
            .next("active, idle or busy")
    })
}

/// An agent that only the daemon knows.
fn ask_daemon(id: String, status: Presence, detail: String, strict: bool) -> Result<()> {
    let Some(mut client) = daemon::reach(strict)? else { return Ok(()) };
    let detail = Some(detail).filter(|detail| !detail.is_empty());
    let update = AgentUpdateStatus { id, project: None, status, detail };
    client.call::<serde_json::Value>(&Request::AgentUpdateStatus(update)).map(drop)
}
