//! `log`: one text, or each line of stdin, into the unit's `events.log`. Needs no daemon.

use std::io::{BufRead, Read, stdin};
use std::process::ExitCode;

use super::words::{Word, Words, unknown};
use super::{Outcome, daemon, target};
use crate::error::{Error, Result};
use crate::neutral;
use crate::record::{Folder, events};

/// A longer line of stdin is logged in parts: memory has a bound whatever comes in.
const LINE_LIMIT: u64 = 256 * 1024;

pub(super) fn run(mut words: Words) -> Outcome {
    let (mut level, mut id, mut text) = ("info".to_owned(), None, Vec::new());
    while let Some(word) = words.next()? {
        match word {
            Word::Value(value) => text.push(value),
            Word::Option(option) => match option.as_str() {
                "level" => level = checked(words.value()?)?,
                "id" => id = Some(words.value()?),
                _ => return Err(unknown(&Word::Option(option))),
            },
        }
    }
    if text.is_empty() {
        return Err(Error::usage("nothing to log").next("ig-agent log TEXT, or `-` for stdin"));
    }
    let log = Log { id: target::id(id)?, level, strict: words.strict() };
    if text == ["-"] {
        log.lines(stdin().lock())?;
    } else {
        log.text(&text.join(" "))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn checked(level: String) -> Result<String> {
    if ["debug", "info", "warn", "error"].contains(&level.as_str()) {
        return Ok(level);
    }
    Err(Error::usage(format!("there is no level `{}`", neutral::line(&level)))
        .next("--level debug, info, warn or error"))
}

struct Log {
    id: String,
    level: String,
    strict: bool,
}

impl Log {
    fn lines(&self, mut from: impl BufRead) -> Result<()> {
        loop {
            let mut line = Vec::new();
            let read = from.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line);
            if read.map_err(|e| Error::new(format!("cannot read stdin: {e}")))? == 0 {
                return Ok(());
            }
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            self.text(&String::from_utf8_lossy(line))?;
        }
    }

    fn text(&self, text: &str) -> Result<()> {
        match target::folder(&self.id) {
            Some(folder) => append(&folder, &self.level, text),
            None => self.ask_daemon(text),
        }
    }

    /// An agent that only the daemon knows.
    fn ask_daemon(&self, text: &str) -> Result<()> {
        let Some(mut client) = daemon::reach(self.strict)? else { return Ok(()) };
        let (id, level) = (self.id.as_str(), self.level.as_str());
        let log = vec![("id", id.into()), ("level", level.into()), ("message", text.into())];
        client.ask("agent.log", log).map(drop)
    }
}

/// Appends one record to the events of a unit.
pub(super) fn append(folder: &Folder, level: &str, text: &str) -> Result<()> {
    let path = folder.events();
    events::append(&path, level, text).map_err(|e| Error::io("write to", &path, &e))
}
