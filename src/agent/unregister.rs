//! `unregister`: the end of what `register` began.

use std::process::ExitCode;

use super::words::{Word, Words, unknown};
use super::{Outcome, daemon, target};
use crate::error::Result;
use crate::record::register::unregister;

pub(super) fn run(mut words: Words) -> Outcome {
    let (mut id, mut exit_code) = (None, None);
    while let Some(word) = words.next()? {
        match word {
            Word::Value(value) if id.is_none() => id = Some(value),
            Word::Option(option) if option == "exit-code" => {
                exit_code = Some(words.number("exit-code")?);
            }
            other => return Err(unknown(&other)),
        }
    }
    let id = target::id(id)?;
    match target::folder(&id) {
        // A runner writes the end of its unit itself.
        Some(folder) if folder.load()?.runner.is_none() => unregister(&folder, exit_code).map(drop),
        Some(_) => Ok(()),
        None => ask_daemon(&id, exit_code, words.strict()),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn ask_daemon(id: &str, exit_code: Option<i32>, strict: bool) -> Result<()> {
    let Some(mut client) = daemon::reach(strict)? else { return Ok(()) };
    let mut params = vec![("id", id.into())];
    params.extend(exit_code.map(|code| ("exit_code", code.into())));
    client.ask("agent.unregister", params).map(drop)
}
