//! `status`: what an agent says of itself. Needs no daemon.

use std::process::ExitCode;

use super::words::{Word, Words, unknown};
use super::{Outcome, daemon, log, target};
use crate::error::{Error, Result};
use crate::neutral;
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
        Error::usage(format!("there is no status `{}`", neutral::line(word)))
            .next("active, idle or busy")
    })
}

/// An agent that only the daemon knows.
fn ask_daemon(id: String, status: Presence, detail: String, strict: bool) -> Result<()> {
    let Some(mut client) = daemon::reach(strict)? else { return Ok(()) };
    let mut update = vec![("id", id.into()), ("status", status.word().into())];
    if !detail.is_empty() {
        update.push(("detail", detail.into()));
    }
    client.ask("agent.update_status", update).map(drop)
}
